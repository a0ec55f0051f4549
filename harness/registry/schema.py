"""What a registry file may say: its keys, their types, and the records they become. Knows no plugin.

What needs plugins or other files (does this probe exist? is this name taken?) is asked in `harness.registry`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from harness.errors import RequestError
from harness.naming import MODEL_NAME, NAME, dataset_of, task_of
from harness.records import LoadingRecipe, ModelSpec, Preprocessing, Suite, TaskSpec
from harness.registry.mistakes import refuse, shown
from harness.registry.yaml_nodes import Document, read_yaml

_URI: Final = re.compile(r"[a-z][a-z0-9+.-]+:\S.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetEntry:
    """A registered dataset: a dataset plugin with other parameters. None: as the plugin has it.

    Attributes:
        preprocessing: those of ``resize`` and ``size`` that are given.
    """

    name: str
    plugin: str
    path: str | None
    preprocessing: Mapping[str, Any]
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryFile:
    """One checked registry file as records, and the lines they come from."""

    document: Document
    models: Mapping[str, ModelSpec]
    datasets: Mapping[str, DatasetEntry]
    suites: Mapping[str, Suite]


def read_registry(file: Path) -> RegistryFile:
    """Read and check one registry file. Raises RegistryError that begins with ``file:line``."""
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


# --- single values ---------------------------------------------------------------------------


def _named(pattern: re.Pattern[str], letters: str) -> AfterValidator:
    def check(name: str) -> str:
        if not pattern.fullmatch(name):
            raise ValueError(
                f"name {name!r} has {letters}, digits and . _ + - only, begins with a letter or digit, and has no '..'"
            )
        return name

    return AfterValidator(check)


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    for position, value in enumerate(values):
        if value in values[:position]:
            raise ValueError(f"{value!r} is listed twice")
    return values


def _uri(value: str) -> str:
    if not _URI.fullmatch(value):
        raise ValueError(f"{value!r} is no URI; write file:PATH, package:NAME/PATH, https://… or timm:NAME")
    return value


def _digest(value: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{8,64}", value):
        raise ValueError(f"{value!r} is no SHA-256: expected its first 8 to 64 hexadecimal digits")
    return value.lower()


def _triple(value: object) -> object:
    if not isinstance(value, tuple) or len(value) != 3:
        raise ValueError(f"expected three numbers (red, green, blue), got {shown(value)}")
    return value


def _fraction(value: tuple[float, ...]) -> tuple[float, ...]:
    if not all(0 <= one <= 1 for one in value):
        raise ValueError(f"expected numbers for images in [0, 1], got {shown(value)}; divide by 255?")
    return value


def _positive(value: tuple[float, ...]) -> tuple[float, ...]:
    if 0 in value:
        raise ValueError(f"images are divided by it, so it cannot be 0: {shown(value)}")
    return value


def _renaming(value: object) -> object:
    if not isinstance(value, tuple) or len(value) != 2 or not all(isinstance(one, str) for one in value):
        raise ValueError(f"expected a pair [pattern, replacement], got {shown(value)}")
    try:
        re.compile(value[0]).sub(value[1], "")
    except (re.error, IndexError) as error:
        raise ValueError(f"{shown(value)} cannot be applied: {error}") from error
    return value


def _task(value: object) -> object:
    return {"task": value} if isinstance(value, str) else value


def _task_form(text: str) -> str:
    try:
        task_of(text)
    except RequestError as error:
        raise ValueError(str(error)) from error
    return text


def _measure(text: str) -> str:
    dataset_of(text)
    return text


_PluginName = Annotated[str, _named(NAME, "lower-case letters")]
_ModelName = Annotated[str, _named(MODEL_NAME, "letters")]
_Text = Annotated[str, Field(min_length=1)]
_Uri = Annotated[str, AfterValidator(_uri)]
_Sha256 = Annotated[str, AfterValidator(_digest)]
_Channels = Annotated[tuple[float, float, float], BeforeValidator(_triple), AfterValidator(_fraction)]
_Renaming = Annotated[tuple[str, str], BeforeValidator(_renaming)]
_Measures = Annotated[
    tuple[Annotated[str, AfterValidator(_measure)], ...],
    BeforeValidator(_listed),
    Field(min_length=1),
    AfterValidator(_distinct),
]
_Pixels = Annotated[int, Field(ge=1)]


# --- entries ---------------------------------------------------------------------------------


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        for key in data if isinstance(data, dict) else ():
            if key not in cls.model_fields:
                close = get_close_matches(key, cls.model_fields, n=1, cutoff=0.5)
                meant = f"; did you mean {close[0]!r}?" if close else "."
                text = f"unknown key {key!r}{meant} Known: {', '.join(cls.model_fields)}"
                raise PydanticCustomError("unknown_key", "{text}", {"text": text, "key": key})
        return data


class _Recipe(_Entry):
    """`LoadingRecipe`, field by field."""

    wrapper_keys: tuple[_Text, ...] = ()
    select_prefix: _Text | None = None
    strip_prefixes: tuple[_Text, ...] = ()
    drop: tuple[_Text, ...] = ()
    rename: tuple[_Renaming, ...] = ()
    head: _Uri | None = None
    head_sha256: _Sha256 | None = None
    head_wrapper_keys: tuple[_Text, ...] = ()
    head_rename: tuple[_Renaming, ...] = ()
    match: Literal["name", "position"] = "name"
    safe_globals: tuple[_Text, ...] = ()

    @model_validator(mode="after")
    def _head_of_its_keys(self) -> _Recipe:
        for key in ("head_sha256", "head_wrapper_keys", "head_rename"):
            if self.head is None and getattr(self, key):
                raise ValueError(f"{key} is about a second file: give its URI as `head`, or leave {key} out")
        return self


class _Model(_Entry):
    """`ModelSpec` without its name and base."""

    source: _PluginName
    group: _Text | None = None
    arch: _Text | None = None
    weights: Annotated[tuple[_Uri, ...], BeforeValidator(_listed)] = ()
    recipe: _Recipe = _Recipe()
    mean: _Channels | None = None
    std: Annotated[_Channels, AfterValidator(_positive)] | None = None
    label_space: _Text = "imagenet-1k"
    outputs: Annotated[int, Field(ge=1)] = 1000
    sha256: _Sha256 | None = None
    bytes: Annotated[int, Field(ge=1)] | None = None
    aliases: Annotated[tuple[_ModelName, ...], AfterValidator(_distinct)] = ()
    title: str = ""
    citation: str = ""
    license: str = ""
    notes: str = ""
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _whole_normalization(self) -> _Model:
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std belong together: give both, or neither for no normalization")
        return self

    def record(self, name: str, base: Path) -> ModelSpec:
        recipe = LoadingRecipe(**dict(self.recipe))
        return ModelSpec(**{**dict(self), "name": name, "base": base, "recipe": recipe})


class _Crop(_Entry):
    """`Preprocessing`: the crop must fit into the resized image."""

    resize: _Pixels | None
    size: _Pixels

    @model_validator(mode="after")
    def _fits(self) -> _Crop:
        check_crop(self.resize, self.size)
        return self


class _Dataset(_Entry):
    plugin: _PluginName
    path: _Text | None = None
    resize: _Pixels | None = None
    size: _Pixels = 224  # as the plugin has it, unless it is set
    params: dict[str, Any] = {}

    def record(self, name: str) -> DatasetEntry:
        crop = self.model_dump(include={"resize", "size"}, exclude_unset=True)
        return DatasetEntry(name=name, plugin=self.plugin, path=self.path, preprocessing=crop, params=self.params)


class _Task(_Entry):
    task: Annotated[str, AfterValidator(_task_form)]
    params: dict[str, Any] = {}


class _Suite(_Entry):
    title: str = ""
    models: Annotated[tuple[_Text, ...], BeforeValidator(_listed), AfterValidator(_distinct)] = ()
    tasks: Annotated[tuple[Annotated[_Task, BeforeValidator(_task)], ...], Field(min_length=1)]
    biases: dict[_Text, _Measures] = {}
    axes: dict[_Text, _Measures] = {}
    preprocessing: dict[_PluginName, _Crop] = {}

    @model_validator(mode="after")
    def _one_meaning(self) -> _Suite:
        _distinct(tuple(task.task for task in self.tasks))
        for name in self.biases.keys() & self.axes.keys():
            raise ValueError(f"{name!r} is both a bias and an axis")
        unused = self.preprocessing.keys() - {task_of(task.task).dataset for task in self.tasks}
        if unused:
            raise ValueError(f"preprocessing is given for {sorted(unused)[0]!r}, which no task of the suite uses")
        return self

    def record(self, name: str) -> Suite:
        forms = [(task_of(task.task), task.params) for task in self.tasks]
        return Suite(
            name=name,
            title=self.title,
            models=self.models,
            tasks=tuple(TaskSpec(probe=form.probe, dataset=form.dataset, params=params) for form, params in forms),
            biases=self.biases,
            axes=self.axes,
            preprocessing={key: Preprocessing(**dict(crop)) for key, crop in self.preprocessing.items()},
        )


class _File(_Entry):
    models: dict[_ModelName, _Model] = {}
    datasets: dict[_PluginName, _Dataset] = {}
    suites: dict[_PluginName, _Suite] = {}


def check_crop(resize: int | None, size: int) -> None:
    """ValueError if a `size` x `size` crop does not fit an image whose shorter side is `resize` pixels."""
    if resize is not None and resize < size:
        raise ValueError(f"size {size} is larger than resize {resize}: the crop would not fit into the image")
