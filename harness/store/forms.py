"""What the JSON files of a run folder may hold, key by key; they may come from a stranger."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from harness.records.arrays import DTYPES
from harness.records.statistics_plan import is_setting
from harness.store.file_names import is_name
from harness.store.headers import is_count

Form = Callable[[Any, str], str]
"""(value, its place for the message) -> what is wrong with it; empty if nothing is."""
_LARGEST: Final = 1 << 63


def _kind(expected: str, fits: Callable[[Any], bool]) -> Form:
    def problem(value: Any, place: str) -> str:
        return "" if fits(value) else f"{place} is {repr(value)[:60]}, expected {expected}"

    return problem


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -_LARGEST <= value < _LARGEST


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


anything = _kind("anything", lambda _: True)
text = _kind("a text", lambda value: isinstance(value, str))
whole = _kind("a whole number", _is_whole)
count = _kind("a number from 0 on", is_count)
positive = _kind("a number from 1 on", lambda value: is_count(value) and value >= 1)
number = _kind("a number", _is_number)
flag = _kind("true or false", lambda value: isinstance(value, bool))
scalar = _kind("a text or number", lambda v: v is None or isinstance(v, str | bool) or _is_number(v))
setting = _kind("a text or finite number", is_setting)
dtype = _kind(f"one of {', '.join(DTYPES)}", lambda value: isinstance(value, str) and value in DTYPES)


def optional(form: Form) -> Form:
    """`form`, or null."""
    return lambda value, place: "" if value is None else form(value, place)


def items(form: Form, length: int | None = None) -> Form:
    """A list, each of whose entries is of `form`; of `length` entries, if it is given."""

    def problem(value: Any, place: str) -> str:
        if not isinstance(value, list) or length not in (None, len(value)):
            return f"{place} is {repr(value)[:60]}, expected a list{'' if length is None else f' of {length}'}"
        return _first(form(item, f"{place}[{at}]") for at, item in enumerate(value))

    return problem


def in_turn(*forms: Form) -> Form:
    """A list with one entry of each form, in this order."""
    length = items(lambda value, place: "", len(forms))

    def problem(value: Any, place: str) -> str:
        entries = zip(forms, value if isinstance(value, list) else (), strict=False)
        return length(value, place) or _first(form(entry, f"{place}[{i}]") for i, (form, entry) in enumerate(entries))

    return problem


def each(form: Form, *, names: bool = False) -> Form:
    """An object, each of whose values is of `form`; with `names`, its keys can be names of tasks and models."""

    def problem(value: Any, place: str) -> str:
        if not isinstance(value, Mapping):
            return f"{place} is {repr(value)[:60]}, expected an object"
        if odd := [name for name in value if names and not is_name(name)]:
            return f"{place} names {odd[0][:60]!r}, which is no name of a task or model"
        return _first(form(item, f"{place}.{name[:60]}") for name, item in value.items())

    return problem


def fields(required: Mapping[str, Form], more: Mapping[str, Form] | None = None) -> Form:
    """An object with the keys `required`, perhaps `more`, and others of later versions."""
    known = {**required, **(more or {})}

    def problem(value: Any, place: str) -> str:
        if not isinstance(value, Mapping):
            return f"{place} is {repr(value)[:60]}, expected an object"
        if absent := [name for name in required if name not in value]:
            return f"{place} has no {', '.join(absent)}"
        return _first(form(value[name], f"{place}.{name}") for name, form in known.items() if name in value)

    return problem


def _first(problems: Any) -> str:
    return next(filter(None, problems), "")


_DEFINITIONS: Final = each(items(text))
_STATISTICS: Final = fields(
    {},
    {
        "log": items(text), "set_apart": text, "controls": items(text), "baseline_models": items(text),
        "alternatives": each(_DEFINITIONS), "hyperparameters": each(each(setting)),
    },
)  # fmt: skip
_HISTORY: Final = items(fields({}, {"command": items(text), "created": text, "versions": each(text)}))
RUN: Final = fields(
    {"kind": _kind("trials or imported", lambda value: value in ("trials", "imported")), "settings": each(scalar)},
    {
        "created": text,
        "models": each(
            fields({}, {"group": optional(text), "title": text, "expected": each(in_turn(number, optional(number)))})
        ),
        "planned": each(each(text, names=True), names=True),
        "remedies": each(each(text)),
        "study": fields(
            {}, {"biases": _DEFINITIONS, "axes": _DEFINITIONS, "titles": each(text), "statistics": _STATISTICS}
        ),
        "warnings": each(items(text)),
        "contents": each(each(text)),
        "importer": optional(text),
        "same_numbers": items(fields({"before": text, "now": text})),
        "history": _HISTORY,
    },
)
"""``run.json``."""

_MAKER: Final = {"name": text, "version": scalar}
IDENTITY: Final = fields(
    {"probe": fields({"name": text, "version": whole, "params": each(anything)})},
    {
        "model": fields({}, {"name": text, "source": text, "source_version": scalar, "checkpoint": items(text)}),
        "dataset": fields({}, {**_MAKER, "n": count, "manifest": text}),
        "layout": each(anything),
        "settings": each(scalar),
        "arrays": each(fields({"dtype": dtype, "shape": items(positive)}, {"finite": flag}), names=True),
        "logits": flag,
        "versions": each(text),
        "trials": text,
    },
)
"""The identity of a cell."""

CELL: Final = fields(
    {
        "job": fields(
            {"task": text, "model": text, "key": text, "identity": IDENTITY},
            {"code": each(text), "tensors": items(text), "files": items(text), "layers": items(text)},
        ),
        "layout": text,
        "provenance": each(anything),
    },
    {"outputs": optional(positive)},
)
"""``cell.json``."""

FAILURE: Final = fields({"reason": text})
"""``failed.json``."""

_MEASURE: Final = fields(
    {"name": text, "value": optional(number), "flags": items(text)},
    {
        "unit": text, "direction": _kind("higher, lower or neither", lambda v: v in ("higher", "lower", "neither")),
        "condition": text, "low": optional(number), "high": optional(number), "n": optional(count),
        "reason": optional(text),
    },
)  # fmt: skip
TABLE: Final = fields(
    {
        "title": text, "source": text, "license": text, "biases": _DEFINITIONS, "axes": _DEFINITIONS,
        "models": items(
            fields({"name": text, "group": optional(text), "measures": each(_MEASURE), "missing": each(text)})
        ),
    },
    {
        "titles": each(text),
        "statistics": _STATISTICS,
        "errata": items(
            fields(
                {"measure": text},
                {"title": text, "proof": text, "scale": optional(number), "offset": optional(number)},
            )
        ),
        "tolerances": items(fields({"measures": text, "within": number, "reason": text})),
        "probes": each(text),
    },
)  # fmt: skip
"""``measures.json``."""


def refuse_misfit(value: Any, form: Form) -> None:
    """Raises ValueError if `value` is not of `form`."""
    if problem := form(value, "it"):
        raise ValueError(problem)
