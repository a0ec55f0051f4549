"""Named arrays of probes: stored as they are yielded, sample by sample, or the cell fails with the reason."""

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from harness import ArraySpec, Measure, Probe, WhiteBoxProbe
from harness.data.decoding import pixels
from harness.data.manifest import build
from harness.planning.estimate import TRIAL_BYTES, estimate, shape_of
from harness.planning.plan import Settings
from harness.planning.planner import make_job, plan_task
from harness.store import RunReader, verify_run
from harness.testing import SmallClassifier, arrays_of, check_measures, check_probe, make_batch, make_trials
from harness.views import Views
from tests.helpers.engine import Linear, Made, Plain, Watch, run, same, small_images, specs_of, trials

CORNER = ArraySpec(shape=(3, 2, 2), dtype="uint8")
MEAN = ArraySpec(dtype="float64")


@dataclass(frozen=True, kw_only=True)
class Corners(Probe):
    """Two brightnesses, with the upper left corner of the stimulus and its mean, in memory that is used again."""

    name: ClassVar[str] = "corners"
    version: ClassVar[int] = 1

    def conditions(self, size):
        return ("clean", "dark")

    def arrays(self, size):
        return {"mean": MEAN, "corner": CORNER}

    def stimuli(self, batch):
        corner = torch.empty((len(batch.sample_ids), 3, 2, 2), dtype=torch.uint8)
        for condition, factor in (("clean", 1.0), ("dark", 0.5)):
            stimulus = batch.images * factor
            corner[:] = (stimulus[:, :, :2, :2] * 255).round().to(torch.uint8)
            yield condition, stimulus, {"corner": corner, "mean": stimulus.double().mean(dim=(1, 2, 3))}

    def measures(self, trials):
        stored = "mean" in trials.arrays
        value = float(trials.array("mean").mean()) if stored else None
        yield Measure(name="mean", value=value, reason=None if stored else "made without it")


@dataclass(frozen=True, kw_only=True)
class CornersWithout(Corners):
    """The same probe before it declared arrays."""

    def arrays(self, size):
        return {}

    def stimuli(self, batch):
        for condition, stimulus, _ in super().stimuli(batch):
            yield condition, stimulus


@dataclass(frozen=True, kw_only=True)
class LostGradients(WhiteBoxProbe):
    """One step along the gradient, and whether it was zero."""

    name: ClassVar[str] = "lost"

    def conditions(self, size):
        return ("step",)

    def arrays(self, size):
        return {"zero": ArraySpec(dtype="uint8")}

    def attacks(self, batch, classifier):
        images = batch.images.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(classifier(images)[:, 0].sum(), images)
        zero = (gradient == 0).all(dim=(1, 2, 3)).to(torch.uint8)
        yield "step", (batch.images + gradient.sign() / 255).clamp(0, 1), {"zero": zero}

    def measures(self, trials):
        yield Measure(name="zero", value=float(trials.array("zero").mean()))


def expected_images(folder):
    dataset = Made(preprocessing=small_images())
    samples = build(dataset, folder).samples
    return np.stack([pixels(dataset, sample) for sample in samples]).transpose(0, 3, 1, 2)


def test_arrays_are_those_of_their_sample_and_condition(tmp_path):
    failures, _ = run(tmp_path / "run", {"one": Linear(1), "two": Linear(2)}, probes=(Corners(), Plain()))
    assert failures == {}
    images = expected_images(tmp_path)
    opened = RunReader.open(tmp_path / "run")
    for model in ("one", "two"):
        stored = opened.read("corners@made", model)
        assert sorted(stored.arrays) == ["corner", "mean"]
        assert stored.array("corner").shape == (50, 2, 3, 2, 2)
        assert np.array_equal(stored.array("corner")[:, 0], images[:, :, :2, :2])
        assert np.allclose(stored.array("mean")[:, 0], images.mean(axis=(1, 2, 3)) / 255, atol=1e-7)
        assert np.allclose(stored.array("mean")[:, 1] * 2, stored.array("mean")[:, 0], atol=1e-7)
        assert opened.read("plain@made", model).arrays == {}
    assert verify_run(opened) == []


class Flat(Linear):
    """Answers by the brightness of the image, but flat for the dark half of it."""

    def forward(self, images):
        bright = (images.mean(dim=(1, 2, 3), keepdim=True) > 0.498).float()
        return super().forward(images * bright)


def test_each_attacked_network_has_arrays_of_its_own(tmp_path):
    failures, _ = run(tmp_path / "run", {"flat": Flat(1), "two": Linear(2)}, probes=(LostGradients(),))
    assert failures == {}
    opened, images = RunReader.open(tmp_path / "run"), expected_images(tmp_path)
    flat = opened.read("lost@made", "flat").array("zero")[:, 0]
    assert np.array_equal(flat == 1, images.mean(axis=(1, 2, 3)) / 255 <= 0.498)
    assert 0 < flat.sum() < 50
    assert opened.read("lost@made", "two").array("zero").sum() == 0


@dataclass(frozen=True, kw_only=True)
class Foggy(Made):
    """Every image in two views: as it is, and half as bright."""

    def views(self):
        return ("fog-1", "fog-2")

    def folder(self, root, view):
        return None

    def image(self, sample):
        factor = 1 if sample.view == "fog-1" else 0.5
        return super().image(sample).point(lambda value: int(value * factor))


def test_views_have_arrays_as_they_have_decisions(tmp_path):
    run(tmp_path / "run", {"one": Linear(1)}, Foggy(preprocessing=small_images()), probes=(Corners(),))
    stored = RunReader.open(tmp_path / "run").read("corners@made", "one")
    mean = stored.array("mean")
    assert mean.shape == (50, 4)
    assert np.allclose(mean[:, 2], mean[:, 0] / 2, atol=0.005) and np.allclose(mean[:, 3], mean[:, 2] / 2)
    pooled = Views.of(stored, ("clean", "dark")).pooled((1, 0))
    assert np.array_equal(pooled.array("mean"), mean.reshape(50, 2, 2)[:, ::-1].reshape(100, 2))


def test_an_interrupted_run_resumes_to_the_same_bits(tmp_path):
    probes = (Corners(), LostGradients())
    run(tmp_path / "whole", {"one": Linear(1)}, probes=probes)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", {"one": Linear(1)}, probes=probes, watch=Watch(20))
    run(tmp_path / "cut", {"one": Linear(1)}, probes=probes)
    assert same(trials(tmp_path / "whole"), trials(tmp_path / "cut"))
    for task, name in (("corners@made", "mean"), ("corners@made", "corner"), ("lost@made", "zero")):
        whole, cut = (RunReader.open(tmp_path / end).read(task, "one").array(name) for end in ("whole", "cut"))
        assert whole.tobytes() == cut.tobytes()


# --- a probe that declares arrays later ------------------------------------------------------


def statuses(planned):
    return {cell.model: cell.status for cell in planned.cells}


def test_stored_cells_stay_as_they_are_when_a_probe_declares_arrays(tmp_path):
    path = tmp_path / "run"
    run(path, {"one": Linear(1)}, probes=(CornersWithout(),))
    before = trials(path)
    _, planned = run(path, {"one": Linear(1), "two": Linear(2)}, probes=(Corners(),))
    assert statuses(planned) == {"one": "stored", "two": "run"}
    opened = RunReader.open(path)
    old, new = (opened.read("corners@made", model) for model in ("one", "two"))
    assert np.array_equal(old.top5, before["corners@made", "one"][0])
    assert "mean" not in old.arrays and "mean" in new.arrays
    with pytest.raises(KeyError, match="before the probe declared it"):
        old.array("mean")
    assert next(iter(Corners().measures(old))).value is None
    assert verify_run(opened) == []


def test_a_cell_that_was_begun_without_arrays_is_finished_without(tmp_path):
    path = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(path, {"one": Linear(1)}, probes=(CornersWithout(),), watch=Watch(20))
    _, planned = run(path, {"one": Linear(1)}, probes=(Corners(),))
    assert statuses(planned) == {"one": "resume"}
    assert RunReader.open(path).read("corners@made", "one").arrays == {}
    assert verify_run(RunReader.open(path)) == []


def test_another_declaration_or_version_reruns(tmp_path, monkeypatch):
    path = tmp_path / "run"
    run(path, {"one": Linear(1)}, probes=(Corners(),))
    _, planned = run(path, {"one": Linear(1)}, probes=(CornersWithout(),))
    assert statuses(planned) == {"one": "rerun"}
    monkeypatch.setattr(CornersWithout, "version", 2)
    _, planned = run(path, {"one": Linear(1)}, probes=(CornersWithout(),))
    assert statuses(planned) == {"one": "rerun"}


def test_a_probe_without_arrays_keeps_its_keys(tmp_path):
    dataset = Made(preprocessing=small_images())
    task = plan_task("plain@made", Plain(), dataset, build(dataset, tmp_path), 8)
    job = make_job(task, specs_of("one")["one"], (), Settings(batch_size=8))
    assert "arrays" not in job.identity.document and task.arrays == {}


# --- contracts -------------------------------------------------------------------------------


def probe_that(yields, **specs):
    """A probe of one condition that declares `specs` and yields what `yields(batch)` gives."""

    @dataclass(frozen=True, kw_only=True)
    class Yields(Probe):
        """Breaks a contract."""

        name: ClassVar[str] = "yields"

        def conditions(self, size):
            return ("only",)

        def arrays(self, size):
            return specs

        def stimuli(self, batch):
            yield yields(batch)

        def measures(self, trials):
            yield Measure(name="one", value=1.0)

    return Yields()


def ones(batch, *shape, dtype=torch.float32):
    return torch.ones((len(batch.sample_ids), *shape), dtype=dtype)


BROKEN = {
    "no arrays": (lambda b: ("only", b.images), "arrays none, expected x"),
    "another name": (lambda b: ("only", b.images, {"y": ones(b)}), "arrays y, expected x"),
    "one too many": (lambda b: ("only", b.images, {"x": ones(b), "y": ones(b)}), "arrays x, y, expected x"),
    "no mapping": (lambda b: ("only", b.images, ones(b)), "arrays Tensor, expected x"),
    "another shape": (lambda b: ("only", b.images, {"x": ones(b, 2)}), r"float32 \(8, 2\), expected float32 \(B,\)"),
    "another type": (lambda b: ("only", b.images, {"x": ones(b).double()}), r"float64 \(8,\), expected float32"),
    "no tensor": (lambda b: ("only", b.images, {"x": np.ones(8)}), "array x is ndarray"),
    "too few samples": (lambda b: ("only", b.images, {"x": ones(b)[1:]}), r"float32 \(7,\)"),
    "NaN": (
        lambda b: ("only", b.images, {"x": ones(b) * float("nan")}),
        "is NaN or infinite under only for sample 000",
    ),
    "four parts": (lambda b: ("only", b.images, {"x": ones(b)}, 1), r"yields \(str, Tensor, dict, int\)"),
    "no tuple": (lambda b: b.images, "yields Tensor, expected"),
    "no stimulus": (lambda b: ("only", None), r"yields \(str, NoneType\), expected"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_contract_fails_its_own_cell(tmp_path, name):
    yields, reason = BROKEN[name]
    probe = probe_that(yields, x=ArraySpec())
    failures, _ = run(tmp_path / "run", {"one": Linear(1)}, probes=(probe, Plain()))
    assert list(failures) == [("yields@made", "one")]
    assert re.search(reason, failures["yields@made", "one"])
    assert list(trials_of_complete(tmp_path / "run")) == [("plain@made", "one")]


def trials_of_complete(path):
    opened = RunReader.open(path)
    return {place: cell for place, cell in opened.cells().items() if cell.failed is None}


def test_undefined_floats_are_stored_where_they_are_declared(tmp_path):
    probe = probe_that(lambda b: ("only", b.images, {"x": ones(b) * float("nan")}), x=ArraySpec(finite=False))
    failures, _ = run(tmp_path / "run", {"one": Linear(1)}, probes=(probe,))
    assert failures == {}
    assert np.isnan(RunReader.open(tmp_path / "run").read("yields@made", "one").array("x")).all()


@pytest.mark.parametrize("specs", [{"x": ArraySpec(dtype="bool")}, {"x y": ArraySpec()}, {"x": 3}])
def test_a_declaration_that_cannot_be_stored_is_refused_before_anything_is_computed(tmp_path, specs):
    probe, dataset = probe_that(lambda b: None, **specs), Made(preprocessing=small_images())
    with pytest.raises(ValueError, match="array"):
        plan_task("yields@made", probe, dataset, build(dataset, tmp_path), 8)


def test_check_probe_tries_them():
    for probe in (Corners(), LostGradients()):
        check_probe(probe)
    for name in ("another name", "another shape", "another type"):
        with pytest.raises(AssertionError, match="array"):
            check_probe(probe_that(BROKEN[name][0], x=ArraySpec()))
    with pytest.raises(AssertionError, match="NaN or infinite; declare"):
        check_probe(probe_that(BROKEN["NaN"][0], x=ArraySpec()))
    whole = probe_that(lambda b: ("only", b.images, {"x": ones(b) * b.images.mean()}), x=ArraySpec())
    with pytest.raises(AssertionError, match="values are as in a batch of 5"):
        check_probe(whole)


def test_measures_of_arrays_are_checked_like_others():
    batch = make_batch(8)
    mean = np.stack([arrays["mean"].numpy() for arrays in arrays_of(Corners(), batch).values()], axis=1)
    given = make_trials(("clean", "dark"), n=8, arrays={"mean": mean})
    (measure,) = check_measures(Corners(), given)
    assert measure.value == pytest.approx(mean.mean())
    assert arrays_of(LostGradients(), batch, SmallClassifier())["step"]["zero"].sum() == 0


def test_their_size_is_estimated():
    shape = shape_of("corners@made", Corners(), Made(preprocessing=small_images()), 50)
    assert shape.array_bytes == 8 + 12
    cost = estimate([shape], 2)
    assert cost.stored_bytes == 50 * 2 * 2 * (TRIAL_BYTES + 20)
    assert any("20 for the arrays of corners@made" in line for line in cost.basis)
