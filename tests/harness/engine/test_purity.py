"""A network is a function of one image: networks that are not are refused when they are loaded, the others never."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engine.networks import LoadedNetworks, load_network
from harness.engine.purity import Steadiness, impurity, witnesses
from harness.errors import CheckpointError, PluginError
from harness.store import RunReader
from tests.helpers.engine import Linear, Made, Source, run, small_images, specs_of

SMALL = small_images()


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


def reusing(network, images):
    """Logits in the same memory each time, as those of a captured CUDA graph are."""
    logits = network.network(images)
    buffer = network.memory.setdefault("logits", torch.zeros(64, logits.shape[1]))
    buffer[: len(logits)] = logits
    return buffer[: len(logits)]


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
    "uses the memory of its logits again": lambda seed: Wrapped(small(seed), reusing),
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
        assert impurity(network, images, network(images[:1]), network(images)) is None


def test_witnesses_are_images_that_differ():
    images = witnesses(64)
    assert images.shape == (3, 3, 64, 64) and images.dtype == torch.float32
    assert 0 <= images.min() and images.max() <= 1
    means = sorted(images.mean((1, 2, 3)).tolist())
    deviations = sorted(images.std((1, 2, 3)).tolist())
    assert means[1] - means[0] > 0.2 and deviations[2] - deviations[0] > 0.1
    assert torch.equal(images, witnesses(64))


class Sees(Linear):
    """A network that is a function of one image, in batches of up to three."""

    def __init__(self, how):
        super().__init__(1)
        self.how, self.memory = how, {}

    def forward(self, images):
        return LARGER[self.how](self, images) if len(images) > 3 else super().forward(images)


def by_address(network, images):
    key = images.data_ptr()
    network.memory.setdefault(key, Linear.forward(network, images))
    return network.memory[key]


LARGER = {
    "centres over the batch": lambda network, images: Linear.forward(network, images - images.mean(0)),
    "answers the first three": lambda network, images: Linear.forward(network, images[[0, 1, 2] + [2] * 5]),
    "answers for another batch size": lambda network, images: -Linear.forward(network, images),
    "caches by address": by_address,
}


@pytest.mark.parametrize("how", LARGER)
def test_a_network_that_sees_its_neighbours_in_larger_batches_fails_alone(tmp_path, how):
    failures, _ = run(tmp_path / "run", {"sees": Sees(how), "steady": Linear(2)}, Made(n=32, preprocessing=SMALL))
    assert set(failures) == {("shades@made", "sees"), ("plain@made", "sees")}
    assert all("sees is not a function of one image" in reason for reason in failures.values())


def test_a_network_that_uses_its_memory_again_is_stored_as_any_other(tmp_path):
    class Reuses(Linear):
        def forward(self, images):
            self.buffer = getattr(self, "buffer", torch.zeros(8, 10, dtype=torch.float16))
            self.buffer[: len(images)] = super().forward(images).half()
            return self.buffer[: len(images)]

    dataset = Made(n=16, preprocessing=SMALL)
    failures, _ = run(tmp_path / "run", {"reuses": Reuses(1), "plain": Linear(1)}, dataset, store="logits")
    reader = RunReader.open(tmp_path / "run")
    assert failures == {}
    for task in ("shades@made", "plain@made"):
        mine, other = (reader.read(task, name).logits(0, 16) for name in ("reuses", "plain"))
        assert (abs(mine.astype(float) - other.astype(float)) < 1e-2).all()


def test_a_network_that_uses_its_memory_again_and_changes_is_noticed():
    network = Wrapped(small(1), reusing)
    steadiness = Steadiness()
    steadiness.note("one", 32, network)
    network.network[-1].bias.data += 1
    assert "differ from those at the beginning" in steadiness.fault("one", 32, network)


def test_a_network_whose_weights_are_overwritten_by_the_next_is_noticed():
    shared, steadiness = Linear(1), Steadiness()

    class Sharing(Source):
        def load(self, spec):
            shared.weight.data.copy_(Linear({"one": 1, "two": 2}[spec.name]).weight)
            return shared

    specs = specs_of("one", "two")
    networks = {name: load_network(spec, Sharing(), 32, steadiness) for name, spec in specs.items()}
    assert "one changed after it was loaded" in steadiness.note("one", 32, networks["one"])
    assert steadiness.note("two", 32, networks["two"]) == ""


def test_a_network_with_other_weights_each_time_it_is_loaded_is_refused():
    seeds, steadiness = iter(range(9)), Steadiness()

    class Drawing(Source):
        def load(self, spec):
            return Linear(next(seeds))

    spec = specs_of("one")["one"]
    load_network(spec, Drawing(), 32, steadiness)
    with pytest.raises(CheckpointError, match="another network each time it is loaded"):
        load_network(spec, Drawing(), 32, steadiness)


def test_equal_networks_are_remarked_on():
    loaded = LoadedNetworks()
    for name, seed in (("one", 1), ("two", 2), ("again", 1)):
        load_network(specs_of(name)[name], Source(**{name: Linear(seed)}), 32, loaded.steadiness)
    assert loaded.steadiness.alike(32) == [["one", "again"]] and loaded.steadiness.alike(64) == []


ANSWERS = {
    "integers": (lambda network, images: (100 * network.network(images)).long(), "logits of torch.int64"),
    "complex": (lambda network, images: torch.complex(*[network.network(images)] * 2), "logits of torch.complex64"),
    "elsewhere": (lambda network, images: network.network(images).to("meta"), "on meta, expected floating-point"),
    "an array": (lambda network, images: network.network(images).numpy(), "logits ndarray, expected"),
    "a tuple": (lambda network, images: (network.network(images),), "logits tuple, expected"),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_answers_that_are_no_logits_are_refused(what):
    answer, reason = ANSWERS[what]
    with pytest.raises(CheckpointError, match=reason):
        load_network(specs_of("one")["one"], Source(one=Wrapped(small(1), answer)), 32)


@pytest.mark.parametrize("loaded", [None, "a network", Linear])
def test_what_is_no_network_is_refused(loaded):
    with pytest.raises(PluginError, match=r"loads \w+, expected torch.nn.Module"):
        load_network(specs_of("one")["one"], Source(one=loaded), 32)


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
