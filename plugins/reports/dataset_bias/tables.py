"""The tables of the report ``dataset-bias``, made from its JSON-ready data alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from harness import Table, TableCell

from .._cells import BLANK, number, remark_tables
from .figures import seen_by
from .further_tables import further_tables
from .schema import Accuracy, DatasetBiasData, DatasetPlaces, Divergence, ModelByPlace, SlopeEntry

_PLACE_NOTE = (
    "x, y, size: fractions of the image's side; tilt: degrees. spread: standard deviation, of log2 for size; uniform: "
    "that of uniform values. KL: divergence of the histogram from uniform, in nats; by chance: its mean for as many "
    "uniform draws; p: of uniformity."
)
STEPS = {"tilt": (10, "10 degrees")}
"""Attribute -> step for which tables give the slope, and its name; lengths have a tenth of the side."""


def all_tables(data: DatasetBiasData, *, full: bool = False) -> list[Table]:
    """For each dataset: attributes, histograms, accuracies of the models; then remarks.

    Args:
        full: each accuracy with its n and interval, too.
    """
    tables = [table for entry in data["datasets"] for table in tables_of(data, entry, full=full)]
    return [*tables, *remark_tables(data["warnings"])]


def tables_of(data: DatasetBiasData, entry: DatasetPlaces, *, full: bool) -> Iterator[Table]:
    """The tables of one of the datasets."""
    seen = seen_by(data, entry)
    yield from (*_place_tables(entry), *_cell_tables(entry, seen), *_function_tables(entry, seen))
    if full:
        yield from further_tables(entry["dataset"], seen)


def _percent(value: float | None) -> TableCell:
    return number(value, ".1f", scale=100)


# --- where objects are ------------------------------------------------------------------------


def _place_tables(entry: DatasetPlaces) -> Iterator[Table]:
    rows = [
        (TableCell(a["attribute"]), *_spread(a, number(a["mean"], ".3g"), a["spread"], a["uniform_spread"]))
        for a in entry["attributes"]
    ]
    place = entry["place"]
    if place:
        rows.append((TableCell("x and y"), *_spread(place, BLANK, place["spread"], place["uniform_spread"])))
    columns = ("attribute", "n", "mean", "spread", "uniform", "KL", "by chance", "p")
    title = f"Where the objects of {entry['dataset']} are ({entry['images']:,} images)"
    yield Table(title=title, columns=columns, rows=tuple(rows), note=_PLACE_NOTE)
    yield from _histograms(entry)
    if place and place["n"]:
        yield _map(entry["dataset"], place["counts"], place["n"])


def _spread(entry: Divergence, mean: TableCell, spread: float | None, uniform: float) -> Iterator[TableCell]:
    yield from (TableCell(f"{entry['n']:,}", value=entry["n"]), mean)
    yield from (number(value, ".3g") for value in (spread, uniform))
    yield from (number(entry["kl"], ".3f"), number(entry["kl_by_chance"], ".3f"), number(entry["p"], ".2g"))


def _histograms(entry: DatasetPlaces) -> Iterator[Table]:
    """One table for the attributes of each range, without the bins at both ends that are empty in all of them."""
    ranges = dict.fromkeys((a["start"], a["end"], len(a["counts"])) for a in entry["attributes"] if a["n"])
    for start, end, bins in ranges:
        members = [
            a for a in entry["attributes"] if a["n"] and (a["start"], a["end"], len(a["counts"])) == (start, end, bins)
        ]
        filled = [at for at in range(bins) if any(a["counts"][at] for a in members)]
        width = (end - start) / bins
        rows = tuple(
            (
                TableCell(f"{start + at * width:g} to {start + (at + 1) * width:g}"),
                *(_percent(a["counts"][at] / a["n"]) for a in members),
            )
            for at in range(filled[0], filled[-1] + 1)
        )
        names = tuple(a["attribute"] for a in members)
        title = f"Histogram of {', '.join(names)}: {entry['dataset']} (% of images)"
        yield Table(title=title, columns=("from", *names), rows=rows, note="Bins that are not shown are empty.")


def _map(dataset: str, counts: Sequence[Sequence[int]], n: int) -> Table:
    cells = len(counts)
    rows = tuple(
        (TableCell(f"{down / cells:g}"), *(_percent(count / n) for count in counts[down])) for down in range(cells)
    )
    columns = ("y from", *(f"x from {right / cells:g}" for right in range(cells)))
    return Table(title=f"Centres of the objects of {dataset} (% of images)", columns=columns, rows=rows)


# --- accuracy ---------------------------------------------------------------------------------


def _cell_tables(entry: DatasetPlaces, models: Sequence[ModelByPlace]) -> Iterator[Table]:
    """Accuracy by place: the cells of the image in which any model saw an object."""
    counts = [[cell["n"] for cell in model["cells"]] for model in models if model["cells"]]
    used = [at for at, of_models in enumerate(zip(*counts, strict=True)) if any(of_models)]
    if not used:
        return
    shown = [model for model in models if model["cells"]]
    side = math.isqrt(len(shown[0]["cells"]))
    columns = tuple(f"x{at % side + 1} y{at // side + 1}" for at in used)
    yield Table(
        title=f"Accuracy by place: {entry['dataset']} (%)",
        columns=("model", "all", *columns),
        rows=tuple(
            (TableCell(m["model"]), _percent(m["accuracy"]), *(_percent(m["cells"][at]["accuracy"]) for at in used))
            for m in shown
        ),
        note=f"x1 y1: the top left of {side} x {side} equal parts; parts that are not shown are without images\n"
        + _behind([m["cells"][at] for m in shown for at in used]),
    )


def _function_tables(entry: DatasetPlaces, models: Sequence[ModelByPlace]) -> Iterator[Table]:
    for attribute in dict.fromkeys(function["attribute"] for model in models for function in model["functions"]):
        functions = {m["model"]: f for m in models for f in m["functions"] if f["attribute"] == attribute}
        bins = next(iter(functions.values()))["bins"]
        if bins:
            yield _function_table(entry["dataset"], attribute, functions)


def _function_table(dataset: str, attribute: str, functions: Mapping[str, SlopeEntry]) -> Table:
    step, unit = STEPS.get(attribute, (0.1, "0.1 of the side"))
    headings = next(iter(functions.values()))["bins"]
    rows = tuple(
        (
            TableCell(model),
            *(_percent(place["accuracy"]) for place in function["bins"]),
            *(number(function[key], "+.1f", scale=100 * step) for key in ("slope", "low", "high")),
        )
        for model, function in functions.items()
    )
    ends = (f"{_end(place['start'], attribute)} to {_end(place['end'], attribute)}" for place in headings)
    slopes = f"slope: percentage points for each {unit}; low, high: its 95 % interval."
    reasons = dict.fromkeys(
        f"no slope: {f['reason']}" if f["slope"] is None else f"– {f['reason']}"
        for f in functions.values()
        if f["reason"]
    )
    return Table(
        title=f"Accuracy by {attribute}: {dataset} (%)",
        columns=("model", *ends, "slope", "low", "high"),
        rows=rows,
        note="\n".join([_behind([b for f in functions.values() for b in f["bins"]]), slopes, *reasons]),
    )


def _end(value: float, attribute: str) -> str:
    """An end of a bin; with the minus sign, since headings break after hyphens."""
    return f"{round(value, 1 if attribute == 'tilt' else 3) + 0.0:g}".replace("-", "−")


def _behind(entries: Sequence[Accuracy]) -> str:
    """How much data the accuracies of a table rest on, and what is refused."""
    defined = [
        (e["n"], max(e["high"] - e["accuracy"], e["accuracy"] - e["low"]))
        for e in entries
        if e["accuracy"] is not None and e["low"] is not None and e["high"] is not None
    ]
    lines = []
    if defined:
        counts = sorted({n for n, _ in defined})
        n = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
        lines.append(f"n = {n}, 95 % interval at most ±{100 * max(half for _, half in defined):.1f} points")
    few = [entry["reason"] for entry in entries if entry["reason"]]
    if few:
        lines.append(f"–: {'; '.join(list(dict.fromkeys(few))[:3])}{' …' if len(set(few)) > 3 else ''}")
    return "\n".join(lines)
