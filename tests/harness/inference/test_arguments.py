"""What a notebook may pass by mistake is refused in words, and never taken for something else."""

import numpy as np
import pytest

from harness import inference

X, FAMILIES = np.arange(8.0), list("aaaabbbb")
HOSTILE = {
    "nan-family": (lambda: inference.within_families(X, X, [*"aaaabbb", np.nan]), "name of a family, or None .* nan"),
    "nan-prediction": (lambda: predicted(families=[*"aaaabbb", np.nan]), "name of a family, or None .* nan"),
    "number-prediction": (lambda: predicted(families=[0, 0, 0, 0, 1, 1, 1, 1]), "name of a family, or None .* 0"),
    "number-exchanges": (lambda: inference.coupling_null(X, X + 1, X, [1] * 8), "name of a family, or None .* 1"),
    "log-text": (lambda: predicted(log="low-bias"), "a list of biases as log, got 'low-bias'"),
    "no-draw-prediction": (lambda: predicted(draws=0), "at least one draw, got 0"),
    "no-draw-blocks": (lambda: inference.blocked_test([X], [X], FAMILIES, draws=0), "at least one draw, got 0"),
    "no-draw-families": (lambda: inference.family_intervals([X], [X], FAMILIES, draws=-1), "at least one draw"),
    "no-draw-halves": (lambda: inference.half_values([X, X], keys=range(8), draws=0), "at least one draw, got 0"),
}


def predicted(families=FAMILIES, **more):
    return inference.predictions({"bias": X + 1}, {"ID": X % 3}, families, [*"mnopqrst"], **more)


@pytest.mark.parametrize("call", HOSTILE)
def test_hostile_arguments_are_refused(call):
    function, problem = HOSTILE[call]
    with pytest.raises(ValueError, match=problem):
        function()


def test_no_models_are_no_error():
    found = inference.family_intervals([[]], [[]], [])
    assert (found.low, found.high, found.families) == (((None,),), ((None,),), 0)
