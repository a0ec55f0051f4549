"""The keys of a training recipe, and the files of recipes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness import RequestError, UnknownNameError, yaml_excess

from ..downsampling import Downsampling
from ..input_filters import HIGHEST, band

if TYPE_CHECKING:
    import yaml
    from pydantic_core import ErrorDetails

Data = Literal["shapes", "conflict", "textures", "stylized"]
Positive = Annotated[float, Field(gt=0)]
NAME = r"^[a-z0-9]+([._-][a-z0-9]+)*$"
"""Pattern of a network's name, which is also a file name and a name on the command line."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Adversary(_Part):
    """Projected gradient descent on every batch (Madry et al. 2018).

    Attributes:
        norm: ``linf`` or ``l2``.
        epsilon: radius; for linf in 1/255, for l2 the norm of the whole perturbation with values in [0, 1].
        steps: gradient steps of 2.5 epsilon / steps.
    """

    norm: Literal["linf", "l2"]
    epsilon: Positive
    steps: Annotated[int, Field(ge=1)] = 3


class Contrast(_Part):
    """SimCLR (Chen et al. 2020), then a linear layer on frozen features.

    Attributes:
        labels: all images of one class are positives, not only two views of one image (Khosla et al., NeurIPS 2020).
        epochs: epochs of contrastive training.
        temperature: temperature of NT-Xent.
        head_epochs: epochs of the linear layer.
    """

    labels: bool = False
    epochs: Annotated[int, Field(ge=1)] = 12
    temperature: Positive = 0.2
    head_epochs: Annotated[int, Field(ge=1)] = 6


class Augmentations(_Part):
    """Augmentations of each training image; strengths are drawn uniformly, None and 0 turn one off.

    Attributes:
        shift: largest shift in pixels.
        crop: least side of a random crop, as a share of the image's side; the crop is resized back.
        noise: largest standard deviation of Gaussian noise, in units of [0, 1].
        blur: largest standard deviation of a Gaussian blur, in pixels.
        colour: strength of changes to brightness, contrast and saturation.
        grey: share of images without colour.
        cutout: side of a grey square, in pixels.
        shuffle: share of images whose 4 x 4 tiles are shuffled.
        low_pass, high_pass: least and greatest radius of a filter, in cycles per image.
        filtered: share of images to which filter, blur or noise is applied.
        mixup: parameter alpha of the Beta distribution (Zhang et al. 2018).
    """

    shift: Annotated[int, Field(ge=0, le=16)] = 3
    crop: Annotated[float, Field(gt=0, le=1)] | None = None
    noise: Annotated[float, Field(ge=0)] = 0.0
    blur: Annotated[float, Field(ge=0)] = 0.0
    colour: Annotated[float, Field(ge=0, le=1)] = 0.0
    grey: Annotated[float, Field(ge=0, le=1)] = 0.0
    cutout: Annotated[int, Field(ge=0, le=48)] = 0
    shuffle: Annotated[float, Field(ge=0, le=1)] = 0.0
    low_pass: tuple[int, int] | None = None
    high_pass: tuple[int, int] | None = None
    filtered: Annotated[float, Field(ge=0, le=1)] = 0.5
    mixup: Annotated[float, Field(ge=0, le=4)] = 0.0

    @field_validator("low_pass", "high_pass", mode="before")
    @classmethod
    def _pair(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("low_pass", "high_pass")
    @classmethod
    def _increasing(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not 1 <= value[0] <= value[1] <= HIGHEST + 1:
            raise ValueError(f"expected two radii from 1 to {HIGHEST + 1}, the smaller first, got {list(value)}")
        return value

    @field_validator("mixup")
    @classmethod
    def _drawable(cls, value: float) -> float:
        if 0 < value < 0.05:  # so small that all weights round to 0 or 1
            raise ValueError(f"expected 0, or 0.05 to 4, got {value}")
        return value


class Recipe(_Part):
    """How one network is trained.

    Attributes:
        group: group of the study, or None for a network outside its statistics.
        title: description for people.
        front: input filter, see `input_filters`.
        downsampling: how each stage halves the sides, see `downsampling`; other than ``stride``, the network is pooled.
        seed: determines all random numbers, together with the network's name.
        data: training set -> its share of the images.
        images: number of training images.
        start: network to start from, in the same folder or in the zoo.
        freeze: nothing, the weights of all convolutions, or of the first two; normalization is always trained.
        epochs: 0 leaves the network untrained; unused with `contrast`, which has its own.
        batch, optimizer, learning_rate, weight_decay, label_smoothing: as usual; the learning rate is the peak of a
            linear warm-up and a cosine decay to 0.
        augment: augmentations of each image.
        adversary: attack on every batch.
        contrast: contrastive training, then a linear layer on frozen features.
    """

    group: Annotated[str, Field(min_length=1)] | None = None
    title: str = ""
    front: str = "plain"
    downsampling: Downsampling = "stride"
    seed: Annotated[int, Field(ge=0)] = 0
    data: dict[Data, Positive] = {"shapes": 1.0}
    images: Annotated[int, Field(ge=64)] = 12_000
    start: Annotated[str, Field(pattern=NAME)] | None = None
    freeze: Literal["nothing", "convolutions", "first"] = "nothing"
    epochs: Annotated[int, Field(ge=0)] = 10
    batch: Annotated[int, Field(ge=2)] = 64
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: Positive = 0.05
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    augment: Augmentations = Augmentations()
    adversary: Adversary | None = None
    contrast: Contrast | None = None

    @field_validator("front")
    @classmethod
    def _known_front(cls, value: str) -> str:
        band(value)
        return value

    @model_validator(mode="after")
    def _enough_images(self) -> Recipe:
        if not self.data or min(self.counts().values()) < 1 or sum(self.counts().values()) < self.batch:
            raise ValueError(f"images: expected at least one for each training set, and {self.batch} for one batch")
        return self

    @model_validator(mode="after")
    def _nothing_in_vain(self) -> Recipe:
        keys = self.model_fields_set
        if self.contrast and (self.adversary or self.freeze != "nothing" or "epochs" in keys):
            raise ValueError("contrast excludes adversary, freeze and epochs (it has its own epochs)")
        return self

    def counts(self) -> dict[Data, int]:
        """Training set -> number of its images; rounded, so the sum may differ from `images`."""
        total = sum(self.data.values())
        return {name: round(self.images * share / total) for name, share in self.data.items()}

    def passes(self) -> list[int]:
        """Forward and backward passes of single images in each epoch: the cost of training."""
        images = sum(self.counts().values())
        if self.contrast:
            return [2 * images] * self.contrast.epochs + [images] * self.contrast.head_epochs
        return [images * (1 + (self.adversary.steps if self.adversary else 0))] * self.epochs


class _File(_Part):
    networks: Annotated[dict[Annotated[str, Field(pattern=NAME)], Recipe], Field(min_length=1)]


def read_recipes(file: Path) -> dict[str, Recipe]:
    """Name -> recipe, in the order of the file.

    Raises:
        RequestError: the file is missing, is not YAML, or has an invalid value; one line that names file, key and
            what is expected.
        UnknownNameError: an unknown key; the message names the nearest.
    """
    try:
        content = _content(file)
        return dict(_File.model_validate(content).networks)
    except ValidationError as error:
        # A misspelt key first: a missing key may follow from it.
        raise _refusal(
            file, content, min(error.errors(), key=lambda mistake: mistake["type"] != "extra_forbidden")
        ) from error


def _content(file: Path) -> Any:
    """The file as plain values. Raises RequestError."""
    import yaml

    try:
        text = file.read_text(encoding="utf-8")
        if excess := yaml_excess(text):
            line, problem = excess
            raise RequestError(f"recipes {file}: line {line}: {problem}")
        _refuse_repeated(yaml.compose(text, Loader=yaml.SafeLoader), file)
        return yaml.safe_load(text)
    except OSError as error:
        raise RequestError(f"cannot read recipes {file}: {error.strerror}; see docs/add-a-network.md") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"recipes {file} are not UTF-8 text ({error.reason} at byte {error.start})") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # a number of too many digits, for instance
        raise RequestError(f"recipes {file} are not YAML: {' '.join(str(error).split())[:300]}") from error


def _refuse_repeated(node: yaml.Node | None, file: Path) -> None:
    """Raise RequestError for a repeated key: YAML silently keeps the last."""
    import yaml

    children = node.value if isinstance(node, yaml.CollectionNode) else []
    if isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            line = node.start_mark.line + 1
            raise RequestError(f"recipes {file}: key {twice[0]!r} is repeated in the mapping at line {line}; keep one")
        children = [child for _, child in node.value]
    for child in children:
        _refuse_repeated(child, file)


def _refusal(file: Path, content: Any, first: ErrorDetails) -> RequestError:
    location = [part for part in first["loc"] if part != "[key]"]
    place = ".".join(map(str, location)) or "the file"
    if first["type"] == "extra_forbidden":
        parent = ".".join(map(str, location[:-1])) or "the file"
        return UnknownNameError(
            f"key of {parent} in {file}:", str(location[-1]), _fields(location), "See: docs/add-a-network.md"
        )
    value = first.get("input")
    suffix = "" if isinstance(value, Mapping | BaseModel) or value is content else f", got {value!r}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] in ("float_type", "int_type") and isinstance(value, str):
        message += " (YAML reads 1e-3 as text: write 0.001 or 1.0e-3)"
    if first["type"] == "string_pattern_mismatch":
        message = "a name has lower-case letters, digits, and single . _ - between them"
    return RequestError(f"recipes {file}: {place}: {message}{suffix if 'got ' not in message else ''}")


def _fields(location: list[Any]) -> list[str]:
    """The valid keys at the place of the last of `location`."""
    part: type[BaseModel] = _File if len(location) == 1 else Recipe
    for key in location[2:-1]:
        field = part.model_fields[key].annotation
        part = next(
            candidate
            for candidate in (field, *get_args(field))
            if isinstance(candidate, type) and issubclass(candidate, BaseModel)
        )
    return list(part.model_fields)
