"""A stimulus depends on its sample alone: it is the same again, in another batch and at another place in it.

Each probe of a plan makes the stimuli of three made images, and those of two of them in another order, before anything
is computed. Random numbers of the probe's own, counts of its calls and statistics over the batch show there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from harness.engine.contract import closed
from harness.engine.global_state import GlobalState
from harness.engine.numerics import numerics
from harness.engine.purity import witnesses
from harness.errors import plugin_faults
from harness.features import FeatureProbe
from harness.interfaces import WhiteBoxProbe
from harness.records import Batch
from harness.testing.probes import arrays_of

if TYPE_CHECKING:
    from harness.interfaces import Classifier, Probe
    from harness.planning.plan import Plan, PlannedTask, Settings

ALIKE = 0.99
"""Least share of the values of a stimulus that must be the same: rounding moves few of them across a threshold."""
CLOSE = 1e-4
"""Largest difference of two values that counts as rounding."""
RELATIVE = 1e-3
"""Likewise of two values of an array, as a share of the larger one."""
ALIKE_ARRAYS = 0.9
"""As `ALIKE`, of arrays made of activations, which may be ranks and the like."""


def unrepeatable(plan: Plan) -> dict[str, str]:
    """Task -> why its probe cannot be used, of the tasks to compute. A probe that raises is left to the run."""
    reasons: dict[tuple[Probe, int], str] = {}
    faults = {}
    for size, task in ((planned.size, task) for planned in plan.passes for task in planned.tasks):
        key = (task.probe, size)
        if key not in reasons:
            reasons[key] = _reason(task, size, plan.settings)
        if reasons[key]:
            faults[task.name] = reasons[key]
    return faults


def _reason(task: PlannedTask, size: int, settings: Settings) -> str:
    state = GlobalState()
    try:
        with numerics(settings), torch.inference_mode():
            whole = list(range(min(3, len(task.layout.sample_ids))))
            turned = whole[1:][::-1] or whole
            first, other = _stimuli(task, size, settings, whole), _stimuli(task, size, settings, turned)
            differs = _differing(first, other, turned)
            again = _differing(first, _stimuli(task, size, settings, whole), whole) if differs else ""
            unlike = _unlike_arrays(task, size, settings, whole, turned) if isinstance(task.probe, FeatureProbe) else ""
    except plugin_faults():
        return ""
    finally:
        state.changes()  # whoever changes settings is named when the run does
    if again:
        return (
            f"probe {task.probe.name} makes another stimulus under {again} each time it is asked: it draws random "
            "numbers of its own, or counts its calls; use batch.noise or batch.uniform"
        )
    if differs and not isinstance(task.probe, WhiteBoxProbe):  # whose gradients are rounded otherwise
        return (
            f"probe {task.probe.name} makes stimuli under {differs} that depend on more than their own image: on the "
            "others of the batch, or on the place among them; its numbers would depend on batch size and order"
        )
    if unlike:
        return (
            f"probe {task.probe.name} makes its array {unlike} of more than the activations of one image: of those of "
            "the others of the batch, or of the place among them; its numbers would depend on batch size and order"
        )
    return ""


def _unlike_arrays(
    task: PlannedTask, size: int, settings: Settings, whole: Sequence[int], turned: Sequence[int]
) -> str:
    """The first array that a small network's activations make otherwise for `turned` images; empty if there is none."""
    first, other = (arrays_of(task.probe, _batch(task, size, settings, rows)) for rows in (whole, turned))
    for condition, arrays in first.items():
        for name, values in arrays.items():
            pairs = values[list(turned)].double(), other[condition][name].double()
            close = torch.isclose(*pairs, rtol=RELATIVE, atol=CLOSE, equal_nan=True)
            if close.double().mean() < ALIKE_ARRAYS:
                return f"{name} under {condition}"
    return ""


def _stimuli(task: PlannedTask, size: int, settings: Settings, rows: Sequence[int]) -> dict[str, torch.Tensor]:
    """Condition -> the stimuli, of `size` pixels, of the made images `rows`."""
    batch = _batch(task, size, settings, rows)
    return {condition: stimulus.detach().clone() for condition, stimulus in _shown(task, batch)}


def _batch(task: PlannedTask, size: int, settings: Settings, rows: Sequence[int]) -> Batch:
    """The made images `rows`, which have ids and targets of the task, for stimuli of `size` pixels."""
    samples, brightness = task.manifest.samples, torch.tensor([1.0, 0.7, 0.9])[:, None, None, None]
    images = (witnesses(task.dataset.preprocessing.size) * brightness * 255).round() / 255
    return Batch(
        images=images[list(rows)],
        sample_ids=tuple(samples[row].id for row in rows),
        targets=tuple(samples[row].targets for row in rows),
        seed=settings.seed,
        size=size,
    )


def _shown(task: PlannedTask, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
    if not isinstance(task.probe, WhiteBoxProbe):
        with closed(task.probe.stimuli(batch)) as stimuli:
            yield from (item[:2] for item, _ in zip(stimuli, task.stimuli, strict=False))
        return
    with torch.inference_mode(False), torch.enable_grad():
        batch = replace(batch, images=batch.images.clone())
        with closed(task.probe.attacks(batch, _classifier(len(task.space.classes)))) as attacks:
            yield from (item[:2] for item, _ in zip(attacks, task.stimuli, strict=False))


def _classifier(classes: int) -> Classifier:
    """A smooth network for attacks: log-probabilities (B, K) of `classes` classes from block means of the images."""
    weight = torch.randn(48, classes, generator=torch.Generator().manual_seed(0))

    def classifier(images: torch.Tensor) -> torch.Tensor:
        pooled = torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)
        return (torch.tanh(pooled) @ weight).log_softmax(dim=1)

    return classifier


def _differing(first: dict[str, torch.Tensor], other: dict[str, torch.Tensor], rows: Sequence[int]) -> str:
    """The first condition whose stimuli of the images `rows` are not those of `other`; empty if there is none."""
    for condition in [name for name in first if name in other]:
        close = (first[condition][list(rows)] - other[condition]).abs() <= CLOSE
        if close.float().mean() < ALIKE:
            return condition
    return ""
