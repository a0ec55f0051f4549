"""The networks that are shipped are those that their cards, their recipes and the registry speak of."""

from __future__ import annotations

import json
from functools import cache

import pytest
import torch
import yaml

from harness import sha256_of
from harness.discovery.loader import load_plugins
from harness.plugins.models._zoo.downsampling import name_of
from harness.plugins.models._zoo.training.recipe import read_recipes
from harness.plugins.models._zoo.training.request import OWN_RECIPES, reasons_to_train
from harness.plugins.models._zoo.training.storage import WEIGHTS, Place
from harness.registry import load_registry
from tests.helpers.places import ROOT

REGISTRY = ROOT / "registry.yaml"
RECIPES = read_recipes(OWN_RECIPES)
pytestmark = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="the zoo is not trained yet: make zoo")


@cache
def entries():
    models = yaml.safe_load(REGISTRY.read_text())["models"]
    return {name: entry for name, entry in models.items() if str(entry.get("arch", "")).startswith("zoo:")}


def test_nothing_is_left_to_train():
    """Cards, weights and recipes fit together, start networks included."""
    assert reasons_to_train(RECIPES, RECIPES, WEIGHTS) == {}


def test_every_network_has_an_entry_and_nothing_else_lies_there():
    assert set(entries()) == set(RECIPES)
    files = {file.name for file in WEIGHTS.iterdir()} - {"registry.yaml"}
    assert files == {f"{name}.{kind}" for name in RECIPES for kind in ("json", "safetensors")}


@pytest.mark.parametrize("name", [name for name in RECIPES if Place(WEIGHTS, name).card.is_file()])
def test_card_registry_and_file_agree(name):
    place, recipe = Place(WEIGHTS, name), RECIPES[name]
    card = json.loads(place.card.read_text())
    entry = entries()[name]
    assert card["name"] == name
    assert card["sha256"] == sha256_of(place.weights) == entry["sha256"]
    assert (entry["arch"], entry.get("group")) == (f"zoo:{name_of(recipe.front, recipe.downsampling)}", recipe.group)
    assert entry["title"] == f"Zoo: {recipe.title}"
    assert (entry["outputs"], entry["label_space"]) == (16, "shapes-16")
    assert (REGISTRY.parent / entry["weights"].removeprefix("file:")).resolve() == place.weights.resolve()
    assert sum(value.numel() for value in place.load().parameters()) == card["parameters"] <= 60_000
    assert len(card["log"]) == len(recipe.passes())


def test_it_is_small():
    assert sum(file.stat().st_size for file in WEIGHTS.rglob("*")) < 12e6


@pytest.mark.parametrize(
    ("name", "logits"),
    [
        ("zoo-baseline", [25.2889, -17.3247, 7.6521, -22.5653]),
        ("zoo-mid-frequency-only", [28.149, -21.0053, 16.8833, -21.6029]),
    ],
)
def test_the_architecture_computes_what_it_did(name, logits):
    """Its code is in no cell's identity: if this fails on purpose, raise `Checkpoint.version`, or old numbers stay."""
    registry = load_registry((), load_plugins(entry_points=False))
    network = registry.source_for(registry.model(name)).load(registry.model(name))
    ramp = torch.linspace(0, 1, 3 * 64 * 64).view(1, 3, 64, 64) * 37.3 % 1
    for frozen in (False, True):  # frozen networks go another way
        for parameter in network.parameters():
            parameter.requires_grad_(not frozen)
        assert network(ramp)[0, :4].tolist() == pytest.approx(logits, abs=2e-3)
