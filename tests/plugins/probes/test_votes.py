"""Mistakes that people accept: the published votes and predictions, sums over trials, several views, attacks."""

import csv
import re
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import TaskLayout, Trials, share
from harness.plugins.datasets._imagenet_classes import real_labels
from harness.plugins.datasets._rater_votes import Votes, read_mistakes, severities
from harness.plugins.probes._votes import DENOMINATORS, UNVOTED, portion, votes_measures
from harness.plugins.probes.accuracy import Accuracy
from harness.plugins.probes.pgd import Pgd
from harness.testing import make_trials
from tests.helpers.votes import published_votes

NAMES = ("accepted-mistakes", "voted", "rectified-error", "error", "accepted-mistakes-or-maybe")
NAMES += ("rectified-error-or-maybe", "mistakes-in-real", "real-top1", "major-mistakes", "judged")
PUBLISHED = {
    "error": "error@imagenet",
    "voted": "mistakes-voted",
    "accepted-mistakes": "mistakes-accepted/yes",
    "accepted-mistakes-or-maybe": "mistakes-accepted/yes-or-maybe",
    "mistakes-in-real": "mistakes-in-real",
    "rectified-error": "rectified-error/yes",
    "rectified-error-or-maybe": "rectified-error/yes-or-maybe",
    "real-top1": "top1@imagenet-real",
}
"""Our measure -> its name in published_values.csv."""


def trials_of(top1, targets, condition="clean", classes=1000, **attributes):
    """Trials of which only first choices are known; `attributes`: a text for each sample."""
    top1, targets = np.asarray(top1), np.asarray(targets)
    layout = TaskLayout(
        task="accuracy@imagenet-votes",
        sample_ids=tuple(f"{index:05}" for index in range(len(targets))),
        targets=targets[:, None].astype(np.int16),
        conditions=(condition,),
        classes=tuple(f"class{index}" for index in range(classes)),
        size=224,
        span=512,
        attributes={name: tuple(texts) for name, texts in attributes.items()},
    )
    top5 = np.full((len(targets), 1, 5), -1, dtype=np.int16)
    top5[:, 0, 0] = top1
    logp = np.full(top5.shape, np.nan, dtype=np.float16)
    return Trials(model="m", layout=layout, top5=top5, logp=logp, correct=(top1 == targets)[:, None])


def measured(trials, probe=None):
    """Name -> measure, of those on votes; they come in the order of `NAMES`."""
    made = [one for one in (probe or Accuracy()).measures(trials) if one.name in NAMES]
    assert [one.name for one in made] == [name for name in NAMES if name in {one.name for one in made}]
    return {one.name: one for one in made}


# --- the published votes and predictions ------------------------------------------------------


@lru_cache(maxsize=1)
def published_attributes(real):
    """The three attributes of the 50,000 validation images, by number."""
    votes = Votes(*published_votes(real)).texts()
    tables = [real / "more" / f"mistakes_{name}_mistakes.json" for name in ("vit3b", "greedy_soups")]
    judged = severities(mistake for table in tables for mistake in read_mistakes(table))
    numbers = range(1, 50_001)
    return {
        "votes": tuple(votes.get(number, "") for number in numbers),
        "real": tuple(" ".join(map(str, labels)) for labels in real_labels()),
        "judged": tuple(judged.get(number, "") for number in numbers),
    }


@lru_cache(maxsize=1)
def predictions(real):
    """Network -> (50,000) predicted classes; and the targets."""
    with np.load(real / "more" / "imagenet_x_predictions.npz") as file:
        return dict(zip(file["models"].tolist(), file["predicted"].astype(int), strict=True)), file["target"].astype(
            int
        )


@pytest.mark.parametrize("network", ["ResNet50", "DINO", "ViT", "SimCLR"])
def test_the_published_numbers_of_votes_are_met_to_all_printed_digits(network, real):
    of_networks, targets = predictions(real)
    found = measured(trials_of(of_networks[network], targets, **published_attributes(real)))
    with (real / "more" / "published_values.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["paper"].startswith("Beyer 2020 votes")]
    values = {row["measure"]: row["value"] for row in rows if row["network"] == network}
    assert set(values) == set(PUBLISHED.values())
    for name, measure in PUBLISHED.items():
        digits = len(values[measure].partition(".")[2])
        assert f"{found[name].value:.{max(digits, 5)}f}" == f"{float(values[measure]):.{max(digits, 5)}f}", name
    assert found["real-top1"].n == 46_837
    assert found["accepted-mistakes"].n == round(found["voted"].value * found["voted"].n)


TABLE = {
    # error, voted, accepted (yes), (yes or maybe), in ReaL, rectified (yes), (yes or maybe), ReaL top-1
    "ResNet50": (0.23870, 0.98877, 0.18998, 0.33353, 0.30373, 0.19386, 0.15998, 0.82958),
    "DINO": (0.23246, 0.87938, 0.21064, 0.36650, 0.29622, 0.18940, 0.15754, 0.82800),
    "ViT": (0.21994, 0.83368, 0.24476, 0.41885, 0.32409, 0.17506, 0.14314, 0.83987),
    "SimCLR": (0.31858, 0.81248, 0.16134, 0.29918, 0.22092, 0.27682, 0.24114, 0.75652),
}


def test_the_table_of_four_networks(real):
    """Votes of Beyer et al. (2020) on predictions of Idrissi et al. (2022), to five digits: 32 numbers."""
    of_networks, targets = predictions(real)
    attributes = published_attributes(real)
    for network, expected in TABLE.items():
        found = measured(trials_of(of_networks[network], targets, **attributes))
        assert tuple(round(found[name].value, 5) for name in PUBLISHED) == expected, network


def test_experts_judge_few_mistakes_of_a_weaker_network(real):
    of_networks, targets = predictions(real)
    found = measured(trials_of(of_networks["ResNet50"], targets, **published_attributes(real)))
    assert found["judged"].value < 0.02 and found["judged"].n == found["voted"].n
    tables = [read_mistakes(real / "more" / f"mistakes_{name}_mistakes.json") for name in ("vit3b", "greedy_soups")]
    severity = {(one.image, one.predicted): one.severity for table in tables for one in table}
    pairs = enumerate(zip(of_networks["ResNet50"].tolist(), targets.tolist(), strict=True), 1)
    hits = [severity[number, top1] for number, (top1, target) in pairs if top1 != target and (number, top1) in severity]
    assert (found["major-mistakes"].n, found["major-mistakes"].value) == (len(hits), hits.count("major") / len(hits))


# --- what they mean ---------------------------------------------------------------------------

FOUR = {
    "votes": ("1:0/0/5 2:5/0/0", "2:0/2/3 3:2/1/2", "", "4:1/3/1"),
    "real": ("1 0", "2", "5", ""),
    "judged": ("1:major", "", "", "4:minor"),
}


def test_each_measure_of_a_handful_of_decisions():
    found = measured(trials_of([1, 3, 3, 4], [0, 2, 2, 4], **FOUR))
    values = {name: one.value for name, one in found.items()}
    assert values == {
        "error": 3 / 4,
        "voted": 2 / 3,
        "accepted-mistakes": 1 / 2,  # class 1 by 5 of 5; class 3 has 2 yes of 5
        "accepted-mistakes-or-maybe": 1,  # and 3 of 5 with maybe
        "rectified-error": 2 / 4,  # class 3 of image 3 has no votes
        "rectified-error-or-maybe": 1 / 4,
        "mistakes-in-real": 1 / 3,
        "real-top1": 1 / 3,
        "major-mistakes": 1,  # the decision for 4 is no mistake
        "judged": 1 / 3,
    }
    assert {name: one.n for name, one in found.items()} == {
        **dict.fromkeys(NAMES, 3), "error": 4, "rectified-error": 4, "rectified-error-or-maybe": 4,
        "accepted-mistakes": 2, "accepted-mistakes-or-maybe": 2, "major-mistakes": 1,
    }  # fmt: skip
    assert all(one.low <= one.value <= one.high and one.unit == "fraction" for one in found.values())
    assert {name: one.direction for name, one in found.items()} == {
        **dict.fromkeys(NAMES, "lower"), "voted": "neither", "judged": "neither", "real-top1": "higher",
        "accepted-mistakes": "higher", "accepted-mistakes-or-maybe": "higher", "mistakes-in-real": "higher",
    }  # fmt: skip
    flags = {flag for name in ("rectified-error", "rectified-error-or-maybe") for flag in found[name].flags}
    assert flags == {UNVOTED} and not any(found[name].flags for name in ("accepted-mistakes", "voted", "error"))
    assert not any(
        one.flags for one in measured(trials_of([1, 3], [0, 2], **{k: v[:2] for k, v in FOUR.items()})).values()
    )


def test_reasons_where_there_is_nothing_to_judge():
    right = measured(trials_of([0, 2, 2, 4], [0, 2, 2, 4], **FOUR))
    assert right["error"].value == right["rectified-error"].value == 0
    for name in ("voted", "accepted-mistakes", "mistakes-in-real", "major-mistakes", "judged"):
        assert (right[name].value, right[name].n, right[name].reason) == (None, 0, "no decision is a mistake"), name
    nothing = dict.fromkeys(FOUR, ("",) * 4)
    unvoted = measured(trials_of([1, 3, 3, 4], [0, 2, 2, 4], **nothing))
    assert unvoted["voted"].value == unvoted["judged"].value == unvoted["mistakes-in-real"].value == 0
    reasons = {name: one.reason for name, one in unvoted.items() if one.value is None}
    assert reasons == {
        "accepted-mistakes": "no mistake was put to the vote",
        "accepted-mistakes-or-maybe": "no mistake was put to the vote",
        "real-top1": "no image has ReaL labels",
        "major-mistakes": "experts judged none of the mistakes",
    }
    empty = measured(trials_of(np.zeros(0, int), np.zeros(0, int), votes=(), real=(), judged=()))
    assert set(empty) == set(NAMES) and all(one.value is None and one.reason for one in empty.values())
    unlabelled = measured(trials_of([1, 3, 3, 4], [-1] * 4, **FOUR))
    assert {one.reason for one in unlabelled.values()} == {"no labels"} and set(unlabelled) == set(NAMES)


def test_a_table_of_few_measures_shows_acceptance_beside_its_coverage():
    """Tables of many measures show the first three of a dataset, without counts."""
    made = [one.name for one in Accuracy().measures(trials_of([1, 3, 3, 4], [0, 2, 2, 4], **FOUR))]
    assert [name for name in made if name not in ("correct", "n")][:3] == ["top1", "accepted-mistakes", "voted"]


def test_without_the_attributes_there_is_none_of_these_measures():
    assert not measured(make_trials(("clean",)))
    only = measured(trials_of([1, 3, 3, 4], [0, 2, 2, 4], real=FOUR["real"]))
    assert set(only) == {"mistakes-in-real", "real-top1"}
    both = list(votes_measures(trials_of([1, 3, 3, 4], [0, 2, 2, 4], **FOUR, factor=("",) * 4), "clean", ""))
    assert {one.name for one in both} == set(NAMES) - {"error"}, "the error of the factors has that name"
    attacked = votes_measures(trials_of([1, 3, 3, 4], [0, 2, 2, 4], **FOUR, factor=("",) * 4), "clean", "attacked")
    assert {one.name for one in attacked} == set(NAMES), "under an attack there are no factors"


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        pytest.param("votes", "1:0/0/5 1:5/0/0", id="a class twice"),
        pytest.param("votes", "1000:0/0/5", id="no class of the dataset"),
        pytest.param("votes", "1:0/5", id="two answers"),
        pytest.param("votes", "1:0/0/-5", id="less than nobody"),
        pytest.param("votes", "1:0/0/99999", id="too many people"),
        pytest.param("votes", "1:0/0/5  2:5/0/0", id="two spaces"),
        pytest.param("votes", "١:0/0/5", id="digits of another script"),
        pytest.param("real", "7,8", id="commas"),
        pytest.param("real", "-1", id="below zero"),
        pytest.param("real", "1" * 4000, id="a long number"),
        pytest.param("judged", "4:terrible", id="another severity"),
        pytest.param("judged", "\x1b[31m4:major", id="an escape"),
    ],
)
def test_a_hostile_attribute_undefines_its_own_measures_alone(attribute, text):
    texts = {**FOUR, attribute: (*FOUR[attribute][:3], text)}
    sound, found = (measured(trials_of([1, 3, 3, 4], [0, 2, 2, 4], **given)) for given in (FOUR, texts))
    changed = {name for name in NAMES if found[name] != sound[name]}
    assert changed and all(found[name].value is None for name in changed)
    (reason,) = {found[name].reason for name in changed}
    assert f"the attribute {attribute!r} of 00003 is" in reason and "each once" in reason and "\n" not in reason
    assert "\x1b" not in reason and len(reason) < 250


LABELS = st.integers(0, 3)
DECISIONS = st.lists(st.tuples(LABELS, LABELS, st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=4, max_size=4)))


@given(DECISIONS)
@settings(max_examples=80, deadline=None)
def test_accepted_and_rectified_add_up(decisions):
    """error = rectified + accepted of the voted; yes or maybe accepts no fewer; a vote of nobody is none."""
    texts = [" ".join(f"{c}:{n}/{m}/{y}" for c, (n, m, y) in enumerate(votes)) for _, _, votes in decisions]
    top1, targets = [d[0] for d in decisions], [d[1] for d in decisions]
    found = measured(trials_of(np.array(top1, int), np.array(targets, int), classes=4, votes=texts))
    n, mistakes = len(decisions), sum(a != b for a, b in zip(top1, targets, strict=True))
    accepted = [2 * v[a][2] > sum(v[a]) for a, b, v in decisions if a != b and sum(v[a])]
    if n:
        assert found["rectified-error"].value == pytest.approx((mistakes - sum(accepted)) / n)
        assert found["rectified-error-or-maybe"].value <= found["rectified-error"].value <= found["error"].value
    if accepted:
        assert found["accepted-mistakes"].value == pytest.approx(np.mean(accepted))
        assert found["accepted-mistakes-or-maybe"].value >= found["accepted-mistakes"].value
        assert found["voted"].value == pytest.approx(len(accepted) / mistakes)


# --- several views ----------------------------------------------------------------------------


def test_intervals_of_several_views_rest_on_images():
    """Every view shows the same decision: the interval is that of the images, not of five times as many rows."""
    rng = np.random.default_rng(0)
    among, hits = rng.random(400) < 0.3, rng.random(400) < 0.4
    single, pooled = portion("judged", hits, among), portion("judged", hits.repeat(5), among.repeat(5), repeats=5)
    assert pooled.value == single.value and pooled.n == 5 * single.n and pooled.by_image and not single.by_image
    assert pooled.low == pytest.approx(single.low, abs=0.01) and pooled.high == pytest.approx(single.high, abs=0.01)
    every = np.ones(2000, dtype=bool)
    whole, known = portion("judged", hits.repeat(5), every, repeats=5), share("judged", hits.repeat(5), repeats=5)
    assert (whole.value, whole.low, whole.high) == pytest.approx((known.value, known.low, known.high))


def test_the_interval_of_a_ratio_over_images_covers_what_a_bootstrap_does():
    rng = np.random.default_rng(1)
    difficulty = rng.random(300)[:, None]
    among = rng.random((300, 4)) < difficulty
    hits = rng.random((300, 4)) < rng.random(300)[:, None]
    found = portion("judged", hits.ravel(), among.ravel(), repeats=4)
    drawn = rng.integers(0, 300, (2000, 300))
    values = (hits & among).sum(axis=1)[drawn].sum(axis=1) / among.sum(axis=1)[drawn].sum(axis=1)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(values, [2.5, 97.5])), abs=0.01)


def test_no_interval_without_a_spread_between_images():
    hits, among = np.tile([True, False], 10), np.ones(20, dtype=bool)
    found = portion("judged", hits, among, repeats=2)
    assert (found.value, found.low, found.high) == (0.5, None, None)
    alone = portion("judged", hits[:2], among[:2], repeats=2)
    assert (alone.value, alone.low) == (0.5, None)


def test_pooled_views_read_the_attribute_of_each_image():
    twice = {name: [text for text in texts for _ in range(2)] for name, texts in FOUR.items()}
    pooled = trials_of(np.repeat([1, 3, 3, 4], 2), np.repeat([0, 2, 2, 4], 2), **twice)
    pooled = replace(pooled, repeats=2)
    single = measured(trials_of([1, 3, 3, 4], [0, 2, 2, 4], **FOUR))
    assert {name: one.value for name, one in measured(pooled).items()} == {n: one.value for n, one in single.items()}


# --- under attack -----------------------------------------------------------------------------


def test_an_attack_has_them_for_each_condition():
    probe = Pgd(steps=5, high=4.0)
    low, high = probe.conditions(64)
    attributes = {name: texts * 10 for name, texts in FOUR.items()}
    trials = make_trials((low, high), n=40, attributes=attributes)
    made = {(one.name, one.condition): one for one in probe.measures(trials) if one.name in NAMES}
    assert set(made) == {(name, condition) for name in NAMES for condition in (low, high)}
    for condition in (low, high):
        for one in votes_measures(trials, condition, condition):
            assert made[one.name, condition] == one
    assert made["error", low].full_name("imagenet-votes") == f"error@imagenet-votes/{low}"


def test_an_attack_that_could_not_move_the_images_says_so_here_too():
    probe = Pgd(steps=5)
    (condition,) = probe.conditions(64)
    blind = np.zeros((40, 1), dtype=np.int16)
    attributes = {name: texts * 10 for name, texts in FOUR.items()}
    trials = make_trials((condition,), n=40, attributes=attributes, arrays={"steps-without-gradient": blind})
    trials.correct.flags.writeable = True
    trials.correct[:] = False
    trials.correct[:4] = True
    blind[0] = 1
    few = {one.name: one for one in probe.measures(trials)}
    assert few["error"].value == 0.9 and re.search("1 of 40 images count as robust", few["error"].flags[-1])
    blind[:4] = 1
    many = {one.name: one for one in probe.measures(trials)}
    assert {many[name].value for name in ("top1", *NAMES) if few[name].value is not None} == {None}
    assert "4 of 40 images count as robust" in many["rectified-error"].reason
    assert many["correct"].value == 4 and many["n"].value == 40


def test_shares_of_the_mistakes_are_declared_as_divided_by_the_error():
    names = set(measured(trials_of([1, 3, 3, 4], [0, 2, 2, 4], **FOUR)))
    assert DENOMINATORS.keys() | {name.removesuffix("/*") for name in DENOMINATORS.values()} <= names
    assert DENOMINATORS.items() <= Accuracy.denominators.items()
