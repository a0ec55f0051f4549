"""`harness list` shows what cannot be used, with the reason, beside what can; it always exits 0."""

import json
from pathlib import Path

import pytest

REGISTRY = """
models:
  good: {source: dummy, options: {kind: brightness}}
  lost: {source: dumy}
  wrong: {source: dummy, options: {kind: brightness, seed: 3}}
datasets:
  known: {plugin: shapes}
  gone: {plugin: shaeps}
suites:
  fine: {models: [good], tasks: [accuracy@shapes-64]}
  odd: {models: [good], tasks: [acuracy@shapes-64]}
  half: {models: [lost], tasks: [accuracy@shapes-64]}
  bent:
    models: [good]
    tasks: [accuracy@shapes-64]
    axes: {ID: [top1@shapes-64, top11@shapes-64], OOD: [n0@shapes-64]}
"""
FAILING = """
import sys
from dataclasses import dataclass
from harness import Dataset, hookimpl

@dataclass(frozen=True, kw_only=True)
class Failing(Dataset):
    name: str = "failing"

    def label_space(self):
        raise RuntimeError("no classes")

    def samples(self, root):
        return []

    def release(self):
        sys.exit(3)

@hookimpl
def harness_datasets():
    return [Failing()]
"""


@pytest.fixture
def listed(command_line):
    Path("mine").mkdir()
    Path("mine", "failing.py").write_text(FAILING)
    Path("my.yaml").write_text(REGISTRY)

    def call(kind, *more):
        code, out, _ = command_line("list", kind, "--registry", "my.yaml", "--plugins", "mine", *more)
        assert code == 0
        return json.loads(out) if "json" in more else out

    return call


@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        ("datasets", {"gone": "did you mean 'shapes'", "failing": "SystemExit"}),
        ("models", {"lost": "unknown model source 'dumy'", "wrong": "takes the options"}),
        ("suites", {"odd": "unknown probe 'acuracy'", "half": "unknown model source 'dumy'", "bent": "'n0@shapes"}),
    ],
)
def test_what_cannot_be_used_is_listed_with_its_reason(listed, kind, broken):
    rows = {row["name"]: row["reason"] for row in listed(kind, "--format", "json")}
    text = listed(kind)
    for name, words in broken.items():
        assert words in rows[name]
        (line,) = [line for line in text.splitlines() if line.startswith(f"broken: {name}: ")]
        assert words in line
    assert [name for name, reason in rows.items() if reason] == [name for name in rows if name in broken]
    assert {"datasets": "known", "models": "good", "suites": "fine"}[kind] in rows


def test_what_can_be_used_has_no_reason(command_line):
    for kind in ("datasets", "models", "suites"):
        rows = json.loads(command_line("list", kind, "--format", "json")[1])
        assert rows and all(row["reason"] is None for row in rows), kind


def test_a_misspelt_measure_of_a_suite_is_listed_and_found_by_the_doctor(listed, command_line):
    (reason,) = [row["reason"] for row in listed("suites", "--format", "json") if row["name"] == "bent"]
    code, out, err = command_line("doctor", "--suite", "bent", "--registry", "my.yaml", "--plugins", "mine")
    assert code == 1
    for text in (reason, out + err):
        assert "unknown measure 'top11@shapes-64'" in text and "unknown measure 'n0@shapes-64'" in text
