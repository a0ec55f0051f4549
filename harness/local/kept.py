"""What is kept in the cache folder so that it need not be computed again, under digests of all that it is made of.

A file that is missing, damaged or of another form counts as absent: what is kept can always be computed again.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from harness.local.cache import cache_dir
from harness.local.regular import regular
from harness.local.writing import write_whole

MOST_FILES: Final = 32
"""Files in a folder; the ones that were used longest ago are deleted."""
BUILT_IN: Final = "harness.plugins."
"""Modules whose code `code_digest` covers begin so."""
_NOT_CODE: Final = (".pyc", ".safetensors")
_DIGITS: Final = 64
log = logging.getLogger(__name__)


def kept_file(folder: str, name: str) -> Path:
    """The file of `name`, a digest, below the cache folder. It may not exist yet."""
    return cache_dir() / folder / f"{name[:24]}.json"


def read_kept(file: Path) -> Mapping[str, Any]:
    """The JSON object in `file`; empty if there is none, or it is not as `write_kept` has written it."""
    try:
        content = regular(file).read_bytes()
        digest, text = content[:_DIGITS], content[_DIGITS:]
        kept = json.loads(text) if sha256(text).hexdigest().encode() == digest else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def write_kept(file: Path, content: Mapping[str, Any]) -> None:
    """Keep `content`, unless it is no JSON. A cache that cannot be written costs only time, and is told to the log."""
    try:
        text = json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, sha256(text).hexdigest().encode() + text)
        _forget(file.parent)
    except (TypeError, ValueError):
        return  # numbers that JSON does not have
    except OSError as error:
        log.warning("cannot keep results in %s: %s", file, error.strerror)


def touch_kept(file: Path) -> None:
    """Note that `file` was used."""
    try:
        file.touch()
    except OSError as error:
        log.debug("cannot note the use of %s: %s", file, error.strerror)


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Digest of all code that results may depend on: of the harness and its plugins, NumPy, SciPy and Python."""
    versions = (sys.version, version("numpy"), version("scipy"))
    digest = sha256(repr(versions).encode())
    for place, path in _sources():
        content = path.read_bytes()
        digest.update(f"{place} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _sources() -> Iterator[tuple[str, Path]]:
    """Code and data of the harness and its plugins, wherever the latter lie, in an order that is always the same."""
    packages = [find_spec(name) for name in ("harness", "harness.plugins")]
    folders = [place for package in packages if package for place in package.submodule_search_locations or ()]
    for folder in dict.fromkeys(map(Path, folders)):
        places = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if path.is_file())
        yield from ((place, folder / place) for place in places if not place.endswith(_NOT_CODE))


def _forget(folder: Path) -> None:
    """Delete the files that were used longest ago."""
    kept = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in kept[MOST_FILES:]:
        path.unlink(missing_ok=True)
