"""Texts from strangers on their whole way, from where they come in to each format in which they leave: harmless."""

import csv
import io
import json
import shutil

import pytest
import safetensors.torch
import torch
import yaml
from rich.console import Console

from harness import open_study
from harness.workflows.run_result import RunResult
from tests.helpers.bombs import archive, call, name, pickled
from tests.helpers.command import completed
from tests.helpers.hostile_runs import WRITERS
from tests.helpers.hostile_texts import INERT, TEXTS, inert, inert_html, inert_terminal, marked
from tests.helpers.places import ROOT


def some(names, *kept):
    """Parameters of which only `kept` are tried in the fast suite, which has little time."""
    return [pytest.param(name, marks=[] if name in kept else pytest.mark.slow) for name in names]


FORMATS = ("terminal", "tty", "csv", "markdown", "latex", "html", "json")
every_format = pytest.mark.parametrize("form", FORMATS)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What a report of a run folder of `WRITERS` prints, each once: ``shown("groups", "csv")``."""
    folder, outputs = tmp_path_factory.mktemp("hostile"), {}

    def of(run, form, report="correlation"):
        if not (folder / run).exists():
            WRITERS[run](folder / run)
        if (run, form, report) not in outputs:
            outputs[run, form, report] = ended(folder, form, "report", run, "--report", report)
        return outputs[run, form, report]

    of.folder = folder
    return of


def ended(folder, form, *words):
    """stdout of a command that succeeds or refuses, after it has been looked at, as its stderr has."""
    plain = "terminal" if form == "tty" else form
    done = completed([*words, "--format", plain], folder, terminal=form == "tty")
    assert done.returncode in (0, 1, 2) and "Traceback" not in done.stderr
    inert_terminal(done.stderr)
    if done.stdout:
        INERT[plain](done.stdout)
    return done.stdout


# --- run folders and tables ------------------------------------------------------------------

SOURCES = {
    "group": ("groups", FORMATS),
    "reason": ("groups", FORMATS),
    "remedy": ("groups", FORMATS),
    "failure": ("groups", FORMATS),
    "remark": ("groups", FORMATS),
    "bias": ("biases", ("csv", "json")),
    "title": ("biases", FORMATS),
    "axis": ("axes", FORMATS),
    "condition": ("conditions", FORMATS),
    "model": ("table", FORMATS),
    "measure": ("table", FORMATS),
    "flag": ("table", FORMATS),
    "missing": ("table", FORMATS),
    "unit": ("table", ("json",)),
    "erratum": ("table", FORMATS),
    "source": ("table", FORMATS),
    "licence": ("table", FORMATS),
}
"""Where a text comes from -> the run that has it, and the formats that show it."""


@every_format
@pytest.mark.parametrize("source", SOURCES)
def test_hostile_report(shown, source, form):
    run, formats = SOURCES[source]
    assert (source in shown(run, form)) >= (form in formats)
    if form == "json" and source in ("group", "bias", "axis", "model"):
        assert set(marked(source)) <= set(texts_of(json.loads(shown(run, form))))


def texts_of(document):
    """Every text in a JSON document, keys too."""
    if isinstance(document, dict):
        return [text for key, value in document.items() for text in (key, *texts_of(value))]
    if isinstance(document, list):
        return [text for item in document for text in texts_of(item)]
    return [document] if isinstance(document, str) else []


@every_format
@pytest.mark.parametrize("run", ["groups", "table"])
def test_hostile_report_of_single_decisions(shown, run, form):
    assert "remark" in shown(run, form, "consistency").casefold() or form == "json"


@every_format
@pytest.mark.parametrize("run", ["groups", "biases", "axes", "table"])
def test_hostile_report_of_what_coefficients_rest_on(shown, run, form):
    assert "remark" in shown(run, form, "sensitivity").casefold() or form == "json"


@pytest.mark.parametrize("run", WRITERS)
def test_hostile_notebook(shown, run):
    shown(run, "json")
    study, page = open_study(shown.folder / run), io.StringIO()
    inert_html(study._repr_html_())
    Console(file=page, width=4000, force_terminal=False).print(study)
    inert(page.getvalue())
    inert(repr(study))
    assert sum(len(model.measures) for model in study.models) > 0


@pytest.mark.parametrize("text", [TEXTS["window-title"], TEXTS["script"], TEXTS["newline"], TEXTS["lone-surrogate"]])
def test_hostile_result_in_a_notebook(tmp_path, text):
    plan = type("Plan", (), {"cells": (), "remarks": ()})()
    result = RunResult(path=tmp_path / "r", failures={("t", "m"): text, ("u", "m"): text}, plan=plan, plugins=None)
    inert_html(result._repr_html_())
    inert(str(result))
    assert len(str(result).splitlines()) == 3


@pytest.mark.parametrize("source", ["condition", "sample", "attribute"])
def test_hostile_export(shown, source):
    shown("conditions", "json")
    done = completed(["export", "conditions", "-o", "out.csv"], shown.folder)
    assert done.returncode == 0
    written = (shown.folder / "out.csv").read_text()
    INERT["csv"](written)
    assert written.count(f" {source}") >= len(marked(source)) - 1
    assert len({len(row) for row in csv.reader(io.StringIO(written))}) == 1


@pytest.mark.parametrize("command", ["report", "verify", "compare", "export"])
@pytest.mark.parametrize("text", ["colour", "newline", "bidi-override", "formula", "rich-markup", "lone-surrogate"])
def test_hostile_name_of_a_run_folder(shown, tmp_path, command, text):
    shown("axes", "json")
    run, output = f"{TEXTS[text]} run", f"{TEXTS[text]} out.csv"
    shutil.copytree(shown.folder / "axes", tmp_path / run)
    more = {"compare": ["--against", run], "export": ["-o", output]}.get(command, [])
    done = completed([command, run, *more], tmp_path)
    assert done.returncode in (0, 2) and "Traceback" not in done.stderr
    inert_terminal(done.stdout)
    inert(done.stderr)
    assert "0 problems" not in [line[:10] for line in done.stderr.splitlines()]


# --- checkpoints -----------------------------------------------------------------------------

EVIL = "  {}: {{source: checkpoint, arch: 'zoo:plain', weights: 'file:{}', label_space: shapes-16, outputs: 16}}\n"


def _stranger(keys):
    weights = ROOT / "plugins/models/_zoo/weights/zoo-baseline.safetensors"
    return {**safetensors.torch.load_file(weights), **{key: torch.zeros(1) for key in keys}}


def _prefixed(file):
    torch.save({f"{TEXTS['colour']}.{key}": value for key, value in _stranger(()).items()}, file)


def _renamed(file):
    torch.save(dict(zip(marked("key"), _stranger(()).values(), strict=False)), file)


def _wrapped(file):
    torch.save({text: _stranger(()) for text in marked("key")}, file)


def _lone(file):
    torch.save({**_stranger(()), TEXTS["newline"]: "no tensor", TEXTS["clear-screen"]: [1]}, file)


CHECKPOINTS = {
    "strange-keys": lambda file: torch.save(_stranger(marked("key")), file),
    "only-strange-keys": _renamed,
    "strange-prefix": _prefixed,
    "strange-wrappers": _wrapped,
    "strange-strays": _lone,
    "pickled-global": lambda file: file.write_bytes(
        archive(pickled(b"}" + call(name("os\x1b[31m|", "sys\rtem<b>")) + b"K\x01s"))
    ),
    "pickled-call": lambda file: file.write_bytes(
        archive(pickled(b"(" + b"X\x10\x00\x00\x00touch executed\x1b\x07" + name("os", "system") + b"o"))
    ),
    "web-page": lambda file: file.write_text("<!DOCTYPE html><title>\x1b]0;owned\x07&#27;[2J</title><body>|[x](y)"),
}
COMMANDS = {
    "run": "run --models evil --task accuracy@shapes-64 --device cpu --limit 4 --out run",
    "dry-run": "run --suite s --dry-run --out run",
    "doctor": "doctor --suite s",
    "fetch": "fetch --models evil --offline",
    "info": "info evil",
}


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """A folder with each file of `CHECKPOINTS`, and a registry that calls it ``evil``."""
    folder = tmp_path_factory.mktemp("stranger")
    for kind, make in CHECKPOINTS.items():
        (folder / kind).mkdir()
        make(folder / kind / "net.pth")
        suite = "suites: {s: {models: [evil, fine], tasks: [accuracy@shapes-64], biases: {b: [top1@shapes-64]}}}\n"
        fine = ROOT / "plugins/models/_zoo/weights/zoo-baseline.safetensors"
        text = "models:\n" + EVIL.format("evil", "net.pth") + EVIL.format("fine", fine) + suite
        (folder / kind / "my.yaml").write_text(text)
    return folder


@pytest.mark.parametrize("command", some(COMMANDS, "run", "doctor"))
@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_hostile_checkpoint(stranger, kind, command):
    words = [*COMMANDS[command].split(), "--registry", "my.yaml"]
    for form in ("terminal", "tty", *(["json"] if command in ("doctor", "fetch", "info") else [])):
        more = [] if command in ("run", "dry-run") else ["--format", form.replace("tty", "terminal")]
        done = completed([*words, *more], stranger / kind, terminal=form == "tty")
        assert done.returncode in (0, 1, 2) and "Traceback" not in done.stderr, done.stderr
        INERT["json" if form == "json" else "terminal"](done.stdout)
        inert_terminal(done.stderr)
        if command == "run":
            assert (done.returncode, done.stdout) == (2, "") and done.stderr.endswith("\n"), done.stderr
            assert form == "tty" or done.stderr.count("\n") == 1, done.stderr
            assert r"\x" in done.stderr or kind in ("only-strange-keys", "pickled-call", "web-page"), done.stderr
    assert not (stranger / kind / "executed").exists()


@pytest.mark.parametrize("kind", ["strange-keys", "pickled-global"])
def test_hostile_checkpoint_in_a_report(stranger, tmp_path, kind):
    shutil.copytree(stranger / kind, tmp_path, dirs_exist_ok=True)
    words = "run --suite s --registry my.yaml --device cpu --limit 4 --out run"
    assert completed(words.split(), tmp_path).returncode == 1
    for form in FORMATS:
        assert "net.pth" in ended(tmp_path, form, "report", "run")


# --- registries, tables, file names ----------------------------------------------------------

EVERY = " ".join(text for text in TEXTS.values() if set(text) & {*"\x1b\r\b\n\u202e\x9b<[|"} and len(text) < 40)
EVERY = EVERY.replace("\0", "").encode(errors="ignore").decode()
MODEL = {
    "source": "checkpoint",
    "arch": "zoo:plain",
    "weights": "file:none.pth",
    "label_space": "shapes-16",
    "outputs": 16,
}
SUITE = {"models": ["evil"], "tasks": ["accuracy@shapes-64"], "title": "s"}


def _entry(**facts):
    return {"models": {"evil": {**MODEL, **facts}}, "suites": {"s": SUITE}}


def _suite(**facts):
    return {"models": {"evil": MODEL}, "suites": {"s": {**SUITE, **facts}}}


PLACES = {
    **{key: _entry(**{key: EVERY}) for key in ("title", "citation", "license", "notes", "group", "arch", "source")},
    "weights": _entry(weights=f"file:{TEXTS['colour']}/{TEXTS['bidi-override']}.pth"),
    "address": _entry(weights=f"https://evil.example/{EVERY}"),
    "alias": _entry(aliases=[EVERY]),
    "label-space": _entry(label_space=EVERY),
    "rename": _entry(recipe={"rename": [["(" + EVERY, ""]]}),
    "key": _entry(**{EVERY: 1}),
    "value": _entry(outputs=EVERY),
    "name": {"models": {EVERY: MODEL}, "suites": {"s": SUITE}},
    "suite": {"models": {"evil": MODEL}, "suites": {EVERY: SUITE}},
    "suite-title": _suite(title=EVERY),
    "suite-models": _suite(models=["evil", EVERY]),
    "task": _suite(tasks=["accuracy@shapes-64", EVERY]),
    "bias": _suite(biases={EVERY: ["top1@shapes-64"]}),
    "measure": _suite(axes={"a": [EVERY]}),
    "set-apart": _suite(statistics={"set_apart": EVERY}),
    "alternative": _suite(
        biases={"b": ["top1@shapes-64"]}, statistics={"alternatives": {"b": {EVERY: ["top1@shapes-64"]}}}
    ),
    "short-title": _suite(biases={"b": ["top1@shapes-64"]}, titles={"b": EVERY}),
}
READING = ("list models", "list suites", "info evil", "info s", "doctor --suite s", "fetch --suite s --offline")


@pytest.mark.parametrize("place", some(PLACES, "title", "group", "address", "key", "suite-title"))
def test_hostile_registry(tmp_path, place):
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(PLACES[place]))
    ends = []
    for command in READING:
        for form in ("terminal", "tty", "json"):
            ends.append(ended(tmp_path, form, *command.split(), "--registry", "my.yaml"))
    for terminal in (False, True):
        done = completed("run --suite s --dry-run --registry my.yaml --out r".split(), tmp_path, terminal=terminal)
        inert_terminal(done.stdout + done.stderr)
        assert done.returncode in (0, 2) and "Traceback" not in done.stderr
        ends.append(done.stdout + done.stderr)
    assert any(r"\u202e" in end for end in ends), ends[-1]


COLUMNS = ("subj", "session", "trial", "rt", "object_response", "category", "condition", "imagename")
ROW = ("subject-01", "1", "1", "0.5", "cat", "cat", "0", "0001_cc_cat_cat1-car1.png")


@pytest.mark.parametrize("column", [*COLUMNS, "header", "file"])
def test_hostile_table_of_decisions(tmp_path, column):
    texts = dict(zip(COLUMNS, ROW, strict=True)) | {column: EVERY}
    header = [EVERY if column == "header" and name == "rt" else name for name in COLUMNS]
    file = tmp_path / (f"{TEXTS['colour']}.csv" if column == "file" else "cue-conflict_subject-01_session_1.csv")
    with file.open("w", newline="") as written:
        csv.writer(written).writerows([header, [texts[name] for name in COLUMNS]])
    done = completed(["import", "model-vs-human", file.name, "--out", "run"], tmp_path)
    assert done.returncode in (0, 2) and done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
    inert(done.stderr)
    if done.returncode == 0:
        for form in FORMATS:
            ended(tmp_path, form, "report", "run")


@pytest.mark.parametrize("run", ["biases", "axes", "table"])
def test_hostile_figures(shown, run):
    shown(run, "json")
    listed = completed(["report", run, "--figure", "list"], shown.folder)
    inert(listed.stdout)
    for line in listed.stdout.splitlines()[:3]:
        done = completed(["report", run, "--figure", line.split()[0]], shown.folder)
        inert(done.stdout + done.stderr)
        assert done.returncode in (0, 2)
