"""Progress on stderr: a live bar with throughput and ETA on a terminal, a line every 10 s in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from harness.foreign import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

LOG_EVERY = 10.0
"""Seconds between lines where there is no terminal."""


class _LiveBar:
    """A bar on stderr while it is entered; drawn on a terminal only.

    Args:
        console: where to draw. columns: between the bar and the ETA.
    """

    def __init__(self, console: Console, *columns: ProgressColumn) -> None:
        self._console = console
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            *columns,
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            expand=True,
        )
        self._task: TaskID | None = None
        self._started = self._logged = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


class RunProgress(_LiveBar):
    """Watches a run; one bar per pass, counted in forwards: images sent through one network.

    Args:
        console: where to draw; plain lines every 10 s if it is no terminal.
    """

    def __init__(self, console: Console) -> None:
        rate = (TextColumn("{task.percentage:>3.0f}%"), TextColumn("{task.fields[rate]}"), TimeElapsedColumn())
        super().__init__(console, *rate)
        self._title, self._images, self._all_images = "", 0, 0
        self._done, self._all = 0, 0

    def begin(self, title: str, images: int, forwards: int) -> None:
        """A pass starts."""
        self._title, self._all_images, self._all = one_line(title), images, forwards
        self._images = self._done = 0
        self._started = self._logged = time.monotonic()
        self._task = self._bar.add_task(self._label(), total=forwards, rate="")

    def advance(self, images: int, forwards: int) -> None:
        """`images` more images are decoded and `forwards` more forwards done."""
        self._images, self._done = self._images + images, self._done + forwards
        now = time.monotonic()
        rate = self._done / max(now - self._started, 1e-9)
        if self._task is not None:
            self._bar.update(
                self._task, completed=self._done, description=self._label(), rate=f"{rate:,.0f} forwards/s"
            )
        finished = self._images == self._all_images and self._done == self._all
        due = now - self._logged > LOG_EVERY and self._done < self._all
        if not self._console.is_terminal and (due or finished):
            self._logged = now
            remaining = (self._all - self._done) / rate if rate else 0.0
            self._console.print(
                f"{self._label()}: {self._done / max(self._all, 1):.0%}, {rate:,.0f} forwards/s, ETA {clock(remaining)}"
            )

    def warn(self, message: str) -> None:
        """Show the user one line, above the bar."""
        self._console.print(f"warning: {one_line(message)}", soft_wrap=True)

    def _label(self) -> str:
        return f"{self._title}, {self._all_images:,} images: {self._done:,}/{self._all:,} forwards"


class FetchProgress(_LiveBar):
    """Watches downloads on stderr: a live bar with throughput and ETA on a terminal, a line every 10 s in a log."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, DownloadColumn(), TransferSpeedColumn())
        self._title, self._done, self._total, self._before = "", 0, 0, 0

    def begin(self, title: str, done: int, total: int | None) -> None:
        """A transfer starts or restarts."""
        self.end()
        self._title, self._done, self._total, self._before = one_line(title), done, total or 0, done
        self._started = self._logged = time.monotonic()
        self._task = self._bar.add_task(self._title, total=total, completed=done)

    def advance(self, size: int) -> None:
        """`size` more bytes are transferred."""
        self._done += size
        if self._task is not None:
            self._bar.advance(self._task, size)
        if not self._console.is_terminal and time.monotonic() - self._logged > LOG_EVERY:
            self._log()

    def end(self) -> None:
        """The transfer has ended: remove its bar, or log one line."""
        if self._task is None:
            return
        self._bar.remove_task(self._task)
        self._task = None
        if not self._console.is_terminal:
            self._log()

    def note(self, remark: str) -> None:
        """Show the user one line, above the bar."""
        self._console.print(one_line(remark), soft_wrap=True, markup=False)

    def _log(self) -> None:
        self._logged = time.monotonic()
        rate = (self._done - self._before) / max(self._logged - self._started, 1e-9)
        remaining = (self._total - self._done) / rate if rate else 0.0
        share = f"{self._done / self._total:.0%} of {decimal(self._total)}" if self._total else decimal(self._done)
        eta = f", ETA {clock(remaining)}" if self._total and self._done < self._total else ""
        self._console.print(f"{self._title}: {share}, {decimal(int(rate))}/s{eta}", soft_wrap=True)


def clock(seconds: float) -> str:
    """Hours, minutes and seconds: ``1:02:03``."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


@contextmanager
def digesting(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """A status line while dataset files are digested for the first time; none if this is fast."""
    with console.status("looking at the data") as status:
        yield lambda name, done, total: status.update(Text(f"reading {one_line(name)}: {done:,} of {total:,} files"))
