"""Numbers in a checkpoint that look like the normalization of images, compared with the entry's mean and std.

Robustness libraries keep the normalization in the file (``normalizer.new_mean``), other scripts in their configuration.
A network that gets images on another scale loses accuracy without an error, so a difference is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from harness import CheckpointError, ModelSpec

from ._file_normalization import FileNormalization, in_brackets, normalizations
from ._globs import matches
from ._recipe import origins


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
    effective = [normalization for normalization in held if not normalization.is_identity] or held
    others = []
    for normalization in effective:
        if not normalization.agrees(spec):
            short = [name.removeprefix(".".join((*keys, ""))) for name in normalization.names]
            named = all(
                _is_named(name, spec) or matches(full, spec.recipe.drop)
                for name, full in zip(short, normalization.names, strict=True)
            )
            others.append((normalization, named))
    return others


def _is_named(key: str, spec: ModelSpec) -> bool:
    """Whether `drop` names the key, as it is in the file or after stripping."""
    prefix = spec.recipe.select_prefix or ""
    stripped = origins([key], spec.recipe, "") if key.startswith(prefix) else {}
    return any(matches(form, spec.recipe.drop) for form in (key, *stripped))


def refuse_other(spec: ModelSpec, place: str, normalizations: list[tuple[FileNormalization, bool]]) -> tuple[str, ...]:
    """Remarks on normalizations of the file that `drop` names.

    Raises:
        CheckpointError: the file holds one that neither the entry states nor `drop` names.
    """
    given = f"mean {in_brackets(spec.mean)} and std {in_brackets(spec.std)}" if spec.mean else "no mean and std"
    if unnamed := [normalization for normalization, named in normalizations if not named]:
        shown = " and ".join(map(str, unnamed))
        raise CheckpointError(
            f"{place} holds a normalization that is not the entry's: {shown}; the entry states {given}. "
            + _lines(spec, unnamed)
        )
    return tuple(
        f"the file's own normalization is left out: {normalization}; the entry states {given}"
        for normalization, _ in normalizations
    )


def _lines(spec: ModelSpec, unnamed: Sequence[FileNormalization]) -> str:
    """What to write for normalizations that the entry does not have."""
    drop = (
        "`drop: ["
        + ", ".join(f"'{name}'" for normalization in unnamed for name in normalization.names)
        + "]` in its recipe"
    )
    if lines := " or ".join(
        dict.fromkeys(normalization.lines(spec) for normalization in unnamed if not normalization.values)
    ):
        return f"Write {lines} in the entry or, if the network was trained without it, {drop}"
    return f"Their meaning is not known: write the `mean` and `std` that they stand for in the entry, and {drop}"


def of_another_configuration(spec: ModelSpec) -> tuple[str, ...]:
    """A remark where timm states another mean and std for the weights, or the architecture, that the entry names."""
    library, _, name = (spec.arch or "").rpartition(":")
    if library != "timm" and (library or spec.source != "timm"):
        return ()
    import timm

    config = timm.get_pretrained_cfg(name)
    if config is None or (config.mean, config.std) == (spec.mean, spec.std):
        return ()
    given = f"mean {in_brackets(spec.mean)} and std {in_brackets(spec.std)}" if spec.mean else "no normalization"
    return (
        f"the entry states {given}; timm's configuration of {name} is mean {in_brackets(config.mean)} and std "
        f"{in_brackets(config.std)}",
    )
