"""Displays of a run, from its plan to its last cell: none, a progress object, or a terminal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from harness.records import Progress

if TYPE_CHECKING:
    from rich.console import Console

    from harness.planning.plan import Plan


class Quiet:
    """Progress that shows nothing: failures are in the result, and stored with their reasons."""

    def begin(self, title: str, images: int, forwards: int) -> None:
        """A pass starts."""

    def advance(self, images: int, forwards: int) -> None:
        """`images` more images and `forwards` more forwards are done."""

    def warn(self, message: str) -> None:
        """Show the user one line."""


class Display:
    """The display of one run. This one reports passes to `progress`, and nothing before them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def digesting(self) -> AbstractContextManager[Callable[[str, int, int], None] | None]:
        """While the data is scanned; yields a callback for (dataset, files read, total files)."""
        return nullcontext()

    def planned(self, plan: Plan) -> None:
        """The plan is complete; nothing has been loaded or written."""

    def checking(self) -> AbstractContextManager[object]:
        """While the networks are loaded."""
        return nullcontext()

    def computing(self) -> AbstractContextManager[Progress]:
        """While the passes run."""
        return nullcontext(self._progress)


class TerminalDisplay(Display):
    """Bars and lines on a console, as on the command line."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def digesting(self) -> AbstractContextManager[Callable[[str, int, int], None] | None]:
        """A status line; none if this is fast."""
        from harness.output.progress import digesting

        return digesting(self._console)

    def planned(self, plan: Plan) -> None:
        """The reasons of cells that are rerun, retried or resumed, and of those stored from another file."""
        from harness.workflows.plan_lines import reason_lines

        for line in reason_lines([cell for cell in plan.cells if cell.status not in ("inapplicable", "missing")]):
            self._console.print(line, soft_wrap=True)

    def checking(self) -> AbstractContextManager[object]:
        """A status line."""
        return self._console.status("checking checkpoints")

    def computing(self) -> AbstractContextManager[Progress]:
        """One bar for each pass."""
        from harness.output.progress import RunProgress

        return RunProgress(self._console)


def stderr_console() -> Console:
    """The console for everything but results; plain lines in a notebook too, where rich's bars need a widget."""
    from harness.output.streams import terminal

    return terminal(stderr=True, force_jupyter=False)


def display_of(progress: Progress | bool | None) -> Display:
    """The display for `progress`. None or False: none. True: bars and lines on stderr. Else: that object."""
    if progress is True:
        return TerminalDisplay(stderr_console())
    return Display(progress if progress else Quiet())
