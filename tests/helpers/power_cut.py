"""Cut the power of a machine that writes a run: keep what was synced, drop what was not, and look for what is missing.

    python -m tests.helpers.power_cut --seeds 6

The file operations of a small run are recorded. After every one of them the power can fail. Then a file keeps its
content only as it was when it was synced last: otherwise it is empty, or half there. Of each folder, the changes since
it was synced last are lost, or some of them, in order, have survived: folders do not wait for each other.

Then the run is killed after each of its operations and resumed, and the power is cut after that: what the killed
process has left unsynced is seen by the second one, and must not be taken for stored.
"""

from __future__ import annotations

import argparse
import os
import random
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from harness.errors import HarnessError
from harness.records import TaskLayout
from harness.store import RunReader, RunWriter, verify_run
from harness.store.shards import read_shard
from tests.helpers.store_writer import TASK, assert_equal_trials, create, make_block, make_job, make_layout

RUN = Path("a", "b", "run")
LAYOUT, CHANGED = make_layout(n=24, span=8), make_layout(n=24, span=8, salt="new")
FIRST, SECOND = make_job("net-a"), make_job("net-b")
AGAIN = [make_job("net-a", salt="new"), make_job("net-b", salt="new")]


class Event(NamedTuple):
    """One operation: ``mkdir``, ``rename``, ``unlink``, ``rmdir``, ``file`` or ``folder`` (synced), or ``stored``."""

    kind: str
    path: str = ""
    detail: Any = None


# --- recording -------------------------------------------------------------------------------


def write_run(folder: Path, stored: Callable[..., None]) -> None:
    """A run of one model, a second one in a later session, and then both on changed samples.

    Args:
        stored: called with (job, span) once a span is committed, with (None, layout) when earlier ones stop to count.
    """
    for layout, jobs in ((LAYOUT, [FIRST]), (LAYOUT, [SECOND]), (CHANGED, AGAIN)):
        with create(folder) as run:
            if layout is CHANGED:
                stored(None, layout)
            complete(run, layout, jobs, stored)


def complete(run: RunWriter, layout, jobs, stored: Callable[..., None] = lambda *_: None) -> None:
    """Do what a run does: lay out, begin, commit what is missing, finish."""
    run.put_layout(layout)
    for job in jobs:
        run.begin(job, {"created": "2026", "command": ["harness", "run"]})
    run.publish()
    for job in jobs:
        cell = run.cell(TASK, job.model)
        for span in [span for span in layout.spans() if span not in cell.spans]:
            run.commit(job, span, make_block(layout, job, span))
            stored(job, span)
    run.finish(jobs)


def journal(folder: Path) -> list[Event]:
    """The operations of `write_run` below `folder`, with paths relative to it."""
    events: list[Event] = []
    with _recorded(events, os.path.realpath(folder)):
        write_run(folder / RUN, lambda job, span: events.append(Event("stored", "", (job, span))))
    return events


class _KilledError(BaseException):
    """The process has ended."""


def resumed(folder: Path, at: int, layout: TaskLayout = LAYOUT) -> list[Event] | None:
    """As `journal`, of a run of one model that is killed after operation `at`, and then made by a second process.

    None if it has no more operations. All that the second one finds counts as stored once it has ended.
    """
    events: list[Event] = []
    with suppress(BaseException), _recorded(events, os.path.realpath(folder), at), create(folder / RUN) as run:
        complete(run, layout, [FIRST])
    if len(events) < at:
        return None
    with _recorded(events, os.path.realpath(folder)), create(folder / RUN) as run:
        complete(run, layout, [FIRST])
    return [*events, *(Event("stored", "", (FIRST, span)) for span in layout.spans())]


@contextmanager
def _recorded(events: list[Event], root: str, most: int | None = None) -> Iterator[None]:
    """Every operation below `root` is done and noted; syncing is only noted.

    Args:
        most: after so many the process is killed: it does nothing any more.
    """

    def alive() -> bool:
        return most is None or len(events) < most

    def note(kind: str, path: Any, folder: int | None = None, detail: Any = None) -> None:
        base = Path(f"/proc/self/fd/{folder}").readlink() if folder is not None else Path.cwd()
        whole = str(Path(base, path).parent.resolve() / Path(path).name)
        if whole.startswith(root) and not whole.endswith(".lock"):
            events.append(Event(kind, os.path.relpath(whole, root), detail))
            if not alive():
                raise _KilledError

    def fsync(number: int) -> None:
        if not alive():
            return
        path = Path(f"/proc/self/fd/{number}").readlink()
        if stat.S_ISDIR(os.fstat(number).st_mode):
            note("folder", path)
        else:
            note("file", path, detail=path.read_bytes())

    def noted(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def operation(path: Any, *arguments: Any, **options: Any) -> Any:
            if not alive():
                return None
            result = function(path, *arguments, **options)
            target = Path(arguments[0]).name if kind == "rename" else None
            note(kind, path, options.get("dir_fd"), target)
            return result

        return operation

    kinds = {"mkdir": "mkdir", "replace": "rename", "rename": "rename", "unlink": "unlink", "rmdir": "rmdir"}
    with mock.patch.object(os, "fsync", fsync), mock.patch.multiple(
        os, **{name: noted(kind, getattr(os, name)) for name, kind in kinds.items()}
    ):  # fmt: skip
        yield


# --- the disk --------------------------------------------------------------------------------


@dataclass
class File:
    """A file; `content` as it was synced last, None before."""

    content: bytes | None = None


@dataclass
class Folder:
    """A folder: its entries as they are, as they were synced last, and the changes in between, in order."""

    now: dict[str, Any] = field(default_factory=dict)
    synced: dict[str, Any] = field(default_factory=dict)
    changes: list[tuple[str, Any]] = field(default_factory=list)

    def change(self, **entries: Any) -> None:
        """Set or remove (None) entries together."""
        self.changes.append(("", entries))
        _apply(self.now, entries)


def _apply(entries: dict[str, Any], change: dict[str, Any]) -> None:
    for name, item in change.items():
        entries.pop(name, None)
        if item is not None:
            entries[name] = item


def disk_after(events: list[Event]) -> Folder:
    """The disk at the moment of the cut."""
    root = Folder()

    def at(path: str) -> Any:
        place: Any = root
        for part in Path(path).parts:
            place = place.now[part]
        return place

    for event in events:
        parent, name = os.path.split(event.path)
        if event.kind == "folder":
            place = at("" if event.path == "." else event.path)
            place.synced, place.changes = dict(place.now), []
        elif event.kind == "file":
            if name not in at(parent).now:
                at(parent).change(**{name: File()})
            at(event.path).content = event.detail
        elif event.kind == "rename":
            item = at(parent).now.get(name) or File()
            at(parent).change(**{name: None, event.detail: item})
        elif event.kind == "mkdir":
            at(parent).change(**{name: Folder()})
        elif event.kind in ("unlink", "rmdir"):
            at(parent).change(**{name: None})
    return root


def restore(folder: Folder, place: Path, chance: random.Random, survive: str) -> None:
    """Write what the disk holds after the cut to `place`.

    Args:
        survive: ``none`` or ``all`` of the changes that were not synced, or ``some``, as `chance` has it.
    """
    count = {"none": 0, "all": len(folder.changes)}.get(survive, chance.randint(0, len(folder.changes)))
    entries = dict(folder.synced)
    for _, change in folder.changes[:count]:
        _apply(entries, change)
    for name, item in entries.items():
        if isinstance(item, Folder):
            (place / name).mkdir()
            restore(item, place / name, chance, survive)
        else:
            (place / name).write_bytes(item.content if item.content is not None else b"")


# --- checking --------------------------------------------------------------------------------


def check(place: Path, events: list[Event], layout: TaskLayout = LAYOUT) -> None:
    """What was stored before the cut is there; a reader reads or says why not; a resume completes. AssertionError."""
    counted: list[Any] = []
    jobs = [FIRST]
    for job, span in (event.detail for event in events if event.kind == "stored"):
        if job is None:
            counted, layout, jobs = [], CHANGED, AGAIN
        else:
            counted.append((job, span))
            jobs = jobs if job in jobs else [FIRST, SECOND]
    _read(place / RUN)
    for job, span in counted:
        _compare(RunReader.open(place / RUN), layout, job, span)
    (place / RUN).parent.mkdir(parents=True, exist_ok=True)
    with mock.patch.object(os, "fsync", lambda _: None), create(place / RUN) as run:
        complete(run, layout, jobs)
    done = RunReader.open(place / RUN)
    for job in jobs:
        assert_equal_trials(done.read(TASK, job.model), layout, job)
    stale = [model for model in done.models(TASK) if model not in {job.model for job in jobs}]
    assert [line for line in verify_run(done) if not any(model in line for model in stale)] == []


def _read(run: Path) -> None:
    """Open and read all that is there: trials, or an error of one line."""
    try:
        reader = RunReader.open(run)
        verify_run(reader)
        for task, model in reader.places():
            reader.read(task, model)
    except HarnessError as error:
        assert "\n" not in str(error)


def _compare(run: RunReader, layout, job, span) -> None:
    record, files = run.place(TASK, job.model)
    assert record.job.key == job.key
    rows = [stored for file in files for stored in read_shard(file.path, record.origin) if stored.span == span]
    assert len(rows) == 1, f"{job.model} {span} was stored, and is lost"
    expected = make_block(layout, job, span)
    for name in ("top5", "logp", "correct", "rank"):
        assert np.array_equal(rows[0].fields[name], getattr(expected, name)), f"{name} of {span}"


class Tally(NamedTuple):
    """Cuts; different disks after them; spans that were stored before them."""

    cuts: int
    disks: int
    stored: int


def campaign(folder: Path, seeds: int = 3, every: int = 1) -> Tally:
    """Cut the power after every `every`-th operation: with none, all, and `seeds` times some of the rest surviving."""
    (folder / "written").mkdir()
    events, disks, cuts, stored = journal(folder / "written"), set[str](), 0, 0
    for at in range(0, len(events) + 1, every):
        for survive, seed in [("none", 0), ("all", 0), *(("some", seed) for seed in range(seeds))]:
            place = folder / f"{at}-{survive}-{seed}"
            place.mkdir()
            restore(disk_after(events[:at]), place, random.Random(f"{at} {seed}"), survive)
            state = repr(
                [(str(p.relative_to(place)), p.is_file() and hash(p.read_bytes())) for p in sorted(place.rglob("*"))]
            )
            if (at, state) not in disks:
                disks.add((at, state))
                try:
                    check(place, events[:at])
                except Exception as error:
                    raise AssertionError(
                        f"after operation {at} ({events[at - 1][:2]}), {survive} {seed}: {error!r}"
                    ) from error
                cuts += 1
                stored += sum(event.kind == "stored" for event in events[:at])
    return Tally(cuts, len({state for _, state in disks}), stored)


def campaign_of_kills(folder: Path, layout: TaskLayout = LAYOUT, every: int = 1) -> int:
    """Kill a run after every `every`-th operation, resume it, and cut the power; gives the number of kills."""
    for kills, at in enumerate(range(1, 100_000, every)):
        (folder / f"{at}").mkdir()
        events = resumed(folder / f"{at}", at, layout)
        if events is None:
            return kills
        (folder / f"{at}-cut").mkdir()
        restore(disk_after(events), folder / f"{at}-cut", random.Random(at), "none")
        try:
            check(folder / f"{at}-cut", events, layout)
        except Exception as error:
            place = f"killed after operation {at} ({events[at - 1][:2]}), resumed, cut"
            raise AssertionError(f"{place}: {error!r}") from error
    raise AssertionError("it never ends")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6, help="disks in which some changes have survived, each")
    parser.add_argument("--every", type=int, default=1, help="cut and kill after every N-th operation")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = campaign(Path(folder), given.seeds, given.every)
        (Path(folder) / "kills").mkdir()
        kills = campaign_of_kills(Path(folder) / "kills", every=given.every)
    print(f"{kills} kills, each resumed before the power was cut: nothing lost")
    print(f"{tally.cuts} cuts, {tally.disks} different disks, {tally.stored} stored spans looked for: none lost")


if __name__ == "__main__":
    main()
