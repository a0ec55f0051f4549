"""Small stores with known content, for tests of the store, and a writer of one that can be killed.

Trials are a function of (key, samples) alone, so that any reader can compute what must be stored.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.identity import job_of
from harness.records import ArraySpec, Identity, Job, ProbeIdentity, TaskLayout, TrialBlock
from harness.store import RunWriter

SETTINGS = {"seed": 0, "limit": None}
COMMAND = ["harness", "run"]
TASK = "accuracy@made"


def make_layout(*, n=40, span=16, conditions=2, classes=10, targets=1, task=TASK, attributes=(), salt="") -> TaskLayout:
    rng = np.random.default_rng(stable(f"{task} {salt}"))
    accepted = np.full((n, targets), -1, np.int16)
    for row in accepted:
        some = rng.permutation(classes)[: rng.integers(1, targets + 1)]
        row[: len(some)] = some
    return TaskLayout(
        task=task,
        sample_ids=tuple(f"val/ünï{salt}_{i:05d}.jpg" for i in range(n)),
        targets=accepted,
        conditions=tuple(f"noise-{i}" for i in range(conditions)),
        classes=tuple(f"class {i}" for i in range(classes)),
        size=32,
        span=span,
        attributes={name: tuple(f"{name} {i % 7}" for i in range(n)) for name in attributes},
    )


def make_job(model="net-a", *, task=TASK, salt="", arrays=None) -> Job:
    identity = Identity.of(
        model={"name": model, "salt": salt},
        probe=ProbeIdentity(name=task.partition("@")[0], version=1, params={}),
        dataset={"name": task.partition("@")[2]},
        layout={},
        settings=SETTINGS,
        arrays=arrays,
    )
    return job_of(task, model, identity)


def make_block(layout, job, span, outputs=0) -> TrialBlock:
    """What `job` decides on the samples of `span`; the same whatever the span."""
    low, high = span
    per_sample = [_sample(layout, job, index, outputs) for index in range(low, high)]
    top5, logp, logits, rank = (np.stack([one[i] for one in per_sample]) for i in range(4))
    correct = (top5[:, :, :1] == layout.targets[low:high, None, :]).any(axis=2).astype(np.uint8)
    arrays = {name: _array(layout, job, name, span) for name in job.identity.arrays}
    return TrialBlock(top5=top5, logp=logp, correct=correct, logits=logits if outputs else None, arrays=arrays,
                      rank=rank)  # fmt: skip


def _array(layout, job, name, span):
    """(n, C, …) of small numbers, whatever the type."""
    spec, conditions = job.identity.arrays[name], len(layout.conditions)
    rows = [
        np.random.default_rng([stable(job.key + name), index]).integers(0, 100, (conditions, *spec.shape))
        for index in range(*span)
    ]
    return np.stack(rows).astype(spec.dtype)


def _sample(layout, job, index, outputs):
    conditions, classes = len(layout.conditions), len(layout.classes)
    rng = np.random.default_rng([stable(job.key), index])
    k = min(5, classes)
    top5 = np.full((conditions, 5), -1, np.int16)
    logp = np.full((conditions, 5), np.nan, np.float16)
    order = np.argsort(rng.random((conditions, classes)), axis=1)
    top5[:, :k] = order[:, :k]
    is_target = np.isin(order, [target for target in layout.targets[index] if target >= 0])
    rank = np.where(is_target.any(axis=1), is_target.argmax(axis=1), 65535).astype(np.uint16)
    logp[:, :k] = -np.sort(rng.random((conditions, k)) * 5, axis=1)
    return top5, logp, rng.random((conditions, outputs)).astype(np.float16), rank


def stable(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def write_random(path, n, *, models=2, task=TASK, version=1, seed=0) -> None:
    """A finished run of `n` samples with random decisions, made much faster than by `fill`."""
    rng = np.random.default_rng(seed)
    layout = replace(
        make_layout(n=1, conditions=1, classes=1000, task=task),
        sample_ids=tuple(f"val/n{i % 1000:08d}/ILSVRC2012_val_{i:08d}.JPEG" for i in range(n)),
        targets=rng.integers(0, 1000, (n, 1), dtype=np.int16),
        conditions=("clean",),
        span=max(16, -(-n // 128)),
    )
    identity = ProbeIdentity(name=task.partition("@")[0], version=version, params={})
    with create(path) as run:
        run.put_layout(layout)
        for number in range(models):
            plain = make_job(f"net-{number}", task=task)
            job = job_of(task, plain.model, Identity.of(
                model={"name": plain.model}, probe=identity, dataset={"name": task.partition("@")[2]}, layout={},
                settings=SETTINGS,
            ))  # fmt: skip
            run.begin(job, {"seed": 0})
            for low, high in layout.spans():
                first = (layout.targets[low:high] + rng.integers(0, 2, (high - low, 1))) % 1000
                run.commit(job, (low, high), TrialBlock(
                    top5=((first[:, :, None] + np.arange(5)) % 1000).astype(np.int16),
                    logp=-np.sort(rng.random((high - low, 1, 5)) * 5, axis=2).astype(np.float16),
                    correct=(first == layout.targets[low:high]).astype(np.uint8),
                    rank=np.where(first == layout.targets[low:high], 0, 999).astype(np.uint16),
                ))  # fmt: skip
            run.finish([job])
        run.publish()


def fill(run, layout, job, spans=None, outputs=0) -> None:
    """Lay out, begin and commit `spans` (default: all)."""
    run.put_layout(layout)
    run.begin(job, {"seed": 0, "git": "abc"}, outputs=outputs or None)
    for span in layout.spans() if spans is None else spans:
        run.commit(job, span, make_block(layout, job, span, outputs))


def create(path) -> RunWriter:
    return RunWriter.create(path, settings=SETTINGS, command=COMMAND)


def assert_equal_trials(trials, layout, job) -> None:
    expected = make_block(layout, job, (0, len(layout.sample_ids)))
    assert np.array_equal(trials.top5, expected.top5)
    assert trials.logp.tobytes() == expected.logp.tobytes()
    assert trials.correct.dtype == bool
    assert np.array_equal(trials.correct, expected.correct.astype(bool))
    assert trials.rank.dtype == np.uint16 and np.array_equal(trials.rank, expected.rank)
    assert list(trials.arrays) == sorted(expected.arrays)
    for name, values in expected.arrays.items():
        read = trials.array(name)
        assert read.dtype == values.dtype and np.array_equal(read, values)


ARRAYS = {
    "map": ArraySpec(shape=(4, 3), dtype="float32"),
    "lost": ArraySpec(dtype="uint8"),
    "depth": ArraySpec(shape=(2,), dtype="float16", finite=False),
}
CELLS = [make_job(f"net-{i}", arrays=ARRAYS) for i in range(5)]
LAYOUT = make_layout(n=120, span=10)


def write_until_killed(folder: Path, acknowledged: Path) -> None:
    """Do what a run does, acknowledging every commit once it is there."""
    log = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with create(folder) as run:
        run.put_layout(LAYOUT)
        stored = run.cells()
        todo = [job for job in CELLS if (TASK, job.model) not in stored or not stored[TASK, job.model].complete(LAYOUT)]
        for job in todo:
            run.begin(job, {"seed": 0})
        run.publish()
        os.write(log, b"ready\n")
        for job in todo:
            cell = run.cell(TASK, job.model)
            for span in LAYOUT.spans():
                if span not in cell.spans:
                    run.commit(job, span, make_block(LAYOUT, job, span))
                    os.write(log, f"{job.model} {span[0]} {span[1]}\n".encode())
            run.finish([job])
