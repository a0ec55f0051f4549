"""Medians of ratios, their intervals and what they are worth: known answers, properties, simulated coverage."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.rounds import RESOLUTION, Round, StopRule, Verdict, compared, estimate, interval_rank

SECONDS = st.floats(0.01, 100)
ROUNDS = st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=40)


def rounds(firsts, seconds, control=1.0):
    """Rounds whose control is the given ratio."""
    share = control / (1 + control)
    return [Round(a, b, (a * share, a * (1 - share))) for a, b in zip(firsts, seconds, strict=True)]


def even(ratio, n=20, spread=0.0, **more):
    """n rounds, whose ratios lie evenly in ± `spread` about one."""
    return compared(rounds(ratio * (1 + spread * np.linspace(-1, 1, n)), np.ones(n), **more), bound=1.0)


@pytest.mark.parametrize(
    ("n", "rank"),
    # Critical values of the two-sided sign test at 5 %, plus one.
    [(1, 0), (5, 0), (6, 1), (8, 1), (9, 2), (10, 2), (12, 3), (15, 4), (20, 6), (25, 8), (30, 10), (40, 14)],
)
def test_ranks_of_the_interval(n, rank):
    assert interval_rank(n) == rank


@pytest.mark.parametrize("n", range(6, 80))
def test_the_rank_is_the_largest_that_covers_often_enough(n):
    rank = interval_rank(n)
    assert 1 - 2 * stats.binom.cdf(rank - 1, n, 0.5) >= 0.95 > 1 - 2 * stats.binom.cdf(rank, n, 0.5)


def test_known_answers():
    nine = estimate([9, 1, 5, 3, 7, 2, 8, 4, 6])
    assert (nine.n, nine.median, nine.low, nine.high, nine.quartiles) == (9, 5, 2, 8, (3, 7))
    assert nine.width == pytest.approx(6 / 5)
    few = estimate([1.0, 2.0])
    assert (few.median, few.low, few.high, few.width) == (1.5, 0, math.inf, math.inf)


@given(ROUNDS, st.floats(0.01, 100))
def test_a_machine_of_another_speed_changes_nothing(pairs, factor):
    before = compared(rounds(*zip(*pairs, strict=True))).ratio
    after = compared(rounds(*zip(*[(a * factor, b * factor) for a, b in pairs], strict=True))).ratio
    assert (after.median, after.low, after.high) == pytest.approx((before.median, before.low, before.high))


@given(ROUNDS.filter(lambda pairs: len(pairs) % 2))
def test_swapped_sides_invert_the_ratio(pairs):
    firsts, seconds = zip(*pairs, strict=True)
    ratio, inverse = compared(rounds(firsts, seconds)).ratio, compared(rounds(seconds, firsts)).ratio
    assert inverse.median == pytest.approx(1 / ratio.median)
    if len(pairs) >= 6:
        assert (inverse.low, inverse.high) == pytest.approx((1 / ratio.high, 1 / ratio.low))


@given(ROUNDS, st.randoms(use_true_random=False))
def test_the_order_of_rounds_does_not_matter(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    assert compared(rounds(*zip(*shuffled, strict=True))) == compared(rounds(*zip(*pairs, strict=True)))


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_bursts_of_other_work_hardly_move_the_median(seed):
    """In a fifth of 64 rounds, one side or the other takes three times as long."""
    random = np.random.default_rng(seed)
    firsts, seconds = (side * np.exp(random.normal(0, 0.005, 64)) for side in (0.97, 1.0))
    calm = compared(rounds(firsts, seconds)).ratio
    struck = random.permutation(64)[:13]
    for side, of_side in ((firsts, struck[:6]), (seconds, struck[6:])):
        side[of_side] *= 3
    assert compared(rounds(firsts, seconds)).ratio.median == pytest.approx(calm.median, rel=0.01)


def test_the_mean_would_not_survive_them():
    firsts = np.where(np.arange(50) % 5 == 0, 3.0, 1.0)
    assert compared(rounds(firsts, np.ones(50))).ratio.median == 1
    assert firsts.mean() == pytest.approx(1.4)


@pytest.mark.parametrize("sd", [0.002, 0.005, 0.01])
@pytest.mark.parametrize("bursts", [0.0, 0.2])
def test_intervals_hold_the_truth_although_they_decide_when_to_stop(sd, bursts):
    random, rule, times = np.random.default_rng(1), StopRule(seconds=math.inf), 400
    held = 0
    for _ in range(times):
        logs = random.normal(0, sd, rule.most)
        logs += math.log(3) * random.choice([-1, 1], rule.most) * (random.random(rule.most) < bursts)
        ratios = np.exp(logs)
        for n in (*range(rule.least, rule.most, rule.every), rule.most):
            result = estimate(ratios[:n])
            if rule.is_over(n, result.width, 0):
                break
        held += result.low <= 1 <= result.high
    assert held / times >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / times)


def test_the_rule_waits_for_rounds_and_for_the_interval():
    rule = StopRule(seconds=60, least=9, every=3, most=20)
    assert [n for n in range(1, 21) if rule.is_over(n, RESOLUTION / 2, 1)] == [9, 12, 15, 18, 20]
    assert [n for n in range(1, 21) if rule.is_over(n, RESOLUTION, 1)] == [20]
    assert rule.is_over(1, math.inf, 60)


def test_resolved():
    assert even(0.97, spread=0.004).verdict is Verdict.RESOLVED
    assert even(1.002, spread=0.006).verdict is Verdict.RESOLVED  # above the bound, but the interval reaches it


def test_too_busy_to_tell():
    assert even(0.97, spread=0.03).verdict is Verdict.BUSY


def test_too_few_rounds():
    assert even(0.97, n=5).verdict is Verdict.FEW


def test_a_ratio_above_its_bound_cannot_be_right():
    assert even(1.6, spread=0.001).verdict is Verdict.IMPOSSIBLE
    assert even(1.6, spread=0.3).verdict is Verdict.IMPOSSIBLE  # however wide
    assert compared(rounds([1.6] * 9, [1.0] * 9)).verdict is Verdict.RESOLVED  # no bound


def test_the_control_must_be_one():
    assert even(0.97, control=1.02).verdict is Verdict.BIASED
    assert even(0.97, control=1.008).verdict is Verdict.RESOLVED  # moves the ratio by 0.4 %
    assert even(0.97, control=0.98).verdict is Verdict.BIASED
