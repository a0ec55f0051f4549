"""A digest of the code that makes a plugin's numbers, which notices an edit that no `version` announces.

It covers the syntax trees of the plugin's module and of the local modules that it imports, directly or through others,
anywhere in the file: those of its own package or ``--plugins`` folder, and all that lie outside the folders of the
standard library and of installed packages, such as the package of one's own networks. Not covered, because they alter
no stored number: comments, docstrings, formatting, annotations, and the bodies of `measures`, `measures_of_view` and
`measures_over_views`, which read stored trials. Files of data beside the code have a digest of their own. Not seen:
other data, modules with a computed name, and versions of installed packages other than those in an identity.

A built-in plugin has no digest: its `version` counts, and a test holds fingerprints of what it makes.
"""

from __future__ import annotations

import ast
import glob
import hashlib
import re
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

CORE: Final = "harness"
_REDUCTIONS: Final = ("measures", "measures_of_view", "measures_over_views")
"""Methods that read stored trials and make none."""
_NEVER: Final = ("TYPE_CHECKING", "typing.TYPE_CHECKING")
"""Conditions that are false whenever code runs."""
_SILENT: Final = frozenset({"annotation", "returns", "type_comment", "type_params", "ctx", "kind"})
"""Fields of syntax trees that no number depends on."""
_FILE_NAME: Final = re.compile(r"[\w-][\w./ -]{0,200}\.[A-Za-z0-9]{1,8}")
_texts: WeakKeyDictionary[ModuleType, bytes] = WeakKeyDictionary()
"""Loaded module -> its code when it was first looked at: an edit during a process does not change what it runs."""


def code_digest(module: str, plugin: type) -> str | None:
    """Digest of the code behind a plugin, 64 hex digits; None for a built-in, or where there is no code to read.

    Args:
        module: name of the module with the hook. plugin: class of what the hook returned.
    """
    digests = [file.digest for _, file in _files_behind(module, plugin)]
    if not digests:
        return None
    inherited = [f"{base.__qualname__} {base.__dict__['version']}" for base in plugin.__mro__ if _has_version(base)]
    return hashlib.sha256("\n".join([*digests, *inherited]).encode()).hexdigest()


def read_modules() -> set[str]:
    """Names of the loaded modules that have been read for a digest: plugins, and the code behind them."""
    return {module.__name__ for module in _texts}


def data_files(module: str, plugin: type) -> list[Path]:
    """The files that the code behind a plugin names and that lie beside it, or one folder below; sorted.

    Such as ``"weights.npz"`` in ``Path(__file__).with_name("weights.npz")``. Names that are put together, and files
    elsewhere, are not found. Arguments as in `code_digest`.
    """
    paths: set[Path] = set()
    for place, file in _files_behind(module, plugin):
        for text in file.texts if place else ():
            beside = [Path(place).parent / text, *Path(place).parent.glob(f"*/{glob.escape(text)}")]
            paths.update(path.resolve() for path in beside if path.is_file())
    return sorted(path for path in paths if path.suffix not in (".py", ".pyc"))


def _files_behind(module: str, plugin: type) -> Iterator[tuple[str, File]]:
    return _files([module, *(base.__module__ for base in plugin.__mro__)], module.partition(".")[0])


class File(NamedTuple):
    """One file of code.

    Attributes:
        digest: of its syntax tree (of its bytes, if it is not Python). imports: its import statements, in order.
        texts: texts in it that may be names of files.
    """

    digest: str
    imports: tuple[ast.Import | ast.ImportFrom, ...]
    texts: tuple[str, ...] = ()


@lru_cache(1024)
def read_code(code: bytes) -> File:
    """The file with the content `code`."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return File(hashlib.sha256(code).hexdigest(), ())
    tokens = "\0".join(_tokens(tree)).encode("utf-8", "backslashreplace")
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    nodes.sort(key=lambda node: (node.lineno, node.col_offset))
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    texts = {text for text in constants if isinstance(text, str) and _FILE_NAME.fullmatch(text)}
    return File(hashlib.sha256(tokens).hexdigest(), tuple(nodes), tuple(sorted(texts)))


# --- the modules of a plugin -----------------------------------------------------------------


def _files(roots: Sequence[str], own_package: str) -> Iterator[tuple[str, File]]:
    """Place and content of the modules `roots` and of the local modules behind them, in the order of their imports."""
    foreign: set[str] = set()
    waiting = list(dict.fromkeys(reversed(roots)))
    met = set(waiting)
    while waiting:
        name = waiting.pop()
        spec = None if name.rpartition(".")[0] in foreign else _spec(name)
        if spec is None or not _is_local(name, spec, own_package):
            foreign.add(name)
            continue
        code = _code(name, spec)
        if code is None:
            continue
        file = read_code(code)
        yield str(spec.origin or ""), file
        package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
        targets = dict.fromkeys(target for node in file.imports for target in _targets(node, package))
        new = [target for target in targets if target not in met]
        met.update(new)
        waiting += reversed(new)


def _targets(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[str]:
    """Full names of what a statement in `package` imports, with the packages above; a name may be no module."""
    names = [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        above = package.split(".")[: 1 - node.level or None] if node.level else []
        origin = ".".join([*above, *([node.module] if node.module else [])])
        names = [origin, *(f"{origin}.{name}" for name in names)]
    for name in names:
        parts = name.split(".")
        yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _spec(name: str) -> ModuleSpec | None:
    """The place of a module, without running any code; None where there is no such module."""
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__spec__", None) is not None:
        return loaded.__spec__
    if loaded is not None:  # a folder of --plugins
        return _package(name, list(getattr(loaded, "__path__", ())))
    parent, _, _ = name.rpartition(".")
    above = _spec(parent) if parent else None
    path = above.submodule_search_locations if above else None
    if parent and path is None:
        return None
    try:
        finders = (finder for finder in sys.meta_path if hasattr(finder, "find_spec"))
        return next((spec for finder in finders if (spec := finder.find_spec(name, path))), None)
    except KeyError:  # a folder without __init__.py, in a package that is not loaded
        return _package(name, [f"{folder}/{name.rpartition('.')[2]}" for folder in path or ()])


def _package(name: str, folders: Sequence[str]) -> ModuleSpec:
    """A package that has no file of its own."""
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [folder for folder in folders if Path(folder).is_dir()]
    return spec


def _code(name: str, spec: ModuleSpec) -> bytes | None:
    """Content of the module's file; None if it has none (a namespace package), or it cannot be read."""
    loaded = sys.modules.get(name)
    if loaded is not None and loaded in _texts:
        return _texts[loaded]
    try:
        code = Path(str(spec.origin)).read_bytes() if spec.has_location else None
    except OSError:
        text = getattr(spec.loader, "get_source", lambda _: None)(name)  # in a zip archive
        code = text.encode() if text is not None else None
    if loaded is not None and code is not None:
        _texts[loaded] = code
    return code


def _is_local(name: str, spec: ModuleSpec, own_package: str) -> bool:
    """Whether a module belongs to the plugin: it is in its package, or lies outside of everything installed."""
    package = name.partition(".")[0]
    if package == CORE or package in sys.stdlib_module_names:
        return False
    places = [str(spec.origin)] if spec.has_location else list(spec.submodule_search_locations or ())
    return bool(places) and (package == own_package or not _is_installed(Path(places[0])))


def _is_installed(place: Path) -> bool:
    named = {"site-packages", "dist-packages"} & set(place.parts)
    return bool(named) or any(map(place.is_relative_to, _standard()))


@cache
def _standard() -> tuple[Path, ...]:
    """Folders of the standard library and of installed packages."""
    folders = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return tuple({Path(folder) for folder in folders if folder})


def _has_version(base: type) -> bool:
    return base.__module__.partition(".")[0] == CORE and "version" in base.__dict__


# --- the syntax tree of one module -----------------------------------------------------------


def _tokens(tree: ast.AST) -> Iterator[str]:
    """The tree as a sequence of texts, the same in every version of Python; without recursion, so of any depth."""
    waiting: list[Any] = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
            continue
        yield type(item).__name__
        waiting.append(")")
        for name, value in reversed(list(ast.iter_fields(item))):
            if name not in _SILENT and value is not None and value != []:
                waiting += [*reversed(_parts(item, name, value)), f"{name}="]


def _parts(node: ast.AST, name: str, value: Any) -> list[Any]:
    """What a field of `node` consists of: nodes, and texts for all else."""
    if isinstance(node, ast.Constant) and name == "value":
        return [f"{type(value).__name__} {value:x}" if type(value) is int else f"{type(value).__name__} {value!r}"]
    items = value if isinstance(value, list) else [value]
    if isinstance(node, ast.ClassDef) and name == "body" and _is_probe(node):
        items = [_without_reduction(item) for item in items]
    if name in ("body", "orelse", "finalbody") and isinstance(value, list):
        items = [part for item in items if (part := _effective(item, isinstance(node, ast.ClassDef))) is not None]
    return [item if isinstance(item, ast.AST) else "absent" if item is None else f"{item}" for item in items]


def _is_probe(node: ast.ClassDef) -> bool:
    """Whether a class is a probe, by its bases or methods; one of which neither tells counts with its whole code."""
    methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    bases = [ast.unparse(base) for base in node.bases]
    return any(base.endswith("Probe") for base in bases) or bool({"stimuli", "attacks"} & methods)


def _without_reduction(item: ast.stmt) -> ast.stmt:
    """A method that reads stored trials, as its name alone."""
    if isinstance(item, ast.FunctionDef) and item.name in _REDUCTIONS:
        return ast.Expr(ast.Name(item.name))
    return item


def _effective(item: ast.stmt, in_class: bool) -> ast.stmt | None:
    """A statement as far as it does anything; None if it does not: a docstring, an annotation, `pass`.

    In the body of a class an annotated name is a field, and a parameter of the plugin, unless it is a `ClassVar`.
    """
    if isinstance(item, ast.Pass) or (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)):
        return None
    if isinstance(item, ast.If) and not item.orelse and ast.unparse(item.test) in _NEVER:
        return None
    if isinstance(item, ast.ImportFrom) and item.module == "__future__":
        return None
    if isinstance(item, ast.AnnAssign) and not (in_class and "ClassVar" not in ast.unparse(item.annotation)):
        return ast.Assign([item.target], item.value) if item.value is not None else None
    return item
