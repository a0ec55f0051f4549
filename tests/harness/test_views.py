"""Trials by view: what a probe gets of a dataset with views, and what becomes of its measures."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Measure, Probe, accuracy_measures, proportion
from harness.records import columns_of
from harness.testing import check_measures, make_trials
from harness.views import Views, measures_by_view

VIEWS, CONDITIONS = ("fog-1", "fog-2", "rain-1", "rain-2", "left"), ("low", "mid", "high")


@dataclass(frozen=True, kw_only=True)
class Stored(Probe):
    """A probe of stored trials, which shows nothing."""

    name: ClassVar[str] = "stored"

    def conditions(self, size):
        return CONDITIONS

    def stimuli(self, batch):
        raise NotImplementedError


def stored(views=VIEWS, conditions=CONDITIONS, n=12, **more):
    maps = np.random.default_rng(6).normal(size=(n, len(views) * len(conditions), 2, 3)).astype(np.float32)
    given = make_trials(columns_of(views, conditions), n=n, arrays={"map": maps}, **more)
    axes = replace(given.layout, attributes={"side": tuple(f"side {row}" for row in range(n))})
    logits = np.random.default_rng(5).normal(size=(n, len(views) * len(conditions), 10)).astype(np.float16)
    return replace(given, layout=axes, logits=lambda low, high: logits[low:high])


@pytest.mark.parametrize("conditions", [CONDITIONS, ("low",)])
@given(chosen=st.lists(st.sampled_from(range(5)), min_size=1, unique=True))
@settings(deadline=None, max_examples=30)
def test_rows_are_those_of_a_plain_loop(conditions, chosen):
    trials = stored(conditions=conditions)
    views = Views.of(trials, conditions)
    got = views.pooled(chosen)
    assert views.names == VIEWS and got.layout.conditions == conditions and got.repeats == len(chosen)
    assert len(got.correct) == len(got.layout.sample_ids) == len(got.layout.targets) == 12 * len(chosen)
    everything, kept = trials.logits(0, 12), got.logits(0, 12 * len(chosen))
    maps, kept_maps = trials.array("map"), got.array("map")
    for sample in range(12):
        for place, number in enumerate(chosen):
            row = sample * len(chosen) + place
            assert got.layout.sample_ids[row] == trials.layout.sample_ids[sample]
            assert got.layout.attributes["side"][row] == f"side {sample}"
            assert np.array_equal(got.layout.targets[row], trials.layout.targets[sample])
            for column, condition in enumerate(conditions):
                at = trials.column(columns_of(VIEWS, conditions)[number * len(conditions) + column])
                assert got.column(condition) == column
                assert np.array_equal(got.top5[row, column], trials.top5[sample, at])
                assert np.array_equal(got.logp[row, column], trials.logp[sample, at], equal_nan=True)
                assert got.correct[row, column] == trials.correct[sample, at]
                assert np.array_equal(kept[row, column], everything[sample, at])
                assert np.array_equal(kept_maps[row, column], maps[sample, at])
    low, high = 12 * len(chosen) // 3, 12 * len(chosen) // 2 + 1
    assert np.array_equal(got.logits(low, high), kept[low:high])
    assert np.array_equal(got.array("map", low, high), kept_maps[low:high])


def test_all_views_and_one_are_not_copied():
    trials = stored()
    views = Views.of(trials, CONDITIONS)
    assert all(np.shares_memory(views.pooled(chosen).top5, trials.top5) for chosen in (range(5), (3,)))


def test_kinds_with_levels_are_copied_one_by_one():
    trials, seen = stored(), []

    @dataclass(frozen=True, kw_only=True)
    class Kinds(Stored):
        """Looks up one kind."""

        name: ClassVar[str] = "kinds"
        version: ClassVar[int] = 1

        def measures(self, trials):
            return ()

        def measures_of_levels(self, levels):
            seen.append(levels)
            return ()

    views = Views.of(trials, CONDITIONS)
    assert list(measures_by_view(Kinds(), views)) == []
    (levels,) = seen
    assert list(levels) == ["fog", "rain"] and len(levels) == 2 and "left" not in levels and "fog" in levels
    assert np.array_equal(levels["rain"].top5, views.pooled((2, 3)).top5)
    assert levels["rain"] is not levels["rain"]  # nobody keeps what was looked up


@dataclass(frozen=True, kw_only=True)
class Loss(Stored):
    """Compares two views by their names."""

    name: ClassVar[str] = "loss"

    def measures(self, trials):
        return ()

    def measures_over_views(self, views):
        fog, rain = (views[name].correct[:, views[name].column("mid")] for name in ("fog-2", "rain-1"))
        yield Measure(name="loss", condition=",".join(views), value=float((fog & ~rain).mean()))


def test_views_are_compared_by_name_with_the_same_images_in_one_order():
    trials = stored(n=40)
    (loss,) = measures_by_view(Loss(), Views.of(trials, CONDITIONS))
    fog, rain = (trials.correct[:, trials.column(f"{view}/mid")] for view in ("fog-2", "rain-1"))
    assert loss.value == (fog & ~rain).mean() > 0 and loss.condition == ",".join(VIEWS)


def test_where_there_are_no_views_none_are_compared():
    assert list(measures_by_view(Loss(), Views.of(make_trials(CONDITIONS), CONDITIONS))) == []


def test_a_dataset_without_views_is_left_as_it_is():
    trials = make_trials(CONDITIONS)
    assert Views.of(trials, CONDITIONS).pooled(()) is trials


def test_required_trials_are_cut_alike():
    clean = make_trials(VIEWS, n=12, seed=1)
    views = Views.of(stored(), CONDITIONS, {"accuracy": Views.of(clean, ("clean",))})
    got = views.pooled((1, 4)).required["accuracy"]
    assert got.layout.conditions == ("clean",) and got.repeats == 2
    assert np.array_equal(got.correct[:, 0], clean.correct[:, [1, 4]].reshape(-1))
    with pytest.raises(ValueError, match="have different views"):
        Views.of(stored(), CONDITIONS, {"accuracy": Views.of(make_trials(("clean",)), ("clean",))})


def test_other_conditions_are_refused():
    with pytest.raises(ValueError, match="are not those of the conditions clean, low"):
        Views.of(stored(), ("clean", "low"))


# --- measures ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Levels(Stored):
    """Accuracies by the public helper, one without a condition, and a share that takes rows for independent."""

    name: ClassVar[str] = "levels"

    def measures(self, trials):
        for condition in CONDITIONS:
            yield from accuracy_measures(trials, condition)
        yield proportion("naive", int(trials.correct.sum()), trials.correct.size)
        yield Measure(name="fit", value=1.0, low=0.5, high=2.0, flags=("censored",))


@pytest.fixture
def measured():
    trials = stored(n=40)
    made = list(measures_by_view(Levels(), Views.of(trials, CONDITIONS)))
    names = [measure.full_name("d") for measure in made]
    assert len(set(names)) == len(names)
    return trials, dict(zip(names, made, strict=True))


def test_values_of_each_view_each_kind_and_all(measured):
    trials, found = measured
    correct = trials.correct.reshape(40, 5, 3)
    kinds = {"fog": [0, 1], "rain": [2, 3]}
    for place, condition in enumerate(CONDITIONS):
        assert found[f"top1@d/{condition}"].value == pytest.approx(correct[:, :, place].mean())
        assert (found[f"n@d/{condition}"].value, found[f"top1@d/{condition}"].n) == (200, 200)
        for number, view in enumerate(VIEWS):
            one = found[f"top1@d/{view}/{condition}"]
            assert one.value == correct[:, number, place].mean() and one.n == 40
            assert found[f"correct@d/{view}/{condition}"].value == correct[:, number, place].sum()
        for kind, numbers in kinds.items():
            assert found[f"top1@d/{kind}/{condition}"].value == pytest.approx(correct[:, numbers, place].mean())
            assert f"correct@d/{kind}/{condition}" not in found
    assert found["naive@d/left"].value == pytest.approx(correct[:, 4].mean())
    assert found["fit@d/rain-2"].flags == ("censored",)
    assert len(found) == 11 + 5 * 11 + 2 * 5


def test_no_interval_takes_rows_of_one_image_for_images(measured):
    _, found = measured
    for name in ("naive@d", "naive@d/fog", "fit@d", "fit@d/rain"):
        assert found[name].low is None and found[name].high is None
    for name in ("naive@d/fog-1", "naive@d/left", "fit@d/fog-2"):  # one row an image: as on any dataset
        assert found[name].low is not None and found[name].high is not None
    assert found["top1@d/low"].by_image and found["top1@d/low"].low < found["top1@d/low"].value


def test_the_helper_counts_an_image_that_is_always_right_once():
    """20 views that agree say as much as one: the interval is that of 40 images, not of 800 rows."""
    views = tuple(f"same-{level}" for level in range(1, 21))
    one = make_trials(("clean",), n=40)
    alike = replace(
        one,
        layout=replace(one.layout, conditions=views),
        **{name: np.repeat(getattr(one, name), 20, axis=1) for name in ("top5", "logp", "correct", "rank")},
    )
    pooled = Views.of(alike, ("clean",)).pooled(range(20))
    (top1, *_), share = accuracy_measures(pooled, "clean"), one.correct.mean()
    error = 1.96 * (share * (1 - share) / 39) ** 0.5
    assert (top1.low, top1.high) == pytest.approx((max(0, share - error), share + error))


def test_the_kit_finds_a_probe_that_takes_rows_for_different_images():
    class ByName(Levels):
        """Counts each sample id once."""

        def measures(self, trials):
            hits = dict(zip(trials.layout.sample_ids, trials.correct[:, 0], strict=True))
            yield Measure(name="share", value=float(sum(hits.values()) / len(trials.correct)))

    check_measures(Levels(), make_trials(CONDITIONS))
    with pytest.raises(AssertionError, match="over two equal views"):
        check_measures(ByName(), make_trials(CONDITIONS))
