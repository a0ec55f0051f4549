"""Reads checkpoint files safely: digests and tensors. Code in a file is never executed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.checkpoints.arrays import with_tensors
from harness.checkpoints.bombs import check_legacy
from harness.checkpoints.contents import WRAPPERS, Contents
from harness.checkpoints.kinds import check_whole, sniff
from harness.checkpoints.pickles import SAFE_GLOBALS, check_archive, read_pickle
from harness.checkpoints.shards import is_index, shard_by_key, shards_of
from harness.errors import CheckpointError, listed
from harness.local.digests import sha256_of

if TYPE_CHECKING:
    import torch

__all__ = ["SAFE_GLOBALS", "WRAPPERS", "digests_of", "read_checkpoint", "read_state_dict", "sha256_of", "shards_of"]


def digests_of(files: Iterable[Path]) -> tuple[str, ...]:
    """SHA-256 of each file that determines the weights, after `check_whole`. Raises CheckpointError."""
    digests = []
    for path in files:
        check_whole(path)
        digests.append(sha256_of(path))
    return tuple(digests)


def read_state_dict(
    path: Path, wrapper_keys: Sequence[str] = (), safe_globals: Sequence[str] = ()
) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint file by key, on the CPU, in the file's order, as a plain dict in memory.

    A safetensors file has no order of its own: its keys are sorted.

    The file is not memory-mapped, so later changes to it cannot affect a loaded network.

    Args:
        wrapper_keys: keys to unwrap, outermost first; empty: the first of `WRAPPERS` that holds tensors, else the file
            itself.
        safe_globals: names from `SAFE_GLOBALS` and ``numpy.dtypes.*`` that the pickle may use besides torch's own.

    Raises:
        CheckpointError: the file is not a checkpoint, is truncated or damaged, would run code, has no state dict, or
            has several that could be meant and no `wrapper_keys` say which.
    """
    return read_checkpoint(path, safe_globals).state_dict(wrapper_keys)


def read_checkpoint(path: Path, safe_globals: Sequence[str] = ()) -> Contents:
    """All that a checkpoint file holds, or the shards that an index names. As `read_state_dict`.

    Raises:
        CheckpointError: the file is not a checkpoint, is truncated or damaged, or would run code.
    """
    if is_index(path):
        ordered = not any(shard.suffix == ".safetensors" for shard in shards_of(path))
        return Contents(path, _from_shards(path, safe_globals), ordered)
    kind = sniff(path)
    if kind == "safetensors" or path.suffix == ".safetensors":
        return Contents(path, _read_safetensors(path), ordered=False)
    if kind == "zip":
        check_archive(path)
    else:
        check_legacy(path)
    return Contents(path, with_tensors(read_pickle(path, safe_globals)))


def _from_shards(path: Path, safe_globals: Sequence[str]) -> dict[str, torch.Tensor]:
    """The tensors of all shards. Each must be where the index says, and nothing else may be there."""
    named, tensors = shard_by_key(path), {}
    for shard in shards_of(path):
        held = read_state_dict(shard, (), safe_globals)
        expected = {key for key, name in named.items() if name == shard.name}
        if held.keys() != expected:
            absent, further = sorted(expected - held.keys()), sorted(held.keys() - expected)
            raise CheckpointError(
                f"{shard} is not the file that {path.name} describes: it lacks {listed(absent)} and holds "
                f"{listed(further)} beside; fetch all files of one version"
            )
        tensors.update(held)
    return tensors


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load

    try:
        tensors: dict[str, torch.Tensor] = load(path.read_bytes())
    except Exception as error:  # the library states none of what it raises on a made header
        raise CheckpointError(f"{path} is a truncated or damaged safetensors file ({error}); fetch it again") from error
    return {key: tensors[key] for key in sorted(tensors)}  # the library returns them in any order
