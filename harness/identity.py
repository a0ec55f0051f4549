"""The identity of a cell: canonical JSON, its digest, and the difference of two identities."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

from harness.records import Identity, Job

ENGINE = 1
"""Version of the core's computations (decoding, decisions, noise, normalization): bump it when they change."""
VERSIONS = ("torch", "torchvision", "timm", "numpy", "pillow")
"""Packages whose version is part of a cell's identity: they compute, define architectures, draw noise or decode."""


@cache
def library_versions() -> dict[str, str]:
    """Versions of `VERSIONS`. Cached, since it reads the metadata of every package from the disk."""
    return {package: version(package) for package in VERSIONS}


def job_of(task: str, model: str, identity: Identity) -> Job:
    """The job of one cell; its key is the digest of `identity`."""
    document = json.loads(canonical_json(identity.document))
    return Job(task=task, model=model, key=digest_of(document), identity=Identity(document))


def canonical_json(value: Any) -> str:
    """The same text for equal values: sorted keys, no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest_of(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`, 64 hex digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What changed between two identities, one clause per leaf: ``model.checkpoint: 3f… -> 9a…``."""
    old, new = leaves(before), leaves(now)
    changes = [
        f"{path} changed: {_short(old.get(path))} -> {_short(new.get(path))}"
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]
    return "; ".join(changes[:4]) + (f"; and {len(changes) - 4} more" if len(changes) > 4 else "")


def equal_codes(digest: str, same: Iterable[tuple[str, str]]) -> frozenset[str]:
    """All digests of code that count as equal to `digest`, directly or through others; it is one of them.

    Args:
        same: pairs of digests that give the same numbers, as a user has said.
    """
    pairs, equal = [*same], {digest}
    while further := {code for pair in pairs if equal & {*pair} for code in pair} - equal:
        equal |= further
    return frozenset(equal)


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Dotted path -> value of each leaf of nested mappings."""
    if isinstance(value, Mapping):
        return {k: v for key, item in value.items() for k, v in leaves(item, f"{path}.{key}".lstrip(".")).items()}
    return {path: value}


def _short(value: Any) -> str:
    text = "absent" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 16 else text[:12] + "…"
