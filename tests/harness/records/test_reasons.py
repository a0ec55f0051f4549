"""Reasons and remarks: records that become text where they are shown."""

import copy
import json
import pickle

import pytest

from harness import HarnessError, Reason, Remark, UnknownNameError, reason_for
from harness.records import RunRecord

TASK = Reason(kind="task", subject="x@d", text="no folder", remedy="--data d=DIR")
MEASURE = Reason(kind="measure", subject="x@d", text="no folder", causes=(TASK,))
BIAS = Reason(kind="bias", subject="b", text="no x@d (no folder)", causes=(MEASURE, MEASURE))


def test_an_error_keeps_reason_and_remedy_apart_and_shows_both():
    error = HarnessError("no folder 'd'", remedy="--data d=DIR", general="no folder")
    assert str(error) == "no folder 'd'. Type: --data d=DIR"
    assert (error.reason, error.remedy, error.general) == ("no folder 'd'", "--data d=DIR", "no folder")
    plain = HarnessError("broken")
    assert (str(plain), plain.reason, plain.remedy, plain.general) == ("broken", "broken", "", "broken")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_an_unknown_name_says_what_to_type():
    assert str(UnknownNameError("model", "x", ["y"])).endswith("Available: y. See: harness list models")
    given = UnknownNameError("format", "x", ["json"], remedy="--format json")
    assert str(given).endswith("Available: json. Type: --format json") and given.remedy == "--format json"


def test_a_reason_of_an_error_carries_all_of_it():
    error = HarnessError("no folder 'd'", remedy="--data d=DIR", general="no folder")
    reason = Reason.of_error("task", "x@d", error)
    assert reason == Reason(
        kind="task", subject="x@d", text="no folder 'd'", remedy="--data d=DIR", general="no folder"
    )
    assert reason.line == str(error)


def test_roots_are_the_reasons_without_causes_each_once():
    assert BIAS.roots == MEASURE.roots == TASK.roots == (TASK,)


@pytest.mark.parametrize(("kind", "expected"), [("task", TASK), ("measure", MEASURE), ("axis", None)])
def test_a_task_and_a_measure_of_one_name_are_told_apart(kind, expected):
    assert reason_for((TASK, MEASURE, BIAS), kind, "x@d") == expected


def test_a_remark_is_text_and_knows_its_subject():
    remark = Remark("data", "photos", "250 of 50,000 images")
    assert remark == "photos: 250 of 50,000 images" and json.dumps([remark]) == f'["{remark}"]'
    for same in (copy.deepcopy(remark), pickle.loads(pickle.dumps(remark))):
        assert (same, same.kind, same.subject, same.text) == (remark, "data", "photos", "250 of 50,000 images")
    assert Remark("mended", "x@d", "was halved", line="mended: was halved") == "mended: was halved"


def record(**fields):
    return RunRecord.parse({"kind": "trials", "settings": {}, **fields})


def test_a_run_says_why_a_cell_could_not_be_computed_and_what_to_type():
    planned, remedies = {"x@d": {"m": "", "n": "no folder"}}, {"x@d": {"n": "--data d=DIR"}}
    assert record(planned=planned, remedies=remedies).planned == {"x@d": {"m": None, "n": TASK}}
    assert "remedies" not in record(planned=planned, remedies=remedies).origin
    earlier = record(planned={"x@d": {"n": "no folder. Type: --data d=DIR"}})  # runs made before the key `remedies`
    assert earlier.planned["x@d"]["n"].line == TASK.line


def test_stored_remarks_know_their_dataset():
    (remark,) = record(warnings={"photos": ["photos: 250 of 50,000 images"]}).warnings["photos"]
    assert (remark, remark.subject, remark.text) == ("photos: 250 of 50,000 images", "photos", "250 of 50,000 images")
