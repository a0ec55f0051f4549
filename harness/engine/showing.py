"""One task on one batch: its stimuli, each shown to every network before the next is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.engine.arrays import Shown, shown_by
from harness.engine.contract import (
    Fingerprint,
    Place,
    check_complete,
    check_stimulus,
    closed,
    range_subject,
    reason_of,
)
from harness.engine.forwards import BatchResult, ForwardError, SpoiledStimulusError
from harness.engine.limits import is_built_in
from harness.engine.observing import Observation
from harness.errors import CellError, plugin_faults
from harness.features import FeatureProbe

if TYPE_CHECKING:
    import torch

    from harness.engine.decisions import Decisions
    from harness.engine.forwards import Forwards
    from harness.planning.plan import PlannedTask
    from harness.records import Batch


def show(
    task: PlannedTask,
    batch: Batch,
    models: Sequence[str],
    forwards: Forwards,
    *,
    images: Fingerprint,
    isolate: bool,
) -> BatchResult:
    """Make the stimuli of `task`, and show each to every network before making the next.

    An error in a network fails its model; an error in the probe fails all models that have not failed yet.

    Args:
        images: of the batch's images, as they are now.
        isolate: give every network a copy of its own, so that one that changes its input fails alone.

    Raises:
        SpoiledStimulusError: a network changed a stimulus in place; never with `isolate`.
    """
    audience = _Audience(task, models, forwards, batch, images, isolate)
    who, trusted = f"probe {task.probe.name}", is_built_in(task.probe)
    try:
        count = 0
        with closed(task.probe.stimuli(audience.given)) as stimuli:
            for count, item in enumerate(stimuli, 1):
                if not trusted and (fault := forwards.state.fault(who)):
                    raise CellError(fault)
                shown = shown_by(task, item, len(batch.sample_ids))
                check_stimulus(task, count, shown, batch)
                audience.show(shown)
                if not audience.present:
                    break
            else:
                check_complete(task, count)
    except SpoiledStimulusError:
        raise
    except CellError as error:
        audience.fail(str(error))
    except plugin_faults() as error:
        audience.fail(f"{who} raised {reason_of(error)}")
    if fault := forwards.state.fault(who):  # behind its last stimulus
        audience.fail(fault)
    return audience.result()


class _Audience:
    """The networks that one task's stimuli are shown to, their decisions and failures."""

    def __init__(
        self,
        task: PlannedTask,
        models: Sequence[str],
        forwards: Forwards,
        batch: Batch,
        images: Fingerprint,
        isolate: bool,
    ) -> None:
        self.task, self.forwards, self.batch, self.images, self.isolate = task, forwards, batch, images, isolate
        self.given = replace(batch, images=batch.images.detach())
        """What the probe gets: a record and a tensor of its own, so that no other probe sees what it sets in them."""
        self.decisions: dict[str, list[Decisions]] = {model: [] for model in models}
        self.failures: dict[str, str] = {}
        self.observing = isinstance(task.probe, FeatureProbe)
        self.observations: dict[str, Observation] = {}

    @property
    def present(self) -> list[str]:
        """Models that have not failed."""
        return [model for model in self.decisions if model not in self.failures]

    def fail(self, reason: str) -> None:
        """Every model that has not failed yet fails with `reason`."""
        self.failures = {**dict.fromkeys(self.decisions, reason), **self.failures}

    def show(self, shown: Shown) -> None:
        """Show one stimulus to every network that has not failed. Raises SpoiledStimulusError."""
        cells = [(self.task.name, model) for model in self.present]
        decoded = not self.isolate and self._is_decoded(shown.stimulus)  # in range, unless the probe changed them
        if not decoded:
            self.forwards.evidence.range_of(
                cells, range_subject(self.task.probe, shown.condition, self.batch), shown.stimulus
            )
        fingerprint = None
        if not self.isolate and not all(self.forwards.limits(model).leaves_images for _, model in cells):
            fingerprint = self.images if decoded else Fingerprint(shown.stimulus)
        for cell in cells:
            try:
                answer = self.forwards.decide(
                    cell,
                    shown,
                    self.task,
                    self.forwards.state,
                    isolate=self.isolate,
                    observation=self._observation(cell) if self.observing else None,
                )
                self.decisions[cell[1]].append(answer)
            except ForwardError as error:
                self.failures[cell[1]] = str(error)
        if fingerprint is not None and not fingerprint.unchanged():
            raise SpoiledStimulusError

    def _observation(self, cell: Place) -> Observation:
        """What the probe makes of a network's layers, in this batch. Raises ForwardError."""
        if cell[1] not in self.observations:
            try:
                tap = self.forwards.taps[cell]
                self.observations[cell[1]] = Observation(self.task, self.given, cell[1], tap)
            except CellError as error:
                raise ForwardError(str(error)) from error
        return self.observations[cell[1]]

    def _is_decoded(self, stimulus: torch.Tensor) -> bool:
        """Whether a stimulus is the batch's images themselves, in the memory into which they were decoded."""
        images = self.batch.images
        return stimulus.data_ptr() == images.data_ptr() and stimulus.stride() == images.stride()

    def result(self) -> BatchResult:
        """The decisions of the models that have not failed, and the failures."""
        return BatchResult({model: self.decisions[model] for model in self.present}, self.failures)
