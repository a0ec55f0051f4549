"""`shapes-factors`: its factors are what is drawn, and networks that cannot see a factor's cue are worst at it."""

import json
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.plugins.datasets.shapes import ShapesFactors, scene
from harness.plugins.datasets.shapes.base import CLASSES
from harness.plugins.datasets.shapes.factored import FACTORS, factors_of, look_of
from harness.plugins.datasets.shapes.hard import LOOKS
from harness.plugins.probes._factors import factor_measures
from harness.registry import load_registry
from tests.helpers.known_networks import constant
from tests.helpers.observed import by_name, observed
from tests.helpers.places import ROOT

DATASET = ShapesFactors()
SAMPLES = DATASET.samples(DATASET.root())
FEW = SAMPLES[:128]
"""Eight of each class: two without a factor and one of each."""


@lru_cache(maxsize=1)
def images():
    """Those of `FEW`, (128, 3, 64, 64) in [0, 1]."""
    return torch.from_numpy(np.stack([DATASET.pixels(sample) for sample in FEW])).permute(0, 3, 1, 2).float() / 255


def ratios(samples, network, pictures=None):
    """The measures by factor of a network on `pictures`, which may be anything that it takes."""
    targets = np.array([sample.targets for sample in samples], np.int16)
    trials, _ = observed([("clean", pictures)], network, targets=targets)
    columns = zip(*(sample.attributes for sample in samples), strict=True)
    layout = replace(trials.layout, attributes=dict(zip(DATASET.attributes, columns, strict=True)))
    return by_name(factor_measures(replace(trials, layout=layout), "clean"))


def naming(place):
    """An observer that names the class of the silhouette (0) or of the texture (1) without fail."""
    classes = torch.tensor([DATASET.cues(sample.id)[place] for sample in SAMPLES])
    return lambda _: 9.0 * torch.nn.functional.one_hot(classes, len(CLASSES)).float()


# --- the images ------------------------------------------------------------------------------


def test_every_factor_has_as_many_images_of_each_class():
    assert Counter(sample.attributes[0] for sample in SAMPLES) == {"": 128, **dict.fromkeys(FACTORS, 64)}
    assert Counter(name for sample in SAMPLES for name in sample.attributes[1].split()) == dict.fromkeys(FACTORS, 80)
    pairs = Counter((sample.targets, sample.attributes[0]) for sample in SAMPLES)
    assert {count for (_, factor), count in pairs.items() if factor} == {4}
    assert all(sample.attributes[1].split()[:1] == ([sample.attributes[0]] if sample.attributes[0] else [])
               for sample in SAMPLES)  # fmt: skip


def test_cues_are_those_of_the_target_but_for_the_factor_that_says_otherwise():
    for sample in SAMPLES:
        factors, (label,) = factors_of(sample.id), sample.targets
        shape, texture = DATASET.cues(sample.id)
        assert (shape != label) == ("shape" in factors) and (texture != label) == ("texture" in factors)


def test_looks_of_two_factors_have_both():
    """The lower range where both set one, so that a tiny faint object is tiny, and a cluttered faint one faint."""
    assert look_of(()) == look_of(("texture",)) == scene.Look() and look_of(("tiny",)) == LOOKS["tiny"]
    both = look_of(("faint", "tiny"))
    assert both.radius == LOOKS["tiny"].radius and both.contrast == LOOKS["faint"].contrast
    crowded = look_of(("cluttered", "faint"))
    assert crowded.clutter == LOOKS["cluttered"].clutter and crowded.radius == LOOKS["cluttered"].radius
    assert (crowded.contrast, crowded.noise) == (LOOKS["faint"].contrast, LOOKS["faint"].noise)
    assert look_of(("shape", "cluttered")) == LOOKS["cluttered"]


def test_pixels_tell_the_factor():
    """Faint images have the least contrast; an occluded one differs from its scene without what lies in front."""
    contrast = {name: [] for name in ("", *FACTORS)}
    for sample, picture in zip(FEW, images(), strict=True):
        contrast[sample.attributes[0]].append(float(picture.mean(dim=0).std()))
    medians = {name: np.median(values) for name, values in contrast.items()}
    assert min(medians, key=medians.get) == "faint" and medians["faint"] < 0.5 * medians[""]
    sample = next(sample for sample in FEW if sample.attributes[0] == "occluded")
    stream = DATASET.stream(sample.id)
    stream.unit()
    label = sample.targets
    bare = scene.picture(label, label, stream, replace(look_of(("occluded",)), occluders=(0, 0)))
    assert 0.02 < (bare != DATASET.pixels(sample)).any(axis=2).mean()


def test_objects_of_tiny_images_are_smaller_than_all_others():
    radii = {True: [], False: []}
    for sample in SAMPLES:
        stream = DATASET.stream(sample.id)
        stream.unit()
        factors = factors_of(sample.id)
        radii["tiny" in factors].append(scene.pose(stream, look_of(factors)).radius)
    assert max(radii[True]) <= 12 < min(radii[False])


# --- networks whose answer is known ----------------------------------------------------------


def test_a_constant_network_errs_alike_on_every_factor():
    """Each factor has as many images of each class, so that all ratios are exactly 1."""
    measures = ratios(FEW, constant(len(CLASSES)), images())
    assert measures["error"].value == 15 / 16
    assert {one.value for name, one in measures.items() if name != "error"} == {1.0}


@pytest.mark.parametrize(("place", "worst", "best"), [(0, "shape", "texture"), (1, "texture", "shape")])
def test_an_observer_of_one_cue_errs_where_it_lies_and_nowhere_else(place, worst, best):
    """80 of 512 images: 64 with the factor on top, and 16 behind another one."""
    measures = ratios(SAMPLES, naming(place), torch.zeros(len(SAMPLES), 3, 1, 1))
    assert measures["error"].value == 80 / 512
    behind = FACTORS[FACTORS.index(worst) - 1]
    for factor in FACTORS:
        expected = {worst: 512 / 80, behind: 512 / 80 / 4}.get(factor, 0)
        assert measures[f"error-ratio/{factor}"].value == pytest.approx(expected)
    assert measures[f"error-ratio-multi/{worst}"].value == 512 / 80
    assert measures["worst-factor"].flags == (f"the factor is {worst}",)
    assert measures[f"error-ratio/{best}"].high < 1 < measures[f"error-ratio/{worst}"].low


@pytest.mark.parametrize(
    ("network", "worst", "best"), [("zoo-shape-only", "shape", "texture"), ("zoo-texture-only", "texture", "shape")]
)
def test_trained_networks_of_one_cue_are_worst_where_it_lies(network, worst, best):
    registry = load_registry()
    spec = registry.models[network]
    measures = ratios(FEW, registry.plugins.model_sources[spec.source].load(spec), images())
    assert measures["worst-factor"].flags[0] == f"the factor is {worst}"
    assert measures[f"error-ratio/{best}"].high < 1 < measures[f"error-ratio/{worst}"].low


@pytest.mark.slow
@pytest.mark.parametrize("network", ["zoo-baseline", "zoo-shape-only", "zoo-texture-only"])
def test_ratios_of_docs_factors(network):
    """Of all 512 images; a decision that another processor rounds otherwise moves a ratio by 0.05."""
    registry = load_registry()
    spec = registry.models[network]
    pictures = torch.from_numpy(np.stack([DATASET.pixels(sample) for sample in SAMPLES])).permute(0, 3, 1, 2) / 255
    measures = ratios(SAMPLES, registry.plugins.model_sources[spec.source].load(spec), pictures.float())
    row = next(line for line in (ROOT / "docs" / "factors.md").read_text().splitlines() if line.startswith(network))
    *of_factors, worst = map(float, row.split()[2:])
    assert of_factors == pytest.approx([measures[f"error-ratio/{factor}"].value for factor in FACTORS], abs=0.11)
    assert worst == pytest.approx(measures["worst-factor"].value, abs=0.11)


@pytest.mark.slow
def test_ratios_follow_accuracy_in_the_zoo_too(command_line):
    """The coefficients of docs/factors.md over 25 networks, and what the report says that the division makes."""
    suite = {
        "title": "ratios",
        "models": ["zoo-*"],
        "tasks": ["accuracy@shapes-factors", "accuracy@shapes-v2"],
        "biases": {name: [f"error-ratio@shapes-factors/{name}"] for name in ("tiny", "shape")},
        "axes": {"ID": ["top1@shapes-factors"], "V2": ["top1@shapes-v2"]},
        "statistics": {"controls": ["ID"]},
    }
    Path("ratios.yaml").write_text(json.dumps({"suites": {"ratios": suite}}))
    code, _, error = command_line("run", "--registry", "ratios.yaml", "--suite", "ratios", "--out", "run")
    assert code == 0, error
    _, out, _ = command_line("report", "run", "--report", "sensitivity", "--format", "json")
    pairs = {(pair["bias"], pair["generalization"]): pair for pair in json.loads(out)["sensitivities"]}
    tiny, shape = pairs["tiny", "ID"], pairs["shape", "V2"]
    assert tiny["n"] == 25
    assert (tiny["spearman"], tiny["coupling"]["null"]) == pytest.approx((0.84, 0.79), abs=0.03)
    assert tiny["coupling"]["p"] > 0.05
    assert (shape["spearman"], shape["partial"]["value"]) == pytest.approx((0.56, 0.11), abs=0.06)
