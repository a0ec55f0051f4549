"""Modules that moved can be imported by their former names."""

import importlib
import sys

import pytest

import harness.plugins.models._zoo as zoo


def test_the_zoo():
    sys.modules.pop("harness.plugins.zoo", None)
    with pytest.warns(DeprecationWarning, match=r"now harness\.plugins\.models\._zoo"):
        assert importlib.import_module("harness.plugins.zoo") is zoo
    assert importlib.import_module("harness.plugins.zoo.network").build("plain")
