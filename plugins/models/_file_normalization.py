"""Where a checkpoint file has numbers that look like the normalization of images, and which mean and std they are.

They are found by their names (``normalizer.new_mean``, ``mu`` and ``sigma``), by their place (a layer of three channels
that the network does not have), in the configuration, and in its text (``Normalize(mean=[…], std=[…])``).
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from harness import ModelSpec

Triple = tuple[float, float, float]


class _Named(NamedTuple):
    """Three numbers with their name, and how far equal values may lie apart."""

    name: str
    values: Triple
    tolerance: float


_ROLES: Final = {
    "inverse": re.compile(r"(?:inv|recip|rcp)\w*_?(?:std|sigma)|(?<![a-z])[ir]std"),
    "mean": re.compile(r"mean|(?<![a-z])mu(?![a-z])"),
    "std": re.compile(r"std|sigma|deviation|(?<![a-z])sd(?![a-z])"),
    "variance": re.compile(r"variance|(?<![a-z])var(?![a-z])"),
}
"""Role of three numbers -> what their name contains, in lower case."""
_STEPS: Final = {"scale": re.compile(r"scale|weight"), "shift": re.compile(r"shift|offset|bias")}
"""Role of three numbers in a layer that scales and shifts each channel -> what their name contains."""
_PAIR: Final = re.compile(r"norm|stat|mean\w*std")
"""Names of a mean and a std in one list."""
_TEXT: Final = re.compile(r"(mean|std)\W{0,2}\s*[=:]\s*[\[(]([-+\d.eE,\s]{5,200})[\])]")
"""A mean or std in a configuration that is kept as text."""
_DEPTH: Final = 6
_LONGEST: Final = 1000
"""Items of a list that are looked at."""
_TOLERANCE: Final = 1e-4
_BATCH_NORM_EPSILON: Final = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNormalization:
    """A normalization that a file holds and the network does not use, in units of [0, 1].

    Attributes:
        names: the keys of its numbers, as in the file.
        mean, std: None where the file has only the other, and both where their meaning is not known.
        tolerance: how far equal values may lie apart, given their number format.
        values: the numbers themselves, where their meaning is not known.
    """

    names: tuple[str, ...]
    mean: Triple | None
    std: Triple | None
    tolerance: float = _TOLERANCE
    values: tuple[Triple, ...] = ()

    def agrees(self, spec: ModelSpec) -> bool:
        """Whether the entry's mean and std are these; without any, they are 0 and 1."""
        mean, std = spec.mean or (0.0, 0.0, 0.0), spec.std or (1.0, 1.0, 1.0)
        if self.values:
            return any(self._equal(values, mean) for values in self.values) and any(
                self._equal(values, std) for values in self.values
            )
        pairs = ((self.mean, mean), (self.std, std))
        return all(self._equal(values, entry) for values, entry in pairs if values)

    def _equal(self, values: Triple, entry: Triple) -> bool:
        return all(
            abs(value - other) <= self.tolerance * max(1.0, abs(other))
            for value, other in zip(values, entry, strict=True)
        )

    @property
    def is_identity(self) -> bool:
        """Whether it leaves images as they are."""
        return self.mean == (0, 0, 0) and self.std == (1, 1, 1)

    def lines(self, spec: ModelSpec) -> str:
        """What an entry with this normalization says: ``mean: [0.5, 0.5, 0.5]`` and ``std: …``; empty if unknown."""
        if self.values:
            return ""
        mean, std = self.mean or spec.mean or (0.0, 0.0, 0.0), self.std or spec.std or (1.0, 1.0, 1.0)
        return f"`mean: {in_brackets(mean)}` and `std: {in_brackets(std)}`"

    def __str__(self) -> str:
        shown = {"mean": self.mean, "std": self.std}
        numbers = [f"{name} {in_brackets(values)}" for name, values in shown.items() if values]
        return f"{' and '.join(self.names)} ({', '.join([*numbers, *map(in_brackets, self.values)])})"


def in_brackets(values: Sequence[float] | None) -> str:
    """``[0.485, 0.456, 0.406]``, in six digits."""
    return f"[{', '.join(f'{value:.6g}' for value in values or ())}]"


def normalizations(loaded: Any, keys: tuple[str, ...], used: Collection[str]) -> Iterator[FileNormalization]:
    """Every normalization in what a file holds, where the network does not use its numbers itself.

    In a state dict one of mean and deviation is enough; elsewhere (a configuration) both must be there.

    Args:
        keys: the keys that lead to the state dict. used: the keys of the state dict that the network gets.
    """
    for place, items in _places(loaded, (), set()):
        dotted = ".".join((*place, ""))
        unused = {name: value for name, value in items.items() if name not in used}
        triples = {name: triple for name, value in unused.items() if (triple := _triple(value))}
        inside = place == keys or _has_tensors(items)
        for roles in _by_parent(triples):
            single = any(unused[name].numel() == 1 for name, _, _ in roles.values() if hasattr(unused[name], "numel"))
            if len(roles) > 1 or (inside and not single):
                of_layer = _steps(roles["variance"].name, unused, triples) if "variance" in roles else {}
                yield _normalization(dotted, {**roles, **of_layer})
        yield from _layers(dotted, unused, items) if inside else ()
        yield from _of_configuration(dotted, unused)


def _by_parent(triples: Mapping[str, tuple[Triple, float]]) -> list[dict[str, _Named]]:
    """Role -> name, three numbers and their tolerance; for each module, and for each set of numbers in it."""
    groups: dict[tuple[str, int], dict[str, _Named]] = {}
    for name, (values, tolerance) in triples.items():
        parent, _, last = name.rpartition(".")
        if role := _role(last, _ROLES):
            number = next(i for i in range(len(triples)) if role not in groups.get((parent, i), {}))
            groups.setdefault((parent, number), {})[role] = _Named(name, values, tolerance)
    return list(groups.values())


def _steps(name: str, unused: Mapping[str, Any], triples: Mapping[str, tuple[Triple, float]]) -> dict[str, _Named]:
    """The scale and shift of the layer that `name` belongs to."""
    roles: dict[str, _Named] = {}
    parent = name.rpartition(".")[0]
    for other, (values, tolerance) in triples.items():
        place, _, last = other.rpartition(".")
        role = _role(last, _STEPS)
        if place == parent and role and getattr(unused[other], "numel", lambda: 3)() == 3:
            roles[role] = _Named(other, values, tolerance)
    return roles


def _normalization(dotted: str, roles: Mapping[str, _Named]) -> FileNormalization:
    values = {role: triple for role, (_, triple, _) in roles.items()}
    mean, std = values.get("mean"), values.get("std")
    if "inverse" in values:
        std = _of_each(lambda inverse: 1 / inverse if inverse else 0.0, values["inverse"])
    elif std is None and "variance" in values:
        epsilon = _BATCH_NORM_EPSILON if "running" in roles["variance"].name else 0.0
        std = _of_each(lambda variance: (abs(variance) + epsilon) ** 0.5, values["variance"])
    mean, std = _after(mean, std, values.get("scale"), values.get("shift"))
    # Many scripts normalize pixels from 0 to 255.
    if max((*(mean or ()), *(std or ()))) > 1.5:
        mean, std = _of_each(_by_255, mean), _of_each(_by_255, std)
    names = tuple(dotted + name for name, _, _ in roles.values())
    return FileNormalization(
        names=names, mean=mean, std=std, tolerance=max(tolerance for _, _, tolerance in roles.values())
    )


def _by_255(value: float) -> float:
    return value / 255


def _of_each(function: Any, values: Triple | None) -> Triple | None:
    return None if values is None else (function(values[0]), function(values[1]), function(values[2]))


def _after(
    mean: Triple | None, std: Triple | None, scale: Triple | None, shift: Triple | None
) -> tuple[Triple | None, Triple | None]:
    """Mean and std of images that are then multiplied by `scale` and shifted, as a batch norm does."""
    if not (mean and std and scale and all(scale)):
        return mean, std
    add = shift or (0.0, 0.0, 0.0)
    means = [m - b * s / w for m, s, w, b in zip(mean, std, scale, add, strict=True)]
    deviations = [s / w for s, w in zip(std, scale, strict=True)]
    return (means[0], means[1], means[2]), (deviations[0], deviations[1], deviations[2])


def _layers(dotted: str, unused: Mapping[str, Any], items: Mapping[str, Any]) -> Iterator[FileNormalization]:
    """Modules that the network does not have, and whose every tensor has one number for each channel of an image."""
    modules: dict[str, list[str]] = {}
    for name in items:
        modules.setdefault(name.rpartition(".")[0], []).append(name)
    for module, names in modules.items():
        of_module = {name: unused[name] for name in names if name in unused} if module else {}
        triples = {name: triple for name, value in of_module.items() if (triple := _of_channels(value))}
        if len(triples) < 2 or len(triples) < len(names) or any(_role(_last(name), _ROLES) for name in names):
            continue
        roles = {_role(_last(name), _STEPS): values for name, (values, _) in triples.items()}
        mean, std = _of_steps(roles) if len(roles) == 2 and None not in roles else (None, None)
        tolerance = max(spread for _, spread in triples.values())
        values = () if mean else tuple(values for values, _ in triples.values())
        full = tuple(dotted + name for name in triples)
        yield FileNormalization(names=full, mean=mean, std=std, tolerance=tolerance, values=values)


def _of_steps(roles: Mapping[str | None, Triple]) -> tuple[Triple | None, Triple | None]:
    """Mean and std for ``x * scale + shift`` or, where only that makes sense, for ``(x - shift) / scale``."""
    scale, shift = roles["scale"], roles["shift"]
    if not all(scale):
        return None, None
    if all(0 < value <= 1 for value in scale) and all(0 <= value <= 1 for value in shift):
        return shift, scale
    mean, std = _after((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), scale, shift)
    plausible = mean and std and all(0 <= value <= 1 for value in mean) and all(0 < value <= 1 for value in std)
    return (mean, std) if plausible else (None, None)


def _of_channels(value: Any) -> tuple[Triple, float] | None:
    """The numbers of a tensor with one for each of three channels, or of a convolution that mixes no channels."""
    import torch

    if not isinstance(value, torch.Tensor):
        return None
    if tuple(value.shape) == (3, 3, 1, 1):
        diagonal = value[:, :, 0, 0].diagonal()
        return _triple(diagonal) if torch.equal(value[:, :, 0, 0], torch.diag(diagonal)) else None
    return _triple(value) if value.numel() == 3 else None


def _of_configuration(dotted: str, items: Mapping[str, Any]) -> Iterator[FileNormalization]:
    """A mean and a std in one list (``normalization: [[…], […]]``), or in the text of a configuration."""
    for name, value in items.items():
        pairs: list[tuple[Triple, Triple, float]] = []
        if isinstance(value, str):
            pairs = [(mean, std, _TOLERANCE) for mean, std in _in_text(value)]
        elif _PAIR.search(name.lower()) and not isinstance(value, Mapping):
            rows = [_triple(row) for row in _rows(value)]
            pairs = [(rows[0][0], rows[1][0], rows[0][1])] if len(rows) == 2 and rows[0] and rows[1] else []
        for mean, std, tolerance in pairs:
            roles = {"mean": _Named(name, mean, tolerance), "std": _Named(name, std, tolerance)}
            normalization = _normalization(dotted, roles)
            yield FileNormalization(
                names=normalization.names[:1], mean=normalization.mean, std=normalization.std, tolerance=tolerance
            )


def _rows(value: Any) -> list[Any]:
    """Two items of a list, tuple, array or tensor; empty for anything else."""
    items = value.tolist() if hasattr(value, "tolist") and getattr(value, "ndim", 0) == 2 else value
    return list(items) if isinstance(items, list | tuple) and len(items) == 2 else []


def _in_text(text: str) -> list[tuple[Triple, Triple]]:
    """Each different pair of a mean and a std in a text."""
    triples_of: dict[str, list[Triple]] = {"mean": [], "std": []}
    for match in _TEXT.finditer(text):
        try:
            triple = _triple([float(number) for number in match[2].split(",") if number.strip()])
        except ValueError:
            continue
        if triple:
            triples_of[match[1]].append(triple[0])
    return list(dict.fromkeys(zip(triples_of["mean"], triples_of["std"], strict=False)))


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _role(name: str, roles: Mapping[str, re.Pattern[str]]) -> str | None:
    """Which of `roles` a name has; the first, if there are several."""
    return next((role for role, pattern in roles.items() if pattern.search(name.lower())), None)


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
    if isinstance(items, list | tuple) and len(items) <= _LONGEST:
        items = {str(number): item for number, item in enumerate(items) if isinstance(item, Mapping | list | tuple)}
    if len(keys) > _DEPTH or not isinstance(items, Mapping) or "param_groups" in items or id(value) in seen:
        return
    seen.add(id(value))
    named = {str(key): item for key, item in items.items()}
    yield keys, named
    for key, item in named.items():
        yield from _places(item, (*keys, key), seen)


def _has_tensors(items: Mapping[str, Any]) -> bool:
    import torch

    return sum(isinstance(item, torch.Tensor) for item in items.values()) > 8
