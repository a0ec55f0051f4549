"""One pass over one dataset: decode once, make stimuli on the device, forward, hand over decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.data.decoding import batches
from harness.engine.decisions import Decisions, decide, log_probabilities
from harness.engine.networks import channels_last, load_network
from harness.engine.numerics import forward_precision
from harness.engine.recorder import Recorder, Span
from harness.engine.resources import Engine, stored_outputs
from harness.errors import CellError, CheckpointError, ImageError
from harness.interfaces import WhiteBoxProbe
from harness.local.digests import sha256_of
from harness.records import Batch, Sample

if TYPE_CHECKING:
    from harness.planning.plan import Pass, PlannedTask, Settings
    from harness.records import Job


Answers = dict[str, dict[str, list[Decisions]]]
"""Task -> model -> decisions under the conditions so far."""


class Sweep:
    """One pass over one dataset."""

    def __init__(self, one: Pass, settings: Settings, engine: Engine, recorder: Recorder) -> None:
        self.one, self.settings, self.engine, self.recorder = one, settings, engine, recorder
        self.jobs: dict[tuple[str, str], Job] = {(c.task, c.model): c.job for c in one.cells if c.job}
        self.space = one.dataset.label_space()
        self.checked: set[str] = set()
        self.forwards = 0
        self.pristine: torch.Tensor | None = None
        """A copy of the first batch's images while it is worked on; empty afterwards."""

    def execute(self) -> None:
        jobs = list(self.jobs.values())
        self.engine.progress.begin(self.one.dataset.name, self.one.images, self.one.forwards)
        self.recorder.begin(jobs, dict(self.engine.provenance), stored_outputs(self.settings, self.engine))
        self._load_networks()
        schedule = self._schedule()
        shown = (part for _, _, samples in schedule for part in self.one.manifest.shown(samples))
        decoded = batches(self.one.dataset, shown, self.engine.workers)
        for span, offset, samples in schedule:
            try:
                self._batch(span, offset, samples, decoded)
            except ImageError as error:
                self._fail_from(span, str(error))
                break
        self.recorder.finish(jobs)

    def _fail_from(self, span: Span, reason: str) -> None:
        """An image is missing for good: every cell that still needs this span or a later one fails."""
        for cell in self.one.cells:
            if any(pending >= span for pending in cell.pending):
                self.recorder.fail(self.jobs[cell.task, cell.model], reason)

    def _load_networks(self) -> None:
        """Have exactly the pass's networks on the device. A checkpoint that changed meanwhile fails its cells."""
        engine = self.engine
        for name in [name for name in engine.networks if name not in self.one.models]:
            del engine.networks[name]
        for name in self.one.models:
            try:
                self._load(name)
            except CheckpointError as error:
                self._give_up(name, str(error))
            except Exception as error:  # noqa: BLE001 - a network's mistake fails its cells, and no others
                self._give_up(name, f"{name} cannot be put on {engine.device}: {_reason(error)}")
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
                engine.networks[name] = load_network(spec, source, self.one.dataset.preprocessing.size)
        planned = next(job for (_, model), job in self.jobs.items() if model == name).identity.checkpoint
        if planned != (now := tuple(sha256_of(path) for path in source.files(spec))):
            raise CheckpointError(f"the checkpoint of {name} changed since the run was planned: {planned} -> {now}")
        # Not in inference mode: weights that are copied in it cannot take part in the gradients of a white-box probe.
        with torch.inference_mode(False):
            channels_last(engine.networks[name].to(engine.device))

    def _schedule(self) -> list[tuple[Span, int, Sequence[Sample]]]:
        """(span, index of the first sample, samples) of every batch: cut at fixed positions, whatever is pending."""
        size, samples = self.settings.batch_size, self.one.manifest.samples
        spans = sorted({span for cell in self.one.cells for span in cell.pending})
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
        """All tasks on these samples, view by view, and off to the recorder. Raises ImageError."""
        live = [cell for cell in self.one.cells if span in cell.pending]
        answers: Answers = {task.name: {} for task in self.one.tasks}
        for cell in live:
            if self.jobs[cell.task, cell.model].key not in self.recorder.failures:
                answers[cell.task][cell.model] = []
        views = self.one.dataset.views() or ("",)
        for _ in views:
            batch = self._batch_of(samples, next(decoded)[1])
            self.pristine = batch.images.clone() if self.pristine is None else self.pristine[:0]
            for task in self.one.tasks:
                self._task(task, answers[task.name], sum(cell.task == task.name for cell in live), batch)
        for task_name, of_task in answers.items():
            for model, decisions in of_task.items():
                self.recorder.put(self.jobs[task_name, model], span, offset, decisions)
        self.engine.progress.advance(len(samples) * len(views), 0)

    def _task(self, task: PlannedTask, answers: dict[str, list[Decisions]], cells: int, batch: Batch) -> None:
        """One task on one batch, for every model that still lives: `answers` loses those that fail."""
        before, stimuli = self.forwards, len(batch.sample_ids) * len(task.probe.conditions(task.layout.size))
        try:
            self._conditions(task, batch, answers)
            self._check_untouched(task, batch)
        except CellError as error:
            self._fail(task, list(answers), str(error))
            answers.clear()
        except Exception as error:  # noqa: BLE001 - a plugin's mistake fails its cells, with its reason, and no others
            self._fail(task, list(answers), f"probe {task.probe.name} raised {_reason(error)}")
            answers.clear()
        # What failed is not waited for.
        self.engine.progress.advance(0, stimuli * cells * task.probe.effort() - (self.forwards - before))

    def _conditions(self, task: PlannedTask, batch: Batch, answers: dict[str, list[Decisions]]) -> None:
        """Stimulus by stimulus through every network; `answers` loses the models that fail."""
        if not answers:
            return
        if isinstance(task.probe, WhiteBoxProbe):
            for model in list(answers):
                self._attack(task, task.probe, batch, model, answers)
            return
        seen = 0
        for condition, stimulus in task.probe.stimuli(batch):
            seen += 1
            self._check_stimulus(task, seen, condition, stimulus, batch)
            self._forward(task, stimulus, answers, list(answers))
            if not answers:
                return
        self._check_complete(task, seen)

    def _attack(
        self,
        task: PlannedTask,
        probe: WhiteBoxProbe,
        batch: Batch,
        model: str,
        answers: dict[str, list[Decisions]],
    ) -> None:
        """The stimuli that a white-box probe makes against one network, through that network."""
        network, seen = self.engine.networks[model], 0

        def classifier(images: torch.Tensor) -> torch.Tensor:
            if self.engine.stop.is_set():
                raise KeyboardInterrupt
            return log_probabilities(network(images), self.space)

        try:
            with torch.inference_mode(False), torch.enable_grad(), forward_precision(self.settings):
                own = replace(batch, images=batch.images.clone())
                for condition, stimulus in probe.attacks(own, classifier):
                    seen += 1
                    with torch.inference_mode():
                        self._check_stimulus(task, seen, condition, stimulus, batch)
                        self._forward(task, stimulus.detach(), answers, [model])
                    if model not in answers:
                        return
            self._check_complete(task, seen)
        except Exception as error:  # noqa: BLE001 - what goes wrong against one network fails its cell, and no others
            del answers[model]
            self._fail(task, [model], f"{probe.name} against {model} raised {_reason(error)}")

    def _check_complete(self, task: PlannedTask, seen: int) -> None:
        announced = len(task.probe.conditions(task.layout.size))
        if seen != announced:
            raise CellError(f"probe {task.probe.name} gave {seen} of {announced} conditions")

    def _forward(
        self, task: PlannedTask, stimulus: torch.Tensor, answers: dict[str, list[Decisions]], models: Sequence[str]
    ) -> None:
        keep, effort = self.settings.store == "logits", task.probe.effort()
        for model in models:
            if self.engine.stop.is_set():
                raise KeyboardInterrupt
            try:
                with forward_precision(self.settings):
                    logits = self.engine.networks[model](stimulus)
                answers[model].append(decide(logits, self.space, keep_logits=keep))
                self.forwards += len(stimulus) * effort
                self.engine.progress.advance(0, len(stimulus) * effort)
            except Exception as error:  # noqa: BLE001 - a network's mistake fails its cell, and no others
                del answers[model]
                self._fail(task, [model], f"{model} raised {_reason(error)}")

    def _check_stimulus(
        self, task: PlannedTask, position: int, condition: str, stimulus: torch.Tensor, batch: Batch
    ) -> None:
        """The probe's contract: condition names and shapes always, the range on the first batch of a pass."""
        name, expected = task.probe.name, batch.images.shape
        announced = task.probe.conditions(task.layout.size)
        if position > len(announced) or condition != announced[position - 1]:
            raise CellError(
                f"probe {name} gave condition {condition!r} as number {position}, not in the order it announced"
            )
        if stimulus.shape != expected or stimulus.dtype != torch.float32:
            raise CellError(
                f"probe {name} gave {stimulus.dtype} {tuple(stimulus.shape)} under {condition}, "
                f"expected torch.float32 {tuple(expected)}"
            )
        if f"{name}/{condition}" in self.checked:
            return
        low, high = (float(value) for value in torch.aminmax(stimulus))
        if not (low >= 0.0 and high <= 1.0):
            raise CellError(f"probe {name} left [0, 1] under {condition}: {low:.4g} to {high:.4g}")
        self.checked.add(f"{name}/{condition}")

    def _check_untouched(self, task: PlannedTask, batch: Batch) -> None:
        """On the first batch of a pass: the images must be as they were decoded, for the probes that come after."""
        if self.pristine is None or not len(self.pristine) or torch.equal(batch.images, self.pristine):
            return
        batch.images.copy_(self.pristine)
        raise CellError(f"probe {task.probe.name} or one of its networks changed the batch's images in place")

    def _fail(self, task: PlannedTask, models: Sequence[str], reason: str) -> None:
        for model in models:
            self.recorder.fail(self.jobs[task.name, model], reason)


def _reason(error: Exception) -> str:
    """Type and first line of an exception, with what to do where the device ran out of memory."""
    text = " ".join(str(error).split())[:300]
    hint = "; choose a smaller --batch-size" if isinstance(error, torch.OutOfMemoryError) else ""
    where = _place(error)
    return f"{type(error).__name__}: {text}{hint}{where}"


def _place(error: Exception) -> str:
    """File and line where the exception was raised, so that a plugin's author finds it without a traceback."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f" ({trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno})"
