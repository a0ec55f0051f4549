"""A digest of the tensors in a checkpoint file: the same for the same network in another file format.

It covers names, shapes, types and bytes of the state dict that `read_state_dict` selects with an entry's wrapper keys,
before any renaming: the recipe is part of a cell's identity, so equal tensors under an equal recipe are one network.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.checkpoints.reading import read_state_dict
from harness.errors import CheckpointError
from harness.local.cache import cache_dir
from harness.local.notes import read_note
from harness.local.writing import write_whole

if TYPE_CHECKING:
    import torch

    from harness.records import ModelSpec

_DIGEST: Final = re.compile("[0-9a-f]{64}")

log = logging.getLogger(__name__)


def tensors_digest(state: Mapping[str, torch.Tensor], *, ordered: bool = False) -> str:
    """SHA-256 over name, shape, dtype and bytes of every tensor, 64 hex digits.

    Args:
        ordered: whether the order of the tensors counts, as in a recipe with ``match: position``.
    """
    import torch

    total = hashlib.sha256()
    for name in state if ordered else sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(json.dumps([name, list(tensor.shape), str(tensor.dtype)]).encode() + b"\n")
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def digests_of_tensors(spec: ModelSpec, files: Sequence[Path], digests: Sequence[str]) -> tuple[str, ...]:
    """Digest of the tensors in the checkpoint of a model, and in its head if there is one; empty if one is unreadable.

    They are computed once on this machine. Shards count as the one file that they are parts of.

    Args:
        files: as `ModelSource.files`. digests: their SHA-256.
    """
    recalled_digests = recalled(spec, digests)
    if recalled_digests:
        return recalled_digests
    made = []
    for position, path in enumerate(files[: _parts(spec)]):
        wrapper_keys = spec.recipe.head_wrapper_keys if position else spec.recipe.wrapper_keys
        try:
            state = read_state_dict(path, wrapper_keys, spec.recipe.safe_globals)
            made.append(tensors_digest(state, ordered=spec.recipe.match == "position"))
        except (CheckpointError, OSError, RuntimeError, TypeError):
            return ()  # whoever loads the network says what is wrong with the file
    _remember({_key(spec, place, digests): digest for place, digest in enumerate(made)})
    return tuple(made)


def recalled(spec: ModelSpec, digests: Sequence[str]) -> tuple[str, ...]:
    """Digests of the tensors in files with these SHA-256, if they have been computed on this machine; else empty."""
    stored = _remembered()
    made = [stored.get(_key(spec, position, digests)) for position in range(min(_parts(spec), len(digests)))]
    return tuple(digest for digest in made if digest) if made and all(made) else ()


def same_tensors(first: Sequence[str], other: Sequence[str], spec: ModelSpec) -> bool:
    """Whether two results of `digests_of_tensors` are of one network; earlier versions added one for each shard."""
    return bool(first) and first[: _parts(spec)] == other[: _parts(spec)]


def _parts(spec: ModelSpec) -> int:
    """Files that a network is made of, each with its shards: the checkpoint, and its head."""
    return 1 if spec.recipe.head is None else 2


def _key(spec: ModelSpec, position: int, digests: Sequence[str]) -> str:
    """What the tensors of a file depend on: its bytes (of all shards), the keys to unwrap, and whether order counts."""
    recipe = spec.recipe
    wrapper_keys = recipe.head_wrapper_keys if position else recipe.wrapper_keys
    whole = len(digests) <= _parts(spec)
    return json.dumps([digests[position] if whole else list(digests), list(wrapper_keys), recipe.match == "position"])


def _remembered() -> dict[str, str]:
    """Cached digests; none if the file is missing or damaged, since they can be computed again."""
    try:
        stored = read_note(cache_dir() / "tensors.json")
    except (OSError, ValueError):
        return {}
    entries = stored.items() if isinstance(stored, dict) else ()
    return {key: digest for key, digest in entries if isinstance(digest, str) and _DIGEST.fullmatch(digest)}


def _remember(entries: Mapping[str, str]) -> None:
    from harness.local.locking import locked

    target = cache_dir() / "tensors.json"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.with_suffix(".lock")):
            write_whole(target, json.dumps({**_remembered(), **entries}, indent=0))
    except OSError as error:  # with a read-only cache the file is only read again next time
        log.warning("cannot remember digests in %s: %s", target, error.strerror)
