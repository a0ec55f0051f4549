"""``python -m harness.plugins.models._zoo.training [RECIPES.yaml] [--out DIR]``: train networks, several at a time."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness import HarnessError, RequestError

from .recipe import Recipe, read_recipes
from .request import OWN_RECIPES, image_cache, reasons_to_train, refuse_device, selected_recipes, workers_of, writable
from .storage import BUILT_IN, WEIGHTS, Place, pin, write_registry

OPTION = typer.Option
app = typer.Typer(
    name="python -m harness.plugins.models._zoo.training",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def main(
    recipes: Annotated[
        Path, typer.Argument(metavar="[RECIPES.yaml]", show_default=False, help="Default: the recipes of the zoo.")
    ] = OWN_RECIPES,
    out: Annotated[
        Path | None, OPTION("--out", metavar="DIR", help="Folder of the trained networks. Default: the zoo's own.")
    ] = None,
    only: Annotated[
        list[str] | None, OPTION("--only", metavar="NAME", help="Train only this network. Repeatable.")
    ] = None,
    jobs: Annotated[
        int, OPTION("--jobs", metavar="N", min=0, help="Networks in parallel, about 1 GB each; 0: one for each core.")
    ] = 0,
    device: Annotated[str, OPTION("--device", metavar="cpu|cuda", help="Device; weights differ between them.")] = "cpu",
    cache: Annotated[
        Path | None,
        OPTION("--cache", metavar="DIR", help="Cache of training images. Default: zoo in the user's cache folder."),
    ] = None,
    report: Annotated[
        Path | None,
        OPTION("--report", metavar="RUN", help="Then run the suite on them in this run folder, and print its report."),
    ] = None,
    suite: Annotated[str, OPTION("--suite", metavar="NAME", help="With --report.")] = "quickstart",
    registry: Annotated[
        list[Path] | None, OPTION("--registry", metavar="FILE", help="With --report: a further registry. Repeatable.")
    ] = None,
) -> None:
    """Train every network of RECIPES.yaml that is not trained yet, and write a registry file beside them.

    A network that is already trained with the same recipe is skipped, so an interrupted command resumes.
    Each network is trained on one thread, so that its bits do not depend on other networks.

    Exit codes: 0, 1 (a network failed; the others are trained), 2 (wrong request), 130 (Ctrl-C).
    """
    try:
        folder, available = _read_request(recipes, out)
        _refuse_zoo_names(recipes, available)
        if report is not None:
            _refuse_report(report, suite, registry or [])
        selected = selected_recipes(available, only or [], recipes)
        failed = _trained(selected, available, folder, jobs, device, cache)
        trained = [name for name in selected if name not in failed]
        _print_next_steps(recipes, folder, trained)
        if report is not None and trained:
            _report(folder, trained, report, ["--suite", suite, *_repeated("--registry", registry or [])])
        if failed:
            first, reason = next(iter(failed.items()))
            count = f"{len(failed)} of {len(selected)} networks failed, first {first}: {reason}"
            remainder = "The others are trained; the" if trained else "The"
            raise HarnessError(f"{count}. {remainder} same command retries")
    except HarnessError as error:
        _print(f"error: {error}")
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as stop:
        _print("interrupted; the same command resumes")
        raise typer.Exit(130) from stop


def _read_request(file: Path, out: Path | None) -> tuple[Path, dict[str, Recipe]]:
    """The folder of the networks, and all recipes of the file."""
    available = read_recipes(file)
    if out is None and not _is_own(file):
        raise RequestError(f"the networks of {file} need a folder, for example: --out my-zoo")
    return writable(out or WEIGHTS), available


def _trained(
    selected: dict[str, Recipe], available: dict[str, Recipe], folder: Path, jobs: int, device: str, cache: Path | None
) -> dict[str, str]:
    """Train what is not trained; return the networks that failed, with the reasons."""
    from .schedule import train_each

    pending = reasons_to_train(selected, available, folder)
    refuse_device(device)
    for name, reason in pending.items():
        if Place(folder, name).card.exists():
            _print(f"{name} is trained again: {reason}")
    _print(f"{len(selected) - len(pending)} of {len(selected)} networks are trained")
    if not pending:
        return {}
    recipes = {name: selected[name] for name in pending}
    return train_each(recipes, folder, cache or image_cache(), device, workers_of(jobs, device))


def _print_next_steps(file: Path, folder: Path, trained: Sequence[str]) -> None:
    if folder == WEIGHTS:
        _print(f"registry: {BUILT_IN}, {pin(BUILT_IN)} SHA-256 changed")
        return
    registry = write_registry(folder)
    _print(f"registry: {registry}")
    if _is_own(file):
        same = [name for name in trained if Place(folder, name).digest() == Place(WEIGHTS, name).digest()]
        _print(f"{len(same)} of {len(trained)} have the bits of the zoo's own")
    elif trained:
        run = ["harness", "run", "--suite", "quickstart", "--registry", str(registry), "--models", *trained]
        _print(f"next: {shlex.join([*run, '--out', 'runs/quickstart'])}")
        _print("      harness report runs/quickstart")


def _refuse_zoo_names(file: Path, available: dict[str, Recipe]) -> None:
    conflicts = [] if _is_own(file) else [name for name in available if name in read_recipes(OWN_RECIPES)]
    if conflicts:
        raise RequestError(
            f"{conflicts[0]!r} is the name of a network of the zoo; rename it in {file}, for example my-{conflicts[0]}"
        )


def _refuse_report(run: Path, suite: str, registries: Sequence[Path]) -> None:
    """Check now what would otherwise fail after minutes of training."""
    if run.exists() and not run.is_dir():
        raise RequestError(f"--report {run} is a file, expected the folder of a run")
    _harness("info", suite, *_repeated("--registry", registries), quiet=True)


def _report(folder: Path, trained: Sequence[str], run: Path, request: Sequence[str]) -> None:
    """Run the suite on the trained networks, extending `run`, and print the report of the whole run."""
    own = [] if folder == WEIGHTS else ["--registry", str(folder / "registry.yaml")]
    failed = _harness("run", *request, *own, *_repeated("--models", trained), "--out", str(run), accepted=(0, 1))
    _harness("report", str(run))
    if failed:
        raise HarnessError(f"cells of {run} failed; see above, and: harness verify {run}")


def _harness(*words: str, quiet: bool = False, accepted: Sequence[int] = (0,)) -> int:
    """Run a command of the harness; return its exit code. Raises typer.Exit if that is not accepted."""
    command = [sys.executable, "-m", "harness", *words]
    code = subprocess.run(command, check=False, stdout=subprocess.DEVNULL if quiet else None).returncode
    if code not in accepted:
        raise typer.Exit(code)
    return code


def _repeated(option: str, values: Sequence[object]) -> list[str]:
    return [word for value in values for word in (option, str(value))]


def _is_own(file: Path) -> bool:
    return file.resolve() == OWN_RECIPES


def _print(text: str) -> None:
    typer.echo(text, err=True)


if __name__ == "__main__":
    app()
