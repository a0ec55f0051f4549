"""A study as pandas tables: whatever bytes are in its names, one row for each measure of a model."""

from dataclasses import replace

import pytest

from harness import ImportedModel, ImportedTable, Measure, open_study
from harness.records import Trials
from harness.store import store_table, trials_frame
from tests.helpers.hostile_texts import TEXTS
from tests.helpers.store_writer import COMMAND, make_block, make_job, make_layout


def test_hostile_bytes_in_names_are_exact_in_tables(tmp_path):
    text = TEXTS["lone-surrogate"]
    run = tmp_path / text
    measures = {text: Measure(name=text, value=0.25, unit=text, flags=(text,), condition=text)}
    models = tuple(ImportedModel(name=name, group=text, measures=measures) for name in (text, "plain"))
    table = ImportedTable(title=text, source=text, license=text, models=models, biases={f"b {text}": (text,)}, axes={})
    store_table(run, table, source_sha256="0" * 64, command=COMMAND)
    study = open_study(run)
    table = study.measures()
    matrix = table.pivot(index="model", columns="measure", values="value")
    assert matrix.loc[text, text] == matrix.loc["plain", f"b {text}"] == 0.25
    assert set(table["group"]) == {text} and set(table["run"]) == {str(run)}
    assert table["value"].dtype == float
    assert len(study.correlations()) == 0


@pytest.mark.parametrize("text", ["lone-surrogate", "high-surrogate"])
def test_hostile_bytes_in_samples_and_attributes_are_exact_in_tables(text):
    text = TEXTS[text]
    layout = replace(make_layout(n=2, conditions=2), sample_ids=(text, "b"), attributes={text: ("x", text)})
    block = make_block(layout, make_job(), (0, 2))
    fields = {"top5": block.top5, "logp": block.logp, "correct": block.correct.astype(bool), "rank": block.rank}
    table = trials_frame(Trials(layout=layout, model=text, arrays={}, **fields), [text])
    assert table["sample_id"].tolist() == [text, text, "b", "b"]
    assert table.loc[table["model"] == text, text].tolist() == ["x", "x", text, text]
