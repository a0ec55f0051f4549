"""Stimuli through networks: one task on one batch, for every model, and the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.engine.arrays import Shown
from harness.engine.contract import (
    Evidence,
    Fingerprint,
    Place,
    logits_fault,
    reason_of,
)
from harness.engine.decisions import Decisions, decide
from harness.engine.global_state import GlobalState
from harness.engine.limits import Limits, limits_of
from harness.engine.numerics import forward_precision
from harness.engine.observing import Observation
from harness.engine.purity import is_alike
from harness.engine.resources import keeps_logits
from harness.errors import CellError, plugin_faults

if TYPE_CHECKING:
    import torch

    from harness.engine.observing import Tap
    from harness.engine.resources import Engine
    from harness.planning.plan import PlannedTask, Settings
    from harness.records import LabelSpace


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The result of one task on one batch. Every requested model has either decisions or a failure.

    Attributes:
        decisions: model -> its decisions, one for each condition, in order.
        failures: model -> reason.
    """

    decisions: Mapping[str, Sequence[Decisions]]
    failures: Mapping[str, str]

    def failed(self, reason: str) -> BatchResult:
        """The result if the batch is invalid: models that have not failed yet fail with `reason`."""
        return BatchResult({}, {**dict.fromkeys(self.decisions, reason), **self.failures})


class ForwardError(CellError):
    """A network raised an exception or broke its contract; the message is the stored reason."""


class SpoiledStimulusError(CellError):
    """A network changed a stimulus in place, so the networks after it were shown another one."""


class Forwards:
    """Sends stimuli through the networks of a pass.

    Attributes:
        count: stimuli so far; a stimulus of an attack counts as often as its gradients cost forwards.
        evidence: what is noted of the stimuli of the span.
        alone: cells whose next stimulus is tried alone too: its last image must be answered as it is in the batch.
        state: the global settings of the pass, as they were when it began.
        taps: cell -> the layers that its probe sees.
        targets: (B, T) of the samples of the batch, as `padded_targets` gives them.
    """

    def __init__(self, engine: Engine, settings: Settings, space: LabelSpace) -> None:
        self.engine, self.settings, self.space = engine, settings, space
        self.count = 0
        self.evidence = Evidence()
        self.state = GlobalState()
        self.alone: set[Place] = set()
        self._alike: list[tuple[str, int, torch.Tensor]] = []
        self._tries = 0
        self._limits: dict[str, Limits] = {}
        self.taps: dict[Place, Tap] = {}
        self.targets: torch.Tensor | None = None

    def limits(self, model: str) -> Limits:
        """What the network of `model` cannot do, as it was made when it was first asked for in this pass."""
        if model not in self._limits:
            self._limits[model] = limits_of(self.engine.networks[model])
        return self._limits[model]

    def network(self, model: str, images: torch.Tensor) -> torch.Tensor:
        """Logits (B, outputs) of `model`.

        Raises:
            KeyboardInterrupt: the run is to stop. CellError: it gives no logits, or of another shape.
        """
        if self.engine.stop.is_set():
            raise KeyboardInterrupt
        logits: torch.Tensor = self.engine.networks[model](images)
        if fault := logits_fault(logits, (len(images), self.engine.specs[model].outputs), images.device):
            raise CellError(fault)
        return logits

    def _last(self, images: torch.Tensor) -> torch.Tensor:
        """A copy of the last image, (1, 3, S, S), at another address each time: a network may cache by address."""
        self._tries += 1
        place = self._tries % 2
        return images[-1:].repeat(2, 1, 1, 1)[place : place + 1]

    def _try_alone(self, cell: Place, last: torch.Tensor, logits: torch.Tensor, n: int) -> None:
        """Note whether the network answers `last`, the last image of a batch of `n`, alone as it did in the batch."""
        self.alone.discard(cell)
        among = logits[-1:].clone()
        with forward_precision(self.settings):
            alone = self.network(cell[1], last)
        self._alike.append((cell[1], n, is_alike(alone, among, self.settings.precision)))

    def impure(self) -> dict[str, str]:
        """Model -> why it is not a function of one image, of those tried since the last call. Waits for the device."""
        tried, self._alike = self._alike, []
        return {
            model: f"{model} is not a function of one image: it answers the last image of a batch of {n} differently "
            "alone; look for statistics over the batch, and cached results"
            for model, n, alike in tried
            if not alike
        }

    def decide(
        self,
        cell: Place,
        shown: Shown,
        task: PlannedTask,
        state: GlobalState,
        *,
        isolate: bool,
        observation: Observation | None = None,
    ) -> Decisions:
        """The decisions of one network, with the arrays.

        Args:
            observation: what the probe makes of the network's layers.
            state: the global settings as they should be.
            isolate: give it a copy of the stimulus, and note whether it leaves the copy as it is, unless it cannot
                change it.

        Raises:
            ForwardError: the network raises, or changes a global setting.
        """
        model, stimulus = cell[1], shown.stimulus.detach()
        limits = self.limits(model)
        isolate = isolate and not limits.leaves_images
        given = stimulus.clone() if isolate else stimulus
        fingerprint = Fingerprint(given) if isolate else None
        last = self._last(given) if cell in self.alone and len(given) > 1 else None
        try:
            with forward_precision(self.settings):
                if observation is None:
                    logits = self.network(model, given)
                else:
                    logits = observation.watched(lambda: self.network(model, given))
            keep = keeps_logits(self.settings, task.needs_logits)
            decisions = decide(logits, self.space, keep_logits=keep, targets=self.targets)
            if last is not None:
                self._try_alone(cell, last, logits, len(given))
        except plugin_faults() as error:
            raise ForwardError(f"{model} raised {reason_of(error)}") from error
        if not limits.leaves_settings and (fault := state.fault(model)):
            raise ForwardError(fault)
        if fingerprint is not None:
            self.evidence.promise(cell, fingerprint.unchanged(), f"{model} changed its input in place")
        self.count += len(stimulus) * task.effort
        self.engine.progress.advance(0, len(stimulus) * task.effort)
        return replace(decisions, arrays=shown.arrays if observation is None else _arrays(shown, state, observation))


def _arrays(shown: Shown, state: GlobalState, observation: Observation) -> Mapping[str, torch.Tensor]:
    """The arrays of a stimulus, with those of the network's layers. Raises ForwardError."""
    try:
        arrays = observation.arrays(shown)
    except CellError as error:
        raise ForwardError(str(error)) from error
    if fault := state.fault(observation.who):
        raise ForwardError(fault)
    return arrays
