"""Notes below the tables of the report ``correlation``: definitions, precision, errata, and why values are missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness import Reason, TableCell

from .schema import CorrelationData, Interval, Missing, ModelEntry

Reasons = Mapping[tuple[str, str], Missing]
MOST_REASONS = 12
"""With more reasons than this for the same values (one for each checkpoint, say), only two are printed in full."""
NAMED = 3
"""A remark on flags names so many models, and gives the number of more."""
MOST_NAMES = 6
"""Most names of measures or tasks in a line of reasons."""
MOST_MODELS = 48
"""Most names of models in such a line, and in a line of flags."""


def title_of(data: CorrelationData, name: str) -> str:
    """The short title of a bias, axis or group; its name where the suite gives none."""
    return data["titles"].get(name, name)


def label(data: CorrelationData, name: str) -> TableCell:
    """A bias, axis or group in a table; CSV has its name."""
    return TableCell(title_of(data, name), value=name)


def _titles(data: CorrelationData, names: Iterable[str]) -> str:
    return ", ".join(title_of(data, name) for name in names)


def errata_notes(data: CorrelationData, names: Sequence[str]) -> Iterator[str]:
    """One line for each published measure that is known to be wrong and enters one of `names`."""
    for erratum in () if data["mended"] else data["errata"]:
        concerned = [name for name in erratum["concerns"] if name in names]
        if concerned:
            remedy = "leaves it out" if erratum["scale"] is None else "corrects it"
            yield (
                f"† {_titles(data, concerned)}: the published {erratum['measure']} is wrong: {erratum['title']}; "
                f"--apply-errata {remedy}"
            )


def definition_notes(data: CorrelationData, names: Sequence[str]) -> Iterator[str]:
    for name, parts in {**data["biases"], **data["axes"]}.items():
        title = title_of(data, name)
        if name in names and (len(parts) > 1 or not parts[0].startswith(f"{title}@")):
            yield f"{title} = " + (f"mean of {', '.join(parts)}" if len(parts) > 1 else parts[0])


def duplicate_notes(models: Sequence[ModelEntry]) -> Iterator[str]:
    """What the mark of models that take no part means; nothing where there are none."""
    if any(model.get("duplicate_of") is not None for model in models):
        yield "○ takes no part in statistics: a model counts once, as the run given first has it"


def reason_notes(data: CorrelationData, models: Sequence[ModelEntry], names: Sequence[str]) -> Iterator[str]:
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
            yield f"– {_titles(data, affected)}: {reason}: {subject}"
        if unlisted:
            members = [name for _, names_of_reason in unlisted for name in names_of_reason]
            more = f"{len(members)} more, with reasons in --format json: {', '.join(members)}"
            yield f"– {_titles(data, affected)}: {more}"


def other_reasons(data: CorrelationData, shown: Sequence[str]) -> Iterator[str]:
    """One line for each reason why a task or measure is missing, other than those below the table of `shown`."""
    definitions = {**data["biases"], **data["axes"]}
    models_of: dict[tuple[str, str], list[str]] = {}
    for model in data["models"]:
        printed = {reason for _, reason in _causes(model, shown, definitions)}
        absent = [name for name in shown if value_of(model, name) is None]
        named = {part for name in absent for part in [name, *definitions.get(name, ())]}
        for entry in model["missing"]:
            explained = (entry["kind"] == "measure" and entry["subject"] in named) or _line(entry) in printed
            if entry["kind"] in ("task", "measure") and not explained:
                models_of.setdefault((_line(entry), entry["subject"]), []).append(model["name"])
    subjects_of: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (reason, subject), models in models_of.items():
        subjects_of.setdefault((reason, tuple(models)), []).append(subject)
    for (reason, names), subjects in subjects_of.items():
        every = len(names) == len(data["models"]) > NAMED
        yield f"– {_short(subjects)}: {reason}: {f'all {len(names)} models' if every else _short(names, MOST_MODELS)}"


def flag_lines(data: CorrelationData) -> Iterator[str]:
    """One line for each flag of more than `NAMED` models, unless all models that have the measure carry it."""
    models_of: dict[tuple[str, str], list[str]] = {}
    measured: Counter[str] = Counter()
    for model in data["models"]:
        measured.update(model["details"].keys())
        for measure, details in model["details"].items():
            for flag in details.get("flags", ()):
                models_of.setdefault((flag, measure), []).append(model["name"])
    measures_of: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (flag, measure), models in models_of.items():
        if NAMED < len(models) < measured[measure]:
            measures_of.setdefault((flag, tuple(models)), []).append(measure)
    for (flag, names), measures in measures_of.items():
        yield f"{_short(measures)}: {flag}: {_short(names, MOST_MODELS)}"


def _short(names: Sequence[str], most: int = MOST_NAMES) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


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


def precision_notes(data: CorrelationData, models: Sequence[ModelEntry], names: Sequence[str]) -> Iterator[str]:
    """One line for columns with the same precision: decisions behind a value, and the widest 95 % interval."""
    columns_of: dict[str, list[str]] = {}
    for name in names:
        text = _precision_of(data, models, name)
        if text:
            columns_of.setdefault(text, []).append(name)
    yield from (f"{_titles(data, columns)}: {text}" for text, columns in columns_of.items())
    definitions = {**data["biases"], **data["axes"]}
    means = [name for columns in columns_of.values() for name in columns if len(definitions.get(name, ())) > 1]
    if any("±" in text for text, columns in columns_of.items() if set(columns) & set(means)):
        yield "The interval of a mean is the mean of its parts' intervals: an upper bound, whatever images they share."


def _precision_of(data: CorrelationData, models: Sequence[ModelEntry], name: str) -> str:
    """For example ``n = 214 to 240, 95 % interval at most ±0.066``; empty if unknown, as for published tables."""
    present = [(model, value) for model in models if (value := value_of(model, name)) is not None]
    described = [(model, value, spread) for model, value in present if (spread := spread_of(model, name))]
    if not described:
        return ""
    size = _size(data, [model for model, _, spread in described if spread["n"] is not None], name)
    sides = [max(value - ends[0], ends[1] - value) for _, value, spread in described if (ends := ends_of(spread))]
    if not sides:
        return size if all(_is_count(model, name) for model, _ in present) else f"{size}, no interval"
    coverage = "" if len(sides) == len(present) else f" (of {len(sides)} of {len(present)} models)"
    return f"{size}, 95 % interval at most ±{_width(max(sides), is_percent(data, name))}{coverage}"


def _size(data: CorrelationData, models: Sequence[ModelEntry], name: str) -> str:
    """``n = 960``; if the parts of a mean differ in n, the n of each, since the smallest limits the precision."""
    if not models:
        return "n unknown"
    parts = {**data["biases"], **data["axes"]}.get(name, [])
    ranges = [_from_to([model["details"][part]["n"] for model in models]) for part in parts]
    if len(set(ranges)) > 1:
        return f"n = {' + '.join(ranges)}"
    spreads = [spread_of(model, name) for model in models]
    return f"n = {_from_to([spread['n'] for spread in spreads if spread is not None and spread['n'] is not None])}"


def value_of(model: ModelEntry, name: str) -> float | None:
    value: float | None = {**model["measures"], **model["biases"], **model["axes"]}.get(name)
    return value


def spread_of(model: ModelEntry, name: str) -> Interval | None:
    """``low``, ``high`` and ``n`` of a bias, axis or measure, as far as known."""
    if name in model["biases"] or name in model["axes"]:
        return model["intervals"].get(name)
    details = model["details"].get(name, {})
    spread: Interval = {"low": details.get("low"), "high": details.get("high"), "n": details.get("n")}
    return spread if any(value is not None for value in spread.values()) else None


def ends_of(spread: Interval | None) -> tuple[float, float] | None:
    if spread is None or spread["low"] is None or spread["high"] is None:
        return None
    return spread["low"], spread["high"]


def _is_count(model: ModelEntry, name: str) -> bool:
    return bool(model["details"].get(name, {}).get("unit") == "count")


def is_percent(data: CorrelationData, name: str) -> bool:
    """Whether `name` is a fraction in the data and percent on screen."""
    return name in data["axes"] and data["units"][name] == "fraction"


def _from_to(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _width(half: float, percent: bool) -> str:
    return f"{100 * half:.1f} points" if percent else f"{half:.3f}" if half < 3 else f"{half:.3g}"
