"""The command line: each command parses, calls and prints, in a file of its own; `options`, `plan`, `usage` and `words`
are shared.

May import every other package, inside its commands: `import harness.cli` needs neither torch nor NumPy."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer

from harness.cli import compare, doctor, export, fetch, import_, info, list_, report, run, verify
from harness.cli.usage import called
from harness.errors import HarnessError, RequestError, plugin_faults, text_of
from harness.local.machine import is_of_machine, refusal
from harness.output.streams import error_line, guarded

app = typer.Typer(
    name="harness",
    help="Which biases of an image classifier explain its generalization?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(run.run)
app.command("report")(report.report)
app.command("compare")(compare.compare)
app.command("list")(list_.list_things)
app.command("info")(info.info)
app.command("doctor")(doctor.doctor)
app.command("fetch")(fetch.fetch)
app.command("import")(import_.import_table)
app.command("export")(export.export)
app.command("verify")(verify.verify)

SPREAD = {"--models", "--task", "--datasets"}
"""Options that take several values in a row: ``--models a b`` is ``--models a --models b``."""


def _version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        typer.echo(f"bias-harness {version('bias-harness')}")
        raise typer.Exit


@app.callback()
def _harness(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Which biases of an image classifier explain its generalization?"""


def spread(arguments: list[str]) -> list[str]:
    """Repeat the option before each further value of an option in SPREAD; everything else is unchanged."""
    words: list[str] = []
    option, filled = "", False
    for argument in arguments:
        if argument.startswith("-"):
            option, filled = (argument if argument in SPREAD else ""), False
        elif option and filled:
            words.append(option)
        else:
            filled = True
        words.append(argument)
    return words


def main() -> None:
    """Entry point. Exit codes: 0, 1 (something failed or is wrong), 2 (wrong request), 70 (bug), 130 (Ctrl-C)."""
    arguments = sys.argv[1:]
    if arguments[:1] in (["run"], ["fetch"]):
        arguments = spread(arguments)
    with guarded(), _ended(writes=arguments[:1] == ["run"]):
        try:
            sys.exit(called(app, arguments))
        finally:
            sys.stdout.flush()


@contextmanager
def _ended(*, writes: bool) -> Iterator[None]:
    """Ends the process with the exit code of what is raised, and says it.

    Args:
        writes: the command is one that writes a run, and has written nothing: `execute_run` explains what comes later.
    """
    try:
        yield
    except BrokenPipeError:  # nobody reads the rest
        sys.exit(1)
    except HarnessError as error:
        error_line(error)
        sys.exit(error.exit_code)
    except (OSError, RuntimeError) as error:
        failed = error if isinstance(error, OSError) else error.__context__  # of a path that leads to itself
        if not isinstance(failed, OSError) or failed.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
            _end(error, writes=writes)
        error_line(f"{str(failed.filename)[:60]}… cannot be used as a path: {failed.strerror}")
        sys.exit(RequestError.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except plugin_faults() as error:  # the outermost handler
        _end(error, writes=writes)


def _end(error: BaseException, *, writes: bool) -> NoReturn:
    """What the machine refuses is one line, so is a plugin's mistake, ``sys.exit()`` too; a bug keeps its traceback.

    Args:
        writes: as of `_ended`.
    """
    from harness.discovery.blame import place_in_plugin

    if is_of_machine(error):
        error_line(refusal(error))
        sys.exit(2 if writes else 1)
    if place := place_in_plugin(error):
        error_line(f"the plugin at {place} raised {type(error).__name__}: {text_of(error)}")
        sys.exit(2)
    if not isinstance(error, SystemExit):
        import traceback

        traceback.print_exception(error)
        sys.stderr.write("\nThis is a bug in the harness or in a plugin; please report it with the lines above.\n")
        sys.exit(70)
    raise error
