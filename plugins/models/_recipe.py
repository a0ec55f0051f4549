"""A recipe applied: from the keys of a file to the keys of a network, step by step, strictly.

Loading is strict. A plain dict is rebuilt from the file, so that files written before BatchNorm counted its batches
still fit: torch then fills in the 53 (or so) ``num_batches_tracked``, which no evaluation reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness import CheckpointError, LoadingRecipe, Substitution

from ._globs import matches
from ._parametrizations import folded

if TYPE_CHECKING:
    import torch

    State = dict[str, torch.Tensor]

COUNTER = "num_batches_tracked"
_SHOWN = 4


def adapted(state: State, recipe: LoadingRecipe, needed: Mapping[str, torch.Tensor], place: str) -> State:
    """`state` after the steps select, strip, fold, drop and rename.

    Args:
        needed: the network's state dict.

    Raises:
        CheckpointError: nothing is selected, two keys become one, or a step would change numbers.
    """
    stripped = {short: state[key] for short, key in origins(state, recipe, place).items()}
    whole = folded(stripped, needed, recipe.drop, recipe.rename, place)
    kept = {key: value for key, value in whole.items() if not matches(key, recipe.drop)}
    return renamed(kept, recipe.rename, place)


def origins(state: Iterable[str], recipe: LoadingRecipe, place: str) -> dict[str, str]:
    """Key after stripping -> key in the file, for the keys that begin with the selected prefix."""
    prefix = recipe.select_prefix or ""
    keys = list(state)
    selected = [key for key in keys if key.startswith(prefix)]
    if not selected:
        raise CheckpointError(
            f"{place}: no key starts with {prefix!r} (`select_prefix`); the {len(keys)} keys begin {listed(keys)}"
        )
    stripped: dict[str, str] = {}
    for key in selected:
        short = key
        for strip in recipe.strip_prefixes:
            short = short.removeprefix(strip)
        _put(stripped, short, key, place)
    return stripped


def used_keys(state: Iterable[str], recipe: LoadingRecipe) -> set[str]:
    """The keys in the file that are selected and not dropped."""
    return {key for short, key in origins(state, recipe, "").items() if not matches(short, recipe.drop)}


def renamed(state: State, rename: Sequence[tuple[str, str]], place: str) -> State:
    """`state` with the patterns of `rename` replaced in each key, in order."""
    result: State = {}
    substituted = Substitution()
    for key, value in state.items():
        new = key
        for pattern, replacement in rename:
            try:
                new = substituted(pattern, replacement, new)
            except ValueError as error:
                raise CheckpointError(
                    f"{place}: rename {pattern!r} -> {replacement!r} cannot be applied: {error}"
                ) from error
        _put(result, new, value, place)
    return result


def with_rows(
    state: State, recipe: LoadingRecipe, needed: Mapping[str, torch.Tensor], outputs: int, place: str
) -> State:
    """`state` with the rows that the recipe selects, in every tensor of the classifier; all rows without `rows`.

    Raises:
        CheckpointError: no tensor has such rows.
    """
    if recipe.rows is None:
        return state
    pairs = paired(state, needed) if recipe.match == "position" else [(key, key) for key in state if key in needed]
    cut = {key: rows_of(state[key], needed[name], recipe.rows, outputs) for key, name in pairs}
    chosen = {key: tensor for key, tensor in cut.items() if tensor is not None}
    if not chosen:
        widths = sorted({len(state[key]) for key, name in pairs if differ_in_rows(state[key], needed[name])})
        raise CheckpointError(
            f"{place}: `rows: {recipe.rows!r}` selects no {outputs} outputs of any tensor; the classifier has "
            f"{listed(map(str, widths)) if widths else outputs} of them. Correct it, or leave it out"
        )
    return {**state, **chosen}


def rows_of(tensor: torch.Tensor, parameter: torch.Tensor, rows: str, outputs: int) -> torch.Tensor | None:
    """The rows ``first:last`` (last excluded) of a classifier's tensor that has too many; None for any other tensor."""
    first, _, last = rows.partition(":")
    fits = int(last) - int(first) == len_of(parameter) == outputs
    if not fits or not differ_in_rows(tensor, parameter) or len(tensor) < int(last):
        return None
    return tensor[int(first) : int(last)]


def len_of(tensor: torch.Tensor) -> int:
    """Rows of a tensor; 0 for a single number."""
    return len(tensor) if tensor.ndim else 0


def differ_in_rows(tensor: torch.Tensor, parameter: torch.Tensor) -> bool:
    """Whether two tensors have equal shapes but for the number of their rows."""
    same = tensor.ndim == parameter.ndim > 0 and tensor.shape[1:] == parameter.shape[1:]
    return same and len(tensor) != len(parameter)


def paired(state: Mapping[str, torch.Tensor], needed: Mapping[str, torch.Tensor]) -> list[tuple[str, str]]:
    """Keys of the file and of the network by position; counters count only if the file has them."""
    counted = any(leaf(key) == COUNTER for key in state)
    return list(zip(state, (key for key in needed if counted or leaf(key) != COUNTER), strict=False))


def by_position(state: State, needed: Mapping[str, torch.Tensor], place: str, ordered: bool = True) -> State:
    """`state` under the network's names, paired by position; all shapes and leaf names must agree.

    Args:
        ordered: whether the file keeps the order in which the network was saved.

    Raises:
        CheckpointError: they do not agree, or the order is not that of the network's modules: tensors of equal shapes
            would be exchanged without an error.
    """
    if not ordered or _is_sorted_as_text(state):
        raise CheckpointError(
            f"{place} does not match by position: its keys are in alphabetical order ({listed(state)}), not in that of "
            "the modules. Save the state dict of the network with torch.save, or give the names in `rename`"
        )
    pairs = paired(state, needed)
    for position, (file_key, network_key) in enumerate(pairs):
        tensor, parameter = state[file_key], needed[network_key]
        if leaf(file_key) != leaf(network_key) or tensor.shape != parameter.shape:
            raise CheckpointError(
                f"{place} does not match by position: at position {position} the file has {file_key!r} of shape "
                f"{tuple(tensor.shape)}, the network {network_key!r} of shape {tuple(parameter.shape)}"
            )
    counted = any(leaf(key) == COUNTER for key in state)
    names = [key for key in needed if counted or leaf(key) != COUNTER]
    if len(state) != len(names):
        unmatched = list(state)[len(names) :] or names[len(state) :]
        raise CheckpointError(
            f"{place} does not match by position: it has {len(state)} tensors, the network needs {len(names)}; "
            f"from position {min(len(state), len(names))} on one side only: {listed(unmatched)}"
        )
    return dict(zip(names, state.values(), strict=True))


def _is_sorted_as_text(keys: Iterable[str]) -> bool:
    """Whether keys are in alphabetical order with their numbers as text: 0, 1, 10, 11, 2. No network numbers so."""
    given = list(keys)
    return given == sorted(given) != sorted(given, key=_with_numbers)


def _with_numbers(key: str) -> list[tuple[bool, int, str]]:
    parts = re.split(r"(\d+)", key)
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def problems(state: Mapping[str, torch.Tensor], needed: Mapping[str, torch.Tensor]) -> list[str]:
    """Why `state` is not the state dict of the network; empty if it is."""
    shared = [key for key in state if key in needed]
    differing = [text for key in shared if (text := _difference(key, state[key], needed[key]))]
    missing = [key for key in needed if key not in state and leaf(key) != COUNTER]
    unexpected = [key for key in state if key not in needed]
    return [
        *([f"{len(missing)} keys missing ({listed(missing)})"] if missing else []),
        *([f"{len(unexpected)} unexpected ({listed(unexpected)})"] if unexpected else []),
        *([f"{len(differing)} that differ: {listed(differing, '; ')}"] if differing else []),
    ]


def _difference(key: str, tensor: torch.Tensor, parameter: torch.Tensor) -> str:
    if tensor.shape != parameter.shape:
        return f"{key} has shape {tuple(tensor.shape)}, the network needs {tuple(parameter.shape)}"
    # Copying converts silently, and turns quantized or complex weights into nonsense.
    if tensor.is_floating_point() != parameter.is_floating_point() and leaf(key) != COUNTER:
        return f"{key} has dtype {tensor.dtype}, the network needs {parameter.dtype}"
    return ""


def leaf(key: str) -> str:
    """The last part of a key: ``weight``."""
    return key.rpartition(".")[2]


def listed(names: Iterable[str], separator: str = ", ") -> str:
    """The first names, and how many there are."""
    given = list(names)
    return separator.join(given[:_SHOWN]) + (f"{separator}… {len(given)} in all" if len(given) > _SHOWN else "")


def _put(state: dict[str, Any], key: str, value: Any, place: str) -> None:
    if key in state:
        raise CheckpointError(
            f"{place}: two keys become {key!r} by `strip_prefixes` or `rename`; choose one with `select_prefix`"
        )
    state[key] = value
