"""From checkpoint files to a network with exactly these weights: the loader that all sources share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness import (
    CheckpointError,
    Contents,
    Download,
    ModelSpec,
    check_digest,
    expected_digest,
    read_checkpoint,
    sha256_of,
)

from . import _advice
from ._masks import unapplied
from ._normalization import disagreeing, of_another_configuration, refuse_other
from ._other_layout import conversion
from ._other_values import unused_values
from ._recipe import adapted, by_position, listed, problems, renamed, used_keys, with_rows
from ._schedule_free import in_training
from ._search import Target

if TYPE_CHECKING:
    import torch

    State = dict[str, torch.Tensor]


def with_weights(
    network: torch.nn.Module, spec: ModelSpec, files: Sequence[Path], downloads: Sequence[Sequence[Download]] = ()
) -> torch.nn.Module:
    """`network` with the weights in `files`, its normalization in front, in eval mode.

    Its attribute `remarks` says what must be known about the weights.

    Args:
        files: the checkpoint, its head if there is one, and their shards (`weight_files`).
        downloads: their URIs (`ModelSource.downloads`), for digests in file names.

    Raises:
        CheckpointError: a file is unsafe, damaged, not the pinned one, or does not load strictly; it holds other
            weights or another normalization that the entry says nothing about.
    """
    from harness import normalized

    before = [_stamp(path) for path in files]
    for position, path in enumerate(files):
        if expected := expected_digest(spec, position, path, downloads):
            check_digest(spec, path, sha256_of(path), expected)
    contents = _read(spec, files[0])
    head = _head(spec, files)
    if [_stamp(path) for path in files] != before:
        raise CheckpointError(f"model {spec.name!r}: {files[0]} changed while it was read; try again")
    state, used = _fitting(network, spec, contents, head, files)
    _load(network, state, spec, files)
    keys = contents.keys_to(spec.recipe.wrapper_keys)
    normalizations = disagreeing(spec, contents.loaded, keys, used)
    left_out = refuse_other(spec, f"model {spec.name!r}: {files[0]}", normalizations)
    left_out += (*unapplied(spec, contents, keys, used), *in_training(spec, contents))
    left_out += unused_values(contents, keys, used)
    ready = normalized(network, spec.mean, spec.std)
    ready.remarks = (*left_out, *of_another_configuration(spec))  # type: ignore[assignment]
    return ready


def _stamp(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def _place(spec: ModelSpec, files: Sequence[Path]) -> str:
    shown = files[: 2 if spec.recipe.head else 1]
    return f"model {spec.name!r}: {' + '.join(str(path) for path in shown)}"


def _read(spec: ModelSpec, path: Path) -> Contents:
    try:
        return read_checkpoint(path, spec.recipe.safe_globals)
    except CheckpointError as error:
        raise CheckpointError(f"model {spec.name!r}: {error.reason}", remedy=error.remedy) from error


def _head(spec: ModelSpec, files: Sequence[Path]) -> State:
    """The tensors of the second file under the network's names; none without one."""
    recipe = spec.recipe
    if recipe.head is None:
        return {}
    contents = _read(spec, files[1])
    state = contents.state_dict(recipe.head_wrapper_keys, recipe.drop, "head_wrapper_keys")
    return renamed(state, recipe.head_rename, f"model {spec.name!r}: {files[1]}")


def _fitting(
    network: torch.nn.Module, spec: ModelSpec, contents: Contents, head: State, files: Sequence[Path]
) -> tuple[State, set[str]]:
    """The state dict of the network, and the keys of the file that it comes from. Raises CheckpointError."""
    recipe, needed, place = spec.recipe, network.state_dict(), _place(spec, files)
    target = Target(
        needed=needed,
        outputs=spec.outputs,
        head=head,
        constants={key: buffer for key, buffer in network.named_buffers() if key not in needed},
        ordered=contents.ordered,
        background=spec.label_space == "imagenet-1k",
    )
    chosen = _chosen(contents, spec, target)
    state = adapted(chosen, recipe, needed, f"model {spec.name!r}: {files[0]}")
    if duplicates := [key for key in head if key in state]:
        raise CheckpointError(
            f"model {spec.name!r}: {files[0]} and its head {files[1]} both contain {listed(duplicates)}; "
            "leave one out with `drop` in the entry"
        )
    state = with_rows({**state, **head}, recipe, needed, spec.outputs, place)
    if recipe.match == "position":
        state = by_position(state, needed, place, contents.ordered)
    if differences := problems(state, needed):
        text = f"{place} does not fit {spec.arch or 'the network'}: {', '.join(differences)}"
        advice, loads = _advice.of_the_chosen(contents, chosen, spec, target)
        if not loads and (command := conversion(network, contents, chosen, spec)):
            raise CheckpointError(f"{text}. It has the names of another layout, which timm converts", remedy=command)
        raise CheckpointError(text + advice)
    return state, used_keys(chosen, recipe)


def _chosen(contents: Contents, spec: ModelSpec, target: Target) -> State:
    """The state dict that the recipe, or the usual place, names. Raises CheckpointError with what would load."""
    try:
        return contents.state_dict(spec.recipe.wrapper_keys, spec.recipe.drop)
    except CheckpointError as error:
        raise CheckpointError(f"model {spec.name!r}: {_advice.instead_of(error, contents, spec, target)}") from error


def _load(network: torch.nn.Module, state: State, spec: ModelSpec, files: Sequence[Path]) -> None:
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        text = " ".join(str(error).split())
        raise CheckpointError(f"{_place(spec, files)} does not fit {spec.arch}: {text}") from error
