"""Masks of pruned networks that lie beside the weights: weights that a mask removes must be zero, or be made so.

Lottery-ticket scripts multiply weights by their masks in every forward and save both, so the weights alone are another
network. Weights and masks that torch's own pruning stores are put together (`_parametrizations`).

Reference: Frankle and Carbin 2019 (lottery tickets); public code stores ``mask_<name>`` beside ``model.<name>``.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from harness import CheckpointError, Contents, ModelSpec

from ._globs import matches
from ._recipe import listed

if TYPE_CHECKING:
    import torch

_MASK: Final = re.compile("(^|_)masks?(?=_|$)")


class _Mask(NamedTuple):
    """A mask that is not applied: the keys of its group, its key there, and the weight that it belongs to."""

    group: tuple[str, ...]
    key: str
    weight: str


def unapplied(spec: ModelSpec, contents: Contents, keys: tuple[str, ...], used: Collection[str]) -> tuple[str, ...]:
    """Remarks on masks of the file that the recipe's `drop` names, although they would change weights.

    Args:
        keys: the keys that lead to the state dict. used: the keys of the state dict that the network gets.

    Raises:
        CheckpointError: a mask is neither applied nor named by `drop`; the message has the command that applies it.
    """
    group = contents.group(keys)
    weights = {key: group.tensors[key] for key in used if key in group.tensors} if group else {}
    masks = list(_changing(contents, keys, weights))
    full = [".".join((*mask.group, mask.key)) for mask in masks]
    drop = spec.recipe.drop
    named = [matches(mask.key, drop) or matches(name, drop) for mask, name in zip(masks, full, strict=True)]
    what = f"masks that would remove weights which are not zero: {listed(full)}"
    if all(named):
        return (f"the file's own {what}; they are left out",) if masks else ()
    command = _command(contents, spec, keys, masks[named.index(False)])
    raise CheckpointError(
        f"model {spec.name!r}: {contents.path} holds {what}. Save the weights that they leave or, to have the network "
        f"without them, name them in `drop` of the entry's recipe",
        remedy=command,
    )


def _changing(contents: Contents, keys: tuple[str, ...], weights: Mapping[str, torch.Tensor]) -> Iterator[_Mask]:
    """The masks under which some weight that is not zero would be removed."""
    for group in contents.weights:
        for key, mask in group.tensors.items():
            path = ".".join((*group.keys, key)).lower()
            if "mask" in path and not (group.keys == keys and key in weights):
                weight = _weight_of(key, mask, weights)
                if weight and _is_mask(mask) and bool((weights[weight][mask == 0] != 0).any()):
                    yield _Mask(group.keys, key, weight)


def _is_mask(tensor: torch.Tensor) -> bool:
    return bool(((tensor == 0) | (tensor == 1)).all())


def _weight_of(key: str, mask: torch.Tensor, weights: Mapping[str, torch.Tensor]) -> str | None:
    """The weight of the mask's shape whose name is closest to that of the mask."""
    name = _base(key)
    ends = {
        weight: abs(len(base) - len(name))
        for weight, tensor in weights.items()
        if tensor.shape == mask.shape and mask.ndim and _same_end(base := _base(weight), name)
    }
    return min(ends, key=lambda weight: ends[weight], default=None)


def _base(key: str) -> str:
    """``mask_conv1_weight``, ``conv1.weight_mask`` and ``conv1.weight`` -> ``conv1``."""
    return _MASK.sub("", key.replace(".", "_")).strip("_").removesuffix("_weight")


def _same_end(name: str, other: str) -> bool:
    return f"_{name}".endswith(f"_{other}") or f"_{other}".endswith(f"_{name}")


def _command(contents: Contents, spec: ModelSpec, keys: tuple[str, ...], mask: _Mask) -> str:
    """What to type to get a file whose weights are multiplied by their masks, and that has no masks."""
    weight, name = _base(mask.weight), _base(mask.key)
    base = 'b = lambda k: re.sub("(^|_)masks?(?=_|$)", "", k.replace(".", "_")).strip("_").removesuffix("_weight")'
    of_weight = f"b(k)[{len(weight) - len(name)}:]"
    if len(weight) < len(name):
        of_weight = f"{json.dumps(name[: len(name) - len(weight)])} + b(k)"
    kept, masks = _item(keys), _item(mask.group)
    rest = f"; del {masks}" if mask.group != keys and mask.group else ""
    code = (
        f'import re, torch; o = torch.load({json.dumps(str(contents.path))}, map_location="cpu", '
        f"weights_only={not spec.recipe.safe_globals}); {base}; m = {{b(k): v for k, v in {masks}.items() if "
        f'{mask.group != keys} or "mask" in k}}; f = lambda k, v: v * m[{of_weight}] if {of_weight} in m and '
        f"v.shape == m[{of_weight}].shape else v; {kept} = {{k: f(k, v) for k, v in {kept}.items() if "
        f'{mask.group != keys} or "mask" not in k}}{rest}; torch.save(o, '
        f"{json.dumps(str(contents.weights_file))})"
    )
    return f"python -c {shlex.quote(code)}"


def _item(keys: tuple[str, ...]) -> str:
    return "o" + "".join(f"[{json.dumps(key)}]" for key in keys)
