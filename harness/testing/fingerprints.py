"""Fingerprints of stimuli: a few numbers that stay the same on every machine, and change with the code.

A digest of the bytes would not do: another CPU or library rounds the last digits otherwise, and even rounded values
fall to either side of a boundary. So each stimulus is projected on fixed directions, and projections are compared with
a tolerance: rounding moves them by 1e-7, another cutoff or strength by 1e-3 and more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.interfaces import WhiteBoxProbe
from harness.testing.made import make_batch
from harness.testing.probes import stimuli_of

if TYPE_CHECKING:
    from harness.interfaces import Probe

DIRECTIONS: Final = 3
"""Projections of one stimulus. A change that moves none of them is one in a million."""
TOLERANCE: Final = 2e-5
"""Largest difference of equal projections, of values in [0, 1]."""
ATTACK_TOLERANCE: Final = 1e-3
"""Likewise for an attack, where rounded gradients flip single signs."""


def projections(values: np.ndarray) -> list[float]:
    """`DIRECTIONS` projections of an array of any shape on fixed random signs, divided by the root of its size."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    signs = np.random.default_rng(0).integers(0, 2, (DIRECTIONS, flat.size)) * 2.0 - 1
    return [round(float(row @ flat) / math.sqrt(flat.size), 7) for row in signs]


def fingerprint_of(probe: Probe, size: int = 64) -> dict[str, list[float]]:
    """Condition -> projections of its stimuli of `make_batch`; an attack is one on a `SmallClassifier`.

    Keep it beside a probe's `version` in your own test: a change of a stimulus under the same version then fails there.
    """
    stimuli = stimuli_of(probe, make_batch(size=size, side=probe.side(size)))
    return {condition: projections(stimulus.numpy()) for condition, stimulus in stimuli.items()}


def check_fingerprint(probe: Probe, expected: Mapping[str, Sequence[float]], size: int = 64) -> None:
    """The stimuli are those that `fingerprint_of` saw, up to rounding. Raises AssertionError that names a condition."""
    tolerance = ATTACK_TOLERANCE if isinstance(probe, WhiteBoxProbe) else TOLERANCE
    fingerprint = fingerprint_of(probe, size)
    assert list(fingerprint) == list(expected), f"conditions {list(fingerprint)}, expected {list(expected)}"
    for condition, numbers in fingerprint.items():
        assert np.allclose(numbers, expected[condition], rtol=0, atol=tolerance), (
            f"{condition}: other stimuli than version {probe.version} had: {numbers}, expected {expected[condition]}; "
            f"raise the version to {probe.version + 1}, or undo the change"
        )
