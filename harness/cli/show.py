"""``harness list``, ``harness info``, ``harness doctor``."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import (
    Data,
    Format,
    House,
    PluginFolders,
    Registries,
    choice,
    open_house,
    print_json,
    stdout_console,
)
from harness.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = ("models", "datasets", "probes", "reports", "suites", "plugins")


def list_things(
    what: Annotated[str, typer.Argument(metavar="|".join(KINDS))],
    suite: Annotated[str | None, typer.Option("--suite", metavar="NAME", help="Only what this suite names.")] = None,
    form: Format = "terminal",
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """What there is, and what is broken."""
    choice("format", form, ("terminal", "json"))
    if what not in KINDS:
        raise UnknownNameError("kind", what, KINDS, hint="Type for instance: harness list models")
    house = open_house(registry, plugins)
    rows = _rows(what, house)
    if suite is not None:
        rows = _of_suite(what, rows, house, suite)
    if form == "json":
        print_json(rows)
        return
    _print_rows(f"{len(rows)} {what}", rows)
    if what != "plugins" and (house.plugins.broken or house.plugins.duplicates):
        n = len(house.plugins.broken) + len(house.plugins.duplicates)
        typer.echo(f"{n} broken or duplicate plugins: harness list plugins", err=True)


def _rows(what: str, house: House) -> list[dict[str, Any]]:
    registry, plugins = house.registry, house.plugins
    if what == "models":
        return [{"name": m.name, "group": m.group or "–", "source": m.source} for m in registry.models.values()]
    if what == "datasets":
        return [
            {"name": name, "about": _about(one), "path": one.path or "–"} for name, one in registry.datasets.items()
        ]
    if what == "probes":
        return [{"name": name, "version": one.version, "about": _about(one)} for name, one in plugins.probes.items()]
    if what == "reports":
        return [{"name": name, "about": _about(one)} for name, one in plugins.reports.items()]
    if what == "suites":
        return [
            {"name": s.name, "models": len(s.models), "tasks": len(s.tasks), "about": s.title}
            for s in registry.suites.values()
        ]
    return _plugin_rows(house)


def _plugin_rows(house: House) -> list[dict[str, Any]]:
    working: dict[str, list[str]] = {}
    for (kind, name), provider in house.plugins.providers.items():
        working.setdefault(provider, []).append(f"{kind} {name}")
    return [
        *({"plugin": provider, "state": "ok", "about": ", ".join(things)} for provider, things in working.items()),
        *({"plugin": one.provider, "state": "broken", "about": one.error} for one in house.plugins.broken),
        *(
            {"plugin": " and ".join(one.providers), "state": "duplicate", "about": f"{one.kind} {one.name}"}
            for one in house.plugins.duplicates
        ),
    ]


def _of_suite(what: str, rows: list[dict[str, Any]], house: House, name: str) -> list[dict[str, Any]]:
    suite = house.registry.suite(name)
    names = {
        "models": [model.name for model in house.registry.models_matching(suite.models)] if suite.models else [],
        "datasets": [task.dataset for task in suite.tasks],
        "probes": [task.probe for task in suite.tasks],
        "suites": [suite.name],
    }
    return [row for row in rows if row.get("name") in names.get(what, [row.get("name")])]


def _about(thing: object) -> str:
    return (type(thing).__doc__ or "").strip().partition("\n")[0].rstrip(".")


def _print_rows(title: str, rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in rows[0] if rows else ():
        table.add_column(heading, overflow="fold", no_wrap=heading == "name")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()), style="red" if row.get("state", "ok") != "ok" else "")
    stdout_console().print(table)


def info(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model, dataset, probe, report or suite.")],
    form: Format = "terminal",
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """Everything known about one name."""
    choice("format", form, ("terminal", "json"))
    house = open_house(registry, plugins)
    known: dict[str, Mapping[str, Any]] = {
        "model": house.registry.models,
        "dataset": house.registry.datasets,
        "probe": house.plugins.probes,
        "report": house.plugins.reports,
        "suite": house.registry.suites,
    }
    aliases = {alias: model.name for model in house.registry.models.values() for alias in model.aliases}
    name = aliases.get(name, name)
    found = [(kind, things[name]) for kind, things in known.items() if name in things]
    if not found:
        everything = {one for things in known.values() for one in things} | set(aliases)
        raise UnknownNameError("name", name, everything, hint="See: harness list models|datasets|probes|suites")
    described = [{"kind": kind, "name": name, **_describe(thing, kind)} for kind, thing in found]
    if form == "json":
        print_json(described if len(described) > 1 else described[0])
        return
    for one in described:
        _print_description(one)


def _describe(thing: Any, kind: str) -> dict[str, Any]:
    fields = asdict(thing) if is_dataclass(thing) and not isinstance(thing, type) else {}
    fields.pop("name", None)
    described: dict[str, Any] = {key: _plain(value) for key, value in fields.items() if value not in (None, "", (), {})}
    if kind in {"dataset", "probe", "report"}:
        described["about"] = " ".join((type(thing).__doc__ or "").split())
    if kind == "probe":
        described["version"] = thing.version
        described["requires"] = list(thing.requires)
        described["conditions at 224 px"] = list(thing.conditions(224))
    return described


def _plain(value: Any) -> Any:
    """JSON-ready: paths as text, tuples as lists."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


def _print_description(described: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(
        title=f"{described.pop('kind')} {described.pop('name')}", title_justify="left", box=None, show_header=False
    )
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in described.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        table.add_row(key, text)
    stdout_console().print(table)


def doctor(
    suite: Annotated[str, typer.Option("--suite", metavar="NAME")],
    data: Data = None,
    form: Format = "terminal",
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """What a suite needs: present, partial, missing or corrupt, and what mends it."""
    from harness.doctor import examine
    from harness.manifest import DataRoots

    choice("format", form, ("terminal", "json"))
    house = open_house(registry, plugins)
    findings = examine(suite, house.registry, DataRoots.parse(data or ()))
    rows = [asdict(finding) for finding in findings]
    if form == "json":
        print_json(rows)
    else:
        _print_findings(suite, rows)
    if any(finding.stops for finding in findings):
        raise typer.Exit(1)


def _print_findings(suite: str, rows: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    styles = {"present": "green", "partial": "yellow"}
    table = Table(title=f"suite {suite}", title_justify="left", box=None, pad_edge=False)
    for heading in ("kind", "name", "state", "detail"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "kind")
    for row in rows:
        state = row["state"]
        table.add_row(row["kind"], row["name"], Text(state, styles.get(state, "red")), row["detail"])
    stdout_console().print(table)
