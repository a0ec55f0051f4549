"""Attacks: stimuli that a white-box probe makes against one network, with its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from harness.engine.arrays import shown_by
from harness.engine.contract import StimulusContract, reason_of
from harness.engine.decisions import Decisions, log_probabilities
from harness.engine.forwards import BatchResult, ForwardError, Forwards
from harness.engine.numerics import forward_precision

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
    contract: StimulusContract,
) -> BatchResult:
    """Attack every network separately. An error against one network fails that model, and no others.

    Args:
        probe: the probe of `task`.
    """
    decisions: dict[str, Sequence[Decisions]] = {}
    failures: dict[str, str] = {}
    for model in models:
        try:
            decisions[model] = _decisions_against(task, probe, batch, model, forwards, contract)
        except ForwardError as error:
            failures[model] = str(error)
        except Exception as error:  # noqa: BLE001 - an error in a plugin fails its cell, with the reason, and no others
            failures[model] = f"{probe.name} against {model} raised {reason_of(error)}"
    return BatchResult(decisions, failures)


def _decisions_against(
    task: PlannedTask,
    probe: WhiteBoxProbe,
    batch: Batch,
    model: str,
    forwards: Forwards,
    contract: StimulusContract,
) -> list[Decisions]:
    """Decisions of `model` on the stimuli made against it, one for each condition."""

    def classifier(images: torch.Tensor) -> torch.Tensor:
        return log_probabilities(forwards.network(model, images), forwards.space)

    decisions, count = [], 0
    with torch.inference_mode(False), torch.enable_grad(), forward_precision(forwards.settings):
        copied_batch = replace(batch, images=batch.images.clone())
        for count, item in enumerate(probe.attacks(copied_batch, classifier), 1):
            with torch.inference_mode():
                shown = shown_by(task, item, len(batch.sample_ids))
                contract.check(task, count, shown.condition, shown.stimulus, batch.images.shape)
                decisions.append(forwards.decide(model, shown, probe.effort()))
    contract.check_complete(task, count)
    return decisions
