"""Paired conditions against the same numbers computed in float64 from the logits of the network."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from harness import NO_LABELS, LabelSpace, paired_change, paired_trials
from harness.engine.decisions import decide
from harness.statistics import wilson_interval
from harness.testing import make_trials

K, OUTPUTS, ROUNDING = 40, 60, 4e-4
"""Classes; outputs of networks that have more; error of |p - q| of stored trials, 2 × max(p |ln p|) 2^-11."""
CLASSES = tuple(f"class-{number}" for number in range(K))
SPACES = {
    "all": LabelSpace(name="all", classes=CLASSES, outputs=K),
    "columns": LabelSpace(name="part", classes=CLASSES, outputs=OUTPUTS, columns=tuple(range(OUTPUTS - 1, 19, -1))),
    "members": LabelSpace(
        name="categories", classes=CLASSES, outputs=OUTPUTS, members=tuple((n, n + 20) for n in range(K))
    ),
}


def logits_of(seed, n=30, outputs=OUTPUTS, conditions=3, change=0.6, scale=2.0):
    """(n, C, outputs) float32: a base for each sample, and a change for each condition."""
    rng = np.random.default_rng(seed)
    base = rng.normal(0, scale, (n, 1, outputs))
    return (base + rng.normal(0, change, (n, conditions, outputs))).astype(np.float32)


def stored(logits, space, *, keep=False, targets=None):
    """The trials that the engine would store of these logits, (n, C, outputs)."""
    conditions = tuple("abcdefgh"[: logits.shape[1]])
    trials = make_trials(conditions, n=len(logits), classes=space.classes)
    answers = [decide(torch.from_numpy(logits[:, column]), space) for column in range(logits.shape[1])]
    top5, logp = (np.stack([getattr(answer, name).numpy() for answer in answers], 1) for name in ("top5", "logp"))
    layout = replace(
        trials.layout, columns=space.columns, targets=trials.layout.targets if targets is None else targets
    )
    return replace(
        trials,
        layout=layout,
        top5=top5,
        logp=logp,
        correct=top5[:, :, 0] == layout.targets[:, :1],
        logits=(lambda low, high: logits.astype(np.float16)[low:high]) if keep else None,
    )


def probabilities(logits, space):
    """(n, C, K) float64, as the label space defines them."""
    logits = logits.astype(np.float64)
    if space.columns is not None:
        return softmax(logits[..., list(space.columns)], axis=-1)
    outputs = softmax(logits, axis=-1)
    if space.members is None:
        return outputs
    return np.stack([outputs[..., list(members)].mean(axis=-1) for members in space.members], axis=-1)


def by_name(measures):
    return {measure.name: measure for measure in measures}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("keep", [False, True], ids=["top5", "logits"])
def test_against_float64(space, keep):
    logits = logits_of(5, n=200, outputs=space.outputs, scale=1.5)
    p = probabilities(logits, space)
    first, second = p[:, :2], p[:, 1:]  # the pairs (a, b) and (b, c)
    chosen = first.argmax(axis=2)
    exact = abs(np.take_along_axis(first - second, chosen[..., None], 2)[..., 0])
    trials = stored(logits, space, keep=keep)
    of_pairs = paired_trials(trials, [("a", "b"), ("b", "c")])
    assert (of_pairs.changed == (chosen != second.argmax(axis=2))).all()
    assert (of_pairs.least - ROUNDING <= exact).all() and (exact <= of_pairs.most + ROUNDING).all()
    assert (abs(of_pairs.difference - exact)[~of_pairs.bounded] < (2e-3 if keep else ROUNDING)).all()
    inside = (np.argsort(second, axis=2)[..., -5:] == chosen[..., None]).any(axis=2)
    assert of_pairs.bounded.any() if not keep else True
    assert (of_pairs.bounded == (~inside if not keep or space.members else False)).all()
    measures = by_name(paired_change(trials, [("a", "b"), ("b", "c")], "near"))
    assert measures["top1-change"].value == (chosen != second.argmax(axis=2)).mean()
    assert measures["mac"].n == 400 and measures["mac"].full_name("d") == "mac@d/near"
    if of_pairs.bounded.any():
        assert measures["mac-least"].value - ROUNDING <= exact.mean() <= measures["mac-most"].value + ROUNDING
        (note,) = measures["mac"].flags
        assert note.startswith(f"note: {of_pairs.bounded.sum()} of 400 pairs bounded, ± ")
        assert abs(measures["mac"].value - exact.mean()) <= float(note.rpartition(" ")[2]) * 1.06 + ROUNDING
    else:
        assert "mac-least" not in measures and measures["mac"].value == pytest.approx(exact.mean(), abs=ROUNDING)


def test_against_a_network_in_float64(real_network):
    """Trials of a trained network on images and on the same rolled by a pixel, and its own outputs in float64."""
    logits, exact = real_network
    space = LabelSpace(name="sixteen", classes=CLASSES[:16], outputs=16)
    p = softmax(exact, axis=-1)
    chosen = p[:, 0].argmax(axis=1)
    differences = abs(p[:, 0] - p[:, 1])[np.arange(len(p)), chosen]
    of_pairs = paired_trials(stored(logits, space), [("a", "b")])
    assert (of_pairs.changed[:, 0] == (chosen != p[:, 1].argmax(axis=1))).all() and of_pairs.changed.any()
    assert (of_pairs.least[:, 0] - ROUNDING <= differences).all() and of_pairs.bounded.any()
    assert (differences <= of_pairs.most[:, 0] + ROUNDING).all()


@pytest.fixture(scope="module")
def real_network():
    """Logits (40, 2, 16) of a network of the zoo, and the same in float64."""
    from harness.workflows.options import open_house

    registry = open_house((), ()).registry
    spec, dataset = registry.model("zoo-simclr"), registry.dataset("shapes")
    network = registry.source_for(spec).load(spec)
    samples = list(dataset.samples(dataset.root()))[::8]
    images = torch.stack([torch.from_numpy(np.array(dataset.image(sample))) for sample in samples])
    images = images.permute(0, 3, 1, 2).float() / 255
    shown = [images, images.roll((9, 9), (2, 3))]
    with torch.inference_mode():
        logits = np.stack([network(images).numpy() for images in shown], 1)
        exact = np.stack([network.double()(images.double()).numpy() for images in shown], 1)
    return logits, exact


def test_rows_of_views_are_clusters_and_read_their_own_logits():
    logits = logits_of(12, n=30, outputs=K, conditions=2)
    targets = logits[:, 1].argmax(axis=1).astype(np.int16)[:, None]
    single = stored(logits, SPACES["all"], keep=True, targets=targets)
    doubled = pooled(logits, targets)
    for name, measure in by_name(paired_change(single, [("a", "b")])).items():
        over_views = by_name(paired_change(doubled, [("a", "b")]))[name]
        assert over_views.value == pytest.approx(measure.value, abs=1e-12) and over_views.n == 2 * measure.n
        assert over_views.by_image
    assert not paired_trials(doubled, [("a", "b")]).bounded.any()


def pooled(logits, targets):
    """The trials of two views that show the same, one row after the other."""
    from harness.views import Views

    both = stored(np.concatenate((logits, logits), axis=1), SPACES["all"], keep=True, targets=targets)
    columns = ("view-1/a", "view-1/b", "view-2/a", "view-2/b")
    both = replace(both, layout=replace(both.layout, conditions=columns))
    return Views.of(both, ("a", "b")).pooled((0, 1))


def test_correct_under_the_first_condition():
    logits = logits_of(6, n=100, outputs=K)
    targets = logits[:, 0].argmax(axis=1).astype(np.int16)[:, None]
    targets[::3] = 0
    trials = stored(logits, SPACES["all"], targets=targets)
    measures = by_name(paired_change(trials, [("a", "b")]))
    right, changed = trials.correct[:, 0], trials.top5[:, 0, 0] != trials.top5[:, 1, 0]
    assert measures["top1"].value == right.mean() and measures["top1"].direction == "higher"
    of_right = measures["top1-change-correct"]
    assert (of_right.value, of_right.n) == (changed[right].mean(), right.sum())
    assert (of_right.low, of_right.high) == wilson_interval(int(changed[right].sum()), int(right.sum()))


def test_pairs_of_one_image_are_one_cluster():
    """Eight equal pairs say no more than one: the interval is as wide as of single images, not narrower by √8."""
    logits = np.repeat(logits_of(7, n=80, outputs=K, conditions=2), 4, axis=1)[:, [0, 4, 0, 4, 0, 4, 0, 4]]
    trials = stored(logits, SPACES["all"])
    several = by_name(paired_change(trials, [("a", "b"), ("c", "d"), ("e", "f"), ("g", "h")]))["top1-change"]
    single = by_name(paired_change(trials, [("a", "b")]))["top1-change"]
    assert several.value == single.value and several.n == 4 * single.n and several.by_image
    assert several.high - several.low == pytest.approx(single.high - single.low, rel=0.15)


def test_neighbouring_samples_as_in_a_video():
    logits = logits_of(8, n=12, outputs=K, conditions=1)
    trials = stored(logits, SPACES["all"])
    rows = np.array([(0, 1), (1, 2), (4, 5), (7, 6)])
    measures = by_name(paired_change(trials, [("a", "a")], "frames", rows=rows, clusters=np.array([9, 9, 4, 4])))
    first, second = trials.top5[rows[:, 0], 0, 0], trials.top5[rows[:, 1], 0, 0]
    assert measures["top1-change"].value == (first != second).mean() and measures["mac"].n == 4
    for wrong in (rows[:, 0], rows * 1.0, rows + 11, rows - 1):
        with pytest.raises(ValueError, match="rows"):
            paired_trials(trials, [("a", "a")], rows=wrong)
    with pytest.raises(ValueError, match="one for each of the 4 pairs"):
        list(paired_change(trials, [("a", "a")], rows=rows, clusters=np.arange(3)))


def test_without_labels_only_the_change_is_defined():
    trials = stored(logits_of(9, outputs=K), SPACES["all"], targets=np.full((30, 1), -1, np.int16))
    measures = by_name(paired_change(trials, [("a", "b")], "near"))
    assert measures["top1-change"].value is not None and measures["mac"].value is not None
    for name in ("top1", "top1-change-correct"):
        assert (measures[name].value, measures[name].reason) == (None, NO_LABELS)


def test_first_choices_alone_give_no_probabilities():
    trials = stored(logits_of(10, outputs=K), SPACES["all"])
    top5 = trials.top5.copy()
    top5[..., 1:] = -1
    bare = replace(trials, top5=top5, logp=np.full_like(trials.logp, np.nan))
    measures = by_name(paired_change(bare, [("a", "b")]))
    assert measures["mac"].reason == "only first choices are known"
    assert measures["top1-change"].value == (top5[:, 0, 0] != top5[:, 1, 0]).mean()


def test_nothing_to_pair():
    trials = stored(logits_of(11, n=4, outputs=K), SPACES["all"])
    none = by_name(paired_change(trials, [("a", "b")], rows=np.zeros((0, 2), int)))
    assert {measure.reason for measure in none.values() if measure.name in ("mac", "top1", "top1-change")} == {
        "no pairs"
    }
    with pytest.raises(ValueError, match="no pairs of conditions"):
        paired_trials(trials, [])
    with pytest.raises(KeyError, match="no condition 'z'"):
        paired_trials(trials, [("a", "z")])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), change=st.sampled_from([0.05, 0.5, 3.0]), random=st.randoms(use_true_random=False))
def test_properties(seed, change, random):
    logits = logits_of(seed, n=12, outputs=K, conditions=2, change=change)
    trials = stored(logits, SPACES["all"])
    there = by_name(paired_change(trials, [("a", "b")]))
    back = by_name(paired_change(trials, [("b", "a")]))
    assert there["top1-change"] == back["top1-change"]  # who leaves whom does not matter
    of_pairs = paired_trials(trials, [("a", "b")])
    assert (0 <= of_pairs.least).all() and (of_pairs.most <= 1).all()
    assert (of_pairs.least <= of_pairs.difference + 1e-12).all() and (
        of_pairs.difference <= of_pairs.most + 1e-12
    ).all()
    same = by_name(paired_change(trials, [("a", "a"), ("b", "b")]))
    assert same["mac"].value == same["top1-change"].value == 0
    order = random.sample(range(12), 12)
    moved = stored(logits[order], SPACES["all"], targets=trials.layout.targets[order])
    assert by_name(paired_change(moved, [("a", "b"), ("b", "a")], "x")) == by_name(
        paired_change(trials, [("a", "b"), ("b", "a")], "x")
    )
