"""What the stimuli of small shifts and embedding cost beside their forwards through EfficientNet-Lite0.

Every stimulus is timed while it is made, and then while the network answers it: (stimuli + forwards) / forwards, which
is 1 if stimuli cost nothing. A round is one batch under all conditions of both probes. The control is one half of the
forwards against the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch

from benchmarks.clocks import CLOCKS, LEADING, Stopwatch
from benchmarks.engine import MODEL
from benchmarks.rounds import Comparison, Round, StopRule, compared
from harness import Probe
from harness.discovery.loader import load_plugins
from harness.engine.allocator import keep_freed_memory
from harness.engine.networks import channels_last
from harness.registry import load_registry
from harness.testing import make_batch

SIZE, BATCH = 224, 4
PROBES = ("small-shifts", "embedding")
INPAINTED = ("inpainted-a", "inpainted-b")
STIMULI = -1
"""The making of stimuli, beside the halves 0 and 1 of the forwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftSpeed:
    """(stimuli + forwards) / forwards, clock -> ratio.

    Attributes:
        plain: of crop, black and scale. every: with the inpainted conditions.
    """

    plain: dict[str, Comparison]
    every: dict[str, Comparison]


def measure(rule: StopRule, batch: int = BATCH, watch: Callable[[int], None] = lambda rounds: None) -> ShiftSpeed:
    """Rounds until `rule` says that it is enough; `watch` is called after each."""
    keep_freed_memory()  # as every run does
    plugins = load_plugins()
    registry = load_registry((), plugins)
    spec = registry.model(MODEL)
    network = registry.source_for(spec).load(spec)
    channels_last(network)
    probes = [plugins.probe(name) for name in PROBES]
    laps = list[tuple[dict[bool, Round], ...]]()
    with torch.inference_mode():
        _lap(probes, network, batch, 0)  # warm-up
        begun = time.perf_counter()
        while True:
            laps.append(_lap(probes, network, batch, len(laps) + 1))
            watch(len(laps))
            width = compared([lap[LEADING][True] for lap in laps]).ratio.width
            if rule.is_over(len(laps), width, time.perf_counter() - begun):
                break
    plain, every = (
        {clock: compared([lap[number][inpainted] for lap in laps]) for number, clock in enumerate(CLOCKS)}
        for inpainted in (False, True)
    )
    return ShiftSpeed(plain=plain, every=every)


def _lap(probes: list[Probe], network: torch.nn.Module, count: int, number: int) -> tuple[dict[bool, Round], ...]:
    """One round by each of `CLOCKS`: whether inpainted conditions count -> round. Other corners each time."""
    batch = replace(make_batch(count, SIZE), sample_ids=tuple(f"{number}-{row}" for row in range(count)))
    watches = {(filled, part): Stopwatch() for filled in (False, True) for part in (STIMULI, 0, 1)}
    shown = 0
    for probe in probes:
        stimuli = iter(probe.stimuli(batch))
        for condition in probe.conditions(SIZE):
            filled = condition in INPAINTED
            with watches[filled, STIMULI].running():
                _, stimulus, *_arrays = next(stimuli)
            with watches[filled, shown % 2].running():
                network(stimulus.contiguous(memory_format=torch.channels_last))
            shown += 1
    spent = [{key: watch.spent[clock] for key, watch in watches.items()} for clock in range(len(CLOCKS))]
    return tuple({False: round_of(one, (False,)), True: round_of(one, (False, True))} for one in spent)


def round_of(seconds: Mapping[tuple[bool, int], float], kinds: tuple[bool, ...]) -> Round:
    """Stimuli and forwards beside forwards alone.

    Args:
        seconds: (whether inpainted, `STIMULI` or half of the forwards) -> seconds. kinds: which of them count.
    """
    making, *halves = (sum(seconds[filled, part] for filled in kinds) for part in (STIMULI, 0, 1))
    return Round(first=making + sum(halves), second=sum(halves), halves=(halves[0], halves[1]))
