"""Parameters of a probe or dataset from a file: the fields of its dataclass, checked against their types."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import fields, replace
from typing import Any, Final, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from harness.discovery.contract import check_parameters
from harness.errors import PluginError, RequestError, UnknownNameError, blamed
from harness.interfaces import Dataset, Probe

OF_DATASETS: Final = frozenset({"name", "path", "preprocessing"})
"""Fields of every dataset that a registry entry sets with its own keys."""
T = TypeVar("T", bound=Probe | Dataset)


def with_parameters(plugin: T, params: Mapping[str, Any], label: str, reserved: Set[str] = frozenset()) -> T:
    """A copy of `plugin` with these parameters.

    Args:
        params: values as read from a file; lists become tuples and integers become floats where the field requires it.
        label: name of `plugin` in messages (``probe 'band-pass'``).
        reserved: fields that are not parameters.

    Raises:
        UnknownNameError: there is no such parameter; the message lists the available ones.
        RequestError: a value has the wrong type, or `plugin` rejects it.
        PluginError: the plugin's own types cannot be resolved, a value of them could not be stored, or it raises
            anything but ValueError.
    """
    if not params:
        return plugin
    available = [field.name for field in fields(plugin) if field.init and field.name not in reserved]
    for name in params:
        if name not in available:
            raise UnknownNameError("parameter", name, available, f"These are the parameters of {label}")
    values = {name: _typed(plugin, name, value, label) for name, value in params.items()}
    with blamed(f"{label} with {_listed(params)}"):
        try:
            changed = replace(plugin, **values)
        except ValueError as error:
            raise RequestError(f"{label} refuses {_listed(params)}: {error}") from error
    check_parameters(changed, label)
    return changed


def _typed(plugin: Probe | Dataset, name: str, value: Any, label: str) -> Any:
    """`value` as the type of the field `name`, strictly: no text for a number, no fraction for a count."""
    try:
        kind = get_type_hints(type(plugin), include_extras=True)[name]
        adapter = TypeAdapter[Any](kind)
    except (NameError, PydanticUserError) as error:
        raise PluginError(f"{label}: the type of parameter {name!r} cannot be used: {error}") from error
    try:
        return adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        inside = "".join(f"[{part}]" for part in first["loc"])
        raise RequestError(
            f"{label}, parameter {name}{inside}: {first['msg'][:1].lower()}{first['msg'][1:]}, got {first['input']!r}"
        ) from error


def _listed(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in params.items())
