"""Activations of layers in a run: arrays of each network's own, the same decisions, and faults that stay alone."""

import numpy as np
import pytest
import torch

from harness import Normalized, RequestError, read_trials
from harness.data.manifest import build
from harness.engine.networks import load_first
from harness.planning.plan import Settings
from harness.planning.planner import plan, plan_task
from harness.store import RunReader, verify_run
from harness.testing import arrays_of, check_measures, check_probe, make_batch, make_trials
from harness.workflows.completeness import observed
from tests.helpers.engine import Linear, Made, Plain, Source, run, same, small_images, specs_of, trials
from tests.helpers.features import LAYERS, Conv, Means


def made(n=20):
    return Made(n=n, preprocessing=small_images())


def networks():
    inner = Conv(2, width=5)
    return {"one": Conv(1).eval(), "two": Normalized(inner, (0.5,) * 3, (0.2,) * 3).eval()}


def test_arrays_are_those_of_a_plain_loop_and_decisions_as_without(tmp_path):
    failures, planned = run(tmp_path / "run", networks(), made(), probes=(Means(), Plain()))
    assert failures == {} and verify_run(RunReader.open(tmp_path / "run")) == []
    for name, network in networks().items():
        inner = network.network if name == "two" else network
        stored = read_trials(tmp_path / "run", "means@made", name)
        for row, sample in enumerate(made().samples(tmp_path)):
            image = np.array(made().image(sample))[:, 4:36]
            still = torch.from_numpy(image).permute(2, 0, 1).float()[None] / 255
            of_conditions = []
            for shown in (still, still.roll(1, dims=3)):
                with torch.inference_mode():
                    first = inner.first(shown if name == "one" else (shown - 0.5) / 0.2)
                    second = inner.second(first)
                    layers = (first, second, second.mean(dim=(2, 3)))
                    of_conditions.append([float(values.mean()) for values in layers])
                    assert stored.top5[row, len(of_conditions) - 1, 0] == int(inner.classify(layers[2]).argmax())
            means = np.array(of_conditions)
            assert np.allclose(stored.array("mean")[row, :, :3], means, atol=1e-5)
            assert np.allclose(stored.array("change")[row, :, :3], means - means[0], atol=1e-5)
            assert np.isnan(stored.array("mean")[row, :, 3:]).all()
            assert np.allclose(stored.array("brightness")[row], float(still.mean()), atol=1e-6)
    document = planned.cells[0].job.identity.document
    assert document["probe"]["params"]["layers"] == ["stages", "head"]
    assert not run(tmp_path / "run", networks(), made(), probes=(Means(), Plain()))[1].passes
    run(tmp_path / "plain", networks(), made(), probes=(Plain(),))
    alone = trials(tmp_path / "plain")
    assert same({place: values for place, values in trials(tmp_path / "run").items() if place in alone}, alone)


FAULTS = {
    "observer": "probe means on the layers of one raised LookupError: no observer today",
    "raises": "probe means on the layers of one raised ZeroDivisionError: observed nothing",
    "missing": "under still: arrays change, expected mean, change",
    "twice": "arrays mean, change, brightness, expected mean, change",
    "shape": "array mean is float32 (8, 2), expected float32 (B, 4)",
    "global": "the default dtype (torch.set_default_dtype) changed while probe means on the layers of one ran",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_a_probe_stay_with_its_cells(tmp_path, fault):
    failures, _ = run(tmp_path / "run", {"one": Conv(1).eval()}, made(8), probes=(Means(fault=fault), Plain()))
    assert list(failures) == [("means@made", "one")] and FAULTS[fault] in failures["means@made", "one"]


def test_a_network_without_the_layer_fails_alone(tmp_path):
    mixed = {"one": Conv(1).eval(), "flat": Linear(2)}
    failures, _ = run(tmp_path / "run", mixed, made(8), probes=(Means(layers=("second",)), Plain()))
    assert (
        list(failures) == [("means@made", "flat")]
        and "unknown layer of flat 'second'" in failures["means@made", "flat"]
    )


class Fickle(Conv):
    """Answers otherwise while somebody looks."""

    def forward(self, images):
        return super().forward(images) + len(self.second._forward_hooks)


def test_before_the_run_networks_without_the_layers_are_set_aside(tmp_path):
    mixed = {"one": Conv(1).eval(), "flat": Linear(2), "fickle": Fickle(3).eval()}

    def planned_with(probe, *names):
        tasks = [plan_task(f"{one.name}@made", one, made(8), build(made(8), tmp_path), 8) for one in (probe, Plain())]
        specs = specs_of(*names)
        whole = plan(tasks, list(specs.values()), dict.fromkeys(specs, ()), Settings(batch_size=8), {})
        return observed(whole, load_first(whole, specs, {"source": Source(**mixed)}).taps)

    cells = {(cell.task, cell.model): cell for cell in planned_with(Means(), *mixed).cells}
    assert cells["means@made", "one"].job.layers == ("first", "second", "head")
    assert cells["plain@made", "one"].job.layers == () and cells["plain@made", "flat"].job is not None
    assert "needs the head of flat" in cells["means@made", "flat"].reason
    assert "gives other logits while its layers are read" in cells["means@made", "fickle"].reason
    with pytest.raises(RequestError, match="unknown layer of one 'layer9'"):
        planned_with(Means(layers=("layer9",)), "one", "flat")


def test_its_own_tests():
    check_probe(Means())
    check_probe(Means(layers=("layer4",)))  # of some other network
    arrays = arrays_of(Means(), make_batch())
    assert arrays["rolled"]["mean"].shape == (5, LAYERS)
    with pytest.raises(AssertionError, match="array mean of samples"):
        check_probe(Means(fault="batch"))
    stored = {name: np.zeros((40, 2, LAYERS), np.float32) for name in ("mean", "change")}
    measures = check_measures(Means(), make_trials(("still", "rolled"), arrays=stored, layers=("a", "b")))
    assert [measure.full_name("d") for measure in measures] == ["mean@d/a", "mean@d/b"]


class Scribbler(torch.nn.Module):
    """Paints over what it is shown."""

    def __init__(self):
        super().__init__()
        self.second, self.classify = torch.nn.AdaptiveAvgPool2d(4), torch.nn.Linear(48, 10)

    def forward(self, images):
        return self.classify(self.second(images.mul_(0.5)).flatten(1))


def test_stimuli_that_are_shown_again_are_observed_from_the_beginning(tmp_path):
    """A network spoils a stimulus in place: the batch is shown again, and nothing is remembered of the first time."""
    mixed = {"scribbler": Scribbler().eval(), **networks()}
    failures, _ = run(tmp_path / "mixed", mixed, made(8), probes=(Means(layers=("second",)),))
    assert list(failures) == [("means@made", "scribbler")]
    run(tmp_path / "alone", networks(), made(8), probes=(Means(layers=("second",)),))
    for name in networks():
        among, alone = (read_trials(tmp_path / folder, "means@made", name) for folder in ("mixed", "alone"))
        assert np.array_equal(among.array("change"), alone.array("change"), equal_nan=True)
        assert np.array_equal(among.logp, alone.logp)


def test_activations_are_float32_in_any_precision(tmp_path):
    failures, _ = run(tmp_path / "run", networks(), made(8), probes=(Means(), Plain()), precision="bf16")
    assert failures == {}
    full = run(tmp_path / "full", networks(), made(8), probes=(Means(),))
    assert full[0] == {}
    rounded, exact = (read_trials(tmp_path / name, "means@made", "one").array("mean") for name in ("run", "full"))
    assert np.nanmax(abs(rounded - exact)) < 0.02 and not np.array_equal(rounded, exact, equal_nan=True)
