"""The identity of a cell, as stored. Only this module knows the keys of its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.records.arrays import ArraySpec

FIRST_CHOICES: Final = "decisions"
"""Value of the key ``trials`` for imported decisions: first choices only, without log-probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeIdentity:
    """The probe that made a cell's stimuli.

    Attributes:
        params: parameter -> value, JSON-ready (tuples as lists).
    """

    name: str
    version: int
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Identity:
    """Everything that could change a cell's numbers; the SHA-256 of its canonical JSON is the cell's key.

    Attributes:
        document: the JSON object as stored. Older versions of the harness, and importers, record fewer fields.
    """

    document: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        *,
        model: Mapping[str, Any],
        probe: ProbeIdentity,
        dataset: Mapping[str, Any],
        layout: Mapping[str, Any],
        settings: Mapping[str, Any],
        arrays: Mapping[str, ArraySpec] | None = None,
        **more: Any,
    ) -> Identity:
        """An identity from its parts, in the order in which they are stored.

        Args:
            model: name, source, loading recipe, and in ``checkpoint`` the SHA-256 of each file.
            dataset: parameters, version and the manifest's digest.
            layout: columns, span and label space.
            settings: settings of the whole run.
            arrays: declared arrays by name; recorded only if there are any.
            more: ``engine`` and ``versions`` of a run; ``trials`` and ``content`` of imported decisions.
        """
        if arrays:
            more["arrays"] = {name: _as_json(spec) for name, spec in sorted(arrays.items())}
        made_by = {"name": probe.name, "version": probe.version, "params": probe.params}
        return cls(
            {"model": model, "probe": made_by, "dataset": dataset, "layout": layout, "settings": settings, **more}
        )

    @property
    def probe(self) -> ProbeIdentity:
        """The probe. Raises KeyError where none is recorded."""
        stored = self.document["probe"]
        return ProbeIdentity(name=stored["name"], version=stored["version"], params=stored["params"])

    @property
    def network(self) -> Mapping[str, Any]:
        """Checkpoint and loading; empty where they are not recorded."""
        network: Mapping[str, Any] = self.document.get("model", {})
        return network

    @property
    def checkpoint(self) -> tuple[str, ...]:
        """SHA-256 of each file that holds weights; empty if there is none."""
        return tuple(self.network.get("checkpoint", ()))

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of the whole run; empty for imported decisions."""
        settings: Mapping[str, Any] = self.document.get("settings", {})
        return settings

    @property
    def arrays(self) -> dict[str, ArraySpec]:
        """The arrays that are stored beside the decisions, by name."""
        stored: Mapping[str, Mapping[str, Any]] = self.document.get("arrays", {})
        return {name: ArraySpec(**{**spec, "shape": tuple(spec["shape"])}) for name, spec in stored.items()}

    def without_arrays(self) -> dict[str, Any]:
        """All but the declared arrays."""
        return {name: value for name, value in self.document.items() if name != "arrays"}

    @property
    def first_choices_only(self) -> bool:
        """Whether the trials are first choices only, as imported decisions are."""
        return self.document.get("trials") == FIRST_CHOICES

    def protocol(self) -> dict[str, Any]:
        """What two models must share to be compared: probe, dataset and layout; None for what is not recorded."""
        return {name: self.document.get(name) for name in ("probe", "dataset", "layout")}

    def measurement(self) -> dict[str, Any]:
        """How the trials were made: the probe, and resize and crop; None for what is not recorded."""
        dataset = self.document.get("dataset", {})
        return {"probe": self.document.get("probe"), "preprocessing": dataset.get("preprocessing")}

    def without_task(self) -> dict[str, Any]:
        """What a probe's trials must share with the trials that its measures require: all that is not its own."""
        own = ("probe", "layout", "arrays")
        return {name: value for name, value in self.document.items() if name not in own}


def _as_json(spec: ArraySpec) -> dict[str, Any]:
    stored: dict[str, Any] = {"dtype": spec.dtype, "shape": list(spec.shape)}
    return stored if spec.finite else {**stored, "finite": False}
