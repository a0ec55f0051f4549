"""Finds plugins: built-ins, ``--plugins DIR`` and installed packages, all in the same way.

Each plugin module gets a pluggy manager of its own, so that one that fails can neither stop nor hide another: a broken
plugin is recorded with its reason, and two plugins with one name are both unused. Nothing here imports torch.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

from harness.discovery.blame import THIRD_PARTY
from harness.discovery.code import code_digest, data_files
from harness.discovery.contract import Kind, Offer, offers_of
from harness.discovery.folders import plugins_in
from harness.errors import PluginError, RequestError, UnknownNameError, plugin_faults, text_of
from harness.hookspecs import PROJECT
from harness.importer import Importer
from harness.interfaces import Dataset, ModelSource, Probe, Report
from harness.local.digests import sha256_of
from harness.local.folder import same_folder

BUILT_INS: Final = "harness.plugins"
"""Named only as a string: the core knows no particular plugin."""
ROOMS: Final = ("models", "datasets", "probes", "reports", "importers")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that failed; nothing it provides is used.

    Attributes:
        provider: module, file, or ``distribution version (module)``.
        error: the reason in one line.
        traceback: the whole traceback, for callers in Python; no command prints it.
    """

    provider: str
    error: str
    traceback: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """One name that several plugins provide; none of them is used."""

    kind: Kind
    name: str
    providers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    """Everything that plugins provide. Read-only.

    Attributes:
        model_sources, datasets, probes, reports, importers: name -> instance; only usable ones.
        providers: (kind, name) -> where it comes from.
        broken: plugins that failed.
        duplicates: names provided more than once.
        modules: (kind, name) -> name of the module with the hook.
    """

    model_sources: Mapping[str, ModelSource]
    datasets: Mapping[str, Dataset]
    probes: Mapping[str, Probe]
    reports: Mapping[str, Report]
    importers: Mapping[str, Importer]
    providers: Mapping[tuple[Kind, str], str]
    broken: tuple[BrokenPlugin, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    modules: Mapping[tuple[Kind, str], str] = field(default_factory=dict)

    def code(self, kind: Kind, name: str) -> str | None:
        """Digest of the code of a plugin that makes numbers; None for a built-in, or if `name` is not usable."""
        maker = self._maker(kind, name)
        return code_digest(*maker) if maker else None

    def data(self, kind: Kind, name: str) -> str | None:
        """Digest of the files of data that the code of such a plugin names and that lie beside it; None: none.

        Raises:
            PluginError: one cannot be read.
        """
        maker = self._maker(kind, name)
        files = data_files(*maker) if maker else []
        if not files:
            return None
        try:
            contents = [f"{path.name} {sha256_of(path)}" for path in files]
        except OSError as error:
            raise PluginError(
                f"{kind} {name!r} names {error.filename}, which cannot be read: {error.strerror}"
            ) from error
        return hashlib.sha256("\n".join(contents).encode()).hexdigest()

    def _maker(self, kind: Kind, name: str) -> tuple[str, type] | None:
        """The module with the hook and the class of a usable plugin that makes numbers."""
        makers = {"model source": self.model_sources, "dataset": self.datasets, "probe": self.probes}
        module, plugin = self.modules.get((kind, name)), makers.get(kind, {}).get(name)
        return None if module is None or plugin is None else (module, type(plugin))

    def model_source(self, name: str) -> ModelSource:
        """The model source `name`. Raises UnknownNameError, or PluginError if two plugins claim the name."""
        return self._find("model source", name, self.model_sources)

    def dataset(self, name: str) -> Dataset:
        """The dataset `name`, with its own parameters. Raises like `model_source`."""
        return self._find("dataset", name, self.datasets)

    def probe(self, name: str) -> Probe:
        """The probe `name`, with its own parameters. Raises like `model_source`."""
        return self._find("probe", name, self.probes)

    def report(self, name: str) -> Report:
        """The report `name`. Raises like `model_source`."""
        return self._find("report", name, self.reports)

    def importer(self, name: str) -> Importer:
        """The importer `name`. Raises like `model_source`."""
        return self._find("importer", name, self.importers)

    def unknown(self, kind: Kind, name: str, available: Mapping[str, object]) -> RequestError:
        """The error for a name without a usable plugin: provided twice, or unknown (perhaps a plugin is broken).

        Args:
            available: the names that are available.
        """
        for twice in self.duplicates:
            if (twice.kind, twice.name) == (kind, name):
                return PluginError(
                    f"{kind} {name!r} is offered by {' and by '.join(twice.providers)}; neither is used. "
                    "Rename or remove one of them; see harness list plugins"
                )
        page = f"{kind}s" if kind in ("dataset", "probe", "report") else "plugins"
        return UnknownNameError(kind, name, available, self._suspects() or f"See: harness list {page}")

    def _find(self, kind: Kind, name: str, available: Mapping[str, T]) -> T:
        if name not in available:
            raise self.unknown(kind, name, available)
        return available[name]

    def _suspects(self) -> str:
        if not self.broken:
            return ""
        first = f"{self.broken[0].provider}: {self.broken[0].error}"
        count = "1 plugin is broken" if len(self.broken) == 1 else f"{len(self.broken)} plugins are broken"
        return f"{count} and might have provided it: {first}; see harness list plugins"


class _Candidate(NamedTuple):
    provider: str
    load: Callable[[], object]


def load_plugins(directories: Sequence[Path] = (), *, entry_points: bool = True) -> Plugins:
    """Find, check and call every plugin once.

    Modules whose name begins with ``_`` are private helpers. In `directories`, files that pytest collects
    (``test_*.py``, ``conftest.py``) are ignored too; import siblings with relative imports. Classes of such files
    pickle within this process, and in any other that has loaded the same folder.

    Args:
        directories: folders given with ``--plugins``; each ``*.py`` in one is a plugin.
        entry_points: whether to load installed packages of the entry-point group ``harness``.

    Raises:
        RequestError: a directory is missing, is not a folder, or contains no plugin. A plugin that fails raises
            nothing: it is listed in `Plugins.broken`.
    """
    candidates = [*_built_ins(), *(_Candidate(*one) for folder in _distinct(directories) for one in plugins_in(folder))]
    if entry_points:
        candidates.extend(_installed())
    offers: list[Offer] = []
    broken: list[BrokenPlugin] = []
    for entry in candidates:
        try:
            with same_folder("it was imported"):
                offered = offers_of(entry.load(), entry.provider)
            offers.extend(offered)
        except plugin_faults() as error:  # a plugin may fail in any way; it is recorded
            text = "".join(traceback.format_exception(error))
            broken.append(BrokenPlugin(entry.provider, _one_line(error), text))
    return _assemble(offers, broken)


def _assemble(offers: Sequence[Offer], broken: Sequence[BrokenPlugin]) -> Plugins:
    claims: dict[tuple[Kind, str], list[Offer]] = {}
    for offer in offers:
        claims.setdefault((offer.kind, offer.name), []).append(offer)
    usable = {key: offers_of_name[0] for key, offers_of_name in claims.items() if len(offers_of_name) == 1}

    def of(kind: Kind) -> Mapping[str, Any]:
        offers_of_kind = {name: offer.instance for (offered, name), offer in sorted(usable.items()) if offered == kind}
        return MappingProxyType(offers_of_kind)

    return Plugins(
        model_sources=of("model source"),
        datasets=of("dataset"),
        probes=of("probe"),
        reports=of("report"),
        importers=of("importer"),
        providers=MappingProxyType({key: offer.provider for key, offer in usable.items()}),
        modules=MappingProxyType({key: offer.module for key, offer in usable.items()}),
        broken=tuple(broken),
        duplicates=tuple(
            Duplicate(kind, name, tuple(offer.provider for offer in offers_of_name))
            for (kind, name), offers_of_name in claims.items()
            if len(offers_of_name) > 1
        ),
    )


# --- where plugins are -----------------------------------------------------------------------


def _built_ins() -> Iterator[_Candidate]:
    for room in ROOMS:
        package = importlib.import_module(f"{BUILT_INS}.{room}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if not module.name.rpartition(".")[2].startswith("_"):
                yield _Candidate(module.name, partial(importlib.import_module, module.name))


def _distinct(directories: Sequence[Path]) -> list[Path]:
    return list({Path(folder).resolve(): Path(folder) for folder in directories}.values())


def _installed() -> Iterator[_Candidate]:
    for entry in sorted(metadata.entry_points(group=PROJECT), key=lambda point: (point.value, point.name)):
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "unknown distribution"
        THIRD_PARTY.add(entry.value.partition(":")[0].partition(".")[0])
        yield _Candidate(f"{package} ({entry.value})", entry.load)


def _one_line(error: BaseException) -> str:
    text = text_of(error)
    return text if isinstance(error, PluginError) else f"{type(error).__name__}: {text}".rstrip(": ")
