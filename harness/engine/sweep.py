"""One pass over one dataset: decode once, make stimuli on the device, forward, hand over decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.data.decoding import batches
from harness.engine.attack import attack
from harness.engine.contract import Fingerprint, reason_of
from harness.engine.decisions import padded_targets
from harness.engine.forwards import BatchResult, Forwards, SpoiledStimulusError
from harness.engine.networks import channels_last, load_network
from harness.engine.observing import tap_of
from harness.engine.recorder import Recorder, Span
from harness.engine.replaced import replaced
from harness.engine.resources import Engine, stored_outputs
from harness.engine.showing import show
from harness.errors import CheckpointError, ImageError, RequestError, listed, plugin_faults
from harness.features import FeatureProbe
from harness.interfaces import WhiteBoxProbe
from harness.local.digests import sha256_of
from harness.records import Batch, Sample

if TYPE_CHECKING:
    from harness.engine.contract import Place
    from harness.engine.decisions import Decisions
    from harness.planning.plan import Pass, PlannedTask, Settings
    from harness.records import Job


class Sweep:
    """Executes one pass over one dataset."""

    def __init__(self, planned: Pass, settings: Settings, engine: Engine, recorder: Recorder) -> None:
        self.planned, self.settings, self.engine, self.recorder = planned, settings, engine, recorder
        self.jobs: dict[tuple[str, str], Job] = {
            (cell.task, cell.model): cell.job for cell in planned.cells if cell.job
        }
        self.forwards = Forwards(engine, settings, planned.tasks[0].space)
        self.impure: dict[str, str] = {}
        """Model -> why it is not a function of one image, as was noticed while it ran."""
        self.size = planned.size
        # On CUDA, a look at the values waits for the device: so once a span, and tasks and networks get copies.
        self.isolate = engine.device.type == "cuda"

    def execute(self) -> None:
        jobs = list(self.jobs.values())
        self.engine.progress.begin(self.planned.dataset.name, self.planned.images, self.planned.forwards)
        self.recorder.begin(jobs, dict(self.engine.provenance), stored_outputs(jobs, self.settings, self.engine))
        self._load_networks()
        schedule = self._schedule()
        self.begin, self.end = (schedule[0][1], schedule[-1][0][1]) if schedule else (0, 0)
        shown = (view_samples for _, _, samples in schedule for view_samples in self.planned.manifest.shown(samples))
        decoded = batches(self.planned.dataset, shown, self.engine.workers)
        for span, offset, samples in schedule:
            try:
                self._batch(span, offset, samples, decoded)
            except ImageError as error:
                self._fail_from(span, str(error))
                break
        self.recorder.finish(jobs)

    def _fail_from(self, span: Span, reason: str) -> None:
        """An image cannot be read: fail every cell that still needs this span or a later one."""
        for cell in self.planned.cells:
            if any(pending >= span for pending in cell.pending):
                self.recorder.fail(self.jobs[cell.task, cell.model], reason)

    def _load_networks(self) -> None:
        """Keep exactly the pass's networks on the device. A checkpoint changed since planning fails its cells."""
        engine = self.engine
        for name in [name for name in engine.networks if name not in self.planned.models]:
            del engine.networks[name]
        for name in self.planned.models:
            try:
                self._load(name)
            except CheckpointError as error:
                self._give_up(name, str(error))
            except plugin_faults() as error:
                self._give_up(name, f"{name} cannot be put on {engine.device}: {reason_of(error)}")
        self.recorder.drain()

    def _give_up(self, name: str, reason: str) -> None:
        self.engine.networks.pop(name, None)
        for (_, model), job in self.jobs.items():
            if model == name:
                self.recorder.fail(job, reason)

    def _load(self, name: str) -> None:
        engine = self.engine
        spec, source = engine.specs[name], engine.sources[engine.specs[name].source]
        if name not in engine.networks:
            with torch.inference_mode(False):
                engine.networks[name] = load_network(spec, source, self.size, engine.steadiness)
        planned = next(job for (_, model), job in self.jobs.items() if model == name).weight_files
        if planned != (current := tuple(sha256_of(path) for path in source.files(spec))):
            raise CheckpointError(f"the checkpoint of {name} changed since the run was planned: {planned} -> {current}")
        # Not in inference mode: weights copied in that mode cannot be part of the gradients of a white-box probe.
        with torch.inference_mode(False):
            channels_last(engine.networks[name].to(engine.device))
        if fault := engine.steadiness.note(name, self.size, engine.networks[name]):
            raise CheckpointError(fault)
        self._tap(name)

    def _tap(self, name: str) -> None:
        """Look up the layers that probes see of a network; a cell whose layers it does not have fails."""
        for task in self.planned.tasks:
            job = self.jobs.get((task.name, name))
            if job is None or not isinstance(task.probe, FeatureProbe):
                continue
            try:
                self.forwards.taps[task.name, name] = tap_of(task.probe, name, self.engine.networks[name], self.size)
            except RequestError as error:
                self.recorder.fail(job, str(error))

    def _schedule(self) -> list[tuple[Span, int, Sequence[Sample]]]:
        """(span, index of the first sample, samples) of every batch; boundaries are fixed, whatever is pending."""
        size, samples = self.settings.batch_size, self.planned.manifest.samples
        spans = sorted({span for cell in self.planned.cells for span in cell.pending})
        return [
            ((low, high), start, samples[start : min(start + size, high)])
            for low, high in spans
            for start in range(low, high, size)
        ]

    def _images(self) -> torch.Tensor:
        """The decoded pixels as images (B, 3, S, S) float32 in [0, 1] on the device."""
        raw = torch.from_numpy(self.pixels)
        if self.engine.device.type == "cuda":
            raw = raw.pin_memory()
        return raw.to(self.engine.device, non_blocking=True).permute(0, 3, 1, 2).contiguous().float().div_(255)

    def _batch_of(self, samples: Sequence[Sample]) -> Batch:
        return Batch(
            images=self._images(),
            sample_ids=tuple(sample.id for sample in samples),
            targets=tuple(sample.targets for sample in samples),
            seed=self.settings.seed,
            size=self.size,
        )

    def _batch(
        self,
        span: Span,
        offset: int,
        samples: Sequence[Sample],
        decoded: Iterator[tuple[Sequence[Sample], np.ndarray]],
    ) -> None:
        """Run all tasks on these samples, view by view, and hand the decisions to the recorder. Raises ImageError."""
        pending = [(cell.task, cell.model) for cell in self.planned.cells if span in cell.pending]
        answers: dict[tuple[str, str], list[Decisions]] = {
            place: [] for place in pending if self.jobs[place].key not in self.recorder.failures
        }
        if offset == self.begin or offset + len(samples) == self.end:
            self.forwards.alone = set(answers)
        self.forwards.targets = padded_targets([sample.targets for sample in samples], self.engine.device)
        views = tuple(self.planned.manifest.folders) or ("",)
        for view in views:
            self.pixels = self._decoded(decoded)
            batch = self._batch_of(samples)
            if not self.isolate:
                self.decoded = Fingerprint(batch.images)
            for task in self.planned.tasks:
                self._answer(task, batch, answers, sum(name == task.name for name, _ in pending))
                # A whole batch of many networks takes long: what a task has finished must not be lost with the others.
                if view == views[-1] and not self.isolate and offset + len(samples) < self.end:
                    self._put(span, offset, answers, task.name)
        if not self.isolate or offset + len(samples) == span[1]:
            self._fail(self._faults(answers), answers)
        if offset + len(samples) == self.end:
            self._fail(self._unsteady(answers), answers)
        for place, decisions in answers.items():
            self.recorder.put(self.jobs[place], span, offset, decisions)
        self.engine.progress.advance(len(samples) * len(views), 0)

    def _answer(self, task: PlannedTask, batch: Batch, answers: dict[Place, list[Decisions]], cells: int) -> None:
        """Add the decisions of one task to `answers`; cells that fail leave them. `cells`: as in `_task`."""
        models = [model for name, model in answers if name == task.name]
        result = self._task(task, batch, models, cells)
        self._fail({(task.name, model): reason for model, reason in result.failures.items()}, answers)
        for model, decisions in result.decisions.items():
            answers[task.name, model] += decisions

    def _put(self, span: Span, offset: int, answers: dict[Place, list[Decisions]], task: str) -> None:
        """Hand over the decisions of one task on this batch, without those that its evidence speaks against."""
        self._fail(self._faults(answers), answers)
        for place in [place for place in answers if place[0] == task]:
            self.recorder.put(self.jobs[place], span, offset, answers.pop(place))

    def _decoded(self, decoded: Iterator[tuple[Sequence[Sample], np.ndarray]]) -> np.ndarray:
        """The next batch's pixels. Raises ImageError, also if making them changed global settings."""
        pixels = next(decoded)[1]
        if fault := self.forwards.state.fault(f"dataset {self.planned.dataset.name}"):
            raise ImageError(fault)
        return pixels

    def _fail(self, faults: Mapping[Place, str], answers: dict[Place, list[Decisions]]) -> None:
        """These cells fail, and their answers are dropped."""
        for place, reason in faults.items():
            if answers.pop(place, None) is not None:
                self.recorder.fail(self.jobs[place], reason)

    def _faults(self, answers: Mapping[Place, object]) -> dict[Place, str]:
        """The cells that their stimuli or networks of the span speak against. Waits for the device."""
        self.impure |= self.forwards.impure()
        faults = {place: self.impure[place[1]] for place in answers if place[1] in self.impure}
        return self.forwards.evidence.faults() | faults

    def _unsteady(self, answers: Mapping[Place, object]) -> dict[Place, str]:
        """The cells of the networks that do not answer as they did at first."""
        if names := list(replaced()):
            return dict.fromkeys(answers, f"{listed(names)}: replaced by a plugin while the run went on")
        faults: dict[Place, str] = {}
        for model in {model for _, model in answers}:
            try:
                reason = self.engine.steadiness.fault(model, self.size, self.engine.networks[model])
            except plugin_faults() as error:
                reason = f"{model} raised {reason_of(error)}"
            if reason:
                faults |= {place: reason for place in answers if place[1] == model}
        return faults

    def _task(self, task: PlannedTask, batch: Batch, models: Sequence[str], cells: int) -> BatchResult:
        """Run one task on one batch in one view.

        Args:
            models: models that have not failed. cells: number of models counted by the progress, including failed ones.
        """
        earlier_count = self.forwards.count
        result = self._guarded(task, batch, models) if models else BatchResult({}, {})
        stimuli = len(batch.sample_ids) * len(task.stimuli) * cells
        self.engine.progress.advance(0, stimuli * task.effort - (self.forwards.count - earlier_count))
        return result

    def _guarded(self, task: PlannedTask, batch: Batch, models: Sequence[str]) -> BatchResult:
        """The task's result; images that it changed in place are set back, or were a copy, and its cells fail."""
        if self.isolate:
            batch = replace(batch, images=batch.images.clone())
            fingerprint = Fingerprint(batch.images)
            result = self._answers(task, batch, models, fingerprint, isolate=True)
            unchanged = fingerprint.unchanged()
            for model in result.decisions:
                self.forwards.evidence.promise((task.name, model), unchanged, _scribbled(task))
            return result
        try:
            result = self._answers(task, batch, models, self.decoded, isolate=False)
        except SpoiledStimulusError:
            batch.images.copy_(self._images())
            result = self._answers(task, batch, models, self.decoded, isolate=True)
        if self.decoded.unchanged():
            return result
        batch.images.copy_(self._images())
        return result.failed(_scribbled(task))

    def _answers(
        self, task: PlannedTask, batch: Batch, models: Sequence[str], images: Fingerprint, *, isolate: bool
    ) -> BatchResult:
        """The decisions of `models` on the task's stimuli. Raises SpoiledStimulusError as `show`."""
        if isinstance(task.probe, WhiteBoxProbe):
            return attack(task, task.probe, batch, models, self.forwards)
        return show(task, batch, models, self.forwards, images=images, isolate=isolate)


def _scribbled(task: PlannedTask) -> str:
    return f"probe {task.probe.name} or one of its networks changed the batch's images in place"
