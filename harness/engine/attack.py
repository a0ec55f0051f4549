"""Attacks: stimuli that a white-box probe makes against one network, with its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from harness.engine.arrays import shown_by
from harness.engine.contract import check_complete, check_stimulus, closed, range_subject, reason_of
from harness.engine.decisions import Decisions, log_probabilities
from harness.engine.forwards import BatchResult, Forwards
from harness.engine.global_state import GlobalState
from harness.engine.numerics import forward_precision
from harness.errors import CellError, plugin_faults

if TYPE_CHECKING:
    from harness.interfaces import WhiteBoxProbe
    from harness.planning.plan import PlannedTask
    from harness.records import Batch


def attack(
    task: PlannedTask,
    probe: WhiteBoxProbe,
    batch: Batch,
    models: Sequence[str],
    forwards: Forwards,
) -> BatchResult:
    """Attack every network separately. An error against one network fails that model, and no others.

    Args:
        probe: the probe of `task`.
    """
    decisions: dict[str, Sequence[Decisions]] = {}
    failures: dict[str, str] = {}
    for model in models:
        try:
            decisions[model] = _decisions_against(task, probe, batch, model, forwards)
        except CellError as error:
            failures[model] = str(error)
        except plugin_faults() as error:
            failures[model] = f"{probe.name} against {model} raised {reason_of(error)}"
    return BatchResult(decisions, failures)


def _decisions_against(
    task: PlannedTask,
    probe: WhiteBoxProbe,
    batch: Batch,
    model: str,
    forwards: Forwards,
) -> list[Decisions]:
    """Decisions of `model` on the stimuli made against it, one for each condition."""

    def classifier(images: torch.Tensor) -> torch.Tensor:
        return log_probabilities(forwards.network(model, images), forwards.space)

    cell, decisions, count = (task.name, model), [], 0
    if fault := forwards.state.fault(f"dataset {task.dataset.name}"):  # images are decoded ahead, since the last look
        raise CellError(fault)
    with torch.inference_mode(False), torch.enable_grad(), forward_precision(forwards.settings):
        state = GlobalState()
        copied_batch = replace(batch, images=batch.images.clone())
        with closed(probe.attacks(copied_batch, classifier)) as attacks:
            for count, item in enumerate(attacks, 1):
                if fault := state.fault(f"probe {probe.name} against {model}"):
                    raise CellError(fault)
                with torch.inference_mode():
                    shown = shown_by(task, item, len(batch.sample_ids))
                    check_stimulus(task, count, shown, batch)
                    forwards.evidence.range_of([cell], range_subject(probe, shown.condition, batch), shown.stimulus)
                    decisions.append(forwards.decide(cell, shown, task, state, isolate=True))
    check_complete(task, count)
    return decisions
