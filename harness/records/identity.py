"""The identity of a cell, as stored. Only this module knows the keys of its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from harness.records.arrays import ArraySpec

FIRST_CHOICES: Final = "decisions"
"""Value of the key ``trials`` for imported decisions: first choices only, without log-probabilities."""
Effect = Literal["meaning", "network", "draws", "rounding", "none"]
"""What a part of an identity does to numbers: they mean something else (other parameters, images or code), belong to
another network, rest on other draws of noise and attacks, differ by rounding, or do not depend on it."""
_EFFECTS: Final[Mapping[str, Effect]] = {
    "model": "network",
    "settings.seed": "draws",
    "settings.precision": "rounding",
    "settings.device_type": "rounding",
    "settings.batch_size": "rounding",
    "settings.limit": "none",  # the manifest holds the images that it selects
    "settings.store": "none",
    "layout.span": "none",
    "arrays": "none",
    "logits": "none",
    "code": "none",  # of one version, which promises the same numbers
    "content": "none",
    "trials": "none",
    "versions": "rounding",
    "machine": "rounding",
}
"""Section, or dotted path in it -> effect; every other part changes what a number means."""

IMAGES: Final = ("dataset.manifest", "dataset.n")
"""Dotted paths that say which images were seen, rather than how."""


@cache
def effect_of(leaf: str) -> Effect:
    """What a change of `leaf`, a dotted path in an identity, does to numbers."""
    return _EFFECTS.get(leaf) or _EFFECTS.get(leaf.partition(".")[0]) or "meaning"


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
        needs_logits: bool = False,
        **more: Any,
    ) -> Identity:
        """An identity from its parts, in the order in which they are stored.

        Args:
            model: name, source, loading recipe, and in ``checkpoint`` the SHA-256 of each file.
            dataset: parameters, version and the manifest's digest.
            layout: columns, span and label space.
            settings: settings of the whole run.
            arrays: declared arrays by name; recorded only if there are any.
            needs_logits: whether the probe needs logits; recorded only if it does.
            more: ``engine`` and ``versions`` of a run; ``trials`` and ``content`` of imported decisions.
        """
        if arrays:
            more["arrays"] = {name: _as_json(spec) for name, spec in sorted(arrays.items())}
        if needs_logits:
            more["logits"] = True
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
    def makers(self) -> dict[str, tuple[str, int]]:
        """Kind of each plugin that made the trials -> its name and version, as far as they are recorded."""
        probe, dataset, model = (self.document.get(name) or {} for name in ("probe", "dataset", "model"))
        stated: dict[str, tuple[Any, Any]] = {
            "probe": (probe.get("name"), probe.get("version")),
            "dataset": (dataset.get("name"), dataset.get("version")),
            "model source": (model.get("source"), model.get("source_version")),
        }
        return {kind: (name, version) for kind, (name, version) in stated.items() if name and version}

    @property
    def network(self) -> Mapping[str, Any]:
        """Checkpoint and loading; empty where they are not recorded.

        Not the resize and crop that the model states: they are recorded for tasks on datasets that leave them to it.
        """
        stated: Mapping[str, Any] = self.document.get("model", {})
        return {name: value for name, value in stated.items() if name != "preprocessing"}

    @property
    def images(self) -> int | None:
        """Number of images; None where it is not recorded."""
        images: int | None = self.document.get("dataset", {}).get("n")
        return images

    @property
    def manifest(self) -> str | None:
        """Digest of the images; None where it is not recorded."""
        manifest: str | None = self.document.get("dataset", {}).get("manifest")
        return manifest

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
    def batch_size(self) -> int | None:
        """Most samples of one forward; None for imported decisions."""
        size: int | None = self.settings.get("batch_size")
        return size

    @property
    def span(self) -> int | None:
        """Samples per shard; None where it is not recorded."""
        span: int | None = self.document.get("layout", {}).get("span")
        return span

    @property
    def arrays(self) -> dict[str, ArraySpec]:
        """The arrays that are stored beside the decisions, by name."""
        stored: Mapping[str, Mapping[str, Any]] = self.document.get("arrays", {})
        return {name: ArraySpec(**{**spec, "shape": tuple(spec["shape"])}) for name, spec in stored.items()}

    @property
    def needs_logits(self) -> bool:
        """Whether logits are stored whatever the settings of the run say."""
        return bool(self.document.get("logits", False))

    def without_arrays(self) -> dict[str, Any]:
        """All but the declared arrays."""
        return {name: value for name, value in self.document.items() if name != "arrays"}

    @property
    def first_choices_only(self) -> bool:
        """Whether the trials are first choices only, as imported decisions are."""
        return self.document.get("trials") == FIRST_CHOICES

    def without_task(self) -> dict[str, Any]:
        """What a probe's trials must share with the trials that its measures require: all that is not its own."""
        own = ("probe", "layout", "arrays", "logits")
        return {name: value for name, value in self.document.items() if name not in own}


def _as_json(spec: ArraySpec) -> dict[str, Any]:
    stored: dict[str, Any] = {"dtype": spec.dtype, "shape": list(spec.shape)}
    return stored if spec.finite else {**stored, "finite": False}
