"""What a command asks for: which networks, what is left to train, with what means; all that can be wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import RequestError, UnknownNameError, cache_dir

from .recipe import Recipe
from .storage import Place, origin

OWN_RECIPES = Path(__file__).resolve().parent / "recipes.yaml"
"""Those of the zoo itself."""


def chosen_of(known: Mapping[str, Recipe], only: Sequence[str], file: Path) -> dict[str, Recipe]:
    """The recipes named in `only`, all if it is empty. Raises UnknownNameError."""
    for name in only:
        if name not in known:
            raise UnknownNameError("network", name, known, f"See: {file}")
    return {name: recipe for name, recipe in known.items() if not only or name in only}


def left_of(chosen: Mapping[str, Recipe], known: Mapping[str, Recipe], folder: Path) -> dict[str, str]:
    """Name -> why it has to be trained, in the order of the file.

    Raises:
        RequestError: what a network begins with is unknown, not trained, or begins in the end with that network.
    """
    left: dict[str, str] = {}
    for name, recipe in chosen.items():
        _refuse_circle(name, chosen)
        reason = Place(folder, name).why_not(recipe)
        if reason is not None:
            _refuse_start(name, recipe.start, chosen, known, folder)
            left[name] = reason
    while late := [name for name, recipe in chosen.items() if name not in left and recipe.start in left]:
        left |= {name: f"{chosen[name].start}, with which it begins, is trained again" for name in late}
    return {name: left[name] for name in chosen if name in left}


def _refuse_circle(name: str, chosen: Mapping[str, Recipe]) -> None:
    met, at = [name], chosen[name].start
    while at is not None and at in chosen:
        if at in met:
            raise RequestError(f"no network can be the first of {' <- '.join([*met, at])}; take out one `start`")
        met.append(at)
        at = chosen[at].start


def _refuse_start(
    name: str, start: str | None, chosen: Mapping[str, Recipe], known: Mapping[str, Recipe], folder: Path
) -> None:
    if start is None or start in chosen or origin(start, folder).card.exists():
        return
    if start in known:
        raise RequestError(f"{name} begins with {start}, which is not trained yet; add --only {start}")
    available = [
        *known,
        *(file.stem for place in (folder, origin(start, folder).folder) for file in place.glob("*.json")),
    ]
    raise UnknownNameError(f"start of {name}:", start, {*available} - {name}, f"See: {folder}")


def refuse_device(device: str) -> None:
    """Raises RequestError unless networks can be trained there."""
    if device == "cpu":
        return
    import torch

    if device != "cuda" or not torch.cuda.is_available():
        raise RequestError(f"device {device!r} is not here; available: cpu{', cuda' * torch.cuda.is_available()}")


def workers_of(jobs: int, device: str) -> int:
    """Processes at a time: as asked for, else one a core, or one on a GPU."""
    if jobs or device == "cuda":
        return jobs or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def writable(folder: Path) -> Path:
    """`folder`, made if need be. Raises RequestError if nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"cannot make the folder {folder}: {error.strerror}; choose another with --out") from error
    if not os.access(folder, os.W_OK):
        raise RequestError(f"cannot write into {folder}: no permission; choose another folder with --out")
    return folder


def image_cache() -> Path:
    """Where training images are kept: ``zoo`` in the cache folder of the harness. May not exist yet."""
    return cache_dir() / "zoo"
