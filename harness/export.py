"""A run's trials as one plain file, one row per sample x condition x model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import RequestError
from harness.store import Run

if TYPE_CHECKING:
    import pandas as pd

    from harness.records import Trials

SUFFIXES = (".csv", ".parquet", ".h5")


def export_run(run: Path, output: Path) -> int:
    """Write all complete cells of `run` to `output`; the suffix says the format.

    CSV and Parquet have the columns task, model, sample_id, target, condition, correct, top5_1 … top5_5,
    logp_1 … logp_5 and the dataset's attributes; .h5 has the layout of ``index.h5`` with real datasets.
    One cell is held in memory at a time.

    Returns:
        The number of trials written.

    Raises:
        RequestError: unknown suffix, unwritable file, or no Parquet library.
        StoreError: a stored cell is damaged; nothing is left at `output`.
    """
    if output.suffix not in SUFFIXES:
        raise RequestError(f"cannot export to {output.name!r}: expected a file ending in {', '.join(SUFFIXES)}")
    opened = Run.open(run)
    partial = output.with_name(output.name + ".partial")
    try:
        if output.suffix == ".h5":
            rows = opened.compact(partial)
        elif output.suffix == ".csv":
            rows = _to_csv(opened, partial)
        else:
            rows = _to_parquet(opened, partial)
        partial.replace(output)
    except OSError as error:
        raise RequestError(f"cannot write {output}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return rows


def frame(trials: Trials) -> pd.DataFrame:
    """Trials of one cell as a table, condition by condition within each sample."""
    import numpy as np
    import pandas as pd

    layout = trials.layout
    n, c = len(layout.sample_ids), len(layout.conditions)
    targets = [" ".join(str(target) for target in row if target >= 0) for row in np.atleast_2d(layout.targets)]
    columns = {
        "task": [layout.task] * (n * c),
        "model": [trials.model] * (n * c),
        "sample_id": np.repeat(layout.sample_ids, c),
        "target": np.repeat(targets, c),
        "condition": np.tile(layout.conditions, n),
        "correct": trials.correct.reshape(-1).astype(np.uint8),
    }
    for rank in range(trials.top5.shape[2]):
        columns[f"top5_{rank + 1}"] = trials.top5[:, :, rank].reshape(-1)
        columns[f"logp_{rank + 1}"] = trials.logp[:, :, rank].reshape(-1)
    for name, values in layout.attributes.items():
        columns[name] = np.repeat(values, c)
    return pd.DataFrame(columns)


def _frames(run: Run) -> Iterator[pd.DataFrame]:
    for (task, model), cell in sorted(run.cells().items()):
        if cell.complete(run.layout(task)) and cell.failed is None:
            yield frame(run.read(task, model))


def _to_csv(run: Run, output: Path) -> int:
    rows = 0
    with output.open("w", encoding="utf-8", newline="") as file:
        for table in _frames(run):
            table.to_csv(file, index=False, header=rows == 0)
            rows += len(table)
    return rows


def _to_parquet(run: Run, output: Path) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise RequestError("Parquet needs pyarrow. Type: pip install 'bias-harness[parquet]'") from error
    rows, writer = 0, None
    for table in _frames(run):
        part = pa.Table.from_pandas(table, preserve_index=False)
        writer = writer or pq.ParquetWriter(output, part.schema)
        writer.write_table(part)
        rows += len(table)
    if writer is None:
        raise RequestError(f"no complete cells in {run.path}")
    writer.close()
    return rows
