"""A stimulus depends on its sample alone: probes of which this is not true are set aside, all others never."""

import itertools
import random
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch

from harness import Preprocessing, WhiteBoxProbe
from harness.data.manifest import build
from harness.discovery.loader import load_plugins
from harness.engine.repeatable import unrepeatable
from harness.planning.plan import Settings
from harness.planning.planner import plan_task
from harness.plugins.probes.pgd import Pgd
from tests.helpers.engine import Made, Plain, Shades
from tests.helpers.features import Means

COUNT = itertools.count()


def brightened(images, factors):
    return images * torch.as_tensor(factors, dtype=torch.float32).reshape(-1, 1, 1, 1)


AGAIN = "makes another stimulus under clean each time it is asked"
OTHERS = "makes stimuli under clean that depend on more than their own image"
IMPURE = {
    "torch's generator": (lambda images: (images + torch.randn_like(images) / 9).clamp(0, 1), AGAIN),
    "NumPy's generator": (lambda images: brightened(images, np.random.default_rng().random(len(images))), AGAIN),
    "Python's generator": (lambda images: images * random.random(), AGAIN),
    "a count of its calls": (lambda images: images / (1 + next(COUNT)), AGAIN),
    "a pixel dropout": (lambda images: torch.nn.functional.dropout(images, 0.5).clamp(0, 1), AGAIN),
    "the mean of the batch": (lambda images: (images - images.mean(0) + 0.5).clamp(0, 1), OTHERS),
    "the maximum of the batch": (lambda images: images / images.max(), OTHERS),
    "the neighbour": (lambda images: (images + images.roll(1, 0)) / 2, OTHERS),
    "the place": (lambda images: brightened(images, torch.linspace(1, 0.5, len(images))), OTHERS),
    "the size of the batch": (lambda images: images / len(images), OTHERS),
}
PURE = {
    "the image": lambda images: images,
    "each image's mean": lambda images: (images - images.mean((1, 2, 3), True) + 0.5).clamp(0, 1),
    "rounding": lambda images: (images + 1e-7 * len(images)).clamp(0, 1),
    "memory used again": lambda images: images.mul(0.5),
}


@dataclass(frozen=True, kw_only=True)
class Makes(Plain):
    """One condition, from one of the functions above."""

    name: ClassVar[str] = "makes"
    how: str

    def stimuli(self, batch):
        yield "clean", {**PURE, **{name: made for name, (made, _) in IMPURE.items()}}[self.how](batch.images)


@dataclass(frozen=True, kw_only=True)
class Starts(WhiteBoxProbe):
    """An attack of no step, from a random point."""

    name: ClassVar[str] = "starts"

    def conditions(self, size):
        return ("clean",)

    def attacks(self, batch, classifier):
        yield "clean", (batch.images + torch.rand_like(batch.images) / 50).clamp(0, 1)

    def measures(self, trials):
        return ()


def reason(probe, n=8):
    dataset = Made(n=n, preprocessing=Preprocessing(resize=40, size=32))
    task = plan_task("probe@made", probe, dataset, build(dataset, Path.cwd()), 8)
    plan = SimpleNamespace(settings=Settings(), passes=[SimpleNamespace(tasks=[task], size=32)])
    return unrepeatable(plan).get("probe@made", "")


def test_an_array_of_activations_that_depends_on_other_images_is_noticed():
    assert reason(Means()) == reason(Means(layers=("patches", "head"))) == ""
    assert "makes its array mean under still of more than the activations of one image" in reason(Means(fault="batch"))


@pytest.mark.parametrize("how", IMPURE)
def test_a_stimulus_that_depends_on_more_than_its_sample_is_noticed(how):
    assert IMPURE[how][1] in reason(Makes(how=how))


@pytest.mark.parametrize("how", PURE)
def test_all_other_stimuli_are_fine(how):
    assert reason(Makes(how=how)) == "" and reason(Makes(how=how), n=1) == ""


def test_noise_of_the_batch_is_fine_and_so_is_a_probe_that_raises():
    assert reason(Shades()) == "" and reason(Shades(raise_at=0)) == ""


def test_an_attack_from_a_random_point_of_its_own_is_noticed():
    assert AGAIN in reason(Starts())
    assert reason(Pgd(steps=2)) == ""


def test_no_built_in_probe_is_refused():
    for probe in load_plugins(entry_points=False).probes.values():
        if probe.name != "pgd":  # above, with fewer steps
            assert reason(probe) == "", probe.name


def test_what_a_probe_changes_meanwhile_is_set_back():
    class Meddles(Shades):
        def stimuli(self, batch):
            torch.set_default_dtype(torch.float64)
            yield from super().stimuli(batch)

    reason(Meddles())
    assert torch.get_default_dtype() == torch.float32


def test_the_task_is_set_aside_and_all_others_run(command_line):
    from tests.harness.cli.test_sabotage_at_plan import DATASET, PROBE

    Path("mine").mkdir()
    Path("mine", "goods.py").write_text(DATASET.replace("CHANGE", "").replace('"bad"', '"goods"'))
    noisy = "batch.images * __import__('torch').rand(1)"
    Path("mine", "bad.py").write_text(PROBE.replace("CHANGE", "").replace("batch.images", noisy))
    Path("models.yaml").write_text("models: {plain: {source: dummy, options: {kind: brightness}}}\n")
    words = ("run", "--plugins", "mine", "--registry", "models.yaml", "--models", "plain", "--device", "cpu")
    code, _, err = command_line(*words, "--out", "run", "--task", "bad@goods", "accuracy@goods")
    text = " ".join(err.split())
    assert code == 1 and "1 of 2 cells stored" in text and f"probe bad {AGAIN}" in text
    code, out, err = command_line(*words, "--out", "other", "--task", "bad@goods")
    assert (code, out) == (2, "") and err.startswith(f"error: probe bad {AGAIN}") and not Path("other").exists()
