"""Joint prediction as JSON and as a table, for the reports ``prediction`` and ``correlation``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal, TypedDict, cast, final

from harness import Study, StudyModel, Table, TableCell

from ._cells import ABSENT, number, p_cell

if TYPE_CHECKING:
    from harness import inference

TITLE = "Each axis predicted from all biases together"
MOST_REASONS = 3
ROUNDING = 1e-9
"""Errors below this part of the values are those of the arithmetic."""
MOSTLY = 0.5
"""Share of a squared error above which one model is named."""


# --- schema -----------------------------------------------------------------------------------


class Chance(TypedDict):
    """A number over permutations of the axis: `mean` and 95 % quantile."""

    mean: float | None
    q95: float | None


@final
class Null(TypedDict):
    """What biases reach that know nothing of the axis, over `draws` permutations drawn with `seed`."""

    draws: int
    seed: int
    r2: Chance
    q2_loo: Chance
    q2_lofo: Chance


class Score(TypedDict):
    """Q² of a baseline over `n` models, for models and families left out; `reason`: why a number is undefined."""

    q2_loo: float | None
    q2_lofo: float | None
    n: int
    reason: str | None


Baselines = TypedDict("Baselines", {"mean": Score, "family-mean": Score, "id": Score, "id+biases": Score})
"""Other ways to predict the axis: the mean, that of the family, the axis ID alone, and ID beside all biases."""


@final
class PredictedEntry(TypedDict):
    """One model: the axis as `measured`, as predicted by all other models (`loo`), and by the other groups (`lofo`)."""

    model: str
    group: str | None
    measured: float
    loo: float | None
    lofo: float | None


@final
class PredictionEntry(TypedDict):
    """One axis of generalization from all biases, by one learner, over one set of models.

    `n`: models that have all numbers; `families`: their groups; `r2`: explained in sample; `q2_loo`, `q2_lofo`: for
    models, and for families, left out; `p_loo`, `p_lofo`: by permutations; `concordance`: share of pairs inside
    left-out families whose order is predicted; `predicted`: each model as others predict it, in the units of the axis,
    empty without a fit; `reason`: why numbers are undefined.
    """

    generalization: str
    models: str
    learner: Literal["ols", "ols-log"]
    n: int
    families: int
    r2: float | None
    q2_loo: float | None
    q2_lofo: float | None
    p_loo: float | None
    p_lofo: float | None
    concordance: float | None
    null: Null
    baselines: Baselines
    predicted: list[PredictedEntry]
    reason: str | None


# --- data -------------------------------------------------------------------------------------


def prediction_entries(study: Study, models: Sequence[StudyModel]) -> list[PredictionEntry]:
    """Each axis of `study` from all of its biases, over `models`, by each learner."""
    from harness import inference

    found = inference.predictions(
        {name: [model.biases[name] for model in models] for name in study.biases},
        {name: [model.axes[name] for model in models] for name in study.axes},
        [model.group for model in models],
        [model.name for model in models],
        log=study.statistics.log,
    )
    return [_entry(prediction) for prediction in found]


def _entry(prediction: inference.Prediction) -> PredictionEntry:
    return {
        "generalization": prediction.axis,
        "models": "all",
        "learner": prediction.learner,
        "n": prediction.n,
        "families": prediction.families,
        "r2": prediction.r2,
        "q2_loo": prediction.q2_loo,
        "q2_lofo": prediction.q2_lofo,
        "p_loo": prediction.p_loo,
        "p_lofo": prediction.p_lofo,
        "concordance": prediction.concordance,
        "null": cast(Null, asdict(prediction.null)),
        "baselines": cast(Baselines, {name: asdict(score) for name, score in prediction.baselines.items()}),
        "predicted": [
            {"model": of.model, "group": of.family, "measured": of.measured, "loo": of.loo, "lofo": of.lofo}
            for of in prediction.predicted
        ],
        "reason": prediction.reason,
    }


# --- tables -----------------------------------------------------------------------------------


def is_defined(entries: Sequence[PredictionEntry]) -> bool:
    """Whether any axis has a prediction."""
    return any(entry["r2"] is not None for entry in entries)


def prediction_tables(
    entries: Sequence[PredictionEntry],
    titles: Mapping[str, str],
    biases: int,
    *,
    grouped: bool,
    most: int | None = MOST_REASONS,
) -> Iterator[Table]:
    """The table that answers the question; one line of reasons if nothing is defined; none without entries.

    Args:
        titles: short titles of axes. biases: how many there are.
        grouped: whether models without a group are left out.
        most: reasons that are given; None: all.
    """
    if is_defined(entries):
        yield Table(
            title=TITLE,
            columns=("axis", "learner", "R²", "Q² LOO", "Q² LOFO", "p LOFO", "ID alone LOFO"),
            keys=("generalization", "learner", "r2", "q2_loo", "q2_lofo", "p_lofo", "id_q2_lofo"),
            rows=tuple(_row(entry, titles) for entry in entries),
            note="\n".join(_notes(entries, titles, biases, grouped)),
        )
    elif entries:
        reasons = list(dict.fromkeys(entry["reason"] or "" for entry in entries))
        shown = reasons[:most]
        more = f"; {len(reasons) - len(shown)} more: --format csv or json" if len(reasons) > len(shown) else ""
        text = "; ".join(shown) + more
        yield Table(title=TITLE, columns=("all models",), rows=((TableCell(text),),))


def left_out_tables(entries: Sequence[PredictionEntry]) -> Iterator[Table]:
    """The axis of each model as measured and as others predict it; for CSV."""
    rows = tuple(
        (
            *(TableCell(name) for name in (entry["generalization"], entry["learner"], of["model"])),
            TableCell(of["group"] or "–", value=of["group"] or ""),
            *(number(value, ".3f") for value in (of["measured"], of["loo"], of["lofo"])),
        )
        for entry in entries
        for of in entry["predicted"]
    )
    if rows:
        yield Table(
            title="Each model as others predict it",
            columns=("generalization", "learner", "model", "group", "measured", "LOO", "LOFO"),
            keys=("generalization", "learner", "model", "group", "measured", "loo", "lofo"),
            rows=rows,
            note="In the units of the axis; accuracies are fractions.",
        )


def axis_cells(entry: PredictionEntry, titles: Mapping[str, str]) -> tuple[TableCell, TableCell]:
    """Axis and learner, which name a row."""
    name = entry["generalization"]
    return TableCell(titles.get(name, name), value=name), TableCell(entry["learner"])


def score(value: float | None, *, signed: bool = False) -> TableCell:
    """Two decimals; `signed`: a Q², which stands out where it is worse than a constant."""
    if value is None:
        return ABSENT
    return number(value, ".2f" if abs(value) < 1000 else ".1e", style="red" if signed and value < 0 else "")


def _row(entry: PredictionEntry, titles: Mapping[str, str]) -> tuple[TableCell, ...]:
    accuracy = entry["baselines"]["id"]["q2_lofo"]
    outside = (score(q2, signed=True) for q2 in (entry["q2_loo"], entry["q2_lofo"]))
    numbers = (score(entry["r2"]), *outside, p_cell(entry["p_lofo"]), score(accuracy, signed=True))
    return (*axis_cells(entry, titles), *numbers)


def _notes(entries: Sequence[PredictionEntry], titles: Mapping[str, str], biases: int, grouped: bool) -> Iterator[str]:
    first = next(entry for entry in entries if entry["r2"] is not None)
    ungrouped = "Models without a group take no part." if grouped else "A model without a group is one of its own."
    yield f"Least squares on {_count(biases, 'bias', 'biases')}; {_sizes(entries, titles, first)}." + (
        f" {ungrouped}" if first["families"] else ""
    )
    yield f"R²: share of the variance explained in the same models; by chance {first['null']['r2']['mean']:.2f}."
    yield (
        "Q²: the same for models left out, one by one (LOO) or a whole group at a time (LOFO). 1: perfect; 0: no "
        "better than a constant, the mean of the others; negative: worse."
    )
    yield (
        f"p LOFO: share of {first['null']['draws']:,} permutations of the axis that reach this Q² LOFO. "
        "ID alone: Q² LOFO by that axis."
    )
    if any(entry["learner"] == "ols-log" for entry in entries):
        yield "ols-log: with the logarithm of the biases that the suite declares to be skewed."
    yield from _single_errors(entries, titles)
    yield from reason_lines(entries, titles)


def _single_errors(entries: Sequence[PredictionEntry], titles: Mapping[str, str]) -> Iterator[str]:
    """A line on each Q² LOO whose error is mostly that of one model: with others it would be another number."""
    shares: dict[tuple[str, str], list[float]] = {}
    for entry in entries:
        errors = _relative_errors(entry)
        model = max(errors, key=lambda name: errors[name], default="")
        if len(errors) > 2 and errors[model] > MOSTLY * sum(errors.values()):
            axis = titles.get(entry["generalization"], entry["generalization"])
            shares.setdefault((axis, model), []).append(errors[model] / sum(errors.values()))
    for (axis, model), of in shares.items():
        share = f"{min(of):.0%}" if round(min(of), 2) == round(max(of), 2) else f"{min(of):.0%} to {max(of):.0%}"
        yield f"– {axis}: {model} alone makes {share} of the squared error of Q² LOO"


def _relative_errors(entry: PredictionEntry) -> dict[str, float]:
    """Squared error of each model left out, as a part of the largest; empty where all are rounding."""
    errors = {of["model"]: abs(of["measured"] - of["loo"]) for of in entry["predicted"] if of["loo"] is not None}
    largest = max(errors.values(), default=0.0)
    if not ROUNDING * max((abs(of["measured"]) for of in entry["predicted"]), default=0.0) < largest < math.inf:
        return {}
    return {model: (error / largest) ** 2 for model, error in errors.items()}


def _count(n: int, one: str, more: str) -> str:
    return f"1 {one}" if n == 1 else f"{n:,} {more}"


def _sizes(entries: Sequence[PredictionEntry], titles: Mapping[str, str], first: PredictionEntry) -> str:
    """``48 models in 7 groups``, and the axes for which it is otherwise."""
    sizes = {entry["generalization"]: (entry["n"], entry["families"]) for entry in entries if entry["r2"] is not None}
    usual = sizes[first["generalization"]]
    others = [f"{titles.get(axis, axis)} {n} in {of}" for axis, (n, of) in sizes.items() if (n, of) != usual]
    groups = f" in {_count(usual[1], 'group', 'groups')}" if usual[1] else ""
    return f"{_count(usual[0], 'model', 'models')}{groups}" + (f", but {', '.join(others)}" if others else "")


def reason_lines(entries: Sequence[PredictionEntry], titles: Mapping[str, str]) -> Iterator[str]:
    """One line for each reason why numbers are undefined, with the axes and learners concerned."""
    subjects: dict[str, list[str]] = {}
    several = len({entry["learner"] for entry in entries}) > 1
    for entry in entries:
        if entry["reason"]:
            title = titles.get(entry["generalization"], entry["generalization"])
            subjects.setdefault(entry["reason"], []).append(f"{title} ({entry['learner']})" if several else title)
    yield from (f"– {', '.join(names)}: {reason}" for reason, names in subjects.items())
