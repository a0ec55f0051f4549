"""The command line in this process: fixtures `command_line`, `harness` and `data`, and `completed` for any scope."""

import contextlib
import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness import cli

HARNESS = [sys.executable, "-m", "harness"]
MODELS = """
models:
  plain: {source: dummy, options: {kind: brightness}, group: dummies}
  other: {source: dummy, options: {kind: random-linear, seed: 3}, group: dummies}
  nan: {source: dummy, options: {kind: nan, threshold: 0.4}}
"""


@pytest.fixture
def command_line(monkeypatch, capfd, tmp_path):
    """Runs a command in this process, in `tmp_path`: ``command_line("list", "models")`` gives (code, out, err)."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        before = signal.getsignal(signal.SIGTERM)
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert signal.getsignal(signal.SIGTERM) is before
        out, err = capfd.readouterr()
        return stop.value.code or 0, out, err

    return call


class _Terminal(io.StringIO):
    """A stream that a person reads."""

    def isatty(self):
        return True


def completed(words, folder, *, terminal=False, **environment):
    """``harness WORDS`` in `folder`, but in this process, which imports torch once for all: as `subprocess.run`.

    Args:
        terminal: whether stdout and stderr are a terminal with colours.
    """
    words = [*map(str, words)]
    out, err = (_Terminal(), _Terminal()) if terminal else (io.StringIO(), io.StringIO())
    environment = {"TERM": "xterm-256color", **environment} if terminal else environment
    before = signal.getsignal(signal.SIGTERM)
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as stop,
    ):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["harness", *words])
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        cli.main()
    assert signal.getsignal(signal.SIGTERM) is before
    return subprocess.CompletedProcess(["harness", *words], stop.value.code or 0, out.getvalue(), err.getvalue())


@pytest.fixture
def harness(command_line):
    """`command_line`, with a registry of three dummy networks in ``models.yaml``."""
    Path("models.yaml").write_text(MODELS)
    return command_line


@pytest.fixture
def data(tiny_tree, tmp_path):
    return tiny_tree(classes=4, images=6, folder=tmp_path / "data" / "imagenet" / "val")


def run(harness, *more, models=("plain",), tasks=("accuracy@imagenet",), out="run"):
    return harness(
        "run", "--registry", "models.yaml", "--data", "data", "--batch-size", "8", "--device", "cpu",
        "--task", *tasks, "--models", *models, "--out", out, *more,
    )  # fmt: skip


def refused(result, *words, out="run"):
    """Exit code 2, one line with all of `words`, nothing written."""
    code, stdout, stderr = result
    assert code == 2, stderr
    assert stdout == ""
    lines = stderr.strip().splitlines()
    assert len(lines) == 1, stderr
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0]
    assert not Path(out).exists()
