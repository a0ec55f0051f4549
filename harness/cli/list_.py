"""``harness list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import (
    Format,
    House,
    PluginFolders,
    Registries,
    choice,
    open_house,
    print_json,
    stdout_console,
)
from harness.cli.words import state_lines
from harness.errors import HarnessError, UnknownNameError, described, plugin_faults
from harness.records import Table, TableCell

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.interfaces import Dataset
    from harness.registry import Registry


KINDS = ("models", "datasets", "probes", "reports", "suites", "plugins")
SHOWN = {"models": ("name", "group"), "datasets": ("name", "images", "path")}
"""Columns on a terminal, where all of them do not fit beside unbroken names; JSON and ``info`` have the others."""
WHOLE = ("name", "group", "images", "version", "state", "plugin", "models", "tasks")
"""Columns that are not wrapped: users copy names from here."""
LONGEST = 60
"""Characters up to which such a column stays unwrapped; longer ones (two paths of plugins) are wrapped."""


def list_things(
    kind: Annotated[str, typer.Argument(metavar="|".join(KINDS))],
    suite: Annotated[str | None, typer.Option("--suite", metavar="NAME", help="Only what this suite names.")] = None,
    form: Format = "terminal",
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """What is available, and which plugins are broken."""
    choice("format", form, ("terminal", "json"))
    if kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS, hint="Type for instance: harness list models")
    house = open_house(registry, plugins)
    rows = _rows(kind, house)
    if suite is not None:
        rows = _of_suite(kind, rows, house, suite)
    if form == "json":
        print_json(rows)
        return
    columns = SHOWN.get(kind)
    _print_rows(f"{len(rows)} {kind}", rows, columns)
    for line in state_lines("broken", [(row["name"], row["reason"], "") for row in rows if row.get("reason")]):
        stdout_console().print(line, soft_wrap=True)
    if kind != "plugins" and (house.plugins.broken or house.plugins.duplicates):
        n = len(house.plugins.broken) + len(house.plugins.duplicates)
        typer.echo(f"{n} broken or duplicate plugins: harness list plugins", err=True)


def _rows(kind: str, house: House) -> list[dict[str, Any]]:
    from harness.planning.definitions import check_suite

    registry, plugins = house.registry, house.plugins
    if kind == "models":
        return [
            {"name": m.name, "group": m.group, "source": m.source, "reason": _refusal(registry.source_for, m)}
            for m in registry.models.values()
        ]
    if kind == "datasets":
        return _dataset_rows(registry)
    if kind == "probes":
        return [
            {"name": name, "version": plugin.version, "about": _about(plugin)}
            for name, plugin in plugins.probes.items()
        ]
    if kind == "reports":
        return [{"name": name, "about": _about(plugin)} for name, plugin in plugins.reports.items()]
    if kind == "suites":
        return [
            {
                "name": s.name,
                "models": len(s.models),
                "tasks": len(s.tasks),
                "about": s.title,
                "reason": _refusal(lambda name: check_suite(name, registry), s.name),
            }
            for s in registry.suites.values()
        ]
    return _plugin_rows(house)


def _dataset_rows(registry: Registry) -> list[dict[str, Any]]:
    """Usable datasets, then the entries whose plugin is missing or broken, with the reason."""
    rows = []
    for name, plugin in registry.datasets.items():
        reason = _refusal(_images, plugin)
        images = _images(plugin) if reason is None else None
        rows.append({"name": name, "images": images, "about": _about(plugin), "path": plugin.path or None})
        rows[-1]["reason"] = reason
    unusable = {"images": None, "about": "", "path": None}
    rows += [{"name": name, **unusable, "reason": _refusal(registry.dataset, name)} for name in registry.unusable]
    return rows


def _refusal(use: Callable[[Any], object], item: object) -> str | None:
    """Why something that is listed cannot be used; None if it can."""
    try:
        use(item)
    except HarnessError as error:
        return str(error)
    except plugin_faults() as error:  # a plugin may fail in any way; the list goes on
        return described(error)
    return None


def _plugin_rows(house: House) -> list[dict[str, Any]]:
    contents: dict[str, list[str]] = {}
    for (type_name, name), provider in house.plugins.providers.items():
        contents.setdefault(provider, []).append(f"{type_name} {name}")
    return [
        *({"plugin": provider, "state": "ok", "about": ", ".join(members)} for provider, members in contents.items()),
        *({"plugin": plugin.provider, "state": "broken", "about": plugin.error} for plugin in house.plugins.broken),
        *(
            {
                "plugin": " and ".join(clash.providers),
                "state": "duplicate",
                "about": f"{clash.kind} {clash.name}",
            }
            for clash in house.plugins.duplicates
        ),
    ]


def _of_suite(kind: str, rows: list[dict[str, Any]], house: House, name: str) -> list[dict[str, Any]]:
    suite = house.registry.suite(name)
    names = {
        "models": [model.name for model in house.registry.models_matching(suite.models)] if suite.models else [],
        "datasets": [task.dataset for task in suite.tasks],
        "probes": [task.probe for task in suite.tasks],
        "suites": [suite.name],
    }
    return [row for row in rows if row.get("name") in names.get(kind, [row.get("name")])]


def _images(dataset: Dataset) -> int | None:
    """Number of images in a complete copy; None if unknown."""
    release = dataset.release()
    return release.images if release else None


def _about(plugin: object) -> str:
    return (type(plugin).__doc__ or "").strip().partition("\n")[0].rstrip(".")


def _print_rows(title: str, rows: list[dict[str, Any]], columns: tuple[str, ...] | None) -> None:
    from harness.output.formats import show

    headings = tuple(name for name in columns or (rows[0] if rows else ()) if name != "reason")
    whole = [name for name in headings if name in WHOLE and max(len(str(row[name])) for row in rows) <= LONGEST]
    styles = ["red" if row.get("state", "ok") != "ok" or row.get("reason") else "" for row in rows]
    cells = tuple(tuple(_cell(row[name], style) for name in headings) for row, style in zip(rows, styles, strict=True))
    show([Table(title=title, columns=headings, rows=cells)], stdout_console(), whole)


def _cell(value: Any, style: str) -> TableCell:
    text = "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
    return TableCell(text, value=value, style=style)
