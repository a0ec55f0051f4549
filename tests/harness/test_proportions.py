"""Whether a decision is correct: one answer for the engine, the store, imported decisions and the probes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness import is_correct


def test_padding_matches_no_choice_not_even_a_missing_one():
    assert is_correct(np.array([[1, -1], [2, 3]]), np.array([[-1, 0], [-1, 3]])).tolist() == [False, True]


@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 4))
def test_any_of_the_choices_under_each_condition_against_a_loop(seed, conditions, accepted):
    generator = np.random.default_rng(seed)
    top5 = generator.integers(-1, 6, (5, conditions, 5)).astype(np.int16)
    targets = generator.integers(-1, 6, (5, accepted)).astype(np.int16)
    wanted = [{int(target) for target in row if target >= 0} for row in targets]
    for choices in (top5, top5[..., :1]):
        expected = [[bool(wanted[n] & set(of.tolist())) for of in choices[n]] for n in range(5)]
        given_ = is_correct(choices, targets)
        assert given_.dtype == bool and given_.tolist() == expected


def test_no_samples_and_no_conditions():
    assert is_correct(np.empty((0, 2, 5), np.int16), np.empty((0, 1), np.int16)).shape == (0, 2)
    assert is_correct(np.empty((3, 0, 5), np.int16), np.zeros((3, 1), np.int16)).shape == (3, 0)
