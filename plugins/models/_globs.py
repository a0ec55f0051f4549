"""Globs over the keys of a state dict, as in a recipe's `drop`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase


def matches(key: str, globs: Iterable[str]) -> bool:
    """Whether any of the globs matches the whole key."""
    return any(fnmatchcase(key, glob) for glob in globs)


def globs_for(stray: Collection[str], ready: Collection[str]) -> tuple[str, ...]:
    """Globs that match `stray`, and nothing else among the keys `ready`."""
    globs: list[str] = []
    for key in stray:
        if not matches(key, globs):
            globs.append(_glob(key, ready, set(stray)))
    return tuple(globs)


def _glob(key: str, ready: Collection[str], stray: set[str]) -> str:
    """The shortest glob that matches stray keys only: ``module.*``, else ``*.child.*`` or ``*leaf``, else the key."""
    parts = key.split(".")
    globs = [".".join((*parts[:length], "*")) for length in range(1, len(parts))]
    globs += [f"*.{part}.*" for part in parts[1:-1] if not part.isdecimal()] + [f"*{parts[-1]}"]
    covered = {glob: [other for other in ready if matches(other, [glob])] for glob in globs}
    whole = [glob for glob in globs if all(other in stray for other in covered[glob])]
    return max(whole, key=lambda glob: len(covered[glob]), default=key)
