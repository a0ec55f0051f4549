"""``harness info NAME``: everything known about one name, as JSON or as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from harness.cli.options import Format, PluginFolders, Registries, choice, open_house, print_json, stdout_console
from harness.errors import HarnessError, UnknownNameError, blamed
from harness.features import FeatureProbe
from harness.interfaces import WhiteBoxProbe
from harness.local.addresses import without_secrets
from harness.records import Table, TableCell

if TYPE_CHECKING:
    from rich.console import Console

    from harness.interfaces import Dataset, Probe
    from harness.records import ModelSpec, Suite
    from harness.registry import Registry

EMPTY: Final[tuple[Any, ...]] = (None, "", (), [], {})


def info(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model, dataset, probe, report or suite.")],
    form: Format = "terminal",
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """Everything known about one name."""
    choice("format", form, ("terminal", "json"))
    house = open_house(registry, plugins)
    registered: dict[str, Mapping[str, Any]] = {
        "model": house.registry.models,
        "dataset": house.registry.datasets,
        "probe": house.plugins.probes,
        "report": house.plugins.reports,
        "suite": house.registry.suites,
    }
    aliases = {alias: model.name for model in house.registry.models.values() for alias in model.aliases}
    name = aliases.get(name, name)
    matches = [(kind, entries[name]) for kind, entries in registered.items() if name in entries]
    if not matches:
        names = {entry for entries in registered.values() for entry in entries} | set(aliases)
        raise UnknownNameError("name", name, names, hint="See: harness list models|datasets|probes|suites")
    described = []
    for kind, entry in matches:
        with blamed(f"{kind} {name!r}"):
            described.append(details(kind, name, entry, house.registry))
    if form == "json":
        print_json(described if len(described) > 1 else described[0])
        return
    for facts in described:
        print_details(facts, house.registry, stdout_console())


def details(kind: str, name: str, entry: Any, registry: Registry) -> dict[str, Any]:
    """The facts about `entry`, JSON-ready, without empty fields.

    Args:
        kind: ``model``, ``dataset``, ``probe``, ``report`` or ``suite``.
    """
    fields = asdict(entry) if is_dataclass(entry) and not isinstance(entry, type) else {}
    fields.pop("name", None)
    more: dict[str, Any] = {}
    if kind in {"dataset", "probe", "report"}:
        more["about"] = " ".join((type(entry).__doc__ or "").split())
    if kind == "dataset":
        more.update(_of_dataset(entry))
    elif kind == "probe":
        more.update(_of_probe(entry))
    elif kind == "model":
        more.update(_of_model(entry, registry))
    facts = {key: _plain(value) for key, value in {**fields, **more}.items()}
    return {"kind": kind, "name": name, **{key: value for key, value in facts.items() if value not in EMPTY}}


def _of_dataset(dataset: Dataset) -> dict[str, Any]:
    space, release = dataset.label_space(), dataset.release()
    return {
        "preprocessing": dataset.preprocessing.document(),
        "version": dataset.version,
        "attributes": dataset.attributes,
        "label_space": space.name,
        "classes": len(space.classes),
        "release": asdict(release) if release else None,
        "views": dataset.views(),
    }


def _of_probe(probe: Probe) -> dict[str, Any]:
    return {
        "version": probe.version,
        "requires": probe.requires,
        "attributes": probe.attributes,
        "divided": probe.denominators,
        "white-box": isinstance(probe, WhiteBoxProbe) or None,
        "layers": probe.layers if isinstance(probe, FeatureProbe) else None,
        "forwards a stimulus": probe.effort(),
        "images for 224 px": _side(probe),
        "conditions at 224 px": _conditions(probe),
    }


def _side(probe: Probe) -> int | str | None:
    """Side of the images for stimuli of 224 pixels, where it is another; or why there is none."""
    try:
        side = probe.side(224)
    except ValueError as error:
        return str(error)
    return None if side == 224 else side


def _conditions(probe: Probe) -> Sequence[str] | str:
    """Conditions of images of 224 pixels, or why there are none."""
    try:
        return probe.conditions(224)
    except ValueError as error:
        return str(error)


def _of_model(spec: ModelSpec, registry: Registry) -> dict[str, Any]:
    """The recipe's steps that are not defaults, and what `harness fetch` would get for each file."""
    default = asdict(type(spec.recipe)())
    recipe = {key: value for key, value in asdict(spec.recipe).items() if value != default[key]}
    try:
        downloads = registry.source_for(spec).downloads(spec)
    except HarnessError as error:
        return {"recipe": recipe, "problem": str(error)}
    files = [[asdict(download) for download in alternatives] for alternatives in downloads]
    return {"recipe": recipe, "downloads": [alternatives for alternatives in files if alternatives]}


def _plain(value: Any) -> Any:
    """JSON-ready: paths as text, tuples as lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


# --- the table -------------------------------------------------------------------------------


def print_details(facts: Mapping[str, Any], registry: Registry, console: Console) -> None:
    """One row for each fact; at most as wide as `console`."""
    from harness.output.formats import show

    rows = tuple((TableCell(key, style="bold"), TableCell(text)) for key, text in _rows(facts, registry).items())
    show([Table(title=f"{facts['kind']} {facts['name']}", columns=("fact", "value"), rows=rows)], console, ("fact",))


def _rows(facts: Mapping[str, Any], registry: Registry) -> dict[str, str]:
    rows = {key: _text(value) for key, value in facts.items() if key not in {"kind", "name", "release", "downloads"}}
    if "views" in facts:
        rows["views"] = f"{len(facts['views'])}: {', '.join(_ranges(facts['views']))}"
    if "bytes" in facts:
        rows["bytes"] = _size(facts["bytes"])
    if "release" in facts:
        release = dict(facts["release"])
        downloads = [_download(download) for download in release.pop("downloads")]
        release["bytes"] = "not known" if release["bytes"] is None else _size(release["bytes"])
        rows["release"] = _text(release)
        rows["downloads"] = "\n".join(downloads) or "none: download it by hand from the page"
    if "downloads" in facts:
        rows["downloads"] = "\nand ".join("\nor ".join(map(_download, options)) for options in facts["downloads"])
    if facts["kind"] == "suite":
        rows.update(_of_suite(registry.suite(str(facts["name"]), check=False), registry))
    return rows


def _of_suite(suite: Suite, registry: Registry) -> dict[str, str]:
    return {
        "models": _groups(suite, registry),
        "tasks": "\n".join(
            f"{task.name} ({_inline(_plain(task.params))})" if task.params else task.name for task in suite.tasks
        ),
        **{
            kind: "\n".join(f"{name}: {_mean(measures)}" for name, measures in definitions.items())
            for kind, definitions in (("biases", suite.biases), ("axes", suite.axes))
            if definitions
        },
    }


def _groups(suite: Suite, registry: Registry) -> str:
    """The suite's models by group; its patterns and the error where one matches no model."""
    try:
        models = registry.models_matching(suite.models) if suite.models else ()
    except HarnessError as error:
        return f"{', '.join(suite.models)}\n{error}"
    groups: dict[str, list[str]] = {}
    for spec in models:
        groups.setdefault(spec.group or "without a group", []).append(spec.name)
    return "\n".join(f"{group} ({len(names)}): {', '.join(names)}" for group, names in groups.items())


def _mean(measures: Sequence[str]) -> str:
    return measures[0] if len(measures) == 1 else f"mean of {', '.join(measures)}"


def _text(value: Any) -> str:
    """Lists on one line, mappings with one line for each key."""
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {_inline(item)}" for key, item in value.items())
    return _inline(value)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_inline(item)}" for key, item in value.items())
    if isinstance(value, list):
        nested = any(isinstance(item, (list, Mapping)) for item in value)
        return ("; " if nested else ", ").join(
            " -> ".join(map(str, item)) if isinstance(item, list) else _inline(item) for item in value
        )
    if value in EMPTY:
        return "none"
    if isinstance(value, float):
        return f"{value:.12g}"  # 0.3, whatever binary digits it was computed with
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _download(download: Mapping[str, Any]) -> str:
    details = [_size(download["bytes"])] if download.get("bytes") else []
    details += [str(download["digest"])] if download.get("digest") else []
    uri = without_secrets(str(download["uri"]))
    return f"{uri} ({', '.join(details)})" if details else uri


def _size(number: int) -> str:
    from rich.filesize import decimal

    return decimal(number)


def _ranges(names: Sequence[str]) -> list[str]:
    """``fog-1, fog-2, fog-3`` becomes ``fog-1 to 3``."""
    out = []
    for stem, group in groupby(names, key=lambda name: name.rpartition("-")[0]):
        levels = [name.rpartition("-")[2] for name in group]
        out += (
            [f"{stem}-{levels[0]} to {levels[-1]}"]
            if stem and len(levels) > 2
            else [f"{stem}-{level}" if stem else level for level in levels]
        )
    return out
