"""The exception tree is as its docstring draws it, and says what the user needs."""

import re

import pytest

from harness import errors
from harness.errors import HarnessError, UnknownNameError, described


def drawn_tree():
    """(class name, parent name, exit code) as drawn in the docstring of `harness.errors`."""
    above, rows = [], []
    for line in errors.__doc__.splitlines():
        found = re.match(r"^([│├└─ ]*)(\w+Error)(?: \((\d)\))?", line)
        if found:
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            rows.append((found[2], above[depth - 1] if depth else None, found[3]))
    return rows


def test_tree_is_drawn_completely():
    exported = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, HarnessError)}
    assert {name for name, _, _ in drawn_tree()} == exported
    assert len(drawn_tree()) == 17


@pytest.mark.parametrize(("name", "parent", "code"), drawn_tree())
def test_tree_is_drawn_truly(name, parent, code):
    error = getattr(errors, name)
    assert error.__bases__ == ((getattr(errors, parent),) if parent else (Exception,))
    if code:
        assert error.exit_code == int(code)


def test_exit_code_is_inherited():
    assert {errors.RegistryError.exit_code, errors.PluginError.exit_code, UnknownNameError.exit_code} == {2}
    assert errors.ImageError.exit_code == 1


def test_unknown_name_says_what_was_meant():
    error = UnknownNameError("probe", "acuracy", ["band-pass", "accuracy"])
    assert str(error) == (
        "unknown probe 'acuracy'; did you mean 'accuracy'? Available: accuracy, band-pass. See: harness list probes"
    )
    assert (error.kind, error.given, error.available) == ("probe", "acuracy", ["accuracy", "band-pass"])


def test_unknown_name_without_a_likeness():
    assert str(UnknownNameError("suite", "zzz", [], "Type: x")) == "unknown suite 'zzz'. Available: none. Type: x"


def test_unknown_name_keeps_a_long_list_short():
    message = str(UnknownNameError("model", "zzz", [f"m{number:02}" for number in range(48)]))
    assert "m11, … (48 in all)" in message
    assert "m12" not in message


def test_what_a_plugin_raised_is_one_line_with_its_place():
    try:
        raise ValueError("no\n  such band " + "x" * 400)
    except ValueError as error:
        line = error.__traceback__.tb_lineno
        assert described(error) == f"ValueError: {('no such band ' + 'x' * 400)[:300]} (test_errors.py:{line})"
        assert described(error, "; ask for less").endswith(f"x; ask for less (test_errors.py:{line})")
    assert described(KeyError("a")) == "KeyError: 'a'"
