"""Which recipe would load a file that does not fit: found by trying, and proved before it is advised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from harness import CheckpointError, LoadingRecipe

from ._recipe import (
    COUNTER,
    adapted,
    by_position,
    differ_in_rows,
    leaf,
    len_of,
    listed,
    matches,
    origins,
    problems,
    rows_of,
    used_keys,
    with_rows,
)

if TYPE_CHECKING:
    import torch

    Tensors = Mapping[str, torch.Tensor]

_PREFIXES: Final = 4
"""Prefixes in one recipe; more are a renaming."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a file has to become.

    Attributes:
        needed: the network's state dict. outputs: its number of logits.
        head: what a second file already gives.
        background: whether one output too many may be a background class, first, as in networks from TensorFlow.
    """

    needed: Tensors
    outputs: int
    head: Tensors
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

    def takes(self, key: str, tensor: torch.Tensor) -> bool:
        """Whether the network's `key` could be this tensor, perhaps without its first row."""
        parameter = self.needed[key]
        return tensor.shape == parameter.shape or (
            self.background and rows_of(tensor, parameter, self.rows, self.outputs) is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """The recipe that comes closest.

    Attributes:
        recipe: all of its steps. fits: whether the network loads with it, strictly.
        prefix: before the keys that match, in the file. matched: how many keys match. of: how many are needed.
        copies: further prefixes under which the keys lie once more.
        missing: keys that the file does not have. left_out: how many keys of the file the recipe leaves out.
    """

    recipe: LoadingRecipe
    fits: bool
    prefix: str
    matched: int
    of: int
    copies: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    left_out: int = 0


def suggestion(state: Tensors, recipe: LoadingRecipe, target: Target) -> Suggestion | None:
    """The recipe that fits the tensors of one state dict best; None if not half of the network's keys are there.

    Args:
        recipe: the given one, whose head, wrapper and globals are kept.
    """
    by_prefix = _votes(state, target)
    if not by_prefix:
        return _whole(state, replace(_bare(recipe), match="position"), target)
    best = max(by_prefix, key=lambda prefix: len(by_prefix[prefix]))
    matched = len(by_prefix[best])
    copies = tuple(one for one, keys in by_prefix.items() if one != best and 2 * len(keys) > matched and len(keys) > 1)
    if 2 * matched < len(target.keys):
        return _whole(state, replace(_bare(recipe), match="position"), target)
    missing = tuple(key for key in target.needed if key in target.keys - _covered(by_prefix))
    facts = {"prefix": best, "matched": matched, "of": len(target.keys), "copies": copies}
    for attempt in _attempts(state, _bare(recipe), target, by_prefix, best):
        if fits(state, attempt, target):
            left_out = len(state) - len(used_keys(state, attempt))
            return Suggestion(recipe=attempt, fits=True, left_out=left_out, **facts)  # type: ignore[arg-type]
    return Suggestion(recipe=recipe, fits=False, missing=missing, **facts)  # type: ignore[arg-type]


def fits(state: Tensors, recipe: LoadingRecipe, target: Target) -> bool:
    """Whether the network loads strictly from these tensors."""
    try:
        ready = {**adapted(dict(state), recipe, target.needed, ""), **target.head}
        ready = with_rows(ready, recipe, target.needed, target.outputs, "")
        if recipe.match == "position":
            ready = by_position(ready, target.needed, "")
    except CheckpointError:
        return False
    return not problems(ready, target.needed)


def _whole(state: Tensors, recipe: LoadingRecipe, target: Target) -> Suggestion | None:
    """`recipe` if it fits."""
    of = len(target.keys)
    return Suggestion(recipe=recipe, fits=True, prefix="", matched=of, of=of) if fits(state, recipe, target) else None


def _bare(recipe: LoadingRecipe) -> LoadingRecipe:
    """The recipe without the steps that are searched for."""
    return replace(recipe, select_prefix=None, strip_prefixes=(), drop=(), rename=(), match="name", rows=None)


def _votes(state: Tensors, target: Target) -> dict[str, set[str]]:
    """Prefix of the file -> the network's keys that follow it there, with equal shapes."""
    votes: dict[str, set[str]] = {}
    keys = target.keys
    for key, tensor in adapted(dict(state), LoadingRecipe(), target.needed, "").items():
        parts = key.split(".")
        for start in range(len(parts)):
            short = ".".join(parts[start:])
            if short in keys and target.takes(short, tensor):
                votes.setdefault(key[: len(key) - len(short)], set()).add(short)
    return votes


def _covered(by_prefix: Mapping[str, set[str]]) -> set[str]:
    return set().union(*by_prefix.values())


def _attempts(
    state: Tensors, bare: LoadingRecipe, target: Target, by_prefix: Mapping[str, set[str]], best: str
) -> Iterator[LoadingRecipe]:
    """Recipes worth trying, the simplest first."""
    one = replace(bare, strip_prefixes=(best,) if best else ())
    several = replace(bare, strip_prefixes=tuple(filter(None, _cover(by_prefix, best))))
    selected = replace(one, select_prefix=best) if best else one
    whole = [
        attempt for begun in (one, selected, several) for attempt in (begun, _with_classifier(state, begun, target))
    ]
    narrow = [replace(attempt, drop=_leftover(state, attempt, target)) for attempt in whole]
    for attempt in dict.fromkeys((*whole, *narrow)):
        yield attempt
        if target.background:
            yield replace(attempt, rows=target.rows)


def _cover(by_prefix: Mapping[str, set[str]], best: str) -> list[str]:
    """Prefixes that together lead to most keys, the best first."""
    cover, covered = [best], set(by_prefix[best])
    while len(cover) < _PREFIXES:
        further = max(by_prefix, key=lambda prefix: len(by_prefix[prefix] - covered))
        if not by_prefix[further] - covered:
            break
        cover.append(further)
        covered |= by_prefix[further]
    return cover


def _with_classifier(state: Tensors, recipe: LoadingRecipe, target: Target) -> LoadingRecipe:
    """`recipe` with a renaming of the classifier, where one other module of the file has exactly its tensors.

    No other module is renamed: equal shapes elsewhere do not make two modules the same.
    """
    here = {short: state[key] for short, key in _short(state, recipe).items()}
    absent = {key for key in target.keys if key not in here}
    wanted = _modules({key: target.needed[key] for key in absent})
    spare = _modules({key: tensor for key, tensor in here.items() if key not in target.needed})
    if len(wanted) != 1:
        return recipe
    ((name, leaves),) = wanted.items()
    if not all(len(target.needed[f"{name}.{one}"]) == target.outputs for one in leaves):
        return recipe
    same = [
        other
        for other, held in spare.items()
        if held == leaves and all(target.takes(f"{name}.{one}", here[f"{other}.{one}"]) for one in leaves)
    ]
    if len(same) != 1:
        return recipe
    return replace(recipe, rename=(("^" + same[0].replace(".", r"\.") + r"\.", f"{name}."),))


def _short(state: Tensors, recipe: LoadingRecipe) -> dict[str, str]:
    try:
        return origins(state, recipe, "")
    except CheckpointError:
        return {}


def _modules(state: Tensors) -> dict[str, frozenset[str]]:
    """Module -> the last parts of its keys."""
    found: dict[str, set[str]] = {}
    for key in state:
        found.setdefault(key.rpartition(".")[0], set()).add(leaf(key))
    return {name: frozenset(leaves) for name, leaves in found.items()}


def _leftover(state: Tensors, recipe: LoadingRecipe, target: Target) -> tuple[str, ...]:
    """Globs for the keys that the network does not have, as short as they can be."""
    try:
        ready = adapted(dict(state), replace(recipe, rename=()), target.needed, "")
    except CheckpointError:
        return ()
    moved = {key for key in ready if any(key.startswith(old[1:].replace("\\", "")) for old, _ in recipe.rename)}
    stray = [key for key in ready if key not in target.needed and key not in moved]
    globs: list[str] = []
    for key in stray:
        if not matches(key, globs):
            globs.append(_glob(key, ready, set(stray)))
    return tuple(globs)


def _glob(key: str, ready: Tensors, stray: set[str]) -> str:
    """The shortest glob of the form ``module.*`` that matches stray keys only; else the key."""
    parts = key.split(".")
    for length in range(1, len(parts)):
        glob = ".".join((*parts[:length], "*"))
        if all(other in stray for other in ready if matches(other, [glob])):
            return glob
    return key


def described(found: Suggestion, beside: str = "") -> str:
    """What the message says about a suggestion. `beside`: what the entry needs beside the recipe."""
    counted = f"{found.matched} of {found.of} keys match" + (f" after `{found.prefix}`" if found.prefix else "")
    counted += f"; the same keys lie under {listed(f'`{one}`' for one in found.copies)} too" if found.copies else ""
    if found.fits:
        careful = f" (which leaves out {found.left_out} other keys of the file)" if found.left_out else ""
        careful += " (if the first output is a background class)" if found.recipe.rows else ""
        return f". {counted}. It loads with `recipe: {as_yaml(found.recipe)}`{beside}{careful}"
    if not found.prefix and not found.copies:
        return ""
    lacking = f"; not in the file: {listed(found.missing)}" if found.missing else ""
    head = ". If another file holds the classifier, give its URI as `head`" if _is_classifier(found) else ""
    return f". {counted}{lacking}{head}"


def _is_classifier(found: Suggestion) -> bool:
    return 0 < len(found.missing) <= 2 and len(Counter(key.rpartition(".")[0] for key in found.missing)) == 1


def as_yaml(recipe: LoadingRecipe) -> str:
    """The recipe as one line of YAML, without what is left at its default."""
    import yaml

    default = asdict(LoadingRecipe())
    given = {name: value for name, value in asdict(recipe).items() if value != default[name] and name != "rows"}
    plain = {name: _plain(value) for name, value in given.items()}
    lines = [
        yaml.safe_dump({name: value}, default_flow_style=True, width=1e9).strip()[1:-1] for name, value in plain.items()
    ]
    lines += [f'rows: "{recipe.rows}"'] if recipe.rows else []
    return "{" + ", ".join(lines) + "}"


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
