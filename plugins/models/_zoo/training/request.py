"""The request of a command: which networks are trained, why, and with which resources; all checks of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import RequestError, UnknownNameError, cache_dir

from .recipe import Recipe
from .storage import Place, origin

OWN_RECIPES = Path(__file__).resolve().parent / "recipes.yaml"
"""The recipes of the zoo."""


def selected_recipes(available: Mapping[str, Recipe], only: Sequence[str], file: Path) -> dict[str, Recipe]:
    """The recipes named in `only`; all recipes if it is empty. Raises UnknownNameError."""
    for name in only:
        if name not in available:
            raise UnknownNameError("network", name, available, f"See: {file}")
    return {name: recipe for name, recipe in available.items() if not only or name in only}


def reasons_to_train(selected: Mapping[str, Recipe], available: Mapping[str, Recipe], folder: Path) -> dict[str, str]:
    """Name -> why it has to be trained, in the order of the file.

    Raises:
        RequestError: the start of a network is unknown, not trained, or depends on that network.
    """
    pending: dict[str, str] = {}
    for name, recipe in selected.items():
        _refuse_circle(name, selected)
        reason = Place(folder, name).why_not(recipe)
        if reason is not None:
            _refuse_start(name, recipe.start, selected, available, folder)
            pending[name] = reason
    while followers := [name for name, recipe in selected.items() if name not in pending and recipe.start in pending]:
        pending |= {name: f"{selected[name].start}, from which it starts, is trained again" for name in followers}
    return {name: pending[name] for name in selected if name in pending}


def _refuse_circle(name: str, selected: Mapping[str, Recipe]) -> None:
    chain, current = [name], selected[name].start
    while current is not None and current in selected:
        if current in chain:
            raise RequestError(f"networks start from each other: {' <- '.join([*chain, current])}; remove one `start`")
        chain.append(current)
        current = selected[current].start


def _refuse_start(
    name: str, start: str | None, selected: Mapping[str, Recipe], recipes: Mapping[str, Recipe], folder: Path
) -> None:
    if start is None or start in selected or origin(start, folder).card.exists():
        return
    if start in recipes:
        raise RequestError(f"{name} starts from {start}, which is not trained yet; add --only {start}")
    available = [
        *recipes,
        *(file.stem for place in (folder, origin(start, folder).folder) for file in place.glob("*.json")),
    ]
    raise UnknownNameError(f"start of {name}:", start, {*available} - {name}, f"See: {folder}")


def refuse_device(device: str) -> None:
    """Raise RequestError unless networks can be trained on `device`."""
    if device == "cpu":
        return
    import torch

    if device != "cuda" or not torch.cuda.is_available():
        raise RequestError(f"no device {device!r} here; available: cpu{', cuda' * torch.cuda.is_available()}")


def workers_of(jobs: int, device: str) -> int:
    """Number of parallel processes: `jobs`; if 0, one for each core, or one on a GPU."""
    if jobs or device == "cuda":
        return jobs or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def writable(folder: Path) -> Path:
    """`folder`, created if necessary. Raises RequestError if it is not writable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"cannot create the folder {folder}: {error.strerror}; choose another with --out") from error
    if not os.access(folder, os.W_OK):
        raise RequestError(f"cannot write into {folder}: no permission; choose another folder with --out")
    return folder


def image_cache() -> Path:
    """The cache of training images: ``zoo`` in the cache folder of the harness. It may not exist yet."""
    return cache_dir() / "zoo"
