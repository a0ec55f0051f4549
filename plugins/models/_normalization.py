"""Numbers in a checkpoint that look like the normalization of images, compared with the entry's mean and std.

Robustness libraries keep the normalization in the file (``normalizer.new_mean``), other scripts in their configuration.
A network that gets images on another scale loses accuracy without an error, so a difference is refused.
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from harness import CheckpointError, ModelSpec

from ._globs import matches
from ._recipe import origins

Triple = tuple[float, float, float]


class _Named(NamedTuple):
    """Three numbers with their name, and how far equal values may lie apart."""

    name: str
    values: Triple
    tolerance: float


_ROLES: Final = {
    "mean": re.compile(r"mean|(?<![a-z])mu(?![a-z])"),
    "std": re.compile(r"std|sigma|deviation|(?<![a-z])sd(?![a-z])"),
    "variance": re.compile(r"variance|(?<![a-z])var(?![a-z])"),
}
"""Role of three numbers -> what their name contains, in lower case."""
_DEPTH: Final = 6
_TOLERANCE: Final = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNormalization:
    """A normalization that a file holds and the network does not use, in units of [0, 1].

    Attributes:
        names: the keys of its numbers, as in the file.
        mean, std: None where the file has only the other.
        tolerance: how far equal values may lie apart, given their number format.
    """

    names: tuple[str, ...]
    mean: Triple | None
    std: Triple | None
    tolerance: float = _TOLERANCE

    def agrees(self, spec: ModelSpec) -> bool:
        """Whether the entry's mean and std are these; without any, they are 0 and 1."""
        pairs = ((self.mean, spec.mean or (0.0, 0.0, 0.0)), (self.std, spec.std or (1.0, 1.0, 1.0)))
        return all(
            abs(one - other) <= self.tolerance * max(1.0, abs(other))
            for values, entry in pairs
            if values
            for one, other in zip(values, entry, strict=True)
        )

    @property
    def is_identity(self) -> bool:
        """Whether it leaves images as they are."""
        return self.mean == (0, 0, 0) and self.std == (1, 1, 1)

    def lines(self, spec: ModelSpec) -> str:
        """What an entry with this normalization says: ``mean: [0.5, 0.5, 0.5]`` and ``std: …``."""
        mean, std = self.mean or spec.mean or (0.0, 0.0, 0.0), self.std or spec.std or (1.0, 1.0, 1.0)
        return f"`mean: {_listed(mean)}` and `std: {_listed(std)}`"


def disagreeing(
    spec: ModelSpec, loaded: Any, keys: tuple[str, ...], used: Collection[str]
) -> list[tuple[FileNormalization, bool]]:
    """Each normalization in the file that is not the entry's, and whether the recipe's `drop` names it.

    Args:
        loaded: what the file holds.
        keys: the keys that lead to the state dict.
        used: the keys of the state dict that the network gets.
    """
    held = list(normalizations(loaded, keys, used))
    effective = [one for one in held if not one.is_identity] or held
    found = []
    for one in effective:
        if not one.agrees(spec):
            short = [name.removeprefix(".".join((*keys, ""))) for name in one.names]
            named = all(
                _is_named(name, spec) or matches(full, spec.recipe.drop)
                for name, full in zip(short, one.names, strict=True)
            )
            found.append((one, named))
    return found


def _is_named(key: str, spec: ModelSpec) -> bool:
    """Whether `drop` names the key, as it is in the file or after stripping."""
    prefix = spec.recipe.select_prefix or ""
    stripped = origins([key], spec.recipe, "") if key.startswith(prefix) else {}
    return any(matches(form, spec.recipe.drop) for form in (key, *stripped))


def refuse_other(spec: ModelSpec, place: str, found: list[tuple[FileNormalization, bool]]) -> tuple[str, ...]:
    """Remarks on normalizations of the file that `drop` names.

    Raises:
        CheckpointError: the file holds one that neither the entry states nor `drop` names.
    """
    given = f"mean {_listed(spec.mean)} and std {_listed(spec.std)}" if spec.mean and spec.std else "no mean and std"
    unnamed = [one for one, named in found if not named]
    if unnamed:
        shown = " and ".join(_values(one) for one in unnamed)
        lines = " or ".join(dict.fromkeys(one.lines(spec) for one in unnamed))
        drop = ", ".join(f"'{name}'" for one in unnamed for name in one.names)
        raise CheckpointError(
            f"{place} holds a normalization that is not the entry's: {shown}; the entry states {given}. Write {lines} "
            f"in the entry or, if the network was trained without it, `drop: [{drop}]` in its recipe"
        )
    return tuple(
        f"the file's own normalization is left out: {_values(one)}; the entry states {given}" for one, _ in found
    )


def of_another_configuration(spec: ModelSpec) -> tuple[str, ...]:
    """A remark where timm states another mean and std for the weights, or the architecture, that the entry names."""
    library, _, name = (spec.arch or "").rpartition(":")
    if library != "timm" and (library or spec.source != "timm"):
        return ()
    import timm

    config = timm.get_pretrained_cfg(name)
    if config is None or (config.mean, config.std) == (spec.mean, spec.std):
        return ()
    given = f"mean {_listed(spec.mean)} and std {_listed(spec.std)}" if spec.mean else "no normalization"
    return (
        f"the entry states {given}; timm's configuration of {name} is mean {_listed(config.mean)} and std "
        f"{_listed(config.std)}",
    )


def _values(one: FileNormalization) -> str:
    shown = {"mean": one.mean, "std": one.std}
    numbers = ", ".join(f"{name} {_listed(values)}" for name, values in shown.items() if values)
    return f"{' and '.join(one.names)} ({numbers})"


def _listed(values: Sequence[float] | None) -> str:
    return f"[{', '.join(f'{value:.6g}' for value in values or ())}]"


def normalizations(loaded: Any, keys: tuple[str, ...], used: Collection[str]) -> Iterator[FileNormalization]:
    """Pairs of three numbers named like a mean and a deviation, where the network does not use them itself.

    In a state dict one of the two is enough; elsewhere (a configuration) both must be there.
    """
    for place, items in _places(loaded, (), set()):
        dotted = ".".join((*place, ""))
        inside = place == keys or _has_tensors(items)
        triples = {name: triple for name, value in items.items() if name not in used and (triple := _triple(value))}
        for roles in _by_parent(triples):
            single = any(items[name].numel() == 1 for name, _, _ in roles.values() if hasattr(items[name], "numel"))
            if len(roles) > 1 or (inside and not single):
                yield _normalization({role: one._replace(name=dotted + one.name) for role, one in roles.items()})


def _by_parent(triples: Mapping[str, tuple[Triple, float]]) -> list[dict[str, _Named]]:
    """Role -> name, three numbers and their tolerance; for each module, and for each set of numbers in it."""
    groups: dict[tuple[str, int], dict[str, _Named]] = {}
    for name, (values, tolerance) in triples.items():
        parent, _, last = name.rpartition(".")
        if role := _role(last):
            number = next(i for i in range(len(triples)) if role not in groups.get((parent, i), {}))
            groups.setdefault((parent, number), {})[role] = _Named(name, values, tolerance)
    return list(groups.values())


def _normalization(roles: Mapping[str, _Named]) -> FileNormalization:
    values = {role: triple for role, (_, triple, _) in roles.items()}
    mean, std = values.get("mean"), values.get("std")
    if std is None and "variance" in values:
        red, green, blue = (abs(value) ** 0.5 for value in values["variance"])
        std = red, green, blue
    # Many scripts normalize pixels from 0 to 255.
    scale = 255.0 if max((*(mean or ()), *(std or ()))) > 1.5 else 1.0
    mean, std = _scaled(mean, scale), _scaled(std, scale)
    names = tuple(name for name, _, _ in roles.values())
    return FileNormalization(names=names, mean=mean, std=std, tolerance=max(one for _, _, one in roles.values()))


def _scaled(values: Triple | None, scale: float) -> Triple | None:
    return None if values is None else (values[0] / scale, values[1] / scale, values[2] / scale)


def _role(name: str) -> str | None:
    """Whether a name means a mean, a standard deviation or a variance."""
    return next((role for role, pattern in _ROLES.items() if pattern.search(name.lower())), None)


def _triple(value: Any) -> tuple[Triple, float] | None:
    """Three finite numbers and their tolerance; None for anything else. One number counts for all channels."""
    import torch

    tolerance = _TOLERANCE
    if isinstance(value, torch.Tensor):
        if value.numel() not in (1, 3) or value.is_complex() or value.is_meta:
            return None
        tolerance = max(tolerance, torch.finfo(value.dtype).eps) if value.is_floating_point() else tolerance
        value = value.double().flatten().tolist()
    elif hasattr(value, "tolist"):  # an array of NumPy
        value = value.tolist()
    if not isinstance(value, list | tuple) or len(value) not in (1, 3):
        return None
    if not all(isinstance(number, int | float) and abs(number) < 1e6 for number in value):
        return None
    red, green, blue = map(float, value if len(value) == 3 else value * 3)
    return (red, green, blue), tolerance


def _places(value: Any, keys: tuple[str, ...], seen: set[int]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Every mapping in `value`, each once, with the keys that lead to it; what belongs to an optimizer is left out."""
    items = vars(value) if isinstance(value, Namespace) else value
    if len(keys) > _DEPTH or not isinstance(items, Mapping) or "param_groups" in items or id(items) in seen:
        return
    seen.add(id(items))
    named = {str(key): item for key, item in items.items()}
    yield keys, named
    for key, item in named.items():
        yield from _places(item, (*keys, key), seen)


def _has_tensors(items: Mapping[str, Any]) -> bool:
    import torch

    return sum(isinstance(item, torch.Tensor) for item in items.values()) > 8
