"""Measures that an earlier report has made of the same trials with the same code, in the cache folder.

The key is a digest of everything that measures are made of: trials, as the store states them, layout and parameters;
what other source of the harness and of its built-in plugins has kept is not used. What is kept is taken without a look
at the trials where their files are still those whose bytes an earlier report has compared with the digests that they
state; where a file is another one, or has been touched, trials are read, checked and measured. Measures of other
plugins are made each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Self

from harness.local.kept import BUILT_IN, code_digest, kept_file, read_kept, touch_kept, write_kept
from harness.local.recall import Recall
from harness.records import Measure, Reason, Remark

if TYPE_CHECKING:
    from harness.interfaces import Probe
    from harness.store import RunReader

LEAST: Final = 100_000
"""Decisions of a run below which nothing is kept: to measure them takes no longer than to look it up."""
Measured = tuple[dict[str, Measure], list[Reason]]


class KeptMeasures:
    """The measures of one run, by key.

    Args:
        run: the run; what is kept is found by the place of its folder.
    """

    def __init__(self, run: RunReader) -> None:
        self._run = run
        self._file = kept_file("measures", sha256(os.fsencode(run.path.resolve())).hexdigest())
        before = read_kept(self._file)
        before = before if before.get("code") == code_digest() else {}
        measures = before.get("measures")
        self._measures: Mapping[str, Any] = measures if isinstance(measures, dict) else {}
        self._recall = Recall(run.path, before)
        self._now: dict[str, Any] = {}
        self._decisions = 0

    @contextmanager
    def active(self) -> Iterator[Self]:
        """This; while the block runs, facts about files are recalled; then, what is new is kept.

        A cache that cannot be written costs only time.
        """
        with self._recall.active():
            yield self
        if self._decisions < LEAST:
            return
        if self._now.keys() == self._measures.keys() and not self._recall.is_new():
            touch_kept(self._file)
        else:
            content = {"code": code_digest(), **self._recall.content(), "measures": self._now}
            write_kept(self._file, content)

    def measures(self, probe: Probe, tasks: Sequence[str], model: str, measure: Callable[[], Measured]) -> Measured:
        """What `measure` yields: the measures of one cell by full name, and why others are set aside.

        Args:
            tasks: the task whose probe is `probe`, and those whose trials it needs too.
            measure: makes them of the trials of `tasks`, which it reads.

        Raises what `measure` raises, or StoreError: a cell is damaged, or there is none.
        """
        source = self._source(probe, tasks, model)
        for layout in map(self._run.layout_header, tasks if source else ()):
            self._decisions += layout.samples * layout.conditions
        if source is not None and (before := self._find(source)) is not None:
            return before, []
        self._recall.read.clear()
        measures, set_aside = measure()
        # A writer may have replaced a cell between the look at its digest and the reading of its trials.
        if source is not None and not set_aside and self._source(probe, tasks, model) == source:
            self._keep(source, tasks, measures)
        return measures, set_aside

    def _source(self, probe: Probe, tasks: Sequence[str], model: str) -> str | None:
        """A digest of all that the measures are made of, without a look at trials; None: they are not kept."""
        from harness.store import trials_digest

        if not type(probe).__module__.startswith(BUILT_IN):
            return None
        facts: list[Any] = [type(probe).__module__, repr(probe)]
        for task in tasks:
            layout = self._run.layout_header(task)
            facts += [task, trials_digest(self._run, task, model), tuple(probe.conditions(layout.size))]
        return sha256(repr(facts).encode()).hexdigest()

    def _find(self, source: str) -> dict[str, Measure] | None:
        """The measures as `_keep` was given them; None if there are none, or the files are not those of then."""
        try:
            entry = self._measures[source]
            if not all(self._recall.is_checked(file, parts) for file, parts in entry[0].items()):
                return None
            measures = {name: _measure(facts) for name, facts in entry[1].items()}
        except (LookupError, TypeError, ValueError, AttributeError):  # absent, or not what `_keep` has written
            return None
        self._now[source] = entry
        return measures

    def _keep(self, source: str, tasks: Sequence[str], measures: Mapping[str, Measure]) -> None:
        """Keep `measures` for the next report, unless they rest on a part of a file that was not read whole."""
        if not self._recall.read or not all(self._recall.read.values()):
            return
        from harness.store.layout import AXES_PART

        files = {self._recall.name(self._run.layout_path(task)): {AXES_PART} for task in tasks}
        for name, part in self._recall.read:
            files.setdefault(name, set()).add(part)
        checked = {name: sorted(parts) for name, parts in files.items()}
        self._now[source] = [checked, {name: _facts(measure) for name, measure in measures.items()}]


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
