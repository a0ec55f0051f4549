"""A probe that needs logits gets them in any run; nobody else pays for it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from harness import Measure, Probe, read_trials
from harness.identity import difference
from harness.planning.estimate import estimate, shape_of
from harness.store import RunReader, verify_run
from harness.testing import check_measures, check_probe, make_trials
from tests.helpers.engine import Linear, Made, Plain, run, same, small_images, trials


@dataclass(frozen=True, kw_only=True)
class Highest(Probe):
    """Mean of the highest logit."""

    name: ClassVar[str] = "highest"
    needs_logits: ClassVar[bool] = True
    factor: float = 1.0

    def conditions(self, size):
        return ("clean", "dark")

    def stimuli(self, batch):
        yield "clean", batch.images
        yield "dark", batch.images * 0.5

    def measures(self, trials):
        if trials.logits is None:
            yield Measure(name="highest", value=None, unit="1", reason="made without logits")
            return
        logits = trials.logits(0, len(trials.correct))
        yield Measure(name="highest", value=float(logits.max(axis=2).mean()) * self.factor, unit="1")


def made():
    return Made(n=20, preprocessing=small_images())


def test_logits_of_its_task_alone_whatever_the_run_stores(tmp_path):
    networks = {"one": Linear(1), "two": Linear(2)}
    failures, planned = run(tmp_path / "run", networks, made(), probes=(Highest(), Plain()))
    assert failures == {} and verify_run(RunReader.open(tmp_path / "run")) == []
    assert read_trials(tmp_path / "run", "plain@made", "one").logits is None
    images = [np.array(made().image(sample)) for sample in made().samples(tmp_path)]
    for name, network in networks.items():
        stored = read_trials(tmp_path / "run", "highest@made", name)
        first = torch.from_numpy(images[3]).permute(2, 0, 1).float()[None, :, :, 4:36] / 255
        assert stored.logits(3, 4).shape == (1, 2, 10)
        assert np.allclose(stored.logits(3, 4)[0, 0], network(first)[0], rtol=2**-10)
    assert not run(tmp_path / "run", networks, made(), probes=(Highest(), Plain()))[1].passes
    keys = {cell.task: cell.job.identity.document for cell in planned.cells if cell.model == "one"}
    assert keys["highest@made"]["logits"] is True and "logits" not in keys["plain@made"]
    run(tmp_path / "all", networks, made(), probes=(Highest(), Plain()), store="logits")
    assert same(trials(tmp_path / "run"), trials(tmp_path / "all"))
    of_all = RunReader.open(tmp_path / "all").cells()["highest@made", "one"].job.identity
    assert difference(keys["highest@made"], of_all.document) == "settings.store changed: top5 -> logits"


@pytest.mark.parametrize(("store", "needing"), [("top5", 20), ("logits", 20)])
def test_their_size_is_estimated(store, needing):
    shapes = [shape_of(f"{probe.name}@made", probe, made(), 100) for probe in (Highest(), Plain())]
    cost = estimate(shapes, models=3, store=store)
    assert cost.tasks[0].stored_bytes == 100 * 3 * 2 * (23 + needing)
    assert cost.tasks[1].stored_bytes == 100 * 3 * (23 + (20 if store == "logits" else 0))
    disk = next(line for line in cost.basis if line.startswith("disk"))
    assert disk.endswith("2 bytes per output" if store == "logits" else "where logits are needed, by highest@made")


def test_its_own_tests():
    logits = np.random.default_rng(0).normal(0, 3, (40, 2, 10)).astype(np.float16)
    made_up = make_trials(("clean", "dark"), logits=logits)
    assert (made_up.top5[:, :, 0] == logits.argmax(axis=2)).all()
    assert np.allclose(
        made_up.logp, torch.from_numpy(logits.astype(np.float64)).log_softmax(2).topk(5, 2)[0].numpy(), atol=0.02
    )
    check_probe(Highest())
    (measure,) = check_measures(Highest(), made_up)
    assert measure.value == pytest.approx(float(logits.max(axis=2).mean()))
