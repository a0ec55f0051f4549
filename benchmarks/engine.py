"""The whole harness against a bare loop that forwards ready tensors, batch by batch in turns.

The harness sends every stimulus of band-pass, critical band and accuracy (52 conditions) through EfficientNet-Lite0 at
224 pixels: it decodes, makes stimuli, forwards, decides, and stores every trial. Its network is wrapped: at every
forward of the harness, the same network also forwards a batch that lies ready in memory, just before or just after, in
turns. That is the bare loop; what it spends is taken out of the harness's time. Nothing in the harness knows of it.

A round is one batch of images under all conditions, from one report of progress to the next, with everything that the
engine does for it. What the harness does in background threads counts in its processor time; its wall clock goes on
only where the networks wait for it. The store's last work on a round may fall into the next one, so the first is left
out. So is what a run does once: it is given apart, as `start`.

The harness does all that the bare loop does and more, so the true ratio bare / harness cannot exceed 1.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from benchmarks.clocks import CLOCKS, LEADING, Reading, Stopwatch, computing, minus, whole_process
from benchmarks.photographs import NAME, write_registry
from benchmarks.rounds import Comparison, Estimate, Round, StopRule, compared, estimate
from harness.data.roots import DataRoots
from harness.discovery.loader import load_plugins
from harness.engine.networks import LoadedNetworks, channels_last, load_first
from harness.engine.normalization import Normalized
from harness.planning.plan import Pass, Plan, PlannedCell, PlannedTask
from harness.planning.request import RunRequest, Selection, select
from harness.registry import load_registry
from harness.store import RunWriter
from harness.workflows.execution import compute, plan_run

MODEL = "efficientnet-lite0"
PROBES = ("accuracy", "band-pass", "critical-band")
BATCH = 4
"""Images of a round. A run takes 32 on a CPU: here rounds are shorter, so that there are enough of them, and what the
harness does once a batch weighs eight times as much."""
SPAN = 32
"""Images of a commit in a run at its default batch size."""
WORKERS = 2

Watch = Callable[[int], None]
"""Is told how many rounds there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpeed:
    """The harness against the bare loop.

    Attributes:
        ratios: clock -> bare loop / harness.
        store_share: seconds of committing, in whichever thread, / seconds of the harness, by the wall clock, if every
            commit held `SPAN` images: its time hardly depends on how many there are.
        forwards_per_second: of the harness, by the wall clock.
        own_share: processor time / wall clock of the bare loop, which never waits: how many cores it had.
        start: seconds of what a run does once, up to its first forward.
    """

    ratios: dict[str, Comparison]
    store_share: Estimate
    forwards_per_second: Estimate
    own_share: Estimate
    start: float


def measure(
    rule: StopRule, probes: Sequence[str] = PROBES, batch: int = BATCH, watch: Watch = lambda rounds: None
) -> EngineSpeed:
    """Both sides in turns until `rule` says that it is enough. `watch` is called after each round."""
    with tempfile.TemporaryDirectory() as scratch, torch.inference_mode():
        base = Path(scratch)
        plugins = load_plugins()
        registry = load_registry([write_registry(base, (rule.most + 1) * batch)], plugins)
        tasks = tuple(f"{probe}@{NAME}" for probe in probes)
        request = RunRequest(tasks=tasks, models=(MODEL,), batch_size=batch, data=DataRoots(base))
        selection = select(request, registry)
        plan = _committed_by_batch(plan_run(request, selection, base / "run", "cpu"), batch)
        network = load_first(plan, {spec.name: spec for spec in selection.models}, selection.sources).kept[MODEL]
        channels_last(network)  # as the harness has it, already in the warm-up
        turns = Turns(network, torch.rand(batch, 3, 224, 224, generator=torch.Generator().manual_seed(0)))
        watcher = Watcher(turns, rule, watch)
        for _ in range(4):  # warm-up: allocator, kernels, caches
            network(turns.ready)
        with RunWriter.create(base / "run", settings=asdict(plan.settings), command=["benchmark"]) as run:
            _time_store(run, watcher)
            _compute(run, plan, selection, turns, watcher)
        return watcher.speed(batch, plan.forwards // (rule.most + 1))


def _compute(run: RunWriter, plan: Plan, selection: Selection, turns: Turns, watcher: Watcher) -> None:
    """The run, which ends after its last image, or when the watcher has seen enough, as Ctrl-C would end it."""
    watcher.begun = whole_process()
    try:
        compute(
            run,
            plan,
            selection,
            LoadedNetworks(kept={MODEL: turns.behind_normalization()}),
            device=torch.device("cpu"),
            workers=WORKERS,
            progress=watcher,
            command=["benchmark"],
            stop=watcher.enough,
        )
    except KeyboardInterrupt:
        if not watcher.enough.is_set():
            raise


class Turns(torch.nn.Module):
    """A network that, whenever it is called, also forwards a batch of its own: the bare loop, and its stopwatches.

    Args:
        ready: the bare loop's batch.
    """

    def __init__(self, network: torch.nn.Module, ready: torch.Tensor) -> None:
        super().__init__()
        self.network, self.ready = network, ready
        self.inner = network.network if isinstance(network, Normalized) else network
        self.calls = 0
        self.halves = (Stopwatch(computing), Stopwatch(computing))
        self.first_call: Reading | None = None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The network's answer. Who goes first changes with each call, so that drift cancels.

        At the first call of a round it is the harness: what it begins there in the background, decoding and committing,
        slows its own forward, as in a run, and not the bare loop's. (The number of conditions is even.) Of four calls,
        the first and the last count to one half of the bare loop, so that drift cancels there too.
        """
        self.first_call = self.first_call or whole_process()
        first, half = self.calls % 2 == 1, self.halves[self.calls % 4 in (1, 2)]
        self.calls += 1
        if first:
            self._bare(half)
        logits: torch.Tensor = self.inner(images)
        if not first:
            self._bare(half)
        return logits

    def behind_normalization(self) -> torch.nn.Module:
        """The network as the harness has it, its normalization first; the turns are taken behind that.

        The bare loop forwards through the whole network.
        """
        if not isinstance(self.network, Normalized):
            return self
        return Normalized(self, self.network.mean.flatten().tolist(), self.network.std.flatten().tolist())

    def _bare(self, half: Stopwatch) -> None:
        with half.running():
            self.network(self.ready)


@dataclass(frozen=True, slots=True)
class Mark:
    """All clocks at the end of a round, or what passes between two ends.

    Attributes:
        bare: of the bare loop's two halves. laps: their forwards. store: of committing.
    """

    whole: Reading
    bare: tuple[Reading, Reading]
    laps: tuple[int, int]
    store: Reading

    def since(self, before: Mark) -> Mark:
        """What passed since `before`."""
        return Mark(
            whole=minus(self.whole, before.whole),
            bare=(minus(self.bare[0], before.bare[0]), minus(self.bare[1], before.bare[1])),
            laps=(self.laps[0] - before.laps[0], self.laps[1] - before.laps[1]),
            store=minus(self.store, before.store),
        )

    def round(self, clock: int) -> Round:
        """A round by one of `CLOCKS`; the control is the mean of a forward in each half."""
        before, after = (half[clock] for half in self.bare)
        means = (before / self.laps[0], after / self.laps[1])
        return Round(first=before + after, second=self.whole[clock] - before - after, halves=means)


@dataclass(slots=True)
class Watcher:
    """Follows the progress of the run: reads all clocks after each batch of images, and ends the run.

    Attributes:
        enough: set to end the run. store: time of committing. begun: when the run began.
    """

    turns: Turns
    rule: StopRule
    watch: Watch
    enough: threading.Event = field(default_factory=threading.Event)
    store: Stopwatch = field(default_factory=Stopwatch)
    begun: Reading = (0.0, 0.0)
    _marks: list[Mark] = field(default_factory=list)

    def begin(self, title: str, images: int, forwards: int) -> None:
        """A pass starts."""

    def advance(self, images: int, forwards: int) -> None:
        """A round ends with a batch of images; there is nothing to say of single forwards."""
        if not images or self.enough.is_set():
            return
        before, after = self.turns.halves
        mark = Mark(whole_process(), (before.spent, after.spent), (before.laps, after.laps), self.store.spent)
        self._marks.append(mark)
        rounds = len(self._marks) - 1
        if rounds:
            self.watch(rounds)
            width = compared(self.rounds(LEADING)).ratio.width
            if self.rule.is_over(rounds, width, time.perf_counter() - self.begun[0]):
                self.enough.set()

    def warn(self, message: str) -> None:
        """Something failed: the two sides did not do the same work."""
        raise RuntimeError(message)

    def rounds(self, clock: int) -> list[Round]:
        """All rounds but the first, by one of `CLOCKS`."""
        return [part.round(clock) for part in self._parts()]

    def speed(self, images: int, forwards: int) -> EngineSpeed:
        """What all rounds come to, of which each has so many images and forwards."""
        parts, wall, processor = self._parts(), self.rounds(0), self.rounds(1)
        pairs = list(zip(parts, wall, processor, strict=True))
        return EngineSpeed(
            ratios={name: compared(self.rounds(clock), bound=1.0) for clock, name in enumerate(CLOCKS)},
            store_share=estimate([part.store[0] / whole.second * images / SPAN for part, whole, _ in pairs]),
            forwards_per_second=estimate([forwards / lap.second for lap in wall]),
            own_share=estimate([own.first / whole.first for _, whole, own in pairs]),
            start=minus(self.turns.first_call or self.begun, self.begun)[0],
        )

    def _parts(self) -> list[Mark]:
        return [after.since(before) for before, after in pairwise(self._marks)]


def _time_store(run: RunWriter, watcher: Watcher) -> None:
    """Add the time that is spent committing, which the recorder's thread does."""

    def commit(*given: Any, **named: Any) -> None:
        with watcher.store.running():
            committed(*given, **named)

    committed, run.commit = run.commit, commit  # type: ignore[method-assign]


def _committed_by_batch(plan: Plan, batch: int) -> Plan:
    """The same plan with spans of one batch, so that every round has its share of the store: more than in a run."""

    def task(whole: PlannedTask) -> PlannedTask:
        return replace(whole, layout=replace(whole.layout, span=batch))

    def cell(whole: PlannedCell) -> PlannedCell:
        return replace(whole, pending=layouts[whole.task].spans())

    def part(whole: Pass) -> Pass:
        return replace(whole, tasks=tuple(map(task, whole.tasks)), cells=tuple(map(cell, whole.cells)))

    layouts = {planned.name: task(planned).layout for planned in plan.tasks}
    return replace(
        plan,
        tasks=tuple(map(task, plan.tasks)),
        cells=tuple(map(cell, plan.cells)),
        passes=tuple(map(part, plan.passes)),
    )
