"""Checks for the tests of a probe: its stimuli and its measures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.errors import UnknownNameError
from harness.features import FeatureProbe
from harness.interfaces import WhiteBoxProbe
from harness.layers import chosen, layers_in, tapped
from harness.records import ArraySpec, Batch, Measure, Trials, checked_arrays, columns_of
from harness.testing.made import SmallClassifier, make_batch, part
from harness.views import Views

if TYPE_CHECKING:
    from harness.interfaces import Classifier, Probe


_ALIKE = 0.99
"""Share of values that must agree despite rounded gradients: a flipped sign moves a value across the ball."""


def stimuli_of(probe: Probe, batch: Batch, classifier: Classifier | None = None) -> dict[str, torch.Tensor]:
    """Copies of all stimuli of `batch` by condition; a white-box probe attacks `classifier`, default a new one."""
    return {condition: stimulus for condition, stimulus, _ in _shown(probe, batch, classifier)}


def arrays_of(
    probe: Probe, batch: Batch, classifier: Classifier | None = None
) -> dict[str, Mapping[str, torch.Tensor]]:
    """Copies of all arrays of `batch`, condition -> name -> (B, …); otherwise as `stimuli_of`."""
    return {condition: arrays for condition, _, arrays in _shown(probe, batch, classifier)}


def _shown(
    probe: Probe, batch: Batch, classifier: Classifier | None
) -> Iterator[tuple[str, torch.Tensor, Mapping[str, torch.Tensor]]]:
    """What the probe yields for each condition, copied: a probe may use the memory again for the next."""
    if isinstance(probe, WhiteBoxProbe):
        items = probe.attacks(batch, classifier or SmallClassifier(str(batch.images.device)))
    else:
        items = probe.stimuli(batch)
    observe = _observer(probe, batch) if isinstance(probe, FeatureProbe) else None
    for condition, stimulus, *rest in items:
        arrays = dict(rest[0] if rest else {})
        stimulus = stimulus.detach().clone()
        if observe:
            arrays |= observe(condition, stimulus)
        yield condition, stimulus, {name: values.detach().clone() for name, values in arrays.items()}


def _observer(probe: FeatureProbe, batch: Batch) -> Callable[[str, torch.Tensor], Mapping[str, torch.Tensor]]:
    """What a probe makes of the layers of a small network, which stands for those that it is written for."""
    with torch.random.fork_rng(devices=[]):
        network = SmallClassifier(str(batch.images.device))
    image = torch.zeros(1, 3, batch.size, batch.size, device=batch.images.device)
    layers = replace(layers_in(network, network, image), head="head")  # behind which is a softmax
    try:
        names = chosen(probe, layers, "the small network")
    except UnknownNameError:  # names of the modules of some other network
        names = ("patches",)
    observe = probe.observer(batch, names)

    def arrays(condition: str, stimulus: torch.Tensor) -> Mapping[str, torch.Tensor]:
        with torch.no_grad(), tapped(layers, names) as seen:
            network(stimulus)
        return observe(condition, {name: seen[name] for name in names})

    return arrays


def check_probe(probe: Probe, size: int = 64, device: str = "cpu") -> None:
    """Names, shapes, types, range, no side effects, determinism, and independence of batch size and order.

    A `WhiteBoxProbe` attacks a `SmallClassifier`, which it must not change. Gradients are rounded differently in other
    batches, so only 99 % of the values of its stimuli must be independent of the batch, to 1e-6.
    """
    conditions = probe.conditions(size)
    assert conditions, "no conditions"
    assert len(set(conditions)) == len(conditions), f"a condition occurs twice: {conditions}"
    columns_of(("view-1", "view-2"), conditions)
    assert isinstance(probe.version, int) and probe.version >= 1, "version is a positive integer"
    assert isinstance(probe.effort(), int) and probe.effort() >= 1, "effort is a positive number of forwards"
    assert (type(probe).__doc__ or "").strip(), "a probe's docstring states what it measures and cites its source"
    side = probe.side(size)
    assert type(side) is int and side >= 1, f"side({size}) is {side!r}, expected a positive number of pixels"
    batch, classifier = make_batch(size=size, device=device, side=side), SmallClassifier(device)
    before, random_state = batch.images.clone(), torch.get_rng_state()
    together = stimuli_of(probe, batch, classifier)
    assert tuple(together) == conditions, f"announced {conditions}, gave {tuple(together)}"
    assert torch.equal(batch.images, before), "the batch's images were modified in place"
    assert not batch.images.requires_grad, "the batch's images were made to require a gradient; detach them first"
    assert torch.equal(torch.get_rng_state(), random_state), "torch's global generator was used; use batch.noise"
    for condition, stimulus in together.items():
        shape = (len(before), 3, size, size)
        assert stimulus.shape == shape, f"{condition}: {tuple(stimulus.shape)}, expected {shape}"
        assert stimulus.dtype == torch.float32, f"{condition}: {stimulus.dtype}, expected torch.float32"
        low, high = (float(value) for value in torch.aminmax(stimulus))
        assert 0 <= low and high <= 1, f"{condition}: values from {low} to {high} leave [0, 1]"
    _check_untouched(classifier, device)
    _check_independence(probe, batch, together)
    _check_arrays(probe, batch, checked_arrays(probe.arrays(size)))


def _check_untouched(classifier: SmallClassifier, device: str) -> None:
    """The attacked network has unchanged weights, no gradients, and is still frozen and in eval mode."""
    fresh = SmallClassifier(device).state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in classifier.state_dict().items()), (
        "the network's weights were changed"
    )
    assert not any(module.training for module in classifier.modules()), "the network was put into training mode"
    for name, parameter in classifier.named_parameters():
        assert not parameter.requires_grad, f"the network's {name} was made to require a gradient"
        assert parameter.grad is None, f"gradients accumulated in the network's {name}; use torch.autograd.grad"


def _check_independence(probe: Probe, batch: Batch, together: Mapping[str, torch.Tensor]) -> None:
    """A stimulus depends only on (seed, sample id, condition), bit for bit; attacks also on rounding."""
    n, exact = len(batch.sample_ids), not isinstance(probe, WhiteBoxProbe)
    repeatable = exact or batch.images.device.type == "cpu"  # elsewhere kernels of gradients may add in any order
    _check_same(stimuli_of(probe, batch), together, "the same batch a second time", repeatable)
    orders = [[row] for row in range(n)] + [list(reversed(range(n)))]
    for rows in orders:
        parts = {condition: stimulus[rows] for condition, stimulus in together.items()}
        _check_same(stimuli_of(probe, part(batch, rows)), parts, f"samples {rows} alone, not in a batch of {n}", exact)


def _check_arrays(probe: Probe, batch: Batch, specs: Mapping[str, ArraySpec]) -> None:
    """The arrays are those declared, and depend on their sample alone, up to rounding; those of attacks mostly."""
    n, together = len(batch.sample_ids), arrays_of(probe, batch)
    for condition, arrays in together.items():
        assert set(arrays) == set(specs), f"{condition}: arrays {sorted(arrays)}, declared are {sorted(specs)}"
        for name, spec in specs.items():
            shape, dtype = tuple(arrays[name].shape), str(arrays[name].dtype).removeprefix("torch.")
            assert (shape, dtype) == ((n, *spec.shape), spec.dtype), (
                f"{condition}: array {name} is {dtype} {shape}, expected {spec.described}"
            )
            assert not spec.finite or bool(torch.isfinite(arrays[name]).all()), (
                f"{condition}: array {name} is NaN or infinite; declare ArraySpec(finite=False) if that is meant"
            )
    least = _ALIKE if isinstance(probe, WhiteBoxProbe) else 1
    for rows in [list(range(n)), [0], list(reversed(range(n)))] if specs else ():
        for condition, arrays in arrays_of(probe, part(batch, rows)).items():
            for name, values in arrays.items():
                expected = together[condition][name][rows].double()
                close = torch.isclose(values.double(), expected, rtol=1e-4, atol=1e-6, equal_nan=True)
                share = float(close.float().mean())
                assert share >= least, (
                    f"{condition}: array {name} of samples {rows}: {share:.0%} of the values are as in a batch of {n}"
                )


def _check_same(
    stimuli: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], comparison: str, exact: bool
) -> None:
    for condition, stimulus in stimuli.items():
        if exact:
            assert torch.equal(stimulus, expected[condition]), f"{condition}: {comparison}: a different stimulus"
        else:
            share = float(((stimulus - expected[condition]).abs() <= 1e-6).float().mean())
            assert share >= _ALIKE, f"{condition}: {comparison}: {share:.0%} of the values agree, expected {_ALIKE:.0%}"


def check_measures(probe: Probe, trials: Trials) -> list[Measure]:
    """Measures are `Measure` records with distinct names, and deterministic.

    The same trials as two views of each image must give the same fractions in each view and over both.
    """
    measures = list(probe.measures(trials))
    assert measures, "no measures"
    names = [measure.full_name("dataset") for measure in measures]
    assert len(set(names)) == len(names), f"a measure occurs twice: {sorted(names)}"
    assert measures == list(probe.measures(trials)), "the same trials gave different measures"
    over_views, in_view = _of_two_views(probe, trials)
    pooled, of_view = (
        {measure.full_name("dataset"): measure for measure in measured} for measured in (over_views, in_view)
    )
    for name, measure in zip(names, measures, strict=True):
        for views, values in (("over two equal views", pooled), ("in one of two equal views", of_view)):
            if measure.unit == "fraction" and measure.value is not None and name in values:
                other = values[name].value
                assert other is not None and math.isclose(other, measure.value, rel_tol=1e-9), (
                    f"{name} is {measure.value} for these trials, but {other} {views}; if rows of one image are "
                    "pooled (Trials.repeats), every row counts"
                )
    return measures


def _of_two_views(probe: Probe, trials: Trials) -> tuple[list[Measure], list[Measure]]:
    """The measures over two views with the same `trials`, and those of the first view, as in the harness."""
    views = _twice(trials)
    return list(probe.measures(views.pooled((0, 1)))), list(probe.measures_of_view(views.pooled((0,))))


def _twice(trials: Trials) -> Views:
    """A cell with two equal views from one without views."""
    conditions = trials.layout.conditions
    doubled = replace(
        trials,
        layout=replace(trials.layout, conditions=columns_of(("view-1", "view-2"), conditions)),
        top5=np.concatenate((trials.top5, trials.top5), axis=1),
        logp=np.concatenate((trials.logp, trials.logp), axis=1),
        correct=np.concatenate((trials.correct, trials.correct), axis=1),
        rank=None if trials.rank is None else np.concatenate((trials.rank, trials.rank), axis=1),
        required={},
        logits=None if trials.logits is None else partial(_doubled, trials.logits),
        arrays={name: partial(_doubled, read) for name, read in trials.arrays.items()},
    )
    return Views.of(doubled, conditions, {name: _twice(needed) for name, needed in trials.required.items()})


def _doubled(read: Callable[[int, int], np.ndarray], low: int, high: int) -> np.ndarray:
    values = read(low, high)
    return np.concatenate((values, values), axis=1)
