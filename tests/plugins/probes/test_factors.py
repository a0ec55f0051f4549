"""Error ratios by factor: the published ratios of ImageNet-X, cases by hand, and where a ratio is undefined."""

import csv
import gzip
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import inference, statistics
from harness.plugins.probes._factors import FEW, factor_measures
from harness.plugins.probes.accuracy import Accuracy
from harness.testing import check_measures, make_trials
from tests.helpers import imagenet_x
from tests.helpers.bounds import bounded

OF_FACTORS = ("error", "error-ratio", "error-ratio-multi", "worst-factor")
PUBLISHED_N = (15064, 14751, 5972, 6150, 1450, 679, 638, 585, 282, 150, 122, 78, 60, 43, 44, 40)


def measured(trials):
    return {f"{one.name}/{one.condition}".rstrip("/"): one for one in factor_measures(trials, "clean")}


def with_errors(wrong, **attributes):
    """Trials that are wrong where `wrong` is 1."""
    trials = make_trials(("clean",), n=len(wrong), attributes=attributes)
    return replace(trials, correct=np.array([[mark != "1"] for mark in wrong]))


# --- the published numbers -------------------------------------------------------------------


@pytest.mark.parametrize("network", ["ResNet50", "DINO", "ViT", "SimCLR"])
def test_ratios_of_four_networks_are_the_published_ones(real, network):
    """In all digits of the tables of accuracies by top factor and by all factors, and of the printed ratios."""
    ratios = measured(imagenet_x.trials_of(real, network))
    for kind, name in (("top", "error-ratio"), ("multi", "error-ratio-multi")):
        accuracy = imagenet_x.published_accuracies(real, f"{kind}-base-class.csv.gz")[network]
        printed = imagenet_x.published_ratios(real, kind)
        for factor in imagenet_x.FACTORS:
            ratio = ratios[f"{name}/{factor}"]
            expected = (1 - accuracy[factor]) / (1 - accuracy["average"])
            assert ratio.value == pytest.approx(expected, rel=1e-14)
            assert round(ratio.value, 6) == printed[network, factor]
            assert ratio.low < ratio.value < ratio.high
            assert (FEW in ratio.flags) == (ratio.n < 50)
    top = imagenet_x.published_accuracies(real, "top-base-class.csv.gz")[network]
    assert 1 - ratios["error"].value == pytest.approx(top["average"], rel=1e-14)
    worst = (1 - top["worst_factor"]) / (1 - top["average"])
    assert ratios["worst-factor"].value == pytest.approx(worst, rel=1e-14)
    assert ratios["worst-factor"].flags == ("the factor is texture",) and ratios["worst-factor"].n == 282


def test_counts_of_images_are_the_published_ones(real):
    ratios = measured(imagenet_x.trials_of(real, "ViT"))
    assert tuple(ratios[f"error-ratio/{factor}"].n for factor in imagenet_x.FACTORS) == PUBLISHED_N
    assert ratios["error"].n == 46_110 == sum(PUBLISHED_N) + 2, "two images have no top factor"
    assert len(ratios) == 2 + 2 * 16


def test_the_interval_of_the_rarest_factor_is_wide(real):
    """40 images: the ratio of ResNet50 is 1.97 ± 0.6."""
    ratio = measured(imagenet_x.trials_of(real, "ResNet50"))["error-ratio/multiple_objects"]
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((1.974, 1.39, 2.56), abs=0.005)


def test_ratios_follow_accuracy_and_explain_nothing_beside_it(real):
    """335 networks of the ImageNet testbed, as docs/factors.md says: ρ with accuracy, with ImageNet-Sketch, partial."""
    accuracies = imagenet_x.published_accuracies(real, "top-imagenet_testbed-class.csv.gz")
    with gzip.open(real / "more" / "testbed_robustness_top1s.csv.gz", "rt") as file:
        testbed = {row["model"]: row for row in csv.DictReader(file)}
    names = sorted(accuracies.keys() & testbed.keys())
    assert len(names) == 335
    top1, sketch = ([float(testbed[name][column]) for name in names] for column in ("val", "imagenet-sketch"))
    expected = {"pose": (-0.98, -0.93, 0.09), "texture": (0.94, 0.89, -0.13), "shape": (0.94, 0.91, 0.14)}
    for factor in imagenet_x.FACTORS:
        ratios = [(1 - accuracies[name][factor]) / (1 - accuracies[name]["average"]) for name in names]
        plain = statistics.spearman(ratios, sketch).value
        partial = inference.partial_spearman(ratios, sketch, {"top-1": top1}).value
        assert abs(partial) < 0.25
        if factor in expected:
            numbers = (statistics.spearman(ratios, top1).value, plain, partial)
            assert numbers == pytest.approx(expected[factor], abs=0.005)


# --- by hand ---------------------------------------------------------------------------------


def test_ratios_by_hand():
    """Ten images, the last a prototype: four of nine are wrong, two of two, one of three, one of four without."""
    trials = with_errors(
        "1110001001",
        factor=("a", "a", "b", "b", "b", "", "", "", "", "a"),
        factors=("a", "a b", "b", "b", "b", "", "", "", "b", "a b"),
        prototype=("",) * 9 + ("1",),
    )
    ratios = measured(trials)
    values = {name: measure.value for name, measure in ratios.items()}
    assert values == pytest.approx(
        {
            "error": 4 / 9,
            "error-ratio/a": 1 / (4 / 9),
            "error-ratio/b": (1 / 3) / (4 / 9),
            "worst-factor": 1 / (4 / 9),
            "error-ratio-multi/a": 1 / (4 / 9),
            "error-ratio-multi/b": (2 / 5) / (4 / 9),
        }
    )
    assert {name: measure.n for name, measure in ratios.items()} == {
        "error": 9, "error-ratio/a": 2, "error-ratio/b": 3, "worst-factor": 2,
        "error-ratio-multi/a": 2, "error-ratio-multi/b": 5,
    }  # fmt: skip
    assert ratios["worst-factor"].flags == ("the factor is a", FEW)
    assert {measure.unit for name, measure in ratios.items() if "ratio" in name} == {"1"}
    assert ratios["error"].direction == "lower" and ratios["error"].unit == "fraction"
    assert ratios["error-ratio/a"].full_name("imagenet-x") == "error-ratio@imagenet-x/a"


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), min_size=4, max_size=60))
@settings(max_examples=60, deadline=None)
def test_the_mean_ratio_over_a_partition_is_one(images):
    """Where every image has one factor, the ratios weighted by how many images each has average to 1."""
    trials = with_errors(["1" if wrong else "0" for _, wrong in images], factor=[factor for factor, _ in images])
    ratios = [measure for measure in factor_measures(trials, "clean") if measure.name == "error-ratio"]
    if any(wrong for _, wrong in images):
        assert sum(measure.value * measure.n for measure in ratios) / len(images) == pytest.approx(1)
    else:
        assert {measure.reason for measure in ratios} == {"no errors"}


def test_a_factor_of_fifty_images_is_not_few():
    factor = ["a"] * 50 + ["b"] * 49 + [""] * 20
    ratios = measured(with_errors("10" * 59 + "1", factor=factor))
    assert ratios["error-ratio/a"].flags == () and ratios["error-ratio/b"].flags == (FEW,)


# --- what there is not -----------------------------------------------------------------------


def test_other_datasets_have_none_and_other_measures_stay():
    """With the attributes, exactly these measures are added; without, the probe gives what it gave before."""
    plain = make_trials(("clean",), n=60)
    attributes = {"factor": ("a", "") * 30, "factors": ("a b", "") * 30, "prototype": ("", "", "1") * 20}
    varied = replace(plain, layout=replace(plain.layout, attributes=attributes))
    before, after = list(Accuracy().measures(plain)), list(Accuracy().measures(varied))
    assert not {one.name for one in before} & set(OF_FACTORS)
    assert [one for one in after if one.name not in OF_FACTORS] == before
    assert Counter(one.name for one in after if one.name in OF_FACTORS) == {
        "error": 1, "error-ratio": 2, "worst-factor": 1, "error-ratio-multi": 2,
    }  # fmt: skip
    assert Accuracy().version == 1
    check_measures(Accuracy(), varied)


def test_reasons():
    right = measured(with_errors("0000", factor="aabb"))
    assert {name: one.reason for name, one in right.items() if name != "error"} == {
        "error-ratio/a": "no errors", "error-ratio/b": "no errors", "worst-factor": "no errors",
    }  # fmt: skip
    assert right["error"].value == 0
    some = measured(
        with_errors("1000", factor=["a", "b", "", ""], factors=["a", "b c", "", ""], prototype=["", "1"] * 2)
    )
    assert {name: (one.n, one.reason) for name, one in some.items() if one.value is None} == {
        "error-ratio/b": (0, "no images of this factor"), "error-ratio/c": (0, "no images of this factor"),
        "error-ratio-multi/b": (0, "no images of this factor"), "error-ratio-multi/c": (0, "no images of this factor"),
    }  # fmt: skip
    lone = measured(with_errors("00", factor=["b", ""], factors=["b", "a"]))
    assert lone["worst-factor"].reason == "no errors" and lone["error-ratio/a"].reason == "no images of this factor"
    bare = measured(with_errors("1000", factor=["", "", "", ""]))
    assert set(bare) == {"error", "worst-factor"} and bare["worst-factor"].reason == "no image has a factor"
    unlabelled = with_errors("1000", factor="aabb")
    targets = np.full_like(unlabelled.layout.targets, -1)
    unlabelled = replace(unlabelled, layout=replace(unlabelled.layout, targets=targets))
    assert {one.reason for one in measured(unlabelled).values()} == {"no labels"}


HOSTILE = {
    "a name for each image": ("factor", [f"image-{number}" for number in range(50_000)]),
    "many names in one text": ("factors", [" ".join(map(str, range(200_000))), *["a"] * 49_999]),
    "many names in every text": ("factors", [" ".join(map(str, range(100)))] * 50_000),
    "another text for each image": ("factors", [f"{number % 7} {'a ' * (number % 13)}" for number in range(50_000)]),
    "no name": ("factors", [" \t\n"] * 50_000),
    "a long text": ("prototype", ["x" * 5_000_000, *["1", ""] * 24_999, ""]),
    "escape": ("factor", ["\x1b[2J\u202e"] * 25_000 + [""] * 25_000),
}


UNDEFINED = {
    "a name for each image": {"worst-factor": "50,000 different factors, at most 256 are possible"},
    "many names in one text": {"error-ratio-multi": "200,001 different factors, at most 256 are possible"},
    "no name": {"error-ratio-multi": "no image has a factor"},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_factors_of_a_run_from_elsewhere(kind, tmp_path):
    """Few measures in little time, whatever the texts are; or the reason why there are none."""
    name, texts = HOSTILE[kind]
    trials = with_errors("10" * 25_000, **{"factor": ["a"] * 50_000, name: texts})
    with bounded(tmp_path):
        measures = measured(trials)
    assert len(measures) <= 2 + 2 * 256 and measures["error"].n > 0
    undefined = {name: one.reason for name, one in measures.items() if one.value is None and one.n != 0}
    assert undefined == UNDEFINED.get(kind, {})


def test_a_factor_that_every_image_has_is_the_whole():
    ratio = measured(with_errors("1010", factor="aaaa"))["error-ratio/a"]
    assert (ratio.value, ratio.low, ratio.high) == (1, None, None)


def test_rows_that_repeat_images_have_the_same_ratio_and_no_interval():
    """Of two views, pooled: intervals of rows would be too narrow."""
    trials = with_errors("1100100010", factor="aabbbbcccc")
    twice = with_errors("11110000110000001100", factor="aaaabbbbbbbbcccccccc")
    pooled = measured(replace(twice, repeats=2))
    assert {name: one.value for name, one in pooled.items()} == {n: one.value for n, one in measured(trials).items()}
    assert all(one.low is None for name, one in pooled.items() if name != "error")
