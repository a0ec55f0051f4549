"""The plugins in a folder given with ``--plugins``: one in each ``*.py`` file."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from importlib import machinery
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from harness.discovery.blame import THIRD_PARTY
from harness.errors import PluginError, RequestError

_PACKAGES: Final = "harness_plugins_"
"""How the names of the packages begin that stand for folders."""
_NOT_PLUGINS: Final = ("_*", "test_*", "*_test", "conftest")
"""Names of modules that are no plugins: private helpers, and what pytest collects."""


def plugins_in(folder: Path) -> Iterator[tuple[str, Callable[[], ModuleType]]]:
    """The plugins in `folder`: the file of each, and what imports it; the names as the user gave them.

    Raises:
        RequestError: `folder` is missing, is a file, or contains no plugin.
    """
    if not folder.is_dir():
        problem = f"is a file; give its folder: --plugins {folder.parent}" if folder.exists() else "does not exist"
        raise RequestError(f"--plugins {folder}: {problem}. Expected a folder with one plugin in each *.py file")
    stems = sorted(file.stem for file in folder.glob("*.py"))
    plugins = [stem for stem in stems if not any(fnmatchcase(stem, pattern) for pattern in _NOT_PLUGINS)]
    if not plugins:
        raise RequestError(
            f"--plugins {folder}: no plugin there. Expected *.py files beside helpers (_*.py) and tests (test_*.py); "
            f"found: {', '.join(stems) or 'no *.py file'}"
        )
    package = _folder_package(folder)
    for stem in plugins:
        yield str(folder / f"{stem}.py"), partial(_import_file, package, stem)


def _folder_package(folder: Path) -> str:
    """Register `folder` as a package, named after its path, so that its classes pickle and its files see siblings."""
    name = f"{_PACKAGES}{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:12]}"
    for loaded in [module for module in sys.modules if module == name or module.startswith(f"{name}.")]:
        del sys.modules[loaded]  # so that the current content of the files runs
    package = ModuleType(name, f"Plugins in {folder}.")
    package.__path__ = [str(folder.resolve())]
    sys.modules[name] = package
    if _FolderFinder not in sys.meta_path:
        sys.meta_path.insert(0, _FolderFinder)
    THIRD_PARTY.add(name)
    importlib.invalidate_caches()
    return name


class _FromSource(machinery.SourceFileLoader):
    """Runs what the file holds, never bytecode: Python takes that of an edit of the same second and size as its own."""

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


class _FolderFinder:
    """Finds the modules of ``--plugins`` folders; those of a folder without ``__init__.py`` in them are Python's."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> machinery.ModuleSpec | None:
        kinds = ((machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES), (_FromSource, [".py"]))
        for place in path or () if name.startswith(_PACKAGES) else ():
            spec = machinery.FileFinder(place, *kinds).find_spec(name)
            if spec is not None and spec.loader is not None:
                return spec
        return None


def _import_file(package: str, stem: str) -> ModuleType:
    if "." in stem:
        raise PluginError(f"{stem}.py cannot be imported: a module's name has no dot; rename the file")
    return importlib.import_module(f"{package}.{stem}")
