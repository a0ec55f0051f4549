"""How a measure was made, and how two such protocols differ. A name is no definition: only equal protocols compare."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from harness.data.manifest import Manifest, dataset_identity
from harness.identity import changes_told, leaves
from harness.names import dataset_in
from harness.records import IMAGES, Effect, Identity, effect_of

if TYPE_CHECKING:
    from harness.interfaces import Dataset, Probe
    from harness.store.cells import StoredCell

MACHINE: Final = ("device", "device_model", "cpu_capability")
"""Facts in a cell's provenance that can change the last digits of logits; of a GPU its name alone, the device."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The stored cells that a measure is reduced from.

    Attributes:
        task: the task whose probe yields the measure. identity: that of its cell.
        required: probe -> identity of the cell whose trials the measure needs too.
        machine: the devices on which the cell was computed; empty for imported decisions.
        code: kind of plugin -> digest of its code; built-in plugins have none.
        tensors: digests of the network's tensors; empty where unknown.
    """

    task: str
    identity: Identity
    required: Mapping[str, Identity] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    tensors: tuple[str, ...] = ()

    @classmethod
    def of(cls, cell: StoredCell, required: Iterable[StoredCell] = ()) -> Origin:
        """The origin of the measures of `cell`, whose probe needs the trials of the cells `required`."""
        identity = cell.job.identity
        facts = MACHINE if identity.settings.get("device_type") == "cpu" else MACHINE[:1]
        sessions = [json.loads(text) for text in cell.sessions] or [cell.provenance]
        return cls(
            task=cell.job.task,
            identity=identity,
            required={other.job.task.partition("@")[0]: other.job.identity for other in required},
            machine={} if identity.first_choices_only else _machine(sessions, facts),
            code=cell.job.code,
            tensors=cell.job.tensors,
        )

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """Dotted path -> value of everything that can change the measure."""
        facts = leaves({**self.identity.document, "machine": self.machine, "code": self.code})
        for name, identity in self.required.items():
            facts |= _of_required(name, {key: identity.document.get(key) for key in ("probe", "layout")})
        return facts

    @cached_property
    def meaning(self) -> Mapping[str, Any]:
        """Those of `facts` that two measures must share to mean the same, whatever their networks."""
        return {path: value for path, value in self.facts.items() if _effect(path, self.facts, self.facts) == "meaning"}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two protocols: a dotted path and both values; None where a side has none."""

    path: str
    before: Any
    now: Any
    effect: Effect

    @property
    def reversed(self) -> Change:
        """The same difference seen from the other protocol."""
        return replace(self, before=self.now, now=self.before)


def changes(before: Origin, now: Origin) -> tuple[Change, ...]:
    """How the protocols of two measures differ, by path. Other files with the same tensors are one checkpoint.

    Older cells record less of the machine; imported decisions record their probe, but neither checkpoint, images nor
    settings: beside them, only what both record counts.
    """
    old, new = before.facts, now.facts
    both = old.keys() & new.keys()
    paths = both | {path for path in old.keys() | new.keys() if _section(path) != "machine"}
    if before.identity.first_choices_only or now.identity.first_choices_only:
        paths = (both | {"trials"}) - {"model.source"}
    same_tensors = bool(before.tensors) and before.tensors == now.tensors
    return tuple(
        replace(change, effect="none") if same_tensors and change.path == "model.checkpoint" else change
        for change in _changes(paths, old, new)
    )


def departures(origin: Origin, standard: Mapping[str, Any]) -> tuple[Change, ...]:
    """How the protocol of a measure differs from a `standard`, which says nothing about which images were seen.

    A parameter that is not recorded had its default.
    """
    facts, sections = origin.facts, {_section(path) for path in standard}
    recorded = {path for path in facts if _section(path) in sections and path not in IMAGES}
    return tuple(
        _changes(recorded & standard.keys() if origin.identity.first_choices_only else recorded, standard, facts)
    )


def described_changes(differences: Iterable[Change]) -> str:
    """The changes as one clause each; empty if there are none. Columns follow from parameters, if any have changed."""
    every = list(differences)
    causes = [change for change in every if not change.path.startswith("layout.")]
    return changes_told([(change.path, change.before, change.now) for change in causes or every])


Standard = Callable[[Origin], Mapping[str, Any]]
"""Origin of a measure -> the protocol, by dotted path, that published numbers of this name are taken to have."""


def standard_of(probes: Mapping[str, Probe], datasets: Mapping[str, Dataset]) -> Standard:
    """The protocol of published tables: the installed probe and dataset with their default parameters.

    A table does not say how its numbers were made; the defaults are those of the studies that define the measures.
    A dataset that is not installed under its name, as an entry of a registry file, has no defaults to compare with.
    """

    def standard(origin: Origin) -> dict[str, Any]:
        probe, dataset = probes.get(origin.identity.probe.name), datasets.get(dataset_in(origin.task))
        facts = {} if probe is None else leaves(_declared(probe), "probe")
        for name in origin.required:
            facts |= _of_required(name, {"probe": _declared(probes[name])} if name in probes else {})
        if dataset is not None:
            facts |= leaves(dataset_identity(dataset, Manifest(samples=(), total=0, digest="")), "dataset")
        return {path: _as_stored(value) for path, value in facts.items() if path not in IMAGES}

    return standard


def stated(probes: Mapping[str, str], measure: str) -> dict[str, Any]:
    """What a published table says about how `measure` was made, by dotted path.

    Args:
        probes: as `ImportedTable.probes`.
    """
    probe = next((probe for pattern, probe in probes.items() if fnmatchcase(measure, pattern)), None)
    return {} if probe is None else {"probe.name": probe}


def _changes(paths: Iterable[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for path in sorted(paths):
        if old.get(path) != new.get(path):
            yield Change(path, old.get(path), new.get(path), _effect(path, old, new))


def _effect(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Effect:
    if path == "settings.limit" and not all("dataset.manifest" in facts for facts in (old, new)):
        return "meaning"  # nothing else says which images these are
    return effect_of(path.split(".", 2)[2] if path.startswith("requires.") else path)


def _of_required(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    return {f"requires.{name}.{path}": value for path, value in leaves(document).items() if value is not None}


def _section(path: str) -> str:
    """``probe``, ``dataset``, …; of a required probe ``requires.accuracy.probe``."""
    return ".".join(path.split(".")[: 3 if path.startswith("requires.") else 1])


def _machine(sessions: Sequence[Mapping[str, Any]], facts: Sequence[str]) -> dict[str, str]:
    """Fact -> its value, or all its values if the sessions that computed a cell differ."""
    values = {name: dict.fromkeys(str(session[name]) for session in sessions if name in session) for name in facts}
    return {name: " and ".join(of_fact) for name, of_fact in values.items() if of_fact}


def _declared(probe: Probe) -> dict[str, Any]:
    return {"name": probe.name, "version": probe.version, "params": asdict(probe)}


def _as_stored(value: Any) -> Any:
    """JSON has no tuples."""
    return [_as_stored(item) for item in value] if isinstance(value, list | tuple) else value
