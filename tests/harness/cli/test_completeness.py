"""A run that is not complete never exits with 0, whatever a plugin does to it."""

from pathlib import Path

import pytest

from harness.store import RunReader
from tests.helpers.command import run

PROBE = """
import shutil, sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from harness import Probe, accuracy_measures, hookimpl

@dataclass(frozen=True, kw_only=True)
class Bad(Probe):
    '''Does DEED while it makes the stimuli of the last batch.'''
    name: ClassVar[str] = "bad"

    def conditions(self, size):
        return ("clean",)

    def stimuli(self, batch):
        if "n03_5.png" in str(batch.sample_ids) or "5" in batch.sample_ids[-1]:
            DEED
        yield "clean", batch.images

    def measures(self, trials):
        MEASURE
        yield from accuracy_measures(trials, "clean", label="bad")

@hookimpl
def harness_probes():
    return [Bad()]
"""
DEEDS = {
    "sys.exit": "sys.exit(0)",
    "GeneratorExit": "raise GeneratorExit",
    "deletes another cell": "shutil.rmtree('run/shards/accuracy@imagenet/plain')",
    "raises an exception of its own": "raise type('Quit', (BaseException,), {})('bye')",
    "raises without a text": "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})",
    "raises a text of no encoding": "raise ValueError(chr(0xDCE9))",
    "goes elsewhere": "__import__('os').chdir('..')",
    "deletes run.json": "Path('run/run.json').unlink(missing_ok=True)",
    "deletes all shards": "shutil.rmtree('run/shards')",
}


@pytest.fixture
def sabotaged(harness, data):
    def call(deed="pass", measure="pass"):
        Path("mine").mkdir()
        Path("mine", "bad.py").write_text(PROBE.replace("DEED", deed).replace("MEASURE", measure))
        return run(harness, "--plugins", "mine", tasks=("accuracy@imagenet", "bad@imagenet"))

    return call


def test_it_is_complete_without_the_deed(sabotaged):
    code, _, err = sabotaged()
    assert code == 0 and "2 of 2 cells stored" in err


@pytest.mark.parametrize("deed", DEEDS)
def test_an_incomplete_run_does_not_end_as_a_success(sabotaged, deed):
    code, _, err = sabotaged(DEEDS[deed])
    assert code == 1 and "Traceback" not in err, err
    assert "2 of 2 cells stored" not in err


def test_a_cell_of_an_earlier_run_that_is_taken_away_is_missed(sabotaged, harness, data):
    assert run(harness)[0] == 0
    code, _, err = sabotaged("shutil.rmtree('run/shards/accuracy@imagenet/plain', ignore_errors=True)")
    text = " ".join(err.split())
    assert code == 1 and "1 of 2 cells stored" in text and "failed: plain on accuracy@imagenet: its trials" in text


def test_sys_exit_fails_its_cell_alone(sabotaged):
    code, _, err = sabotaged("sys.exit(0)")
    assert code == 1 and "1 of 2 cells stored" in err
    assert "failed: plain on bad@imagenet: probe bad raised SystemExit: 0 (bad.py:" in err
    assert RunReader.open("run").cell("accuracy@imagenet", "plain").failed is None


@pytest.mark.parametrize(
    "change", ["trials.correct[:] = True", "values = trials.top5; values += 1", "trials.layout.targets[:] = 0"]
)
def test_measures_cannot_change_the_trials_that_others_reduce(sabotaged, harness, change):
    sabotaged(measure=change)
    code, out, err = harness("report", "run", "--plugins", "mine")
    assert code == 0 and "read-only" in " ".join((out + err).split())


@pytest.mark.parametrize("measure", ["sys.exit(0)", "raise GeneratorExit", "1 / 0"])
def test_measures_that_end_the_program_make_only_themselves_missing(sabotaged, harness, measure):
    assert sabotaged(measure=measure)[0] == 0
    code, out, err = harness("report", "run", "--plugins", "mine")
    text = " ".join((out + err).split())
    assert code == 0 and "bad@imagenet" in text and "cannot reduce the stored trials" in text, text
    assert "Top-1" in out or "top1@imagenet" in out or "Clean" in out
