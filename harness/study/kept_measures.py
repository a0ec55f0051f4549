"""Measures that an earlier report has made of the same trials with the same code, in the cache folder.

Trials are read and checked as ever; what is saved is their reduction. The key is a digest of everything that measures
are made of: trials, layout, parameters, and the source of the harness and of its built-in plugins. Measures of other
plugins, and those of stored logits or arrays, are made anew each time.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.local.cache import cache_dir
from harness.local.regular import regular
from harness.local.writing import write_whole
from harness.records import Measure, Remark, TaskLayout

if TYPE_CHECKING:
    from harness.interfaces import Probe
    from harness.views import Views

LEAST: Final = 100_000
"""Decisions of a run below which nothing is kept: to measure them takes no longer than to look it up."""
MOST_RUNS: Final = 32
"""Runs of which measures are kept; the ones reported longest ago are forgotten."""
_BUILT_IN: Final = "harness.plugins."
_NOT_CODE: Final = (".pyc", ".safetensors")
_DIGITS: Final = 64
log = logging.getLogger(__name__)


class KeptMeasures:
    """The measures of one run, by key. Reads its file when first asked, and writes it in `close`.

    Args:
        run: the run folder; only its place is used.
    """

    def __init__(self, run: Path) -> None:
        place = sha256(os.fsencode(run.resolve())).hexdigest()[:24]
        self._file = cache_dir() / "measures" / f"{place}.json"
        self._before: Mapping[str, Any] | None = None
        self._now: dict[str, Any] = {}
        self._layouts: dict[int, tuple[TaskLayout, str]] = {}
        self._decisions = 0

    def key(self, probe: Probe, views: Views) -> str | None:
        """The digest of what the measures of a cell are made of; None where they are not kept."""
        if not type(probe).__module__.startswith(_BUILT_IN):
            return None
        digest = sha256(f"{code_digest()}\n{type(probe).__module__}\n{probe!r}".encode())
        for name, cell in [("", views), *sorted(views.required.items())]:
            trials = cell.trials
            if trials.logits is not None or trials.arrays:
                return None
            facts = (
                name,
                trials.model,
                trials.layers,
                cell.names,
                cell.conditions,
                self._layout(trials.layout),
                trials.repeats,
            )
            digest.update(repr(facts).encode())
            for values in (trials.top5, trials.logp, trials.correct, trials.rank):
                if values is None:
                    continue
                digest.update(f"{values.dtype}{values.shape}".encode())
                digest.update(values.data)
            self._decisions += trials.correct.size
        return digest.hexdigest()

    def find(self, key: str) -> dict[str, Measure] | None:
        """The measures of `key` by full name, as `keep` was given them; None if there are none."""
        if self._before is None:
            self._before = _read(self._file)
        try:
            entry = self._before[key]
            measures = {name: _measure(facts) for name, facts in entry.items()}
        except (LookupError, TypeError, ValueError, AttributeError):  # absent, or not what `keep` has written
            return None
        self._now[key] = entry
        return measures

    def keep(self, key: str, measures: Mapping[str, Measure]) -> None:
        """Keep `measures` for the next report."""
        self._now[key] = {name: _facts(measure) for name, measure in measures.items()}

    def close(self) -> None:
        """Write what this report has used, if it is new. A cache that cannot be written costs only time."""
        if self._decisions < LEAST:
            return
        try:
            if self._now.keys() == (self._before or {}).keys():
                self._file.touch()
                return
            content = json.dumps(self._now, allow_nan=False, separators=(",", ":")).encode()
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._file, sha256(content).hexdigest().encode() + content)
            _forget(self._file.parent)
        except (TypeError, ValueError):
            return  # a measure holds numbers that JSON has not, and cannot be kept
        except OSError as error:
            log.warning("cannot keep measures in %s: %s", self._file, error.strerror)

    def _layout(self, layout: TaskLayout) -> str:
        """Its digest, computed once for all models of a task."""
        from harness.store import layout_digest

        if id(layout) not in self._layouts:
            self._layouts[id(layout)] = layout, layout_digest(layout, attributes=True)
        return self._layouts[id(layout)][1]


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Digest of all code that measures may depend on: of the harness and its plugins, NumPy, SciPy and Python."""
    versions = (sys.version, version("numpy"), version("scipy"))
    digest = sha256(repr(versions).encode())
    for place, path in _sources():
        content = path.read_bytes()
        digest.update(f"{place} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _sources() -> Iterator[tuple[str, Path]]:
    """Code and data of the harness and its plugins, wherever the latter lie, in an order that is always the same."""
    import harness
    from harness import plugins

    for folder in dict.fromkeys(Path(place) for place in (*harness.__path__, *plugins.__path__)):
        places = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if path.is_file())
        yield from ((place, folder / place) for place in places if not place.endswith(_NOT_CODE))


def _read(file: Path) -> Mapping[str, Any]:
    """What is kept; nothing if it cannot be read or is damaged, since it can be computed again."""
    try:
        content = regular(file).read_bytes()
        digest, text = content[:_DIGITS], content[_DIGITS:]
        kept = json.loads(text) if sha256(text).hexdigest().encode() == digest else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _forget(folder: Path) -> None:
    """Delete the files of the runs that were reported longest ago."""
    kept = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in kept[MOST_RUNS:]:
        path.unlink(missing_ok=True)


def _facts(measure: Measure) -> list[Any]:
    """The fields of a measure, JSON-ready."""
    facts = [getattr(measure, each.name) for each in fields(measure)]
    return [[_flag(flag) for flag in fact] if fact is measure.flags else fact for fact in facts]


def _flag(flag: str) -> str | list[str]:
    return [flag.kind, flag.subject, flag.text, str(flag)] if isinstance(flag, Remark) else flag


def _measure(facts: list[Any]) -> Measure:
    """The inverse of `_facts`; a report asks for tens of thousands, so field by field."""
    name, value, unit, direction, condition, low, high, n, reason, flags, by_image = facts
    return Measure(
        name=name,
        value=value,
        unit=unit,
        direction=direction,
        condition=condition,
        low=low,
        high=high,
        n=n,
        reason=reason,
        flags=tuple(map(_remark, flags)) if flags else (),
        by_image=by_image,
    )


def _remark(flag: Any) -> str:
    if isinstance(flag, str):
        return flag
    kind, subject, text, line = flag
    return Remark(kind, subject, text, line=line)
