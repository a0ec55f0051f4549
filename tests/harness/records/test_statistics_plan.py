"""What is declared of statistics: there and back as JSON, and completed by another declaration."""

from hypothesis import given
from hypothesis import strategies as st

from harness import StatisticsPlan

NAMES = st.lists(st.sampled_from("abc"), unique=True).map(tuple)
PLANS = st.builds(
    StatisticsPlan,
    log=NAMES,
    set_apart=st.none() | st.sampled_from("gh"),
    controls=NAMES,
    baseline_models=NAMES,
    alternatives=st.dictionaries(st.sampled_from("ab"), st.dictionaries(st.sampled_from("tu"), NAMES, min_size=1)),
    hyperparameters=st.dictionaries(
        st.sampled_from(["a", "b*", "*"]),
        st.dictionaries(st.sampled_from("vw"), st.sampled_from([1, 0.5, True, "x"]), min_size=1),
    ),
)


@given(PLANS)
def test_it_survives_json(plan):
    assert StatisticsPlan.parse(plan.document()) == plan
    assert None not in plan.document().values() and [] not in plan.document().values()


@given(PLANS, PLANS)
def test_what_is_declared_first_holds(first, second):
    plan, unlike = first.completed(second)
    for name, value in second.document().items():
        mine = first.document().get(name)
        assert plan.document()[name] == (mine or value)
        assert (name in unlike) == (mine is not None and mine != value)
    assert first.document().items() <= plan.document().items()


def test_later_globs_hold_for_the_models_that_they_fit():
    declared = {"*": {"epsilon": 0, "norm": "none"}, "l2-*": {"norm": "l2"}, "*-1.5": {"epsilon": 1.5}}
    plan = StatisticsPlan.parse(StatisticsPlan(hyperparameters=declared).document())
    assert plan.hyperparameters_of("plain") == {"epsilon": 0, "norm": "none"}
    assert plan.hyperparameters_of("l2-1.5") == {"epsilon": 1.5, "norm": "l2"}
    assert StatisticsPlan(hyperparameters={"a[1]": {"norm": "l2"}}).hyperparameters_of("a[1]") == {"norm": "l2"}
    assert StatisticsPlan(hyperparameters={"l2-*": {"norm": "l2"}}).hyperparameters_of("plain") == {}
