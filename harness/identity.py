"""The identity of a cell: canonical JSON, its digest, and the difference of two identities."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from harness.records import Identity, Job

ENGINE = 1
"""Version of the core's computations (decoding, decisions, noise, normalization): bump it when they change."""
VERSIONS = ("torch", "torchvision", "timm", "numpy", "pillow")
"""Packages whose version is part of a cell's identity: they compute, define architectures, draw noise or decode."""
MOST_TOLD: Final = 4
"""Changes of an identity that are told with their values."""
MOST_CHARACTERS: Final = 40
"""Longest value that is printed in full."""
_DIGEST: Final = re.compile(r"[0-9a-f]+")


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
    """What changed between two identities, one clause per leaf: ``model.checkpoint changed: 3f… -> 9a…``."""
    if before == now:
        return ""  # the usual case, many times as fast
    old, new = leaves(before), leaves(now)
    changed = [path for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)]
    return changes_told([(path, old.get(path), new.get(path)) for path in changed])


def changes_told(changes: Sequence[tuple[str, Any, Any]]) -> str:
    """Changes as one clause each, `MOST_TOLD` with their values and further ones by name; empty if there are none.

    Args:
        changes: (dotted path, value before, value now).
    """
    clauses = [f"{path} changed: {' -> '.join(_shortened(*values))}" for path, *values in changes[:MOST_TOLD]]
    further = ", ".join(path for path, *_ in changes[MOST_TOLD:])
    return "; ".join(clauses) + (f"; and {further}" if further else "")


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
    """Dotted path -> value of each leaf of nested mappings, below `path`; an empty mapping has none."""
    values: dict[str, Any] = {}
    waiting = [(path, value)]
    while waiting:
        place, item = waiting.pop()
        if isinstance(item, Mapping):
            start = f"{place}." if place else ""
            waiting += [(start + str(key), inner) for key, inner in reversed([*item.items()])]
        else:
            values[place] = item
    return values


def _shortened(before: Any, now: Any) -> tuple[str, str]:
    """Two different values as two different texts, short if possible."""
    first, second = _text(before), _text(now)
    if first == second:
        return repr(before), repr(now)
    if _cut(first) != _cut(second):
        return _cut(first), _cut(second)
    pairs = enumerate(zip(first, second, strict=False))
    differing = next((at for at, (left, right) in pairs if left != right), min(len(first), len(second)))
    start = max(differing - 8, 0)  # what both begin with says nothing
    return f"…{_cut(first[start:])}", f"…{_cut(second[start:])}"


def _text(value: Any) -> str:
    return "absent" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _cut(text: str) -> str:
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:12] if _DIGEST.fullmatch(text) else text[: MOST_CHARACTERS - 1]}…"
