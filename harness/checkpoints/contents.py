"""What lies in a checkpoint file: its state dicts, which of them is meant, and numbers that look like a normalization.

Nothing in a file is left out unseen: where several sets of weights could be meant, none of them is chosen.
"""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from harness.checkpoints.foreign import weights_file
from harness.errors import CheckpointError, listed

if TYPE_CHECKING:
    import torch

WRAPPERS: Final = ("state_dict", "model_state_dict", "online_backbone", "resnet", "model")
"""Keys under which training scripts store the state dict, in the order they are tried: some files have a string under
``model`` beside their ``state_dict``."""
DEPTH: Final = 6
"""Levels of nesting that are looked at."""
_OF_OPTIMIZER: Final = frozenset({"state", "param_groups"})
"""Keys of an optimizer's state; an average of the weights may lie beside them."""
_MOMENTS: Final = frozenset("exp_avg exp_avg_sq max_exp_avg_sq momentum_buffer grad_avg sqr_avg square_avg".split())
"""Keys under which optimizers keep one tensor for every parameter that is no weight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Tensors that lie side by side in a file.

    Attributes:
        keys: the keys that lead to them, outermost first: the recipe's `wrapper_keys`.
        tensors: name (or position, in a list) -> tensor.
        named: whether they have names, so that a network can be loaded from them.
        others: names of what lies beside them and is no tensor.
    """

    keys: tuple[str, ...]
    tensors: Mapping[str, torch.Tensor]
    named: bool = True
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        count = len(self.tensors)
        kind = "tensors" if self.named else "tensors without names"
        return f"`{'.'.join(self.keys) or 'the file itself'}` ({count} {kind})"

    @property
    def shapes(self) -> Counter[tuple[int, ...]]:
        """Shape -> how many tensors have it, without single numbers."""
        return Counter(tuple(tensor.shape) for tensor in self.tensors.values() if tensor.ndim)

    def resembles(self, other: Weights) -> bool:
        """Whether at least half of the tensors of `other` could be taken from here: equal shapes, under any name.

        An average over training has no counters, and often no buffers: six tenths of a ResNet's tensors are parameters.
        """
        shapes = other.shapes
        return 0 < sum(shapes.values()) <= 2 * sum((shapes & self.shapes).values())

    def equals(self, other: Weights) -> bool:
        """Whether both have the same names and values."""
        import torch

        return self.tensors.keys() == other.tensors.keys() and all(
            torch.equal(tensor, other.tensors[name]) for name, tensor in self.tensors.items()
        )


@dataclass(frozen=True)
class Contents:
    """What a checkpoint file holds.

    Attributes:
        path: the file, for messages.
        loaded: what was read from it.
        ordered: whether tensors come in the order of the network that was saved; a safetensors file keeps none.
    """

    path: Path
    loaded: Any
    ordered: bool = True

    @cached_property
    def weights(self) -> tuple[Weights, ...]:
        """All groups of tensors, in the order of the file. The state of optimizers is none."""
        return tuple(_groups(self.loaded, (), set()))

    def at(self, keys: Sequence[str], recipe_key: str = "wrapper_keys") -> Any:
        """What lies under `keys`. Raises CheckpointError."""
        value = self.loaded
        for key in keys:
            present, value = _item(value, key)
            if not present:
                finding = f"{self.path} has no key {key!r} to unwrap; it contains {_described(value)}"
                raise CheckpointError(finding + self._advice(self.candidates(), recipe_key), finding=finding)
        return value

    def usual_keys(self) -> tuple[str, ...]:
        """The first of `WRAPPERS` that holds tensors; none: the file itself."""
        wrapped = self.loaded if isinstance(self.loaded, Mapping) else {}
        return next(((key,) for key in WRAPPERS if has_tensors(wrapped.get(key))), ())

    def keys_to(self, wrapper_keys: Sequence[str]) -> tuple[str, ...]:
        """`wrapper_keys`, or the usual ones if a recipe gives none."""
        return tuple(wrapper_keys) or self.usual_keys()

    def group(self, keys: Sequence[str]) -> Weights | None:
        """The tensors that lie under `keys`; None if there are none."""
        return next((group for group in self.weights if group.keys == tuple(keys)), None)

    @property
    def weights_file(self) -> Path:
        """Where the commands of messages write the tensors of this file."""
        return weights_file(self.path)

    def rivals(self) -> tuple[Weights, ...]:
        """Where no key is given: the usual state dict and others that resemble it; empty if there is no doubt.

        Two groups of equal names and values are one.
        """
        keys = self.usual_keys()
        usual = self.group(keys)
        # Beside tensors at the top, everything else is named by `state_dict`, as what is no tensor.
        if usual is None or not keys:
            return ()
        others = [group for group in self.weights if group is not usual and group.resembles(usual)]
        others = [group for group in others if not group.equals(usual)]
        return (usual, *others) if others else ()

    def candidates(self) -> tuple[Weights, ...]:
        """The groups with names; those that resemble the largest one only."""
        named = [group for group in self.weights if group.named and group.keys]
        largest = max(named, key=lambda group: len(group.tensors), default=None)
        return tuple(group for group in named if largest and group.resembles(largest)) or tuple(named)

    def state_dict(
        self, wrapper_keys: Sequence[str] = (), drop: Sequence[str] = (), recipe_key: str = "wrapper_keys"
    ) -> dict[str, torch.Tensor]:
        """The tensors under `wrapper_keys`, or else at the usual place, by name: a plain dict.

        An OrderedDict's `_metadata` would make torch require keys that are missing in old files.

        Args:
            drop: globs of entries that are no tensors and may be left out.
            recipe_key: the recipe's name for `wrapper_keys`, for messages.

        Raises:
            CheckpointError: there is no such key, no state dict, or several that could be meant.
        """
        if not wrapper_keys and (rivals := self.rivals()):
            finding, lines = ambiguity(self.path, rivals, recipe_key)
            raise CheckpointError(finding + lines, finding=finding)
        keys = self.keys_to(wrapper_keys)
        return self._tensors(self.at(keys, recipe_key), keys, drop, recipe_key)

    def _tensors(self, value: Any, keys: Sequence[str], drop: Sequence[str], recipe_key: str) -> dict[str, Any]:
        import torch

        if not has_tensors(value):
            inside = [group for group in self.candidates() if group.keys[: len(keys)] == tuple(keys)]
            finding = f"{self.path} contains no state dict, only {_described(value)}"
            raise CheckpointError(finding + self._advice(inside or self.candidates(), recipe_key), finding=finding)
        others = {key: item for key, item in value.items() if not isinstance(key, str) or not _is_tensor(item)}
        others = {key: item for key, item in others.items() if not matches(str(key), drop)}
        if others:
            kinds = listed(f"{key!r} is a {type(item).__name__}" for key, item in others.items())
            finding = f"{self.path}: {kinds}; a state dict maps names to tensors"
            raise CheckpointError(finding + self._without(others, recipe_key), finding=finding)
        tensors = {key: item for key, item in value.items() if isinstance(item, torch.Tensor)}
        for key, item in tensors.items():
            if item.is_meta or item.layout is not torch.strided:
                text = f"is not a dense tensor with values ({item.layout}, {item.device})"
                raise CheckpointError(f"{self.path}: {key!r} {text}")
        return {key: item.detach() for key, item in tensors.items()}

    def _without(self, others: Mapping[Any, Any], recipe_key: str) -> str:
        lines = [f"leave out what is none with `drop: {flow(map(str, others))}` in the entry's recipe"]
        lines += [f"choose with `{recipe_key}: {flow(group.keys)}`" for group in self.candidates()]
        return f": {' or '.join(lines[:4])}"

    def _advice(self, groups: Sequence[Weights], recipe_key: str) -> str:
        if not groups:
            return f". Name the keys that lead to it in the entry's `{recipe_key}`"
        lines = " or ".join(f"`{recipe_key}: {flow(group.keys)}`" for group in groups[:4])
        return f". It holds {listed(map(str, groups))}: write {lines} in the entry's recipe"


def ambiguity(path: Path, rivals: Sequence[Weights], recipe_key: str) -> tuple[str, str]:
    """What is said of several state dicts of which one must be chosen, and the lines that choose it."""
    named = [group for group in rivals if group.named]
    lines = " or ".join(f"`{recipe_key}: {flow(group.keys)}`" for group in named[:4])
    return (
        f"{path} holds {len(rivals)} sets of weights of the same shapes: {listed(map(str, rivals))}. They give other "
        "numbers (published ones are often those of the average), so the entry's recipe says which"
    ), f": write {lines}"


def has_tensors(value: object) -> bool:
    """Whether `value` is a mapping with tensors among its values."""
    return isinstance(value, Mapping) and any(map(_is_tensor, value.values()))


def matches(key: str, globs: Iterable[str]) -> bool:
    """Whether any of the globs matches the whole key."""
    from fnmatch import fnmatchcase

    return any(fnmatchcase(key, glob) for glob in globs)


def flow(items: Iterable[str]) -> str:
    """The items as a list in YAML, ``[a, '0']``, on one line."""
    import yaml

    return str(yaml.safe_dump(list(items), default_flow_style=True, width=1e9)).strip()


def _is_tensor(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _groups(value: Any, keys: tuple[str, ...], seen: set[int]) -> Iterator[Weights]:
    """Every mapping and list that holds tensors, each object once; what belongs to an optimizer is left out."""
    value = opened(value)
    if len(keys) > DEPTH or not isinstance(value, Mapping | list | tuple) or id(value) in seen:
        return
    seen.add(id(value))
    hidden = _MOMENTS | (_OF_OPTIMIZER if isinstance(value, Mapping) and "param_groups" in value else frozenset())
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    items = [(str(key), item) for key, item in pairs if str(key) not in hidden or _is_tensor(item)]
    tensors = {key: item for key, item in items if _is_tensor(item)}
    if tensors:
        others = tuple(key for key, item in items if not _is_tensor(item))
        named = isinstance(value, Mapping) and _by_name(value)
        yield Weights(keys=keys, tensors=tensors, named=named, others=others)
    for key, item in items:
        yield from _groups(item, (*keys, key), seen)


def opened(value: Any) -> Any:
    """The attributes of a namespace as a mapping, and everything else as it is."""
    return vars(value) if isinstance(value, Namespace | SimpleNamespace) else value


def _by_name(value: Mapping[Any, Any]) -> bool:
    return all(isinstance(key, str) for key, item in value.items() if _is_tensor(item))


def _item(value: Any, key: str) -> tuple[bool, Any]:
    """Whether `value` has `key`, with what lies there; else with `value`. Positions and numbers count as keys."""
    value = opened(value)
    if isinstance(value, Mapping):
        for form, item in value.items():
            if str(form) == key:
                return True, item
    elif isinstance(value, list | tuple) and key.isdecimal() and int(key) < len(value):
        return True, value[int(key)]
    return False, value


def _described(value: object) -> str:
    if not isinstance(value, Mapping):
        return f"a {type(value).__name__}"
    entries = ", ".join(f"{key!r} ({type(item).__name__})" for key, item in list(value.items())[:8])
    return f"{entries or 'nothing'}{', …' if len(value) > 8 else ''}"
