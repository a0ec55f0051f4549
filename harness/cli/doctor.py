"""How the doctor's findings are printed: tables that fit 80 columns, what is remarkable, totals, the next command."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from harness.cli.options import Data, Format, PluginFolders, Registries, choice, open_house, print_json, stdout_console
from harness.cli.words import estimate_lines, listed, named, size, work
from harness.errors import advised
from harness.planning.doctor import ON_FIRST_USE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from harness.planning.doctor import Finding
    from harness.planning.estimate import Estimate

MANY: Final = 12
"""More checkpoints than this in one state are shown by group."""
STYLES: Final = {"present": "green", "partial": "yellow", "missing": "red", "wrong": "red"}
_LICENSE_WIDTH: Final = 22
_NOUNS: Final[Mapping[str, str]] = {"dataset": "datasets", "model": "checkpoints"}


def doctor(
    suite: Annotated[str, typer.Option("--suite", metavar="NAME")],
    data: Data = None,
    form: Format = "terminal",
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """What a suite needs: present, partial, missing or corrupt, and what mends it."""
    from harness.data.roots import DataRoots
    from harness.planning.doctor import examine, task_costs
    from harness.planning.estimate import estimate

    choice("format", form, ("terminal", "json"))
    house = open_house(registry, plugins)
    roots = DataRoots.parse(data or ())
    findings = examine(suite, house.registry, roots)
    if form == "json":
        print_json(findings_data(findings))
    else:
        models = sum(finding.kind == "model" for finding in findings)
        unplaced = roots.default is None and any(one.kind == "dataset" and one.stops for one in findings)
        options = {
            "--data": [*(data or ()), *(["ROOT"] if unplaced else [])],
            "--registry": registry,
            "--plugins": plugins,
        }
        again = "".join(f" {name} {shlex.quote(str(one))}" for name, given in options.items() for one in given or ())
        cost = estimate(task_costs(suite, house.registry, findings), models)
        print_findings(suite, findings, cost, again, stdout_console())
    if any(finding.stops for finding in findings):
        raise typer.Exit(1)


def findings_data(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Every finding as one JSON-ready row."""
    from dataclasses import asdict

    return [{**asdict(finding), "uris": list(finding.uris)} for finding in findings]


def print_findings(suite: str, findings: Sequence[Finding], estimate: Estimate, options: str, console: Console) -> None:
    """All findings of `suite` for a person who wants to know whether to start, and what to do first.

    Args:
        estimate: of a whole run of the suite.
        options: what was typed beside the suite (`` --data X``), to be typed again with the next command.
    """
    console.print(f"suite {suite}", style="bold")
    for kind, noun in _NOUNS.items():
        rows = [finding for finding in findings if finding.kind == kind]
        if rows:
            console.print()
            console.print(_table(noun, rows))
    console.print()
    remarks = [*_remarks(findings), *_by_hand(findings), *_licences(findings)]
    for line in [*remarks, ""] if remarks else []:
        console.print(line, soft_wrap=True)
    cost = [f"a whole run: {work(estimate)}", *estimate_lines(estimate)]
    for line in [*_totals(findings), *cost]:
        console.print(line)
    for line in _next(suite, findings, options):
        console.print(line, soft_wrap=True)  # a command that is copied must not be cut


# --- the table -------------------------------------------------------------------------------


def _table(title: str, findings: Sequence[Finding]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column(title, overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("to get", justify="right", no_wrap=True)
    table.add_column("how", no_wrap=True)
    table.add_column("licence", no_wrap=True)
    for name, members in _rows(findings):
        state = members[0].state
        table.add_row(
            name,
            Text(state, STYLES[state]),
            _sizes(members) if any(one.by_fetch or one.by_hand for one in members) else "",
            _how(members),
            _licence(members),
        )
    return table


def _rows(findings: Sequence[Finding]) -> Iterator[tuple[str, list[Finding]]]:
    """Name and members of each row, in the order of the suite: one finding, or a group of models in one state."""
    alike = Counter(finding.state for finding in findings if finding.kind == "model")
    rows: dict[tuple[str, str], list[Finding]] = {}
    for one in findings:
        grouped = one.kind == "model" and alike[one.state] > MANY
        rows.setdefault((f"group {one.group}" if grouped else one.name, one.state), []).append(one)
    for members in rows.values():
        first = members[0]
        grouped = first.kind == "model" and alike[first.state] > MANY
        yield (f"{first.group or 'without a group'} ({len(members)})" if grouped else first.name), members


def _sizes(findings: Sequence[Finding]) -> str:
    known, unknown = _sum(findings, lambda one: one.bytes)
    if unknown == len(findings):
        return "?"
    return size(known) + (" + ?" if unknown else "")


def _how(findings: Sequence[Finding]) -> str:
    def how(one: Finding) -> str:
        return "fetch" if one.by_fetch else "by hand" if one.by_hand and one.mend else "see below" if one.stops else ""

    return _shared(findings, how)


def _licence(findings: Sequence[Finding]) -> str:
    alike = _shared(findings, lambda one: licence_note(one.license))
    forbidding = sum(is_non_commercial(one.license) for one in findings)
    return f"several, {forbidding} NC" if alike == "several" and forbidding else alike


def _shared(findings: Sequence[Finding], what: Callable[[Finding], str]) -> str:
    values = dict.fromkeys(map(what, findings))
    return next(iter(values)) if len(values) == 1 else "several"


def is_non_commercial(license: str) -> bool:
    """Whether the words of a licence forbid commercial use."""
    return re.search(r"\bNC\b|non-?\s?commercial", license, re.IGNORECASE) is not None


def licence_note(license: str) -> str:
    """A licence in a few characters; those that forbid commercial use say ``NC``."""
    if not license:
        return "not stated"
    marked = license if "NC" in license or not is_non_commercial(license) else f"NC: {license}"
    return marked if len(marked) <= _LICENSE_WIDTH else f"{marked[: _LICENSE_WIDTH - 1].rstrip()}…"


# --- lines below it --------------------------------------------------------------------------


def _remarks(findings: Sequence[Finding]) -> Iterator[str]:
    """Why something is wrong or partial, and what is missing without a known remedy; equal reasons once."""
    told = [one for one in findings if one.state in {"wrong", "partial"} or (one.by_hand and not one.mend)]
    for state in ("wrong", "missing", "partial"):
        yield from listed(state, [(one.name, _reason(one), one.general) for one in told if one.state == state])


def _reason(one: Finding) -> str:
    """The detail; with what to type, where no table or other line says it."""
    return advised(one.detail, one.mend if one.state == "wrong" and not one.by_fetch else "")


def _by_hand(findings: Sequence[Finding]) -> Iterator[str]:
    names: dict[str, list[str]] = {}
    for one in findings:
        if one.by_hand and one.mend:
            names.setdefault(one.mend, []).append(one.name)
    for mend, whose in names.items():
        yield f"by hand: {', '.join(whose)}: {mend}"


def _licences(findings: Sequence[Finding]) -> Iterator[str]:
    names: dict[str, list[str]] = {}
    for one in findings:
        if is_non_commercial(one.license):
            names.setdefault(one.license, []).append(one.name)
    for license, whose in names.items():
        yield f"not for commercial use ({license}): {', '.join(whose)}"


def _totals(findings: Sequence[Finding]) -> Iterator[str]:
    things = [one for one in findings if one.kind != "task"]
    here = [f"{_count(things, kind, 'present', 'partial')} {noun}" for kind, noun in _NOUNS.items()]
    partial, wrong = (sum(one.state == state for one in findings) for state in ("partial", "wrong"))
    yield f"here: {' and '.join(here)}; {partial} partial, {wrong} wrong"
    fetched, by_hand = [one for one in things if one.by_fetch], [one for one in things if one.by_hand]
    if fetched or by_hand:
        yield f"to get: {_amount(fetched)} by `harness fetch`, {_amount(by_hand)} by hand"
    downloaded = [one for one in things if one.kind == "model" and one.trust]
    if unpublished := sum(one.trust == ON_FIRST_USE for one in downloaded):
        yield f"no digest is published for {unpublished} of {len(downloaded)} checkpoints: {ON_FIRST_USE}"
    sized = [one for one in things if one.stops or one.disk_bytes is not None]
    yield f"disk for data and checkpoints once all are here: {_amount(sized, lambda one: one.disk_bytes)}"


def _count(findings: Iterable[Finding], kind: str, *states: str) -> str:
    of_kind = [one for one in findings if one.kind == kind]
    return f"{sum(one.state in states for one in of_kind)} of {len(of_kind)}"


def _amount(findings: Sequence[Finding], what: Callable[[Finding], int | None] = lambda one: one.bytes) -> str:
    known, unknown = _sum(findings, what)
    parts = [size(known)] if known else []
    parts += [f"{unknown} of unknown size"] if unknown else []
    return " and ".join(parts) or "nothing"


def _sum(findings: Sequence[Finding], what: Callable[[Finding], int | None]) -> tuple[int, int]:
    """Bytes of all findings, each place on disk once, and how many are not known."""
    places: dict[str, int | None] = {}
    for one in findings:
        place, amount = one.place or one.name, what(one)
        places[place] = amount if places.get(place) is None else places[place]
    known = [amount for amount in places.values() if amount is not None]
    return sum(known), len(places) - len(known)


def _next(suite: str, findings: Sequence[Finding], options: str) -> Iterator[str]:
    run = f"harness run --suite {suite} --out runs/{suite}{options}"
    mend = [one.name for one in findings if one.state == "wrong" and not one.by_fetch]
    if mend:
        yield f"next: mend {named(mend)} as said above, then: harness doctor --suite {suite}{options}"
    elif any(one.by_fetch for one in findings):
        yield f"next: harness fetch --suite {suite}{options}"
    elif any(one.by_hand for one in findings):
        yield f"next: get what is missing by hand as said above, then: harness doctor --suite {suite}{options}"
    else:
        yield f"next: {run}"
        return
    if not mend and all(_any_here(findings, kind) for kind in _NOUNS):
        yield f"or start with what is here, and add the rest later: {run}"


def _any_here(findings: Iterable[Finding], kind: str) -> bool:
    return any(one.kind == kind and not one.stops for one in findings)
