"""What an importer declares of the statistics over its models: a plan, of what its table defines, or refused."""

import numpy as np
import pytest

from harness import ImportedModel, ImportedTable, Importer, Measure, PluginError, StatisticsPlan
from harness.study.importing import read_table

MEASURES = {"low@a": Measure(name="low", value=0.5), "top1@a": Measure(name="top1", value=0.5)}


class Declaring(Importer):
    """A table of one model with the bias LF and the axis ID."""

    name = "mine"

    def __init__(self, plan):
        self.plan = plan

    def read(self, path):
        models = (ImportedModel(name="m", group="g", measures=MEASURES),)
        return ImportedTable(
            title="t", source="s", license="l", models=models, biases={"LF": ("low@a",)}, axes={"ID": ("top1@a",)},
            statistics=self.plan,
        )  # fmt: skip


MISTAKES = {
    "no-plan": (None, "None, expected harness.StatisticsPlan"),
    "document": ({"log": ["LF"]}, "{'log': ['LF']}, expected harness.StatisticsPlan"),
    "log-text": (StatisticsPlan(log="LF"), "log is 'LF', expected a tuple of names"),
    "log-none": (StatisticsPlan(log=None), "log is None, expected a tuple of names"),
    "log-number": (StatisticsPlan(log=(3,)), "log is (3,), expected a tuple of names"),
    "log-axis": (StatisticsPlan(log=("ID",)), "log: 'ID' is no bias of its table; these are: LF"),
    "set-apart": (StatisticsPlan(set_apart=("g",)), "set_apart is ('g',), expected the name of a group, or None"),
    "controls-text": (StatisticsPlan(controls="ID"), "controls is 'ID', expected a tuple of names"),
    "controls": (StatisticsPlan(controls=("IT",)), "controls: 'IT' is no bias or axis of its table; these are: LF, ID"),
    "baseline": (StatisticsPlan(baseline_models="m"), "baseline_models is 'm', expected a tuple of names"),
    "array": (StatisticsPlan(baseline_models=np.array(["m"])), "baseline_models is array"),
    "alternatives": (StatisticsPlan(alternatives=["ID"]), "alternatives is ['ID'], expected a mapping of names"),
    "untitled": (StatisticsPlan(alternatives={"ID": ("low@a",)}), "alternatives['ID'] is ('low@a',), expected a map"),
    "text": (StatisticsPlan(alternatives={"ID": {"x": "low@a"}}), "alternatives['ID']['x'] is 'low@a', expected a"),
    "empty": (StatisticsPlan(alternatives={"ID": {"x": ()}}), "alternatives['ID']['x'] is (), expected a tuple of"),
    "title": (StatisticsPlan(alternatives={"ID": {"as defined": ("low@a",)}}), "has the title 'as defined', that"),
    "hyperparameters": (
        StatisticsPlan(hyperparameters=["m*"]),
        "hyperparameters is ['m*'], expected a mapping of",
    ),
    "setting": (StatisticsPlan(hyperparameters={"m": 1}), "hyperparameters['m'] is 1, expected a mapping of names to"),
    "settings": (StatisticsPlan(hyperparameters={"m": {"a": [1]}}), "is {'a': [1]}, expected a mapping of names to"),
    "infinite": (StatisticsPlan(hyperparameters={"m": {"a": np.inf}}), "is {'a': inf}, expected a mapping of names to"),
    "name": (StatisticsPlan(alternatives={"IT": {"x": ("low@a",)}}), "alternatives: 'IT' is no bias or axis of its"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_hostile_declarations_of_an_importer_are_one_line(mistake, tmp_path):
    plan, problem = MISTAKES[mistake]
    with pytest.raises(PluginError) as refusal:
        read_table(Declaring(plan), tmp_path)
    text = str(refusal.value)
    assert text.startswith("importer 'mine' declares statistics: ") and problem in text and "\n" not in text


def test_groups_models_and_measures_may_be_absent_from_a_smaller_table(tmp_path):
    plan = StatisticsPlan(
        log=("LF",), set_apart="h", controls=("ID", "LF"), baseline_models=("n*",),
        alternatives={"ID": {"other": ("top1@b",)}}, hyperparameters={"n*": {"width": 16}},
    )  # fmt: skip
    assert read_table(Declaring(plan), tmp_path).statistics == plan
