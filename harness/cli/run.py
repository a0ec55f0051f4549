"""``harness run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import (
    Data,
    House,
    PluginFolders,
    Registries,
    open_house,
    print_json,
    quoted,
    repeated,
    stderr_console,
    stdout_console,
)
from harness.local.paths import home_path

if TYPE_CHECKING:
    from harness.planning.request import RunRequest
    from harness.workflows.run_result import RunResult

OPTION = typer.Option


def run(
    out: Annotated[Path, OPTION("--out", metavar="RUN", help="Run folder; an existing run is resumed or extended.")],
    suite: Annotated[str | None, OPTION("--suite", metavar="NAME", help="Models, tasks and axes by name.")] = None,
    task: Annotated[list[str] | None, OPTION("--task", metavar="probe@dataset …", help="Tasks to run.")] = None,
    models: Annotated[list[str] | None, OPTION("--models", metavar="PATTERN …", help="Models to run.")] = None,
    device: Annotated[str, OPTION("--device", metavar="auto|cpu|cuda[:i]")] = "auto",
    precision: Annotated[str | None, OPTION("--precision", metavar="fp32|tf32|bf16", help="Default fp32.")] = None,
    batch_size: Annotated[str, OPTION("--batch-size", metavar="N|auto", help="Samples in one forward.")] = "auto",
    workers: Annotated[int | None, OPTION("--workers", metavar="N", help="Decoding threads.")] = None,
    seed: Annotated[int | None, OPTION("--seed", metavar="N", help="Seed of the stimuli. Default 0.")] = None,
    limit: Annotated[
        int | None, OPTION("--limit", metavar="N", help="Only the N samples with the lowest hash of their id.")
    ] = None,
    store: Annotated[str | None, OPTION("--store", metavar="top5|logits", help="Default top5.")] = None,
    same_numbers: Annotated[
        bool, OPTION("--same-numbers", help="A plugin's code has changed, but no number that it makes.")
    ] = False,
    dry_run: Annotated[bool, OPTION("--dry-run", help="Print the plan and stop.")] = False,
    json_plan: Annotated[bool, OPTION("--json", help="With --dry-run: the plan as JSON.")] = False,
    data: Data = None,
    registry: Registries = None,
    plugins: PluginFolders = None,
) -> None:
    """Run probes on models and store every decision. The same command resumes."""
    from harness.local.provenance import command_line
    from harness.workflows.display import TerminalDisplay
    from harness.workflows.execution import RunInterrupted, execute_run
    from harness.workflows.run import run_request

    request = run_request(
        suite=suite,
        tasks=task or (),
        models=models or (),
        data=data or (),
        device=device,
        precision=precision,
        batch_size=batch_size,
        workers=workers,
        seed=seed,
        limit=limit,
        store=store,
        same_numbers=same_numbers,
    )
    out, house = home_path(out), open_house(registry, plugins)
    if dry_run:
        _dry_run(request, house, out, device, json_plan)
        return
    display = TerminalDisplay(stderr_console())
    try:
        result = execute_run(
            request, house, out, device=device, workers=workers, display=display, command=command_line()
        )
    except RunInterrupted:
        stderr_console().print(
            f"interrupted; finished spans are stored. Resume with the same command: --out {quoted(out)}"
        )
        raise typer.Exit(130) from None
    _summary(result, repeated({"--plugins": plugins, "--registry": registry}))


def _dry_run(request: RunRequest, house: House, out: Path, device: str, as_json: bool) -> None:
    """Print the plan, without torch: ``--device auto`` without a stored run means the CPU."""
    from harness.cli.plan import plan_data, print_plan
    from harness.planning.estimate import estimate, shapes_of
    from harness.planning.request import select
    from harness.workflows.display import TerminalDisplay
    from harness.workflows.execution import plan_run

    selection = select(request, house.registry)
    device_type = None if device == "auto" else device.partition(":")[0]
    plan = plan_run(request, selection, out, device_type, TerminalDisplay(stderr_console()))
    cost = estimate(shapes_of(plan), len(selection.models), plan.settings.precision, plan.settings.store)
    if as_json:
        print_json(plan_data(plan, cost))
    else:
        print_plan(plan, cost, stdout_console())


def _summary(result: RunResult, options: str) -> None:
    """What is stored, and why the rest is not. Exit code 1 if a cell failed or is missing.

    Args:
        options: further options of this call, repeated in the next command.
    """
    from harness.workflows.plan_lines import reason_lines

    console = stderr_console()
    for remark in result.remarks:
        console.print(f"note: {remark}")
    console.print(f"{result.stored} of {result.cells} cells stored in {result.path}", soft_wrap=True)
    for (task, model), reason in result.failures.items():
        console.print(f"failed: {model} on {task}: {reason}", soft_wrap=True)
    missing = [cell for cell in result.plan.cells if cell.status == "missing"]
    for line in reason_lines([*missing, *(cell for cell in result.plan.cells if cell.status == "inapplicable")]):
        console.print(line, soft_wrap=True)
    console.print(f"next: harness report {quoted(result.path)}{options}", soft_wrap=True)
    if not result.complete:
        raise typer.Exit(1)
