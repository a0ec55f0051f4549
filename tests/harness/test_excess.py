"""YAML and regular expressions that are short and would take gigabytes or hours: each costs one line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError, LoadingRecipe, Substitution
from harness.excess import check_pattern, yaml_excess
from harness.plugins.models._recipe import renamed
from harness.plugins.models._zoo.training.recipe import read_recipes
from harness.registry import load_registry
from harness.registry.schema import read_registry
from tests.helpers.bombs import bounded

MODEL = "models:\n  a:\n    source: checkpoint\n    weights: file:w.pth\n"
LAUGHS = "a0: &a0 [lol, lol]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12)
)
MAPPINGS = "a0: &a0 {k: v}\n" + "".join(
    f"a{level}: &a{level} {{{', '.join(f'k{key}: *a{level - 1}' for key in range(9))}}}\n" for level in range(1, 12)
)

YAML = {
    "laughs": (LAUGHS, ": aliases"),
    "laughs-of-mappings": (MAPPINGS, ": aliases"),
    "alias-in-options": (f"{MODEL}    options: &o {{a: *o}}\n", "contains itself"),
    "one-long-list-often": (f"a: &a [{'x,' * 5000}]\nb: [{'*a,' * 5000}]\n", ":2: aliases"),
    "nested-lists": ("a: " + "[" * 100_000 + "]" * 100_000, ":1: "),
    "nested-mappings": ("a: " + "{a: " * 50_000 + "1" + "}" * 50_000, ":1: "),
    "nested-blocks": ("- " * 50_000 + "a", ":1: "),
    "many-values": ("a: [" + "x," * 400_000 + "]", "more than 300,000 values"),
    "integer": (f"{MODEL}    outputs: {'9' * 1_000_000}\n", ":5: "),
    "float": (f"{MODEL}    mean: [{'9' * 100_000}.0, 0.5, 0.5]\n", "digits"),
    "infinite-float": (f"{MODEL}    mean: [1.0e+999, 0.5, 0.5]\n", "a finite decimal number"),
    "octal": (f"{MODEL}    outputs: 0{'7' * 100_000}\n", ":5: "),
    "base-60": (f"{MODEL}    outputs: {'59:' * 50_000}59\n", ":5: "),
    "python-object": ("models: !!python/object/apply:os.system ['touch executed']\n", "unknown tag"),
    "python-name": ("models: !!python/name:os.system ''\n", "unknown tag"),
    "own-tag": ("models: !run 'touch executed'\n", "unknown tag"),
    "merge-key": (f"{MODEL}  b:\n    <<: {{source: timm}}\n", "merge keys"),
    "second-anchor": (f"a: &a [1]\nb: &a {LAUGHS[8:20]}\nc: *a\n", ":"),
    "unknown-alias": ("models: *nowhere\n", "is not valid YAML"),
    "long-key": (f"models:\n  {'k' * 1000}: {{source: dummy}}\n  ? {'z' * 200_000}\n  : 1\n", ":"),
    "long-tag": (f"models: !{'t' * 500_000} a\n", "unknown tag"),
    "rename-that-backtracks": (f"{MODEL}    recipe: {{rename: [['(a+)+$', b]]}}\n", ":5: "),
    "rename-of-alternatives": (f"{MODEL}    recipe: {{head_rename: [['(a|aa)+$', b]]}}\n", ":5: "),
    "rename-unclosed": (f"{MODEL}    recipe: {{rename: [['(a', b]]}}\n", "cannot be applied"),
    "rename-long": (f"{MODEL}    recipe: {{rename: [['{'a' * 100_000}', b]]}}\n", "at most 1,000 letters"),
}  # fmt: skip


def line_of(action, tmp_path):
    def answer():
        try:
            action()
        except HarnessError as error:
            return error
        return "READ"

    before = sorted(tmp_path.iterdir())
    message = bounded(answer)
    assert "TRACEBACK" not in message and message != "READ" and "\n" not in message and len(message) < 2000, message
    assert sorted(tmp_path.iterdir()) == before
    return message


@pytest.mark.parametrize(("content", "words"), YAML.values(), ids=YAML)
def test_hostile_yaml_costs_one_line(content, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "registry.yaml"
    file.write_text(content)
    message = line_of(lambda: read_registry(file), tmp_path)
    assert words in message and f"{file}:" in message


@pytest.mark.parametrize("kind", ["laughs", "nested-lists", "python-object", "integer"])
def test_hostile_recipes_of_the_zoo_cost_one_line(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "recipes.yaml"
    file.write_text(YAML[kind][0])
    assert str(file) in line_of(lambda: read_recipes(file), tmp_path)


CATASTROPHES = [
    r"(a+)+$", r"(a|a)*$", r"(a|aa)+$", r"(\w+\w*)+x", r"(.*)*x", r"^(.*a){20}", r"(x+x+)+y", r"(?:a?){60}a{60}",
    r".*.*.*.*.*.*x", r"(a{1,20}){1,20}b", r"(?=(a+)+b)", r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(\d+|\w+)*$",
]  # fmt: skip


@pytest.mark.parametrize("pattern", CATASTROPHES)
def test_a_hostile_pattern_is_refused_with_its_line(pattern, tmp_path):
    keys = {"a" * 60 + "!": 1, "layer1.0.conv1.weight": 2}
    message = line_of(lambda: renamed(keys, [(pattern, "b")], "w.pth"), tmp_path)
    assert f"rename {pattern!r}" in message and "ways" in message


@pytest.mark.parametrize("key", ["a" * 1001, "a" * 10**6], ids=["1001", "million"])
def test_a_hostile_key_is_not_matched(key, tmp_path):
    assert "letters" in line_of(lambda: renamed({key: 1}, [("a", "b")], "w.pth"), tmp_path)


def test_a_hostile_replacement_cannot_grow_without_end(tmp_path):
    assert "letters" in line_of(lambda: renamed({"ab" * 20: 1}, [("(.+)", r"\1\1")] * 60, "w.pth"), tmp_path)


USUAL = [
    r"^(?:module\.|model\.)+", r"^(?:\w+\.)*fc", r"(\.\w+)+$", r"^net\.(\d)\.blocks\.(\d+)\.",
    r"^(.*)\.(.*)\.(.*)$", r"(.*)\.weight", r"^encoder\.(.+?)\.(.+)$", r"(?<=\.)w(?!x)", r"[^.]+\.", r"^(?:[^.]+\.){2}",
    r"^(?:backbone|encoder)\.(.*)\.(\d+)\.(gamma|beta)$", r"(a)(?(1)b|c)",
]  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(
    st.from_regex(r"(module\.|encoder\.|layer[0-9]\.|[0-9]{1,2}\.|[a-z_]{1,8}\.){1,6}(weight|bias|fc)", fullmatch=True)
)
def test_usual_patterns_give_the_keys_of_re(key):
    substituted = Substitution()
    for pattern in USUAL:
        assert substituted(pattern, "<>", key) == re.sub(pattern, "<>", key)


def test_every_pattern_of_the_registry_passes():
    recipes = [spec.recipe for spec in load_registry().models.values()]
    patterns = [pair for recipe in recipes for pair in (*recipe.rename, *recipe.head_rename)]
    assert len(patterns) > 10 and LoadingRecipe() in recipes
    for pair in patterns:
        check_pattern(*pair, length=200)


def test_few_aliases_are_data():
    assert yaml_excess("a: &a [1, 2]\nb: *a\nc: [*a, *a]\n") is None
