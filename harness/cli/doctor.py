"""``harness doctor``: the findings as tables that fit 80 columns, then remarks, totals and the next command."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from harness.cli.options import (
    Data,
    Format,
    PluginFolders,
    Registries,
    choice,
    open_house,
    print_json,
    repeated,
    stdout_console,
)
from harness.cli.words import estimate_lines, named, size, state_lines, work
from harness.errors import advised
from harness.output.formats import show
from harness.records import Table, TableCell

if TYPE_CHECKING:
    from rich.console import Console

    from harness.planning.doctor import Finding
    from harness.planning.estimate import Estimate

MANY: Final = 12
"""More checkpoints than this in one state are shown by group."""
WHOLE: Final = ("state", "to get", "how", "licence")
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
    """What a suite needs: present, partial, missing or corrupt, and how to fix it."""
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
        unplaced = roots.default is None and any(finding.kind == "dataset" and finding.stops for finding in findings)
        options = {
            "--data": [*(data or ()), *(["ROOT"] if unplaced else [])],
            "--registry": registry,
            "--plugins": plugins,
        }
        cost = estimate(task_costs(suite, house.registry, findings), models)
        print_findings(suite, findings, cost, repeated(options), stdout_console())
    if any(finding.stops for finding in findings):
        raise typer.Exit(1)


def findings_data(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Every finding as one JSON-ready row."""
    from dataclasses import asdict

    return [{**asdict(finding), "uris": list(finding.uris)} for finding in findings]


def print_findings(suite: str, findings: Sequence[Finding], estimate: Estimate, options: str, console: Console) -> None:
    """All findings of `suite`, for a person who decides whether to start and what to do first.

    Args:
        estimate: of a whole run of the suite.
        options: further options of this call (`` --data X``), repeated in the next command.
    """
    console.print(f"suite {suite}", style="bold")
    console.print()
    by_noun = {noun: [finding for finding in findings if finding.kind == kind] for kind, noun in _NOUNS.items()}
    show([_table(noun, rows) for noun, rows in by_noun.items() if rows], console, WHOLE)
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
    rows = []
    for name, members in _rows(findings):
        state = members[0].state
        sizes = _sizes(members) if any(finding.by_fetch or finding.by_hand for finding in members) else ""
        texts = (sizes, _how(members), _licence(members))
        rows.append((TableCell(name), TableCell(state, style=STYLES[state]), *map(TableCell, texts)))
    return Table(title="", columns=(title, *WHOLE), rows=tuple(rows))


def _rows(findings: Sequence[Finding]) -> Iterator[tuple[str, list[Finding]]]:
    """Name and members of each row, in the order of the suite: one finding, or a group of models in one state."""
    counts = Counter(finding.state for finding in findings if finding.kind == "model")
    rows: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        grouped = finding.kind == "model" and counts[finding.state] > MANY
        rows.setdefault((f"group {finding.group}" if grouped else finding.name, finding.state), []).append(finding)
    for members in rows.values():
        first = members[0]
        grouped = first.kind == "model" and counts[first.state] > MANY
        yield (f"{first.group or 'without a group'} ({len(members)})" if grouped else first.name), members


def _sizes(findings: Sequence[Finding]) -> str:
    total, unknown = _sum(findings, lambda finding: finding.bytes)
    if unknown == len(findings):
        return "?"
    return size(total) + (" + ?" if unknown else "")


def _how(findings: Sequence[Finding]) -> str:
    def route(finding: Finding) -> str:
        if finding.by_fetch:
            return "fetch"
        if finding.by_hand and finding.mend:
            return "by hand"
        return "see below" if finding.stops else ""

    return _shared(findings, route)


def _licence(findings: Sequence[Finding]) -> str:
    note = _shared(findings, lambda finding: licence_note(finding.license))
    non_commercial = sum(is_non_commercial(finding.license) for finding in findings)
    return f"several, {non_commercial} NC" if note == "several" and non_commercial else note


def _shared(findings: Sequence[Finding], text_of: Callable[[Finding], str]) -> str:
    values = dict.fromkeys(map(text_of, findings))
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


# --- lines below the table -------------------------------------------------------------------


def _remarks(findings: Sequence[Finding]) -> Iterator[str]:
    """Why something is wrong or partial, and what is missing without a known remedy; equal reasons once."""
    remarkable = [
        finding
        for finding in findings
        if finding.state in {"wrong", "partial"} or (finding.by_hand and not finding.mend)
    ]
    for state in ("wrong", "missing", "partial"):
        yield from state_lines(
            state,
            [(finding.name, _reason(finding), finding.general) for finding in remarkable if finding.state == state],
        )


def _reason(finding: Finding) -> str:
    """The detail; with the remedy where no table or other line gives it."""
    return advised(finding.detail, finding.mend if finding.state == "wrong" and not finding.by_fetch else "")


def _by_hand(findings: Sequence[Finding]) -> Iterator[str]:
    names: dict[str, list[str]] = {}
    for finding in findings:
        if finding.by_hand and finding.mend:
            names.setdefault(finding.mend, []).append(finding.name)
    for remedy, members in names.items():
        yield f"by hand: {', '.join(members)}: {remedy}"


def _licences(findings: Sequence[Finding]) -> Iterator[str]:
    names: dict[str, list[str]] = {}
    for finding in findings:
        if is_non_commercial(finding.license):
            names.setdefault(finding.license, []).append(finding.name)
    for license, members in names.items():
        yield f"not for commercial use ({license}): {', '.join(members)}"


def _totals(findings: Sequence[Finding]) -> Iterator[str]:
    items = [finding for finding in findings if finding.kind != "task"]
    present = [f"{_count(items, kind, 'present', 'partial')} {noun}" for kind, noun in _NOUNS.items()]
    partial, wrong = (sum(finding.state == state for finding in findings) for state in ("partial", "wrong"))
    yield f"here: {' and '.join(present)}; {partial} partial, {wrong} wrong"
    fetched, by_hand = (
        [finding for finding in items if finding.by_fetch],
        [finding for finding in items if finding.by_hand],
    )
    if fetched or by_hand:
        yield f"to get: {_amount(fetched)} by `harness fetch`, {_amount(by_hand)} by hand"
    downloaded = [finding for finding in items if finding.kind == "model" and finding.trust]
    from harness.planning.doctor import ON_FIRST_USE

    if unpublished := sum(finding.trust == ON_FIRST_USE for finding in downloaded):
        yield f"no digest is published for {unpublished} of {len(downloaded)} checkpoints: {ON_FIRST_USE}"
    sized = [finding for finding in items if finding.stops or finding.disk_bytes is not None]
    yield f"disk for data and checkpoints once all are here: {_amount(sized, lambda finding: finding.disk_bytes)}"


def _count(findings: Iterable[Finding], kind: str, *states: str) -> str:
    of_kind = [finding for finding in findings if finding.kind == kind]
    return f"{sum(finding.state in states for finding in of_kind)} of {len(of_kind)}"


def _amount(
    findings: Sequence[Finding], bytes_of: Callable[[Finding], int | None] = lambda finding: finding.bytes
) -> str:
    total, unknown = _sum(findings, bytes_of)
    parts = [size(total)] if total else []
    parts += [f"{unknown} of unknown size"] if unknown else []
    return " and ".join(parts) or "nothing"


def _sum(findings: Sequence[Finding], bytes_of: Callable[[Finding], int | None]) -> tuple[int, int]:
    """Bytes of all findings, each place on disk counted once, and the number of places of unknown size."""
    places: dict[str, int | None] = {}
    for finding in findings:
        place, amount = finding.place or finding.name, bytes_of(finding)
        places[place] = amount if places.get(place) is None else places[place]
    sizes = [amount for amount in places.values() if amount is not None]
    return sum(sizes), len(places) - len(sizes)


def _next(suite: str, findings: Sequence[Finding], options: str) -> Iterator[str]:
    run = f"harness run --suite {suite} --out runs/{suite}{options}"
    to_fix = [finding.name for finding in findings if finding.state == "wrong" and not finding.by_fetch]
    if to_fix:
        yield f"next: fix {named(to_fix)} as described above, then: harness doctor --suite {suite}{options}"
    elif any(finding.by_fetch for finding in findings):
        yield f"next: harness fetch --suite {suite}{options}"
    elif any(finding.by_hand for finding in findings):
        yield f"next: get what is missing by hand as described above, then: harness doctor --suite {suite}{options}"
    else:
        yield f"next: {run}"
        return
    if not to_fix and all(_any_here(findings, kind) for kind in _NOUNS):
        yield f"or start with what is here, and add the rest later: {run}"


def _any_here(findings: Iterable[Finding], kind: str) -> bool:
    return any(finding.kind == kind and not finding.stops for finding in findings)
