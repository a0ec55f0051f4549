"""What every command of a session reads alike is read once: the shipped registry, the built-in plugins, typer's tree.

A process of a user reads each of them once as well; only these tests call hundreds of commands in one process. Files
and folders that a test brings are read afresh by every command, and tests/system/ runs commands in their own processes.
"""

import gc
import importlib.metadata
import sys
from functools import cache
from pathlib import Path

import pytest
import typer.main

from harness.discovery import loader
from harness.registry import registry
from harness.registry.schema import read_registry

SHIPPED = Path(registry.built_in_registry())


@pytest.fixture(scope="session", autouse=True)
def read_once():
    """The readers of what does not change during a session remember it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        monkeypatch.setattr(registry, "read_registry", _shipped_once(read_registry))
        monkeypatch.setattr(loader, "offers_of", _built_ins_once(loader.offers_of))
        monkeypatch.setattr(loader.metadata, "entry_points", _installed_once(importlib.metadata.entry_points))
        yield


@pytest.hookimpl(trylast=True)
def pytest_collection_finish():
    """Modules and tests stay until the end: the collector of garbage need not look at them again and again."""
    gc.collect()
    gc.freeze()


def _shipped_once(read):
    shipped = cache(lambda: read(SHIPPED))
    return lambda file: shipped() if file == SHIPPED else read(file)


def _built_ins_once(offers_of):
    """The objects of built-in plugins are immutable; those of other plugins are checked whenever they are loaded."""
    built_in = cache(lambda module, provider: tuple(offers_of(module, provider)))

    def offers(plugin, provider):
        name = getattr(plugin, "__name__", "")
        its_own = sys.modules.get(name) is plugin and name.startswith(f"{loader.BUILT_INS}.")
        return list(built_in(plugin, provider)) if its_own else offers_of(plugin, provider)

    return offers


def _installed_once(entry_points):
    installed = cache(lambda path, chosen: entry_points(**dict(chosen)))
    return lambda **chosen: installed(tuple(sys.path), tuple(sorted(chosen.items())))
