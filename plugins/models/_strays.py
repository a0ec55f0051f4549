"""Keys of a file that a network does not have: which may be left out, and which say that it is another network.

A key inside one of the network's own modules (a squeeze-and-excitation block, an adapter, a scale of quantized weights)
takes part in the file's answers. Without it the rest loads strictly, and gives other logits.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from harness import LoadingRecipe

from ._globs import matches
from ._recipe import COUNTER, leaf, origins

if TYPE_CHECKING:
    import torch

    Tensors = Mapping[str, torch.Tensor]

_COUNTS: Final = frozenset({COUNTER, "total_ops", "total_params"})
"""Last parts of keys that count something: batches, or operations (the package thop)."""
WRAPPERS: Final = re.compile(r"(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\.")
"""What torch puts into keys where it wraps a module inside a network: compilation, sharding, recomputation."""


def foreign_keys(state: Tensors, recipe: LoadingRecipe, needed: Tensors, constants: Tensors) -> tuple[str, ...]:
    """Keys that `recipe` drops although they lie inside modules of the network whose other keys it takes.

    Args:
        needed: the network's state dict. constants: buffers that the network makes itself.
    """
    short = {key: state[origin] for key, origin in origins(state, recipe, "").items()}
    dropped = [key for key in short if matches(key, recipe.drop)]
    if not dropped:
        return ()
    used = {key for key in short if key in needed and key not in set(dropped)}
    inside = {module for key in used for module in _modules_above(key)}
    return tuple(
        key
        for key in dropped
        if inside.intersection(_modules_above(key)) and not _harmless(key, short, used, constants)
    )


def without_wrappers(state: Tensors) -> dict[str, torch.Tensor]:
    """`state` without the names of wrappers in its keys; empty if no key has one, or two keys become one."""
    plain = {WRAPPERS.sub("", key): tensor for key, tensor in state.items()}
    return plain if any(map(WRAPPERS.search, state)) and len(plain) == len(state) else {}


def _modules_above(key: str) -> Iterator[str]:
    """The modules that a key lies in, without the network itself."""
    while key := key.rpartition(".")[0]:
        yield key


def _harmless(key: str, state: Tensors, used: Collection[str], constants: Tensors) -> bool:
    """Whether a network answers the same without this key."""
    import torch

    if leaf(key) in _COUNTS:
        return True
    if key in constants:
        return torch.equal(state[key], constants[key])
    return _of_second_norm(key, state, used)


def _of_second_norm(key: str, state: Tensors, used: Collection[str]) -> bool:
    """Whether a key belongs to a batch norm inside a batch norm: statistics of other images, which training used."""
    module, _, last = key.rpartition(".")
    parent = module.rpartition(".")[0]
    norms = f"{module}.running_mean" in state and f"{parent}.running_mean" in used
    twin = f"{parent}.{last}"
    return norms and twin in used and state[twin].shape == state[key].shape
