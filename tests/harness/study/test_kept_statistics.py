"""Statistics that a report keeps for the next one: computed again when a number, a declaration or code has changed."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness import Measure, StatisticsPlan, Study, StudyModel, kept_statistics
from harness.plugins.reports.correlation import Correlation
from harness.study import kept_statistics as module

MEASURES = {name: Measure(name=name[0], value=0.5) for name in ("x@d", "y@d")}


def study(value=0.5, *, group="g", name="a", **more):
    models = tuple(
        StudyModel(
            name=name if number == 0 else f"m{number}", group=group, run="r", measures=MEASURES,
            biases={"low": value if number == 0 else number / 7}, axes={"ID": number / 9},
        )
        for number in range(6)
    )  # fmt: skip
    return Study(models=models, biases={"low": ("x@d",)}, axes={"ID": ("y@d",)}, **more)


class Counted:
    def __init__(self):
        self.times = 0

    def __call__(self):
        self.times += 1
        return {"p": 0.1 + 0.2, "reason": None, "n": [1, 2]}


def test_the_next_report_computes_nothing():
    compute = Counted()
    first, second = (kept_statistics(Correlation(), study(), compute) for _ in range(2))
    assert first == second and compute.times == 1


CHANGES = {
    "value": study(0.25),
    "missing": study(None),
    "group": study(group=None),
    "name": study(name="b"),
    "ungrouped": study(ungrouped=True),
    "label": replace(study(), models=tuple(replace(model, label="x") for model in study().models)),
    "duplicate": replace(study(), models=(replace(study().models[0], duplicate_of="m1"), *study().models[1:])),
    "declared": study(statistics=StatisticsPlan(log=("low",))),
    "axis": replace(study(), axes={"ID": ("y@d",), "Robustness": ("z@d",)}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_computed_again(change):
    compute = Counted()
    kept_statistics(Correlation(), study(), compute)
    kept_statistics(Correlation(), CHANGES[change], compute)
    assert compute.times == 2


def test_other_code_and_reports_of_others_are_computed_again(monkeypatch):
    class Own(Correlation):
        pass

    compute = Counted()
    kept_statistics(Correlation(), study(), compute)
    kept_statistics(Own(), study(), compute)
    kept_statistics(Own(), study(), compute)
    monkeypatch.setattr(module, "code_digest", lambda: "other")
    kept_statistics(Correlation(), study(), compute)
    assert compute.times == 4


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"0" * 64 + b"{}"])
def test_hostile_content_of_the_cache_is_computed_again(content):
    compute = Counted()
    kept_statistics(Correlation(), study(), compute)
    (file,) = (Path(os.environ["HARNESS_CACHE"]) / "statistics").iterdir()
    file.write_bytes(content)
    assert kept_statistics(Correlation(), study(), compute) == compute() and compute.times == 3


def test_the_whole_report_is_the_same_from_the_cache():
    first, second = (json.dumps(Correlation().data(study())) for _ in range(2))
    assert first == second
    assert len(list((Path(os.environ["HARNESS_CACHE"]) / "statistics").iterdir())) == 1
