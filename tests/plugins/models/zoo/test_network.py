"""The network of the zoo, its fronts, its augmentations and its losses, against independent computations."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import CheckpointError, ModelSpec, sha256_of
from harness.plugins.models._zoo.downsampling import name_of, parts_of
from harness.plugins.models._zoo.network import AdaptivePolyphase, BandFilter, ShapesNet, build
from harness.plugins.models._zoo.training.augmentation import augmented, mixed
from harness.plugins.models._zoo.training.losses import attacked, nt_xent
from harness.plugins.models._zoo.training.recipe import Adversary, Augmentations, Recipe
from harness.plugins.models._zoo.training.storage import Place
from harness.plugins.models.checkpoint import Checkpoint


def images(count=8, seed=0):
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


def network(front="plain", seed=0):
    """An untrained network in eval mode whose running statistics are those of some images."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        built = build(front).train()
    with torch.no_grad():
        for _ in range(30):
            built(images(32, seed=1))
    return built.eval()


APS = network("aps").requires_grad_(False)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# --- network ---------------------------------------------------------------------------------


@pytest.mark.parametrize("front", ["plain", "low-pass-6", "band-pass-6-16", "high-pass-16"])
def test_57_712_parameters_with_the_head(front):
    convolutions = 9 * (3 * 16 + 16 * 32 + 32 * 48 + 48 * 56)
    normalization = 2 * (16 + 32 + 48 + 56)
    head = 16 * (56 * 4 * 4) + 16
    assert convolutions + normalization + head == 57_712
    assert sum(parameter.numel() for parameter in build(front).parameters()) == 57_712
    assert build(front).state_dict().keys() == ShapesNet().state_dict().keys()


# --- downsampling ----------------------------------------------------------------------------


@pytest.mark.parametrize("downsampling", ["blur-pool", "aps"])
def test_a_pooled_network_has_36_376_parameters_and_keys_of_three_stages(downsampling):
    convolutions = 9 * (3 * 24 + 24 * 48 + 48 * 56)
    assert convolutions + 2 * (24 + 48 + 56) + 16 * 56 + 16 == 36_376
    built = build(downsampling)
    assert sum(parameter.numel() for parameter in built.parameters()) == 36_376
    assert built.state_dict().keys() == {key for key in ShapesNet().state_dict() if "stages.3" not in key}


@pytest.mark.parametrize(
    ("front", "downsampling", "name"),
    [("plain", "stride", "plain"), ("plain", "aps", "aps"), ("low-pass-6", "stride", "low-pass-6"),
     ("band-pass-6-16", "blur-pool", "band-pass-6-16+blur-pool")],
)  # fmt: skip
def test_the_name_of_an_architecture(front, downsampling, name):
    assert name_of(front, downsampling) == name and parts_of(name) == (front, downsampling)
    assert build(name).pooled == (downsampling != "stride")


@pytest.mark.parametrize("name", ["aps+plain", "APS", "plain+max", "+", "+aps", "aps+aps"])
def test_architectures_that_do_not_exist(name):
    with pytest.raises(ValueError, match="known: plain"):
        build(name)


def circular_convolution(image, kernels):
    """(O, h, w) float64 of (C, h, w): one product for each tap of the 3 x 3 kernels (O, C, 3, 3)."""
    result = np.zeros((len(kernels), *image.shape[1:]))
    for row in range(3):
        for column in range(3):
            shifted = np.roll(image, (1 - row, 1 - column), (1, 2))
            result += np.einsum("oc,chw->ohw", kernels[:, :, row, column], shifted)
    return result


def transcribed_stage(image, stage, downsampling):
    """A stage in float64, from the papers."""
    values = {name: value.double().numpy() for name, value in stage.state_dict().items()}
    image = circular_convolution(image, values["0.weight"])
    scale = values["1.weight"] / np.sqrt(values["1.running_var"] + 1e-5)
    image = (image - values["1.running_mean"][:, None, None]) * scale[:, None, None] + values["1.bias"][:, None, None]
    return transcribed_halving(np.maximum(image, 0), downsampling)


def transcribed_halving(image, downsampling):
    """Every second value of (C, 2h, 2w) float64."""
    if downsampling == "aps":
        grids = [image[:, i::2, j::2] for i in range(2) for j in range(2)]
        return max(grids, key=lambda grid: np.linalg.norm(grid))
    taps = np.outer([1, 2, 1], [1, 2, 1]) / 16
    blurred = sum(taps[i, j] * np.roll(image, (1 - i, 1 - j), (1, 2)) for i in range(3) for j in range(3))
    return blurred[:, ::2, ::2]


@pytest.mark.parametrize("downsampling", ["blur-pool", "aps"])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_pooled_network_is_what_its_paper_says(downsampling, frozen):
    pooled = network(downsampling).requires_grad_(not frozen)
    shown = images(4, seed=3)
    for image, logits in zip(shown, pooled(shown), strict=True):
        values = transcribed_halving(image.double().numpy() - 0.5, downsampling)
        for stage in pooled.stages:
            values = transcribed_stage(values, stage, downsampling)
        weight, bias = pooled.head.weight.detach().double().numpy(), pooled.head.bias.detach().double().numpy()
        np.testing.assert_allclose(logits.detach(), weight @ values.mean(axis=(1, 2)) + bias, atol=1e-5)


@given(st.integers(-32, 32), st.integers(-32, 32), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_aps_answers_every_circular_shift_alike_and_a_stride_does_not(down, right, seed):
    shown = images(4, seed)
    pooled = APS(shown.roll((down, right), (2, 3)))
    torch.testing.assert_close(pooled, APS(shown), atol=2e-6, rtol=1e-6)


def test_a_stride_answers_shifts_differently():
    shown, plain = images(4), network("plain").requires_grad_(False)
    assert (plain(shown.roll((1, 1), (2, 3))) - plain(shown)).abs().max() > 0.01


def test_of_equal_grids_the_first_is_taken_for_each_image_alone():
    flat = torch.ones(2, 3, 4, 4)
    flat[1, :, 1::2, 0::2] = 2.0
    assert torch.equal(AdaptivePolyphase()(flat), torch.stack([torch.ones(3, 2, 2), torch.full((3, 2, 2), 2.0)]))


def by_numpy(image, low, high):
    """Each channel's Fourier coefficients, kept one by one."""
    kept = np.zeros_like(image)
    for channel in range(3):
        spectrum = np.fft.fft2(image[channel].astype(np.float64))
        for i in range(64):
            for j in range(64):
                if not low <= max(min(i, 64 - i), min(j, 64 - j)) < high:
                    spectrum[i, j] = 0
        kept[channel] = np.fft.ifft2(spectrum).real
    return kept


@pytest.mark.parametrize(("low", "high"), [(0, 6), (6, 16), (16, 64), (0, 1)])
def test_the_filter_keeps_what_it_says(low, high):
    given = images(2)
    found = BandFilter(low, high)(given).numpy()
    expected = np.stack([by_numpy(image, low, high) for image in given.numpy()])
    np.testing.assert_allclose(found, expected + (0.5 if low else 0), atol=1e-5)


@pytest.mark.parametrize("cutoff", [1, 6, 31])
def test_what_two_filters_keep_is_everything(cutoff):
    both = build(f"low-pass-{cutoff}").front(images()) + build(f"high-pass-{cutoff}").front(images())
    torch.testing.assert_close(both, images() + 0.5, atol=1e-5, rtol=0)


def test_a_network_cannot_see_what_its_front_removes():
    noise = images(seed=5) - 0.5
    above = build("high-pass-6").front(noise) - 0.5
    below = build("low-pass-6").front(noise)
    blind, seeing = network("low-pass-6"), network()
    with torch.no_grad():
        unseen = (blind(images() + above) - blind(images())).abs().max()
        assert unseen < 1e-4
        assert (seeing(images() + above) - seeing(images())).abs().max() > 0.1
        assert (blind(images() + below) - blind(images())).abs().max() > 0.1


# --- the registry's `arch: zoo:FRONT` --------------------------------------------------------


def entry(place, front):
    return ModelSpec(
        name="my-net",
        source="checkpoint",
        arch=f"zoo:{front}",
        outputs=16,
        label_space="shapes-16",
        weights=(f"file:{place.weights}",),
        sha256=sha256_of(place.weights),
    )


@pytest.mark.parametrize("front", ["plain", "low-pass-6", "band-pass-6-16", "high-pass-16"])
def test_a_saved_network_is_loaded_bit_for_bit(tmp_path, front):
    saved, place = network(front), Place(tmp_path, "my-net")
    place.save(saved, Recipe(front=front), [], {})
    state = torch.get_rng_state()
    loaded = Checkpoint().load(entry(place, front))
    assert torch.equal(torch.get_rng_state(), state)
    with torch.inference_mode():
        expected = saved(images())
        assert torch.equal(loaded(images()), expected)
        assert torch.equal(place.load()(images()), expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"outputs": 1000}, "has 16 outputs, the entry says 1000; write `outputs: 16`"),
        ({"arch": "zoo:low-pass-40"}, "known: plain, low-pass-R"),
        ({"arch": "zoo:"}, "known: plain, low-pass-R"),
        ({"arch": "zoos:plain"}, "must be timm:NAME or torchvision:NAME, such as torchvision:resnet50, or zoo:FRONT"),
    ],
)
def test_entries_that_fit_no_network_of_the_zoo(tmp_path, change, words):
    place = Place(tmp_path, "my-net")
    place.save(network(), Recipe(), [], {})
    with pytest.raises(CheckpointError) as error:
        Checkpoint().load(replace(entry(place, "plain"), **change))
    assert words in str(error.value) and "'my-net'" in str(error.value)
    assert "\n" not in str(error.value)


# --- augmentation ----------------------------------------------------------------------------

ALL = Augmentations(
    crop=0.5, noise=0.3, blur=2.0, colour=0.8, grey=0.3, cutout=16, shuffle=0.5, low_pass=(4, 12), high_pass=(2, 9)
)
NOTHING = Augmentations(shift=0)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), strength=st.floats(0, 1))
def test_augmented_images_stay_images(seed, strength):
    how = ALL.model_copy(update={"noise": strength, "colour": strength, "filtered": strength})
    out = augmented(images(4, seed), how, generator(seed))
    assert out.shape == (4, 3, 64, 64) and out.dtype == torch.float32
    assert 0 <= out.min() and out.max() <= 1
    assert torch.equal(out, augmented(images(4, seed), how, generator(seed)))


def test_another_seed_gives_other_images():
    assert not torch.equal(augmented(images(), ALL, generator(1)), augmented(images(), ALL, generator(2)))


def test_nothing_changes_nothing():
    assert torch.equal(augmented(images(), NOTHING, generator()), images())


def test_a_crop_of_the_whole_image_is_the_image():
    out = augmented(images(), NOTHING.model_copy(update={"crop": 1.0}), generator())
    torch.testing.assert_close(out, images(), atol=1e-5, rtol=0)


def test_a_shift_moves_all_alike_and_keeps_the_inside():
    given = images()
    inside = augmented(given, Augmentations(shift=3), generator(4))[..., 3:-3, 3:-3]
    moves = [(x, y) for x in range(7) for y in range(7) if torch.equal(inside, given[..., y : y + 58, x : x + 58])]
    assert len(moves) == 1


def test_shuffling_keeps_the_tiles():
    given = images(2)
    out = augmented(given, NOTHING.model_copy(update={"shuffle": 1.0}), generator())
    assert not torch.equal(out, given)
    for before, after in zip(given, out, strict=True):
        assert tiles(before) == tiles(after)


def tiles(image):
    return sorted(
        image[:, i : i + 16, j : j + 16].numpy().tobytes() for i in range(0, 64, 16) for j in range(0, 64, 16)
    )


def test_grey_blur_and_cutout_do_what_they_say():
    grey = augmented(images(), NOTHING.model_copy(update={"grey": 1.0}), generator())
    torch.testing.assert_close(grey, images().mean(1, keepdim=True).expand(-1, 3, -1, -1))
    blurred = augmented(images(), NOTHING.model_copy(update={"blur": 3.0, "filtered": 1.0}), generator(1))
    assert blurred.var() < images().var() / 4
    flat = torch.full((2, 3, 64, 64), 0.3)
    how = NOTHING.model_copy(update={"blur": 3.0, "filtered": 1.0})
    torch.testing.assert_close(augmented(flat, how, generator(1)), flat)
    cut = augmented(images(), NOTHING.model_copy(update={"cutout": 20}), generator())
    assert ((cut == 0.5).all(1).sum((1, 2)) == 400).all()


def test_low_pass_augmentation_leaves_no_high_frequencies():
    how = NOTHING.model_copy(update={"low_pass": (6, 6), "filtered": 1.0})
    smooth = 0.5 + 0.1 * (images() - 0.5)  # never clipped
    torch.testing.assert_close(augmented(smooth, how, generator()), BandFilter(0, 6)(smooth))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), alpha=st.floats(0.05, 4))
def test_mixup_mixes_images_and_targets_in_one_share(seed, alpha):
    targets = torch.eye(16)[:8]
    mixed_images, mixed_targets = mixed(images(), targets, alpha, generator(seed))
    torch.testing.assert_close(mixed_targets.sum(1), torch.ones(8))
    assert 0 <= mixed_targets.min()
    # targets are one-hot, so the row itself is the mixing matrix of the images
    again = torch.einsum("ij,jchw->ichw", mixed_targets[:, :8], images())
    torch.testing.assert_close(mixed_images, again, atol=1e-5, rtol=0)


def test_shares_of_mixup_have_a_beta_distribution():
    from scipy import stats

    drawing, shares = generator(3), []
    for _ in range(600):
        mixed_images, _ = mixed(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1), torch.zeros(2, 16), 0.4, drawing)
        shares.append(mixed_images.flatten()[0].item())
    drawn = [share for share in shares if share > 0]  # in half of the cases each is mixed with itself
    assert stats.kstest(drawn, stats.beta(0.4, 0.4).cdf).pvalue > 0.001


# --- losses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("epsilon", [0.5, 4.0])
def test_an_attack_stays_within_its_ball_and_raises_the_loss(norm, epsilon):
    target = network(seed=3)
    truth = torch.eye(16)[torch.arange(8) % 16]
    weights = {key: value.clone() for key, value in target.state_dict().items()}
    out = attacked(target, images(), truth, Adversary(norm=norm, epsilon=epsilon, steps=5), generator())
    change = (out - images()).flatten(1)
    radius = epsilon / 255 if norm == "linf" else epsilon
    sizes = change.abs().amax(1) if norm == "linf" else change.norm(dim=1)
    assert 0 <= out.min() and out.max() <= 1
    assert (sizes <= radius * (1 + 1e-5) + 1e-7).all()
    assert (sizes > radius * 0.5).all()
    assert target.training
    assert all(torch.equal(value, weights[key]) for key, value in target.state_dict().items())
    cross_entropy = torch.nn.functional.cross_entropy
    with torch.no_grad():
        target.eval()
        assert cross_entropy(target(out), truth) > cross_entropy(target(images()), truth)


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_nt_xent_is_that_of_its_paper(temperature):
    codes = torch.nn.functional.normalize(torch.randn(10, 6, generator=generator()), dim=1)
    losses = []
    for i in range(10):
        similar = [math.exp(float(codes[i] @ codes[k]) / temperature) for k in range(10)]
        positive = similar[i + 5 if i < 5 else i - 5]
        losses.append(-math.log(positive / (sum(similar) - similar[i])))
    assert float(nt_xent(codes, temperature)) == pytest.approx(sum(losses) / 10, rel=1e-5)
