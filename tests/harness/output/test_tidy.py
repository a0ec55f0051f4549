"""The measures of a study as one row an observation: read in one line, a matrix in one more, nothing lost."""

import csv
import io
import sys

import pandas as pd
import pytest

from harness import RequestError
from harness.foreign import csv_text, data_frame, utf8_text
from harness.output.tidy import COLUMNS, tidy, to_csv, to_parquet
from tests.helpers.hostile_texts import TEXTS, inert_csv

THIRD = 1 / 3


def row(model, measure, value=None, kind="measure", **facts):
    return {**dict.fromkeys(COLUMNS), "model": model, "measure": measure, "value": value, "kind": kind, **facts}


def made(*rows):
    """A table as `OpenedStudy.measures` gives it, with its columns in another order."""
    table = data_frame(list(rows), columns=[*reversed(COLUMNS)])
    return table.astype({"value": "float64", "low": "float64", "high": "float64", "n": "Int64"})


ROWS = (
    row("a", "top1@x/low-pass-0.1", THIRD, condition="low-pass-0.1", low=0.1, high=0.7, n=6, flags="", unit="fraction"),
    row("a", "shape-bias", 1e-17, "bias", unit="fraction"),
    row("b", "top1@x/low-pass-0.1", 0.5, condition="low-pass-0.1", n=6, flags="censored; x"),
    row("b", "shape-bias", None, "bias", reason="no decisions"),
    row("b", "accuracy@y", None, "missing", reason="not run"),
)


def as_csv(table):
    return pd.read_csv(io.StringIO(to_csv(table)))


def as_parquet(table):
    return pd.read_parquet(io.BytesIO(to_parquet(table)))


every_file = pytest.mark.parametrize("written", [as_csv, as_parquet])


@every_file
def test_one_line_makes_the_matrix(written):
    matrix = written(tidy(made(*ROWS))).pivot(index="model", columns="measure", values="value")
    assert matrix.loc["a"].to_dict() == pytest.approx(
        {"top1@x/low-pass-0.1": THIRD, "shape-bias": 1e-17, "accuracy@y": float("nan")}, rel=0, abs=0, nan_ok=True
    )
    assert matrix.loc["b"].isna().to_dict() == {"top1@x/low-pass-0.1": False, "shape-bias": True, "accuracy@y": True}


def test_what_is_missing_is_no_text_in_a_column_of_numbers():
    """Programs that infer types from what is quoted, such as polars, keep numbers numbers."""
    lines = to_csv(tidy(made(row("a", "m", 0.25, low=None, n=None), row('q"', "m", None, n=6)))).splitlines()
    at = {name: place for place, name in enumerate(COLUMNS)}
    cells = [line.split(",") for line in lines[1:]]
    assert [[of[at[name]] for name in ("model", "value", "low", "n")] for of in cells] == [
        ['"a"', "0.25", "", ""],
        ['"q"""', "", "", "6"],
    ]


@every_file
def test_columns_come_in_their_order_with_their_types(written):
    table = written(tidy(made(*ROWS).assign(further="x")))
    assert list(table.columns) == [*COLUMNS, "further"]
    assert [table[name].dtype for name in ("value", "low", "high")] == ["float64"] * 3
    assert table["n"].dropna().tolist() == [6, 6]
    assert table["flags"].dropna().tolist()[-1] == "censored; x"
    assert table["reason"].dropna().tolist() == ["no decisions", "not run"]


def test_types_in_parquet_do_not_depend_on_what_is_there():
    table = as_parquet(tidy(made(row("a", "m", 1.0))))
    assert (table["low"].dtype, table["n"].dtype, table["reason"].isna().all()) == ("float64", "Int64", True)
    assert as_parquet(tidy(made())).empty and as_csv(tidy(made())).empty


def test_the_same_table_gives_the_same_bytes():
    assert to_parquet(tidy(made(*ROWS))) == to_parquet(tidy(made(*ROWS)))
    head, first = to_csv(tidy(made(*ROWS))).splitlines()[:2]
    assert head == ",".join(f'"{name}"' for name in COLUMNS)
    values = f'"top1@x/low-pass-0.1","low-pass-0.1",{THIRD!r},0.1,0.7,6,"","measure","fraction",,'
    assert first == f'"a",,,{values}'


def test_a_bias_that_is_called_as_a_measure_is_has_its_kind_behind_its_name():
    rows = (row("a", "m", 1.0), row("a", "m", 2.0, "bias"), row("a", "m", 3.0, "axis"), row("b", "m", 4.0, "bias"),
            row("b", "m", None, "missing"))  # fmt: skip
    table = tidy(made(*rows))
    assert table["measure"].tolist() == ["m", "m (bias)", "m (axis)", "m (bias)", "m"]
    assert not table.duplicated(["model", "measure"]).any()


def test_without_pyarrow_the_pip_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(RequestError, match=r"needs pyarrow.*pip install 'bias-harness\[parquet\]'"):
        to_parquet(made(*ROWS))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_hostile_tidy(text):
    facts = {name: text for name in COLUMNS if name not in ("value", "low", "high", "n")}
    table = tidy(made({**dict.fromkeys(COLUMNS), **facts, "value": -1.5}, row("plain", "plain", 2.0)))
    written = to_csv(table)
    inert_csv(written)
    rows = list(csv.reader(io.StringIO(written)))
    assert len(written.splitlines()) == len(rows) == 3 and {len(cells) for cells in rows} == {len(COLUMNS)}
    assert rows[1][0] == csv_text(text) and rows[1][5] == "-1.5"
    stored = as_parquet(table)
    assert stored["model"].tolist() == [utf8_text(text), "plain"]
    assert stored.pivot(index="model", columns="measure", values="value").loc[utf8_text(text), utf8_text(text)] == -1.5
