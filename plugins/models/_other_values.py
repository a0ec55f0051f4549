"""Tensors elsewhere in a file that have the names of the network's own, and other values: they are not used.

Statistics of batch norms that were estimated again, or an average of some layers, are too few to be a network.
"""

from __future__ import annotations

from collections.abc import Collection

from harness import Contents

from ._recipe import listed

_LEAST = 2


def unused_values(contents: Contents, keys: tuple[str, ...], used: Collection[str]) -> tuple[str, ...]:
    """A remark for each group of tensors of the file that could replace some that the network got, but not all.

    Args:
        keys: the keys that lead to the state dict. used: the keys of the state dict that the network gets.
    """
    import torch

    chosen = contents.group(keys)
    if chosen is None:
        return ()
    remarks = []
    for group in contents.weights:
        if group is chosen or group.resembles(chosen):
            continue  # a whole set of weights is the entry's choice
        same = [
            key for key, tensor in group.tensors.items() if key in used and chosen.tensors[key].shape == tensor.shape
        ]
        others = [key for key in same if not torch.equal(group.tensors[key], chosen.tensors[key])]
        if len(others) >= _LEAST and "mask" not in ".".join(group.keys).lower():
            remarks.append(f"the file holds other values, which are not used, of {listed(others)} under {group}")
    return tuple(remarks)
