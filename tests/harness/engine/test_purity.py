"""A network is a function of one image: networks that are not are refused when they are loaded, the others never."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engine.networks import load_network
from harness.engine.purity import Steadiness, impurity, witnesses
from harness.errors import CheckpointError
from tests.helpers.engine import Linear, Source, run, specs_of


def small(seed, *layers):
    """A random convolutional network of ten outputs, with `layers` in its middle."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, stride=2),
            torch.nn.BatchNorm2d(8),
            torch.nn.ReLU(),
            *layers,
            torch.nn.AdaptiveAvgPool2d(2),
            torch.nn.Flatten(),
            torch.nn.Linear(32, 10),
        )


class Wrapped(torch.nn.Module):
    """A network with a mistake of its own in forward."""

    def __init__(self, network, forward):
        super().__init__()
        self.network, self._forward, self.memory = network, forward, {}

    def forward(self, images):
        return self._forward(self, images)


class BatchStatistics(torch.nn.Module):
    """Instance normalization written over the wrong axes."""

    def forward(self, features):
        return (features - features.mean((0, 2, 3), keepdim=True)) / (features.std((0, 2, 3), keepdim=True) + 1e-3)


def in_training(network, images):
    network.network.train()
    return network.network(images)


def cached(network, images):
    return network.memory.setdefault(images.shape, network.network(images))


def cached_once(network, images):
    return network.memory.setdefault("logits", network.network(images))


def late(network, images):
    """The answer to the images before."""
    before = network.memory.get("images", images)
    network.memory["images"] = images
    return network.network(before[: len(images)])


def places(network, images):
    """The place in the batch is taken for a feature."""
    return network.network(images) * (1 + 0.1 * torch.arange(len(images)))[:, None]


def counting(network, images):
    network.memory["n"] = network.memory.get("n", 0) + 1
    return network.network(images) * (1 + 0.05 * network.memory["n"])


IMPURE = {
    "switches to training mode": lambda seed: Wrapped(small(seed), in_training),
    "centres over the batch": lambda seed: Wrapped(small(seed), lambda self, x: self.network(x - x.mean(0))),
    "batch statistics": lambda seed: small(seed, BatchStatistics()),
    "dropout left on": lambda seed: Wrapped(
        small(seed), lambda self, x: self.network(torch.nn.functional.dropout(x, 0.02, training=True))
    ),
    "noise on the image": lambda seed: Wrapped(small(seed), lambda self, x: self.network(x + torch.randn_like(x) / 5)),
    "noise on the logits": lambda seed: Wrapped(
        small(seed), lambda self, x: self.network(x) + torch.randn(len(x), 10) / 10
    ),
    "caches by shape": lambda seed: Wrapped(small(seed), cached),
    "caches the first answer": lambda seed: Wrapped(small(seed), cached_once),
    "answers the images before": lambda seed: Wrapped(small(seed), late),
    "reads the place in the batch": lambda seed: Wrapped(small(seed), places),
    "counts its calls": lambda seed: Wrapped(small(seed), counting),
    "softmax over the batch": lambda seed: Wrapped(small(seed), lambda self, x: self.network(x).softmax(0)),
}
PURE = {
    "plain": small,
    "instance statistics": lambda seed: small(seed, torch.nn.InstanceNorm2d(8)),
    "group statistics": lambda seed: small(seed, torch.nn.GroupNorm(2, 8)),
    "dropout that is off": lambda seed: small(seed, torch.nn.Dropout(0.5)),
    "constant": lambda seed: Wrapped(small(seed), lambda self, x: torch.zeros(len(x), 10) + 0 * x.mean()),
    "centres each image": lambda seed: Wrapped(small(seed), lambda self, x: self.network(x - x.mean((1, 2, 3), True))),
    "large logits": lambda seed: Wrapped(small(seed), lambda self, x: 1e6 * self.network(x)),
    "an image that is not finite": lambda seed: Wrapped(
        small(seed), lambda self, x: torch.where(x.mean((1, 2, 3))[:, None] > 0.4, torch.nan, self.network(x))
    ),
}


@pytest.mark.parametrize("kind", IMPURE)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_every_impure_network_is_refused(kind, seed):
    with pytest.raises(CheckpointError, match=r"not a function of one image|cannot forward"):
        load_network(specs_of("one")["one"], Source(one=IMPURE[kind](seed)), 32)


@pytest.mark.parametrize("kind", PURE)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_no_pure_network_is_refused(kind, seed):
    load_network(specs_of("one")["one"], Source(one=PURE[kind](seed)), 32)


def test_the_reason_names_what_is_likely():
    def reason(network):
        with pytest.raises(CheckpointError) as caught:
            load_network(specs_of("one")["one"], Source(one=network), 32)
        return str(caught.value)

    training = reason(Wrapped(small(1), in_training))
    assert "differently alone and among others" in training and "training mode in its forward (network" in training
    noisy = reason(IMPURE["noise on the image"](1))
    assert "differently in two equal forwards" in noisy and "dropout or noise that stays on" in noisy
    assert "\n" not in training + noisy


@pytest.mark.parametrize(
    "name",
    [
        "vit_tiny_patch16_224",
        "convnext_atto",
        pytest.param("resnet18", marks=pytest.mark.slow),
        pytest.param("swin_tiny_patch4_window7_224", marks=pytest.mark.slow),
        pytest.param("mixer_s32_224", marks=pytest.mark.slow),
    ],
)
def test_networks_of_timm_with_random_weights_are_pure(name):
    import timm

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model(name, pretrained=False).eval()
    images = witnesses(224)
    with torch.inference_mode():
        assert impurity(network, images, network(images[:1])) is None


def test_witnesses_are_images_that_differ():
    images = witnesses(64)
    assert images.shape == (3, 3, 64, 64) and images.dtype == torch.float32
    assert 0 <= images.min() and images.max() <= 1
    means = sorted(images.mean((1, 2, 3)).tolist())
    deviations = sorted(images.std((1, 2, 3)).tolist())
    assert means[1] - means[0] > 0.2 and deviations[2] - deviations[0] > 0.1
    assert torch.equal(images, witnesses(64))


class Turns(Linear):
    """A network that becomes another after some forwards."""

    def __init__(self, after):
        super().__init__(1)
        self.left = after

    def forward(self, images):
        self.left -= 1
        return super().forward(images) * (1 if self.left > 0 else -1)


def test_a_network_that_changes_while_it_runs_fails_alone(tmp_path):
    failures, _ = run(tmp_path / "run", {"turns": Turns(12), "steady": Linear(2)})
    assert set(failures) == {("shades@made", "turns"), ("plain@made", "turns")}
    assert all("turns changed while it ran" in reason for reason in failures.values())


def test_rounding_is_steady():
    network = Linear(1)
    steadiness = Steadiness()
    assert steadiness.fault("one", 32, network) == ""  # nothing noted
    steadiness.note("one", 32, network)
    network.weight.data *= 1 + 1e-5
    assert steadiness.fault("one", 32, network) == ""
    network.weight.data *= 1.01
    assert "differ from those at the beginning" in steadiness.fault("one", 32, network)
