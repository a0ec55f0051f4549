"""The shape-bias probe: counting rules, and the published counts from single decisions."""

import csv
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from harness import Batch, DatasetError, TaskLayout, Trials
from harness.plugins.probes.shape_bias import ShapeBias, count_decisions
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
    assert values == {"shape-decisions": 5, "texture-decisions": 5, "conflict-trials": 20, "shape-bias": 0.5}
    assert found["shape-bias"].n == 10
    assert found["shape-bias"].direction == "neither"
    assert found["shape-bias"].low < 0.5 < found["shape-bias"].high


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
