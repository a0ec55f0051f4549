"""How fast the filtering probes make their stimuli, beside the per-image way of the study's scripts.

A round is reference, probe, probe, reference, twice: drift cancels, and each side follows itself as often as the other.
The references make single images and are not charged for collecting them into a batch, which the probes do.
Needs pyrtools (dependency group ``test``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import torch

from benchmarks.clocks import CLOCKS, LEADING, Stopwatch
from benchmarks.references import CUTOFFS, NOISE, band_pass, critical_band, loop, mask
from benchmarks.rounds import Comparison, Estimate, Round, StopRule, compared, estimate
from harness import Batch, Probe
from harness.engine.allocator import keep_freed_memory

SIZE = 224
"""Image side in pixels, of which the critical band's reference makes its seven bands."""
SAMPLES = 32
"""Batch size of the probes: that of a run on a CPU."""
REFERENCES = ("band-pass", "critical-band", "critical-band, vectorised")
"""The last one has the reference's Python loop over out-of-range pixels replaced by one operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StimuliSpeed:
    """One probe against its reference.

    Attributes:
        ratios: clock -> reference / probe.
        milliseconds: an image and condition of the probe, by processor time.
    """

    ratios: dict[str, Comparison]
    milliseconds: Estimate


@dataclass(frozen=True, slots=True)
class _Side:
    """Something to time, and how many stimuli it makes."""

    work: Callable[[], None]
    stimuli: int

    def times(self) -> tuple[float, ...]:
        """Milliseconds a stimulus, by each of `CLOCKS`."""
        watch = Stopwatch()
        with watch.running():
            self.work()
        return tuple(seconds * 1e3 / self.stimuli for seconds in watch.spent)


def measure(
    name: str, rule: StopRule, samples: int = SAMPLES, watch: Callable[[int], None] = lambda rounds: None
) -> StimuliSpeed:
    """One of `REFERENCES` and its probe in turns until `rule` says that it is enough.

    Args:
        samples: batch size of the probe. watch: called with the number of rounds after each.
    """
    keep_freed_memory()  # as every run does; the references profit alike
    with torch.inference_mode():
        reference, probe = _sides(name, samples)
        _round(reference, probe)  # warm-up
        begun, turns = time.perf_counter(), list[tuple[Round, ...]]()
        while True:
            turns.append(_round(reference, probe))
            watch(len(turns))
            by_clock = list(zip(*turns, strict=True))
            width = compared(by_clock[LEADING]).ratio.width
            if rule.is_over(len(turns), width, time.perf_counter() - begun):
                break
    return StimuliSpeed(
        ratios={clock: compared(rounds) for clock, rounds in zip(CLOCKS, by_clock, strict=True)},
        milliseconds=estimate([lap.second / 4 for lap in by_clock[LEADING]]),
    )


def _round(reference: _Side, probe: _Side) -> tuple[Round, ...]:
    """One round by each of `CLOCKS`."""
    references, probes = list[tuple[float, ...]](), list[tuple[float, ...]]()
    for _ in range(2):
        references.append(reference.times())
        probes += [probe.times(), probe.times()]
        references.append(reference.times())
    return tuple(
        Round(first=sum(four), second=sum(others), halves=(four[0] + four[3], four[1] + four[2]))
        for four, others in zip(zip(*references, strict=True), zip(*probes, strict=True), strict=True)
    )


def _sides(name: str, samples: int) -> tuple[_Side, _Side]:
    pixels = np.random.default_rng(0).integers(0, 256, size=(samples, 3, SIZE, SIZE), dtype=np.uint8)
    batch = Batch(
        images=torch.from_numpy(pixels).float() / 255,
        sample_ids=tuple(f"{index:04}" for index in range(samples)),
        targets=((0,),) * samples,
        seed=0,
    )
    few, grey = batch.images[:4], list(pixels[:1, 0])
    sides = {
        "band-pass": _Side(lambda: band_pass(few), len(few) * 2 * len(CUTOFFS)),
        "critical-band": _Side(lambda: critical_band(grey, loop), len(grey) * len(NOISE)),
        "critical-band, vectorised": _Side(lambda: critical_band(grey, mask), len(grey) * len(NOISE)),
    }
    return sides[name], _probe_side(name.partition(",")[0], batch)


def _probe_side(name: str, batch: Batch) -> _Side:
    module = name.replace("-", "_")
    probe: Probe = import_module(f"harness.plugins.probes.{module}").harness_probes()[0]

    def consume() -> None:
        for _, stimulus, *_arrays in probe.stimuli(batch):
            del stimulus

    return _Side(consume, len(probe.conditions(SIZE)) * len(batch.images))
