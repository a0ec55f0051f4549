"""What a run folder says of its run, beside the trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.planning.contents import contents_of

if TYPE_CHECKING:
    from harness.planning.plan import Plan
    from harness.planning.request import Selection
    from harness.records import ModelSpec, RunRecord, Suite
    from harness.store import RunWriter


def describe(opened: RunWriter, plan: Plan, selection: Selection, remarks: Mapping[str, Sequence[str]]) -> list[str]:
    """Write everything but trials to the run folder: groups, planned cells, definitions, remarks, layouts.

    Args:
        remarks: model -> what its source says of its weights.

    Returns:
        Remarks on definitions that the suite replaces, which are stored too, and on declarations that it leaves.
    """
    suite = selection.suite
    redefined = redefinitions(opened.record, suite) if suite else {}
    kept = still_declared(opened.record, suite) if suite else []
    opened.update_manifest(
        study={
            "biases": {name: list(parts) for name, parts in (suite.biases if suite else {}).items()},
            "axes": {name: list(parts) for name, parts in (suite.axes if suite else {}).items()},
            **({"titles": dict(suite.titles)} if suite and suite.titles else {}),
            **({"statistics": declared} if suite and (declared := suite.statistics.document()) else {}),
        },
        models={spec.name: _model(spec) for spec in selection.models},
        **_planned(plan),
        warnings={
            **{name: [f"{name}: {remark}" for remark in remarks[name]] for name in remarks},
            **{task.dataset.name: list(task.manifest.remarks) for task in plan.tasks},
            **redefined,
        },
        contents=contents_of(plan),
        **_accepted(opened, plan),
    )
    for task in plan.tasks:
        opened.put_layout(task.layout)
    # Finish cells that a killed run had completed, and rewrite the index in any case.
    complete = [cell.job for cell in plan.cells if cell.job and cell.status == "stored"]
    for job in complete:
        opened.clear_failure(job)
    opened.finish(complete)
    return [*kept, *(remark for remarks in redefined.values() for remark in remarks)]


def still_declared(record: RunRecord, suite: Suite) -> list[str]:
    """A remark if the run declares statistics that `suite` does not, though it defines every bias and axis of the run.

    They hold on: what was declared before there were numbers is not taken back after. A suite of other biases or axes
    has no say in it.
    """
    left = [key for key in record.statistics.document() if key not in suite.statistics.document()]
    if not left or not (record.biases.keys() <= suite.biases.keys() and record.axes.keys() <= suite.axes.keys()):
        return []
    names = ", ".join(left)
    return [f"statistics: suite {suite.name!r} does not declare {names}; what this run declares of it holds on"]


def redefinitions(record: RunRecord, suite: Suite) -> dict[str, list[str]]:
    """Bias, axis or ``statistics`` -> remarks where `suite` replaces what the run says; the latest definition holds."""
    remarks: dict[str, list[str]] = {}
    for earlier, latest in ((record.biases, suite.biases), (record.axes, suite.axes)):
        for name, parts in latest.items():
            before = earlier.get(name)
            if before is not None and set(before) != set(parts):
                text = (
                    f"redefined by suite {suite.name!r} as {', '.join(parts)}; before, in this run, {', '.join(before)}"
                )
                remarks[name] = [f"{name}: {text}. The latest definition holds for all models of the run"]
    for key in record.statistics.completed(suite.statistics)[1]:
        text = f"{key} is redefined by suite {suite.name!r}; the latest declaration holds for all models of the run"
        remarks.setdefault("statistics", []).append(f"statistics: {text}")
    return remarks


def _accepted(opened: RunWriter, plan: Plan) -> dict[str, Any]:
    """The changes of code that leave all numbers the same, after those that were accepted before; empty if none."""
    if not plan.accepted:
        return {}
    return {"same_numbers": [*opened.record.document.get("same_numbers", ()), *map(asdict, plan.accepted)]}


def _model(spec: ModelSpec) -> dict[str, Any]:
    """What a run keeps of a registry entry."""
    expected = {name: list(value) for name, value in spec.expected.items()}
    return {"group": spec.group, "title": spec.title, **({"expected": expected} if expected else {})}


def _planned(plan: Plan) -> dict[str, dict[str, dict[str, str]]]:
    """Task -> model -> why the cell cannot be computed (empty: it can); and the remedy where it cannot."""
    planned: dict[str, dict[str, str]] = {}
    remedies: dict[str, dict[str, str]] = {}
    for cell in plan.cells:
        because = cell.because if cell.job is None else None
        planned.setdefault(cell.task, {})[cell.model] = because.text if because else ""
        if because:
            remedies.setdefault(cell.task, {})[cell.model] = because.remedy
    return {"planned": planned, "remedies": remedies} if remedies else {"planned": planned}
