"""Contract checks for plugin authors: call them from your own tests.

    from harness.testing import check_probe

    def test_contract():
        check_probe(InvertColours())

Each raises AssertionError that says which promise was broken.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.interfaces import WhiteBoxProbe
from harness.records import Batch, LabelSpace, Measure, ModelSpec, Sample, TaskLayout, Trials

if TYPE_CHECKING:
    from harness.interfaces import Classifier, Dataset, ModelSource, Probe

CLASSES = 10
"""Classes of `make_batch` and of `SmallClassifier`."""
_ALIKE = 0.99
"""Share of values that must agree where gradients are rounded: a sign that flips moves a value across the ball."""


def make_batch(n: int = 5, size: int = 64, seed: int = 0, device: str = "cpu") -> Batch:
    """A batch of `n` random 8-bit images with ids ``0000`` …, (n, 3, size, size) float32."""
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 3, size, size), dtype=np.uint8)
    return Batch(
        images=torch.from_numpy(pixels).to(device).float().div_(255),
        sample_ids=tuple(f"{i:04d}" for i in range(n)),
        targets=tuple((i % CLASSES,) for i in range(n)),
        seed=seed,
    )


def part(batch: Batch, rows: Sequence[int]) -> Batch:
    """The samples `rows` of `batch`, in that order."""
    return Batch(
        images=batch.images[list(rows)].clone(),
        sample_ids=tuple(batch.sample_ids[row] for row in rows),
        targets=tuple(batch.targets[row] for row in rows),
        seed=batch.seed,
    )


def make_trials(
    conditions: Sequence[str],
    n: int = 40,
    classes: Sequence[str] = tuple("abcdefghij"),
    size: int = 64,
    seed: int = 0,
    attributes: Mapping[str, Sequence[str]] | None = None,
    required: Mapping[str, Trials] | None = None,
    task: str = "probe@dataset",
) -> Trials:
    """Random but consistent trials of one model under `conditions`."""
    rng = np.random.default_rng(seed)
    top5 = rng.permuted(np.tile(np.arange(len(classes)), (n, len(conditions), 1)), axis=2)[:, :, :5].astype(np.int16)
    targets = rng.integers(0, len(classes), (n, 1)).astype(np.int16)
    logp = -np.sort(rng.exponential(1.0, top5.shape), axis=2).astype(np.float16)
    layout = TaskLayout(
        task=task,
        sample_ids=tuple(f"{i:04d}" for i in range(n)),
        targets=targets,
        conditions=tuple(conditions),
        classes=tuple(classes),
        size=size,
        span=16,
        attributes={name: tuple(values) for name, values in (attributes or {}).items()},
    )
    return Trials(
        model="model",
        layout=layout,
        top5=top5,
        logp=logp,
        correct=top5[:, :, 0] == targets,
        required=dict(required or {}),
    )


class SmallClassifier(torch.nn.Module):
    """A frozen network for white-box probes: images (B, 3, S, S) in [0, 1] -> log-probabilities (B, 10) float32.

    Smooth, not linear, always with the same weights. The lower eighth of an image does not reach it: there the gradient
    is zero, so that a random start remains visible and can be compared.
    """

    def __init__(self, device: str = "cpu") -> None:
        super().__init__()
        self.patches = torch.nn.Conv2d(3, 16, kernel_size=8, stride=8)
        self.head = torch.nn.Linear(16, CLASSES)
        generator = torch.Generator().manual_seed(0)
        for parameter in self.parameters():
            parameter.data.normal_(0, 0.5, generator=generator)
            parameter.requires_grad_(False)
        self.to(device).eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Log-probabilities, differentiable in the images."""
        seen = images[:, :, : images.shape[2] - images.shape[2] // 8]
        features = torch.nn.functional.silu(self.patches(seen - 0.5)).mean(dim=(2, 3))
        return torch.nn.functional.log_softmax(self.head(features), dim=1)


def stimuli_of(probe: Probe, batch: Batch, classifier: Classifier | None = None) -> dict[str, torch.Tensor]:
    """All stimuli of `batch` by condition, copied; those of a white-box probe against `classifier` or a new one."""
    if not isinstance(probe, WhiteBoxProbe):
        return {condition: stimulus.clone() for condition, stimulus in probe.stimuli(batch)}
    classifier = classifier or SmallClassifier(str(batch.images.device))
    return {condition: stimulus.detach().clone() for condition, stimulus in probe.attacks(batch, classifier)}


def check_probe(probe: Probe, size: int = 64, device: str = "cpu") -> None:
    """Names, shapes, types, range, no side effects, determinism, and independence of batch size and order.

    A `WhiteBoxProbe` attacks a `SmallClassifier`, which it must leave as it was. Gradients are rounded otherwise in
    other batches, so of its stimuli only 99 % of the values must be independent of the batch, to 1e-6.
    """
    conditions = probe.conditions(size)
    assert conditions, "no conditions"
    assert len(set(conditions)) == len(conditions), f"a condition occurs twice: {conditions}"
    assert isinstance(probe.version, int) and probe.version >= 1, "version is a positive integer"
    assert isinstance(probe.effort(), int) and probe.effort() >= 1, "effort is a positive number of forwards"
    assert (type(probe).__doc__ or "").strip(), "a probe's docstring says what it measures and where that comes from"
    batch, classifier = make_batch(size=size, device=device), SmallClassifier(device)
    before, random_state = batch.images.clone(), torch.get_rng_state()
    together = stimuli_of(probe, batch, classifier)
    assert tuple(together) == conditions, f"announced {conditions}, gave {tuple(together)}"
    assert torch.equal(batch.images, before), "the batch's images were modified in place"
    assert not batch.images.requires_grad, "the batch's images were made to require a gradient; detach them first"
    assert torch.equal(torch.get_rng_state(), random_state), "torch's global generator was used; use batch.noise"
    for condition, stimulus in together.items():
        assert stimulus.shape == before.shape, f"{condition}: {tuple(stimulus.shape)}, expected {tuple(before.shape)}"
        assert stimulus.dtype == torch.float32, f"{condition}: {stimulus.dtype}, expected torch.float32"
        low, high = (float(value) for value in torch.aminmax(stimulus))
        assert 0 <= low and high <= 1, f"{condition}: values from {low} to {high} leave [0, 1]"
    _check_untouched(classifier, device)
    _check_independence(probe, batch, together)


def _check_untouched(classifier: SmallClassifier, device: str) -> None:
    """The network under attack has its weights, no gradients, and is still frozen and in eval mode."""
    fresh = SmallClassifier(device).state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in classifier.state_dict().items()), (
        "the network's weights were changed"
    )
    assert not any(module.training for module in classifier.modules()), "the network was put into training mode"
    for name, parameter in classifier.named_parameters():
        assert not parameter.requires_grad, f"the network's {name} was made to require a gradient"
        assert parameter.grad is None, f"gradients piled up in the network's {name}; use torch.autograd.grad"


def _check_independence(probe: Probe, batch: Batch, together: Mapping[str, torch.Tensor]) -> None:
    """A stimulus depends on (seed, sample id, condition) alone, bit for bit; attacks also on rounding."""
    n, exact = len(batch.sample_ids), not isinstance(probe, WhiteBoxProbe)
    repeatable = exact or batch.images.device.type == "cpu"  # elsewhere kernels of gradients may add in any order
    _check_same(stimuli_of(probe, batch), together, "the same batch a second time", repeatable)
    orders = [[row] for row in range(n)] + [list(reversed(range(n)))]
    for rows in orders:
        parts = {condition: stimulus[rows] for condition, stimulus in together.items()}
        _check_same(stimuli_of(probe, part(batch, rows)), parts, f"samples {rows} alone, not in a batch of {n}", exact)


def _check_same(
    found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], what: str, exact: bool
) -> None:
    for condition, stimulus in found.items():
        if exact:
            assert torch.equal(stimulus, expected[condition]), f"{condition}: {what}: another stimulus"
        else:
            share = float(((stimulus - expected[condition]).abs() <= 1e-6).float().mean())
            assert share >= _ALIKE, f"{condition}: {what}: {share:.0%} of the values agree, expected {_ALIKE:.0%}"


def check_measures(probe: Probe, trials: Trials) -> list[Measure]:
    """Measures are `Measure` records with distinct names, and the same again from the same trials."""
    made = list(probe.measures(trials))
    assert made, "no measures"
    names = [measure.full_name("dataset") for measure in made]
    assert len(set(names)) == len(names), f"a measure occurs twice: {sorted(names)}"
    assert made == list(probe.measures(trials)), "the same trials gave other measures"
    return made


def check_dataset(dataset: Dataset, root: Path, decode: int = 3) -> None:
    """Ids are unique and stable, targets and attributes fit, the first `decode` images have the promised size.

    Images that are made must be the same twice, in several threads and in another process, and differ between views.
    """
    from harness.decoding import pixels
    from harness.manifest import made_witnesses

    space, samples = dataset.label_space(), list(dataset.samples(root))
    check_label_space(space)
    assert samples, f"no samples in {root}"
    assert len({sample.id for sample in samples}) == len(samples), "two samples have one id"
    assert {s.id for s in samples} == {s.id for s in dataset.samples(root)}, "ids differ between two scans"
    for sample in samples:
        assert str(root) not in sample.id, f"{sample.id}: an id must not say where the data lies"
        assert sample.targets and all(0 <= t < len(space.classes) for t in sample.targets), f"{sample}: bad targets"
        assert len(sample.attributes) == len(dataset.attributes), f"{sample}: expected {dataset.attributes}"
    side, folders = dataset.preprocessing.size, {view: dataset.folder(root, view) for view in dataset.views()}
    made = made_witnesses(samples, folders)
    first = [sample for sample in samples[:decode] if sample.path is not None]
    for sample in [*first, *made]:
        image = pixels(dataset, sample)
        assert image.shape == (side, side, 3) and image.dtype == np.uint8, f"{sample.id}: {image.dtype} {image.shape}"
    if made:
        _check_made(dataset, samples, made, folders)


def _check_made(
    dataset: Dataset, samples: Sequence[Sample], witnesses: Sequence[Sample], folders: Mapping[str, Path | None]
) -> None:
    """What is made depends on id and view alone: any other dependence would mix two data sets under one name."""
    from harness.decoding import content_digest
    from harness.manifest import in_view

    made = [view for view, folder in folders.items() if folder is None]
    paths = [sample.id for sample in samples if sample.path is not None]
    assert not (paths and made and len(made) == len(folders)), f"{paths[0]}: has a path, and all of its views are made"

    def check(found: Sequence[str], what: str) -> None:
        for sample, one, expected in zip(witnesses, found, first, strict=True):
            where = f"{sample.id} in view {sample.view}" if sample.view else sample.id
            assert one == expected, f"{where}: {what}: other pixels"

    first = [content_digest(dataset, sample) for sample in witnesses]
    again = [content_digest(dataset, sample) for sample in reversed(witnesses)]
    check(again[::-1], "made a second time, in another order")
    with ThreadPoolExecutor(4) as pool:
        check(list(pool.map(lambda sample: content_digest(dataset, sample), witnesses)), "made in several threads")
    check(_made_elsewhere(dataset, witnesses), "made in another process")
    if len(made) > 1:
        shown = {content_digest(dataset, in_view(samples[0], view, None)) for view in made}
        assert len(shown) > 1, f"{samples[0].id}: the same pixels in all {len(made)} views; image must use sample.view"


_ELSEWHERE = """
import importlib, json, pickle, sys, types
given = pickle.load(sys.stdin.buffer)
sys.path[:] = given["path"]
for name, path in given["packages"].items():
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:  # a folder of --plugins: a package that its loader has registered
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = path
from harness.decoding import content_digest
dataset, samples = pickle.loads(given["work"])
print(json.dumps([content_digest(dataset, sample) for sample in samples]))
"""


def _made_elsewhere(dataset: Dataset, samples: Sequence[Sample]) -> list[str]:
    """Digests of images as another process makes them, in which Python hashes strings otherwise."""
    parts = type(dataset).__module__.split(".")[:-1]
    packages = [".".join(parts[: end + 1]) for end in range(len(parts))]
    try:
        work = pickle.dumps((dataset, list(samples)))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise AssertionError(f"{type(dataset).__name__} must be a class at the top of a module: {error}") from error
    given = {"path": sys.path, "packages": {name: list(sys.modules[name].__path__) for name in packages}, "work": work}
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    done = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE],
        input=pickle.dumps(given),
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"another process cannot make the images: {done.stderr.decode()[-2000:]}"
    return [str(digest) for digest in json.loads(done.stdout)]


def check_label_space(space: LabelSpace) -> None:
    """Columns and members fit the classes and the outputs, and are not both given."""
    assert space.columns is None or space.members is None, "columns and members exclude each other"
    groups = [(column,) for column in space.columns] if space.columns is not None else list(space.members or ())
    if groups:
        assert len(groups) == len(space.classes), f"{len(groups)} groups for {len(space.classes)} classes"
        flat = [column for group in groups for column in group]
        assert len(set(flat)) == len(flat) and all(0 <= column < space.outputs for column in flat), "bad columns"
    else:
        assert len(space.classes) == space.outputs, f"{len(space.classes)} classes for {space.outputs} outputs"


def check_model_source(source: ModelSource, spec: ModelSpec, size: int = 64) -> None:
    """The network answers (N, outputs), in eval mode, the same twice, and is left as it was."""
    for path in source.files(spec):
        assert path.is_file(), f"{path} is no file"
    network = source.load(spec)
    assert not network.training, "the network is in training mode"
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = make_batch(3, size).images
    with torch.no_grad():
        first, second = network(images), network(images)
    assert first.shape == (3, spec.outputs), f"answers {tuple(first.shape)}, expected (3, {spec.outputs})"
    assert torch.equal(first, second), "the same images gave other logits"
    after = network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items()), "a forward changed the weights"
