"""What EfficientNet-Lite0 decides on the 250 photographs in the conditions that docs/checks.md has figures for.

    python -m tests.helpers.lite0 runs/sample

writes lite0.json from a run of all 250 whose figures are those of docs/checks.md, so that a run of a few photographs
can be held against it decision by decision.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

from harness import read_trials

RECORDED = Path(__file__).with_suffix(".json")
PUBLISHED = {
    "": 224,
    "/low-pass-0.1": 28,
    "/low-pass-0.3": 137,
    "/low-pass-0.5": 199,
    "/high-pass-0.1": 1,
    "/high-pass-0.5": 5,
    "/high-pass-0.9": 57,
    "/high-pass-0.99": 173,
}
"""End of a measure's name -> correct decisions of 250."""


class Decisions(NamedTuple):
    """Of one photograph, in the order of `PUBLISHED`: the most probable class and the logarithm of its probability."""

    classes: list[int]
    logp: list[float]


def decisions(run: Path) -> dict[str, Decisions]:
    """Sample -> its decisions in a run of docs/checks.md."""
    accuracy, filtered = (
        read_trials(run, f"{probe}@imagenet", "efficientnet-lite0") for probe in ("accuracy", "band-pass")
    )
    places = [(filtered, name[1:]) if name else (accuracy, "clean") for name in PUBLISHED]
    columns = [(trials, trials.layout.conditions.index(condition)) for trials, condition in places]
    return {
        sample: Decisions(
            [int(trials.top5[row, column, 0]) for trials, column in columns],
            [round(float(trials.logp[row, column, 0]), 3) for trials, column in columns],
        )
        for row, sample in enumerate(accuracy.layout.sample_ids)
    }


def recorded() -> dict[str, Decisions]:
    """Sample -> its decisions in the run that gave the published figures."""
    return {sample: Decisions(*both) for sample, both in json.loads(RECORDED.read_text()).items()}


def differences(run: Path) -> tuple[int, int]:
    """(how many decisions of `run` differ from the recorded ones, of how many); probabilities may by a tenth."""
    known, different, total = recorded(), 0, 0
    for sample, (classes, logp) in decisions(run).items():
        for ours, theirs, mine, other in zip(classes, known[sample].classes, logp, known[sample].logp, strict=True):
            different += ours != theirs or abs(mine - other) > 0.1
            total += 1
    return different, total


if __name__ == "__main__":
    lines = [
        f"{json.dumps(sample)}: {json.dumps(both)}" for sample, both in sorted(decisions(Path(sys.argv[1])).items())
    ]
    RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
