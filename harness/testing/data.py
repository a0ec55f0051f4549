"""Checks for the tests of a dataset, a label space and a model source."""

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

from harness.records import LabelSpace, ModelSpec, Sample
from harness.testing.made import make_batch

if TYPE_CHECKING:
    from harness.interfaces import Dataset, ModelSource


def check_dataset(dataset: Dataset, root: Path, decode: int = 3) -> None:
    """Ids are unique and stable, targets and attributes are valid, the first `decode` images have the stated size.

    Generated images must be reproducible, in several threads and in another process, and differ between views.
    """
    from harness.data.decoding import pixels
    from harness.data.manifest import made_witnesses

    space, samples = dataset.label_space(), list(dataset.samples(root))
    check_label_space(space)
    assert samples, f"no samples in {root}"
    assert len({sample.id for sample in samples}) == len(samples), "two samples have the same id"
    assert {s.id for s in samples} == {s.id for s in dataset.samples(root)}, "ids differ between two scans"
    assert len({bool(sample.targets) for sample in samples}) == 1, "some samples have targets, and others none"
    for sample in samples:
        assert str(root) not in sample.id, f"{sample.id}: an id must not contain the data's folder"
        assert all(0 <= t < len(space.classes) for t in sample.targets), f"{sample}: bad targets"
        assert len(sample.attributes) == len(dataset.attributes), f"{sample}: expected {dataset.attributes}"
    _check_values(dataset, samples)
    side, folders = dataset.preprocessing.size, {view: dataset.folder(root, view) for view in dataset.views()}
    witnesses = made_witnesses(samples, folders)
    first = [sample for sample in samples[:decode] if sample.path is not None]
    for sample in [*first, *witnesses]:
        image = pixels(dataset, sample)
        assert image.shape == (side, side, 3) and image.dtype == np.uint8, f"{sample.id}: {image.dtype} {image.shape}"
    if witnesses:
        _check_made(dataset, samples, witnesses, folders)


def _check_values(dataset: Dataset, samples: Sequence[Sample]) -> None:
    """The texts of an attribute are those that the dataset says it has, or lists of them."""
    values = dataset.attribute_values()
    assert set(values) <= set(dataset.attributes), f"attribute_values: {sorted(values)}, expected {dataset.attributes}"
    for sample in samples:
        for name, text in zip(dataset.attributes, sample.attributes, strict=True):
            given = values.get(name)
            stated = given is None or text in ("", *given) or set(text.split()) <= set(given)
            assert stated, f"{sample.id}: {name} is {text!r}, none of attribute_values: {given}"


def _check_made(
    dataset: Dataset, samples: Sequence[Sample], witnesses: Sequence[Sample], folders: Mapping[str, Path | None]
) -> None:
    """A generated image depends on id and view alone: any other dependence gives two datasets under one name."""
    from harness.data.decoding import content_digest
    from harness.data.manifest import in_view

    generated = [view for view, folder in folders.items() if folder is None]
    paths = [sample.id for sample in samples if sample.path is not None]
    assert not (paths and generated and len(generated) == len(folders)), (
        f"{paths[0]}: has a path, and all of its views are generated"
    )

    def check(digests: Sequence[str], circumstances: str) -> None:
        for sample, digest, expected in zip(witnesses, digests, first, strict=True):
            place = f"{sample.id} in view {sample.view}" if sample.view else sample.id
            assert digest == expected, f"{place}: {circumstances}: different pixels"

    first = [content_digest(dataset, sample) for sample in witnesses]
    repeated = [content_digest(dataset, sample) for sample in reversed(witnesses)]
    check(repeated[::-1], "generated again, in another order")
    with ThreadPoolExecutor(4) as pool:
        check(list(pool.map(lambda sample: content_digest(dataset, sample), witnesses)), "generated in several threads")
    check(_made_elsewhere(dataset, witnesses), "generated in another process")
    if len(generated) > 1:
        contents = {content_digest(dataset, in_view(samples[0], view, None)) for view in generated}
        assert len(contents) > 1, (
            f"{samples[0].id}: the same pixels in all {len(generated)} views; image must use sample.view"
        )


_ELSEWHERE = """
import importlib, json, pickle, sys, types
request = pickle.load(sys.stdin.buffer)
sys.path[:] = request["path"]
for name, path in request["packages"].items():
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:  # a folder of --plugins: a package that its loader has registered
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = path
from harness.data.decoding import content_digest
dataset, samples = pickle.loads(request["work"])
print(json.dumps([content_digest(dataset, sample) for sample in samples]))
"""


def _made_elsewhere(dataset: Dataset, samples: Sequence[Sample]) -> list[str]:
    """Digests of images generated in another process, with another hash seed of Python."""
    parts = type(dataset).__module__.split(".")[:-1]
    packages = [".".join(parts[: end + 1]) for end in range(len(parts))]
    try:
        work = pickle.dumps((dataset, list(samples)))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise AssertionError(f"{type(dataset).__name__} must be a class at the top of a module: {error}") from error
    paths = {name: list(sys.modules[name].__path__) for name in packages}
    request = {"path": sys.path, "packages": paths, "work": work}
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    done = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE],
        input=pickle.dumps(request),
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"another process cannot generate the images: {done.stderr.decode()[-2000:]}"
    return [str(digest) for digest in json.loads(done.stdout)]


def check_label_space(space: LabelSpace) -> None:
    """Columns and members match the classes and the outputs, and at most one of them is set."""
    assert space.columns is None or space.members is None, "columns and members exclude each other"
    groups = [(column,) for column in space.columns] if space.columns is not None else list(space.members or ())
    if groups:
        assert len(groups) == len(space.classes), f"{len(groups)} groups for {len(space.classes)} classes"
        flat = [column for group in groups for column in group]
        assert len(set(flat)) == len(flat) and all(0 <= column < space.outputs for column in flat), "bad columns"
    else:
        assert len(space.classes) == space.outputs, f"{len(space.classes)} classes for {space.outputs} outputs"


def check_model_source(source: ModelSource, spec: ModelSpec, size: int = 64) -> None:
    """The network returns (N, outputs), is in eval mode, is deterministic, and is unchanged by a forward."""
    for path in source.files(spec):
        assert path.is_file(), f"{path} is not a file"
    network = source.load(spec)
    assert not network.training, "the network is in training mode"
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = make_batch(3, size).images
    with torch.no_grad():
        first, second = network(images), network(images)
    assert first.shape == (3, spec.outputs), f"returns {tuple(first.shape)}, expected (3, {spec.outputs})"
    assert torch.equal(first, second), "the same images gave different logits"
    after = network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items()), "a forward changed the weights"
