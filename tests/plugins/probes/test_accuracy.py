"""The accuracy probe: identity stimuli, top-1 and top-5, views, conditions, the flag of a network that guesses."""

from dataclasses import replace
from itertools import pairwise
from math import comb

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import bdtrc

from harness import Batch, TaskLayout, Trials
from harness.plugins.probes._chance import guessing_p
from harness.plugins.probes.accuracy import BELOW_CHANCE, Accuracy, is_below_chance, is_chance_level
from harness.testing import make_trials
from harness.views import Views, measures_by_view
from tests.helpers.bounds import bounded


def trials(top5, targets, classes=1000):
    top5, targets = np.array(top5, dtype=np.int16), np.array(targets, dtype=np.int16)
    layout = TaskLayout(
        task="accuracy@toy",
        sample_ids=tuple(f"{index:06}" for index in range(len(targets))),
        targets=targets,
        conditions=("clean",),
        classes=tuple(f"class{index}" for index in range(classes)),
        size=8,
        span=16,
    )
    correct = ((top5[:, :1] == targets) & (targets >= 0)).any(axis=1)
    logp = np.zeros(top5.shape, dtype=np.float16)
    return Trials(model="m", layout=layout, top5=top5[:, None], logp=logp[:, None], correct=correct[:, None])


def measured(*args, **kwargs):
    return {one.name: one for one in in_this_file(Accuracy().measures(trials(*args, **kwargs)))}


def in_this_file(measures):
    """Those that neither test_calibration.py nor test_ranks.py is about."""
    calibration, ranks = ("ece", "ece-calibrated", "brier-top1", "nll", "brier"), ("mean-rank", "median-rank")
    return [one for one in measures if one.name not in (*calibration, *ranks, "top10", "top50")]


def test_stimuli_are_the_images():
    batch = Batch(images=torch.rand(3, 3, 8, 8), sample_ids=("a", "b", "c"), targets=((0,),) * 3, seed=0)
    (condition, stimulus), *rest = Accuracy().stimuli(batch)
    assert not rest
    assert (condition,) == Accuracy().conditions(8)
    assert stimulus is batch.images


def test_measures():
    found = measured([[3, 1, 2, 4, 5], [9, 8, 7, 6, 5], [1, 2, 3, 4, 5], [5, 4, 3, 2, 1]], [[3], [7], [9], [5]])
    assert {name: measure.value for name, measure in found.items()} == {"top1": 0.5, "correct": 2, "n": 4, "top5": 0.75}
    assert {measure.condition for measure in found.values()} == {""}
    assert found["top1"].low < 0.5 < found["top1"].high
    assert found["top1"].full_name("imagenet") == "top1@imagenet"
    assert found["top1"].flags == ()


def test_any_target_counts_and_padding_never_matches():
    top5 = [[4, 0, 1, -1, -1], [2, 0, 1, -1, -1]]
    found = measured(top5, [[3, 1], [5, -1]], classes=6)
    assert found["top5"].value == 0.5
    assert found["top1"].value == 0


def test_top5_of_five_classes_is_trivial():
    assert measured([[0, 1, 2, 3, 4]], [[4]], classes=5)["top5"].flags == ("trivial",)
    assert measured([[0, 1, 2, 3, 4]], [[4]], classes=6)["top5"].flags == ()


def test_no_samples_are_undefined_with_a_reason():
    found = measured(np.empty((0, 5)), np.empty((0, 1)))
    assert found["top1"].value is None and found["top1"].reason
    assert found["top5"].value is None and found["top5"].reason


@pytest.mark.parametrize(
    ("hits", "n", "classes", "expected"),
    [
        (50, 50_000, 1000, True),  # what guessing gives
        (0, 50_000, 1000, True),  # worse than guessing is no better
        (75, 50_000, 1000, False),  # 3.5 standard deviations above it
        (2, 20, 1000, False),
        (1, 20, 1000, True),
        (24, 160, 16, False),
        (12, 160, 16, True),
        (3, 3, 1, True),  # a single class cannot be missed
    ],
)
def test_chance_level(hits, n, classes, expected):
    assert is_chance_level(hits, n, 1 / classes) is expected


@given(n=st.integers(1, 60), classes=st.integers(2, 20), hits=st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_chance_level_against_the_sum_of_binomial_terms(n, classes, hits):

    hits = min(hits, n)
    tail = sum(comb(n, k) * (classes - 1) ** (n - k) for k in range(hits, n + 1)) / classes**n
    if abs(tail - 0.001) > 1e-12:
        assert is_chance_level(hits, n, 1 / classes) == (tail >= 0.001)


@given(n=st.integers(1, 400), guessing=st.floats(1e-3, 1.5))
def test_no_hit_and_only_hits_are_as_likely_as_the_binomial_says(n, guessing):
    chance = min(guessing, 1.0)
    assert guessing_p(n, n, guessing) == pytest.approx(bdtrc(n - 1, n, chance), rel=1e-9)
    assert guessing_p(0, n, guessing) == 1.0 == guessing_p(0, 0, guessing)


def test_hostile_variants_of_a_run_from_elsewhere(tmp_path):
    """One text of 20 MB among 50,000: an array of texts would give each image as much room."""
    texts = {"variant": ["x" * 20_000_000, *["a"] * 49_999], "kept": ["yes" * 7_000_000, *["yes"] * 49_999]}
    varied = make_trials(("clean",), n=50_000, attributes=texts)
    with bounded(tmp_path):
        found = {f"{one.name}/{one.condition[:1]}": one.n for one in in_this_file(Accuracy().measures(varied))}
    assert (found["top1/a"], found["top1/x"], found["ood-top1/"]) == (49_999, 1, 49_999)


def test_chance_level_is_flagged_on_top1_alone():
    rng = np.random.default_rng(0)
    top5 = rng.integers(0, 10, size=(200, 5))
    found = measured(top5, rng.integers(0, 10, size=(200, 1)), classes=10)
    assert found["top1"].flags == ("chance-level",)
    assert found["correct"].flags == found["n"].flags == found["top5"].flags == ()


@pytest.mark.parametrize(
    ("hits", "flags"),
    [
        (2, (BELOW_CHANCE,)),  # torchvision's first ResNet-50, which ImageNet-A was chosen against
        (19, (BELOW_CHANCE,)),
        (20, ("chance-level",)),
        (37, ("chance-level",)),
        (58, ("chance-level",)),
        (59, ()),
    ],
)
def test_below_chance_is_no_chance_level(hits, flags):
    """Guessing among 200 classes gets 37.5 of 7,500; the tails of the binomial pass 0.001 above 19 and 58."""
    top5 = np.tile(np.arange(5), (7500, 1))
    targets = np.full((7500, 1), 9)
    targets[:hits] = 0
    assert measured(top5, targets, classes=200)["top1"].flags == flags


def test_shifted_classes_are_told_of_an_accuracy_above_chance():
    """Classes counted from 1, where one in eleven decisions is the class before the right one."""
    targets = np.arange(2200)[:, None] % 20
    chosen = (targets[:, 0] + (np.arange(2200) % 11 > 0)) % 20
    top5 = (chosen[:, None] + np.arange(5)) % 20
    (flag,) = measured(top5, targets, classes=20)["top1"].flags
    assert flag.startswith("shifted-classes: every class is answered as the class 1 after it")
    weak = (chosen + np.random.default_rng(0).integers(0, 19, 2200) * (np.arange(2200) % 11 > 0)) % 20
    found = measured((weak[:, None] + np.arange(5)) % 20, targets, classes=20)["top1"]
    assert found.flags == () and found.value > 0.09


@given(st.integers(1, 400), st.integers(2, 50), st.data())
@settings(max_examples=100, deadline=None)
def test_below_chance_against_the_sum_of_binomial_terms(n, classes, data):
    hits = data.draw(st.integers(0, n))
    tail = sum(comb(n, k) * (classes - 1) ** (n - k) for k in range(hits + 1)) / classes**n
    if abs(tail - 0.001) > 1e-12:
        assert is_below_chance(hits, n, 1 / classes) == (tail < 0.001)
    assert is_chance_level(hits, n, 1 / classes) or not is_below_chance(hits, n, 1 / classes)


def test_several_targets_raise_the_chance_level():
    # 30 of 100 among 10 classes: far above guessing with one target a sample, exactly guessing with three.
    top5 = np.tile(np.arange(5), (100, 1))
    targets = np.full((100, 3), 9)
    targets[:30, 0] = 0
    single = np.concatenate((targets[:, :1], np.full((100, 2), -1)), axis=1)
    assert measured(top5, single, classes=10)["top1"].flags == ()
    assert measured(top5, targets, classes=10)["top1"].flags == ("chance-level",)


# --- views, conditions, all outputs ----------------------------------------------------------


def seen_in(views, correct, **layout):
    """Trials with these decisions (N, C) under each view, among 1,000 classes; the target is always class 0."""
    correct = np.asarray(correct, dtype=bool)
    n, count = correct.shape
    assert count == len(views)
    top5 = np.tile(np.array([[5, 6, 7, 8, 9]], dtype=np.int16), (n, count, 1))
    top5[correct] = [0, 6, 7, 8, 9]
    one = trials(top5[:, 0], np.zeros((n, 1)))
    axes = replace(one.layout, conditions=tuple(views), **layout)
    return replace(one, layout=axes, top5=top5, logp=np.zeros(top5.shape, np.float16), correct=correct)


def in_views(trials):
    """The measures of accuracy over all views and of each, as a study has them."""
    return in_this_file(measures_by_view(Accuracy(), Views.of(trials, Accuracy().conditions(8))))


def named(made):
    found = {measure.full_name("d"): measure for measure in made}
    assert len(found) == len(list(made))
    return found


VIEWS = tuple(f"{name}-{level}" for name in ("fog", "snow") for level in range(1, 6))


def test_views_corruptions_and_their_mean():
    correct = np.random.default_rng(0).random((30, 10)) < np.linspace(0.9, 0.2, 10)
    found = named(list(in_views(seen_in(VIEWS, correct))))
    assert found["top1@d"].value == pytest.approx(correct.mean())
    assert (found["correct@d"].value, found["n@d"].value, found["top1@d"].n) == (correct.sum(), 300, 300)
    for column, view in enumerate(VIEWS):
        assert found[f"top1@d/{view}"].value == pytest.approx(correct[:, column].mean())
        assert (found[f"correct@d/{view}"].value, found[f"n@d/{view}"].value) == (correct[:, column].sum(), 30)
    assert found["top1@d/fog"].value == pytest.approx(correct[:, :5].mean())
    assert found["top1@d/snow"].value == pytest.approx(np.mean([found[f"top1@d/snow-{k}"].value for k in range(1, 6)]))
    assert found["top5@d"].value == pytest.approx(correct.mean())
    assert len(found) == 4 + 3 * 10 + 2


def test_a_single_view_has_the_interval_of_wilson():
    correct = np.arange(40)[:, None] < 30
    found = named(list(in_views(seen_in(("fog-1",), correct))))
    alone = measured(np.where(correct, 0, np.arange(1, 6)), np.zeros((40, 1)))
    assert (found["top1@d"].low, found["top1@d"].high) == (alone["top1"].low, alone["top1"].high)
    assert (found["top1@d/fog-1"].low, found["top1@d/fog-1"].high) == (alone["top1"].low, alone["top1"].high)


@pytest.mark.parametrize(
    ("views", "corruptions"),
    [
        (("fog-1", "fog-2", "snow-1"), {"fog"}),  # snow lacks a level
        (("fog-1", "fog-2", "jpeg_compression-2", "jpeg_compression-1"), {"fog", "jpeg_compression"}),
        (("turned-90", "turned-180"), set()),  # angles, not levels
        (("left", "right"), set()),
    ],
)
def test_a_corruption_needs_all_its_levels(views, corruptions):
    found = named(list(in_views(seen_in(views, np.ones((4, len(views)))))))
    assert {name for name in found if name.startswith("top1@d/")} == {
        f"top1@d/{name}" for name in (*views, *corruptions)
    }


def test_interval_over_views_is_that_of_a_bootstrap_over_images():
    """Images differ in difficulty, so their trials are alike: the interval must not shrink with the number of views."""
    rng = np.random.default_rng(1)
    correct = rng.random((500, 10)) < rng.beta(0.6, 0.4, size=(500, 1))
    top1 = named(list(in_views(seen_in(VIEWS, correct))))["top1@d"]
    images = correct.mean(axis=1)
    resampled = images[rng.integers(0, 500, size=(20_000, 500))].mean(axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    assert (top1.low, top1.high) == pytest.approx((low, high), abs=0.03 * (high - low))
    independent = 2 * 1.96 * (correct.mean() * (1 - correct.mean()) / correct.size) ** 0.5
    assert top1.high - top1.low > 2 * independent


def test_interval_over_views_covers():
    """Of 400 samples of images, 95 % of the intervals hold the true mean, give or take 3 standard errors."""
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(400):
        correct = rng.random((200, 4)) < rng.beta(2, 1, size=(200, 1))
        top1 = next(m for m in in_views(seen_in(VIEWS[:4], correct)) if m.name == "top1")
        hits += top1.low <= 2 / 3 <= top1.high
    assert abs(hits / 400 - 0.95) < 3 * (0.95 * 0.05 / 400) ** 0.5


@pytest.mark.parametrize("correct", [np.ones((9, 10)), np.zeros((9, 10)), np.eye(1, 10), np.empty((0, 10))])
def test_no_interval_without_a_spread(correct):
    top1 = named(list(in_views(seen_in(VIEWS, correct))))["top1@d"]
    assert top1.low is None and top1.high is None
    assert (top1.value is None) == (len(correct) == 0)


def test_chance_level_over_views_counts_images_not_trials():
    broken = np.zeros((1000, 10), dtype=bool)
    broken[:3] = True  # says the same whatever it sees: 30 of 10,000 trials, but 3 of 1,000 images
    assert is_chance_level(3, 1000, 1 / 1000) and not is_chance_level(30, 10_000, 1 / 1000)
    found = named(list(in_views(seen_in(VIEWS, broken))))
    assert found["top1@d"].flags == ("chance-level",)
    assert found["top1@d/fog-1"].flags == found["top1@d/fog"].flags == ()
    works = np.random.default_rng(0).random((1000, 10)) < 0.3
    assert named(list(in_views(seen_in(VIEWS, works))))["top1@d"].flags == ()


def test_conditions_and_what_is_kept():
    conditions = ("0.9", "0.9", "0", "0", "0", "true")
    kept = ("yes", "yes", "no", "no", "no", "yes")
    correct = np.array([[True], [False], [True], [True], [False], [True]])
    one = seen_in(("clean",), correct, attributes={"variant": conditions, "kept": kept})
    found = named(list(in_views(one)))
    assert {name: found[f"top1@d/{name}"].value for name in set(conditions)} == {"0.9": 0.5, "0": 2 / 3, "true": 1.0}
    assert (found["correct@d/0"].value, found["n@d/0"].value, found["top1@d/0"].n) == (2, 3, 3)
    assert (found["ood-top1@d"].value, found["ood-top1@d"].n) == (2 / 3, 3)
    assert found["ood-top1@d"].low < 2 / 3 < found["ood-top1@d"].high
    assert found["top1@d"].value == 4 / 6
    nothing = replace(one.layout, attributes={"variant": conditions, "kept": ("no",) * 6})
    ood = named(list(in_views(replace(one, layout=nothing))))["ood-top1@d"]
    assert ood.value is None and ood.reason


def test_without_these_attributes_nothing_is_added():
    plain = seen_in(("clean",), np.ones((3, 1)), attributes={"texture": ("a", "b", "c")})
    assert [measure.full_name("d") for measure in in_views(plain)] == [
        "top1@d", "correct@d", "n@d", "top5@d"
    ]  # fmt: skip


@pytest.mark.parametrize("views", [("clean",), ("fog-1", "fog-2", "fog-3")])
def test_decisions_among_all_outputs(views):
    """More samples than one chunk; several targets, padded; the reader is asked for each sample once."""
    rng = np.random.default_rng(3)
    n, columns = 9_000, (3, 7, 12, 19)
    logits = rng.normal(size=(n, len(views), 20)).astype(np.float16)
    targets = np.stack([rng.integers(0, 4, n), np.where(rng.random(n) < 0.5, rng.integers(0, 4, n), -1)], axis=1)
    asked = []

    def read(low, high):
        asked.append((low, high))
        return logits[low:high]

    one = seen_in(views, np.zeros((n, len(views))))
    layout = replace(one.layout, targets=targets.astype(np.int16), columns=columns, classes=("a", "b", "c", "d"))
    found = named(list(in_views(replace(one, layout=layout, logits=read))))["top1-all-outputs@d"]
    right = sum(
        logits[i, view].argmax() in {columns[target] for target in targets[i] if target >= 0}
        for i in range(n)
        for view in range(len(views))
    )
    assert found.value == pytest.approx(right / (n * len(views))) and found.n == n * len(views)
    assert asked[0][0] == 0 and asked[-1][1] == n
    assert all(before[1] == after[0] for before, after in pairwise(asked))
    assert max(high - low for low, high in asked) * len(views) <= 4096
    for part in ({"logits": None}, {"layout": replace(layout, columns=None)}):
        without = in_views(replace(one, **{"layout": layout, "logits": read, **part}))
        assert "top1-all-outputs" not in {measure.name for measure in without}


def test_first_choices_alone_give_no_top5():
    trials = make_trials(["clean"])
    trials.top5[..., 1:] = -1
    measures = {measure.name: measure for measure in Accuracy().measures(trials)}
    assert measures["top1"].value is not None
    assert (measures["top5"].value, measures["top5"].reason) == (None, "only first choices are known")


# --- classes in another order ----------------------------------------------------------------


def answers(rng, classes, n, right, order):
    """Decisions of a network with accuracy `right` whose class c is answered as ``order[c]``; (N, 5) and (N, 1)."""
    targets = np.arange(n) % classes
    choices = np.where(rng.random(n) < right, targets, rng.integers(0, classes, n))
    top5 = np.full((n, 5), -1)
    top5[:, 0] = np.asarray(order)[choices]
    return top5, targets[:, None]


def test_a_head_in_another_order_is_diagnosed():
    """The rows of the last layer in reverse order: nothing is right, and one permutation explains all of it."""
    top5, targets = answers(np.random.default_rng(0), 16, 160, 1.0, np.arange(16)[::-1])
    flags = measured(top5, targets, classes=16)["top1"].flags
    assert flags[0] == BELOW_CHANCE and "one permutation of the outputs top1 would be 1.000" in flags[1]


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_permutation_is_told_from_noise(data):
    """Whatever the order, a sound network behind it is seen; guesses, and answers of few classes, are not."""
    classes, seed = data.draw(st.integers(4, 30)), data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    order = np.roll(rng.permutation(classes), 1)
    right = data.draw(st.floats(0.75, 1.0))
    top5, targets = answers(rng, classes, 30 * classes, right, order)
    flags = measured(top5, targets, classes=classes)["top1"].flags
    share = (np.argsort(order)[top5[:, 0]] == targets[:, 0]).mean()
    for flag in flags[1:]:
        assert abs(float(flag.rpartition(" ")[2]) - share) < 0.15
    assert len(flags) == 2 or not flags or "chance" not in flags[0] or share < 0.35 + 0.7 / classes
    few = data.draw(st.integers(1, max(1, classes // 5)))
    guessed = np.where(np.arange(5) == 0, rng.integers(0, few, (30 * classes, 1)), -1)
    assert len(measured(guessed, targets, classes=classes)["top1"].flags) <= 1


@pytest.mark.parametrize(("shift", "words"), [(1, "1 after it"), (-1, "1 before it"), (7, "7 after it")])
def test_a_shift_is_diagnosed_with_few_images_of_many_classes(shift, words):
    """Forty images of a thousand classes fix no permutation, but they do fix a shift."""
    rng = np.random.default_rng(1)
    targets = rng.permutation(1000)[:40]
    top5 = np.full((40, 5), -1)
    top5[:, 0] = (targets + shift) % 1000
    flags = measured(top5, targets[:, None])["top1"].flags
    assert words in flags[1] and "shift of the outputs top1 would be 1.000" in flags[1]
    top5[:, 0] = rng.permutation(1000)[targets]
    assert len(measured(top5, targets[:, None])["top1"].flags) == 1


def test_half_of_each_class_judges():
    from harness.plugins.probes._permutation import _every_other

    wanted = np.repeat(np.random.default_rng(0).permutation(np.repeat(np.arange(6), 8)), 3)
    judges = _every_other(wanted, 3)
    assert [judges[wanted == one].sum() for one in range(6)] == [12] * 6
    assert (judges.reshape(-1, 3).all(axis=1) | ~judges.reshape(-1, 3).any(axis=1)).all()


def test_the_order_found_is_the_best_of_all(monkeypatch):
    from itertools import permutations

    from harness.plugins.probes import _permutation

    monkeypatch.setattr(_permutation, "_least", lambda classes: 0)
    rng = np.random.default_rng(2)
    for _ in range(5):
        wanted, choices = rng.integers(0, 5, 60), rng.integers(0, 5, 60)
        best = max((np.array(order)[wanted] == choices).sum() for order in permutations(range(5)))
        confusions = _permutation._confusions(wanted, choices, 5)
        found = _permutation._best_order(confusions, confusions)
        assert sorted(found) == list(range(5)) and (found[wanted] == choices).sum() == best


# --- mean corruption error --------------------------------------------------------------------

# What hendrycks/robustness prints for AlexNet (ImageNet-C/test.py), in the order of the paper.
HENDRYCKS = """gaussian_noise .886428 shot_noise .894468 impulse_noise .922640 defocus_blur .819880 glass_blur .826268
motion_blur .785948 zoom_blur .798360 snow .866816 frost .826572 fog .819324 brightness .564592 contrast .853204
elastic_transform .646056 pixelate .717840 jpeg_compression .606500""".split()
ERRORS = dict(zip(HENDRYCKS[::2], map(float, HENDRYCKS[1::2]), strict=True))
EXTRA = ("speckle_noise", "saturate")


def corrupted(names, seed=0, n=40, severities=5):
    """Random decisions on n images under corruptions; each has its own difficulty."""
    views = [f"{name}-{severity}" for name in names for severity in range(1, severities + 1)]
    draw = np.random.default_rng(seed)
    return views, draw.random((n, len(views))) < draw.uniform(0.1, 0.9, len(views))


def test_mean_corruption_error_is_that_of_the_paper_beside_the_plain_mean():
    views, correct = corrupted([*EXTRA, *reversed(ERRORS)])
    found = named(list(in_views(seen_in(views, correct))))
    errors = {c: np.mean([1 - correct[:, views.index(f"{c}-{s}")].mean() for s in range(1, 6)]) for c in ERRORS}
    assert found["mce@d"].value == pytest.approx(np.mean([errors[c] / ERRORS[c] for c in ERRORS]), abs=1e-12)
    assert found["mean-error@d"].value == pytest.approx(np.mean(list(errors.values())), abs=1e-12)
    assert (found["mce@d"].unit, found["mce@d"].direction, found["mce@d"].n) == ("1", "lower", 40)
    assert found["mce@d"].low < found["mce@d"].value < found["mce@d"].high
    usual = [at for at, view in enumerate(views) if not view.startswith(EXTRA)]
    alone = named(list(in_views(seen_in([views[at] for at in usual], correct[:, usual]))))
    assert alone["mean-error@d"].value == pytest.approx(1 - alone["top1@d"].value, abs=1e-12)
    assert alone["mce@d"] == found["mce@d"]  # whatever else there is


def test_alexnet_itself_has_a_mean_corruption_error_of_1():
    n = 1000
    views = [f"{name}-{severity}" for name in ERRORS for severity in range(1, 6)]
    wrong = [round(n * ERRORS[view.rpartition("-")[0]]) for view in views]
    found = named(list(in_views(seen_in(views, np.arange(n)[:, None] >= np.array(wrong)))))
    assert found["mce@d"].value == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize(
    ("names", "severities", "classes"),
    [(list(ERRORS)[:14], 5, 1000), (list(ERRORS), 3, 1000), (list(ERRORS), 5, 200), (["fog"], 5, 1000)],
)
def test_without_all_of_imagenet_c_there_is_no_mean_corruption_error(names, severities, classes):
    views, correct = corrupted(names, severities=severities)
    more = {} if classes == 1000 else {"classes": tuple(f"class-{k}" for k in range(classes))}
    found = named(list(in_views(seen_in(views, correct, **more))))
    assert "mce@d" not in found and "mean-error@d" not in found


def test_info_names_the_mean_corruption_error(command_line):
    for name in ("imagenet-c-15", "accuracy"):
        code, out, _ = command_line("info", name)
        assert code == 0 and "mCE" in out and "AlexNet" in out
