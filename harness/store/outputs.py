"""Where the output of a command must not go: into a run folder, whose files it could replace."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from harness.errors import RequestError
from harness.store.run_record import MANIFEST, MEASURES


def refuse_inside(output: Path | None, runs: Iterable[Path] = (), *, folder: bool = False) -> None:
    """Raises RequestError if the file `output` would lie in one of `runs`, or in any other run folder.

    Args:
        output: None: the terminal. folder: it is a folder for several files, which must not be a run either.
    """
    if output is None:
        return
    given = {os.path.realpath(run) for run in runs}
    place = Path(os.path.realpath(output))
    for parent in [place, *place.parents] if folder else place.parents:
        if str(parent) in given or _is_run(parent):
            where = "is" if parent == place else "lies in"
            raise RequestError(
                f"-o {output} {where} the run folder {parent}, which only `harness run` and `harness import` write",
                remedy=f"-o {parent.name}-{'tables/' if parent == place else output.name}",
            )


def _is_run(folder: Path) -> bool:
    return (folder / MANIFEST).is_file() and ((folder / "shards").is_dir() or (folder / MEASURES).is_file())
