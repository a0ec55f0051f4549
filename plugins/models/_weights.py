"""From checkpoint files to a network with exactly these weights: the loader that all sources share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness import (
    CheckpointError,
    Contents,
    Download,
    ModelSpec,
    Scheme,
    check_digest,
    expected_digest,
    locate_first,
    read_checkpoint,
    sha256_of,
    shards_of,
)

from ._normalization import disagreeing, of_another_configuration, refuse_other
from ._recipe import adapted, by_position, listed, problems, renamed, used_keys, with_rows
from ._search import Suggestion, Target, as_yaml, described, suggestion

if TYPE_CHECKING:
    import torch

    State = dict[str, torch.Tensor]


def weight_files(spec: ModelSpec, schemes: Mapping[str, Scheme] | None = None) -> tuple[Path, ...]:
    """The checkpoint file, the head file if the recipe has one, and the shards that either names if it is an index.

    Raises:
        CheckpointError: a file is not on this machine.
    """
    head = (spec.recipe.head,) if spec.recipe.head is not None else ()
    files = (locate_first(spec, spec.weights, schemes), *(locate_first(spec, (uri,), schemes) for uri in head))
    return (*files, *(shard for path in files for shard in shards_of(path)))


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
    found = disagreeing(spec, contents.loaded, _keys(spec, contents), used)
    left_out = refuse_other(spec, f"model {spec.name!r}: {files[0]}", found)
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


def _keys(spec: ModelSpec, contents: Contents) -> tuple[str, ...]:
    return spec.recipe.wrapper_keys or contents.usual_keys()


def _fitting(
    network: torch.nn.Module, spec: ModelSpec, contents: Contents, head: State, files: Sequence[Path]
) -> tuple[State, set[str]]:
    """The state dict of the network, and the keys of the file that it comes from. Raises CheckpointError."""
    recipe, needed, place = spec.recipe, network.state_dict(), _place(spec, files)
    target = Target(needed=needed, outputs=spec.outputs, head=head, background=spec.label_space == "imagenet-1k")
    chosen = _chosen(contents, spec, target)
    state = adapted(chosen, recipe, needed, f"model {spec.name!r}: {files[0]}")
    if duplicates := [key for key in head if key in state]:
        raise CheckpointError(
            f"model {spec.name!r}: {files[0]} and its head {files[1]} both contain {listed(duplicates)}; "
            "leave one out with `drop` in the entry"
        )
    state = with_rows({**state, **head}, recipe, needed, spec.outputs, place)
    if recipe.match == "position":
        state = by_position(state, needed, place)
    if found := problems(state, needed):
        text = f"{place} does not fit {spec.arch or 'the network'}: {', '.join(found)}"
        raise CheckpointError(text + _hint(contents, chosen, spec, target))
    return state, used_keys(chosen, recipe)


def _chosen(contents: Contents, spec: ModelSpec, target: Target) -> State:
    """The state dict that the recipe, or the usual place, names. Raises CheckpointError with what would load."""
    try:
        return contents.state_dict(spec.recipe.wrapper_keys, spec.recipe.drop)
    except CheckpointError as error:
        raise CheckpointError(f"model {spec.name!r}: {error.reason}{_any_hint(contents, spec, target)}") from error


def _load(network: torch.nn.Module, state: State, spec: ModelSpec, files: Sequence[Path]) -> None:
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        text = " ".join(str(error).split())
        raise CheckpointError(f"{_place(spec, files)} does not fit {spec.arch}: {text}") from error


def _hint(contents: Contents, chosen: State, spec: ModelSpec, target: Target) -> str:
    """Which recipe would load the file: for the state dict that is chosen, else for another one in it."""
    if elsewhere := _elsewhere(chosen, spec, target):
        return elsewhere
    best = suggestion(chosen, spec.recipe, target)
    if not (best and best.fits):
        others = _suggestions(contents, spec, target)
        best = next((one for one in others if one.fits), best or next(iter(others), None))
    return described(best, _beside(contents, spec, best)) if best else ""


def _elsewhere(chosen: State, spec: ModelSpec, target: Target) -> str:
    """What to change in the entry outside its recipe: the pooling of a transformer, or the number of outputs."""
    state = adapted(chosen, spec.recipe, target.needed, "") | dict(target.head)
    if (spec.arch or "").startswith("timm:"):
        for here, there, pool in (("fc_norm.weight", "norm.weight", "avg"), ("norm.weight", "fc_norm.weight", "token")):
            if here in state and there in target.needed and not (there in state or here in target.needed):
                return f". Its pooling is another one: write `options: {{global_pool: {pool}}}` in the entry"
    widths = {len(state[key]) for key in state if key in target.needed and target.is_classifier(key, state[key])}
    if len(widths) == 1 and not (target.background and widths == {target.outputs + 1}):
        (width,) = widths
        return f". It answers {width} classes: write `outputs: {width}` in the entry, and their `label_space`"
    return ""


def _any_hint(contents: Contents, spec: ModelSpec, target: Target) -> str:
    """The recipe for each state dict of the file that loads, if it is more than unwrapping, and which do not load."""
    found = _suggestions(contents, spec, target)
    fitting, partial = [one for one in found if one.fits], [one for one in found if not one.fits]
    lacking = [f"`{'.'.join(one.recipe.wrapper_keys)}` has {one.matched} of {one.of} keys" for one in partial]
    text = f". {listed(lacking)}: not enough to load" if lacking else ""
    if not any(map(_steps, fitting)):
        return text
    lines = " or ".join(f"`recipe: {as_yaml(one.recipe)}`{_beside(contents, spec, one)}" for one in fitting[:4])
    return f"{text}. The whole of it: {lines}"


def _steps(found: Suggestion) -> bool:
    recipe = found.recipe
    return bool(recipe.select_prefix or recipe.strip_prefixes or recipe.drop or recipe.rename or recipe.rows)


def _suggestions(contents: Contents, spec: ModelSpec, target: Target) -> list[Suggestion]:
    """What each state dict below a key of the file would need to load, which includes dropping what is no tensor."""
    suggestions = []
    for group in contents.weights:
        if group.named and group.keys:
            found = suggestion(group.tensors, replace(spec.recipe, wrapper_keys=group.keys), target)
            if found:
                recipe = replace(found.recipe, drop=(*found.recipe.drop, *group.others))
                suggestions.append(replace(found, recipe=recipe))
    return suggestions


def _beside(contents: Contents, spec: ModelSpec, found: Suggestion) -> str:
    """The lines on the normalization that the entry needs beside the suggested recipe."""
    if not found.fits:
        return ""
    keys = found.recipe.wrapper_keys or contents.usual_keys()
    used = used_keys(contents.state_dict(keys, found.recipe.drop), found.recipe)
    entry = replace(spec, recipe=found.recipe)
    lines = dict.fromkeys(one.lines(spec) for one, _ in disagreeing(entry, contents.loaded, keys, used))
    return "".join(f" and {line}" for line in lines)
