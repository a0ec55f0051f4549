"""The schema of a registry file: its keys, their types, and the records they become. Knows no plugin.

Checks that need plugins or other files (does this probe exist? is this name taken?) are in `harness.registry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from harness.names import task_of
from harness.records import Interpolation, LoadingRecipe, ModelSpec, Preprocessing, StatisticsPlan, Suite, TaskSpec
from harness.registry.fields import (
    Channels,
    Group,
    MeasureName,
    Measures,
    ModelName,
    Names,
    Pixels,
    PluginName,
    Renaming,
    Resize,
    Rows,
    Setting,
    Sha256,
    Size,
    Text,
    Uri,
    as_expected,
    as_list,
    as_task,
    distinct,
    positive,
    task_form,
)
from harness.registry.mistakes import refuse
from harness.registry.yaml_nodes import Document, read_yaml

MOST_TITLE = 16
"""Most characters of a short title: several stand side by side in 80 columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetEntry:
    """A dataset entry: a dataset plugin with other parameters. None: the plugin's own value.

    Attributes:
        name: of the entry.
        plugin: name of the dataset plugin.
        path: folder below the data root.
        preprocessing: fields of `Preprocessing`, as far as they are given.
        params: the plugin's further parameters.
    """

    name: str
    plugin: str
    path: str | None
    preprocessing: Mapping[str, Any]
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryFile:
    """One validated registry file as records, and the lines they come from."""

    document: Document
    models: Mapping[str, ModelSpec]
    datasets: Mapping[str, DatasetEntry]
    suites: Mapping[str, Suite]


def read_registry(file: Path) -> RegistryFile:
    """Read and check one registry file. Raises RegistryError; its message begins with ``file:line``."""
    document = read_yaml(file)
    try:
        content = _File.model_validate(document.data)
    except ValidationError as error:
        refuse(error, document)
    base = file.absolute().parent
    return RegistryFile(
        document=document,
        models={name: entry.record(name, base) for name, entry in content.models.items()},
        datasets={name: entry.record(name) for name, entry in content.datasets.items()},
        suites={name: entry.record(name) for name, entry in content.suites.items()},
    )


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        for key in data if isinstance(data, dict) else ():
            if key not in cls.model_fields:
                close = get_close_matches(key, cls.model_fields, n=1, cutoff=0.5)
                meant = f"; did you mean {close[0]!r}?" if close else "."
                text = f"unknown key {key!r}{meant} Available: {', '.join(cls.model_fields)}"
                raise PydanticCustomError("unknown_key", "{text}", {"text": text, "key": key})
        return data


class _Recipe(_Entry):
    """`LoadingRecipe`, field by field."""

    wrapper_keys: tuple[Text, ...] = ()
    select_prefix: Text | None = None
    strip_prefixes: tuple[Text, ...] = ()
    drop: tuple[Text, ...] = ()
    rename: tuple[Renaming, ...] = ()
    head: Uri | None = None
    head_sha256: Sha256 | None = None
    head_wrapper_keys: tuple[Text, ...] = ()
    head_rename: tuple[Renaming, ...] = ()
    match: Literal["name", "position"] = "name"
    safe_globals: tuple[Text, ...] = ()
    rows: Rows | None = None

    @model_validator(mode="after")
    def _head_of_its_keys(self) -> _Recipe:
        for key in ("head_sha256", "head_wrapper_keys", "head_rename"):
            if self.head is None and getattr(self, key):
                raise ValueError(f"{key} describes a second file: give its URI as `head`, or omit {key}")
        return self


class _Expected(_Entry):
    """A published value: the number alone, or with a tolerance."""

    value: float
    tolerance: Annotated[float, Field(gt=0)] | None = None


class _Model(_Entry):
    """`ModelSpec` without its name and base."""

    source: PluginName
    group: Group | None = None
    arch: Text | None = None
    weights: Annotated[tuple[Uri, ...], BeforeValidator(as_list)] = ()
    recipe: _Recipe = _Recipe()
    mean: Channels | None = None
    std: Annotated[Channels, AfterValidator(positive)] | None = None
    label_space: Text = "imagenet-1k"
    outputs: Annotated[int, Field(ge=1)] = 1000
    sha256: Sha256 | None = None
    bytes: Annotated[int, Field(ge=1)] | None = None
    aliases: Annotated[tuple[ModelName, ...], AfterValidator(distinct)] = ()
    title: str = ""
    citation: str = ""
    license: str = ""
    notes: str = ""
    options: dict[str, Any] = {}
    expected: dict[MeasureName, Annotated[_Expected, BeforeValidator(as_expected)]] = {}

    @model_validator(mode="after")
    def _whole_normalization(self) -> _Model:
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std belong together: give both, or neither for no normalization")
        return self

    def record(self, name: str, base: Path) -> ModelSpec:
        recipe = LoadingRecipe(**dict(self.recipe))
        expected = {measure: (stated.value, stated.tolerance) for measure, stated in self.expected.items()}
        return ModelSpec(**{**dict(self), "name": name, "base": base, "recipe": recipe, "expected": expected})


class _Crop(_Entry):
    """`Preprocessing`, which checks that the crop fits into the resized image."""

    resize: Resize
    size: Pixels
    interpolation: Interpolation = "bilinear"

    @model_validator(mode="after")
    def _fits(self) -> _Crop:
        self.record()
        return self

    def record(self) -> Preprocessing:
        return Preprocessing(**dict(self))


class _Dataset(_Entry):
    plugin: PluginName
    path: Text | None = None
    resize: Resize = None
    size: Size = 224  # the plugin's own values, unless they are set
    interpolation: Interpolation = "bilinear"
    params: dict[str, Any] = {}

    @model_validator(mode="after")
    def _one_source_of_sizes(self) -> _Dataset:
        for key in ("resize", "interpolation"):
            if self.size == "native" and key in self.model_fields_set:
                raise ValueError(f"size: native takes {key} from each network too: leave out {key}")
        return self

    def record(self, name: str) -> DatasetEntry:
        crop = self.model_dump(include={"resize", "size", "interpolation"}, exclude_unset=True)
        if self.size == "native":
            crop = {"native": True}
        return DatasetEntry(name=name, plugin=self.plugin, path=self.path, preprocessing=crop, params=self.params)


class _Task(_Entry):
    task: Annotated[str, AfterValidator(task_form)]
    params: dict[str, Any] = {}


class _Statistics(_Entry):
    log: Names = ()
    set_apart: Text | None = None
    controls: Names = ()
    baseline_models: Names = ()
    alternatives: dict[Text, Annotated[dict[Text, Measures], Field(min_length=1)]] = {}
    hyperparameters: dict[Text, Annotated[dict[Text, Setting], Field(min_length=1)]] = {}

    def record(self) -> StatisticsPlan:
        return StatisticsPlan(**{key: getattr(self, key) for key in type(self).model_fields})


def _refuse_alike(name: str, choices: dict[str, tuple[str, ...]], definition: tuple[str, ...]) -> None:
    """Raise ValueError for an alternative that is the definition or another alternative: it would count twice."""
    titles = {frozenset(definition): StatisticsPlan.AS_DEFINED}
    for title, parts in choices.items():
        place = f"statistics: alternatives: {name}: {title!r}"
        if title == StatisticsPlan.AS_DEFINED:
            raise ValueError(f"{place} is the title of the definition itself; choose another title")
        same = titles.setdefault(frozenset(parts), title)
        if same != title:
            raise ValueError(f"{place} has the same measures as {same!r}; give others, or leave it out")


class _Suite(_Entry):
    title: str = ""
    models: Names = ()
    tasks: Annotated[tuple[Annotated[_Task, BeforeValidator(as_task)], ...], Field(min_length=1)]
    biases: dict[Text, Measures] = {}
    axes: dict[Text, Measures] = {}
    titles: dict[Text, Annotated[str, Field(min_length=1, max_length=MOST_TITLE)]] = {}
    preprocessing: dict[PluginName, _Crop] = {}
    statistics: _Statistics = _Statistics()

    @model_validator(mode="after")
    def _one_meaning(self) -> _Suite:
        distinct(tuple(task.task for task in self.tasks))
        for name in self.biases.keys() & self.axes.keys():
            raise ValueError(f"{name!r} is both a bias and an axis")
        distinct(tuple(self.titles.values()))
        self._declares_what_it_defines()
        unused = self.preprocessing.keys() - {task_of(task.task).dataset for task in self.tasks}
        if unused:
            raise ValueError(f"preprocessing is given for {sorted(unused)[0]!r}, which no task of the suite uses")
        return self

    def _declares_what_it_defines(self) -> None:
        declared = self.statistics
        defined = {**self.biases, **self.axes}
        for key, names, known in (
            ("log", declared.log, self.biases),
            ("controls", declared.controls, defined),
            ("alternatives", tuple(declared.alternatives), defined),
        ):
            for name in names:
                if name not in known:
                    kind, available = "bias" if known is self.biases else "bias or axis", ", ".join(known) or "none"
                    raise ValueError(f"statistics: {key}: {name!r} is no {kind} of the suite; these are: {available}")
        for name, choices in declared.alternatives.items():
            _refuse_alike(name, choices, defined[name])

    def record(self, name: str) -> Suite:
        forms = [(task_of(task.task), task.params) for task in self.tasks]
        return Suite(
            name=name,
            title=self.title,
            models=self.models,
            tasks=tuple(TaskSpec(probe=form.probe, dataset=form.dataset, params=params) for form, params in forms),
            biases=self.biases,
            axes=self.axes,
            titles=self.titles,
            preprocessing={key: crop.record() for key, crop in self.preprocessing.items()},
            statistics=self.statistics.record(),
        )


class _File(_Entry):
    models: dict[ModelName, _Model] = {}
    datasets: dict[PluginName, _Dataset] = {}
    suites: dict[PluginName, _Suite] = {}
