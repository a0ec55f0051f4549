"""The stimuli of the model-vs-human toolbox: conditions, file names, and what its OOD benchmark leaves out.

Geirhos, Narayanappa, Mitzkus, Thieringer, Bethge, Wichmann, Brendel: "Partial success in closing the gap between human
and machine vision" (NeurIPS 2021). File names are ``NNNN_<experiment>_<observer>_<condition>_<category>_<number>_<image
id>.png``; the image id may contain underscores and hyphens. The file names of one image differ between people and
networks in trial number and observer, so a sample's id has only what they share: condition, category, image id.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from harness import Download, Release

ATTRIBUTES = ("variant", "kept")
"""Condition of a stimulus (in a store, ``condition`` is the probe's), and whether the OOD benchmark counts it."""
_PAGE = "https://github.com/bethgelab/model-vs-human"
_CC_BY = "CC BY 4.0"
_IMAGENET = "made from ImageNet: its terms of access (non-commercial research and education)"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")
_FILE = re.compile(r"\d+_[^_]+_(?P<observer>[^_]+)_(?P<condition>[^_]+)_(?P<category>[a-z]+)_[^_]+_(?P<image>.+)\.png")
_REACHES = (1, 2, 4, 8, 16, 32, 64, 128)


class Experiment(NamedTuple):
    """One set of stimuli.

    Attributes:
        images: number of images in the complete set.
        conditions: in the order of the toolbox; empty: folders by category, no conditions.
        excluded: conditions that the OOD benchmark leaves out: controls, and those too hard for people.
        license: licence of the images.
    """

    images: int
    conditions: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    license: str = _IMAGENET


def _eidolon(coherence: int, *excluded: int) -> Experiment:
    def names(reaches: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(f"{reach}-{coherence}-10" for reach in reaches)

    return Experiment(1280, names(_REACHES), names(excluded))


EXPERIMENTS = {
    "colour": Experiment(1280, ("cr", "bw"), ("cr",)),
    "contrast": Experiment(1280, ("c100", "c50", "c30", "c15", "c10", "c05", "c03", "c01"), ("c100", "c03", "c01")),
    "edge": Experiment(160, license=_CC_BY),
    "eidolonI": _eidolon(10, 1, 64, 128),
    "eidolonII": _eidolon(3, 1, 32, 64, 128),
    "eidolonIII": _eidolon(0, 1, 16, 32, 64, 128),
    "false-colour": Experiment(1120, ("true", "false"), ("true",)),
    "high-pass": Experiment(
        1280, ("inf", "3", "1.5", "1", "0.7", "0.55", "0.45", "0.4"), ("inf", "0.55", "0.45", "0.4")
    ),
    "low-pass": Experiment(1280, ("0", "1", "3", "5", "7", "10", "15", "40"), ("0", "15", "40")),
    "phase-scrambling": Experiment(1120, ("0", "30", "60", "90", "120", "150", "180"), ("0", "150", "180")),
    "power-equalisation": Experiment(1120, ("0", "pow"), ("0",)),
    "rotation": Experiment(1280, ("0", "90", "180", "270"), ("0",)),
    "silhouette": Experiment(160, license=_CC_BY),
    "sketch": Experiment(800, ("0",), license="MIT"),
    "stylized": Experiment(800, ("0",)),
    "uniform-noise": Experiment(1280, ("0", "0.03", "0.05", "0.1", "0.2", "0.35", "0.6", "0.9"), ("0", "0.6", "0.9")),
}
"""The toolbox's name -> its facts; conditions as `condition_name` writes them. Cue-conflict is a dataset of its own."""


class Stimulus(NamedTuple):
    """The parts of a file name; `condition` as `condition_name` writes it, `image` without ``.png``."""

    observer: str
    condition: str
    category: str
    image: str


def condition_name(text: str) -> str:
    """The canonical spelling of a condition; file names and decision files spell it differently.

    Surrounding whitespace is removed, letters become lower case (``True`` -> ``true``), decimal numbers are normalized
    (``3.0`` -> ``3``, ``0.90`` -> ``0.9``, ``.5`` -> ``0.5``); the rest is unchanged (``c05``, ``128-10-10``, ``inf``).
    """
    text = text.strip().lower()
    if not _NUMBER.fullmatch(text):
        return text
    number = Decimal(text)
    return f"{number.normalize():f}" if number else "0"


def sample_id(condition: str, category: str, image: str) -> str:
    """``<condition>/<category>/<image>.png``; ``<category>/<image>.png`` for an empty condition (edge, silhouette).

    Args:
        image: the image id, with or without ``.png``.
    """
    named = f"{category}/{image.removesuffix('.png')}.png"
    return f"{condition_name(condition)}/{named}" if condition else named


def stimulus(file_name: str) -> Stimulus | None:
    """The parts of a file name in the layout with sessions; None if it does not match."""
    match = _FILE.fullmatch(file_name)
    if match is None:
        return None
    return Stimulus(match["observer"], condition_name(match["condition"]), match["category"], match["image"])


def kept(experiment: str, condition: str) -> str:
    """``yes`` if the OOD benchmark counts this condition, else ``no``."""
    return "no" if condition_name(condition) in EXPERIMENTS[experiment].excluded else "yes"


def dataset_name(experiment: str) -> str:
    """The name, in this harness, of the dataset of a toolbox experiment."""
    return experiment if experiment in ("stylized", "cue-conflict") else f"geirhos-{experiment.lower()}"


def toolbox_release(experiment: str, images: int, licence: str, into: str = "") -> Release:
    """The archive of one experiment, which unpacks to a folder of that name; no sizes or digests are published."""
    archive = Download(uri=f"{_PAGE}/releases/download/v0.1/{experiment}.tar.gz", into=into)
    return Release(images=images, license=licence, page=_PAGE, downloads=(archive,))
