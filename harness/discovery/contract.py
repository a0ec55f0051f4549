"""The contract of a plugin, checked once on loading; each violation is a PluginError that says what to change."""

from __future__ import annotations

import inspect
import json
import reprlib
from collections.abc import Mapping
from dataclasses import asdict, fields
from difflib import get_close_matches
from types import ModuleType
from typing import Any, Final, Literal, NamedTuple

import pluggy

from harness import hookspecs
from harness.errors import PluginError
from harness.features import is_contradictory
from harness.importer import Importer
from harness.interfaces import Dataset, ModelSource, Probe, Report
from harness.names import NAME

Kind = Literal["model source", "dataset", "probe", "report", "importer"]


class _Door(NamedTuple):
    kind: Kind
    base: type


_DOORS: Final[Mapping[str, _Door]] = {
    "harness_model_sources": _Door("model source", ModelSource),
    "harness_datasets": _Door("dataset", Dataset),
    "harness_probes": _Door("probe", Probe),
    "harness_reports": _Door("report", Report),
    "harness_importers": _Door("importer", Importer),
}


class Offer(NamedTuple):
    """One object that a plugin provides, with the kind and name by which it is looked up; `module` holds its hook."""

    kind: Kind
    name: str
    instance: Any
    provider: str
    module: str


def offers_of(plugin: object, provider: str) -> list[Offer]:
    """Call every hook of one plugin and check what it returns.

    Args:
        plugin: a module, or the object that an entry point names.
        provider: where it comes from.

    Raises:
        PluginError: the plugin violates the contract. Exceptions raised by a hook itself pass through.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    _check_marks(plugin, manager)
    manager.register(plugin)
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.has_spec():  # pluggy itself accepts a misspelt hook silently
            raise PluginError(f"unknown hook {caller.name!r}; {_suggestion(caller.name)}")
    if not callers:
        raise PluginError(
            "offers nothing: no function is marked with @hookimpl. A helper's file name begins with '_'; "
            f"a plugin has one of {', '.join(_DOORS)}"
        )
    module = plugin.__name__ if isinstance(plugin, ModuleType) else str(getattr(plugin, "__module__", ""))
    return [
        Offer(_DOORS[caller.name].kind, _checked_name(item, _DOORS[caller.name]), item, provider, module)
        for caller in callers
        for item in _returned(caller)
    ]


def _check_marks(plugin: object, manager: pluggy.PluginManager) -> None:
    if not isinstance(plugin, ModuleType):
        return
    for name, value in vars(plugin).items():
        its_own = inspect.isfunction(value) and value.__module__ == plugin.__name__
        if name.startswith("harness_") and its_own and manager.parse_hookimpl_opts(plugin, name) is None:
            raise PluginError(f"{name}() has no @hookimpl above it, so it would never be called")


def _suggestion(hook: str) -> str:
    close = get_close_matches(hook, _DOORS, n=1, cutoff=0.4)
    return f"did you mean {close[0]!r}?" if close else f"available: {', '.join(_DOORS)}"


def _returned(caller: pluggy.HookCaller) -> list[Any]:
    """The objects that a hook returns. Raises PluginError unless they are a list of instances of the right class."""
    base = _DOORS[caller.name].base
    results = caller()  # pluggy omits None
    objects = results[0] if results else None
    if not isinstance(objects, list):
        raise PluginError(f"{caller.name}() returned {_described(objects)}; expected a list of harness.{base.__name__}")
    for item in objects:
        if not isinstance(item, base):
            hint = f"; write {item.__name__}()" if inspect.isclass(item) else ""
            raise PluginError(
                f"{caller.name}() returned a list with {_described(item)}; "
                f"expected instances of harness.{base.__name__}{hint}"
            )
    return objects


def _described(item: object) -> str:
    return "None" if item is None else f"{type(item).__name__} {reprlib.repr(item)}"


def _checked_name(item: Any, door: _Door) -> str:
    """The object's name, after checking the contract; raises PluginError."""
    label = f"{door.kind} {type(item).__name__}"
    name = getattr(item, "name", None)
    if not isinstance(name, str):
        raise PluginError(f'{label} has no name: write  name: ClassVar[str] = "…"  in the class')
    if not NAME.fullmatch(name):
        raise PluginError(
            f"{label} is called {name!r}; a name has lower-case letters, digits and . _ + -, "
            "begins with a letter or digit, and has no '..'"
        )
    if isinstance(item, Probe | Dataset):
        check_parameters(item, label)
        _check_class_facts(item, label)
    if isinstance(item, Probe | Dataset | ModelSource) and (type(item.version) is not int or item.version < 1):
        raise PluginError(f"{label}: version is {item.version!r}; expected an integer of at least 1")
    return name


def check_parameters(item: Probe | Dataset, label: str) -> None:
    """Raises PluginError unless all parameters are immutable, JSON-serializable fields: they enter every identity."""
    own = vars(type(item)).get("__dataclass_params__")  # inherited ones would leave new fields out
    if own is None or not own.frozen:
        raise PluginError(f"{label} is not a frozen dataclass: put @dataclass(frozen=True, kw_only=True) above it")
    if isinstance(item, Probe) and any(field.name in ("name", "version") for field in fields(item)):
        raise PluginError(f"{label}: name and version are not parameters; annotate them as ClassVar")
    try:
        hash(item)
        json.dumps(asdict(item), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise PluginError(
            f"{label} has a parameter that is not plain and immutable ({error}); "
            "use numbers, strings, None, tuples or frozen dataclasses of them"
        ) from error


def _check_class_facts(item: Probe | Dataset, label: str) -> None:
    if isinstance(item, Probe) and is_contradictory(item):
        raise PluginError(f"{label} is a WhiteBoxProbe and a FeatureProbe; make two probes of it")
    for fact in ("requires", "attributes", "layers"):
        value = getattr(item, fact, ())
        if not isinstance(value, tuple) or not all(isinstance(part, str) for part in value):
            raise PluginError(f'{label}: {fact} is {value!r}; expected a tuple of names, for example ("accuracy",)')
    if isinstance(item, Probe) and not callable(item.side):
        raise PluginError(f"{label}: side is {item.side!r}, but it is a method of every probe; rename the parameter")
    for fact in ("needs_labels", "needs_logits"):
        if not isinstance(value := getattr(item, fact, False), bool):
            raise PluginError(f"{label}: {fact} is {value!r}; expected True or False")
    divided = getattr(item, "denominators", {})
    if not isinstance(divided, Mapping) or not all(isinstance(name, str) for pair in divided.items() for name in pair):
        raise PluginError(
            f"{label}: denominators is {divided!r}; expected names of measures and of what they are divided by, for "
            'example {"relative-top1": "top1"}'
        )
