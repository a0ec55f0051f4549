"""``harness compare``: the numbers of a run beside published ones, or beside those of another run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import RequestError

if TYPE_CHECKING:
    from harness.discovery.loader import Plugins
    from harness.importer import Importer
    from harness.study.comparing import Comparison
    from harness.study.side import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRuns:
    """Both sides, and each measure of the models that both have."""

    own: Side
    reference: Side
    comparisons: Sequence[Comparison]


def compare_runs(
    run: Path, against: str, plugins: Plugins, *, table: Path | None = None, data: Sequence[str] = ()
) -> ComparedRuns:
    """Each measure's difference, tolerance and known erratum.

    Args:
        against: another run folder, or the name of an importer that reads the published table.
        table: path of that table. data: as ``--data``; without `table`, ``ROOT/<importer>/<file name of its URL>``.

    Raises:
        RequestError: `against` is neither, the table is missing, or the two share no measure.
        StoreError: stored trials are damaged.
    """
    from harness.study.comparing import compare
    from harness.study.sides import run_side

    own, reference = run_side(run, plugins.probes, plugins.datasets), _other_side(against, table, data, plugins)
    return ComparedRuns(own=own, reference=reference, comparisons=compare(own, reference))


def _other_side(against: str, table: Path | None, data: Sequence[str], plugins: Plugins) -> Side:
    """The run in the folder `against`, else the published table that the importer `against` reads."""
    from harness.study.protocols import standard_of
    from harness.study.sides import run_side, table_side

    if table is None and (Path(against) / "run.json").is_file():
        return run_side(Path(against), plugins.probes, plugins.datasets)
    if against not in plugins.importers:
        available = ", ".join(sorted(plugins.importers)) or "none"
        problem = "no published table" if table is not None else "neither a run folder nor a published table"
        raise RequestError(
            f"--against {against} is {problem}. Published tables: {available}",
            remedy="--against RUN, or --against FORMAT",
        )
    importer = plugins.importer(against)
    path = table if table is not None else _table_below(importer, data)
    if not path.is_file():
        raise RequestError(
            f"no file {path} to compare with{_origin(importer)}", remedy=f"--against {against} --table FILE"
        )
    return table_side(importer, path, standard_of(plugins.probes, plugins.datasets))


def _table_below(importer: Importer, data: Sequence[str]) -> Path:
    """The default path of a published table: ROOT/<importer>/<file name of its URL>."""
    from harness.data.roots import DataRoots

    root = DataRoots.parse(data).default
    name = importer.url.rpartition("/")[2]
    if root is None or not name:
        alternative = f" or --data ROOT (or HARNESS_DATA) with {importer.name}/{name} below it" if name else ""
        raise RequestError(
            f"no table {importer.name} to compare with{_origin(importer)}", remedy=f"--table FILE{alternative}"
        )
    return root / importer.name / name


def _origin(importer: Importer) -> str:
    """The end of an error message: the URL of the importer's table."""
    return f"; it is published at {importer.url}" if importer.url else ""
