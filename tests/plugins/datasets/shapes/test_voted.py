"""`shapes-votes`: networks that name the first object, the second, or neither have the acceptance that follows."""

import json
import re
from functools import lru_cache

import numpy as np
import pytest
import torch

from harness.data.decoding import pixels
from harness.data.manifest import build, dataset_identity
from harness.plugins.datasets.shapes import CLASSES, ShapesReal, ShapesVotes
from harness.plugins.probes.accuracy import Accuracy
from harness.plugins.probes.pgd import Pgd
from harness.store import RunReader
from tests.helpers.engine import run
from tests.helpers.places import ROOT

VOTED = ShapesVotes(images=40)
ATTACK = Pgd(steps=1, step=0.1, low=0.1)
SAMPLES = VOTED.samples(VOTED.root())
PRESENT = {sample.id: tuple(map(int, sample.attributes[1].split())) for sample in SAMPLES}
DOUBLE = [sample for sample in SAMPLES if len(PRESENT[sample.id]) == 2]


def second(sample):
    """The other object of an image; the only one, where there is no other."""
    return next((label for label in PRESENT[sample.id] if label not in sample.targets), sample.targets[0])


def absent(sample):
    """A class that is not in the image."""
    return next(label for label in range(16) if label not in PRESENT[sample.id])


@lru_cache(maxsize=1)
def images():
    """The images in a row each, as the engine shows them."""
    stacked = np.stack([pixels(VOTED, sample) for sample in SAMPLES])
    return torch.tensor(stacked, dtype=torch.float32).permute(0, 3, 1, 2).flatten(1) / 255


class Recognizer(torch.nn.Module):
    """Recognizes each of the images, also slightly changed, and names what `naming` says; differentiable."""

    def __init__(self, naming):
        super().__init__()
        self.register_buffer("images", images())
        named = torch.tensor([naming(sample) for sample in SAMPLES])
        self.register_buffer("named", torch.nn.functional.one_hot(named, len(CLASSES)).float())

    def forward(self, images):
        far = torch.cdist(images.flatten(1), self.images, compute_mode="donot_use_mm_for_euclid_dist")
        return 20 * torch.softmax(-far, dim=1) @ self.named


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """(network, probe) -> name -> measure of the networks that name one thing, made of a run folder alone."""
    path, probes = tmp_path_factory.mktemp("voted") / "run", (Accuracy(), ATTACK)
    naming = {"first": lambda sample: sample.targets[0], "second": second, "neither": absent}
    networks = {name: Recognizer(names) for name, names in naming.items()}
    failures, _ = run(path, networks, VOTED, probes, space=("shapes-16", 16))
    assert not failures
    stored, made = RunReader.open(path), {probe.name: probe for probe in probes}
    cells = [(model, task, made[task.partition("@")[0]]) for task, model in stored.cells()]
    return {
        (model, probe.name): {one.name: one for one in probe.measures(stored.read(task, model))}
        for model, task, probe in cells
    }


def test_the_images_of_shapes_real_with_one_target():
    real = ShapesReal(images=40)
    assert [sample.id for sample in real.samples(real.root())] == [sample.id for sample in SAMPLES]
    for sample, whole in zip(SAMPLES, real.samples(real.root()), strict=True):
        assert sample.targets == (CLASSES.index(sample.id.partition("-")[0]),)
        assert sample.targets[0] in whole.targets and PRESENT[sample.id] == whole.targets
    assert all((VOTED.pixels(sample) == real.pixels(sample)).all() for sample in DOUBLE[::8])
    assert len(DOUBLE) == 16
    for sample in SAMPLES:
        votes, _, judged = sample.attributes
        assert votes.count(":0/0/5") == 2 * (sample in DOUBLE) and votes.count(":5/0/0") == 14 * (sample in DOUBLE)
        assert judged.count("minor") == (sample in DOUBLE) and judged.count("major") == 14 * (sample in DOUBLE)


def test_the_identity_of_shapes_real_stays():
    """As it was before `shapes-votes`: fields and manifest."""
    real = ShapesReal()
    assert real.attributes == ()
    identity = dataset_identity(real, build(real, real.root()))
    assert identity["manifest"][:16] == "f2148cd2fc4ab1e3" and set(identity) == {
        "images", "manifest", "n", "name", "preprocessing", "seed", "version",
    }  # fmt: skip


def test_a_network_that_names_the_second_object_makes_no_mistake_that_people_see(measured):
    found = measured["second", "accuracy"]
    assert found["error"].value == len(DOUBLE) / 40 and found["voted"].value == 1
    assert found["accepted-mistakes"].value == found["accepted-mistakes-or-maybe"].value == 1
    assert found["rectified-error"].value == found["rectified-error-or-maybe"].value == 0
    assert found["mistakes-in-real"].value == found["real-top1"].value == 1
    assert found["major-mistakes"].value == 0 and found["judged"].value == 1
    assert found["accepted-mistakes"].n == len(DOUBLE) and found["accepted-mistakes"].low > 0.75


def test_a_network_that_names_neither_has_no_excuse(measured):
    found = measured["neither", "accuracy"]
    assert found["error"].value == found["rectified-error"].value == 1
    assert found["voted"].value == found["judged"].value == len(DOUBLE) / 40, "nobody was asked about the others"
    assert found["accepted-mistakes"].value == found["mistakes-in-real"].value == found["real-top1"].value == 0
    assert found["major-mistakes"].value == 1


def test_a_network_that_names_the_first_object_makes_none(measured):
    found = measured["first", "accuracy"]
    assert found["error"].value == 0 and found["real-top1"].value == 1
    assert found["accepted-mistakes"].reason == "no decision is a mistake"


def test_an_attack_that_ends_at_the_second_object_is_one_that_people_accept(measured):
    found = measured["second", "pgd"]
    assert found["top1"].value == 1 - len(DOUBLE) / 40
    assert found["accepted-mistakes"].value == 1 and found["rectified-error"].value == 0
    assert found["accepted-mistakes"].condition == "pgd-1-low"


@pytest.mark.slow
def test_the_documented_numbers_of_two_networks(command_line):
    """The table of docs/votes.md."""
    rows = re.findall(r"^\| `(zoo-[a-z-]+)` \|(.*)\|$", (ROOT / "docs" / "votes.md").read_text(), re.MULTILINE)
    code, _, err = command_line(
        "run", "--task", "accuracy@shapes-votes", "--models", *(name for name, _ in rows), "--out", "run"
    )
    assert code == 0, err
    names = ("error", "voted", "accepted-mistakes", "rectified-error")
    for model in json.loads(command_line("report", "run", "--format", "json")[1])["models"]:
        details, values = model["details"]["accepted-mistakes@shapes-votes"], model["measures"]
        printed = [f"{values[f'{name}@shapes-votes']:.3f}" for name in names]
        printed[2] += f" ({details['low']:.3f} to {details['high']:.3f})"
        assert printed == [cell.strip() for cell in dict(rows)[model["name"]].split("|")]
    assert len(rows) == 2
