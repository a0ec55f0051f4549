"""Checks of the stored trials, cell by cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.errors import StoreError
from harness.local.writing import leftovers
from harness.records import TaskLayout
from harness.store.checks import field_problems, value_problems
from harness.store.headers import Span
from harness.store.index import read_indexed
from harness.store.run_record import INDEX
from harness.store.shards import Fields, has_sound_preface, opened, read_shard
from harness.store.shown import ShownIndex, shown_index

if TYPE_CHECKING:
    from pathlib import Path

    from harness.store.cells import CellRecord, ShardFile
    from harness.store.reader import RunReader


Place = tuple[str, str]


def verify_run(run: RunReader) -> list[str]:
    """All problems of a stored run, one line each; empty if there are none."""
    if run.kind == "imported":
        return _table_problems(run)
    problems = [f"{path} was left by a killed process; the next run removes it" for path in leftovers(run.path)]
    places = run.places()
    shown, index_problems = _index(run, places)
    for task in run.tasks():
        try:
            layout = run.layout(task)
        except StoreError as error:
            problems.append(str(error))
            continue
        for model in run.models(task):
            problems += (f"{task} × {model}: {problem}" for problem in _cell_problems(run, layout, model, shown))
    return [*problems, *index_problems, *_unmeasured(run)]


def _table_problems(run: RunReader) -> list[str]:
    try:
        _ = run.imported
    except StoreError as error:
        return [str(error)]
    return []


def _index(run: RunReader, places: Sequence[Place]) -> tuple[ShownIndex | None, list[str]]:
    """The index, None if it cannot be read or compared, and its problems."""
    path = run.path / INDEX
    try:
        shown = shown_index(run)
    except FileNotFoundError:
        return None, [f"{path} is missing; the next `harness run` with this --out writes it again"]
    except StoreError as error:
        return None, [str(error)]
    surplus = sorted(shown.cells() - set(places))
    current = [place for place in places if shown.is_current(*place)]
    lines = [f"{path} shows {task} × {model}, which has no shards" for task, model in surplus]
    return shown, [*lines, *shown.problems(current)]


def _cell_problems(run: RunReader, layout: TaskLayout, model: str, shown: ShownIndex | None) -> list[str]:
    try:
        record, files = run.place(layout.task, model)
        if run.is_stale(record):
            return ["measured on another layout; rerun it"]
    except StoreError as error:
        return [str(error)]
    problems = list(_range_problems(files, len(layout.sample_ids)))
    fields = frozenset[str]()
    if shown is not None and not shown.is_current(layout.task, model):
        problems.append("the index does not show its current trials; the next `harness run` with this --out fixes that")
    elif shown is not None:
        foreign = list(_foreign(run.folder(layout.task, model).of_key(record.job.key)))
        problems += foreign
        fields = shown.fields(layout.task, model) if not foreign else fields
    for file in files:
        try:
            problems += [f"{file.path}: {line}" for line in _shard_problems(run.path, record, file, layout, fields)]
        except (StoreError, FileNotFoundError) as error:
            problems.append(str(error))
    if "correct" in fields:
        try:
            run.check_index(layout.task, model)
        except StoreError as error:
            problems.append(str(error))
    return problems


def _foreign(folder: Path) -> Iterator[str]:
    """Shards that lead elsewhere: the index must not be read through them."""
    for file in sorted(folder.glob("*.h5")):
        try:
            with opened(file):
                pass
        except (StoreError, FileNotFoundError) as error:
            yield str(error)


def _range_problems(files: tuple[ShardFile, ...], n: int) -> Iterator[str]:
    end = 0
    for file in files:
        if file.low < end:
            yield f"{file.path} overlaps the shard before it"
        if not file.low < file.high <= n:
            yield f"{file.path} holds samples {file.low}-{file.high} of {n}"
        end = max(end, file.high)


def _shard_problems(
    path: Path, record: CellRecord, file: ShardFile, layout: TaskLayout, indexed: frozenset[str]
) -> Iterator[str]:
    """Problems of one shard and of its rows in the index; reads one span, and one virtual dataset, at a time.

    Args:
        indexed: the fields that the index shows.
    """
    if not has_sound_preface(file.path):
        yield "its preface is damaged; delete the file and type the `harness run` command again"
    end, conditions = file.low, len(layout.conditions)
    for (low, high), fields, _ in read_shard(file.path, record.origin):
        where = f"samples {low}-{high}"
        if low != end:
            yield f"{where} follow {end}, which its name or spans contradict"
        arrays = record.job.identity.arrays
        problems = field_problems(fields, high - low, conditions, arrays)
        if not problems and high <= len(layout.sample_ids):
            first_only = record.job.identity.first_choices_only
            problems = value_problems(fields, layout.targets[low:high], len(layout.classes), first_only, arrays)
            shown = {name: array for name, array in fields.items() if name in indexed}
            problems += _differences(path / INDEX, f"{layout.task}/{record.job.model}", (low, high), shown)
        yield from (f"{where}: {problem}" for problem in problems)
        end = high
    if end != file.high:
        yield f"it ends at sample {end}, expected {file.high}"


def _differences(index: Path, group: str, span: Span, fields: Fields) -> Iterator[str]:
    for name, array in fields.items():
        shown = read_indexed(index, f"{group}/{name}", slice(*span))
        if shown.shape != array.shape or shown.tobytes() != array.tobytes():
            yield f"the index shows another {name} than the shard"


def _unmeasured(run: RunReader) -> Iterator[str]:
    """Planned cells that are missing without a reason."""
    tasks = set(run.tasks())
    for task, models in run.record.planned.items():
        for model, reason in models.items():
            if reason:
                continue
            try:
                cell = run.cell(task, model)
                if cell is None:
                    yield f"{task} × {model} is planned and was never begun"
                elif cell.failed is None and task in tasks and not cell.complete(run.layout(task)):
                    done = sum(high - low for low, high in cell.spans)
                    yield f"{task} × {model} is planned and incomplete: {done} samples stored"
            except StoreError:
                continue  # reported with the cell itself
