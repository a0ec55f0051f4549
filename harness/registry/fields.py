"""Single values of a registry file: which values are valid, and the error for any other."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from harness.errors import RequestError
from harness.excess import check_pattern
from harness.names import MODEL_NAME, NAME, dataset_of, is_set_of_models, task_of
from harness.records.statistics_plan import is_setting
from harness.registry.mistakes import shown

_URI: Final = re.compile(r"[a-z][a-z0-9+.-]+:\S.*")


def _named(pattern: re.Pattern[str], letters: str) -> AfterValidator:
    def check(name: str) -> str:
        if not pattern.fullmatch(name):
            raise ValueError(
                f"name {name!r} has {letters}, digits and . _ + - only, begins with a letter or digit, and has no '..'"
            )
        return name

    return AfterValidator(check)


def as_list(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    met: set[str] = set()
    for value in values:
        if value in met:
            raise ValueError(f"{value!r} is listed twice")
        met.add(value)
    return values


def _uri(value: str) -> str:
    if not _URI.fullmatch(value):
        raise ValueError(f"{value!r} is not a URI; write file:PATH, package:NAME/PATH, https://… or timm:NAME")
    return value


def _digest(value: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{8,64}", value):
        raise ValueError(f"{value!r} is not a SHA-256: expected its first 8 to 64 hexadecimal digits")
    return value.lower()


def _triple(value: object) -> object:
    if not isinstance(value, tuple) or len(value) != 3:
        raise ValueError(f"expected three numbers (red, green, blue), got {shown(value)}")
    return value


def _fraction(value: tuple[float, ...]) -> tuple[float, ...]:
    if not all(0 <= channel <= 1 for channel in value):
        raise ValueError(f"expected numbers for images in [0, 1], got {shown(value)}; divide by 255?")
    return value


def positive(value: tuple[float, ...]) -> tuple[float, ...]:
    if 0 in value:
        raise ValueError(f"images are divided by it, so it cannot be 0: {shown(value)}")
    return value


def _renaming(value: object) -> object:
    if not isinstance(value, tuple) or len(value) != 2 or not all(isinstance(part, str) for part in value):
        raise ValueError(f"expected a pair [pattern, replacement], got {shown(value)}")
    try:
        check_pattern(*value)
        re.compile(value[0]).sub(value[1], "")
    except (re.error, IndexError, ValueError) as error:
        raise ValueError(f"{shown(value)} cannot be applied: {error}") from error
    return value


def _resize(value: object) -> object:
    sides = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    if value is not None and not all(type(side) is int and side >= 1 for side in sides):
        raise ValueError(
            f"expected pixels of the shorter side, a pair [height, width], or null for images as they are, "
            f"got {shown(value)}"
        )
    return value


def _rows(value: str) -> str:
    first, _, last = value.partition(":")
    short = first.isdecimal() and last.isdecimal() and max(len(first), len(last)) < 10
    if not (short and int(first) < int(last)):
        raise ValueError(f'{value!r} is no range of outputs: expected "first:last", last excluded, such as "1:1001"')
    return value


def _size(value: object) -> object:
    if value != "native" and (type(value) is not int or value < 1):
        raise ValueError(
            f"expected the side of the crop in pixels, or native for the size of each network, got {shown(value)}"
        )
    return value


def as_task(value: object) -> object:
    return {"task": value} if isinstance(value, str) else value


def as_expected(value: object) -> object:
    return {"value": float(value)} if isinstance(value, int | float) and not isinstance(value, bool) else value


def task_form(text: str) -> str:
    try:
        task_of(text)
    except RequestError as error:
        raise ValueError(str(error)) from error
    return text


def _group(name: str) -> str:
    if is_set_of_models(name):
        raise ValueError(
            f"group {name!r} is in reports the name of another set of models; rename it, for example to 'group-{name}'"
        )
    return name


def _measure(text: str) -> str:
    dataset_of(text)
    return text


def _setting(value: object) -> object:
    if not is_setting(value):
        raise ValueError(f"{shown(value)} is no value of a hyperparameter; expected a text or a finite number")
    return value


PluginName = Annotated[str, _named(NAME, "lower-case letters")]
ModelName = Annotated[str, _named(MODEL_NAME, "letters")]
Text = Annotated[str, Field(min_length=1)]
Setting = Annotated[str | int | float, PlainValidator(_setting)]
Group = Annotated[str, Field(min_length=1), AfterValidator(_group)]
Uri = Annotated[str, AfterValidator(_uri)]
Sha256 = Annotated[str, AfterValidator(_digest)]
Channels = Annotated[tuple[float, float, float], BeforeValidator(_triple), AfterValidator(_fraction)]
Renaming = Annotated[tuple[str, str], BeforeValidator(_renaming)]
Names = Annotated[tuple[Text, ...], BeforeValidator(as_list), AfterValidator(distinct)]
MeasureName = Annotated[str, AfterValidator(_measure)]
Rows = Annotated[str, AfterValidator(_rows)]
Measures = Annotated[
    tuple[MeasureName, ...],
    BeforeValidator(as_list),
    Field(min_length=1),
    AfterValidator(distinct),
]
Pixels = Annotated[int, Field(ge=1)]
Size = Annotated[int | Literal["native"], BeforeValidator(_size)]
Resize = Annotated[int | tuple[int, int] | None, BeforeValidator(_resize)]
