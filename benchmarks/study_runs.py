"""A finished run with the size of a study, of invented decisions: what `harness report` is timed on.

The suite `paper` on ImageNet, as far as accuracy, band-pass and critical band go: its 48 networks with their groups, 52
conditions, 50,000 images. The store writes it as in every run; only the decisions are drawn, from a seed, with
accuracies that differ by network and condition as plausibly as a fit of the critical band needs.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np

from harness.discovery.loader import Plugins, load_plugins
from harness.identity import ENGINE, job_of, library_versions
from harness.local.provenance import provenance
from harness.local.writing import make_folder
from harness.records import TOP, Identity, Job, ProbeIdentity, TaskLayout
from harness.registry import load_registry
from harness.store import RunWriter
from harness.store.cells import ALL
from harness.store.headers import Header, Span
from harness.store.shards import Fields, as_stored, write_shard

SUITE = "paper"
TASKS = ("accuracy@imagenet", "band-pass@imagenet", "critical-band@imagenet")
BIASES = {
    name: [f"{name}@imagenet"]
    for name in ("low-frequency-bias", "high-frequency-bias", "critical-band-bandwidth",
                 "critical-band-center-frequency", "critical-band-peak-noise-sensitivity")
}  # fmt: skip
AXES = {
    "ID": ["top1@imagenet"],
    "Noise": ["top1@imagenet/noise-0.04-f1", "top1@imagenet/noise-0.04-f4"],
    "Blur": ["top1@imagenet/low-pass-0.2", "top1@imagenet/low-pass-0.4"],
    "Edges": ["top1@imagenet/high-pass-0.6"],
}
MODELS, SAMPLES, CLASSES, SIZE = 48, 50_000, 1000, 224
SPANS = 128
"""Of a task, as in every run of that many images."""
SETTINGS = {"seed": 0, "limit": None, "precision": "fp32", "device_type": "cpu", "batch_size": 32, "store": "top5"}
_WRITERS = 2
_TABLE = 1 << 12
"""Different rows of log-probabilities, and different ranks of wrong decisions."""


def write_run(path: Path, models: int = MODELS, samples: int = SAMPLES, seed: int = 0) -> Path:
    """The finished run, below `path`, of the first `models` networks of the suite on `samples` images.

    Its files are not synced: it need not survive a power cut.
    """
    plugins = load_plugins()
    registry = load_registry((), plugins)
    suite = registry.suite(SUITE)
    specs = [registry.model(name) for name in suite.models[:models]]
    layouts = [_layout(task, plugins, samples, seed) for task in TASKS]
    with _unsynced(), RunWriter.create(path, settings=SETTINGS, command=["harness", "run"]) as run:
        run.update_manifest(
            models={spec.name: {"group": spec.group, "title": spec.title} for spec in specs},
            planned={task: {spec.name: "" for spec in specs} for task in TASKS},
            study={"biases": BIASES, "axes": AXES, "titles": dict(suite.titles)},
        )
        for layout in layouts:
            run.put_layout(layout)
            jobs = [_job(layout, spec.name, plugins) for spec in specs]
            run.begin_all(jobs, provenance(["harness", "run"], device="cpu"))
            with ThreadPoolExecutor(_WRITERS) as pool:
                list(pool.map(partial(_fill, run, layout, seed), range(len(jobs)), jobs))
            run.finish(jobs)
    return path


@contextmanager
def _unsynced() -> Iterator[None]:
    """While the block runs, nothing waits for the disk."""
    with mock.patch.object(os, "fsync", lambda descriptor: None):
        yield


def _layout(task: str, plugins: Plugins, samples: int, seed: int) -> TaskLayout:
    rng = np.random.default_rng(seed)
    return TaskLayout(
        task=task,
        sample_ids=tuple(f"ILSVRC2012_val_{number:08d}" for number in range(1, samples + 1)),
        targets=rng.integers(0, CLASSES, (samples, 1), dtype=np.int16),
        conditions=tuple(plugins.probe(task.partition("@")[0]).conditions(SIZE)),
        classes=tuple(f"class {number}" for number in range(CLASSES)),
        size=SIZE,
        span=max(16, math.ceil(samples / SPANS)),
    )


def _job(layout: TaskLayout, model: str, plugins: Plugins) -> Job:
    probe = plugins.probe(layout.task.partition("@")[0])
    identity = Identity.of(
        model={"name": model, "arch": "resnet50", "source": "checkpoint", "source_version": 1, "checkpoint": []},
        probe=ProbeIdentity(name=probe.name, version=probe.version, params=asdict(probe)),
        dataset={"name": "imagenet", "version": 1, "n": len(layout.sample_ids), "manifest": "0" * 64},
        layout={"conditions": list(layout.conditions), "span": layout.span},
        settings=SETTINGS,
        engine=ENGINE,
        versions=library_versions(),
    )
    return job_of(layout.task, model, identity)


# --- decisions -------------------------------------------------------------------------------


def _fill(run: RunWriter, layout: TaskLayout, seed: int, number: int, job: Job) -> None:
    """Write one cell as it lies when it is finished; `number`: that of its network, on which its accuracies depend.

    A run commits span by span and then puts them into one file. That file is written at once here.
    """
    folder = run.folder(job.task, job.model)
    record = folder.current(job)
    make_folder(folder.of_key(job.key))
    text = json.dumps(dict(record.provenance))
    stored = [as_stored(span, fields) for span, fields in _decisions(layout, number, seed)]
    fields = stored[0].fields
    tails = {name: array.shape[1:] for name, array in fields.items()}
    dtypes = {name: array.dtype.str for name, array in fields.items()}
    spans = tuple(each.span for each in stored)
    header = Header(origin=record.origin, spans=spans, provenance=(text,), tails=tails, dtypes=dtypes)
    digests = {name: [each.digests[name] for each in stored] for name in fields}
    write_shard(folder.of_key(job.key) / ALL, header, digests, stored)


def _decisions(layout: TaskLayout, number: int, seed: int) -> Iterator[tuple[Span, Fields]]:
    """The trials of one cell, span by span."""
    rng = np.random.default_rng([seed, number, TASKS.index(layout.task)])
    expected = np.array([accuracy(number, condition) for condition in layout.conditions], np.float32)
    logp, ranks = _tables(rng)
    hardness = np.random.default_rng([seed, number]).random((len(layout.sample_ids), 1), np.float32)
    reach = 1.6 * np.minimum(expected, 1 - expected)  # hard images are missed under most conditions
    for low, high in layout.spans():
        shape = (high - low, len(expected))
        hit = rng.random(shape, np.float32) < expected + reach * (0.5 - hardness[low:high])
        rank = np.where(hit, 0, ranks[rng.integers(0, _TABLE, shape, np.uint16)]).astype(np.uint16)
        first = (layout.targets[low:high] - rank.astype(np.int16)) % CLASSES
        top5 = first[:, :, None] + np.arange(TOP, dtype=np.int16)
        fields = {
            "top5": np.where(top5 < CLASSES, top5, top5 - np.int16(CLASSES)),
            "logp": logp[rng.integers(0, _TABLE, shape, np.uint16)],
            "correct": hit.astype(np.uint8),
            "rank": rank,
        }
        yield (low, high), fields


def _tables(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows of falling log-probabilities, (`_TABLE`, 5) float16, and ranks of wrong decisions, (`_TABLE`,) uint16."""
    odds = -np.sort(-rng.dirichlet(np.full(TOP + 1, 0.5), _TABLE), axis=1)[:, :TOP]
    logp = np.log(np.maximum(odds, 1e-6)).astype(np.float16)
    ranks = 1 + ((CLASSES - 2) * rng.random(_TABLE) ** 6).astype(np.uint16)
    return logp, ranks


def accuracy(number: int, condition: str) -> float:
    """The expected accuracy of network `number` under `condition`, a fraction: what its decisions are drawn from.

    Band-passes lose what lies beyond their cut-off, by a sigmoid; noise of one octave costs accuracy by a Gaussian over
    the octaves, whose centre and width differ by network.
    """
    clean = 0.62 + 0.16 * _spread(number, 1)
    name, *parts = condition.rsplit("-", 2)
    match name, parts:
        case _, ["pass", cutoff]:
            sign = 1 if name == "low" else -1
            knee = 0.15 + 0.2 * _spread(number, 2) if sign > 0 else 0.45 - 0.2 * _spread(number, 3)
            return clean / (1 + math.exp(-sign * 12 * (float(cutoff) - knee)))
        case "noise", [deviation, octave]:
            centre, width = 2.5 + _spread(number, 4), 1.2 + 0.8 * _spread(number, 5)
            loss = 24 * float(deviation) * math.exp(-(((int(octave[1:]) - centre) / width) ** 2))
            return clean * math.exp(-loss)
    return clean


def _spread(number: int, of: int) -> float:
    """A fraction that differs by network, evenly over [0, 1), and in another order for each `of`."""
    return (number * (0.618034 + 0.0917 * of)) % 1


def size_of(path: Path) -> int:
    """Bytes of all files below `path`."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
