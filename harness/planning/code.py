"""The code of plugins beside the cells it made: who changed it without a new `version` is told before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from harness.errors import RequestError, listed
from harness.identity import equal_codes
from harness.planning.plan import CodeChange, Plan, PlannedCell
from harness.records import Job, Reason, Remark

if TYPE_CHECKING:
    from harness.discovery.contract import Kind
    from harness.interfaces import Dataset, ModelSource, Probe
    from harness.registry import Registry
    from harness.store import StoredCell


_DATA: Final = " data"
"""Follows the kind of plugin where the digest is that of its data files."""


class Maker(NamedTuple):
    """A plugin in use: its version, the digest of its code, its file or package, and the digest of its data files."""

    version: int
    digest: str
    provider: str
    data: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeInUse:
    """The code of the plugins that a request uses; built-in ones are not in it, since their version counts.

    Attributes:
        makers: (kind, name) -> the plugin.
        same: pairs of digests that count as equal, because a user said that they give the same numbers.
        accept: whether the user says so now, of all changes.
    """

    makers: Mapping[tuple[str, str], Maker] = field(default_factory=dict)
    same: frozenset[tuple[str, str]] = frozenset()
    accept: bool = False

    def of(self, job: Job) -> dict[str, str]:
        """Kind of plugin -> digest of the code that would make the numbers of `job` now; and of its data files."""
        code = {kind: maker.digest for kind, _, maker in self._used(job)}
        return code | {f"{kind}{_DATA}": maker.data for kind, _, maker in self._used(job) if maker.data}

    def changes(self, job: Job) -> list[CodeChange]:
        """How the code in use differs from that of stored trials."""
        return [
            CodeChange(
                kind=kind, name=name + text, version=maker.version, provider=maker.provider, before=before, now=now
            )
            for kind, name, maker in self._used(job)
            for suffix, text, now in (("", "", maker.digest), (_DATA, " (its data files)", maker.data))
            if now and now not in equal_codes(before := job.code.get(f"{kind}{suffix}", now), self.same)
        ]

    def unrecorded(self, job: Job) -> list[str]:
        """Plugins (``probe sharp``) whose code at the time of stored trials is not recorded."""
        return [f"{kind} {name}" for kind, name, _ in self._used(job) if kind not in job.code]

    def _used(self, job: Job) -> Iterator[tuple[str, str, Maker]]:
        """The plugins of `job`, if they are in use in the same version."""
        for kind, (name, version) in job.identity.makers.items():
            maker = self.makers.get((kind, name))
            if maker is not None and maker.version == version:
                yield kind, name, maker


def makers_of(
    probes: Iterable[Probe], datasets: Mapping[str, Dataset], sources: Mapping[str, ModelSource], registry: Registry
) -> dict[tuple[str, str], Maker]:
    """(kind, name) -> the code of each plugin that makes trials, without the built-in ones."""
    plugins: list[tuple[Kind, str, str, int]] = [
        *(("probe", probe.name, probe.name, probe.version) for probe in probes),
        *(("dataset", name, registry.plugin_of(name), dataset.version) for name, dataset in datasets.items()),
        *(("model source", name, name, source.version) for name, source in sources.items()),
    ]
    return {
        (kind, name): Maker(
            version, digest, registry.plugins.providers[kind, plugin], registry.plugins.data(kind, plugin)
        )
        for kind, name, plugin, version in plugins
        if (digest := registry.plugins.code(kind, plugin)) is not None
    }


def compared(plan: Plan, stored: Mapping[tuple[str, str], StoredCell], code: CodeInUse) -> Plan:
    """`plan` with what has changed in the code of the stored trials that it keeps, of whatever model.

    Args:
        stored: (task, model) -> the cell in the run folder.
    """
    replaced = {(cell.task, cell.model) for cell in plan.cells if cell.status == "rerun"}
    kept = [cell.job for place, cell in stored.items() if cell.spans and place not in replaced]
    changes: dict[CodeChange, list[Job]] = {}
    for job in kept:
        for change in code.changes(job):
            changes.setdefault(change, []).append(job)
    unrecorded = Counter(name for job in kept for name in code.unrecorded(job))
    text = "from a version of the harness that did not note the code of plugins: whether it has changed is not known"
    remarks = tuple(
        Remark("comparability", name, f"{_cells(n)} {'is' if n == 1 else 'are'} {text}")
        for name, n in unrecorded.items()
    )
    if code.accept:
        return replace(plan, accepted=tuple(changes), code_remarks=remarks)
    cells = tuple(_explained(cell, changes) for cell in plan.cells)
    return replace(plan, cells=cells, changes=changes, code_remarks=remarks)


def refuse_other_code(plan: Plan) -> None:
    """Raises RequestError if stored cells were made by other code, with both ways on."""
    if plan.changes:
        raise other_code(plan.changes)


def other_code(changes: Mapping[CodeChange, Sequence[Job]]) -> RequestError:
    """The error that names what has changed, and what to type: a new version, or that the numbers are the same."""
    reasons = [f"{_cells(len(jobs))} ({_places(jobs)}) made by other code of {change.subject}"
               for change, jobs in changes.items()]  # fmt: skip
    ways = [f"version: ClassVar[int] = {change.version + 1} in {change.provider}" for change in changes]
    return RequestError(
        f"{'; '.join(reasons)}: its numbers may no longer be the same",
        remedy=f"{' and '.join(dict.fromkeys(ways))}, which measures them again, "
        "or harness run … --same-numbers if the change alters no number",
    )


def _explained(cell: PlannedCell, changes: Mapping[CodeChange, Sequence[Job]]) -> PlannedCell:
    """`cell` with the reason that its stored trials were made by other code, if they were."""
    place = (cell.task, cell.model)
    subjects = [change.subject for change, jobs in changes.items() if place in {(job.task, job.model) for job in jobs}]
    if not subjects:
        return cell
    text = f"made by other code of {' and of '.join(subjects)}"
    earlier = f"{cell.because.text}; " if cell.because else ""
    return replace(cell, because=Reason(kind="task", subject=cell.task, text=earlier + text))


def _cells(number: int) -> str:
    return f"{number} stored cell{'' if number == 1 else 's'}"


def _places(jobs: Sequence[Job]) -> str:
    models, tasks = dict.fromkeys(job.model for job in jobs), dict.fromkeys(job.task for job in jobs)
    return f"{listed(models, 3)} on {listed(tasks, 2)}"
