"""Weights that were saved while a schedule-free optimizer was training: another point than the one that is evaluated.

Reference: Defazio et al. 2024 (The Road Less Scheduled): its optimizers swap the weights in ``eval()`` and ``train()``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from harness import CheckpointError, Contents, ModelSpec

from ._globs import matches

_DEPTH: Final = 6


def in_training(spec: ModelSpec, contents: Contents) -> tuple[str, ...]:
    """A remark for each such optimizer whose state the recipe's `drop` names.

    Raises:
        CheckpointError: `drop` does not name it.
    """
    places = list(_training(contents.loaded, (), set()))
    unnamed = [place for place in places if not matches(place, spec.recipe.drop)]
    what = "was in training mode when the file was saved, so its weights are not those that it evaluates"
    if unnamed:
        raise CheckpointError(
            f"model {spec.name!r}: {contents.path} has the state of a schedule-free optimizer (`{unnamed[0]}`) that "
            f"{what}: call optimizer.eval() and save them again or, to have these, write `drop: ['{unnamed[0]}']` in "
            "the entry's recipe"
        )
    return tuple(f"the schedule-free optimizer `{place}` {what}" for place in places)


def _training(value: Any, keys: tuple[str, ...], seen: set[int]) -> Iterator[str]:
    """The keys that lead to the state of an optimizer in training mode, with dots between them; each object once."""
    if not isinstance(value, Mapping | list) or len(keys) > _DEPTH or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Mapping) and isinstance(groups := value.get("param_groups"), list):
        if any(isinstance(group, Mapping) and group.get("train_mode") is True for group in groups):
            yield ".".join(keys)
        return
    for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
        yield from _training(item, (*keys, str(key)), seen)
