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
from .request import OWN_RECIPES, chosen_of, image_cache, left_of, refuse_device, workers_of, writable
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
        Path, typer.Argument(metavar="[RECIPES.yaml]", show_default=False, help="Default: those of the zoo itself.")
    ] = OWN_RECIPES,
    out: Annotated[
        Path | None, OPTION("--out", metavar="DIR", help="Folder of the trained networks. Default: the zoo's own.")
    ] = None,
    only: Annotated[
        list[str] | None, OPTION("--only", metavar="NAME", help="Train this one alone. Repeatable.")
    ] = None,
    jobs: Annotated[
        int, OPTION("--jobs", metavar="N", min=0, help="Networks at a time, about 1 GB each; 0: one a core.")
    ] = 0,
    device: Annotated[str, OPTION("--device", metavar="cpu|cuda", help="The bits differ between them.")] = "cpu",
    cache: Annotated[
        Path | None,
        OPTION(
            "--cache", metavar="DIR", help="Where training images are kept. Default: zoo in the user's cache folder."
        ),
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

    What is trained with the same recipe is not trained again: a command that was stopped goes on, network by network.
    Each network is trained by one thread, so that it has the same bits whatever is trained beside it.

    Exit codes: 0, 1 (a network failed; the others are trained), 2 (wrong request), 130 (Ctrl-C).
    """
    try:
        folder, known = _opened(recipes, out)
        _refuse_taken(recipes, known)
        if report is not None:
            _refuse_report(report, suite, registry or [])
        chosen = chosen_of(known, only or [], recipes)
        failed = _trained(chosen, known, folder, jobs, device, cache)
        trained = [name for name in chosen if name not in failed]
        _tell_what_next(recipes, folder, trained)
        if report is not None and trained:
            _report(folder, trained, report, ["--suite", suite, *_repeated("--registry", registry or [])])
        if failed:
            first, reason = next(iter(failed.items()))
            count = f"{len(failed)} of {len(chosen)} networks failed, first {first}: {reason}"
            rest = "The others are trained; the" if trained else "The"
            raise HarnessError(f"{count}. {rest} same command tries again")
    except HarnessError as error:
        _say(f"error: {error}")
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as stop:
        _say("stopped; the same command goes on")
        raise typer.Exit(130) from stop


def _opened(file: Path, out: Path | None) -> tuple[Path, dict[str, Recipe]]:
    """Where the networks go, and all recipes of the file."""
    known = read_recipes(file)
    if out is None and not _is_own(file):
        raise RequestError(f"say where the networks of {file} go, for example: --out my-zoo")
    return writable(out or WEIGHTS), known


def _trained(
    chosen: dict[str, Recipe], known: dict[str, Recipe], folder: Path, jobs: int, device: str, cache: Path | None
) -> dict[str, str]:
    """Train what is not trained; the networks that failed, with the reasons."""
    from .schedule import train_each

    left = left_of(chosen, known, folder)
    refuse_device(device)
    for name, reason in left.items():
        if Place(folder, name).card.exists():
            _say(f"{name} is trained again: {reason}")
    _say(f"{len(chosen) - len(left)} of {len(chosen)} networks are trained")
    if not left:
        return {}
    recipes = {name: chosen[name] for name in left}
    return train_each(recipes, folder, cache or image_cache(), device, workers_of(jobs, device))


def _tell_what_next(file: Path, folder: Path, trained: Sequence[str]) -> None:
    if folder == WEIGHTS:
        _say(f"registry: {BUILT_IN}, {pin(BUILT_IN)} SHA-256 changed")
        return
    registry = write_registry(folder)
    _say(f"registry: {registry}")
    if _is_own(file):
        same = [name for name in trained if Place(folder, name).digest() == Place(WEIGHTS, name).digest()]
        _say(f"{len(same)} of {len(trained)} have the bits of the zoo's own")
    elif trained:
        run = ["harness", "run", "--suite", "quickstart", "--registry", str(registry), "--models", *trained]
        _say(f"next: {shlex.join([*run, '--out', 'runs/quickstart'])}")
        _say("      harness report runs/quickstart")


def _refuse_taken(file: Path, known: dict[str, Recipe]) -> None:
    taken = [] if _is_own(file) else [name for name in known if name in read_recipes(OWN_RECIPES)]
    if taken:
        raise RequestError(
            f"{taken[0]!r} is a network of the zoo, and one name stands for one network; "
            f"rename it in {file}, for example my-{taken[0]}"
        )


def _refuse_report(run: Path, suite: str, registries: Sequence[Path]) -> None:
    """What would otherwise be found wrong after minutes of training."""
    if run.exists() and not run.is_dir():
        raise RequestError(f"--report {run} is a file, expected the folder of a run")
    _harness("info", suite, *_repeated("--registry", registries), quiet=True)


def _report(folder: Path, trained: Sequence[str], run: Path, request: Sequence[str]) -> None:
    """Run the suite on the trained networks, extending `run`, and print the report of all that is in it."""
    own = [] if folder == WEIGHTS else ["--registry", str(folder / "registry.yaml")]
    failed = _harness("run", *request, *own, *_repeated("--models", trained), "--out", str(run), accepted=(0, 1))
    _harness("report", str(run))
    if failed:
        raise HarnessError(f"cells of {run} failed; see above, and: harness verify {run}")


def _harness(*words: str, quiet: bool = False, accepted: Sequence[int] = (0,)) -> int:
    """Run a command of the harness as typed; its exit code. Raises typer.Exit with one that is not accepted."""
    command = [sys.executable, "-m", "harness", *words]
    code = subprocess.run(command, check=False, stdout=subprocess.DEVNULL if quiet else None).returncode
    if code not in accepted:
        raise typer.Exit(code)
    return code


def _repeated(option: str, values: Sequence[object]) -> list[str]:
    return [word for value in values for word in (option, str(value))]


def _is_own(file: Path) -> bool:
    return file.resolve() == OWN_RECIPES


def _say(text: str) -> None:
    typer.echo(text, err=True)


if __name__ == "__main__":
    app()
