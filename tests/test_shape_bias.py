"""The shape-bias probe: counting rules, and the published counts from single decisions."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from harness.plugins.probes.shape_bias import ShapeBias, count_decisions
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Batch, DatasetError, TaskLayout, Trials

DECISIONS = Path(__file__).resolve().parents[2] / "shared" / "real" / "decisions"
CLASSES = ("bear", "cat", "dog")


def trials(chosen, shapes, textures, extra_target=-1):
    targets = np.array([[CLASSES.index(shape), extra_target] for shape in shapes], dtype=np.int16).reshape(-1, 2)
    top5 = np.full((len(shapes), 1, 5), -1, dtype=np.int16)
    top5[:, 0, 0] = [CLASSES.index(one) for one in chosen]
    layout = TaskLayout(
        task="shape-bias@toy",
        sample_ids=tuple(map(str, range(len(shapes)))),
        targets=targets,
        conditions=("clean",),
        classes=CLASSES,
        size=8,
        span=16,
        attributes={"texture": tuple(textures)},
    )
    correct = top5[:, :, 0] == targets[:, :1]
    return Trials(model="m", layout=layout, top5=top5, logp=np.zeros(top5.shape, np.float16), correct=correct)


def measured(*args, **kwargs):
    return {measure.name: measure for measure in ShapeBias().measures(trials(*args, **kwargs))}


def test_counts():
    chosen = ["cat", "dog", "bear", "cat", "dog"]
    shapes = ["cat", "cat", "cat", "cat", "cat"]
    textures = ["dog", "dog", "dog", "cat", "bear"]
    found = measured(chosen, shapes, textures)
    values = {name: measure.value for name, measure in found.items()}
    assert values == {"shape-decisions": 1, "texture-decisions": 1, "conflict-trials": 4, "shape-bias": 0.5}
    assert found["shape-bias"].n == 2
    assert found["shape-bias"].direction == "neither"
    assert found["shape-bias"].low < 0.5 < found["shape-bias"].high


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
    with pytest.raises(ValueError, match="one length"):
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
