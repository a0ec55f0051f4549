"""All ten benchmarks of the study at toy size, each in its official layout: what the suite `paper` runs on in tests.

Three classes that are in ImageNet-A, in ImageNet-R and in three different of Geirhos' 16 categories; every class has a
coarse pattern of its own, so that a network can tell them apart and a mixed-up label shows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from harness import LabelSpace

SIZE = 32
"""Pixels: the least in which critical-band has the four bands that its fit needs."""
EACH = 2
CORRUPTIONS = (
    *("gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    *("snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    *("speckle_noise", "gaussian_blur", "spatter", "saturate"),
)
BAR = {
    "blue_noise_sample": (0.8, 1.6, 2.4, 4, 5.6),
    "brownish_noise": (1, 2, 3, 4, 5),
    "caustic_refraction": (2.35, 3.2, 4.9, 6.6, 9.15),
    "checkerboard_cutout": (2, 3, 4, 5, 6),
    "cocentric_sine_waves": (3, 5, 8, 9, 10),
    "inverse_sparkles": (1, 2, 4, 9, 10),
    "perlin_noise": (4.6, 5.2, 5.8, 7.6, 8.8),
    "plasma_noise": (4.75, 7, 8.5, 9.25, 10),
    "single_frequency_greyscale": (1, 1.5, 2, 4.5, 5),
    "sparkles": (1, 2, 3, 5, 6),
}
"""Severities of the generator of ImageNet-C-bar, in their order."""


@dataclass(frozen=True)
class ToyClass:
    """One class: its logit column, its folder in most sets, its entry-level category."""

    index: int
    wnid: str
    category: str


def _timm_lines(name: str) -> list[str]:
    found = find_spec("timm")
    return Path(found.submodule_search_locations[0], "data", "_info", name).read_text().split()


@cache
def toy_classes(space: LabelSpace) -> tuple[ToyClass, ...]:
    """The three classes. `space`: the 16 categories with their members."""
    synsets = _timm_lines("imagenet_synsets.txt")
    both = set(map(int, _timm_lines("imagenet_a_indices.txt"))) & set(map(int, _timm_lines("imagenet_r_indices.txt")))
    chosen = []
    for category, members in zip(space.classes, space.members, strict=True):
        shared = sorted(both & set(members))
        if shared:
            chosen.append(ToyClass(shared[0], synsets[shared[0]], category))
    return tuple(chosen[:3])


def pattern(index: int, draw: object = 0, noise: float = 25.0, size: tuple[int, int] = (SIZE, SIZE)) -> Image.Image:
    """An image of class `index`: its coarse pattern with noise that depends on `draw`."""
    coarse = np.random.default_rng(index).integers(40, 216, (4, 4, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), dtype=float)
    rng = np.random.default_rng([index, *str(draw).encode()])
    noisy = smooth + noise * rng.standard_normal(smooth.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def _save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=95) if path.suffix.lower() != ".png" else image.save(path)


def spoiled(index: int, other: int, draw: object, share: float, size: tuple[int, int] = (SIZE, SIZE)) -> Image.Image:
    """An image of class `index` with `share` of another class in it: from one half on, networks take it for that."""
    return Image.blend(pattern(index, draw, size=size), pattern(other, draw, size=size), share)


def validation_numbers(index: int) -> list[int]:
    """Numbers of validation images whose only ReaL label is class `index`: their names are then consistent with it."""
    return [number for number, accepted in enumerate(real_labels(), 1) if accepted == [index]][:EACH]


@cache
def real_labels() -> list[list[int]]:
    """The ReaL labels of the 50,000 validation images, by number - 1."""
    return json.loads(" ".join(_timm_lines("imagenet_real_labels.json")))


def write_all(root: Path, classes: tuple[ToyClass, ...]) -> None:
    """Every tree below `root`, at the places where the dataset plugins look by default."""
    wide = (100, 80)  # these are resized and cropped
    for position, one in enumerate(classes):
        other = classes[position - 1].index
        for number in validation_numbers(one.index):
            name = f"ILSVRC2012_val_{number:08d}.JPEG"
            _save(pattern(one.index, number, size=wide), root / "imagenet/val" / one.wnid / name)
            for place, corruption in enumerate(CORRUPTIONS):
                for severity in range(1, 6):
                    image = spoiled(one.index, other, f"{number} {corruption}", 0.1 * severity + 0.01 * place)
                    _save(image, root / "imagenet-c" / corruption / str(severity) / one.wnid / name)
            for place, (corruption, levels) in enumerate(BAR.items()):
                for severity, level in enumerate(levels, 1):
                    image = spoiled(one.index, other, f"{number} {corruption}", 0.12 * severity + 0.01 * place)
                    _save(image, root / "imagenet-c-bar" / corruption / f"{level:.2f}" / one.wnid / name)
        for draw in range(EACH):
            v2 = root / "imagenetv2-matched-frequency-format-val" / str(one.index) / f"{draw:040x}.jpeg"
            _save(pattern(one.index, f"v2 {draw}", size=wide), v2)
            shares = (("imagenet-a", "jpg", 0.8), ("imagenet-r", "jpg", 0.6), ("sketch", "JPEG", 0.45))
            for folder, ending, share in shares:
                image = spoiled(one.index, other, f"{folder} {draw}", share - 0.2 * draw, size=wide)
                _save(image, root / folder / one.wnid / f"{folder}_{draw}.{ending}")
            trial = f"{draw + 1:04d}_stylized_dnn_0_{one.category}_00_{one.wnid}-{draw}.png"
            image = spoiled(one.index, other, f"stylized {draw}", 0.2 + 0.5 * draw)
            _save(image, root / "stylized/dnn/session-1" / trial)
    for readme in ("imagenet-a", "imagenet-r"):
        (root / readme / "README.txt").write_text("as published\n")
    for shape in classes:
        for texture in classes:
            mixed = Image.blend(pattern(shape.index, "cue"), pattern(texture.index, "cue"), 0.45)
            _save(mixed, root / "cue-conflict" / shape.category / f"{shape.category}1-{texture.category}2.png")
