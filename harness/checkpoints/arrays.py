"""State dicts of NumPy arrays, as some training scripts write them, as state dicts of tensors."""

from __future__ import annotations

from typing import Any, Final

from harness.checkpoints.contents import DEPTH, has_tensors

LEAST_ARRAYS: Final = 8
"""A mapping with more arrays than this is a state dict, not a configuration."""


def with_tensors(value: Any) -> Any:
    """`value`, in which each mapping of NumPy arrays becomes one of tensors, if it is as long as a state dict."""
    return _with_tensors(value, DEPTH, {})


def _with_tensors(value: Any, depth: int, made: dict[int, Any]) -> Any:
    """As `with_tensors`; `made`: identity of a mapping -> what it becomes, since a file may contain itself."""
    if not isinstance(value, dict) or depth == 0:
        return value
    if id(value) in made:
        return made[id(value)]
    made[id(value)] = value
    arrays = [key for key, item in value.items() if _is_array(item)]
    if len(arrays) > LEAST_ARRAYS and not has_tensors(value):
        import torch

        made[id(value)] = {key: torch.as_tensor(item) if _is_array(item) else item for key, item in value.items()}
        return made[id(value)]
    for key, item in value.items():
        value[key] = _with_tensors(item, depth - 1, made)
    return value


def _is_array(value: object) -> bool:
    """Whether `value` is an array of numbers that torch has too."""
    import torch

    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return hasattr(value, "__array__") and not isinstance(value, torch.Tensor) and kind in ("f", "i", "b", "u")
