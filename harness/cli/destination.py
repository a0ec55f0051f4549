"""Where the result of a command goes: to stdout, into a file, or into a folder of several files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

    from harness.records import Table

PARQUET = ".parquet"
SUFFIXES: Final = {
    ".json": ("json",),
    ".html": ("html",),
    ".htm": ("html",),
    ".md": ("markdown",),
    ".tex": ("latex",),
    ".csv": ("csv", "tidy"),
    PARQUET: ("tidy",),
}
"""Of files, and the formats that they may have, the default first; a file of any other suffix has any format."""
PICTURES: Final = (".pdf", ".svg", ".png")
"""Suffixes of pictures, the default first."""
OF_TIDY: Final = tuple(suffix for suffix, forms in SUFFIXES.items() if "tidy" in forms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Of ``-o``: no `path` is stdout; a `folder` is written into, and made if it is absent."""

    path: Path | None
    folder: bool = False

    @classmethod
    def of(
        cls, text: str | None, form: str, runs: Iterable[Path], *, several: bool, figure: bool = False
    ) -> Destination:
        """``-o TEXT`` for the format `form`.

        Args:
            runs: where nothing may be written. several: whether the result may be several files.
            figure: whether it is figures, whose suffix says how they are drawn.

        Raises:
            RequestError: it lies in a run folder, is a folder for one file, or has the suffix of another format.
        """
        from harness.output.folders import is_folder
        from harness.store import refuse_inside

        if text is None:
            return cls(path=None)
        path, folder = Path(text), is_folder(text)
        refuse_inside(path, runs, folder=folder)
        if folder and not several:
            raise RequestError(
                f"--format {form} is one file, and -o {path} is a folder: only CSV has a file for each table",
                remedy="-o FILE",
            )
        if not (folder or figure):
            _refuse_suffix(path, form)
        return cls(path=path, folder=folder)


def _refuse_suffix(path: Path, form: str) -> None:
    suffix = path.suffix.lower()
    if form == "tidy" and suffix not in OF_TIDY:
        raise RequestError(
            f"--format tidy is a file that ends in {' or '.join(OF_TIDY)}, and -o is {path}", remedy="-o measures.csv"
        )
    if suffix in PICTURES:
        raise RequestError(f"--format {form} is no picture, and -o is {path}", remedy=f"--figure NAME -o {path}")
    expected = SUFFIXES.get(suffix, (form,))
    if form not in expected:
        name = "Parquet" if suffix == PARQUET else suffix
        raise RequestError(f"--format {form} is no {name} file, and -o is {path}", remedy=f"--format {expected[0]}")


def emit_files(tables: Sequence[Table], place: Destination) -> None:
    """Write one CSV file for each table into the folder `place`. Raises RequestError if one cannot be written."""
    from harness.output.folders import write_folder
    from harness.output.formats import to_csv_files
    from harness.output.promises import checked_tables

    assert place.path is not None
    write_folder(place.path, to_csv_files(checked_tables(tables)))


def emit_tidy(measures: pd.DataFrame, place: Destination) -> None:
    """Print the measures of a study, one row an observation, or write them to a ``.csv`` or ``.parquet`` file."""
    from harness.output.files import write_file
    from harness.output.streams import write_result
    from harness.output.tidy import tidy, to_csv, to_parquet

    table = tidy(measures)
    if place.path is None:
        write_result(to_csv(table), "tidy")
    else:
        write_file(place.path, (to_parquet if place.path.suffix.lower() == PARQUET else to_csv)(table))
