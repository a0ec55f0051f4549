"""Measures that an earlier report has made of the same trials with the same code, in the cache folder.

Trials are read and checked as ever; what is saved is their reduction. The key is a digest of everything that measures
are made of: trials, layout, parameters, and the source of the harness and of its built-in plugins. Measures of other
plugins, and those of stored logits or arrays, are made anew each time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.local.kept import BUILT_IN, code_digest, kept_file, read_kept, touch_kept, write_kept
from harness.records import Measure, Remark, TaskLayout

if TYPE_CHECKING:
    from harness.interfaces import Probe
    from harness.views import Views

LEAST: Final = 100_000
"""Decisions of a run below which nothing is kept: to measure them takes no longer than to look it up."""


class KeptMeasures:
    """The measures of one run, by key. Reads its file when first asked, and writes it in `close`.

    Args:
        run: the run folder; only its place is used.
    """

    def __init__(self, run: Path) -> None:
        self._file = kept_file("measures", sha256(os.fsencode(run.resolve())).hexdigest())
        self._before: Mapping[str, Any] | None = None
        self._now: dict[str, Any] = {}
        self._layouts: dict[int, tuple[TaskLayout, str]] = {}
        self._decisions = 0

    def key(self, probe: Probe, views: Views) -> str | None:
        """The digest of what the measures of a cell are made of; None where they are not kept."""
        if not type(probe).__module__.startswith(BUILT_IN):
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
            self._before = read_kept(self._file)
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
        if self._now.keys() == (self._before or {}).keys():
            touch_kept(self._file)
        else:
            write_kept(self._file, self._now)

    def _layout(self, layout: TaskLayout) -> str:
        """Its digest, computed once for all models of a task."""
        from harness.store import layout_digest

        if id(layout) not in self._layouts:
            self._layouts[id(layout)] = layout, layout_digest(layout, attributes=True)
        return self._layouts[id(layout)][1]


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
