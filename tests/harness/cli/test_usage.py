"""Wrong options, arguments and commands: one line with what was given, what there is and what to type next."""

import pytest
import typer.main

from harness.cli import app
from tests.helpers.command import completed
from tests.helpers.hostile_texts import TEXTS, inert

MISTAKES = {
    "unknown-command": (
        "repot runs/x",
        ["unknown command 'repot'", "'report'", "Available: compare"],
    ),
    "unknown-option": ("run --limt 3 --out x", ["unknown option '--limt'", "'--limit'", "harness run --help"]),
    "unknown-option-before": ("--plugins x list models", ["unknown option '--plugins'", "harness --help"]),
    "unknown-letter": ("run -x", ["unknown option '-x'", "Available: --batch-size"]),
    "beginning-of-an-option": ("list models --reg x", ["unknown option '--reg'", "'--registry'"]),
    "lacks-an-option": ("run --suite x", ["harness run lacks --out RUN (Run folder", "harness run --help"]),
    "lacks-an-argument": ("report", ["harness report lacks RUN", "harness report --help"]),
    "lacks-a-choice": ("list", ["harness list lacks models|datasets|"]),
    "lacks-a-value": ("run --task a@b --out", ["harness run: ", "'--out'", "harness run --help"]),
    "value-of-a-flag": ("run --out x --dry-run=3", ["'--dry-run'", "harness run --help"]),
    "value-that-is-no-number": ("run --out x --limit three", ["--limit is 'three', expected a whole number"]),
    "number-without-end": (f"run --out x --seed {'9' * 5000}", ["--seed is '999", "expected a whole number"]),
    "empty-number": ("run --out x --workers ", ["--workers"]),
    "too-many-arguments": ("verify a b", ["harness verify: ", "(b)", "harness verify --help"]),
    "value-of-the-version": ("--version=3", ["'--version'", "harness --help"]),
    "nul-in-a-path": ("verify a\0b", ["RUN is 'a\\x00b', expected a path"]),
}


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize(("words", "parts"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(tmp_path, words, parts, terminal):
    done = completed(words.split(" "), tmp_path, terminal=terminal, COLUMNS="80")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    for part in parts:
        assert part in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["colour", "newline", "bidi-override", "hyperlink", "lone-surrogate", "rich-markup"])
@pytest.mark.parametrize(
    "words", ["{}", "run --{}", "list models --suite=a --{}=x", "run --out x --limit {}", "verify a {}"]
)
def test_hostile_mistakes_are_inert(tmp_path, words, text):
    done = completed([word.format(TEXTS[text]) for word in words.split(" ")], tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    inert(done.stderr)


@pytest.mark.parametrize("command", ["", *typer.main.get_command(app).commands])
def test_every_command_has_help(tmp_path, command):
    done = completed([*command.split(), "--help"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: harness {command}".strip()) and "--help" in done.stdout


def test_no_command_at_all_shows_the_help(tmp_path):
    done = completed([], tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == completed(["--help"], tmp_path).stdout


def test_every_option_that_is_named_exists(tmp_path):
    for command in typer.main.get_command(app).commands.values():
        done = completed([command.name, "--nope"], tmp_path)
        assert "Available: --" in done.stderr and "--help" in done.stderr
