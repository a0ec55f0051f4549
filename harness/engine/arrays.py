"""What a probe yields for one condition: a stimulus, and the arrays that it declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from harness.errors import CellError
from harness.features import FeatureProbe

if TYPE_CHECKING:
    from harness.planning.plan import PlannedTask
    from harness.records import ArraySpec


class Shown(NamedTuple):
    """One stimulus (B, 3, S, S) with its condition, and copies of its arrays by name, (B, …) each."""

    condition: str
    stimulus: torch.Tensor
    arrays: Mapping[str, torch.Tensor]


def shown_by(task: PlannedTask, item: Any, count: int) -> Shown:
    """`item`, as a probe yields it for `count` samples, taken apart.

    The arrays are copied, since a probe may use their memory again for the next condition. Their values are checked on
    the host, when they are stored.

    Raises:
        CellError: it is neither (condition, stimulus) nor (condition, stimulus, arrays), or the arrays are not those
            that the probe declares.
    """
    parts = item if isinstance(item, tuple) else (item,)
    if len(parts) not in (2, 3) or not isinstance(parts[1], torch.Tensor):
        raise CellError(
            f"probe {task.probe.name} yields {_kinds(item)}, expected (condition, stimulus) or "
            "(condition, stimulus, arrays)"
        )
    condition, stimulus = parts[0], _plain(parts[1])
    if len(parts) == 2 and not task.arrays:
        return Shown(condition, stimulus, {})
    given = parts[2] if len(parts) == 3 else {}
    where = f"probe {task.probe.name} under {condition}"
    later = isinstance(task.probe, FeatureProbe) and isinstance(given, Mapping)  # the others are made of the layers
    expected = [name for name in task.arrays if not later or name in given]
    return Shown(condition, stimulus, _copied(task, where, given, expected, count))


def observed_arrays(task: PlannedTask, who: str, shown: Shown, given: Any, count: int) -> Mapping[str, torch.Tensor]:
    """The arrays of a stimulus, and copies of those that a probe makes of a network's layers: all that it declares.

    Args:
        who: the probe and the network, for messages.

    Raises:
        CellError: they are not those that the stimulus lacks.
    """
    expected = [name for name in task.arrays if name not in shown.arrays]
    return {**shown.arrays, **_copied(task, f"{who} under {shown.condition}", given, expected, count)}


def _copied(task: PlannedTask, where: str, given: Any, expected: Sequence[str], count: int) -> dict[str, torch.Tensor]:
    """Copies of the `expected` arrays. Raises CellError if others are given, or of another shape or type."""
    if not isinstance(given, Mapping) or set(given) != set(expected):
        names = ", ".join(map(str, given)) or "none" if isinstance(given, Mapping) else _kinds(given)
        raise CellError(f"{where}: arrays {names}, expected {', '.join(expected) or 'none'}")
    for name in expected:
        _check(where, name, given[name], task.arrays[name], count)
    return {name: given[name].detach().clone() for name in expected}


def _plain(stimulus: torch.Tensor) -> torch.Tensor:
    """`stimulus` without the class of its own, which could answer otherwise than its values are."""
    if type(stimulus) is torch.Tensor:
        return stimulus
    with torch._C.DisableTorchFunctionSubclass():
        return stimulus.as_subclass(torch.Tensor)


def _check(where: str, name: str, array: Any, spec: ArraySpec, count: int) -> None:
    if isinstance(array, torch.Tensor):
        shape, dtype = tuple(array.shape), str(array.dtype).removeprefix("torch.")
        if (shape, dtype) == ((count, *spec.shape), spec.dtype):
            return
        given = f"{dtype} {shape}"
    else:
        given = _kinds(array)
    raise CellError(f"{where}: array {name} is {given}, expected {spec.described} for {count} samples")


def _kinds(item: Any) -> str:
    """The types of what a probe yields, for messages."""
    if isinstance(item, tuple):
        return f"({', '.join(type(part).__name__ for part in item)})"
    return type(item).__name__
