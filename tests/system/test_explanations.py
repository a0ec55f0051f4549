"""Explanations are data: no module finds anything out by looking into the text of an error, reason or remark."""

import ast
from pathlib import Path

import pytest

import harness

ROOT = Path(harness.__file__).parents[1]
MODULES = sorted(path for folder in ("harness", "plugins") for path in (ROOT / folder).rglob("*.py"))
TEXTS = {"text", "reason", "line", "detail", "general", "remedy"}
"""Attributes of errors, reasons, remarks and findings that people read."""
SEARCHES = {"startswith", "endswith", "partition", "rpartition", "split", "find", "index", "replace", "removeprefix"}
FOREIGN = {
    "harness/checkpoints/reading.py": "torch names the globals that it refuses in its message alone",
    "harness/data/decoding.py": "one line of what Pillow says",
    "harness/fetching/tars.py": "lzma has one exception for a limit on memory and for everything else",
    "harness/errors.py": "one line of what any exception says",
}
"""Modules that look into the text of another library's exceptions, which have no other form."""


def searched(tree):
    """Lines on which a text for people is searched, cut or compared with `in`."""
    caught = {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name}

    def is_text(node):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str" and node.args:
            return isinstance(node.args[0], ast.Name) and node.args[0].id in caught
        return isinstance(node, ast.Attribute) and node.attr in TEXTS

    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            module = node.func.value
            by_pattern = isinstance(module, ast.Name) and module.id == "re" and any(map(is_text, node.args))
            on_one_line = (
                node.func.attr == "split" and not node.args
            )  # `" ".join(str(error).split())` finds nothing out
            if by_pattern or (node.func.attr in SEARCHES and is_text(module) and not on_one_line):
                yield node.lineno
        elif isinstance(node, ast.Compare):
            sides = (node.left, *node.comparators)
            if any(isinstance(sign, ast.In | ast.NotIn) for sign in node.ops) and any(map(is_text, sides)):
                yield node.lineno


@pytest.mark.parametrize(
    "source",
    [
        'try: f()\nexcept E as error: x = re.search("Type: (.+)", str(error))',
        'try: f()\nexcept E as error: x = str(error).replace("a", "b")',
        "shown = finding.remedy in finding.detail",
        'if reason.text.startswith("erratum"): pass',
    ],
)
def test_the_search_finds_what_it_is_for(source):
    assert len(list(searched(ast.parse(source)))) == 1


def test_no_module_looks_into_the_text_of_an_explanation():
    lines = {path.relative_to(ROOT).as_posix(): list(searched(ast.parse(path.read_text("utf-8")))) for path in MODULES}
    assert len(lines) > 150, "the modules were not found"
    assert {name: found for name, found in lines.items() if found and name not in FOREIGN} == {}
