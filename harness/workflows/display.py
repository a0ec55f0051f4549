"""Who watches a run, from its plan to its last cell: nobody, a progress object, or a person at a terminal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from harness.records import Progress

if TYPE_CHECKING:
    from rich.console import Console

    from harness.planning.plan import Plan


class Quiet:
    """Progress that shows nothing: what fails is in the result, and stored with its reason."""

    def begin(self, title: str, images: int, forwards: int) -> None:
        """A pass starts."""

    def advance(self, images: int, forwards: int) -> None:
        """So many more are done."""

    def warn(self, message: str) -> None:
        """A line for the user."""


class Display:
    """Watches one run. This one shows the passes to `progress`, and nothing of what comes before them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def digesting(self) -> AbstractContextManager[Callable[[str, int, int], None] | None]:
        """While the data is looked at; gives what is called with (dataset, files read, all files)."""
        return nullcontext()

    def planned(self, plan: Plan) -> None:
        """The plan is made; nothing has been loaded or written."""

    def checking(self) -> AbstractContextManager[object]:
        """While networks are loaded for the first time."""
        return nullcontext()

    def computing(self) -> AbstractContextManager[Progress]:
        """While the passes are run."""
        return nullcontext(self._progress)


class TerminalDisplay(Display):
    """Bars and lines on a console, as the command line shows them."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def digesting(self) -> AbstractContextManager[Callable[[str, int, int], None] | None]:
        """A status line; silent where that is quick."""
        from harness.output.progress import digesting

        return digesting(self._console)

    def planned(self, plan: Plan) -> None:
        """A line for each cell that is computed again, or continued, with the reason."""
        for cell in plan.cells:
            if cell.status in ("rerun", "retry", "resume"):
                self._console.print(f"{cell.status}: {cell.model} on {cell.task}: {cell.reason}", soft_wrap=True)

    def checking(self) -> AbstractContextManager[object]:
        """A status line."""
        return self._console.status("checking checkpoints")

    def computing(self) -> AbstractContextManager[Progress]:
        """A bar a pass."""
        from harness.output.progress import RunProgress

        return RunProgress(self._console)


def stderr_console() -> Console:
    """Where everything goes that is not the result; plain lines in a notebook too, where rich's bars need a widget."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, force_jupyter=False)


def display_of(progress: Progress | bool | None) -> Display:
    """None or False: nobody watches. True: bars and lines on stderr. Else the object that is given."""
    if progress is True:
        return TerminalDisplay(stderr_console())
    return Display(progress if progress else Quiet())
