"""``harness fetch``: download checkpoints and datasets, resumable and verified. The only command that uses the net."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import (
    Data,
    Format,
    House,
    PluginFolders,
    Registries,
    choice,
    open_house,
    print_json,
    stderr_console,
    stdout_console,
)
from harness.errors import RequestError
from harness.records import Table, TableCell

if TYPE_CHECKING:
    from harness.fetching.datasets import DatasetFetch
    from harness.fetching.models import ModelFetch
    from harness.fetching.records import Outcome
    from harness.interfaces import Dataset
    from harness.records import ModelSpec

STYLES = {"present": "green", "fetched": "green", "missing": "yellow", "by hand": "yellow"}


def fetch(
    suite: Annotated[
        str | None, typer.Option("--suite", metavar="NAME", help="Everything that this suite needs.")
    ] = None,
    models: Annotated[
        list[str] | None, typer.Option("--models", metavar="PATTERN …", help="Checkpoints; instead of the suite's.")
    ] = None,
    datasets: Annotated[
        list[str] | None, typer.Option("--datasets", metavar="NAME …", help="Datasets; instead of the suite's.")
    ] = None,
    data: Data = None,
    offline: Annotated[bool, typer.Option("--offline", help="Use no network; exit 1 if something is missing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be fetched; use no network.")] = False,
    keep_archives: Annotated[
        bool, typer.Option("--keep-archives", help="Keep archives after they have been unpacked.")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="Trust checkpoints that differ from what was recorded at their first use.")
    ] = False,
    form: Format = "terminal",
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """Get the checkpoints and datasets that are missing. An interrupted download is resumed."""
    from harness.data.roots import DataRoots
    from harness.fetching.datasets import DatasetFetch
    from harness.fetching.models import ModelFetch

    choice("format", form, ("terminal", "json"))
    house, roots = open_house(registry, plugins), DataRoots.parse(data or ())
    specs, sets = _selected(house, suite, models or [], datasets or [])
    if accept and (offline or dry_run):
        raise RequestError(f"--accept records files, {'--offline' if offline else '--dry-run'} changes nothing")
    fetches: list[ModelFetch | DatasetFetch] = [
        *(ModelFetch(spec, house.registry.source_for(spec), accept) for spec in specs),
        *(DatasetFetch(dataset, roots, keep_archives) for dataset in sets),
    ]
    if offline or dry_run:
        outcomes = [item.survey() for item in fetches]
    else:
        outcomes = _fetched(fetches)
    if form == "json":
        print_json([asdict(outcome) for outcome in outcomes])
    else:
        _print_outcomes(outcomes)
    if not dry_run and not all(outcome.there for outcome in outcomes):
        raise typer.Exit(1)


def _selected(
    house: House, suite: str | None, patterns: Sequence[str], names: Sequence[str]
) -> tuple[Sequence[ModelSpec], Sequence[Dataset]]:
    """The models and datasets to fetch, each once. Raises RequestError if there are none, or for an unknown name."""
    if suite is None and not patterns and not names:
        raise RequestError("nothing to fetch: give --suite NAME, --models PATTERN … or --datasets NAME …")
    if suite is not None:
        whole = house.registry.suite(suite, check=False)
        patterns = patterns or whole.models
        names = names or [task.dataset for task in whole.tasks]
    models = house.registry.models_matching(patterns) if patterns else ()
    return models, [house.registry.dataset(name) for name in dict.fromkeys(names)]


def _fetched(fetches: Sequence[ModelFetch | DatasetFetch]) -> list[Outcome]:
    from harness.fetching.datasets import DatasetFetch
    from harness.fetching.files import Fetcher
    from harness.output.progress import FetchProgress

    for item in fetches:
        if isinstance(item, DatasetFetch) and item.survey().state == "missing":
            item.root()  # a missing destination is a wrong request: raise before the first download
    console = stderr_console()
    outcomes: list[Outcome] = []
    try:
        with FetchProgress(console) as progress, closing(Fetcher(progress)) as fetcher:
            for item in fetches:
                outcomes.append(item.fetch(fetcher))
                if outcomes[-1].state == "failed":
                    progress.note(f"{outcomes[-1].name}: {outcomes[-1].detail}")
    except KeyboardInterrupt:
        ready = sum(outcome.there for outcome in outcomes)
        console.print(f"{ready} of {len(fetches)} are here; the same command resumes the interrupted download")
        raise
    return outcomes


def _print_outcomes(outcomes: Sequence[Outcome]) -> None:
    from rich.filesize import decimal

    from harness.output.formats import show

    rows = []
    for outcome in outcomes:
        size = ("–" if outcome.there else "?") if outcome.bytes is None else decimal(outcome.bytes)
        state = TableCell(outcome.state, style=STYLES.get(outcome.state, "red"))
        rows.append((TableCell(outcome.name), state, TableCell(size, value=outcome.bytes), TableCell(outcome.detail)))
    table = Table(title="", columns=("name", "state", "bytes", "detail"), rows=tuple(rows))
    show([table], stdout_console(), ("state", "bytes"))
    typer.echo(_summary(outcomes), err=True)


def _summary(outcomes: Sequence[Outcome]) -> str:
    from rich.filesize import decimal

    present = sum(outcome.there for outcome in outcomes)
    parts = [f"{present} of {len(outcomes)} are here"]
    missing = [outcome for outcome in outcomes if outcome.state == "missing"]
    if missing:
        sizes = [outcome.bytes for outcome in missing if outcome.bytes is not None]
        amounts = [decimal(sum(sizes))] if sizes else []
        if unsized := len(missing) - len(sizes):
            amounts.append(f"{unsized} of unknown size" if sizes else "of unknown size")
        parts.append(f"{len(missing)} to fetch ({', '.join(amounts)})")
    for state in ("by hand", "failed"):
        if count := sum(outcome.state == state for outcome in outcomes):
            parts.append(f"{count} {state}")
    return "; ".join(parts)
