"""Where the output of a command must not go: into a run folder, whose files it could replace."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from harness.errors import RequestError
from harness.store.run_record import MANIFEST, MEASURES


def refuse_inside(output: Path | None, runs: Iterable[Path] = ()) -> None:
    """Raises RequestError if the file `output` would lie in one of `runs`, or in any other run folder.

    Args:
        output: None: the terminal.
    """
    if output is None:
        return
    given = {os.path.realpath(run) for run in runs}
    for folder in Path(os.path.realpath(output)).parents:
        if str(folder) in given or _is_run(folder):
            raise RequestError(
                f"-o {output} lies in the run folder {folder}, which only `harness run` and `harness import` write",
                remedy=f"-o {folder.name}-{output.name}",
            )


def _is_run(folder: Path) -> bool:
    return (folder / MANIFEST).is_file() and ((folder / "shards").is_dir() or (folder / MEASURES).is_file())
