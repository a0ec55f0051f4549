"""A run's trials as one plain file, one row per sample x condition x model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import CellError, RequestError, StoreError
from harness.foreign import csv_text, data_frame
from harness.local.machine import refusal
from harness.records import NO_RANK
from harness.store.blocks import read_spans, trial_blocks
from harness.store.outputs import refuse_inside
from harness.store.plain import write_plain
from harness.store.reader import RunReader
from harness.store.sound import Cells, cells_of, is_complete

if TYPE_CHECKING:
    import pandas as pd

    from harness.records import Trials

SUFFIXES = (".csv", ".parquet", ".h5")


Damage = dict[tuple[str, str], StoreError]
"""Cells by task and model that cannot be read, and why."""


def export_run(run: Path, output: Path, damage: Damage | None = None) -> int:
    """Write all complete cells of `run` to `output`; the suffix determines the format.

    CSV and Parquet have the columns task, model, sample_id, target, condition, correct, rank, top5_1 … top5_5,
    logp_1 … logp_5 and the dataset's attributes; .h5 has the groups of ``index.h5`` and types that all languages read.
    One span of one cell is in memory at a time. `output` appears when all of it is written.

    Args:
        damage: receives the cells that cannot be read, which are left out; None: they are errors.

    Returns:
        The number of trials written.

    Raises:
        RequestError: unknown suffix, unwritable file, or no Parquet library.
        StoreError: no cell can be read, or one cannot and `damage` is None; nothing is left at `output`.
    """
    if output.suffix not in SUFFIXES:
        raise RequestError(f"cannot export to {output.name!r}: expected a file ending in {', '.join(SUFFIXES)}")
    refuse_inside(output, [run])
    opened = RunReader.open(run)
    strict, damage = damage is None, {} if damage is None else damage
    state = cells_of(opened) if opened.kind == "trials" else Cells({}, {})
    damage.update(_damaged(opened, state))
    complete = _complete(opened, state)
    if strict or not complete:
        _refuse_damaged(damage)
    if not complete:
        raise RequestError(f"{run} holds no complete cell to export ({opened.kind}). See: harness report {run}")
    partial = output.with_name(output.name + ".partial")
    try:
        if output.suffix == ".h5":
            rows = compact(opened, partial, damage)
        elif output.suffix == ".csv":
            rows = _to_csv(opened, partial, damage)
        else:
            rows = _to_parquet(opened, partial, damage)
        if strict or not rows:
            _refuse_damaged(damage)
        partial.replace(output)
    except (OSError, CellError) as error:
        raise RequestError(f"cannot write {_refusal(output, error)}") from error
    finally:
        partial.unlink(missing_ok=True)
    return rows


def _refusal(output: Path, error: OSError | CellError) -> str:
    cause = error if isinstance(error, OSError) else error.__cause__
    if not isinstance(cause, OSError):
        return f"{output}: {error}"
    cause.filename, cause.filename2 = str(output), None
    return refusal(cause)


def _refuse_damaged(damage: Damage) -> None:
    """Raise the first StoreError, if there is one."""
    for error in damage.values():
        raise error


def compact(run: RunReader, path: Path, damage: Damage | None = None) -> int:
    """Write all complete cells to one self-contained file with the groups of ``index.h5`` (`write_plain`).

    Args:
        damage: receives the cells that cannot be read, which are left out; None: they are errors.

    Returns:
        The number of trials in it.

    Raises:
        StoreError: a shard is damaged; nothing is left at `path`. CellError: the disk is full.
    """
    complete = complete_cells(run)
    if damage is not None:  # the file is laid out before trials are copied, so each is read twice
        complete = [place for place in complete if _is_sound(run, place, damage, None)]
    write_plain(run, path, complete)
    layouts = (run.layout_header(task) for task, _ in complete)
    return sum(layout.samples * layout.conditions for layout in layouts)


def complete_cells(run: RunReader) -> list[tuple[str, str]]:
    """(task, model) of the cells whose trials are all stored; not those whose state cannot be read."""
    return _complete(run, cells_of(run))


def _complete(run: RunReader, cells: Cells) -> list[tuple[str, str]]:
    return sorted(place for place, cell in cells.sound.items() if is_complete(run, place, cell))


def damaged_cells(run: RunReader) -> Damage:
    """The cells whose state or axes cannot be read. Damaged trials are found when they are read."""
    return _damaged(run, cells_of(run))


def _damaged(run: RunReader, cells: Cells) -> Damage:
    damage = dict(cells.damaged)
    for place in cells.sound:
        try:
            run.layout(place[0])
        except StoreError as error:
            damage[place] = error
    return damage


def _is_sound(run: RunReader, place: tuple[str, str], damage: Damage, names: Sequence[str] | None = ()) -> bool:
    """Whether the fields `names` of a cell (as in `read_spans`) can be read; if not, with an entry in `damage`."""
    try:
        for _ in read_spans(run, *place, names):
            pass
    except StoreError as error:
        damage[place] = error
    return place not in damage


def left_out(run: RunReader, output: Path) -> list[str]:
    """``model on task: reason`` for every cell, begun or only planned, and then every array that an export leaves out.

    Damaged cells are left to `export_run`, which finds more of them.

    Args:
        output: the file; only ``.h5`` has room for arrays.
    """
    state = cells_of(run)
    complete, cells, damage = set(_complete(run, state)), state.sound, _damaged(run, state)
    planned = {(task, model) for task, models in run.record.planned.items() for model in models}
    reasons = []
    for task, model in sorted((planned | set(cells)) - complete - damage.keys()):
        cell = cells.get((task, model))
        reason = "not run" if cell is None else cell.failed or "incomplete"
        reasons.append(f"{model} on {task}: {reason}")
    names = {f"array {name} of {place[0]}" for place in complete for name in cells[place].job.identity.arrays}
    return reasons if output.suffix == ".h5" else reasons + [f"{name}: export to .h5 for it" for name in sorted(names)]


def trials_frame(trials: Trials, attributes: Sequence[str] = ()) -> pd.DataFrame:
    """Trials of one cell as a table, condition by condition within each sample.

    Args:
        attributes: columns for attributes of the samples; empty where the dataset does not have one of them.
    """
    import numpy as np

    layout = trials.layout
    n, c = len(layout.sample_ids), len(layout.conditions)
    targets = [" ".join(str(target) for target in row if target >= 0) for row in layout.targets]
    columns = {
        "task": [layout.task] * (n * c),
        "model": [trials.model] * (n * c),
        "sample_id": np.repeat(layout.sample_ids, c),
        "target": np.repeat(targets, c),
        "condition": np.tile(layout.conditions, n),
        "correct": trials.correct.reshape(-1).astype(np.uint8),
    }
    columns["rank"] = _ranks(trials)
    for place in range(trials.top5.shape[2]):
        columns[f"top5_{place + 1}"] = trials.top5[:, :, place].reshape(-1)
        columns[f"logp_{place + 1}"] = trials.logp[:, :, place].reshape(-1)
    for name in attributes:
        columns[name] = np.repeat(layout.attributes.get(name, ("",) * n), c)
    return data_frame(columns)


def _ranks(trials: Trials) -> pd.arrays.IntegerArray:
    """The ranks, row by row; missing without a target, and where they are not stored."""
    import numpy as np
    import pandas as pd

    absent = np.full(trials.correct.shape, NO_RANK, np.uint16)
    ranks = (absent if trials.rank is None else trials.rank).reshape(-1).copy()
    return pd.arrays.IntegerArray(ranks, ranks == NO_RANK)


def _frames(run: RunReader, damage: Damage) -> Iterator[pd.DataFrame]:
    """Tables of the complete cells that can be read, all with the same columns, one block of trials after another.

    Each cell is read whole before its first block, so that no half of a damaged one is written.
    """
    cells = complete_cells(run)
    attributes = sorted({name for task, _ in cells for name in run.layout(task).attributes})
    for place in cells:
        if _is_sound(run, place, damage):
            for trials in trial_blocks(run, *place):
                yield trials_frame(trials, attributes)


def _to_csv(run: RunReader, output: Path, damage: Damage) -> int:
    rows = 0
    with output.open("w", encoding="utf-8", newline="") as file:
        for table in _frames(run, damage):
            _for_spreadsheets(table).to_csv(file, index=False, header=rows == 0)
            rows += len(table)
    return rows


def _for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with texts and headings that are no formulae."""
    texts = table.select_dtypes(exclude="number")
    words = {str(name): {text: csv_text(text) for text in column.unique()} for name, column in texts.items()}
    # A function: of a dict pandas makes an index, and its keys may be no UTF-8.
    safe = {name: texts[name].map(of.__getitem__) for name, of in words.items()}
    return table.assign(**safe).rename(columns=csv_text)


def _to_parquet(run: RunReader, output: Path, damage: Damage) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise RequestError("Parquet needs pyarrow", remedy="pip install 'bias-harness[parquet]'") from error
    rows, writer = 0, None
    for table in _frames(run, damage):
        part = pa.Table.from_pandas(table, preserve_index=False)
        writer = writer or pq.ParquetWriter(output, part.schema)
        writer.write_table(part)
        rows += len(table)
    if writer is not None:
        writer.close()
    return rows
