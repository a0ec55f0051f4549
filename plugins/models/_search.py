"""Which recipes would load a file that does not fit: found by trying, and proved before they are advised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from harness import CheckpointError, LoadingRecipe

from ._globs import globs_for
from ._recipe import (
    COUNTER,
    adapted,
    by_position,
    differ_in_rows,
    leaf,
    len_of,
    origins,
    problems,
    rows_of,
    used_keys,
    with_rows,
)
from ._strays import WRAPPERS, foreign_keys, is_second_set, without_wrappers

if TYPE_CHECKING:
    import torch

    Tensors = Mapping[str, torch.Tensor]

_PREFIXES: Final = 4
"""Prefixes in one recipe; more are a renaming."""
BACKGROUND: Final = (1001, 1008)
"""Outputs of classifiers for ImageNet whose first one is a background class: 1008 has seven unused ones at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a file has to become.

    Attributes:
        needed: the network's state dict. outputs: its number of logits.
        head: what a second file already gives.
        constants: buffers that the network makes itself: they are no part of its state dict.
        ordered: whether the file keeps the order of the network that was saved.
        background: whether the first of 1,001 outputs may be a background class, as in networks from TensorFlow.
    """

    needed: Tensors
    outputs: int
    head: Tensors
    constants: Tensors
    ordered: bool = True
    background: bool = False

    @property
    def keys(self) -> set[str]:
        """The keys that the file must give."""
        return {key for key in self.needed if leaf(key) != COUNTER and key not in self.head}

    @property
    def rows(self) -> str:
        """The rows of a classifier without its first one."""
        return f"1:{self.outputs + 1}"

    def is_classifier(self, key: str, tensor: torch.Tensor) -> bool:
        """Whether this tensor is the network's `key` for another number of outputs."""
        return len_of(self.needed[key]) == self.outputs and differ_in_rows(tensor, self.needed[key])

    def has_background(self, tensor: torch.Tensor) -> bool:
        """Whether the first row of a classifier's tensor may belong to a background class."""
        return self.background and len_of(tensor) in BACKGROUND

    def takes(self, key: str, tensor: torch.Tensor) -> bool:
        """Whether the network's `key` could be this tensor, perhaps without its first row."""
        parameter = self.needed[key]
        return tensor.shape == parameter.shape or (
            self.has_background(tensor) and rows_of(tensor, parameter, self.rows, self.outputs) is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """The recipe that comes closest for the keys behind one prefix.

    Attributes:
        recipe: all of its steps. fits: whether the network loads with it, strictly.
        prefix: before the keys that match, in the file. matched: how many keys match. of: how many are needed.
        copies: further prefixes under which the keys lie once more.
        missing: keys that the file does not have. left_out: keys of the file that the recipe leaves out.
        second: whether those have the shapes of a second set of weights, under whatever names.
        foreign: keys inside the network's own modules that it does not have: the file is of another architecture.
    """

    recipe: LoadingRecipe
    fits: bool
    prefix: str
    matched: int
    of: int
    copies: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    second: bool = False
    foreign: tuple[str, ...] = ()


def suggestions(state: Tensors, recipe: LoadingRecipe, target: Target) -> tuple[Suggestion, ...]:
    """The recipe that fits the tensors of one state dict best, and those for further copies of the keys in it.

    Copies of equal values are one. Empty if not half of the network's keys are there.

    Args:
        recipe: the given one, whose head, wrapper and globals are kept.
    """
    candidates = _by_prefix(state, recipe, target)
    if not any(candidate.fits for candidate in candidates) and (plain := without_wrappers(state)):
        inside = [
            _wrapped(candidate, state, plain) for candidate in _by_prefix(plain, recipe, target) if candidate.fits
        ]
        candidates = tuple(candidate for candidate in inside if fits(state, candidate.recipe, target)) or candidates
    if candidates:
        return candidates
    whole, of = replace(_bare(recipe), match="position"), len(target.keys)
    fitting = Suggestion(recipe=whole, fits=True, prefix="", matched=of, of=of)
    return (fitting,) if fits(state, whole, target) else ()


def _by_prefix(state: Tensors, recipe: LoadingRecipe, target: Target) -> tuple[Suggestion, ...]:
    """Suggestions for the prefix with most of the network's keys, and for its copies; none below half of them."""
    votes = _votes(state, target)
    best = max(votes, key=lambda prefix: len(votes[prefix]), default="")
    matched = votes.get(best, set())
    if 2 * len(matched) < len(target.keys) or not matched:
        return ()
    copies = [prefix for prefix, keys in votes.items() if prefix != best and 2 * len(keys) > len(matched)]
    others = [copy for copy in copies if not _equal(state, best, copy, votes[best] & votes[copy])]
    first, *ways = _of_prefix(state, _bare(recipe), target, votes, best)
    further = [candidate for other in others for candidate in _of_prefix(state, _bare(recipe), target, votes, other)]
    # A classifier of another name belongs to one of the copies only.
    return (
        replace(first, copies=tuple(copies)),
        *ways,
        *(candidate for candidate in further if not candidate.recipe.rename),
    )


def fits(state: Tensors, recipe: LoadingRecipe, target: Target) -> bool:
    """Whether the network loads strictly from these tensors."""
    try:
        ready = {**adapted(dict(state), recipe, target.needed, ""), **target.head}
        ready = with_rows(ready, recipe, target.needed, target.outputs, "")
        if recipe.match == "position":
            ready = by_position(ready, target.needed, "", target.ordered)
    except CheckpointError:
        return False
    return not problems(ready, target.needed)


def _equal(state: Tensors, prefix: str, other: str, keys: set[str]) -> bool:
    """Whether the tensors behind two prefixes are the same."""
    import torch

    pairs = [(state.get(prefix + key), state.get(other + key)) for key in keys]
    return all(first is not None and second is not None and torch.equal(first, second) for first, second in pairs)


def _of_prefix(
    state: Tensors, bare: LoadingRecipe, target: Target, votes: Mapping[str, set[str]], prefix: str
) -> Iterator[Suggestion]:
    """What loads the keys behind `prefix`, in as many ways as there are classifiers; else what is missing."""
    covered: set[str] = set().union(*votes.values())
    missing = tuple(key for key in target.needed if key in target.keys - covered)
    candidate = Suggestion(recipe=bare, fits=False, prefix=prefix, matched=len(votes[prefix]), of=len(target.keys))
    foreign: tuple[str, ...] = ()
    for attempts in _attempts(state, bare, target, votes, prefix):
        fitting = [attempt for attempt in attempts if fits(state, attempt, target)]
        strange = {attempt: foreign_keys(state, attempt, target.needed, target.constants) for attempt in fitting}
        foreign = foreign or next((keys for keys in strange.values() if keys), ())
        if sound := [attempt for attempt in fitting if not strange[attempt]]:
            for attempt in sound:
                used = used_keys(state, attempt)
                left_out = tuple(key for key in state if key not in used)
                second = is_second_set(left_out, state, {key: target.needed[key] for key in target.keys})
                yield replace(candidate, recipe=attempt, fits=True, left_out=left_out, second=second)
            return
    yield replace(candidate, missing=missing, foreign=foreign)


def _wrapped(candidate: Suggestion, state: Tensors, plain: Mapping[str, torch.Tensor]) -> Suggestion:
    """A suggestion for keys without the names of wrappers, as one for the keys with them.

    Args:
        plain: the tensors of `state`, in the same order.
    """
    used = used_keys(plain, candidate.recipe)
    left_out = tuple(key for key, short in zip(state, plain, strict=True) if short not in used)
    steps = tuple(("^" + prefix.replace(".", r"\."), "") for prefix in candidate.recipe.strip_prefixes)
    recipe = replace(
        candidate.recipe,
        select_prefix=None,
        strip_prefixes=(),
        drop=globs_for(left_out, state),
        rename=((WRAPPERS.pattern, ""), *steps, *candidate.recipe.rename),
    )
    return replace(candidate, recipe=recipe, left_out=left_out)


def _bare(recipe: LoadingRecipe) -> LoadingRecipe:
    """The recipe without the steps that are searched for."""
    return replace(recipe, select_prefix=None, strip_prefixes=(), drop=(), rename=(), match="name", rows=None)


def _votes(state: Tensors, target: Target) -> dict[str, set[str]]:
    """Prefix of the file -> the network's keys that follow it there, with equal shapes."""
    votes: dict[str, set[str]] = {}
    keys = target.keys
    try:
        whole = adapted(dict(state), LoadingRecipe(), target.needed, "")
    except CheckpointError:  # a weight in parts that cannot be put together: whoever loads it says so
        return votes
    for key, tensor in whole.items():
        parts = key.split(".")
        for start in range(len(parts)):
            short = ".".join(parts[start:])
            if short in keys and target.takes(short, tensor):
                votes.setdefault(key[: len(key) - len(short)], set()).add(short)
    return votes


def _attempts(
    state: Tensors, bare: LoadingRecipe, target: Target, votes: Mapping[str, set[str]], prefix: str
) -> Iterator[list[LoadingRecipe]]:
    """Recipes worth trying, the simplest first; those of one list differ in the classifier that they take."""
    stripped = replace(bare, strip_prefixes=(prefix,) if prefix else ())
    several = replace(bare, strip_prefixes=tuple(filter(None, _cover(votes, prefix))))
    selected = replace(stripped, select_prefix=prefix) if prefix else stripped
    begun = list(dict.fromkeys([stripped, selected, several]))
    whole = [[start] for start in begun] + [_with_classifier(state, start, target) for start in begun]
    narrow = [[replace(attempt, drop=_leftover(state, attempt, target)) for attempt in attempts] for attempts in whole]
    narrow.sort(key=lambda attempts: len(attempts[0].drop) if attempts else 0)
    for attempts in (*whole, *narrow):
        yield attempts
        if any(map(target.has_background, state.values())):
            yield [replace(attempt, rows=target.rows) for attempt in attempts]


def _cover(votes: Mapping[str, set[str]], best: str) -> list[str]:
    """Prefixes that together lead to most keys, the best first."""
    cover, covered = [best], set(votes[best])
    while len(cover) < _PREFIXES:
        further = max(votes, key=lambda prefix: len(votes[prefix] - covered))
        if not votes[further] - covered:
            break
        cover.append(further)
        covered |= votes[further]
    return cover


def _with_classifier(state: Tensors, recipe: LoadingRecipe, target: Target) -> list[LoadingRecipe]:
    """`recipe` with a renaming of the classifier, for each other module of the file that has exactly its tensors.

    No other module is renamed: equal shapes elsewhere do not make two modules the same.
    """
    here = {short: state[key] for short, key in _short(state, recipe).items()}
    absent = {key for key in target.keys if key not in here}
    absent_modules = _modules({key: target.needed[key] for key in absent})
    spare = _modules({key: tensor for key, tensor in here.items() if key not in target.needed})
    if len(absent_modules) != 1:
        return []
    ((name, leaves),) = absent_modules.items()
    if not all(len(target.needed[f"{name}.{end}"]) == target.outputs for end in leaves):
        return []
    same = [
        other
        for other, held in spare.items()
        if held == leaves and all(target.takes(f"{name}.{end}", here[f"{other}.{end}"]) for end in leaves)
    ]
    return [replace(recipe, rename=(("^" + module.replace(".", r"\.") + r"\.", f"{name}."),)) for module in same]


def _short(state: Tensors, recipe: LoadingRecipe) -> dict[str, str]:
    try:
        return origins(state, recipe, "")
    except CheckpointError:
        return {}


def _modules(state: Tensors) -> dict[str, frozenset[str]]:
    """Module -> the last parts of its keys."""
    modules: dict[str, set[str]] = {}
    for key in state:
        modules.setdefault(key.rpartition(".")[0], set()).add(leaf(key))
    return {name: frozenset(leaves) for name, leaves in modules.items()}


def _leftover(state: Tensors, recipe: LoadingRecipe, target: Target) -> tuple[str, ...]:
    """Globs for the keys that the network does not have, as short as they can be."""
    try:
        ready = adapted(dict(state), replace(recipe, rename=()), target.needed, "")
    except CheckpointError:
        return ()
    moved = {key for key in ready if any(key.startswith(old[1:].replace("\\", "")) for old, _ in recipe.rename)}
    return globs_for([key for key in ready if key not in target.needed and key not in moved], ready)
