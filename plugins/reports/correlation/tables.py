"""The tables of the report ``correlation``, made from its JSON-ready data alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from harness import Reason, Remark, Table, TableCell, statistics

from .schema import AxisCoefficient, BiasCoefficient, CorrelationData, Interval, Missing, ModelEntry, Rank

Coefficient = AxisCoefficient | BiasCoefficient
Reasons = Mapping[tuple[str, str], Missing]
ABSENT = TableCell("–", value="", style="dim")
BLANK = TableCell("", value="")
MOST_INTERVALS = 12
"""Most rows of intervals in a table; the JSON format has all of them."""
MOST_REASONS = 3
"""With more reasons than this for the same values (one for each checkpoint, say), only two are printed in full."""
SIDE_BY_SIDE = 6
"""Columns of numbers that fit beside a name and a group; with more, biases and axes get a table each."""
APART = ("all", "group", "others")
LEGEND = (
    "* p < 0.05 (t approximation, rough for n < 10); ** also after Holm's correction over the coefficients of this "
    "table. Without a star: not significant."
)


def all_tables(data: CorrelationData) -> list[Table]:
    """Every table, the most important first."""
    return [*_models(data), *_places(data), *_intervals(data), *_coefficients(data), *_remarks(data)]


# --- models -----------------------------------------------------------------------------------


def _models(data: CorrelationData) -> Iterator[Table]:
    biases, axes = list(data["biases"]), list(data["axes"])
    if not biases and not axes:
        yield _values(data, "Models", _unconditioned(data["models"]))
    elif len(biases) + len(axes) <= SIDE_BY_SIDE:
        yield _values(data, "Models", [*biases, *axes])
    else:
        kinds = (("biases", biases), ("generalization", axes))
        yield from (_values(data, f"Models: {kind}", names) for kind, names in kinds if names)


def _values(data: CorrelationData, title: str, names: Sequence[str]) -> Table:
    """One row for each model, one column for each name."""
    models = _by_group(data["models"])
    values = [{**model["measures"], **model["biases"], **model["axes"]} for model in models]
    percent = [_is_percent(data, name) for name in names]
    numbers = [_numbers([row.get(name) for row in values], per) for name, per in zip(names, percent, strict=True)]
    labels = [(_name(model), TableCell(model["group"] or "–", value=model["group"] or "")) for model in models]
    return Table(
        title=f"{title} ({len(models)})",
        columns=("model", "group", *(f"{name} %" if per else name for name, per in zip(names, percent, strict=True))),
        rows=tuple((*label, *(column[at] for column in numbers)) for at, label in enumerate(labels)),
        note="\n".join(
            [
                *_definitions(data, names),
                *_precision(data, models, names),
                *_errata(data, names),
                *_reasons(data, models, names),
            ]
        ),
    )


def _name(model: ModelEntry) -> TableCell:
    """The model's name; the user's own models are marked among imported ones."""
    return (
        TableCell(f"► {model['name']}", value=model["name"], style="bold") if model["own"] else TableCell(model["name"])
    )


def _places(data: CorrelationData) -> Iterator[Table]:
    """Ranks of the user's own models among the imported ones."""
    own = [model for model in data["models"] if model.get("ranks")]
    names = [name for name in [*data["biases"], *data["axes"]] if any(name in model["ranks"] for model in own)]
    if own and names:
        yield Table(
            title="► Rank of your own models, 1 for the highest value",
            columns=("model", *names),
            rows=tuple((_name(model), *(_rank(model["ranks"].get(name)) for name in names)) for model in own),
            note="\n".join(
                [
                    "Among the models that take part in the correlations and have the value.",
                    *_precision(data, own, names),
                ]
            ),
        )


def _rank(place: Rank | None) -> TableCell:
    return ABSENT if place is None else TableCell(f"{place['rank']} of {place['of']}", value=place["rank"])


def _errata(data: CorrelationData, names: Sequence[str]) -> Iterator[str]:
    """One line for each published measure that is known to be wrong and enters one of `names`."""
    for erratum in () if data["mended"] else data["errata"]:
        concerned = [name for name in erratum["concerns"] if name in names]
        if concerned:
            remedy = "leaves it out" if erratum["scale"] is None else "corrects it"
            yield (
                f"† {', '.join(concerned)}: the published {erratum['measure']} is wrong: {erratum['title']}; "
                f"--apply-errata {remedy}"
            )


def _by_group(models: Sequence[ModelEntry]) -> list[ModelEntry]:
    """Models of one group side by side, groups in the order of first appearance, those without one last."""
    groups = list(dict.fromkeys(model["group"] for model in models if model["group"] is not None))
    return sorted(models, key=lambda m: groups.index(m["group"]) if m["group"] is not None else len(groups))


def _unconditioned(models: Sequence[ModelEntry]) -> list[str]:
    names = dict.fromkeys(name for model in models for name in model["measures"])
    return [name for name in names if "/" not in name and not name.startswith(("n@", "correct@"))]


def _numbers(values: Sequence[float | None], percent: bool = False) -> list[TableCell]:
    """The cells of one column, with as many decimals as its largest number allows."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    form = ".3f" if largest < 3 else ".2f" if largest < 1e4 else ".2e"
    if percent:
        form = ".1f"
    elif largest >= 3 and all(value is None or float(value).is_integer() for value in values):
        form = ",.0f"
    scale = 100 if percent else 1
    return [ABSENT if value is None else TableCell(f"{scale * value:{form}}", value=scale * value) for value in values]


def _definitions(data: CorrelationData, names: Sequence[str]) -> Iterator[str]:
    for name, parts in {**data["biases"], **data["axes"]}.items():
        if name in names and (len(parts) > 1 or not parts[0].startswith(f"{name}@")):
            yield f"{name} = " + (f"mean of {', '.join(parts)}" if len(parts) > 1 else parts[0])


def _reasons(data: CorrelationData, models: Sequence[ModelEntry], names: Sequence[str]) -> Iterator[str]:
    """One line for each reason why values are missing, with the values and models concerned."""
    definitions = {**data["biases"], **data["axes"]}
    models_of: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for model in models:
        for cause in _causes(model, names, definitions):
            models_of.setdefault(cause, []).append(model["name"])
    reasons_of: dict[tuple[str, ...], list[tuple[str, list[str]]]] = {}
    for (affected, reason), members in models_of.items():
        reasons_of.setdefault(affected, []).append((reason, members))
    for affected, reasons in reasons_of.items():
        listed, unlisted = (reasons, []) if len(reasons) <= MOST_REASONS else (reasons[:2], reasons[2:])
        for reason, members in listed:
            subject = ", ".join(members) if len(members) <= 3 else f"{len(members)} models"
            yield f"– {', '.join(affected)}: {reason}: {subject}"
        if unlisted:
            members = [name for _, names_of_reason in unlisted for name in names_of_reason]
            yield f"– {', '.join(affected)}: {len(members)} more, with reasons in --format json: {', '.join(members)}"


def _causes(
    model: ModelEntry, names: Sequence[str], definitions: Mapping[str, Sequence[str]]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Those of `names` without a value, and why; names with the same reason (a missing checkpoint) form one entry."""
    values = {**model["measures"], **model["biases"], **model["axes"]}
    missing: Reasons = {(entry["kind"], entry["subject"]): entry for entry in model["missing"]}
    absent = [name for name in names if values.get(name) is None]
    texts = {name: _reason(missing, name) for name in absent}
    roots = {name: _roots(missing, name, definitions.get(name, [])) or [texts[name]] for name in absent}
    counts = Counter(root for causes in roots.values() for root in causes)
    shared = [root for root, count in counts.items() if count > 1]
    for root in shared:
        yield tuple(name for name, causes in roots.items() if root in causes), root
    for name, text in texts.items():
        own = [root for root in roots[name] if root not in shared]
        if len(own) == len(roots[name]):
            yield (name,), text
        else:
            yield from (((name,), root) for root in own)


def _roots(missing: Reasons, name: str, parts: Sequence[str]) -> list[str]:
    """Why the parts of a bias or axis are missing; empty for a measure, which has no parts."""
    return list(dict.fromkeys(_line(missing["measure", part]) for part in parts if ("measure", part) in missing))


def _reason(missing: Reasons, name: str) -> str:
    stated = (missing.get((kind, name)) for kind in ("bias", "axis", "measure", "task"))
    return next((_line(entry) for entry in stated if entry), "not measured")


def _line(missing: Missing) -> str:
    kind, subject, remedy = missing["kind"], missing["subject"], missing["remedy"] or ""
    return Reason(kind=kind, subject=subject, text=missing["reason"], remedy=remedy).line


def _precision(data: CorrelationData, models: Sequence[ModelEntry], names: Sequence[str]) -> Iterator[str]:
    """One line for columns with the same precision: decisions behind a value, and the widest 95 % interval."""
    columns_of: dict[str, list[str]] = {}
    for name in names:
        text = _precision_of(data, models, name)
        if text:
            columns_of.setdefault(text, []).append(name)
    yield from (f"{', '.join(columns)}: {text}" for text, columns in columns_of.items())
    definitions = {**data["biases"], **data["axes"]}
    means = [name for columns in columns_of.values() for name in columns if len(definitions.get(name, ())) > 1]
    if any("±" in text for text, columns in columns_of.items() if set(columns) & set(means)):
        yield "The interval of a mean is the mean of its parts' intervals: an upper bound, whatever images they share."


def _precision_of(data: CorrelationData, models: Sequence[ModelEntry], name: str) -> str:
    """For example ``n = 214 to 240, 95 % interval at most ±0.066``; empty if unknown, as for published tables."""
    present = [(model, value) for model in models if (value := _value(model, name)) is not None]
    described = [(model, value, spread) for model, value in present if (spread := _spread(model, name))]
    if not described:
        return ""
    size = _size(data, [model for model, _, spread in described if spread["n"] is not None], name)
    sides = [max(value - ends[0], ends[1] - value) for _, value, spread in described if (ends := _ends(spread))]
    if not sides:
        return size if all(_is_count(model, name) for model, _ in present) else f"{size}, no interval"
    coverage = "" if len(sides) == len(present) else f" (of {len(sides)} of {len(present)} models)"
    return f"{size}, 95 % interval at most ±{_width(max(sides), _is_percent(data, name))}{coverage}"


def _size(data: CorrelationData, models: Sequence[ModelEntry], name: str) -> str:
    """``n = 960``; if the parts of a mean differ in n, the n of each, since the smallest limits the precision."""
    if not models:
        return "n unknown"
    parts = {**data["biases"], **data["axes"]}.get(name, [])
    ranges = [_from_to([model["details"][part]["n"] for model in models]) for part in parts]
    if len(set(ranges)) > 1:
        return f"n = {' + '.join(ranges)}"
    spreads = [_spread(model, name) for model in models]
    return f"n = {_from_to([spread['n'] for spread in spreads if spread is not None and spread['n'] is not None])}"


def _value(model: ModelEntry, name: str) -> float | None:
    value: float | None = {**model["measures"], **model["biases"], **model["axes"]}.get(name)
    return value


def _spread(model: ModelEntry, name: str) -> Interval | None:
    """``low``, ``high`` and ``n`` of a bias, axis or measure, as far as known."""
    if name in model["biases"] or name in model["axes"]:
        return model["intervals"].get(name)
    details = model["details"].get(name, {})
    spread: Interval = {"low": details.get("low"), "high": details.get("high"), "n": details.get("n")}
    return spread if any(value is not None for value in spread.values()) else None


def _ends(spread: Interval | None) -> tuple[float, float] | None:
    if spread is None or spread["low"] is None or spread["high"] is None:
        return None
    return spread["low"], spread["high"]


def _is_count(model: ModelEntry, name: str) -> bool:
    return bool(model["details"].get(name, {}).get("unit") == "count")


def _is_percent(data: CorrelationData, name: str) -> bool:
    """Whether `name` is a fraction in the data and percent on screen."""
    return name in data["axes"] and data["units"][name] == "fraction"


def _from_to(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _width(half: float, percent: bool) -> str:
    return f"{100 * half:.1f} points" if percent else f"{half:.3f}" if half < 3 else f"{half:.3g}"


def _intervals(data: CorrelationData) -> Iterator[Table]:
    """95 % intervals of the biases and axes, if they are few."""
    rows = []
    for model in _by_group(data["models"]):
        for name in [*data["biases"], *data["axes"]]:
            value, spread = _value(model, name), _spread(model, name)
            if value is not None and spread is not None and (ends := _ends(spread)):
                percent = _is_percent(data, name)
                numbers = _numbers([value, *ends], percent)
                n = ABSENT if spread["n"] is None else TableCell(f"{spread['n']:,}", value=spread["n"])
                rows.append((TableCell(model["name"]), TableCell(f"{name} %" if percent else name), *numbers, n))
    if 0 < len(rows) <= MOST_INTERVALS:
        columns = ("model", "measure", "value", "low", "high", "n")
        yield Table(title="95 % intervals, from n trials each", columns=columns, rows=tuple(rows))


# --- coefficients -----------------------------------------------------------------------------


def _coefficients(data: CorrelationData) -> Iterator[Table]:
    across, among = (list(_selections(data[key])) for key in ("correlations", "bias_correlations"))
    if across and not _defined(across[0]):
        yield _nothing(across[0])
        return
    if across:
        overall, *subsets = across
        errata = "\n".join(_errata(data, [*data["biases"], *data["axes"]]))
        yield _matrix(overall, LEGEND, _undefined_sets(subsets), errata)
        yield _full(overall)
        yield from _apart(overall, subsets)
    if among and _defined(among[0]):
        yield _matrix(among[0], LEGEND)


def _apart(overall: Sequence[Coefficient], subsets: Sequence[Sequence[Coefficient]]) -> Iterator[Table]:
    """All models, one group and its complement side by side, for the group whose removal changes ρ most."""
    sets = {entries[0]["models"]: entries for entries in subsets}
    changes = {
        name: _change(overall, complement)
        for name in sets
        if (complement := sets.get(f"not {name}")) and _defined(complement)
    }
    if not changes:
        return
    most = max(changes, key=lambda name: changes[name])
    three = (overall, sets[most], sets[f"not {most}"])
    rows = [
        (TableCell(entry["bias"]), TableCell(_partner(entry)), *map(_coefficient, (entry, inside, outside)))
        for entry, inside, outside in zip(*three, strict=True)
    ]
    most_models = [max(entry["n"] for entry in entries) for entries in three]
    sizes = ", ".join(f"{label} {n}" for label, n in zip(APART, most_models, strict=True))
    halves = [(label, _near_zero(n)) for label, n in zip(APART, most_models, strict=True)]
    widths = ", ".join(f"{label} ±{half:.2f}" for label, half in halves if half is not None)
    listed = ", ".join(f"{name} {changes[name]:.2f}" for name in sorted(changes, key=lambda name: -changes[name]))
    yield Table(
        title=f"Spearman's ρ with {most} set apart",
        columns=("bias", "axis", *APART),
        rows=tuple(rows),
        note=f"models: {sizes}. Holm's correction within each column.\n"
        f"95 % interval of a ρ near 0: {widths}.\n"
        f"Mean change of ρ when a group is left out: {listed}. Each group's coefficients: --format json",
    )


def _change(overall: Sequence[Coefficient], complement: Sequence[Coefficient]) -> float:
    """Mean absolute change of the coefficients from all models to `complement`."""
    pairs = [(left["spearman"], right["spearman"]) for left, right in zip(overall, complement, strict=True)]
    changes = [abs(before - after) for before, after in pairs if before is not None and after is not None]
    return sum(changes) / len(changes) if changes else 0.0


def _nothing(entries: Sequence[Coefficient]) -> Table:
    reasons = ", ".join(dict.fromkeys(entry["reason"] or "" for entry in entries))
    text = f"{reasons}; at least {statistics.LEAST_PAIRS} models with both numbers are needed"
    return Table(title="Spearman's ρ of biases and generalization", columns=("all models",), rows=((TableCell(text),),))


def _selections(entries: Sequence[Coefficient]) -> Iterator[list[Coefficient]]:
    """The entries of each set of models, in order."""
    sets: dict[str, list[Coefficient]] = {}
    for entry in entries:
        sets.setdefault(entry["models"], []).append(entry)
    yield from sets.values()


def _defined(entries: Sequence[Coefficient]) -> bool:
    return any(entry["spearman"] is not None for entry in entries)


def _partner(entry: Coefficient) -> str:
    """What the bias is correlated with."""
    return entry["other"] if "other" in entry else entry["generalization"]


def _matrix(entries: Sequence[Coefficient], *notes: str) -> Table:
    """Biases as rows, axes as columns. If the columns are biases too, each pair appears once, below the diagonal."""
    among = "other" in entries[0]
    places = [(_partner(e), e["bias"]) if among else (e["bias"], _partner(e)) for e in entries]
    rows, columns = (list(dict.fromkeys(place[side] for place in places)) for side in (0, 1))
    cells = {place: _coefficient(entry) for place, entry in zip(places, entries, strict=True)}
    subject = "all models" if entries[0]["models"] == "all" else f"models: {entries[0]['models']}"
    return Table(
        title=f"Spearman's ρ {'among biases' if among else 'of biases and generalization'}, {subject}",
        columns=("bias", *columns),
        rows=tuple((TableCell(row), *(cells.get((row, column), BLANK) for column in columns)) for row in rows),
        note="\n".join(filter(None, [_sizes(entries), *_gaps(entries), *notes])),
    )


def _coefficient(entry: Coefficient) -> TableCell:
    """For example ``-0.76**``, padded to two stars so that the digits line up."""
    value = entry["spearman"]
    if value is None:
        return TableCell("–  ", value="", style="dim")
    stars = _stars(entry)
    colour = "cyan" if value > 0 else "red"
    style = f"bold {colour}" if abs(value) >= 0.5 else colour
    return TableCell(f"{round(value, 2) + 0.0:.2f}{stars:<2}", value=value, style=style if stars else "dim")


def _stars(entry: Coefficient) -> str:
    if entry["p"] is None or entry["p"] >= 0.05:
        return ""
    return "**" if entry["p_holm"] is not None and entry["p_holm"] < 0.05 else "*"


def _sizes(entries: Sequence[Coefficient]) -> str:
    """The number of models, and the precision of a coefficient with that many."""
    counts = [entry["n"] for entry in entries]
    usual = max(counts, key=lambda n: (counts.count(n), n))
    exceptions = [f"{e['bias']} × {_partner(e)} n = {e['n']}" for e in entries if e["n"] != usual]
    half = _near_zero(usual)
    width = "" if half is None else f" (95 % interval of a ρ near 0: ±{half:.2f})"
    return f"n = {usual} models{width}" + (f", but {', '.join(exceptions)}" if exceptions else "")


def _near_zero(n: int) -> float | None:
    """Half-width of the 95 % interval of a coefficient near 0 over n models; None if n is too small."""
    return statistics.spearman_interval(0.0, n)[1] if n >= statistics.LEAST_PAIRS else None


def _gaps(entries: Sequence[Coefficient]) -> Iterator[str]:
    reasons = dict.fromkeys(entry["reason"] for entry in entries if entry["spearman"] is None)
    yield from (f"– {reason}" for reason in reasons)


def _undefined_sets(subsets: Sequence[Sequence[Coefficient]]) -> str:
    undefined = [f"{entries[0]['models']} {entries[0]['reason']}" for entries in subsets if not _defined(entries)]
    return f"No coefficients for: {', '.join(undefined)}" if undefined else ""


def _full(entries: Sequence[Coefficient]) -> Table:
    """Value, interval and p-values of each coefficient."""
    rows = []
    for entry in entries:
        value = entry["spearman"]
        numbers = [_plain(value), _plain(entry["low"]), _plain(entry["high"]), _p(entry["p"]), _p(entry["p_holm"])]
        rows.append(
            (TableCell(entry["bias"]), TableCell(_partner(entry)), TableCell(str(entry["n"]), entry["n"]), *numbers)
        )
    return Table(
        title="The same with 95 % intervals and p-values, all models",
        columns=("bias", "axis", "n", "ρ", "low", "high", "p", "p Holm"),
        rows=tuple(rows),
        note="Intervals after Bonett & Wright (2000).",
    )


def _plain(value: float | None) -> TableCell:
    return ABSENT if value is None else TableCell(f"{round(value, 2) + 0.0:.2f}", value=value)


def _p(value: float | None) -> TableCell:
    return ABSENT if value is None else TableCell("<0.001" if value < 0.001 else f"{value:.3f}", value=value)


# --- remarks ----------------------------------------------------------------------------------


def _remarks(data: CorrelationData) -> Iterator[Table]:
    sources = [
        f"{source['run']}: {source['title']}; {source['source']}; {source['license']}"
        for source in data["provenance"]
        if "title" in source
    ]
    footnotes = {erratum["measure"] for erratum in data["errata"] if erratum["concerns"]}
    remarks = [text for text in data["warnings"] if not _is_footnote(text, footnotes)]
    rows = tuple((TableCell(text),) for text in [*remarks, *sources])
    if rows:
        yield Table(title="Remarks", columns=("remark",), rows=rows)


def _is_footnote(remark: str, measures: Collection[str]) -> bool:
    """Whether a remark is the erratum of one of `measures`, which is printed below the values concerned."""
    return isinstance(remark, Remark) and remark.kind == "erratum" and remark.subject in measures
