"""What a message says of a file that does not load: the lines of an entry that load it, each proved beforehand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from harness import CheckpointError, Contents, LoadingRecipe, ModelSpec

from ._normalization import disagreeing
from ._recipe import adapted, listed, used_keys
from ._search import Suggestion, Target, suggestions

if TYPE_CHECKING:
    import torch

    State = Mapping[str, torch.Tensor]

_MOST: Final = 4
"""Recipes in one message."""
_SHARD: Final = re.compile(r"-\d{5}-of-\d{5}(\.\w+)$")


def of_the_chosen(contents: Contents, chosen: State, spec: ModelSpec, target: Target) -> tuple[str, bool]:
    """Which lines would load the file: for the state dict that is chosen, else for another one in it.

    Returns:
        What the message says, and whether some line of it loads the file.
    """
    if elsewhere := _of_a_shard(contents, spec) or _elsewhere(chosen, spec, target):
        return elsewhere, True
    keys = contents.keys_to(spec.recipe.wrapper_keys)
    candidates = _within(contents, chosen, keys, spec.recipe, target)
    if not _fitting(candidates):
        others = of_all(contents, spec, target)
        candidates = _fitting(others) or candidates or others[:1]
    if not _fitting(candidates):
        for width in _other_widths(chosen, target):
            wide = _within(contents, chosen, keys, spec.recipe, _with_outputs(target, width))
            if _fitting(wide):
                beside = f" and `outputs: {width}`, with their `label_space`"
                return _described(contents, spec, wide, beside), True
    text = _described(contents, spec, candidates) + _with_head(contents, chosen, keys, spec, target, candidates)
    return text, bool(_fitting(candidates))


def _fitting(candidates: Sequence[Suggestion]) -> list[Suggestion]:
    return [candidate for candidate in candidates if candidate.fits]


def _with_head(
    contents: Contents,
    chosen: State,
    keys: Sequence[str],
    spec: ModelSpec,
    target: Target,
    candidates: Sequence[Suggestion],
) -> str:
    """The recipe for a backbone whose classifier is in another file; empty if that is not what is missing."""
    if not candidates or candidates[0].fits or not _is_classifier(candidates[0]):
        return ""
    head = {key: target.needed[key] for key in candidates[0].missing}
    whole = _within(contents, chosen, keys, spec.recipe, replace(target, head=head))
    lines = [
        f"`recipe: {as_yaml(replace(candidate.recipe, head='file:CLASSIFIER'))}`"
        for candidate in _fitting(whole[:_MOST])
    ]
    return f": {' or '.join(lines)}" if lines else ""


def instead_of(error: CheckpointError, contents: Contents, spec: ModelSpec, target: Target) -> str:
    """What `error` says, with the whole recipe for each state dict of the file that loads.

    Where a recipe would do no more than unwrap, the lines that the error has are shorter.
    """
    candidates = of_all(contents, spec, target)
    fitting = _fitting(candidates)
    partial = [candidate for candidate in candidates if not candidate.fits]
    texts = [
        f"`{'.'.join(candidate.recipe.wrapper_keys)}` has {candidate.matched} of {candidate.of} keys"
        for candidate in partial
    ]
    absent = f". {listed(texts)}: not enough to load" if texts else ""
    if not any(map(_steps, fitting)):
        return error.reason + absent
    return f"{error.finding}{absent}. It loads with {_lines(contents, spec, fitting)}"


def of_all(contents: Contents, spec: ModelSpec, target: Target) -> list[Suggestion]:
    """What each state dict of the file would need to load, which includes dropping what is no tensor."""
    groups = [group for group in contents.weights if group.named and (group.keys or group.others)]
    return [
        candidate
        for group in groups
        for candidate in _within(
            contents, group.tensors, group.keys, replace(spec.recipe, wrapper_keys=group.keys), target
        )
    ]


def _within(
    contents: Contents, state: State, keys: Sequence[str], recipe: LoadingRecipe, target: Target
) -> list[Suggestion]:
    """What the state dict under `keys` would need to load."""
    group = contents.group(keys)
    others = group.others if group else ()
    return [
        replace(candidate, recipe=replace(candidate.recipe, drop=(*candidate.recipe.drop, *others)))
        for candidate in suggestions(state, recipe, target)
    ]


def _steps(candidate: Suggestion) -> bool:
    recipe = candidate.recipe
    return bool(recipe.select_prefix or recipe.strip_prefixes or recipe.drop or recipe.rename or recipe.rows)


def _of_a_shard(contents: Contents, spec: ModelSpec) -> str:
    """What to write for the index in place of the URI of one of several files; empty for any other file."""
    if not _SHARD.search(contents.path.name):
        return ""
    uris = [_SHARD.sub(r"\1.index.json", uri) for uri in spec.weights]
    return f". It is one of several files: write `weights: {flow(uris)}`, their index, which is read with all of them"


def _elsewhere(chosen: State, spec: ModelSpec, target: Target) -> str:
    """What to change in the entry outside its recipe: the pooling of a transformer, or the number of outputs."""
    state = adapted(dict(chosen), spec.recipe, target.needed, "") | dict(target.head)
    if (spec.arch or "").startswith("timm:"):
        for here, there, pool in (("fc_norm.weight", "norm.weight", "avg"), ("norm.weight", "fc_norm.weight", "token")):
            if here in state and there in target.needed and not (there in state or here in target.needed):
                return f". Its pooling is another one: write `options: {{global_pool: {pool}}}` in the entry"
    wide = [state[key] for key in state if key in target.needed and target.is_classifier(key, state[key])]
    widths = {len(tensor) for tensor in wide}
    if len(widths) == 1 and not any(map(target.has_background, wide)):
        (width,) = widths
        return f". It answers {width} classes: write `outputs: {width}` in the entry, and their `label_space`"
    return ""


def _other_widths(state: State, target: Target) -> list[int]:
    """Numbers of outputs of tensors that are the network's classifier but for that."""
    names = [key for key in target.needed if len(target.needed[key].shape) > 0]
    ends = {key: [name for name in names if key == name or key.endswith(f".{name}")] for key in state}
    return sorted({len(state[key]) for key in state for name in ends[key] if target.is_classifier(name, state[key])})


def _with_outputs(target: Target, width: int) -> Target:
    """`target` with a classifier of `width` outputs."""
    import torch

    needed = {
        key: torch.empty((width, *tensor.shape[1:]), device="meta")
        if tensor.ndim and len(tensor) == target.outputs
        else tensor
        for key, tensor in target.needed.items()
    }
    return replace(target, needed=needed, outputs=width, background=False)


def _described(contents: Contents, spec: ModelSpec, candidates: Sequence[Suggestion], beside: str = "") -> str:
    """What the message says about the suggestions. `beside`: what the entry needs beside the recipe."""
    if not candidates:
        return ""
    best, fitting = candidates[0], _fitting(candidates)
    counted = f"{best.matched} of {best.of} keys match" + (f" after `{best.prefix}`" if best.prefix else "")
    counted += (
        f"; the same keys lie under {listed(f'`{candidate}`' for candidate in best.copies)} too" if best.copies else ""
    )
    if fitting:
        return f". {counted}. It loads with {_lines(contents, spec, fitting, beside)}"
    if best.foreign:
        return (
            f". {counted}, but {len(best.foreign)} further keys lie inside modules that the network has too "
            f"({listed(best.foreign)}): the file is of another architecture, and gives other logits without them. "
            "Name that architecture as `arch`"
        )
    absent = f"; not in the file: {listed(best.missing)}" if best.missing else ""
    if _is_classifier(best):
        absent += ". If another file holds the classifier, give its URI as `head`"
    return f". {counted}{absent}" if best.prefix or best.copies or best.missing else ""


def _lines(contents: Contents, spec: ModelSpec, fitting: Sequence[Suggestion], beside: str = "") -> str:
    """The recipes that load, of which the user chooses one."""
    lines = " or ".join(_line(contents, spec, candidate, beside) for candidate in fitting[:_MOST])
    several = ". These give other numbers (published ones are often those of the average): choose"
    return lines + (several if len(fitting) > 1 else "")


def _line(contents: Contents, spec: ModelSpec, candidate: Suggestion, beside: str = "") -> str:
    """`recipe: {…}` with what the entry needs beside it, and what it leaves out."""
    names = listed(candidate.left_out) if candidate.left_out else ""
    second = ", of the shapes of a second set of weights" if candidate.second else ""
    careful = f" (which leaves out {len(candidate.left_out)} other keys of the file{second}: {names})" if names else ""
    careful += " (if the first output is a background class)" if candidate.recipe.rows else ""
    lines = dict.fromkeys(_of_normalization(contents, spec, candidate))
    return f"`recipe: {as_yaml(candidate.recipe)}`{beside}{''.join(f' and {line}' for line in lines)}{careful}"


def _of_normalization(contents: Contents, spec: ModelSpec, candidate: Suggestion) -> Iterator[str]:
    """The lines on the normalization that the entry needs beside the suggested recipe."""
    keys = contents.keys_to(candidate.recipe.wrapper_keys)
    try:
        used = used_keys(contents.state_dict(keys, candidate.recipe.drop), candidate.recipe)
    except CheckpointError:
        return
    entry = replace(spec, recipe=candidate.recipe)
    others = [other for other, _ in disagreeing(entry, contents.loaded, keys, used)]
    yield from (other.lines(spec) for other in others if not other.values)


def _is_classifier(candidate: Suggestion) -> bool:
    """Whether all that is missing is one module with its weight: a backbone lacks its classifier."""
    modules = {key.rpartition(".")[0] for key in candidate.missing}
    return (
        len(modules) == 1 and len(candidate.missing) <= 2 and any(key.endswith(".weight") for key in candidate.missing)
    )


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


def flow(items: Sequence[str]) -> str:
    """The items as a list in YAML."""
    import yaml

    return str(yaml.safe_dump(list(items), default_flow_style=True, width=1e9)).strip()


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
