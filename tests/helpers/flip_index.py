"""Flip bits of ``index.h5``, one at a time: `verify` notices, or nothing that a reader sees has changed.

    python -m tests.helpers.flip_index FOLDER STEP

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
from tests.helpers.store_writer import create, fill, make_job, make_layout

SECONDS = 20
"""After that, a bit counts as one of which HDF5 does not come back."""
MEMORY = 4 << 30
"""Address space of the process: a damaged shape can ask for any amount."""


def small_run(path: Path) -> None:
    """A finished cell of 16 images in two conditions, with texts of several kinds."""
    layout, job = make_layout(n=16, classes=6, attributes=("texture",)), make_job()
    with create(path) as run:
        fill(run, layout, job)
        run.finish([job])


def visible(path: Path) -> dict[str, object]:
    """Everything in the index, read with plain h5py: names, attributes, types, shapes, fill values and values."""
    seen: dict[str, object] = {}

    def walk(group: h5py.Group, place: str) -> None:
        for name, value in group.attrs.items():
            seen[f"{place}@{name}"] = (np.asarray(value).tolist(), str(np.asarray(value).dtype))
        for name in group:
            item, inner = group[name], f"{place}/{name}"
            if isinstance(item, h5py.Group):
                seen[inner] = "group"
                walk(item, inner)
            else:
                values = item[()]
                content = values.tobytes() if values.dtype.kind != "O" else values.tolist()
                seen[inner] = (str(item.dtype), item.shape, repr(item.fillvalue), content, dict(item.attrs))

    with h5py.File(path, "r", locking=False) as file:
        walk(file, "")
    return seen


def flip(run: Path, bit: int, original: bytes, before: dict[str, object]) -> str:
    """``invisible``, ``noticed``, or what a reader sees although `verify` sees nothing."""
    index = run / "index.h5"
    content = bytearray(original)
    content[bit // 8] ^= 1 << bit % 8
    index.write_bytes(content)
    try:
        after = visible(index)
    except Exception as error:  # noqa: BLE001 - a reader sees an error, which `verify` must see as well
        after = {"error": repr(error)}
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if not changed:
        return "invisible"
    return "noticed" if verify_run(RunReader.open(run)) else f"unseen: {changed}"


def child(run: Path, first: int, step: int, log: Path) -> None:
    """Flip every `step`-th bit from `first` on; a line for each, before and after."""
    original = (run.parent / "intact.h5").read_bytes()
    (run / "index.h5").write_bytes(original)
    before = visible(run / "index.h5")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with log.open("a") as lines:
        for bit in range(first, 8 * len(original), step):
            lines.write(f"{bit} ")
            lines.flush()
            signal.alarm(SECONDS)
            lines.write(flip(run, bit, original, before) + "\n")
            lines.flush()
            signal.alarm(0)


def campaign(folder: Path, step: int) -> Counter[str]:
    """How many bits were noticed, invisible, killed the process, or were seen by a reader alone (with the first)."""
    run, log, tally, first = folder / "run", folder / "log", Counter[str](), 0
    small_run(run)
    shutil.copy(run / "index.h5", folder / "intact.h5")
    bits = 8 * (run / "index.h5").stat().st_size
    while first < bits:
        log.unlink(missing_ok=True)
        process = os.fork()
        if not process:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            try:
                child(run, first, step, log)
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
    for result, count in campaign(Path(sys.argv[1]), int(sys.argv[2])).most_common():
        sys.stdout.write(f"{count} {result}\n")
