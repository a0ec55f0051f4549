"""Keys of a file that a network does not have: which may be left out, and which say that it is another network.

A key inside one of the network's own modules (a squeeze-and-excitation block, an adapter, a scale of quantized weights)
takes part in the file's answers. Without it the rest loads strictly, and gives other logits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from harness import LoadingRecipe

from ._globs import matches
from ._recipe import COUNTER, leaf, origins

if TYPE_CHECKING:
    import torch

    Tensors = Mapping[str, torch.Tensor]

_COUNTS: Final = frozenset({COUNTER, "total_ops", "total_params"})
"""Last parts of keys that count something: batches, or operations (the package thop)."""
_MASK_TOKEN: Final = "mask_token"
"""What stands in for hidden patches in pretraining; no other token is left out of a network."""
WRAPPERS: Final = re.compile(r"(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\.")
"""What torch puts into keys where it wraps a module inside a network: compilation, sharding, recomputation."""


def foreign_keys(state: Tensors, recipe: LoadingRecipe, needed: Tensors, constants: Tensors) -> tuple[str, ...]:
    """Keys that `recipe` drops although they lie inside modules of the network whose other keys it takes.

    Args:
        needed: the network's state dict. constants: buffers that the network makes itself.
    """
    short = {key: state[origin] for key, origin in origins(state, recipe, "").items()}
    unused = [key for key in short if matches(key, recipe.drop)]
    if not unused:
        return ()
    used = {key for key in short if key in needed and key not in set(unused)}
    inside = {module for key in used for module in _modules_above(key)}
    return tuple(
        key
        for key in unused
        if (inside.intersection(_modules_above(key)) or _is_token(key, short, used))
        and not _harmless(key, short, used, constants)
    )


def is_second_set(keys: Iterable[str], state: Tensors, needed: Tensors) -> bool:
    """Whether the tensors under `keys` have the shapes of at least half of those that a network needs."""
    shapes = Counter(tuple(state[key].shape) for key in keys if state[key].ndim)
    needed_shapes = Counter(tuple(tensor.shape) for tensor in needed.values() if tensor.ndim)
    return sum(needed_shapes.values()) <= 2 * sum((shapes & needed_shapes).values())


def without_wrappers(state: Tensors) -> dict[str, torch.Tensor]:
    """`state` without the names of wrappers in its keys; empty if no key has one, or two keys become one."""
    plain = {WRAPPERS.sub("", key): tensor for key, tensor in state.items()}
    return plain if any(map(WRAPPERS.search, state)) and len(plain) == len(state) else {}


def _is_token(key: str, state: Tensors, used: Collection[str]) -> bool:
    """Whether a key outside of all modules is a token of a transformer, as are others that the network takes."""
    tokens = [state[other] for other in used if "." not in other]
    tensor = state[key]
    return (
        "." not in key
        and key != _MASK_TOKEN
        and any(tensor.ndim == token.ndim == 3 and tensor.shape[-1] == token.shape[-1] for token in tokens)
    )


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
