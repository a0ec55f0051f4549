"""stdout and stderr: any encoding, foreign text, a disk that is full, a reader that went away."""

import io
import sys

import pytest

from harness.foreign import OutputError
from harness.output.progress import RunProgress
from harness.output.streams import guarded, terminal
from tests.helpers.hostile_texts import TEXTS, inert_terminal

HOSTILE = "a\x1b[31mb\x9b0m\u202ec\ufeff\r\udce9"


def written(monkeypatch, encoding, write):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    with guarded():
        write()
        sys.stdout.flush()
    assert sys.stdout is stream and stream.errors == "strict"
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "latin-1", "ascii", "cp437", "shift_jis"])
@pytest.mark.parametrize("how", ["print", "console"])
def test_hostile_text_reaches_no_stream(monkeypatch, encoding, how):
    def write():
        text = f"{HOSTILE} ρ×…─é中"
        print(text) if how == "print" else terminal().print(text, soft_wrap=True)

    shown = written(monkeypatch, encoding, write)
    assert shown.startswith(r"a\x1b[31mb\x9b0m\u202ec\ufeff\r\xe9 ")
    assert not set(shown) & set("\x1b\x9b\u202e\ufeff\r")
    if encoding == "ascii":
        assert shown.endswith("rhox...-\\xe9\\u4e2d\n")


class Person(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_is_drawn_on_a_terminal_and_hostile_text_beside_it_is_text(monkeypatch):
    """rich stands between the bar and stderr then, and reads colours and links out of what others print."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys, "stderr", Person())
    shown = sys.stderr
    with guarded(), RunProgress(terminal(stderr=True)) as progress:
        progress.begin(TEXTS["colour"], 3, 3)
        progress.warn(TEXTS["hyperlink"])
        sys.stderr.write(f"{TEXTS['hyperlink']} {TEXTS['c1-csi']} {TEXTS['bidi-override']} {TEXTS['newline']}\n")
        progress.advance(3, 3)
    inert_terminal(shown.getvalue())
    assert "\x1b[32m" in shown.getvalue() and r"\x1b[32m" not in shown.getvalue()
    assert r"warning: \x1b]8;;http://evil.example" in shown.getvalue()


def test_hostile_markup_is_text(monkeypatch):
    shown = written(monkeypatch, "utf-8", lambda: terminal(width=80).print("[bold]x[/bold] [link=u]y[/] :skull:"))
    assert shown == "[bold]x[/bold] [link=u]y[/] :skull:\n"


class Broken(io.StringIO):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error


@pytest.mark.parametrize(
    ("error", "raised"), [(OSError(28, "No space left on device"), OutputError), (BrokenPipeError(), BrokenPipeError)]
)
def test_hostile_stdout_that_fails(monkeypatch, error, raised):
    monkeypatch.setattr(sys, "stdout", Broken(error))
    with guarded(), pytest.raises(raised):
        print("x")


def test_hostile_stderr_that_fails_stops_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Broken(OSError(28, "No space left on device")))
    with guarded():
        terminal(stderr=True).print("progress")
        sys.stderr.write("x")


def test_hostile_start_without_streams(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with guarded():
        print("x")
    assert sys.stdout is None
