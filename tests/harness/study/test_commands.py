"""Advice made of the commands that made a run."""

import shlex

import pytest

from harness.records import RunRecord
from harness.study.commands import report, rerun

RUN = ["harness", "run", "--suite", "s", "--out", "a run", "--plugins", "my plugins", "more", "--limit", "8"]


def record(*commands):
    history = [{"command": words} for words in commands]
    return RunRecord.parse({"kind": "trials", "settings": {}, "history": history})


@pytest.mark.parametrize(
    "commands",
    [[RUN], [["harness", "run", "--out", "x"], RUN], [RUN, ["harness", "verify", "a run"], ["harness", "run"]]],
)
def test_the_last_command_that_wrote_the_run_is_repeated_as_typed(commands):
    assert shlex.split(rerun(record(*commands), "elsewhere")) == RUN


@pytest.mark.parametrize("commands", [[], [["harness", "run"]], [["python", "-c", "import harness"]]])
def test_without_such_a_command_the_folder_is_named(commands):
    assert rerun(record(*commands), "a run") == "harness run … --out 'a run'"
    assert report(record(*commands), "a run") == "harness list probes"


@pytest.mark.parametrize("history", [None, "text", 3, ["text"], [{}], [{"command": "text"}], [{"command": None}]])
def test_a_history_of_another_form_is_ignored(history):
    odd = RunRecord.parse({"kind": "trials", "settings": {}, "history": history})
    assert rerun(odd, "run") == "harness run … --out run" and report(odd, "run") == "harness list probes"


def test_the_report_gets_the_plugins_of_every_command_once():
    words = shlex.split(report(record(RUN, [*RUN[:2], "--plugins=third", "--plugins", "more"]), "a run"))
    folders = ["my plugins", "more", "third"]
    assert words == ["harness", "report", "a run", *(word for name in folders for word in ("--plugins", name))]
