"""The measures of a study, one row an observation -> CSV and Parquet, for notebooks and statistics programs.

The one file is read and made a matrix in one line:
``pandas.read_csv("x.csv").pivot(index="model", columns="measure", values="value")``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from harness.errors import RequestError
from harness.foreign import csv_text, utf8_text

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

COLUMNS: Final = ("model", "group", "run", "measure", "condition", "value", "low", "high", "n", "flags", "kind", "unit",
                  "direction", "reason")  # fmt: skip
"""In this order; any further texts of a study come behind them."""
NUMBERS: Final = ("value", "low", "high")
EXTRA: Final = "pip install 'bias-harness[parquet]'"


def tidy(measures: pd.DataFrame) -> pd.DataFrame:
    """`OpenedStudy.measures` with its columns in the order of `COLUMNS`, and a name once for each model.

    A bias or axis that is called as a measure is, or an axis as a bias, has its kind behind its name.
    """
    further = [str(name) for name in measures.columns if name not in COLUMNS]
    table = measures[[*COLUMNS, *further]]
    names, before = table["measure"].copy(), set(table.loc[table["kind"] == "measure", "measure"])
    for kind in ("bias", "axis"):
        of_kind = table["kind"] == kind
        names = names.mask(of_kind & names.isin(before), names + f" ({kind})")
        before |= set(names[of_kind])
    return table.assign(measure=names)


def to_csv(table: pd.DataFrame) -> str:
    """One heading and a row for each of `table`: text in quotes, numbers with all their digits.

    What is missing is an empty cell without quotes, which no program takes for text in a column of numbers.
    """
    safe = _with_texts(table, csv_text)
    columns = [_cells(safe[name]) for name in safe]
    lines = [",".join(map(_quoted, map(str, safe.columns))), *map(",".join, zip(*columns, strict=True))]
    return "\n".join([*lines, ""])


def _cells(column: pd.Series[Any]) -> list[str]:
    missing, kind = column.isna(), column.dtype.kind
    writers: dict[str, Callable[[Any], str]] = {"f": lambda value: repr(float(value)), "i": str}
    written = writers.get(kind, _quoted)
    return ["" if absent else written(value) for value, absent in zip(column, missing, strict=True)]


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def to_parquet(table: pd.DataFrame) -> bytes:
    """The same as a Parquet file: the same table gives the same bytes with one version of pyarrow.

    Names are exact, but for bytes that are no UTF-8. Raises RequestError without pyarrow.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise RequestError("a .parquet file needs pyarrow, which is not installed", remedy=EXTRA) from error
    safe = _with_texts(table, utf8_text)
    stream = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(safe, schema=_schema(safe), preserve_index=False), stream)
    content: bytes = stream.getvalue().to_pybytes()
    return content


def _schema(table: pd.DataFrame) -> pa.Schema:
    """The types of the columns, which do not depend on which of them have values."""
    import pyarrow as pa

    types: dict[str, Any] = {**dict.fromkeys(NUMBERS, pa.float64()), "n": pa.int64()}
    return pa.schema([(name, types.get(name, pa.string())) for name in map(str, table.columns)])


def _with_texts(table: pd.DataFrame, written: Callable[[str], str]) -> pd.DataFrame:
    """`table` with `written` of each text; missing ones stay so."""
    texts = table.select_dtypes(exclude="number")
    words = {str(name): {text: written(text) for text in column.dropna().unique()} for name, column in texts.items()}
    safe = {name: texts[name].map(of.__getitem__, na_action="ignore") for name, of in words.items()}
    return table.assign(**safe)
