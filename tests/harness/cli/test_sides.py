"""A probe whose side does not fit the dataset: exit 2, one line, nothing written, with and without `--dry-run`."""

from pathlib import Path

import pytest

PLUGIN = '''
"""A probe that needs larger images."""

from dataclasses import dataclass
from typing import ClassVar

from harness import Probe, hookimpl, paired_change


@dataclass(frozen=True, kw_only=True)
class Corners(Probe):
    """Two corners of a larger image."""

    name: ClassVar[str] = "corners"

    def side(self, size):
        return SIDE

    def conditions(self, size):
        return ("first", "last")

    def stimuli(self, batch):
        yield "first", batch.images[:, :, : batch.size, : batch.size]
        yield "last", batch.images[:, :, -batch.size :, -batch.size :]

    def measures(self, trials):
        yield from paired_change(trials, [("first", "last")], "corners")


@hookimpl
def harness_probes():
    return [Corners()]
'''


def run(harness, side, dataset, *words):
    Path("plug").mkdir(exist_ok=True)
    Path("plug/corners.py").write_text(PLUGIN.replace("SIDE", side))
    where = ("--registry", "models.yaml", "--data", "data", "--plugins", "plug", "--device", "cpu", "--batch-size", "8")
    return harness("run", *where, "--task", f"corners@{dataset}", "--models", "plain", "--out", "r", *words)


@pytest.mark.parametrize(
    ("side", "dataset", "words"),
    [
        ("257", "imagenet", "images of 257, and imagenet is resized to 256; an entry with `resize: 257` or more"),
        ("0", "imagenet", "side(224) returned 0, expected a number of pixels from 1 to 65,536"),
        ("'256'", "imagenet", "side(224) returned '256'"),
        ("size / 0", "imagenet", "ZeroDivisionError"),
        ("73", "shapes", "images of 64 pixels that are used as they are"),
    ],
    ids=["above", "zero", "text", "raises", "as-stored"],
)
def test_hostile_sides_are_refused_in_one_line(harness, data, side, dataset, words):
    for more in ((), ("--dry-run",)):
        code, out, err = run(harness, side, dataset, *more)
        assert (code, out) == (2, "") and err.count("\n") == 1 and words in err
        assert not Path("r").exists()


def test_a_side_that_fits(harness, data):
    code, out, err = run(harness, "256", "imagenet", "--limit", "3")
    assert code == 0 and "1 of 1 cells stored" in out + err
    code, out, _ = harness("info", "corners", "--plugins", "plug", "--format", "json")
    assert code == 0 and '"images for 224 px": 256' in out
