"""The files of an entry on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness import ModelSpec, Scheme, locate_first, shards_of


def weight_files(spec: ModelSpec, schemes: Mapping[str, Scheme] | None = None) -> tuple[Path, ...]:
    """The checkpoint file, the head file if the recipe has one, and the shards that either names if it is an index.

    Raises:
        CheckpointError: a file is not on this machine.
    """
    head = (spec.recipe.head,) if spec.recipe.head is not None else ()
    files = (locate_first(spec, spec.weights, schemes), *(locate_first(spec, (uri,), schemes) for uri in head))
    return (*files, *(shard for path in files for shard in shards_of(path)))
