"""Progress of training on stderr: bars with throughput and ETA on a terminal, one line for each network in a log."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from .recipe import Recipe


class TrainingProgress:
    """A bar for each network in training and one for all networks.

    Args:
        recipes: of all networks that will be trained.
        console: stderr by default.
    """

    def __init__(self, recipes: Mapping[str, Recipe], console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, markup=False)
        self._recipes = recipes
        self._epochs = dict.fromkeys(recipes, 0)
        self._skipped = 0
        self._ended: set[str] = set()
        self._bars: dict[str, TaskID] = {}
        self._begun = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[status]}"))
        live = self._console.is_terminal
        self._progress = Progress(*columns, TimeElapsedColumn(), console=self._console, disable=not live)
        self._all = self._progress.add_task("all", total=self._work(), status="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, name: str) -> None:
        """Training of `name` starts."""
        epochs = len(self._recipes[name].passes())
        self._bars[name] = self._progress.add_task(name, total=epochs, status="drawing images")

    def advance(self, name: str, epochs: int) -> None:
        """`epochs` epochs of `name` are done."""
        self._epochs[name] = epochs
        status = f"{epochs} of {len(self._recipes[name].passes())} epochs"
        self._progress.update(self._bars[name], completed=epochs, status=status)
        self.tick()

    def end(self, name: str, seconds: float, accuracy: float | None) -> None:
        """`name` is trained and saved."""
        share = "" if accuracy is None else f", {accuracy:.1%} of held-out images correct"
        self._say(name, f"trained in {seconds:.0f} s{share}")

    def fail(self, name: str, reason: str) -> None:
        """`name` will not be trained."""
        self._skipped += sum(self._recipes[name].passes()[self._epochs[name] :])
        self._say(name, f"failed: {reason}")

    def tick(self) -> None:
        """Refresh throughput and ETA."""
        self._progress.update(self._all, completed=self._done(), total=self._work(), status=self._rate())

    def _say(self, name: str, text: str) -> None:
        self._ended.add(name)
        if name in self._bars:
            self._progress.remove_task(self._bars.pop(name))
        self.tick()
        line = f"{name}: {text} ({len(self._ended)} of {len(self._recipes)}{', ' * bool(self._rate())}{self._rate()})"
        self._console.print(line, soft_wrap=True)

    def _done(self) -> int:
        """Forward and backward passes of single images: an adversarial epoch has more than a plain one."""
        return sum(sum(recipe.passes()[: self._epochs[name]]) for name, recipe in self._recipes.items())

    def _work(self) -> int:
        return sum(sum(recipe.passes()) for recipe in self._recipes.values()) - self._skipped

    def _rate(self) -> str:
        seconds, done = time.monotonic() - self._begun, self._done()
        if not done:
            return ""
        images = sum(sum(recipe.counts().values()) * self._epochs[name] for name, recipe in self._recipes.items())
        remaining = round((self._work() - done) * seconds / done)
        return f"{images / seconds:,.0f} images/s, ETA {remaining // 60}:{remaining % 60:02}"
