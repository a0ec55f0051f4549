"""Cue reliance: networks whose use of two cues is known, and what their trials must give."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from harness import TaskLayout, Trials, load_plugins, run
from harness.planning.definitions import measure_names
from harness.plugins.datasets.shapes import ShapesCues
from harness.plugins.datasets.shapes.base import CLASSES
from harness.plugins.probes._cue_reliance import cue_reliances
from harness.plugins.probes.accuracy import Accuracy
from harness.views import Views, measures_by_view
from tests.helpers.known_networks import agreeing, pixel_reader, redundant

VIEWS = ("all-cues", "random-texture", "random-silhouette")
CUES = ShapesCues()
SAMPLES = CUES.samples(CUES.root())
LABELS = np.array([sample.targets[0] for sample in SAMPLES])
DRAWN = {
    view: np.array([CLASSES.index(sample.attributes[at]) for sample in SAMPLES]) for at, view in enumerate(VIEWS[1:])
}


def stored(correct, views=VIEWS, classes=16, targets=None):
    """Trials with these right decisions, (images, views) bool."""
    n = len(correct)
    wanted = (np.arange(n) % classes)[:, None] if targets is None else targets
    layout = TaskLayout(
        task="accuracy@d",
        sample_ids=tuple(f"{number:05d}" for number in range(n)),
        targets=np.asarray(wanted, np.int16),
        conditions=tuple(views),
        classes=tuple(f"class-{k}" for k in range(classes)),
        size=8,
        span=64,
    )
    top5 = np.full((n, len(views), 5), -1, np.int16)
    top5[..., 0] = np.where(correct, layout.targets[:, :1], (layout.targets[:, :1] + 1) % classes)
    logp = np.full(top5.shape, -1, np.float16)
    return Trials(model="m", layout=layout, top5=top5, logp=logp, correct=np.asarray(correct, bool))


def reliances(correct, **more):
    """cue -> its measure, as the harness yields them."""
    views = Views.of(stored(correct, **more), ("clean",))
    made = [measure for measure in measures_by_view(Accuracy(), views) if measure.name == "cue-reliance"]
    return {measure.condition: measure for measure in made}


def values(correct, **more):
    return {cue: measure.value for cue, measure in reliances(correct, **more).items()}


# --- decisions that follow from the two cues, on the images of shapes-cues -------------------


def right(table):
    """Which decisions ``table[silhouette, texture]`` on the 256 images are right, (256, 3) bool."""
    cues = (LABELS, LABELS), (LABELS, DRAWN["random-texture"]), (DRAWN["random-silhouette"], LABELS)
    return np.stack([table[silhouette, texture] == LABELS for silhouette, texture in cues], axis=1)


SILHOUETTE, TEXTURE = np.indices((16, 16))
NEITHER = np.array([[next(c for c in range(16) if c not in (s, t)) for t in range(16)] for s in range(16)])


@pytest.mark.parametrize(
    ("table", "texture", "silhouette"),
    [
        pytest.param(SILHOUETTE, 0, 1, id="reads the silhouette"),
        pytest.param(TEXTURE, 1, 0, id="reads the texture"),
        pytest.param(np.where(SILHOUETTE == TEXTURE, SILHOUETTE, NEITHER), 1, 1, id="needs both"),
        pytest.param(np.where((SILHOUETTE + TEXTURE) % 2, SILHOUETTE, TEXTURE), 0.5, 0.5, id="reads either in turn"),
    ],
)
def test_networks_that_read_the_cues_without_a_mistake(table, texture, silhouette):
    """Exactly, since each pair of classes is in each view once; a conjunction has the sum 2."""
    found = values(right(table))
    if texture in (0, 1):
        assert found == {"texture": texture, "silhouette": silhouette}
    else:
        assert sum(found.values()) == pytest.approx(1) and found["texture"] == pytest.approx(0.5, abs=0.1)


@given(st.lists(st.integers(0, 15), min_size=256, max_size=256), st.lists(st.booleans(), min_size=256, max_size=256))
@settings(max_examples=20, deadline=None)
def test_the_sum_over_both_cues_is_from_1_to_2_where_decisions_follow_from_them(decisions, follows):
    """Of networks that are always right where the cues agree: a redundant use of the cues cannot show as 0 and 0."""
    anything = np.where(SILHOUETTE == TEXTURE, SILHOUETTE, np.reshape(decisions, (16, 16)))
    assert 1 - 1e-12 <= sum(values(right(anything)).values()) <= 2 + 1e-12
    one_cue = np.where(np.reshape(follows, (16, 16)), SILHOUETTE, TEXTURE)
    assert sum(values(right(one_cue)).values()) == pytest.approx(1, abs=1e-12)


# --- networks of pixels: the classes of two cues are the brightness of two pixels -------------


def seen_by(network, random_cues):
    """Right decisions of `network` on 64 images in three views, (64, 3) bool; 8 classes.

    Args:
        random_cues: numbers of the images -> brightness of the pixel whose cue is drawn at random, (64,).
    """
    labels = torch.arange(64) % 8
    lit = (labels + 0.5) / 8
    drawn = random_cues(torch.arange(64))
    correct = []
    for first, second in ((lit, lit), (drawn, lit), (lit, drawn)):
        images = torch.zeros(64, 3, 8, 8)
        images[:, 0, 0, 0], images[:, 0, 0, 1] = first, second
        correct.append((network(images).argmax(dim=1) == labels).numpy())
    return np.stack(correct, axis=1)


def of_other_classes(numbers):
    return (numbers // 8 + 0.5) / 8


def of_no_class(numbers):
    return torch.zeros(len(numbers))


@pytest.mark.parametrize(
    ("network", "random_cues", "first", "second"),
    [
        pytest.param(pixel_reader(0, 0), of_other_classes, 1, 0, id="reads the first"),
        pytest.param(pixel_reader(0, 1), of_other_classes, 0, 1, id="reads the second"),
        pytest.param(agreeing((0, 0), (0, 1)), of_other_classes, 1, 1, id="conjunction"),
        pytest.param(redundant((0, 0), (0, 1)), of_no_class, 0, 0, id="redundant, and sees what is random"),
    ],
)
def test_networks_of_pixels_with_known_reliance(network, random_cues, first, second):
    found = values(seen_by(network, random_cues), views=("all-cues", "random-first", "random-second"), classes=8)
    assert found == {"first": first, "second": second}


# --- the number ------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_the_definition_in_exact_fractions(data):
    classes, n = data.draw(st.integers(2, 40)), data.draw(st.integers(1, 120))
    hits, left = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    several = data.draw(st.booleans())
    targets = np.stack([np.arange(n) % classes, np.where(np.arange(n) % 3, -1, (np.arange(n) + 1) % classes)], axis=1)
    targets = targets if several else targets[:, :1]
    correct = np.arange(n)[:, None] < np.array([hits, left])
    found = reliances(correct, views=VIEWS[:2], classes=classes, targets=targets)["texture"]
    chance = Fraction(int((targets >= 0).sum()), n * classes)
    if binomtest(hits, n, min(1.0, float(chance)), alternative="greater").pvalue < 0.001:
        assert found.value == float((Fraction(hits, n) - Fraction(left, n)) / (Fraction(hits, n) - chance))
        assert (found.unit, found.direction, found.n) == ("1", "neither", n)
    else:
        assert found.value is None and "chance" in found.reason and found.low is None


def test_three_of_three_among_ten_classes_are_chance():
    """p = 0.1³ is not below 0.001."""
    found = reliances(np.ones((3, 2), bool), views=VIEWS[:2], classes=10, targets=np.arange(3)[:, None])["texture"]
    assert found.value is None and "p = 0.001" in found.reason


@pytest.mark.parametrize("classes", [3, 7, 10, 16, 1000])
def test_0_and_1_are_exact(classes):
    """Of 10 classes 1/10 is no binary fraction."""
    correct = np.ones((10 * classes, 3), bool)
    correct[10:, 2] = False
    assert values(correct, classes=classes) == {"texture": 0.0, "silhouette": 1.0}


def drawn_decisions(rng, n=256):
    """Decisions on images of three kinds of difficulty, of which the harder ones need the cue more; (n, 2) bool."""
    kind = rng.integers(0, 3, n)
    intact = rng.random(n) < SHARES[kind]
    return np.stack([intact, intact & (rng.random(n) < KEPT[kind])], axis=1)


SHARES, KEPT = np.array([0.4, 0.6, 0.95]), np.array([0.1, 0.55, 0.7])


def directly(correct):
    """The reliance on the texture, without the other measures of the probe."""
    trials = Views.of(stored(correct, views=VIEWS[:2]), ("clean",))
    (measure,) = cue_reliances({view: trials.pooled((at,)) for at, view in enumerate(VIEWS[:2])}, "clean")
    return measure


def test_intervals_hold_the_true_reliance():
    truth = (SHARES.mean() - (SHARES * KEPT).mean()) / (SHARES.mean() - 1 / 16)
    rng = np.random.default_rng(5)
    drawn = [directly(drawn_decisions(rng)) for _ in range(500)]
    assert 0.92 < np.mean([measure.low <= truth <= measure.high for measure in drawn]) < 0.98
    assert all(measure.by_image and measure.n == 256 for measure in drawn)


def test_intervals_are_those_of_a_bootstrap_over_images_and_narrower_than_without_pairs():
    rng = np.random.default_rng(6)
    correct = drawn_decisions(rng)
    whole, left = (correct[rng.integers(0, 256, (4000, 256))].mean(axis=1)).T
    low, high = np.quantile((whole - left) / (whole - 1 / 16), (0.025, 0.975))
    found = directly(correct)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)
    apart = directly(np.stack([correct[:, 0], rng.permutation(correct[:, 1])], axis=1))
    assert apart.value == found.value and found.high - found.low < 0.9 * (apart.high - apart.low)


def test_a_network_that_is_better_off_without_the_cue_has_a_negative_reliance():
    correct = np.arange(64)[:, None] < np.array([32, 40])
    assert values(correct, views=VIEWS[:2]) == {"texture": -8 / 28}


# --- where it is undefined, and where there is none --------------------------------------------


@pytest.mark.parametrize("n", [1, 64, 256])
def test_near_chance_it_is_undefined_and_says_why(n):
    """The border is that of scipy's test."""
    p = [binomtest(hits, n, 1 / 16, alternative="greater").pvalue for hits in range(n + 1)]
    least = next((hits for hits, value in enumerate(p) if value < 0.001), n + 1)
    found = reliances(np.arange(n)[:, None] < np.array([least - 1, 0, 0]))
    for cue in ("texture", "silhouette"):
        assert found[cue].value is None and found[cue].n == n and found[cue].unit == "1"
        assert f"{least - 1} of {n} images with all cues are recognised, chance is {n / 16:.4g}" in found[cue].reason
    if least <= n:
        assert reliances(np.arange(n)[:, None] < np.array([least, 0, 0]))["texture"].value > 0


def test_below_chance_without_labels_and_without_trials_it_is_undefined():
    assert "0 of 256 images" in reliances(np.zeros((256, 3)))["texture"].reason
    unlabelled = reliances(np.zeros((40, 3)), targets=np.full((40, 1), -1))
    assert {measure.reason for measure in unlabelled.values()} == {"no labels"}
    assert directly(np.zeros((0, 2))).reason == "no trials"


@pytest.mark.parametrize(
    "views", [("plain", "random-texture"), ("all-cues", "fog"), ("all-cues-1", "random-1")], ids=",".join
)
def test_other_views_have_none(views):
    assert reliances(np.ones((40, 2)), views=views) == {}


def test_a_suite_may_name_it():
    plugins = load_plugins(entry_points=False)
    made = measure_names(Accuracy(), CUES, plugins.probes)
    assert {f"cue-reliance@shapes-cues/{cue}" for cue in ("texture", "silhouette")} <= made


# --- the networks of the package ---------------------------------------------------------------


@pytest.mark.slow
def test_reliance_of_networks_that_could_learn_one_cue_only(tmp_path):
    """What docs/validation.md says: measured by the same command."""
    names = ("zoo-shape-only", "zoo-texture-only", "zoo-baseline", "zoo-chance")
    study = run(tasks="accuracy@shapes-cues", models=names, out=tmp_path / "run", progress=False).study()
    found = {model.name: model.measures for model in study.models}
    texture, silhouette = (
        {name: found[name][f"cue-reliance@shapes-cues/{cue}"] for name in names} for cue in ("texture", "silhouette")
    )
    assert abs(texture["zoo-shape-only"].value) <= 0.05 and silhouette["zoo-shape-only"].value >= 0.95
    assert texture["zoo-texture-only"].value >= 0.95 and abs(silhouette["zoo-texture-only"].value) <= 0.05
    for measure in (texture["zoo-shape-only"], silhouette["zoo-texture-only"]):
        assert measure.low <= 0 <= measure.high
    for measure in (silhouette["zoo-shape-only"], texture["zoo-texture-only"]):
        assert measure.low <= 1 <= measure.high
    assert texture["zoo-baseline"].low > 0.3 and silhouette["zoo-baseline"].low > 0.5, "it needs both cues"
    assert texture["zoo-chance"].value is None and "chance is 16" in texture["zoo-chance"].reason
