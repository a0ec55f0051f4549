"""Sign errors of each bias under single changes of the declared hyperparameters, and the table of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import Study, Table, TableCell, inference

from .._cells import ABSENT, plain
from .._declared import short
from .._models import fits
from .quantities import Quantities, images_of
from .schema import EnvironmentEntry, InterventionsEntry, SensitivityData, SensitivityEntry, SignErrorsEntry

ALL = "(all)"
"""In place of the name of a hyperparameter."""
MOST_CHANGES = 200
"""Most changes that are listed, the largest errors first."""


def interventions_entry(study: Study, over: Quantities, pair: tuple[str, str]) -> InterventionsEntry | None:
    """The sign errors of a bias with an axis; None where no hyperparameters are declared.

    The bias counts in the direction of its coefficient over the same models: which direction is right is not declared.
    """
    if not study.statistics.hyperparameters:
        return None
    have = over.complete(*pair)
    places = [at for at, recipe in enumerate(over.recipes) if recipe and have[at]]
    known = [over.recipes[at] for at in places]
    x, y = (over.values[name][places] for name in pair)
    direction = inference.family_signs(x, y, [None] * len(places)).overall
    images, reason = _images(over, pair[1], places)
    if reason is not None:
        return _entry(len(places), direction, images, None, reason)
    found = inference.robust_sign_error(direction * x, y, known, images)
    return _entry(len(places), direction, images, found, found.reason)


def _images(over: Quantities, axis: str, places: Sequence[int]) -> tuple[int | None, str | None]:
    """Smallest number of images behind a part of the axis; or why there is none."""
    counts = []
    for part in over.definitions[axis]:
        measures = [over.models[at].measures[part] for at in places]
        if any(measure.unit != "fraction" for measure in measures):
            return None, f"undefined ({part} is no share of images)"
        images = [images_of(over.models[at].measures, part) for at in places]
        if None in images:
            return None, f"undefined (of how many images {part} is, is unknown)"
        counts += [count for count in images if count is not None]
    return min(counts, default=None), None


def _entry(
    n: int, direction: int, images: int | None, found: inference.RobustSignError | None, reason: str | None
) -> InterventionsEntry:
    environments = _worst_first(found.environments) if found else []
    return {
        "n": n,
        "images": images,
        "direction": direction,
        "size": found.size if found else 0.0,
        "overall": _errors(found.overall) if found and found.overall else None,
        "factors": {factor: _errors(errors) for factor, errors in found.factors.items()} if found else {},
        "changes": [_change(environment) for environment in environments[:MOST_CHANGES]],
        "reason": reason,
    }


def _worst_first(environments: Sequence[inference.Environment]) -> list[inference.Environment]:
    return sorted(environments, key=lambda each: -1.0 if each.error is None else each.error, reverse=True)


def _errors(errors: inference.SignErrors) -> SignErrorsEntry:
    return {
        "environments": errors.environments,
        "mean": errors.mean,
        "high": errors.high,
        "worst": errors.worst,
    }


def _change(environment: inference.Environment) -> EnvironmentEntry:
    return {
        "factor": environment.factor,
        "before": environment.before,
        "after": environment.after,
        "fixed": dict(environment.fixed),
        "pairs": environment.pairs,
        "size": environment.size,
        "error": environment.error,
    }


# --- the table --------------------------------------------------------------------------------


def intervention_tables(data: SensitivityData) -> Iterator[Table]:
    """Each bias with each axis: sign errors over all environments, and by hyperparameter."""
    entries = [entry for entry in data["sensitivities"] if entry["interventions"]]
    rows = [row for entry in entries for row in _rows(data, entry)]
    if rows:
        yield Table(
            title="Sign errors under one change of the recipe: does the bias rank the networks as the axis does?",
            columns=("bias", "axis", "changed", "ρ", "changes", "mean", "90 %", "worst"),
            keys=("bias", "axis", "changed", "direction", "environments", "mean", "high", "worst"),
            rows=tuple(rows),
            note="\n".join(
                [
                    "0: always as ρ over all these models says, 0.5: as a coin, 1: never. mean, 90 %, worst: over the "
                    "changes that enough pairs of networks tell from noise; worst is the robust sign error.",
                    *(f"– {reason}" for reason in _reasons(entries)),
                ]
            ),
        )


def _rows(data: SensitivityData, entry: SensitivityEntry) -> Iterator[tuple[TableCell, ...]]:
    of = entry["interventions"]
    if of is None or of["overall"] is None:
        return
    names = [TableCell(data["titles"].get(name, name), value=name) for name in (entry["bias"], entry["generalization"])]
    sign = {1: "+", -1: "−"}.get(of["direction"])
    direction = TableCell(sign, value=of["direction"]) if sign else ABSENT
    for factor, errors in ((ALL, of["overall"]), *of["factors"].items()):
        numbers = [plain(errors["mean"]), plain(errors["high"]), plain(errors["worst"])]
        count = TableCell(str(errors["environments"]), value=errors["environments"])
        yield (*names, TableCell(factor), direction, count, *numbers)


def change_table(data: SensitivityData) -> Table:
    """Each change of a recipe, for CSV."""
    return Table(
        title="Sign error of each change of one hyperparameter",
        columns=("bias", "axis", "changed", "from", "to", "with", "pairs", "size", "error"),
        rows=tuple(
            (
                *map(TableCell, (entry["bias"], entry["generalization"], change["factor"])),
                *(TableCell(str(change[end]), value=change[end]) for end in ("before", "after")),
                TableCell(", ".join(f"{name} {value}" for name, value in change["fixed"].items())),
                TableCell(str(change["pairs"]), value=change["pairs"]),
                *(plain(change[key]) for key in ("size", "error")),
            )
            for entry in data["sensitivities"]
            for change in (entry["interventions"] or {"changes": []})["changes"]
        ),
    )


def _reasons(entries: Sequence[SensitivityEntry]) -> list[str]:
    return list(dict.fromkeys(of["reason"] for entry in entries if (of := entry["interventions"]) and of["reason"]))


def intervention_remarks(study: Study, over: Quantities, entries: Sequence[SensitivityEntry]) -> Iterator[str]:
    """Globs and models without a counterpart, and why there are no sign errors though hyperparameters are declared."""
    patterns = study.statistics.hyperparameters
    absent = [pattern for pattern in patterns if not any(fits(model, pattern) for model in over.models)]
    if absent:
        yield f"hyperparameters: no model that takes part fits {short(absent)}"
    lacking = [model.name for model, recipe in zip(over.models, over.recipes, strict=True) if not recipe]
    if lacking and len(lacking) < len(over.models):
        yield f"sign errors: without all hyperparameters, so left out: {short(lacking)}"
    declared = [entry["interventions"] for entry in entries if entry["interventions"]]
    if declared and not any(of["overall"] for of in declared):
        yield from (f"sign errors: {reason}" for reason in _reasons(entries))
