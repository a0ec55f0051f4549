"""Weights that a file stores in parts: weight norm, spectral norm, pruning. The network gets their product.

A rename that passes one part off as the weight loads without an error and gives other logits, so it is refused.

References: Salimans and Kingma 2016 (weight normalization), Miyato et al. 2018 (spectral normalization), as
`torch.nn.utils` and `torch.nn.utils.parametrizations` store them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from harness import CheckpointError, Substitution

from ._globs import matches

if TYPE_CHECKING:
    import torch

    State = dict[str, torch.Tensor]


class _Form(NamedTuple):
    """How a weight is stored: a name for messages, the endings of its parts, and their product."""

    name: str
    parts: tuple[str, ...]
    product: Callable[..., torch.Tensor]


def _weight_norm(length: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    """`length` x direction / |direction|; the norm runs over the axes along which `length` has one value."""
    if length.ndim != direction.ndim:
        return direction * (length / direction.pow(2).sum().sqrt())
    axes = [axis for axis in range(direction.ndim) if length.shape[axis] == 1]
    return direction * (length / direction.pow(2).sum(dim=axes, keepdim=True).sqrt())


def _spectral_norm(weight: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """`weight` divided by its largest singular value, as the stored singular vectors give it."""
    axis = 0 if weight.shape[0] == len(left) and weight[0].numel() == len(right) else 1
    matrix = weight.transpose(0, axis).flatten(1)
    return weight / (left @ (matrix @ right))


_FORMS: Final = (
    _Form("weight norm", ("{}_g", "{}_v"), _weight_norm),
    _Form("weight norm", ("parametrizations.{}.original0", "parametrizations.{}.original1"), _weight_norm),
    _Form("spectral norm", ("{}_orig", "{}_u", "{}_v"), _spectral_norm),
    _Form(
        "spectral norm",
        ("parametrizations.{}.original", "parametrizations.{}.0._u", "parametrizations.{}.0._v"),
        _spectral_norm,
    ),
    _Form("pruning", ("{}_orig", "{}_mask"), lambda weight, mask: weight * mask),
)
_FIRST: Final = re.compile(
    r"(?P<module>(?:.*\.)?)(?:parametrizations\.(?P<new>\w+)\.original0?|(?P<old>\w+)_(?:g|orig))"
)
"""The key of the first part of a weight, in the newer or the older way of storing it."""
_PARAMETRIZED: Final = re.compile(r"(?P<weight>(?:.*\.)?parametrizations\.\w+)\.")
"""How keys begin that `torch.nn.utils.parametrize` writes: all parts of one weight begin alike."""


def stored_in_parts(state: Mapping[str, torch.Tensor]) -> dict[str, tuple[_Form, tuple[str, ...]]]:
    """Key of a weight -> its form and the keys of its parts, for each weight that `state` holds in parts."""
    stored: dict[str, tuple[_Form, tuple[str, ...]]] = {}
    for key in state:
        match = _FIRST.fullmatch(key)
        if match is None:
            continue
        module, leaf = match["module"], match["new"] or match["old"]
        for form in _FORMS:
            parts = tuple(module + part.format(leaf) for part in form.parts)
            if parts[0] == key and all(part in state for part in parts):
                stored[module + leaf] = form, parts
    return stored


def folded(
    state: State, needed: Iterable[str], drop: Sequence[str], rename: Sequence[tuple[str, str]], place: str
) -> State:
    """`state` with each weight that is stored in parts put together; unchanged if the network has such parts itself.

    Args:
        needed: the network's keys.
        drop, rename: the recipe's; neither may touch a part, except where all parts of a weight are dropped.

    Raises:
        CheckpointError: the recipe drops or renames a part, or a weight is stored in a form that is not known.
    """
    own = set(needed)
    stored = {
        key: stored
        for key, stored in stored_in_parts(state).items()
        if not all(matches(part, drop) for part in stored[1])
    }
    parts = {part: key for key, (_, names) in stored.items() for part in names}
    _refuse_unknown(state, {*parts, *own}, drop, place)
    if not stored or own & parts.keys():
        return state
    for key, (form, names) in stored.items():
        module = key.rpartition(".")[0]
        for part in names:
            if _touched(part, part.removeprefix(f"{module}."), drop, rename):
                raise CheckpointError(
                    f"{place}: {part!r} is a part of a weight stored by {form.name}, and `drop` or `rename` of the "
                    "recipe touches it: the network would get other numbers than the file's. Leave that line out: "
                    "the parts are put together before keys are renamed"
                )
    whole = {key: form.product(*(state[name].float() for name in names)) for key, (form, names) in stored.items()}
    places = {parts.get(key, key): tensor for key, tensor in state.items()}
    return {key: whole.get(key, tensor) for key, tensor in places.items()}  # in the order of the file


def _touched(key: str, ending: str, drop: Sequence[str], rename: Sequence[tuple[str, str]]) -> bool:
    """Whether `drop` leaves `key` out, or `rename` changes its `ending`."""
    new, substituted = key, Substitution()
    for pattern, replacement in rename:
        try:
            new = substituted(pattern, replacement, new)
        except ValueError as error:
            raise CheckpointError(f"rename {pattern!r} -> {replacement!r} cannot be applied: {error}") from error
    return matches(key, drop) or not new.endswith(ending)


def _refuse_unknown(state: Iterable[str], understood: Collection[str], drop: Sequence[str], place: str) -> None:
    """Raise CheckpointError for a weight that torch's parametrizations make in a way that is not in `_FORMS`.

    One whose every part is dropped belongs to a module that the network does not have.
    """
    by_weight: dict[str, list[str]] = {}
    for key in state:
        if match := _PARAMETRIZED.match(key):
            by_weight.setdefault(match["weight"], []).append(key)
    for weight, keys in by_weight.items():
        unknown = [key for key in keys if key not in understood]
        if unknown and not all(matches(key, drop) for key in keys):
            name = weight.replace("parametrizations.", "")
            leaf = name.rpartition(".")[2]
            raise CheckpointError(
                f"{place}: {name!r} is made of {', '.join(keys)} by a parametrization that is not known here, so none "
                "of them is the weight. Save the network without it, in the program that made it: "
                f'torch.nn.utils.parametrize.remove_parametrizations(module, "{leaf}") for each such module, then '
                "torch.save(network.state_dict(), FILE)"
            )
