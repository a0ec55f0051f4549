"""White-box probes: stimuli of each network's own, gradients in the images alone, failures that stay in their cell."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from harness import Measure, WhiteBoxProbe
from harness.data.decoding import pixels
from tests.helpers.engine import Linear, Made, Plain, Watch, run, same, small_images, trials

EPSILON = 0.05


@dataclass(frozen=True, kw_only=True)
class OneStep(WhiteBoxProbe):
    """One signed gradient step away from the label (Goodfellow et al. 2015)."""

    name: ClassVar[str] = "one-step"
    leave: bool = False
    forget: bool = False

    def conditions(self, size):
        return ("fgsm", "twice")

    def effort(self):
        return 4

    def attacks(self, batch, classifier):
        for condition, epsilon in (("fgsm", EPSILON), ("twice", 2 * EPSILON)):
            images = batch.images.clone().requires_grad_(True)
            rows = torch.arange(len(images), device=images.device)
            loss = -classifier(images)[rows, [targets[0] for targets in batch.targets]].sum()
            (gradient,) = torch.autograd.grad(loss, images)
            moved = batch.images + epsilon * gradient.sign()
            yield condition, moved if self.leave else moved.clamp(0, 1)
            if self.forget:
                return

    def measures(self, trials):
        yield Measure(name="adversarial", value=trials.accuracy("fgsm"))


@pytest.mark.filterwarnings("error")
def test_each_network_meets_its_own_attack(tmp_path):
    networks, watch = {"one": Linear(1), "two": Linear(2)}, Watch()
    before = {name: network.weight.clone() for name, network in networks.items()}
    failures, _ = run(tmp_path / "run", networks, probes=(Plain(), OneStep()), watch=watch)
    assert failures == {}
    assert (watch.images, watch.forwards) == watch.promised == (50, 50 * 2 * (1 + 2 * 4))
    stored, dataset = trials(tmp_path / "run"), Made(preprocessing=small_images())
    for name, network in networks.items():
        top5 = stored["one-step@made", name][0]
        for row, sample in enumerate(dataset.samples(tmp_path)):
            image = torch.from_numpy(pixels(dataset, sample).copy()).permute(2, 0, 1).float().div(255)[None]
            variable = image.clone().requires_grad_(True)
            logp = network(variable).log_softmax(1)[0, sample.targets[0]]
            (gradient,) = torch.autograd.grad(-logp, variable)
            for column, epsilon in enumerate((EPSILON, 2 * EPSILON)):
                attacked = (image + epsilon * gradient.sign()).clamp(0, 1)
                assert top5[row, column, 0] == network(attacked).argmax()
        assert torch.equal(network.weight, before[name])
        assert network.weight.grad is None


def test_an_interrupted_attack_resumes_to_the_same_bits(tmp_path):
    run(tmp_path / "whole", {"one": Linear(1)}, probes=(OneStep(),))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", {"one": Linear(1)}, probes=(OneStep(),), watch=Watch(20))
    run(tmp_path / "cut", {"one": Linear(1)}, probes=(OneStep(),))
    assert same(trials(tmp_path / "whole"), trials(tmp_path / "cut"))


class Flat(Linear):
    """A network without gradients: its answer does not depend on the image in a differentiable way."""

    def forward(self, images):
        return super().forward(images.detach())


def test_a_network_that_cannot_be_attacked_fails_alone(tmp_path):
    failures, _ = run(tmp_path / "run", {"flat": Flat(1), "one": Linear(1)}, probes=(OneStep(), Plain()))
    assert list(failures) == [("one-step@made", "flat")]
    assert "one-step against flat raised RuntimeError" in failures["one-step@made", "flat"]


@pytest.mark.parametrize(
    ("probe", "reason"), [(OneStep(leave=True), "left [0, 1] under fgsm"), (OneStep(forget=True), "gave 1 of 2")]
)
def test_the_contract_is_checked(tmp_path, probe, reason):
    failures, _ = run(tmp_path / "run", {"one": Linear(1)}, probes=(probe, Plain()))
    assert list(failures) == [("one-step@made", "one")]
    assert reason in failures["one-step@made", "one"]
    assert np.isfinite(trials_of_plain(tmp_path / "run")).all()


def trials_of_plain(path):
    from harness.store import RunReader

    return RunReader.open(path).read("plain@made", "one").logp.astype(float)


def test_stimuli_of_a_white_box_probe_need_a_network():
    from harness.testing import make_batch

    with pytest.raises(TypeError, match="call attacks"):
        next(iter(OneStep().stimuli(make_batch())))
