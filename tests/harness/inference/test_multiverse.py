"""All combinations of alternatives: counted by hand, and those of the published study."""

import math
from itertools import combinations

import numpy as np
import pytest

from harness.inference import multiverse_of
from harness.statistics import spearman
from tests.helpers.published import read_published

CUTOFFS = ["0.01", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.99"]
SETS = [(1, 6), (1, 4), (1, 10), (0, 11), (3, 6), (0, 6), (5, 11), (1, 2)]
"""Eight sets of cutoffs, each a slice of `CUTOFFS`; the first is the study's."""


def means(measures, parts, sizes):
    """Name -> mean of each subset of so many of the parts."""
    chosen = [subset for size in sizes for subset in combinations(parts, size)]
    return {", ".join(subset): np.mean([measures[part] for part in subset], axis=0) for subset in chosen}


def frequencies(measures, kind):
    """The bias from eight sets of cutoffs, relative to clean accuracy and absolute."""
    alternatives = {}
    for low, high in SETS:
        parts = [measures[f"relative-top1@imagenet/{kind}-pass-{cutoff}"] for cutoff in CUTOFFS[low:high]]
        alternatives[f"{low}-{high} relative"] = np.mean(parts, axis=0)
        alternatives[f"{low}-{high} absolute"] = np.mean(parts, axis=0) * measures["top1@imagenet"]
    return alternatives


def test_the_published_study(real):
    """Ends as they were found with sets of cutoffs of which only the number is known: those of LF to 0.06."""
    m = read_published(real).measures
    i_d = means(m, ["top1@imagenet", "top1@imagenet-v2", "top1@imagenet-real"], [3])
    i_d |= means(m, ["top1@imagenet", "top1@imagenet-v2"], [1, 2])
    robust = means(m, ["top1@imagenet-c", "top1@imagenet-cbar"], [2])
    robust |= means(m, ["top1@imagenet-a", "top1@imagenet-c", "top1@imagenet-cbar"], [3])
    concepts = means(m, ["top1@imagenet-sketch", "top1@imagenet-r", "top1@stylized"], [1, 2, 3])
    shape = {"shape": m["shape-bias@cue-conflict"]}
    center = {suffix: m[f"critical-band-center-frequency{suffix}@imagenet"] for suffix in ("", "-raw")}
    low, high = frequencies(m, "low"), frequencies(m, "high")
    expected = [
        (low, i_d, -0.57, 0.95, 0.06),
        (low, robust, -0.38, 0.88, 0.07),
        (high, robust, 0.41, 0.85, 0.06),
        (center, i_d, -0.50, 0.10, 0.025),
        (shape, concepts, -0.26, 0.58, 0.005),
        (shape, i_d, -0.78, -0.76, 0.005),
    ]
    for first, second, least, most, within in expected:
        result = multiverse_of(first, second)
        assert (result.least, result.most) == pytest.approx((least, most), abs=within)
        assert result.least <= result.median <= result.most
        assert result.defined == len(result.specifications) == len(first) * len(second)


def test_shares_and_order():
    rising, y = np.arange(12.0), {"y": np.arange(12.0) ** 2, "z": -np.arange(12.0)}
    mixed = np.array([5, 1, 9, 2, 8, 3, 7, 4, 11, 0, 10, 6.0])
    result = multiverse_of({"up": rising, "mixed": mixed}, y)
    assert [(each.first, each.second) for each in result.specifications] == [
        ("up", "z"), ("mixed", "z"), ("mixed", "y"), ("up", "y")
    ]  # fmt: skip
    assert (result.least, result.median, result.most) == (-1.0, pytest.approx(0, abs=1e-12), 1.0)
    assert (result.positive, result.negative, result.significant, result.defined) == (0.5, 0.5, 0.5, 4)


def test_a_model_without_an_alternative_is_left_out_of_it():
    x = np.array([1, 4, 2, 5, 3, 7, 6, math.nan])
    result = multiverse_of({"x": x, "few": np.where(x > 3, x, math.nan)}, {"y": np.arange(8)})
    by_name = {each.first: each.correlation for each in result.specifications}
    assert by_name["x"] == spearman(x[:7], np.arange(7))
    assert by_name["few"].reason == "undefined (n = 4)"
    assert (result.defined, [each.first for each in result.specifications]) == (1, ["x", "few"])


def test_undefined_and_refused():
    nothing = multiverse_of({"x": [1] * 6}, {"y": range(6)}, ("bias", "axis"))
    assert (nothing.reason, nothing.defined, nothing.median) == ("undefined (bias constant)", 0, None)
    assert multiverse_of({}, {"y": range(6)}).reason == "undefined (no alternative)"
    many = {str(at): range(6) for at in range(101)}
    refused = multiverse_of(many, dict(list(many.items())[:10]))
    assert refused.reason == "undefined (1,010 combinations of alternatives, at most 1,000)"
    with pytest.raises(ValueError, match="one length"):
        multiverse_of({"x": [1, 2]}, {"y": [1]})
