"""Datasets whose images are made by code. No torch here, so that another process has them at once."""

from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from harness import Dataset, LabelSpace, Preprocessing, Sample

SIZE = 32
HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Stripes(Dataset):
    """One stripe an image at the row of its number; `ink` is how bright, `moved` the number that is drawn elsewhere."""

    name: str = "made"
    n: int = 20
    ink: int = 200
    moved: int = -1
    bad: str = ""
    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(resize=None, size=SIZE))

    def root(self):
        return HERE

    def label_space(self):
        return LabelSpace(name="ten", classes=tuple("abcdefghij"), model_label_space="ten", outputs=10)

    def samples(self, root):
        return [Sample(id=f"{number:02d}", targets=(number % 10,)) for number in range(self.n)]

    def image(self, sample):
        if self.bad == f"{sample.view} {sample.id}".strip():
            raise KeyError("no such ink")
        number = int(sample.id)
        canvas = np.zeros((SIZE, SIZE, 3), np.uint8)
        canvas[(number + (number == self.moved)) % SIZE] = self.ink + number % 3
        return Image.fromarray(canvas)


@dataclass(frozen=True, kw_only=True)
class Shaded(Stripes):
    """The stripes on three grounds."""

    grounds: tuple[int, ...] = (10, 60, 110)
    levels: tuple[str, ...] = ("shade-1", "shade-2", "shade-3")

    def views(self):
        return self.levels

    def folder(self, root, view):
        return None

    def image(self, sample):
        stripes = np.asarray(super().image(sample))
        return Image.fromarray(np.maximum(stripes, self.grounds[self.views().index(sample.view)]).astype(np.uint8))


@dataclass(frozen=True, kw_only=True)
class HalfMade(Shaded):
    """The first view lies in files, the others are made."""

    def root(self):
        return None

    def folder(self, root, view):
        return root / "files" if view == "shade-1" else None

    def samples(self, root):
        return [replace(one, path=root / "files" / one.id) for one in super().samples(root)]

    def image(self, sample):
        return Image.open(sample.path) if sample.path else super().image(sample)


@dataclass(frozen=True, kw_only=True)
class Unseeded(Stripes):
    counter = count()

    def image(self, sample):
        return Image.new("L", (SIZE, SIZE), next(self.counter) % 256)


@dataclass(frozen=True, kw_only=True)
class HashOfText(Stripes):
    def image(self, sample):
        return Image.new("RGB", (SIZE, SIZE), tuple(hash(sample.id) >> shift & 255 for shift in (0, 8, 16)))


@dataclass(frozen=True, kw_only=True)
class Blind(Shaded):
    def image(self, sample):
        return super().image(replace(sample, view="shade-1"))


@dataclass(frozen=True, kw_only=True)
class WithPaths(Shaded):
    def samples(self, root):
        return [replace(sample, path=root / sample.id) for sample in super().samples(root)]


@dataclass(frozen=True, kw_only=True)
class Coloured(Stripes):
    """With an attribute whose texts are stated."""

    attributes: ClassVar[tuple[str, ...]] = ("ink",)
    inks: tuple[str, ...] = ("red", "blue red")
    stated: str = "ink"

    def attribute_values(self):
        return {self.stated: ("red", "blue")}

    def samples(self, root):
        return [replace(one, attributes=(self.inks[int(one.id) % 2],)) for one in super().samples(root)]
