"""Published decisions -> a run of trials like any other, whose measures the installed probes compute."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from harness.errors import RequestError
from harness.identity import job_of
from harness.interfaces import Probe
from harness.local.provenance import provenance
from harness.names import task_of
from harness.proportions import is_correct
from harness.records import FIRST_CHOICES, DecisionTable, Identity, ImportedDecisions, Job, ProbeIdentity, TrialBlock
from harness.store import RunWriter


def source_digest(path: Path) -> str:
    """SHA-256 of a file; of a folder, over the names and contents of all files below it."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(one for one in path.rglob("*") if one.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0{source_digest(file)}\0".encode())
    return digest.hexdigest()


def store_decisions(
    out: Path,
    table: DecisionTable,
    probes: Mapping[str, Probe],
    *,
    importer: str,
    source_sha256: str,
    command: Sequence[str],
) -> None:
    """Make the run `out` of a table of decisions: one model an observer.

    Args:
        probes: task name (``shape-bias@cue-conflict``) -> the probe that reduces its trials.
        importer: name of the importer. source_sha256: of what it read.

    Raises:
        RunError: `out` is not empty, or cannot be written.
        RequestError: observers of one task decided on different samples, or the probe has other conditions.
    """
    jobs = [(_job(one, probes[one.layout.task], importer), one) for one in table.decisions]
    _refuse_misfits(table, probes)
    with RunWriter.create(out, settings={}, command=command) as run:
        run.update_manifest(
            importer=importer,
            title=table.title,
            source=table.source,
            license=table.license,
            sha256=source_sha256,
            models={one.observer: {"group": one.group, "title": table.title} for one in table.decisions},
            planned={task: {one.observer: "" for one in table.decisions if one.layout.task == task} for task in probes},
            warnings={task: list(_remarks(task, table.decisions)) for task in probes},
        )
        for job, one in jobs:
            run.put_layout(one.layout)
            run.begin(job, provenance(command, device="imported", sha256=source_sha256))
            for span in one.layout.spans():
                run.commit(job, span, _block(one, slice(*span)))
        run.finish([job for job, _ in jobs])


def _job(one: ImportedDecisions, probe: Probe, importer: str) -> Job:
    content = hashlib.sha256(repr((one.layout.sample_ids, sorted(one.layout.attributes.items()))).encode())
    content.update(one.layout.targets.tobytes())
    content.update(one.top5.tobytes())
    identity = Identity.of(
        model={"name": one.observer, "source": f"import {importer}"},
        probe=ProbeIdentity(name=probe.name, version=probe.version, params=asdict(probe)),
        dataset={"name": task_of(one.layout.task).dataset},
        layout={"conditions": one.layout.conditions, "span": one.layout.span},
        settings={},
        trials=FIRST_CHOICES,
        content=content.hexdigest(),
    )
    return job_of(one.layout.task, one.observer, identity)


def _refuse_misfits(table: DecisionTable, probes: Mapping[str, Probe]) -> None:
    first: dict[str, ImportedDecisions] = {}
    for one in table.decisions:
        layout = one.layout
        usual = first.setdefault(layout.task, one)
        if layout.sample_ids != usual.layout.sample_ids or not np.array_equal(layout.targets, usual.layout.targets):
            raise RequestError(
                f"{layout.task}: {one.observer} decided on other samples than {usual.observer}; expected one list of "
                "samples a task. Import them into runs of their own"
            )
        expected = probes[layout.task].conditions(layout.size)
        if layout.conditions != expected:
            raise RequestError(
                f"{layout.task}: decisions under {', '.join(layout.conditions)}, but the probe has the conditions "
                f"{', '.join(expected)}; see: harness info {probes[layout.task].name}"
            )


def _remarks(task: str, decisions: Sequence[ImportedDecisions]) -> Iterator[str]:
    for one in decisions:
        undecided = int((one.top5[:, :, 0] < 0).sum())
        if one.layout.task == task and undecided:
            share = f"{undecided:,} of {one.top5[:, :, 0].size:,} trials"
            yield f"{task}: {one.observer} made no decision in {share}, which count as wrong"


def _block(one: ImportedDecisions, rows: slice) -> TrialBlock:
    chosen, targets = one.top5[rows], one.layout.targets[rows]
    right = is_correct(chosen[..., :1], targets)
    return TrialBlock(top5=chosen, logp=np.full(chosen.shape, np.nan, np.float16), correct=right.astype(np.uint8))
