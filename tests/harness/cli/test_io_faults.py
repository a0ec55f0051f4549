"""Disks, mounts and limits that fail under the real commands: one line, the right exit code, and a run that resumes."""

import errno
import os
import random
import shutil
import threading
from collections import Counter
from pathlib import Path

import pytest

from harness.store import RunReader, verify_run
from tests.helpers.command import completed
from tests.helpers.io_faults import KINDS, Faults, injected
from tests.helpers.kill_run import everything, same
from tests.helpers.trees import write_tree

CONFIG = """
models:
  a: {source: dummy, options: {kind: brightness}}
datasets:
  small: {plugin: imagenet, path: val, resize: 32, size: 32}
"""
RUN = (
    "run --registry models.yaml --data . --device cpu --batch-size 8 --workers 1 --task accuracy@small --models a --out"
).split()
LONG_AGO = (1e9, 1e9)
E = errno


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder with 20 images, which are two spans, two networks, and the run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("io-faults")
    write_tree(folder / "val", 4, 5, (40, 40))
    for path in (folder / "val").rglob("*"):
        os.utime(path, LONG_AGO)
    (folder / "models.yaml").write_text(CONFIG)
    assert completed([*RUN, "reference"], folder).returncode == 0
    return folder


@pytest.fixture(scope="module")
def reference(study):
    return everything(study / "reference")


@pytest.fixture
def command(study, monkeypatch):
    """Runs a command in `study` while `faults` fails it; the run folder and the cache are new."""
    monkeypatch.setenv("HARNESS_CACHE", str(study / "cache"))
    for name in ("run", "cache", "out"):
        shutil.rmtree(study / name, ignore_errors=True)
    (study / "out").mkdir()

    def call(words, faults=None):
        if faults is None:
            return completed(words, study)
        with injected(faults):
            return completed(words, study)

    return call


def told(stderr, number):
    """The distinct lines that name the error; a failed cell is named while the run goes on, and at its end."""
    lines = [line.removeprefix("warning: ") for line in stderr.splitlines() if os.strerror(number) in line]
    return list(dict.fromkeys(lines))


def sound(call, study, reference):
    """The same command resumes, and the run equals one that nothing disturbed bit for bit."""
    resumed = call([*RUN, "run"])
    assert resumed.returncode == 0, resumed.stderr
    assert same(everything(study / "run"), reference)
    assert verify_run(RunReader.open(study / "run")) == []


RUN_FAULTS = [
    # before anything is written
    ("read", E.EIO, "models.yaml", 1, "once", 2),
    ("list", E.ESTALE, "/val", 1, "once", 2),
    ("stat", E.ESTALE, "run/run.json", 1, "once", 2),
    ("mkdir", E.EROFS, "/run", 1, "on", 2),
    ("mkdir", E.EACCES, "/run", 1, "once", 2),
    ("open", E.EMFILE, "run/.lock", 1, "once", 2),
    ("lock", E.ESTALE, "run/.lock", 1, "on", 2),
    ("write", E.ENOSPC, "run.json", 1, "on", 2),
    ("fsync", E.EIO, "run.json", 1, "once", 2),
    ("rename", E.EDQUOT, "run.json", 1, "once", 2),
    ("fsync", E.EIO, "/run", 2, "once", 2),
    # axes and cells
    ("rename", E.EIO, "run.json", 2, "on", 1),
    ("mkdir", E.ENOSPC, "shards", 1, "once", 1),
    ("write", E.EDQUOT, "layout.h5", 1, "once", 1),
    ("h5py", E.EMFILE, "layout.h5", 1, "on", 1),
    ("fsync", E.EIO, "accuracy@small", 1, "once", 1),
    ("mkdir", E.EACCES, "accuracy@small/", 1, "once", 1),
    ("open", E.EROFS, "cell.json", 1, "on", 1),
    ("rename", E.ESTALE, "cell.json", 1, "once", 1),
    ("list", E.EIO, "run/shards", 1, "once", 2),
    # the index
    ("open", E.EMFILE, "index.h5", 1, "once", 1),
    ("write", E.ENOSPC, "index.h5", 1, "on", 1),
    ("fsync", E.EIO, "index.h5", 1, "once", 1),
    # spans
    ("read", E.EIO, ".JPEG", 1, "on", 2),
    ("open", E.EMFILE, "000000-000016.h5", 1, "once", 1),
    ("write", E.EDQUOT, "000000-000016.h5", 1, "on", 1),
    ("fsync", E.EIO, "000016-000020.h5", 1, "once", 1),
    ("rename", E.ESTALE, "000016-000020.h5", 1, "on", 1),
    ("write", E.EIO, "000", 1, "sometimes", 1),
    ("stat", E.EIO, "failed.json", 1, "on", 1),
    # consolidation and tidying: warnings
    ("write", E.ENOSPC, "all.h5", 1, "on", 0),
    ("rename", E.EIO, "all.h5", 1, "once", 0),
    ("unlink", E.EROFS, "shards", 1, "once", 0),
    ("unlink", E.ESTALE, "shards", 1, "on", 0),
    ("unlock", E.ESTALE, "run/.lock", 1, "once", 0),
    # caches: warnings
    ("mkdir", E.EROFS, "/cache", 1, "on", 0),
    ("write", E.ENOSPC, "manifests", 1, "on", 0),
    ("rename", E.EACCES, "manifests", 1, "once", 0),
]


@pytest.mark.parametrize(
    ("kind", "number", "part", "first", "mode", "code"),
    [
        pytest.param(
            *row,
            id=f"{row[0]}-{E.errorcode[row[1]]}-{row[2].strip('/')}-{row[4]}",
            marks=[pytest.mark.slow] if place % 3 else [],  # two runs each
        )
        for place, row in enumerate(RUN_FAULTS)
    ],
)
def test_injected_into_a_run(command, study, reference, caplog, kind, number, part, first, mode, code):
    faults = Faults(study, part).fail(kind, number, first, mode=mode)
    result = command([*RUN, "run"], faults)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    assert faults.failed, faults.counts
    lines = told(result.stderr + caplog.text, number)
    assert 1 <= len(lines) <= 2 * len({place for _, place in faults.failed}), result.stderr
    if code == 2:
        assert not (study / "run" / "run.json").exists()
        assert len(result.stderr.splitlines()) == 1
    sound(command, study, reference)


def test_injected_failure_record(command, study, reference):
    """The disk is full for spans and for the reasons of their cells."""
    faults = Faults(study, "@small/a/").fail("write", E.ENOSPC, 4, mode="on")
    result = command([*RUN, "run"], faults)
    assert (result.returncode, "Traceback" in result.stderr) == (1, False), result.stderr
    assert any("failed.json" in place for _, place in faults.failed)
    assert "could not be stored" in result.stderr
    sound(command, study, reference)


@pytest.mark.parametrize(
    ("kind", "number", "part", "code"),
    [
        ("read", E.EIO, "run.json", 2),
        ("open", E.EMFILE, "cell.json", 2),
        ("stat", E.ESTALE, "all.h5", 2),
        ("list", E.EIO, "run/shards", 2),
        ("write", E.ENOSPC, "run.json", 2),
        ("write", E.ENOSPC, "index.h5", 1),
    ],
)
def test_injected_into_a_resume(command, study, reference, kind, number, part, code):
    shutil.copytree(study / "reference", study / "run")
    faults = Faults(study, part).fail(kind, number, mode="on")
    result = command([*RUN, "run"], faults)
    lines = result.stderr.splitlines()
    assert faults.failed
    assert (result.returncode, "Traceback" in result.stderr) == (code, False), result.stderr
    assert len(told(result.stderr, number)) == 1
    assert "delete" not in lines[-1]
    sound(command, study, reference)


READING = [
    *[
        (words, kind, number, part)
        for words in (
            "report reference",
            "verify reference",
            "export reference -o out/x.csv",
            "compare reference --against run",
        )
        for kind, number, part in (
            ("read", E.EIO, "reference/run.json"),
            ("open", E.EMFILE, "cell.json"),
            ("stat", E.ESTALE, "all.h5"),
            ("list", E.EACCES, "reference/shards"),
            ("h5py", E.EMFILE, ".h5"),
        )
    ],
    ("report reference -o out/x.txt", "open", E.EROFS, "out/x.txt"),
    ("report reference -o out/x.txt", "write", E.ENOSPC, "out/x.txt"),
    ("report reference --format tidy -o out/x.csv", "write", E.ENOSPC, "out/x.csv"),
    ("report reference --format csv -o out/tables/", "write", E.ENOSPC, "out/.tables"),
    ("report reference --format csv -o out/tables/", "mkdir", E.EROFS, "out/.tables"),
    ("report reference --format csv -o out/tables/", "rename", E.EIO, "out/.tables"),
    ("export reference -o out/x.csv", "open", E.EACCES, "out/x.csv"),
    ("export reference -o out/x.csv", "write", E.EDQUOT, "out/x.csv"),
    ("export reference -o out/x.csv", "rename", E.EIO, "out/x.csv"),
    ("export reference -o out/x.h5", "fsync", E.EIO, "out/x.h5"),
    ("export reference -o out/x.h5", "write", E.ENOSPC, "out/x.h5"),
]


@pytest.mark.parametrize(
    ("words", "kind", "number", "part"),
    [
        pytest.param(
            *row,
            id=f"{row[0].split()[0]}-{row[1]}-{E.errorcode[row[2]]}-{Path(row[3]).name}",
            marks=[pytest.mark.slow] if "compare" in row[0] else [],
        )
        for row in READING
    ],
)
def test_injected_into_reading(command, study, words, kind, number, part):
    if "run" in words:
        shutil.copytree(study / "reference", study / "run")
    faults = Faults(study, part).fail(kind, number, mode="on")
    result = command(words.split(), faults)
    text = result.stderr + result.stdout
    assert "Traceback" not in text
    assert result.returncode in (0, 1, 2), text
    if not faults.failed:
        assert result.returncode == 0  # the command does not do that
        return
    assert result.returncode != 0 or os.strerror(number) in text, text
    assert "delete" not in text
    again = command(words.split())
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    ("kind", "part", "first", "code"),
    [
        ("open", "/run", 1, 2),
        ("rename", "run.json", 1, 2),
        ("rename", "layout.h5", 1, 1),
        ("rename", "cell.json", 1, 1),
        ("stat", "layout.h5", 4, 1),
        ("write", "index.h5", 1, 1),
        ("open", "000016-000020.h5", 1, 1),
        ("rename", "all.h5", 1, 1),
    ],
)
def test_injected_removal_of_the_run(command, study, kind, part, first, code):
    """Somebody removes the run folder while the run goes on."""
    faults = Faults(study, part).act(kind, lambda: (study / "run").rename(study / "out" / "gone"), first)
    result = command([*RUN, "run"], faults)
    assert faults.failed, faults.counts
    assert (result.returncode, "Traceback" in result.stderr) == (code, False), result.stderr
    assert result.stderr.count("error: ") == 1


@pytest.mark.parametrize(("kind", "first", "code"), [("open", 1, 2), ("open", 22, 1), ("list", 2, 2)])
def test_injected_removal_of_the_images(command, study, kind, first, code):
    faults = Faults(study, "/val/").act(kind, lambda: (study / "val").rename(study / "elsewhere"), first)
    try:
        result = command([*RUN, "run"], faults)
    finally:
        (study / "elsewhere").rename(study / "val")
    assert faults.failed, faults.counts
    assert (result.returncode, "Traceback" in result.stderr) == (code, False), result.stderr
    assert len([line for line in result.stderr.splitlines() if "val" in line]) in (1, 2)


def test_injected_shortage_of_threads(command, study, reference, monkeypatch):
    """No thread starts, from the k-th on, wherever in a run that is."""
    start = threading.Thread.start
    for first in (1, 4):
        count = Counter()

        def refused(thread, count=count, first=first):
            count["threads"] += 1
            if count["threads"] >= first:
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", refused)
        result = command([*RUN, "run"])
        monkeypatch.setattr(threading.Thread, "start", start)
        assert result.returncode in (1, 2), result.stderr
        assert "ulimit -u" in result.stderr or "can't start new thread" in result.stderr
        assert "Traceback" not in result.stderr
        sound(command, study, reference)
        shutil.rmtree(study / "run")


def test_injected_shortage_of_memory(command, study, reference, monkeypatch):
    from harness.engine import recorder

    empty, count = recorder._empty_block, Counter()

    def refused(*arguments):
        count["blocks"] += 1
        if count["blocks"] == 2:
            raise MemoryError
        return empty(*arguments)

    monkeypatch.setattr(recorder, "_empty_block", refused)
    result = command([*RUN, "run"])
    assert (result.returncode, "Traceback" in result.stderr) == (1, False), result.stderr
    assert "no memory left" in result.stderr
    sound(command, study, reference)


def test_a_mistake_of_the_harness_keeps_its_traceback(command, study):
    for number in (E.EBADF, E.EINVAL):
        result = command([*RUN, "run"], Faults(study, "index.h5").fail("fsync", number, mode="on"))
        assert result.returncode == 70
        assert "Traceback" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_injected_at_every_place(command, study, reference, kind):
    """A grid over the k-th operation of a kind below the run folder, each once, from then on, and now and then."""
    rng = random.Random(kind)
    numbers = (E.EIO, E.ESTALE, E.EROFS, E.EACCES, E.EMFILE, E.ENOSPC, E.EDQUOT)
    counted = Faults(study / "run")
    assert command([*RUN, "run"], counted).returncode == 0
    total = counted.counts[kind]
    for first in range(1, total + 1, max(1, total // 12)):
        for mode in ("once", "on", "sometimes"):
            shutil.rmtree(study / "run", ignore_errors=True)
            number = rng.choice(numbers) if kind != "lock" else E.ESTALE
            faults = Faults(study / "run").fail(kind, number, first, mode=mode, seed=first)
            result = command([*RUN, "run"], faults)
            assert result.returncode in (0, 1, 2), (number, first, mode, result.stderr)
            assert "Traceback" not in result.stderr
            if result.returncode == 2:
                assert not (study / "run" / "run.json").exists()
            sound(command, study, reference)
