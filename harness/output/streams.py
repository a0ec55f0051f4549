"""stdout and stderr of every command: foreign text is visible, any encoding will do, a full disk is one line."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TextIO

from harness.foreign import OutputError, in_ascii, one_line, spelled, visible

if TYPE_CHECKING:
    from rich.console import Console

_SPELLED: Final = "harness.spelled"


class _Stream(io.TextIOBase):
    """A text stream as commands see it; for text that is visible already, colours included.

    Args:
        stream: where the text goes. strict: whether a failure is an error; else the text is lost.
    """

    def __init__(self, stream: TextIO, strict: bool) -> None:
        self.stream, self.strict = stream, strict

    def write(self, text: str) -> int:
        """Raises OutputError if the text cannot be written, BrokenPipeError if nobody reads it any more."""
        return self._tried(self.stream.write, text) or 0

    def flush(self) -> None:
        """As `write`."""
        self._tried(self.stream.flush)

    def _tried(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except OSError as error:
            if not self.strict:
                return None
            _to_nowhere(self.stream)
            if isinstance(error, BrokenPipeError):
                raise
            raise OutputError(f"cannot write to stdout: {error.strerror}") from error

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Name of the encoding; UTF-8 where text stays text."""
        return getattr(self.stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """Name of the handler of characters that the encoding lacks."""
        return getattr(self.stream, "errors", None)

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return self.stream.isatty()

    def fileno(self) -> int:
        """The file descriptor, for child processes."""
        return self.stream.fileno()

    def writable(self) -> bool:
        """Always."""
        return True


class _Plain(_Stream):
    """The same for text from anywhere: control characters are made visible, so it has no colours.

    Attributes:
        rich_proxied_file: where a rich console writes, whose colours are its own.
    """

    def __init__(self, stream: TextIO, strict: bool) -> None:
        super().__init__(stream, strict)
        self.rich_proxied_file = _Stream(stream, strict)

    def write(self, text: str) -> int:
        """As `_Stream.write`."""
        return super().write(visible(text))


@contextmanager
def guarded() -> Iterator[None]:
    """stdout and stderr as described above, for the duration of one command."""
    codecs.register_error(_SPELLED, _spelled)
    before = sys.stdout, sys.stderr
    out, err = (_opened(stream) for stream in before)
    handlers = [_handler(stream, _SPELLED) for stream in (out, err)]
    sys.stdout, sys.stderr = _Plain(out, True), _Plain(err, False)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream, handler in zip((out, err), handlers, strict=True):
            _handler(stream, handler)
        for stream, given in zip((out, err), before, strict=True):
            if given is None:
                stream.close()


def is_unicode(stream: Any) -> bool:
    """Whether every character can be written to `stream`."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")


def terminal(*, stderr: bool = False, **options: Any) -> Console:
    """A rich console without markup, on which foreign text is visible.

    It writes past whatever makes text on `sys.stdout` and `sys.stderr` visible: its colours and its bars are its own.
    """
    from rich.console import Console

    class _Console(Console):
        def print(self, *objects: Any, **settings: Any) -> None:
            """Each text on its line, made visible; the lines of tables are so already."""
            super().print(*map(_harmless, objects), **settings)

    file = sys.stderr if stderr else sys.stdout
    while proxied := getattr(file, "rich_proxied_file", None):  # two of them while a bar is drawn
        file = proxied
    return _Console(stderr=stderr, file=file, highlight=False, markup=False, emoji=False, **options)


def _harmless(item: Any) -> Any:
    """`item` as a console may show it; what others print while a bar is drawn comes as rich's text, links included."""
    from rich.text import Text

    if isinstance(item, str):
        return one_line(item)
    if isinstance(item, Text):
        linked = any(getattr(style, "link", None) for style in (item.style, *(span.style for span in item.spans)))
        if linked or visible(item.plain) != item.plain:
            return Text(visible(item.plain))
    return item


def write_result(text: str, form: str) -> None:
    """Write to stdout what is visible already, colours included; JSON and HTML lose nothing in any encoding."""
    stream = sys.stdout
    shown = text if is_unicode(stream) else in_ascii(text, form)
    getattr(stream, "rich_proxied_file", stream).write(shown)


def remark_line(text: object) -> None:
    """`text` on stderr, on one line."""
    sys.stderr.write(f"{one_line(text)}\n")


def error_line(error: object) -> None:
    """``error: …`` on stderr, on one line."""
    sys.stderr.write(f"error: {one_line(error)}\n")


def _opened(stream: TextIO | None) -> TextIO:
    """`stream`, or one that leads nowhere if the process was started without it; no file takes its descriptor."""
    if stream is not None:
        return stream
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.open(os.devnull, os.O_RDWR)
    return os.fdopen(descriptor, "w", encoding="utf-8")


def _handler(stream: Any, name: str) -> str:
    """Let `name` handle the characters that the encoding of `stream` lacks; gives the handler before."""
    before = getattr(stream, "errors", None) or "strict"
    if isinstance(stream, io.TextIOWrapper):
        with suppress(OSError, ValueError):
            stream.reconfigure(errors=name)
    return before


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(spelled, error.object[error.start : error.end])), error.end


def _to_nowhere(stream: TextIO) -> None:
    """What is left in the buffer of `stream` is lost quietly when Python ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
