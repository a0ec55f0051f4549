"""Whether a JSON document is what a TypedDict says."""

from types import UnionType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints

UNEXPLAINED = {"permutations", "half"}
"""Numbers that are null where there is nothing to explain: beyond the range of JSON, or of another method."""


def violations(value, kind, place="$"):
    """Where `value` is not of the type `kind`: a TypedDict, list, dict, union, Literal or class."""
    origin, arguments = get_origin(kind), get_args(kind)
    if hasattr(kind, "__required_keys__") and not isinstance(value, dict):
        yield f"{place} is {value!r}, expected {kind.__name__}"
    elif hasattr(kind, "__required_keys__"):
        hints = get_type_hints(kind)
        marked = get_type_hints(kind, include_extras=True)
        optional = {name for name in hints if not kind.__total__ or get_origin(marked[name]) is NotRequired}
        yield from (f"{place}.{name} is missing" for name in hints.keys() - optional - value.keys())
        yield from (f"{place}.{name} is not in the schema" for name in value.keys() - hints.keys())
        for name in value.keys() & hints.keys():
            yield from violations(value[name], hints[name], f"{place}.{name}")
    elif origin is list:
        for position, item in enumerate(value):
            yield from violations(item, arguments[0], f"{place}[{position}]")
    elif origin is dict:
        for name, item in value.items():
            yield from violations(item, arguments[1], f"{place}.{name}")
    elif origin in (Union, UnionType):
        if all(list(violations(value, argument, place)) for argument in arguments):
            yield f"{place} is {value!r}, expected {kind}"
    elif origin is Literal:
        if value not in arguments:
            yield f"{place} is {value!r}, expected one of {arguments}"
    elif kind is not Any and (
        not isinstance(value, (kind, int) if kind is float else kind) or isinstance(value, bool) != (kind is bool)
    ):
        yield f"{place} is {value!r}, expected {kind.__name__}"


def nulls_without_reason(value, kind, place="$"):
    """Where a number of `value` is null beside an empty ``reason``, in any TypedDict that has a key of that name."""
    origin, arguments = get_origin(kind), get_args(kind)
    if hasattr(kind, "__required_keys__"):
        hints = get_type_hints(kind)
        for name in value.keys() & hints.keys():
            is_number = hints[name] == float | None and name not in UNEXPLAINED
            if is_number and value[name] is None and not value.get("reason", "-"):
                yield f"{place}.{name}"
            yield from nulls_without_reason(value[name], hints[name], f"{place}.{name}")
    elif origin in (list, dict):
        items = value.items() if origin is dict else enumerate(value)
        for at, item in items:
            yield from nulls_without_reason(item, arguments[-1], f"{place}[{at}]")
    elif origin in (Union, UnionType) and value is not None:
        for argument in arguments:
            if hasattr(argument, "__required_keys__") or get_origin(argument) in (list, dict):
                yield from nulls_without_reason(value, argument, place)
