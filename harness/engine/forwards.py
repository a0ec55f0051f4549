"""Stimuli through networks: one task on one batch, for every model, and the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.engine.arrays import Shown, shown_by
from harness.engine.contract import StimulusContract, reason_of
from harness.engine.decisions import Decisions, decide
from harness.engine.numerics import forward_precision
from harness.errors import CellError

if TYPE_CHECKING:
    import torch

    from harness.engine.resources import Engine
    from harness.planning.plan import PlannedTask, Settings
    from harness.records import Batch, LabelSpace


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
    """A network raised an exception; the message is the stored reason."""


class Forwards:
    """Sends stimuli through the networks of a pass.

    Attributes:
        count: stimuli so far; a stimulus of an attack counts as often as its gradients cost forwards.
    """

    def __init__(self, engine: Engine, settings: Settings, space: LabelSpace) -> None:
        self.engine, self.settings, self.space = engine, settings, space
        self.count = 0

    def network(self, model: str, images: torch.Tensor) -> torch.Tensor:
        """Logits (B, outputs) of `model`. Raises KeyboardInterrupt if the run is to stop."""
        if self.engine.stop.is_set():
            raise KeyboardInterrupt
        logits: torch.Tensor = self.engine.networks[model](images)
        return logits

    def decide(self, model: str, shown: Shown, effort: int) -> Decisions:
        """The decisions of `model`, with the arrays. Raises ForwardError if the network raises."""
        stimulus = shown.stimulus.detach()
        try:
            with forward_precision(self.settings):
                logits = self.network(model, stimulus)
            decisions = decide(logits, self.space, keep_logits=self.settings.store == "logits")
        except Exception as error:
            raise ForwardError(f"{model} raised {reason_of(error)}") from error
        self.count += len(stimulus) * effort
        self.engine.progress.advance(0, len(stimulus) * effort)
        return replace(decisions, arrays=shown.arrays)


def show(
    task: PlannedTask, batch: Batch, models: Sequence[str], forwards: Forwards, contract: StimulusContract
) -> BatchResult:
    """Make the stimuli of `task`, and show each to every network before making the next.

    An error in a network fails its model; an error in the probe fails all models that have not failed yet.
    """
    decisions: dict[str, list[Decisions]] = {model: [] for model in models}
    failures: dict[str, str] = {}

    def show_to_all(shown: Shown) -> None:
        for model in models:
            if model not in failures:
                try:
                    decisions[model].append(forwards.decide(model, shown, task.probe.effort()))
                except ForwardError as error:
                    failures[model] = str(error)

    try:
        count = 0
        for count, item in enumerate(task.probe.stimuli(batch), 1):
            shown = shown_by(task, item, len(batch.sample_ids))
            contract.check(task, count, shown.condition, shown.stimulus, batch.images.shape)
            show_to_all(shown)
            if len(failures) == len(models):
                break
        else:
            contract.check_complete(task, count)
    except CellError as error:
        failures = {**dict.fromkeys(models, str(error)), **failures}
    except Exception as error:  # noqa: BLE001 - an error in a plugin fails its cells, with the reason, and no others
        failures = {**dict.fromkeys(models, f"probe {task.probe.name} raised {reason_of(error)}"), **failures}
    return BatchResult({model: answers for model, answers in decisions.items() if model not in failures}, failures)
