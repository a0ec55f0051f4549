"""The figures of ``harness report``: on the terminal, as JSON, or drawn into files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from harness.cli.destination import PICTURES, Destination
from harness.cli.options import choice, text_width
from harness.errors import RequestError, UnknownNameError
from harness.foreign import one_line

if TYPE_CHECKING:
    from harness.interfaces import Report
    from harness.records import Figure, Study

LISTED: Final = "list"
"""The value of --figure that prints the names of all figures."""
ALL: Final = "all"
"""The value of --figure that means each of them."""
KINDS: Final = tuple(suffix.removeprefix(".") for suffix in PICTURES)
"""Of the pictures in a folder, the default first."""
FIGURE_HELP: Final = "-o FILE.svg, .png or .pdf draws one, -o FOLDER/ all as --format pdf, svg or png."
WIDTH_HELP: Final = "Of a picture, in a paper: column (3.25 inches), page (6.875), or inches."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What ``--figure`` asks for: the figure `name`, `ALL` or `LISTED`, as `form`, so many inches wide, at `place`."""

    name: str
    form: str
    width: float | None
    place: Destination

    @classmethod
    def of(cls, name: str, form: str, width: str | None, place: Destination) -> Asked:
        """Raises RequestError for options that do not go together, before anything is read."""
        from harness.output.sheets import width_of

        pictures = place.folder and name != LISTED
        if form in KINDS and not pictures:
            form = _kind_of_file(name, form, place)
        choice("format", form, ("terminal", *KINDS) if pictures else ("terminal", "json"))
        if place.folder and name == LISTED:
            raise RequestError(f"the list of figures is one file, and -o {place.path} is a folder", remedy="-o FILE")
        if name == ALL and place.path is not None and not place.folder and form != "json":
            raise RequestError(
                f"--figure all is a file for each figure, and -o {place.path} is one file", remedy="-o FOLDER/"
            )
        inches = None if width is None else width_of(width)
        return cls(name=name, form=form, width=inches, place=place)


def _kind_of_file(name: str, form: str, place: Destination) -> str:
    """The format of a picture in one file, whose suffix says it already. Raises RequestError if it does not."""
    if name == LISTED:
        raise RequestError(
            f"the list of figures is text, and --format {form} a picture", remedy="--figure all -o FOLDER/"
        )
    if place.path is None:
        into = "FOLDER/" if name == ALL else f"FILE.{form}"
        raise RequestError(f"--format {form} is a picture, which is not printed", remedy=f"-o {into}")
    if place.path.suffix.lower() != f".{form}":
        into = str(place.path.with_suffix(f".{form}")) if place.path.suffix and name != ALL else f"{place.path}/"
        raise RequestError(f"--format {form} is no format of one file {place.path}", remedy=f"-o {into}")
    return "terminal"


def show_figures(report: Report, study: Study, asked: Asked) -> None:
    """Print or draw what `asked` says.

    Raises:
        UnknownNameError: no such figure. RequestError: it cannot be drawn or written.
    """
    from harness.output.drawing import write
    from harness.output.promises import checked_data, checked_figures

    figures = checked_figures(report.figures(checked_data(report.name, report.data(study))))
    chosen = figures if asked.name in (ALL, LISTED) else [_named(figures, asked.name)]
    path = asked.place.path
    if asked.place.folder:
        _draw_all(chosen, asked)
    elif path is not None and asked.form != "json" and asked.name != LISTED:
        write(chosen[0], path, asked.width)
    else:
        _print(chosen, asked)


def _named(figures: Sequence[Figure], name: str) -> Figure:
    by_name = {entry.name: entry for entry in figures}
    if name not in by_name:
        raise UnknownNameError("figure", name, by_name, remedy="--figure list")
    return by_name[name]


def _draw_all(figures: Sequence[Figure], asked: Asked) -> None:
    """A picture of each figure in a folder; those that cannot be drawn are named on stderr."""
    from harness.output.drawing import to_files
    from harness.output.folders import write_folder
    from harness.output.streams import remark_line

    assert asked.place.path is not None
    if not figures:
        raise RequestError("these runs have no figure of this report, so no file is written", remedy="--format csv")
    kind = KINDS[0] if asked.form == "terminal" else asked.form
    files, refusals = to_files(figures, kind, asked.width)
    write_folder(asked.place.path, files)
    for refusal in refusals:
        remark_line(f"left out: {refusal}")


def _print(figures: Sequence[Figure], asked: Asked) -> None:
    """On stdout, or JSON and the list into a file."""
    from harness.output.files import write_file
    from harness.output.formats import to_json
    from harness.output.plain_drawing import to_text
    from harness.output.streams import write_result

    several = asked.name in (ALL, LISTED)
    if asked.form == "json":
        drawn = [asdict(figure) for figure in figures]
        text = to_json({"figures": drawn} if several else drawn[0])
    elif asked.name == LISTED:
        text = _names(figures)
    else:
        columns = text_width()
        text = "\n".join(to_text(figure, columns) for figure in figures)
    if asked.place.path is None:
        write_result(text, asked.form)
    else:
        write_file(asked.place.path, text)


def _names(figures: Sequence[Figure]) -> str:
    width = max((len(one_line(figure.name)) for figure in figures), default=0)
    return "".join(f"{one_line(figure.name):<{width}}  {one_line(figure.title)}\n" for figure in figures)
