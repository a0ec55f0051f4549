"""What built-in plugins make, held under their version: a number that changes without a new version fails here.

Built-in plugins are compared by `version` alone, so this test stands for the digest of their code. After a new version,
``python -m tests.plugins.test_fingerprints`` adds its fingerprint to fingerprints.json; it never replaces one.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.data.decoding import pixels
from harness.data.manifest import made_witnesses
from harness.discovery.loader import load_plugins
from harness.plugins.probes.accuracy import Accuracy
from harness.registry import load_registry
from harness.testing import check_fingerprint, fingerprint_of, make_batch, projections

FILE = Path(__file__).with_name("fingerprints.json")
PLUGINS = load_plugins(entry_points=False)
MADE = [
    name for name, dataset in PLUGINS.datasets.items() if "shapes" in name and dataset.root() and dataset.path == ""
]
VARIANTS = {
    "embedding": [{"scale": 0.8, "corner": 5}],
    "shift-sequences": [{"perturbation": name} for name in ("rotate", "scale", "brightness", "noise")],
    "small-shifts": [{"area": 0.4}],
}
"""Parameters under which other code of a probe makes its stimuli."""
DUMMIES = ("brightness", "random-linear", "constant")
TOLERANCES = {"image": 2e-3, "logits": 1e-3}
"""An image of bytes moves in steps of 1/255; logits are sums of a hundred thousand products."""


def expected(kind, name, version):
    held = json.loads(FILE.read_text())
    key = f"{kind} {name} {version}"
    assert key in held, f"no fingerprint of {key}; after a new version: python -m tests.plugins.test_fingerprints"
    return held[key]


def images_of(name, most=4):
    """Projections of a few images that a dataset generates, each of another class or view."""
    dataset = PLUGINS.datasets[name]
    root = dataset.root()
    folders = {view: dataset.folder(root, view) for view in dataset.views()}
    witnesses = made_witnesses(list(dataset.samples(root)), folders)
    chosen = witnesses[:: -(-len(witnesses) // most)]
    return {f"{sample.view or ''} {sample.id}": projections(pixels(dataset, sample) / 255) for sample in chosen}


def logits_of(source, spec):
    with torch.inference_mode():
        return {"logits": projections(source.load(spec)(make_batch(n=3).images).numpy())}


def networks():
    """One network of each kind that needs no file of one's own: (source, what it loads, entry)."""
    models = load_registry((), PLUGINS).models
    zoo = models["zoo-baseline"]
    yield "checkpoint", "zoo-baseline", zoo
    for kind in DUMMIES:
        yield "dummy", kind, replace(zoo, source="dummy", arch=None, weights=(), options={"kind": kind})


def probes():
    """``small-shifts``, ``small-shifts area=0.4``, … -> the probe."""
    for name, probe in sorted(PLUGINS.probes.items()):
        yield name, probe
        for parameters in VARIANTS.get(name, ()):
            yield (
                " ".join((name, *(f"{key}={value}" for key, value in parameters.items()))),
                replace(probe, **parameters),
            )


@pytest.mark.parametrize(("name", "probe"), list(probes()), ids=lambda value: value if isinstance(value, str) else "")
def test_a_probe_makes_the_stimuli_of_its_version(name, probe):
    check_fingerprint(probe, expected("probe", name, probe.version))


def agree(made, held, tolerance, what):
    assert list(made) == list(held), f"{what}: {list(made)}, expected {list(held)}"
    for name, numbers in made.items():
        assert np.allclose(numbers, held[name], rtol=0, atol=tolerance), f"{what}, {name}: {numbers}, held {held[name]}"


@pytest.mark.parametrize("name", MADE)
def test_a_dataset_makes_the_images_of_its_version(name):
    version = PLUGINS.datasets[name].version
    agree(images_of(name), expected("dataset", name, version), TOLERANCES["image"], f"{name}, version {version}")


@pytest.mark.parametrize("network", list(networks()), ids=lambda network: f"{network[0]} {network[1]}")
def test_a_source_loads_the_networks_of_its_version(network):
    source, name, spec = network
    plugin = PLUGINS.model_sources[source]
    held = expected("model source", f"{source} {name}", plugin.version)
    agree(logits_of(plugin, spec), held, TOLERANCES["logits"], f"{source} {name}, version {plugin.version}")


@dataclass(frozen=True, kw_only=True)
class Dimmed(Accuracy):
    """Images a tenth of a per cent darker than the version says."""

    def stimuli(self, batch):
        for condition, stimulus in super().stimuli(batch):
            yield condition, stimulus * 0.999


def test_a_small_change_moves_a_fingerprint_and_rounding_does_not():
    held = expected("probe", "accuracy", Accuracy.version)
    with pytest.raises(AssertionError, match="raise the version to 2"):
        check_fingerprint(Dimmed(), held)
    image = np.random.default_rng(1).random((3, 64, 64))
    assert np.allclose(projections(image), projections(image.astype(np.float32)), rtol=0, atol=1e-6)


def main():
    held = json.loads(FILE.read_text()) if FILE.exists() else {}
    made = {f"probe {name} {probe.version}": fingerprint_of(probe) for name, probe in probes()}
    made |= {f"dataset {name} {PLUGINS.datasets[name].version}": images_of(name) for name in MADE}
    for source, name, spec in networks():
        plugin = PLUGINS.model_sources[source]
        made[f"model source {source} {name} {plugin.version}"] = logits_of(plugin, spec)
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {**made, **held}.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
