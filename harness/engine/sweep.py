"""One pass over one dataset: decode once, make stimuli on the device, forward, hand over decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.data.decoding import batches
from harness.engine.attack import attack
from harness.engine.contract import FirstImages, StimulusContract, reason_of
from harness.engine.forwards import BatchResult, Forwards, show
from harness.engine.networks import channels_last, load_network
from harness.engine.recorder import Recorder, Span
from harness.engine.resources import Engine, stored_outputs
from harness.errors import CheckpointError, ImageError
from harness.interfaces import WhiteBoxProbe
from harness.local.digests import sha256_of
from harness.records import Batch, Sample

if TYPE_CHECKING:
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
        self.forwards = Forwards(engine, settings, planned.dataset.label_space())
        self.contract = StimulusContract(planned.tasks)
        self.first_images = FirstImages()

    def execute(self) -> None:
        jobs = list(self.jobs.values())
        self.engine.progress.begin(self.planned.dataset.name, self.planned.images, self.planned.forwards)
        self.recorder.begin(jobs, dict(self.engine.provenance), stored_outputs(self.settings, self.engine))
        self._load_networks()
        schedule = self._schedule()
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
            except Exception as error:  # noqa: BLE001 - a network's mistake fails its cells, and no others
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
                engine.networks[name] = load_network(spec, source, self.planned.dataset.preprocessing.size)
        planned = next(job for (_, model), job in self.jobs.items() if model == name).weight_files
        if planned != (current := tuple(sha256_of(path) for path in source.files(spec))):
            raise CheckpointError(f"the checkpoint of {name} changed since the run was planned: {planned} -> {current}")
        # Not in inference mode: weights copied in that mode cannot be part of the gradients of a white-box probe.
        with torch.inference_mode(False):
            channels_last(engine.networks[name].to(engine.device))

    def _schedule(self) -> list[tuple[Span, int, Sequence[Sample]]]:
        """(span, index of the first sample, samples) of every batch; boundaries are fixed, whatever is pending."""
        size, samples = self.settings.batch_size, self.planned.manifest.samples
        spans = sorted({span for cell in self.planned.cells for span in cell.pending})
        return [
            ((low, high), start, samples[start : min(start + size, high)])
            for low, high in spans
            for start in range(low, high, size)
        ]

    def _batch_of(self, samples: Sequence[Sample], pixels: np.ndarray) -> Batch:
        raw = torch.from_numpy(pixels)
        if self.engine.device.type == "cuda":
            raw = raw.pin_memory()
        images = raw.to(self.engine.device, non_blocking=True).permute(0, 3, 1, 2).contiguous().float().div_(255)
        return Batch(
            images=images,
            sample_ids=tuple(sample.id for sample in samples),
            targets=tuple(sample.targets for sample in samples),
            seed=self.settings.seed,
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
        views = self.planned.dataset.views() or ("",)
        for _ in views:
            batch = self._batch_of(samples, next(decoded)[1])
            self.first_images.follow(batch.images)
            for task in self.planned.tasks:
                models = [model for name, model in answers if name == task.name]
                result = self._task(task, batch, models, sum(name == task.name for name, _ in pending))
                for model, reason in result.failures.items():
                    del answers[task.name, model]
                    self.recorder.fail(self.jobs[task.name, model], reason)
                for model, decisions in result.decisions.items():
                    answers[task.name, model] += decisions
        for place, decisions in answers.items():
            self.recorder.put(self.jobs[place], span, offset, decisions)
        self.engine.progress.advance(len(samples) * len(views), 0)

    def _task(self, task: PlannedTask, batch: Batch, models: Sequence[str], cells: int) -> BatchResult:
        """Run one task on one batch in one view.

        Args:
            models: models that have not failed. cells: number of models counted by the progress, including failed ones.
        """
        earlier_count, probe = self.forwards.count, task.probe
        if not models:
            result = BatchResult({}, {})
        elif isinstance(probe, WhiteBoxProbe):
            result = attack(task, probe, batch, models, self.forwards, self.contract)
        else:
            result = show(task, batch, models, self.forwards, self.contract)
        if self.first_images.restore(batch.images):
            result = result.failed(f"probe {probe.name} or one of its networks changed the batch's images in place")
        stimuli = len(batch.sample_ids) * len(self.contract.conditions(task)) * cells
        self.engine.progress.advance(0, stimuli * probe.effort() - (self.forwards.count - earlier_count))
        return result
