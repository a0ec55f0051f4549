"""Flip bits of an HDF5 file of a run, one at a time: `verify` notices, or nothing that a reader sees has changed.

    python -m tests.helpers.flip_hdf5 FOLDER index.h5|layout.h5|all.h5 STEP

HDF5 may die of a damaged file, or never come back; so the bits are flipped in a process of its own, which is started
again behind the bit that has killed it.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path

import h5py
import numpy as np

from harness.store import RunReader, verify_run
from tests.helpers.forks import fork
from tests.helpers.store_writer import create, fill, make_job, make_layout

SECONDS = 2.0
"""Of processor time, a hundred times what a bit takes; then it counts as one of which HDF5 does not come back."""
WAIT = 60
"""Seconds until the same is said of a bit for which it waits without computing."""
MEMORY = 4 << 30
"""Address space of the process: a damaged shape can ask for any amount."""


def small_run(path: Path) -> None:
    """A finished cell of 16 images in two conditions, with texts of several kinds."""
    layout = make_layout(n=16, span=8, classes=6, attributes=("texture",))
    job = make_job()
    with create(path) as run:
        fill(run, layout, job)
        run.finish([job])


def visible(*files: Path) -> dict[str, object]:
    """Everything in `files`, read with plain h5py: names, attributes, types, shapes, fill values and values.

    All but digests, which say nothing of their own; whether the type of an attribute has a sign, where the number is
    the same; and fill values where no reader can meet them.
    """
    seen: dict[str, object] = {}

    def walk(group: h5py.Group, place: str) -> None:
        for name, value in group.attrs.items():
            if name == "digest":
                continue
            seen[f"{place}@{name}"] = (repr(np.asarray(value).tolist()), str(np.asarray(value).dtype).removeprefix("u"))
        for name in group:
            item, inner = group[name], f"{place}/{name}"
            if isinstance(item, h5py.Group):
                seen[inner] = "group"
                walk(item, inner)
            else:
                values = item[()]
                content = values.tobytes() if values.dtype.kind != "O" else repr(values.tolist())
                fill = repr(item.fillvalue) if item.is_virtual else ""
                seen[inner] = (str(item.dtype), item.shape, fill, content, repr(sorted(item.attrs.items())))

    for path in files:
        with h5py.File(path, "r", locking=False) as file:
            walk(file, path.name)
    return seen


def flip(run: Path, flipped: Path, bit: int, original: bytes, before: dict[str, object]) -> str:
    """``invisible``, ``noticed``, or what a reader sees although `verify` sees nothing."""
    content = bytearray(original)
    content[bit // 8] ^= 1 << bit % 8
    flipped.write_bytes(content)
    os.utime(flipped, ns=(bit, bit))  # readers remember files by their time, and the clock ticks too slowly
    try:
        after = visible(run / "index.h5", flipped)
    except Exception as error:  # noqa: BLE001 - a reader sees an error, which `verify` must see as well
        after = {"error": repr(error)}
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if not changed:
        return "invisible"
    return "noticed" if verify_run(RunReader.open(run)) else f"unseen: {changed}"


def child(run: Path, flipped: Path, bits: range, log: Path) -> None:
    """Flip `bits`; a line for each, before and after."""
    original = (run.parent / "intact.h5").read_bytes()
    flipped.write_bytes(original)
    before = visible(run / "index.h5", flipped)
    for end in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(end, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with log.open("a") as lines:
        for bit in bits:
            lines.write(f"{bit} ")
            lines.flush()
            signal.alarm(WAIT)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            lines.write(flip(run, flipped, bit, original, before) + "\n")
            lines.flush()
            signal.alarm(0)
            signal.setitimer(signal.ITIMER_PROF, 0)


def campaign(folder: Path, name: str, step: int) -> Counter[str]:
    """How many bits were noticed, invisible, killed the process, or were seen by a reader alone.

    Args:
        name: of the file in the run. step: every `step`-th bit is flipped.
    """
    run, log, tally, first = folder / "run", folder / "log", Counter[str](), 0
    small_run(run)
    (flipped,) = run.rglob(name)
    shutil.copy(flipped, folder / "intact.h5")
    bits = 8 * flipped.stat().st_size
    while first < bits:
        log.unlink(missing_ok=True)
        process = fork()
        if not process:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            try:
                child(run, flipped, range(first, bits, step), log)
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitpid(process, 0)[1]
        lines = log.read_text().splitlines()
        for line in lines:
            bit, _, result = line.partition(" ")
            first = int(bit) + step
            tally[result or "died"] += 1
        assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0, lines[-1]
    return tally


if __name__ == "__main__":
    for result, count in campaign(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])).most_common():
        sys.stdout.write(f"{count} {result}\n")
