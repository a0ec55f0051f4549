"""What a user can give by mistake or malice: no file, no name and no number ends in a traceback or waits for ever."""

import io
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness import RequestError
from harness import cli as harness_cli
from harness.local.paths import home_path
from harness.output.files import write_file
from tests.helpers.command import HARNESS, completed, run

LONG = "x" * 300
RUN = ("run", "--registry", "models.yaml", "--data", "data", "--device", "cpu", "--models", "plain")
DRY = (*RUN, "--task", "accuracy@imagenet", "--dry-run")
ODD = ("fifo", "/dev/zero", "socket", "folder", "loop")


def make_odd(folder="."):
    """A FIFO, a socket, a folder, a link to itself; ``/dev/zero`` is there."""
    os.mkfifo(f"{folder}/fifo")
    Path(folder, "folder").mkdir()
    Path(folder, "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{folder}/socket")


def one_line(result, codes=(2,)):
    """A refusal on one line, without control characters or a traceback."""
    code, out, err = result
    assert code in codes and out == "", (code, out, err)
    assert err.startswith("error: ") and err.count("\n") == 1 and err.endswith("\n"), err
    assert err.strip().isprintable()


OPTIONS = {
    "registry": ("list", "models", "--registry"),
    "table": ("import", "paper", "--out", "new"),
    "decisions": ("import", "model-vs-human", "--out", "new"),
    "published": ("compare", "somewhere", "--against", "paper", "--table"),
    "run": ("report",),
    "verified": ("verify",),
    "reference": ("compare", "somewhere", "--against"),
    "plugins": ("list", "models", "--plugins"),
}


@pytest.mark.parametrize("odd", [odd for odd in ODD if odd != "folder"])
@pytest.mark.parametrize("option", OPTIONS)
def test_hostile_files_are_never_opened(harness, option, odd):
    make_odd()
    one_line(harness(*OPTIONS[option], odd), codes=(1, 2))
    assert not Path("new").exists()


@pytest.mark.parametrize("odd", ["fifo", "socket"])
def test_hostile_files_in_a_folder_of_tables(harness, odd):
    Path("tables").mkdir()
    make_odd("tables")
    Path("tables", odd).rename("tables/a.csv")
    one_line(harness("import", "model-vs-human", "tables", "--out", "new"))


@pytest.mark.parametrize("odd", ODD)
def test_hostile_files_in_a_run_folder(harness, odd):
    Path("run").mkdir()
    make_odd()
    Path("run/run.json").symlink_to(Path(odd).absolute())
    for command in ("report", "verify"):
        one_line(harness(command, "run"), codes=(1, 2))


@pytest.mark.parametrize("odd", ODD)
def test_hostile_checkpoints(harness, odd):
    make_odd()
    Path("models.yaml").write_text(f"models: {{evil: {{source: checkpoint, arch: resnet18, weights: 'file:{odd}'}}}}")
    one_line(
        harness("run", "--registry", "models.yaml", "--models", "evil", "--task", "accuracy@shapes-64", "--out", "run")
    )
    assert not Path("run").exists()


@pytest.mark.parametrize("odd", ODD)
def test_hostile_images(harness, data, odd):
    make_odd()
    folder = next(path for path in data.iterdir() if path.is_dir())
    Path(folder, "evil.JPEG").symlink_to(Path(odd).absolute())
    one_line(run(harness), codes=(1, 2))


@pytest.mark.parametrize("odd", ["fifo", "/dev/zero", "socket"])
def test_hostile_plugin_files(harness, odd):
    make_odd()
    Path("mine").mkdir()
    Path("mine/evil.py").symlink_to(Path(odd).absolute())
    code, _, err = harness("list", "probes", "--plugins", "mine")
    assert code == 0 and "1 broken" in err


@pytest.fixture
def odd_folder(tmp_path):
    """A folder with things that can never be a run folder, and a table to import."""
    make_odd(tmp_path)
    Path(tmp_path, "file").write_text("x")
    return tmp_path


TAKE_A_RUN = {
    "report": ("report", "RUN"),
    "figure": ("report", "RUN", "--figure", "list"),
    "compare": ("compare", "RUN", "--against", "folder"),
    "verify": ("verify", "RUN"),
    "verify-json": ("verify", "RUN", "--format", "json"),
    "export": ("export", "RUN", "-o", "out.csv"),
    "run": ("run", "--task", "accuracy@shapes-64", "--models", "zoo-baseline", "--limit", "2", "--out", "RUN"),
    "dry-run": ("run", "--task", "accuracy@shapes-64", "--models", "zoo-baseline", "--dry-run", "--out", "RUN"),
    "import": ("import", "paper", "file", "--out", "RUN"),
}


@pytest.mark.parametrize("odd", ["fifo", "socket", "loop", "file", "/dev/zero", "x" * 300, "a/" * 3000])
@pytest.mark.parametrize("words", TAKE_A_RUN.values(), ids=TAKE_A_RUN)
def test_hostile_places_of_a_run_are_refused_with_exit_2(odd_folder, command_line, words, odd):
    before = {*Path().iterdir()}
    result = command_line(*(odd if word == "RUN" else word for word in words))
    one_line(result, codes=(2,))
    assert f"{odd[:60]} " in result[2].replace("…", " "), result[2]
    assert {*Path().iterdir()} == before


VALUES = {
    "batch-size-superscript": (*DRY, "--out", "new", "--batch-size", "²"),
    "batch-size-arabic": (*DRY, "--out", "new", "--batch-size", "٣"),
    "batch-size-huge": (*DRY, "--out", "new", "--batch-size", "9" * 5000),
    "batch-size-empty": (*DRY, "--out", "new", "--batch-size", ""),
    "out-long": (*DRY, "--out", LONG),
    "out-long-below": (*DRY, "--out", f"new/{LONG}/run"),
    "out-very-long": (*DRY, "--out", "new/" * 2000),
    "out-nobody": (*DRY, "--out", "~nobody-of-that-name/run"),
    "out-file": (*DRY, "--out", "models.yaml"),
    "out-below-file": (*DRY, "--out", "models.yaml/run"),
    "out-device": (*DRY, "--out", "/dev/null"),
    "out-empty": (*DRY, "--out", ""),
    "data-nobody": (*DRY, "--out", "new", "--data", "~nobody-of-that-name/x"),
    "data-named-nobody": (*DRY, "--out", "new", "--data", "imagenet=~nobody-of-that-name/x"),
    "data-long": (*DRY, "--out", "new", "--data", LONG),
    "data-device": (*DRY, "--out", "new", "--data", "imagenet=/dev/zero"),
    "data-file": (*DRY, "--out", "new", "--data", "imagenet=models.yaml"),
    "data-bytes": (*DRY, "--out", "new", "--data", "imagenet=\udc80"),
    "models-bytes": (*DRY, "--out", "new", "--models", "\udc80"),
    "models-escape": (*DRY, "--out", "new", "--models", "\x1b[31m\n\u202e"),
    "models-empty": (*DRY, "--out", "new", "--models", ""),
    "task-bytes": (*DRY, "--out", "new", "--task", "\udc80@x"),
    "task-escape": (*DRY, "--out", "new", "--task", "accuracy@\x1b]0;x\x07"),
    "task-empty": (*DRY, "--out", "new", "--task", ""),
    "device-escape": (*RUN, "--task", "accuracy@imagenet", "--out", "new", "--device", "\x1b[2J"),
    "suite-escape": ("doctor", "--suite", "\x9b2J"),
    "info-empty": ("info", ""),
    "info-bytes": ("info", "\udcff"),
    "info-newline": ("info", "a\nerror: b"),
    "list-escape": ("list", "\x1b[31m"),
    "format-escape": ("list", "models", "--format", "\x1b[31m"),
    "report-long": ("report", LONG),
    "report-bytes": ("report", "\udc80"),
    "report-escape": ("report", "a\x1b[31m\nb"),
    "verify-long": ("verify", LONG),
    "verify-empty": ("verify", ""),
    "compare-long": ("compare", "x", "--against", LONG),
    "registry-long": ("list", "models", "--registry", LONG),
    "registry-escape": ("list", "models", "--registry", "\x1b[31m.yaml"),
    "plugins-long": ("list", "models", "--plugins", LONG),
    "plugins-escape": ("list", "models", "--plugins", "\x1b[31m\n"),
    "import-long": ("import", "paper", LONG, "--out", "new"),
    "import-out-nobody": ("import", "paper", "models.yaml", "--out", "~nobody-of-that-name/x"),
    "import-format-escape": ("import", "\x1b[31m", "models.yaml", "--out", "new"),
    "export-suffix": ("export", "x", "-o", "a.\x1b[31m"),
}  # fmt: skip


@pytest.mark.parametrize("words", VALUES.values(), ids=VALUES)
def test_hostile_values(harness, data, words):
    before = {*Path().iterdir()}
    one_line(harness(*words), codes=(1, 2))
    assert {*Path().iterdir()} == before


def test_hostile_nul_in_a_name_of_the_library():
    with pytest.raises(RequestError, match="no such user"):
        home_path("~nobody-of-that-name")
    with pytest.raises(RequestError, match="cannot write"):
        write_file(Path("a\0b"), "x")


# --- names that are not UTF-8, and names with control characters: everything works, and is shown ----------------


EVIL = ["\udc80", "a\udce9b", "=1+1", "a\x1b[31mb", "a\nb", "a\u202eb", "|<b>", "a,b"]


@pytest.mark.parametrize("name", EVIL, ids=range(len(EVIL)))
def test_hostile_names_of_images(harness, data, name):
    folder = next(path for path in sorted(data.iterdir()) if path.is_dir())
    shutil.copy(next(folder.iterdir()), folder / f"{name}.JPEG")
    code, out, err = run(harness)
    assert code in (0, 1, 2) and "Traceback" not in err and "\x1b" not in out + err
    if code:
        one_line((code, out, err), codes=(1, 2))
        return
    assert harness("verify", "run")[0] == 0
    code, out, err = harness("export", "run", "-o", "trials.csv")
    assert code == 0 and not {"\x1b", "\u202e"} & {*Path("trials.csv").read_text("utf-8")}
    assert run(harness, "--dry-run")[0] == 0


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A run of one dummy network on eight synthetic images, whose names are as bad as a registry allows."""
    folder = tmp_path_factory.mktemp("stored")
    weights = Path(harness_cli.__file__).parents[2] / "plugins/models/_zoo/weights/zoo-baseline.safetensors"
    Path(folder, "models.yaml").write_text(
        f"models: {{evil: {{source: checkpoint, arch: 'zoo:plain', weights: 'file:{weights}', label_space: shapes-16, "
        r'outputs: 16, group: "=a\e[31m|[x](http://evil.example)<b>"}}'
    )
    words = "run --registry models.yaml --models evil --task accuracy@shapes-64 --limit 8 --device cpu --out run"
    assert completed(words.split(), folder).returncode == 0
    return folder


@pytest.mark.parametrize("form", ["terminal", "csv", "markdown", "html", "json"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "latin-1", "ascii"])
def test_hostile_group_in_every_encoding(stored, monkeypatch, form, encoding):
    raw = io.BytesIO()
    monkeypatch.chdir(stored)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    monkeypatch.setattr(sys, "argv", ["harness", "report", "run", "--format", form])
    with pytest.raises(SystemExit) as stop:
        harness_cli.main()
    assert not stop.value.code
    shown = raw.getvalue().decode(encoding)
    assert "\x1b" not in shown
    assert {"json": r"\u001b[31m", "markdown": r"\\x1b\[31m"}.get(form, r"\x1b[31m") in shown


@pytest.mark.parametrize("bad", ["", "no-such/x", LONG, "/dev/full", "a\udc80/x", "run/x/y"])
def test_hostile_outputs(stored, command_line, monkeypatch, bad):
    monkeypatch.chdir(stored)
    before = sorted(Path().rglob("*"))
    one_line(command_line("report", "run", "-o", bad))
    assert sorted(Path().rglob("*")) == before


def test_hostile_output_keeps_the_file_that_was_there(stored, command_line, monkeypatch):
    monkeypatch.chdir(stored)
    Path("kept.txt").write_text("before")
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    one_line(command_line("report", "run", "-o", "kept.txt"))
    assert Path("kept.txt").read_text() == "before"
    assert not list(Path().glob(".*.tmp"))


SHELL = {
    "full": ("list probes > /dev/full", 1, "error: cannot write to stdout: No space left on device\n"),
    "closed": ("list probes >&-", 0, ""),
    "no-stderr": ("info nothing 2>&-", 2, ""),
}


@pytest.mark.slow
@pytest.mark.parametrize(("line", "code", "stderr"), SHELL.values(), ids=SHELL)
def test_hostile_shell(line, code, stderr, tmp_path):
    words = f"{' '.join(HARNESS)} {line}"
    environment = {**os.environ, "PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        ["/bin/sh", "-c", words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (code, stderr)
