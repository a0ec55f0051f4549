"""Checkpoints in several files: an index (``model.safetensors.index.json``) names the shard of every tensor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Final

from harness.errors import AbsentCheckpointError, CheckpointError
from harness.local.regular import regular

INDEX_SUFFIX: Final = ".index.json"


def is_index(path: PurePath) -> bool:
    """Whether the name of `path` is that of an index of shards, perhaps of one that is being downloaded."""
    return path.name.removesuffix(".part").endswith(INDEX_SUFFIX)


def shards_of(path: Path) -> tuple[Path, ...]:
    """The shards beside the index at `path`, each once, in the order of the index; empty for any other file.

    Raises:
        CheckpointError: the index is damaged, or names a file that is not beside it.
        AbsentCheckpointError: a shard is not there; the message names all that are missing.
    """
    if not is_index(path):
        return ()
    shards = tuple(path.with_name(name) for name in dict.fromkeys(shard_by_key(path).values()))
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise AbsentCheckpointError(
            f"{path} names {len(shards)} files, of which {len(missing)} are not beside it: {', '.join(missing)}. "
            f"Put them into {path.parent}",
            general="a part of the checkpoint is not on this machine",
        )
    return shards


def beside(uri: str, name: str) -> str:
    """The URI of the file `name` beside the index at `uri`: ``hf:OWNER/REPO:model.safetensors.index.json``."""
    base = uri.partition("?")[0]
    return base[: max(base.rfind("/"), base.rfind(":")) + 1] + name


def shard_by_key(path: Path) -> Mapping[str, str]:
    """Key of a tensor -> name of the file that holds it. Raises CheckpointError."""
    try:
        weight_map = json.loads(regular(path).read_text(encoding="utf-8"))["weight_map"]
        names = {str(key): str(name) for key, name in weight_map.items()}
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is not an index of shards: expected a JSON object with `weight_map` (key: file); fetch it again"
        ) from error
    for name in names.values():
        if name != Path(name).name or "\\" in name or name in ("", ".", "..") or is_index(Path(name)):
            raise CheckpointError(f"{path} names {name!r} as a shard; expected the name of a file beside it")
    if not names:
        raise CheckpointError(f"{path} names no tensor")
    return names
