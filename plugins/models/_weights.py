"""From checkpoint files to a network with exactly these weights: the loader that all sources share.

Loading is strict. A plain dict is rebuilt from the file, so that files written before BatchNorm counted its batches
still fit: torch then fills in the 53 (or so) ``num_batches_tracked``, which no evaluation reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from harness import (
    CheckpointError,
    Download,
    LoadingRecipe,
    ModelSpec,
    Scheme,
    check_digest,
    expected_digest,
    locate_first,
    read_state_dict,
    sha256_of,
)

if TYPE_CHECKING:
    import torch

    State = dict[str, torch.Tensor]

_COUNTER = "num_batches_tracked"
_SHOWN = 4


def weight_files(spec: ModelSpec, schemes: Mapping[str, Scheme] | None = None) -> tuple[Path, ...]:
    """The checkpoint file, followed by the head file if the recipe has one.

    Raises:
        CheckpointError: a file is not on this machine.
    """
    head = (spec.recipe.head,) if spec.recipe.head is not None else ()
    return (locate_first(spec, spec.weights, schemes), *(locate_first(spec, (uri,), schemes) for uri in head))


def with_weights(
    network: torch.nn.Module, spec: ModelSpec, files: Sequence[Path], downloads: Sequence[Sequence[Download]] = ()
) -> torch.nn.Module:
    """`network` with the weights in `files`, its normalization in front, in eval mode.

    Args:
        files: the checkpoint, and its head if there is one (`weight_files`).
        downloads: their URIs (`ModelSource.downloads`), for digests in file names.

    Raises:
        CheckpointError: a file is unsafe, damaged, not the pinned one, or does not load strictly.
    """
    from harness import normalized

    before = [_stamp(path) for path in files]
    for position, path in enumerate(files):
        if expected := expected_digest(spec, position, path, downloads):
            check_digest(spec, path, sha256_of(path), expected)
    state = _state(spec, files)
    if [_stamp(path) for path in files] != before:
        raise CheckpointError(f"model {spec.name!r}: {files[0]} changed while it was read; try again")
    place = f"model {spec.name!r}: {' + '.join(str(path) for path in files)}"
    if spec.recipe.match == "position":
        state = _by_position(network, state, place)
    _check_fit(network, state, place, spec.arch or "the network")
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"{place} does not fit {spec.arch}: {' '.join(str(error).split())}") from error
    return normalized(network, spec.mean, spec.std)


def _stamp(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def _state(spec: ModelSpec, files: Sequence[Path]) -> State:
    """Steps 1 to 7 of the loader contract: read, unwrap, select, strip, drop, rename, merge the head."""
    recipe = spec.recipe
    place = f"model {spec.name!r}: {files[0]}"
    state = _renamed(_selected(_read(files[0], recipe.wrapper_keys, recipe), recipe, place), recipe.rename, place)
    for head_file in files[1:]:
        head = _renamed(_read(head_file, recipe.head_wrapper_keys, recipe), recipe.head_rename, place)
        duplicates = [key for key in head if key in state]
        if duplicates:
            raise CheckpointError(
                f"{place} and its head {head_file} both contain {_listed(duplicates)}; "
                "leave one out with `drop` in the entry"
            )
        state.update(head)
    return state


def _read(path: Path, wrapper_keys: Sequence[str], recipe: LoadingRecipe) -> State:
    return read_state_dict(path, wrapper_keys, recipe.safe_globals)


def _selected(state: State, recipe: LoadingRecipe, place: str) -> State:
    """Keys that start with the selected prefix, without the prefixes to strip and the keys to drop."""
    prefix = recipe.select_prefix or ""
    selected = {key: value for key, value in state.items() if key.startswith(prefix)}
    if not selected:
        raise CheckpointError(
            f"{place}: no key starts with {prefix!r} (`select_prefix`); the {len(state)} keys begin {_listed(state)}"
        )
    stripped: State = {}
    for key, value in selected.items():
        short = key
        for strip in recipe.strip_prefixes:
            short = short.removeprefix(strip)
        _put(stripped, short, value, place)
    return {key: value for key, value in stripped.items() if not any(fnmatchcase(key, glob) for glob in recipe.drop)}


def _renamed(state: State, rename: Sequence[tuple[str, str]], place: str) -> State:
    renamed: State = {}
    for key, value in state.items():
        new = key
        for pattern, replacement in rename:
            try:
                new = re.sub(pattern, replacement, new)
            except (re.error, IndexError) as error:
                raise CheckpointError(
                    f"{place}: rename {pattern!r} -> {replacement!r} is not a regular expression and replacement "
                    f"({error})"
                ) from error
        _put(renamed, new, value, place)
    return renamed


def _put(state: State, key: str, value: torch.Tensor, place: str) -> None:
    if key in state:
        raise CheckpointError(
            f"{place}: two keys become {key!r} by `strip_prefixes` or `rename`; choose one with `select_prefix`"
        )
    state[key] = value


def _by_position(network: torch.nn.Module, state: State, place: str) -> State:
    """`state` under the network's names, paired by position; all shapes and leaf names must agree."""
    counted = any(_leaf(key) == _COUNTER for key in state)
    needed = {key: value for key, value in network.state_dict().items() if counted or _leaf(key) != _COUNTER}
    pairs = zip(state.items(), needed.items(), strict=False)  # unequal lengths raise below, with a better message
    for position, ((file_key, tensor), (network_key, parameter)) in enumerate(pairs):
        if _leaf(file_key) != _leaf(network_key) or tensor.shape != parameter.shape:
            raise CheckpointError(
                f"{place} does not match by position: at position {position} the file has {file_key!r} of shape "
                f"{tuple(tensor.shape)}, the network {network_key!r} of shape {tuple(parameter.shape)}"
            )
    if len(state) != len(needed):
        unmatched = list(state)[len(needed) :] or list(needed)[len(state) :]
        raise CheckpointError(
            f"{place} does not match by position: it has {len(state)} tensors, the network needs {len(needed)}; "
            f"from position {min(len(state), len(needed))} on one side only: {_listed(unmatched)}"
        )
    return dict(zip(needed, state.values(), strict=True))


def _leaf(key: str) -> str:
    return key.rpartition(".")[2]


def _check_fit(network: torch.nn.Module, state: State, place: str, arch: str) -> None:
    needed = network.state_dict()
    shared = [key for key in state if key in needed]
    differing = [text for key in shared if (text := _difference(key, state[key], needed[key]))]
    missing = [key for key in needed if key not in state and _leaf(key) != _COUNTER]
    unexpected = [key for key in state if key not in needed]
    problems = [
        *([f"{len(missing)} keys missing ({_listed(missing)})"] if missing else []),
        *([f"{len(unexpected)} unexpected ({_listed(unexpected)})"] if unexpected else []),
        *([f"{len(differing)} that differ: {_listed(differing, '; ')}"] if differing else []),
    ]
    if problems:
        hint = _prefix_hint(missing, unexpected)
        raise CheckpointError(f"{place} does not fit {arch}: {', '.join(problems)}{hint}")


def _difference(key: str, tensor: torch.Tensor, parameter: torch.Tensor) -> str:
    if tensor.shape != parameter.shape:
        return f"{key} has shape {tuple(tensor.shape)}, the network needs {tuple(parameter.shape)}"
    # Copying converts silently, and turns quantized or complex weights into nonsense.
    if tensor.is_floating_point() != parameter.is_floating_point() and _leaf(key) != _COUNTER:
        return f"{key} has dtype {tensor.dtype}, the network needs {parameter.dtype}"
    return ""


def _prefix_hint(missing: Sequence[str], unexpected: Sequence[str]) -> str:
    """What to write in the entry if the only problem is a prefix of every key."""
    if not missing or not unexpected or not unexpected[0].endswith(missing[0]):
        return ""
    prefix = unexpected[0].removesuffix(missing[0])
    if {prefix + key for key in missing} <= set(unexpected):
        return f". Its keys carry a prefix: set `select_prefix: {prefix}` and `strip_prefixes: [{prefix}]` in the entry"
    return ""


def _listed(names: Iterable[str], separator: str = ", ") -> str:
    listed = list(names)
    return separator.join(listed[:_SHOWN]) + (f"{separator}… {len(listed)} in all" if len(listed) > _SHOWN else "")
