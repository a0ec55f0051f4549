"""Registry files and plugins → one read-only Registry: every name that a user can type, and what it refers to.

A mistake in a file is reported at once, with its line. Checks that need a plugin (does this probe exist? does it take
this parameter?) run when a suite, task or model needs it, so that a broken plugin stops only those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final

from harness.discovery.loader import BUILT_INS, Plugins, load_plugins
from harness.discovery.parameters import OF_DATASETS, with_parameters
from harness.errors import PluginError, RegistryError, RequestError, UnknownNameError, blamed, listed
from harness.interfaces import Dataset, ModelSource, Probe
from harness.names import dataset_of, task_of
from harness.records import ModelSpec, Suite, TaskSpec
from harness.registry.schema import DatasetEntry, RegistryFile, read_registry
from harness.registry.yaml_nodes import Document, Where

_KINDS: Final = {"models": "model", "datasets": "dataset", "suites": "suite"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """All models, datasets and suites. Read-only.

    Attributes:
        plugins: the plugins that the entries refer to.
        models: name -> entry, in the order of the files.
        datasets: name -> instance: every usable dataset plugin under its own name, and every usable entry.
        suites: name -> suite, its models and tasks as written in the file.
        unusable: name of a dataset entry whose plugin is missing or broken -> reason.
    """

    plugins: Plugins
    models: Mapping[str, ModelSpec]
    datasets: Mapping[str, Dataset]
    suites: Mapping[str, Suite]
    unusable: Mapping[str, str] = field(default_factory=dict)
    _entries: Mapping[str, DatasetEntry] = field(default_factory=dict, repr=False)
    _documents: Mapping[tuple[str, str], Document] = field(default_factory=dict, repr=False)

    def model(self, name: str) -> ModelSpec:
        """The model with the name or alias `name`. Raises UnknownNameError."""
        for spec in self.models.values():
            if name == spec.name or name in spec.aliases:
                return spec
        raise UnknownNameError(
            "model", name, [*self.models, *(also for s in self.models.values() for also in s.aliases)]
        )

    def models_matching(self, patterns: Sequence[str]) -> tuple[ModelSpec, ...]:
        """All models that match any of `patterns`, each once.

        Args:
            patterns: names, aliases, or globs (``efficientnet-*``) over names; in this order; the matches of a glob
                in the order of the registry.

        Raises:
            UnknownNameError: one of `patterns` matches no model.
        """
        specs: dict[str, ModelSpec] = {}
        for pattern in patterns:
            if any(sign in pattern for sign in "*?["):
                matches = [spec for name, spec in self.models.items() if fnmatchcase(name, pattern)]
                if not matches:
                    raise UnknownNameError("model", pattern, self.models, "No name matches. See: harness list models")
            else:
                matches = [self.model(pattern)]
            specs.update((spec.name, spec) for spec in matches)
        return tuple(specs.values())

    def source_for(self, spec: ModelSpec) -> ModelSource:
        """The model source of `spec`, after it has accepted the entry's options.

        Raises:
            RegistryError: there is no such source, or it rejects the options; names file and line.
            PluginError: the source is claimed by two plugins.
        """
        with self.located("models", spec.name, "source"):
            source = self.plugins.model_source(spec.source)
        with blamed(spec.asked):
            try:
                source.options(spec)
            except ValueError as error:
                raise RegistryError(
                    f"{self._place('models', spec.name, 'options')}: model {spec.name!r}: {error}"
                ) from error
        return source

    def dataset(self, name: str) -> Dataset:
        """The dataset called `name`. Raises UnknownNameError, PluginError, or RegistryError for an unusable entry."""
        if name in self.datasets:
            return self.datasets[name]
        if name in self._entries:
            with self.located("datasets", name, "plugin"):
                self.plugins.dataset(self.plugin_of(name))
        raise self.plugins.unknown("dataset", name, self.datasets)

    def plugin_of(self, dataset: str) -> str:
        """Name of the plugin of a dataset: that of its entry, or its own."""
        return self._entries[dataset].plugin if dataset in self._entries else dataset

    def suite(self, name: str, *, check: bool = True) -> Suite:
        """The suite called `name`, with everything it needs checked: models, sources, tasks, parameters, measures.

        Args:
            check: False if the caller checks the parts itself, to report more than the first mistake.

        Raises:
            UnknownNameError: there is no such suite.
            RegistryError: the suite names something that does not exist or does not fit; names file and line.
            PluginError: the suite needs a name that two plugins claim.
        """
        if name not in self.suites:
            raise UnknownNameError("suite", name, self.suites)
        if check:
            self._check_suite(self.suites[name])
        return self.suites[name]

    def probe_for(self, task: TaskSpec) -> Probe:
        """The probe of `task` with the task's parameters, after checking that it fits the task's dataset.

        Raises:
            UnknownNameError: no such probe, dataset or parameter, or a probe it requires is unknown.
            RequestError: a parameter has the wrong type or value, or the dataset has no attribute of the probe.
            PluginError: a name is claimed by two plugins.
        """
        probe, dataset = self.plugins.probe(task.probe), self.dataset(task.dataset)
        for required in probe.requires:
            self.plugins.probe(required)
        missing = [attribute for attribute in probe.attributes if attribute not in dataset.attributes]
        if missing:
            fitting = [
                name for name, dataset in self.datasets.items() if set(probe.attributes) <= set(dataset.attributes)
            ]
            raise RequestError(
                f"task {task.name!r}: probe {task.probe!r} needs the attribute {missing[0]} of each sample, "
                f"which dataset {task.dataset!r} does not provide. Datasets that do: {', '.join(fitting) or 'none'}"
            )
        return with_parameters(probe, task.params, f"probe {task.probe!r}")

    def parse_task(self, text: str) -> TaskSpec:
        """``probe@dataset`` as typed → TaskSpec. Raises RequestError if malformed, and like `probe_for`."""
        task = task_of(text)
        self.probe_for(task)
        return task

    def _check_suite(self, suite: Suite) -> None:
        for position, pattern in enumerate(suite.models):
            with self.located("suites", suite.name, "models", position):
                specs = self.models_matching([pattern])
            for spec in specs:
                self.source_for(spec)
        for position, task in enumerate(suite.tasks):
            with self.located("suites", suite.name, "tasks", position):
                self.probe_for(task)
        named = {*suite.biases, *suite.axes, *(spec.group for spec in self.models_matching(suite.models))}
        for name in suite.titles.keys() - named if suite.models else ():
            with self.located("suites", suite.name, "titles", name):
                available = listed(sorted(filter(None, named)), most=12)
                raise RequestError(
                    f"title of {name!r}, which is no bias, axis or group of the suite; these are: {available}"
                )
        self._check_statistics(suite)
        alternatives = suite.statistics.alternatives.items()
        places = [
            *((("biases",), suite.biases), (("axes",), suite.axes)),
            *((("statistics", "alternatives", name), choices) for name, choices in alternatives),
        ]
        for place, definitions in places:
            for name, measures in definitions.items():
                with self.located("suites", suite.name, *place, name):
                    for measure in measures:
                        self.dataset(dataset_of(measure))

    def _check_statistics(self, suite: Suite) -> None:
        declared, specs = suite.statistics, self.models_matching(suite.models)
        groups = sorted({spec.group for spec in specs if spec.group})
        if specs and declared.set_apart and declared.set_apart not in groups:
            with self.located("suites", suite.name, "statistics", "set_apart"):
                raise UnknownNameError("group", declared.set_apart, groups, "These are groups of the suite's models")
        names = [spec.name for spec in specs]
        places: list[tuple[str, str | int, str]] = [("hyperparameters", key, key) for key in declared.hyperparameters]
        places += [("baseline_models", position, glob) for position, glob in enumerate(declared.baseline_models)]
        for key, place, pattern in places if specs else ():
            if not any(fnmatchcase(name, pattern) for name in names):
                with self.located("suites", suite.name, "statistics", key, place):
                    raise UnknownNameError("model", pattern, names, "These are models of the suite")

    def _place(self, *path: str | int) -> str:
        document = self._documents.get((str(path[0]), str(path[1])))
        return document.place(path) if document else "(not from a file)"

    @contextmanager
    def located(self, *path: str | int) -> Iterator[None]:
        """Prefix errors with ``file:line`` of the entry."""
        try:
            yield
        except PluginError as error:
            raise PluginError(f"{self._place(*path)}: {error}") from error
        except RequestError as error:
            raise RegistryError(f"{self._place(*path)}: {error}") from error


def built_in_registry() -> Path:
    """The registry.yaml that comes with the harness: beside the folder of the built-in plugins."""
    package = find_spec(BUILT_INS)
    if package is None or not package.submodule_search_locations:
        raise RegistryError(f"the installation is damaged: {BUILT_INS} is not there; install bias-harness again")
    return Path(package.submodule_search_locations[0]).parent / "registry.yaml"


def load_registry(files: Sequence[Path] = (), plugins: Plugins | None = None) -> Registry:
    """Read the built-in registry.yaml and each of `files`.

    Args:
        files: further registry files (``--registry FILE``); they add names and never replace one.
        plugins: what the entries are made of; None: the built-ins and installed packages.

    Raises:
        RegistryError: a file has a mistake, or a name is taken already; begins with ``file:line``.
    """
    plugins = load_plugins() if plugins is None else plugins
    distinct = {file.resolve(): file for file in (built_in_registry(), *map(Path, files))}
    parts = [read_registry(file) for file in distinct.values()]
    documents = _documents(parts, plugins)
    entries = {name: entry for part in parts for name, entry in part.datasets.items()}
    datasets, unusable = dict(plugins.datasets), dict[str, str]()
    for name, entry in entries.items():
        if entry.plugin in plugins.datasets:
            datasets[name] = _built(entry, plugins.datasets[entry.plugin], documents["datasets", name])
        else:
            unusable[name] = str(plugins.unknown("dataset", entry.plugin, plugins.datasets))
    return Registry(
        plugins=plugins,
        models=MappingProxyType({name: spec for part in parts for name, spec in part.models.items()}),
        datasets=MappingProxyType(datasets),
        suites=MappingProxyType({name: suite for part in parts for name, suite in part.suites.items()}),
        unusable=MappingProxyType(unusable),
        _entries=entries,
        _documents=documents,
    )


def _documents(parts: Sequence[RegistryFile], plugins: Plugins) -> dict[tuple[str, str], Document]:
    """(kind, name) → the file that defines it. Raises RegistryError if a name is taken, naming both places.

    Names that differ only in case count as one: on some file systems they would share a folder of a run.
    """
    documents: dict[tuple[str, str], Document] = {}
    plugin_names = {name: plugins.providers.get(("dataset", name), "a plugin") for name in plugins.datasets}
    plugin_names |= {
        duplicate.name: " and ".join(duplicate.providers)
        for duplicate in plugins.duplicates
        if duplicate.kind == "dataset"
    }
    places = {("datasets", name): provider for name, provider in plugin_names.items()}
    for part in parts:
        for kind, name, path in _names(part):
            place, folded = part.document.place(path), (kind, name.casefold())
            if folded in places:
                raise RegistryError(
                    f"{place}: {_KINDS[kind]} {name!r} is already defined in {places[folded]}; rename one"
                )
            places[folded] = place
            documents[kind, name] = part.document
    return documents


def _names(part: RegistryFile) -> Iterator[tuple[str, str, Where]]:
    """Every name and alias that a file defines: (kind, name, position)."""
    for spec in part.models.values():
        yield "models", spec.name, ("models", spec.name)
        for position, alias in enumerate(spec.aliases):
            yield "models", alias, ("models", spec.name, "aliases", position)
    for kind, entries in (("datasets", part.datasets), ("suites", part.suites)):
        for name in entries:
            yield kind, name, (kind, name)


def _built(entry: DatasetEntry, plugin: Dataset, document: Document) -> Dataset:
    """The dataset of an entry: its plugin with other parameters."""
    label = f"dataset {entry.name!r}"
    try:
        dataset = with_parameters(plugin, entry.params, f"{label} (plugin {entry.plugin!r})", OF_DATASETS)
        crop = replace(plugin.preprocessing, **entry.preprocessing)
        if crop.native and crop.resize is None:
            raise ValueError("size: native is a resize, and the images of this dataset are used as they are stored")
        path = plugin.path if entry.path is None else entry.path
        return replace(dataset, name=entry.name, path=path, preprocessing=crop)
    except (ValueError, RequestError) as error:
        raise RegistryError(f"{document.place(('datasets', entry.name))}: {label}: {error}") from error
