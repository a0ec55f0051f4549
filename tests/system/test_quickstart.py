"""The README's first command in an empty clone, and the suites `smoke` and `quickstart` from an installed wheel."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from tests.helpers.places import ROOT

ALL = 9  # cells of the suite smoke: three models on three tasks
QUICKSTART = 34 * 16  # likewise


def run(*command, cwd, **environment):
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done


def check_report(text):
    """The report of a complete suite: three plausible accuracies, every bias, no correlation out of three models."""
    report = json.loads(text)
    assert sorted(model["name"] for model in report["models"]) == [f"efficientnet-lite{n}" for n in range(3)]
    for model in report["models"]:
        assert model["axes"]["ID"] >= 0.7
        assert model["measures"]["n@sample-photos"] == 20
        assert 0.2 <= model["biases"]["low-frequency-bias"] <= 1
        assert model["missing"] == []
    everywhere = [one for one in report["correlations"] if one["models"] == "all"]
    assert everywhere and all(one["spearman"] is None and "n = 3" in one["reason"] for one in everywhere)


MEASURED = """
import pathlib, resource, subprocess, sys

code = subprocess.run(sys.argv[1:], check=False).returncode
pathlib.Path("megabytes").write_text(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024))
sys.exit(code)
"""
"""Runs a command and writes how large its largest process was; here, earlier tests have had larger children."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_make_quickstart_in_an_empty_clone(tmp_path):
    """Makes a virtual environment with everything in it: minutes and gigabytes."""
    if not (ROOT / ".git").exists() or shutil.which("make") is None:
        pytest.skip("needs git's history and make")
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", str(ROOT), str(clone), cwd=tmp_path)
    run("make", ".venv/.installed-run", cwd=clone)
    began = time.monotonic()
    done = run(sys.executable, "-c", MEASURED, "make", "quickstart", cwd=clone)
    seconds = time.monotonic() - began
    megabytes = int((clone / "megabytes").read_text())
    (clone / "megabytes").unlink()
    print(f"make quickstart after the install: {seconds:.0f} s, at most {megabytes:.0f} MB")
    assert megabytes < 2000
    assert re.search(r"[\d,]+ forwards/s, ETA \d+:\d\d:\d\d", done.stderr)
    assert f"{QUICKSTART} of {QUICKSTART} cells stored in runs/quickstart" in done.stderr
    assert "zoo-baseline" in done.stdout and "n = 25 models" in done.stdout
    assert done.stderr.rstrip().splitlines()[-2] == "every decision: runs/quickstart/index.h5"
    assert all(len(line) <= 80 for line in done.stdout.splitlines() if not line.startswith(".venv"))
    report = json.loads(run(".venv/bin/harness", "report", "runs/quickstart", "--format", "json", cwd=clone).stdout)
    assert len(report["models"]) == 34
    assert run("git", "status", "--porcelain", cwd=clone).stdout == ""


@pytest.fixture
def installed(tmp_path):
    """The `harness` command of a fresh virtual environment outside the clone, with the wheel in it.

    Libraries are those of the environment that runs the tests, so that they are not downloaded again; its editable
    installation of the tree is not among them, since a path added like this processes no .pth files.
    """
    source = tmp_path / "source"
    skip = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "runs")
    shutil.copytree(ROOT, source, ignore=skip)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), cwd=source)
    run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"), cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    python = tmp_path / "venv" / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", str(python))  # to install another one takes longer than the rest
    run(*pip, "install", "--no-deps", "--no-index", "--quiet", str(wheel), cwd=tmp_path)
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).stdout.strip()
    (Path(site) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    shutil.rmtree(source)
    where = run(python, "-c", "import harness; print(harness.__file__)", cwd=tmp_path).stdout
    assert where.startswith(site)
    return tmp_path / "venv" / "bin" / "harness"


LISTS = """
import contextlib, io, json, sys
from harness.cli import main

lists = {}
for what in sys.argv[1:]:
    sys.argv = ["harness", "list", what, "--format", "json"]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        main()
    lists[what] = json.loads(out.getvalue())
print(json.dumps(lists))
"""
"""``harness list`` of each argument, all in one process, which imports the harness once."""


def test_an_installed_wheel_lists_everything_and_runs(installed, tmp_path):
    expected = {
        "models": ["efficientnet-lite0", "zoo-baseline"],
        "datasets": ["imagenet", "cue-conflict", "sample-photos", "shapes", "shapes-c"],
        "probes": ["accuracy", "band-pass", "critical-band", "shape-bias"],
        "reports": ["correlation"],
        "suites": ["smoke", "quickstart"],
    }
    python = installed.with_name("python")
    lists = json.loads(run(python, "-c", LISTS, *expected, "plugins", cwd=tmp_path).stdout)
    for what, names in expected.items():
        assert set(names) <= {row["name"] for row in lists[what]}
    assert lists["plugins"] and all(row["state"] == "ok" for row in lists["plugins"])
    alone = ["--models", "efficientnet-lite0", "--limit", "1"]  # all three, below
    run(installed, "run", "--suite", "smoke", *alone, "--out", "run", cwd=tmp_path)
    chosen = ["--models", "zoo-baseline", "zoo-low-frequency-only"]
    run(installed, "run", "--suite", "quickstart", *chosen, "--limit", "2", "--out", "small", cwd=tmp_path)


@pytest.mark.slow
def test_an_installed_wheel_runs_the_whole_suite(installed, tmp_path):
    done = run(installed, "run", "--suite", "smoke", "--out", "run", cwd=tmp_path)
    assert f"{ALL} of {ALL} cells stored in run" in done.stderr
    check_report(run(installed, "report", "run", "--format", "json", cwd=tmp_path).stdout)
