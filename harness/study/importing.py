"""Published decisions -> a run of trials, whose measures the installed probes compute."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import PluginError, RequestError
from harness.identity import job_of
from harness.importer import Importer
from harness.interfaces import Probe
from harness.local.provenance import provenance
from harness.names import task_of
from harness.proportions import is_correct
from harness.records import (
    FIRST_CHOICES,
    DecisionTable,
    Identity,
    ImportedDecisions,
    ImportedModel,
    ImportedTable,
    Job,
    Measure,
    ProbeIdentity,
    StatisticsPlan,
    TaskLayout,
    TrialBlock,
)
from harness.store import RunWriter


def source_digest(path: Path) -> str:
    """SHA-256 of a file; for a folder, of the names and contents of all files below it."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(entry for entry in path.rglob("*") if entry.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0{source_digest(file)}\0".encode())
    return digest.hexdigest()


def refuse_irregular(path: Path) -> None:
    """Raise RequestError for a FIFO, socket or device, also in a folder: an importer might read it for ever."""
    entries = [path, *(path.rglob("*") if path.is_dir() else ())]
    odd = [entry for entry in entries if entry.exists() and not (entry.is_file() or entry.is_dir())]
    if odd:
        raise RequestError(f"{odd[0]} is no regular file, but a FIFO, socket or device; give a table, or remove it")


def read_table(
    importer: Importer, path: Path, folders: Mapping[str, Path] | None = None
) -> ImportedTable | DecisionTable:
    """What `importer` reads from `path`. Raises PluginError if it is no table, RequestError if the table is empty.

    Args:
        folders: those of its `datasets` that are on this machine.
    """
    table: Any = importer.read_beside(path, folders or {})
    if not isinstance(table, ImportedTable | DecisionTable):
        raise PluginError(
            f"importer {importer.name!r} gives {type(table).__name__}, expected harness.ImportedTable or DecisionTable"
        )
    rows: tuple[Any, ...] = table.models if isinstance(table, ImportedTable) else table.decisions
    kind = ImportedModel if isinstance(table, ImportedTable) else ImportedDecisions
    odd = [row for row in rows if not isinstance(row, kind)]
    for row in rows if kind is ImportedModel and not odd else ():
        odd += [value for value in row.measures.values() if not isinstance(value, Measure)]
    if odd:
        raise PluginError(
            f"importer {importer.name!r} gives {odd[0]!r}, expected harness.{kind.__name__} with measures"
        )
    if not rows:
        raise RequestError(f"{path} holds no results")
    if isinstance(table, ImportedTable):
        _refuse_statistics(importer, table)
    return table


def _refuse_statistics(importer: Importer, table: ImportedTable) -> None:
    """Raise PluginError for statistics that are no plan, or are declared of what the table does not define.

    Groups, models and measures may be absent from a smaller table; reports say so.
    """
    plan: Any = table.statistics
    who = f"importer {importer.name!r} declares statistics"
    if not isinstance(plan, StatisticsPlan):
        raise PluginError(f"{who}: {plan!r:.60}, expected harness.StatisticsPlan; correct the importer")
    if mistake := plan.mistake():
        raise PluginError(f"{who}: {mistake}; correct the importer")
    defined = {**table.biases, **table.axes}
    for key, names, known in (
        ("log", plan.log, table.biases),
        ("controls", plan.controls, defined),
        ("alternatives", tuple(plan.alternatives), defined),
    ):
        for name in names:
            if name not in known:
                kind = "bias" if known is table.biases else "bias or axis"
                available = ", ".join(known) or "none"
                raise PluginError(f"{who}: {key}: {name!r} is no {kind} of its table; these are: {available}")


def store_decisions(
    out: Path,
    table: DecisionTable,
    probes: Mapping[str, Probe],
    *,
    importer: str,
    source_sha256: str,
    command: Sequence[str],
) -> None:
    """Store a table of decisions as the run `out`, with one model per observer.

    Args:
        probes: task name (``shape-bias@cue-conflict``) -> the probe that reduces its trials.
        importer: name of the importer. source_sha256: digest of the imported file or folder.

    Raises:
        RunError: `out` is not empty, or cannot be written.
        RequestError: observers of one task decided on different samples, or the probe has other conditions.
    """
    jobs = [(_job(decisions, probes[decisions.layout.task], importer), decisions) for decisions in table.decisions]
    _refuse_misfits(table, probes)
    with RunWriter.create(out, settings={}, command=command) as run:
        run.update_manifest(
            importer=importer,
            title=table.title,
            source=table.source,
            license=table.license,
            sha256=source_sha256,
            models={
                decisions.observer: {"group": decisions.group, "title": table.title} for decisions in table.decisions
            },
            planned={
                task: {decisions.observer: "" for decisions in table.decisions if decisions.layout.task == task}
                for task in probes
            },
            warnings={
                importer: list(table.remarks),
                **{task: list(_remarks(task, table.decisions)) for task in probes},
            },
        )
        for job, decisions in jobs:
            run.put_layout(decisions.layout)
            run.begin(job, provenance(command, device="imported", sha256=source_sha256))
            for span in decisions.layout.spans():
                run.commit(job, span, _block(decisions, slice(*span)))
        run.finish([job for job, _ in jobs])


def _job(decisions: ImportedDecisions, probe: Probe, importer: str) -> Job:
    content = hashlib.sha256(repr((decisions.layout.sample_ids, sorted(decisions.layout.attributes.items()))).encode())
    content.update(decisions.layout.targets.tobytes())
    content.update(decisions.top5.tobytes())
    if decisions.probability is not None:
        content.update(np.asarray(decisions.probability, dtype=np.float64).tobytes())
    identity = Identity.of(
        model={
            "name": decisions.observer,
            "source": f"import {importer}",
            **({"experiment": decisions.experiment} if decisions.experiment else {}),
        },
        probe=ProbeIdentity(name=probe.name, version=probe.version, params=asdict(probe)),
        dataset={"name": task_of(decisions.layout.task).dataset, "samples": _samples(decisions.layout)},
        layout={"conditions": decisions.layout.conditions, "span": decisions.layout.span},
        settings={},
        trials=FIRST_CHOICES,
        content=content.hexdigest(),
    )
    return job_of(decisions.layout.task, decisions.observer, identity)


def _samples(layout: TaskLayout) -> str:
    """Which samples, and with which targets: with others, the same measures mean something else."""
    digest = hashlib.sha256("\n".join(layout.sample_ids).encode("utf-8", "surrogatepass"))
    digest.update(np.ascontiguousarray(layout.targets, dtype=np.int64).tobytes())
    return f"{len(layout.sample_ids)} (sha256 {digest.hexdigest()[:32]})"


def _refuse_misfits(table: DecisionTable, probes: Mapping[str, Probe]) -> None:
    first: dict[str, ImportedDecisions] = {}
    for decisions in table.decisions:
        layout = decisions.layout
        reference = first.setdefault(layout.task, decisions)
        if layout.sample_ids != reference.layout.sample_ids or not np.array_equal(
            layout.targets, reference.layout.targets
        ):
            raise RequestError(
                f"{layout.task}: {decisions.observer} decided on other samples than {reference.observer}; "
                "expected one list of samples per task. Import them into separate runs"
            )
        _refuse_improbable(decisions)
        expected = probes[layout.task].conditions(layout.size)
        if layout.conditions != expected:
            raise RequestError(
                f"{layout.task}: decisions under {', '.join(layout.conditions)}, but the probe has the conditions "
                f"{', '.join(expected)}; see: harness info {probes[layout.task].name}"
            )


def _refuse_improbable(decisions: ImportedDecisions) -> None:
    if decisions.probability is None:
        return
    stated, chosen = np.asarray(decisions.probability, dtype=np.float64), decisions.top5[..., 0]
    known = ~np.isnan(stated)
    if stated.shape != chosen.shape or not ((stated > 0) & (stated <= 1) & (chosen >= 0))[known].all():
        raise PluginError(
            f"{decisions.layout.task}: probabilities of {decisions.observer} are of shape {stated.shape}, or not above "
            f"0 and at most 1, or of no decision; expected {chosen.shape}, NaN where one is unknown"
        )


def _remarks(task: str, all_decisions: Sequence[ImportedDecisions]) -> Iterator[str]:
    for decisions in all_decisions:
        undecided = int((decisions.top5[:, :, 0] < 0).sum())
        if decisions.layout.task == task and undecided:
            share = f"{undecided:,} of {decisions.top5[:, :, 0].size:,} trials"
            yield f"{task}: {decisions.observer} made no decision in {share}, which count as wrong"


def _block(decisions: ImportedDecisions, rows: slice) -> TrialBlock:
    chosen, targets = decisions.top5[rows], decisions.layout.targets[rows]
    correct = is_correct(chosen[..., :1], targets)
    logp = np.full(chosen.shape, np.nan, np.float16)
    if decisions.probability is not None:
        logp[..., 0] = np.log(decisions.probability[rows])
    return TrialBlock(top5=chosen, logp=logp, correct=correct.astype(np.uint8))
