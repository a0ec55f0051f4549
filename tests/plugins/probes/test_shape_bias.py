"""The shape-bias probe: counting rules, and the published counts from single decisions."""

import csv
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint

from harness import Batch, DatasetError, TaskLayout, Trials
from harness.plugins.probes.shape_bias import ShapeBias, count_decisions
from harness.views import Views, measures_by_view
from tests.helpers.places import REAL as SHARED_REAL

DECISIONS = SHARED_REAL / "decisions"
CLASSES = ("bear", "cat", "dog")
SIXTEEN = (*CLASSES, *(f"other{at}" for at in range(13)))


def trials(chosen, shapes, textures, extra_target=-1, classes=CLASSES):
    targets = np.array([[classes.index(shape), extra_target] for shape in shapes], dtype=np.int16).reshape(-1, 2)
    top5 = np.full((len(shapes), 1, 5), -1, dtype=np.int16)
    top5[:, 0, 0] = [classes.index(one) if one in classes else -1 for one in chosen]
    layout = TaskLayout(
        task="shape-bias@toy",
        sample_ids=tuple(map(str, range(len(shapes)))),
        targets=targets,
        conditions=("clean",),
        classes=tuple(classes),
        size=8,
        span=16,
        attributes={"texture": tuple(textures)},
    )
    correct = top5[:, :, 0] == targets[:, :1]
    return Trials(model="m", layout=layout, top5=top5, logp=np.zeros(top5.shape, np.float16), correct=correct)


def measured(*args, **kwargs):
    return {measure.name: measure for measure in ShapeBias().measures(trials(*args, **kwargs))}


def test_counts():
    chosen = ["cat", "dog", "bear", "cat", "dog"] * 5
    shapes = ["cat", "cat", "cat", "cat", "cat"] * 5
    textures = ["dog", "dog", "dog", "cat", "bear"] * 5
    found = measured(chosen, shapes, textures, classes=SIXTEEN)
    values = {name: measure.value for name, measure in found.items()}
    assert values == {
        "shape-decisions": 5, "texture-decisions": 5, "conflict-trials": 20, "shape-bias": 0.5,
        "shape-accuracy": 0.25, "texture-accuracy": 0.25, "neither-cue": 0.5,
    }  # fmt: skip
    assert found["shape-bias"].n == 10
    assert found["shape-bias"].direction == "neither"
    assert found["shape-bias"].low < 0.5 < found["shape-bias"].high


def test_shares_of_all_decisions_have_n_and_wilson_intervals():
    """A network with a shape bias of 1 may recognise next to nothing: the shares tell it apart."""
    seldom = measured(["cat"] * 24 + ["bear"] * 56, ["cat"] * 80, ["dog"] * 80, classes=SIXTEEN)
    assert seldom["shape-bias"].value == 1
    for name, hits in (("shape-accuracy", 24), ("texture-accuracy", 0), ("neither-cue", 56)):
        interval = proportion_confint(hits, 80, method="wilson")
        found = seldom[name]
        assert (found.value, found.n, found.unit, found.direction) == (hits / 80, 80, "fraction", "neither")
        assert (found.low, found.high) == pytest.approx(interval, abs=1e-12)


@given(st.lists(st.tuples(st.sampled_from((*CLASSES, "none")), *[st.sampled_from(CLASSES)] * 2), max_size=30))
@settings(max_examples=50, deadline=None)
def test_shares_add_up_to_one_and_agree_with_the_counts(rows):
    """No decision ("none") names neither cue; images without a conflict do not count."""
    found = measured(*zip(*rows, strict=True)) if rows else measured([], [], [])
    shares = [found[name].value for name in ("shape-accuracy", "texture-accuracy", "neither-cue")]
    conflicts = found["conflict-trials"].value
    if not conflicts:
        assert shares == [None] * 3 and "conflict" in found["neither-cue"].reason
        return
    assert sum(shares) == pytest.approx(1)
    assert shares[:2] == [found["shape-decisions"].value / conflicts, found["texture-decisions"].value / conflicts]


def test_shares_over_views_have_intervals_between_images():
    layout_of = trials(["cat"] * 6, ["cat"] * 6, ["dog"] * 6)
    layout = replace(layout_of.layout, conditions=("a", "b"))
    top5 = np.full((6, 2, 5), -1, np.int16)
    top5[:, :, 0] = [[1, 1], [1, 2], [1, 1], [0, 0], [1, 0], [2, 2]]
    logp = np.zeros(top5.shape, np.float16)
    viewed = Trials(model="m", layout=layout, top5=top5, logp=logp, correct=top5[:, :, 0] == 1)
    views = Views(trials=viewed, names=("a", "b"), conditions=("clean",))
    found = {measure.full_name("d"): measure for measure in measures_by_view(ShapeBias(), views)}
    images = np.array([1, 0.5, 1, 0, 0.5, 0])
    error = 1.96 * images.std(ddof=1) / len(images) ** 0.5
    pooled = found["shape-accuracy@d"]
    assert (pooled.value, pooled.n) == (0.5, 12)
    assert (pooled.low, pooled.high) == pytest.approx((0.5 - error, 0.5 + error))
    assert found["shape-accuracy@d/b"].value == pytest.approx(2 / 6)


def decided(shape, texture, conflicts, classes=SIXTEEN):
    """The shape bias of so many decisions for each cue; all others name the last class."""
    chosen = ["cat"] * shape + ["dog"] * texture + [classes[-1]] * (conflicts - shape - texture)
    return measured(chosen, ["cat"] * conflicts, ["dog"] * conflicts, classes=classes)["shape-bias"]


@pytest.mark.parametrize("classes", [SIXTEEN, SIXTEEN[:4]], ids=len)
@pytest.mark.parametrize("conflicts", [3, 12, 60, 240, 1200])
def test_no_shape_bias_without_more_hits_than_guessing_gives(classes, conflicts):
    """The border lies where scipy's own test says."""
    chance = 2 / len(classes)
    tests = [binomtest(hits, conflicts, chance, alternative="greater").pvalue for hits in range(conflicts + 1)]
    least = next((hits for hits, p in enumerate(tests) if p < 0.001), None)
    refused = decided(1, conflicts - 1 if least is None else least - 2, conflicts, classes)
    assert refused.value is None and refused.reason
    if least is None:
        assert conflicts == 3  # with 16 classes, all of three come about by guessing once in 512
    else:
        assert decided(1, least - 1, conflicts, classes).value == pytest.approx(1 / least)


def test_the_reason_has_the_counts_the_chance_and_p():
    found = decided(20, 18, 240)
    assert found.reason == (
        "38 of 240 decisions name shape or texture, chance is 2/16 (p = 0.075): a ratio of guesses is no bias"
    )
    assert found.n == 38
    assert decided(700, 700, 12_000).reason.startswith("1,400 of 12,000 decisions")


def test_two_classes_never_give_a_shape_bias():
    """Whatever the network says is one of the two cues."""
    found = decided(900, 300, 1200, CLASSES[1:])
    assert found.value is None and "chance is 2/2 (p = 1)" in found.reason


def test_guesses_are_refused_and_a_little_evidence_is_not():
    rng = np.random.default_rng(0)
    shapes, textures = np.array(SIXTEEN)[rng.integers(0, 16, (2, 240))]
    for _ in range(200):
        chosen = np.array(SIXTEEN)[rng.integers(0, 16, 240)]
        assert measured(chosen, shapes, textures, classes=SIXTEEN)["shape-bias"].value is None
        knows = rng.random(240) < 0.25
        partly = measured(np.where(knows, shapes, chosen), shapes, textures, classes=SIXTEEN)["shape-bias"]
        assert partly.value > 0.5


@pytest.mark.parametrize(
    ("chosen", "shapes", "textures"),
    [(["bear"], ["cat"], ["dog"]), (["cat"], ["cat"], ["cat"]), ([], [], [])],
    ids=["neither cue", "no conflict", "empty"],
)
def test_undefined_with_a_reason(chosen, shapes, textures):
    found = measured(chosen, shapes, textures)
    assert found["shape-bias"].value is None
    assert "shape" in found["shape-bias"].reason
    assert found["shape-decisions"].value == found["texture-decisions"].value == 0


def test_a_texture_that_is_no_class_is_an_error():
    with pytest.raises(DatasetError, match=r"'zebra'.*available: bear, cat, dog"):
        measured(["cat"], ["cat"], ["zebra"])


def test_several_shapes_are_an_error():
    with pytest.raises(DatasetError, match="one target"):
        measured(["cat"], ["cat"], ["dog"], extra_target=2)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="the same length"):
        count_decisions(["cat"], ["cat", "dog"], ["dog"])


@given(st.lists(st.tuples(*[st.sampled_from(CLASSES)] * 3), max_size=30))
@settings(max_examples=50, deadline=None)
def test_counts_of_names_and_numbers_agree_with_a_plain_loop(rows):
    chosen, shapes, textures = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    shape = sum(c == s for c, s, t in rows if s != t)
    texture = sum(c == t for c, s, t in rows if s != t)
    conflicts = sum(s != t for _, s, t in rows)
    assert count_decisions(chosen, shapes, textures) == (shape, texture, conflicts)
    as_numbers = [[CLASSES.index(name) for name in column] for column in (chosen, shapes, textures)]
    assert count_decisions(*as_numbers) == (shape, texture, conflicts)
    assert shape + texture <= conflicts


def test_stimuli_are_the_images():
    batch = Batch(images=torch.rand(2, 3, 8, 8), sample_ids=("a", "b"), targets=((0,),) * 2, seed=0)
    (stimulus,) = dict(ShapeBias().stimuli(batch)).values()
    assert stimulus is batch.images
    assert ShapeBias().conditions(8) == ("clean",)


@pytest.mark.skipif(not DECISIONS.is_dir(), reason=f"no published decisions in {DECISIONS}")
@pytest.mark.parametrize(
    ("file", "shape", "texture"),
    [
        ("cue-conflict_subject-01_session_1.csv", 829, 33),
        ("cue-conflict_subject-02_session_1.csv", 907, 54),
        ("cue-conflict_resnet50_session-1.csv", 162, 572),
        ("cue-conflict_vgg16_session-1.csv", 84, 828),
    ],
)
def test_published_decisions(file, shape, texture):
    with (DECISIONS / file).open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    textures = [re.sub(r"\d+\.png$", "", row["imagename"].rsplit("-", 1)[1]) for row in rows]
    counted = count_decisions([row["object_response"] for row in rows], [row["category"] for row in rows], textures)
    assert counted == (shape, texture, 1200)
    shapes = [row["category"] for row in rows]
    found = measured([row["object_response"] for row in rows], shapes, textures, classes=sorted(set(shapes)))
    assert found["shape-bias"].value == shape / (shape + texture)
