"""Datasets `stylized` and `geirhos-…`: the out-of-distribution stimuli of the model-vs-human toolbox.

Geirhos et al. (NeurIPS 2021), see `_model_vs_human`; cue-conflict is a dataset of its own. 16 entry-level categories,
224 x 224, used as stored. The study's "Stylized ImageNet" is `stylized`, 800 images, not the full Stylized-ImageNet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from harness import Dataset, DatasetError, LabelSpace, Preprocessing, Release, Sample, hookimpl

from ._entry_level import CATEGORIES, category_folders, entry_level_16
from ._model_vs_human import ATTRIBUTES, EXPERIMENTS, dataset_name, kept, sample_id, stimulus, toolbox_release
from ._trees import image_names, nearby

_FOLDER = "model-vs-human"
"""Parent of all sets but `stylized`: the toolbox's `sketch` must not collide with the folder of ImageNet-Sketch."""


@dataclass(frozen=True, kw_only=True)
class _ToolboxSet(Dataset):
    """The common part of all sets of the toolbox: 16 categories, images as stored, one archive each.

    Attributes:
        experiment: the toolbox's name for the set.
    """

    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(resize=None, size=224))
    experiment: str
    has_conditions: ClassVar[bool]

    def __post_init__(self) -> None:
        """Raise ValueError if the experiment is unknown or has the other layout (with or without conditions)."""
        _check_experiment(self.experiment, conditions=self.has_conditions)

    def label_space(self) -> LabelSpace:
        """The 16 entry-level categories."""
        return entry_level_16()

    def release(self) -> Release:
        """The toolbox's archive."""
        return _release(self.experiment)


@dataclass(frozen=True, kw_only=True)
class Parametric(_ToolboxSet):
    """``dnn/session-1/NNNN_<experiment>_dnn_<condition>_<category>_<number>_<image id>.png``.

    Sample ids are ``<condition>/<category>/<image id>.png``. The attribute ``variant`` is the condition, ``kept`` is
    ``no`` for conditions that the OOD benchmark leaves out.
    """

    experiment: str = "stylized"
    has_conditions: ClassVar[bool] = True
    attributes: ClassVar[tuple[str, ...]] = ATTRIBUTES

    def attribute_values(self) -> dict[str, tuple[str, ...]]:
        """The conditions of the set."""
        return {"variant": EXPERIMENTS[self.experiment].conditions}

    def samples(self, root: Path) -> Iterator[Sample]:
        """All stimuli of the set below `root`, which is the set's folder or a session folder.

        Raises:
            DatasetError: there is no session, or a file name, its category or its condition does not belong to the set.
        """
        for session in _sessions(root, self.name):
            for name in image_names(session, self.name, (".png",)):
                yield self._sample(session / name)

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """A remark unless all stimuli are present, in all conditions."""
        conditions = {sample.attributes[0] for sample in samples}
        expected = EXPERIMENTS[self.experiment]
        return _completeness(samples, expected.images, f", {len(conditions)} of {len(expected.conditions)} conditions")

    def _sample(self, path: Path) -> Sample:
        parts = stimulus(path.name)
        if parts is None or parts.category not in CATEGORIES:
            raise DatasetError(
                f"dataset {self.name!r}: {path} is not named NNNN_EXPERIMENT_dnn_CONDITION_CATEGORY_NN_IMAGE.png with "
                f"one of the 16 categories {', '.join(CATEGORIES)}"
            )
        conditions = EXPERIMENTS[self.experiment].conditions
        if parts.condition not in conditions:
            raise DatasetError(
                f"dataset {self.name!r}: {path} has the condition {parts.condition!r}, none of those of "
                f"{self.experiment}: {', '.join(conditions)}",
                remedy=f"--data {self.name}=DIR with the right set",
            )
        return Sample(
            id=sample_id(parts.condition, parts.category, parts.image),
            targets=(CATEGORIES.index(parts.category),),
            path=path,
            attributes=(parts.condition, kept(self.experiment, parts.condition)),
        )


@dataclass(frozen=True, kw_only=True)
class Outlines(_ToolboxSet):
    """``<category>/<category>N.png``: edges or silhouettes. Sample ids are these paths."""

    experiment: str = "edge"
    has_conditions: ClassVar[bool] = False

    def samples(self, root: Path) -> Iterator[Sample]:
        """All stimuli below `root`.

        Raises:
            DatasetError: a folder is not a category, or a file is not named after its folder.
        """
        for folder in category_folders(root, self.name):
            for name in image_names(folder, self.name, (".png",)):
                if not name.removeprefix(folder.name).removesuffix(".png").isdecimal():
                    raise DatasetError(
                        f"dataset {self.name!r}: {folder / name} is not named {folder.name}N.png after its folder"
                    )
                yield Sample(
                    id=sample_id("", folder.name, name), targets=(CATEGORIES.index(folder.name),), path=folder / name
                )

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """A remark unless all stimuli are present."""
        return _completeness(samples, EXPERIMENTS[self.experiment].images, "")


def _check_experiment(name: str, conditions: bool) -> None:
    names = [experiment for experiment, facts in EXPERIMENTS.items() if bool(facts.conditions) == conditions]
    if name not in names:
        raise ValueError(f"experiment {name!r} is none of {', '.join(names)}")


def _completeness(samples: Sequence[Sample], images: int, conditions: str) -> Iterator[str]:
    if len(samples) != images:
        classes = len({sample.targets for sample in samples})
        partial = " (partial)" if len(samples) < images else ": are files there twice?"
        yield f"{len(samples):,} of {images:,} stimuli, {classes} of {len(CATEGORIES)} categories{conditions}{partial}"


def _sessions(root: Path, dataset: str) -> list[Path]:
    """The session folders of a set; `root` itself if it is a session folder."""
    folders = [folder for parent in (root / "dnn", root) for folder in _session_folders(parent)]
    if folders:
        return folders
    if root.is_dir() and any(root.glob("*.png")):
        return [root]
    near = nearby(root, lambda path: bool(_session_folders(path / "dnn")))
    hint = str(near[0]) if len(near) == 1 else "DIR with the folder that holds it"
    raise DatasetError(
        f"dataset {dataset!r}: {root} has no session, expected its stimuli in dnn/session-1",
        remedy=f"--data {dataset}={hint}",
    )


def _session_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("session-*") if path.is_dir())


def _release(experiment: str) -> Release:
    facts = EXPERIMENTS[experiment]
    return toolbox_release(experiment, facts.images, facts.license, "" if experiment == "stylized" else _FOLDER)


@hookimpl
def harness_datasets() -> list[Dataset]:
    """All sets of the toolbox but cue-conflict."""
    return [
        (Parametric if facts.conditions else Outlines)(
            name=dataset_name(experiment),
            path=experiment if experiment == "stylized" else f"{_FOLDER}/{experiment}",
            experiment=experiment,
        )
        for experiment, facts in EXPERIMENTS.items()
    ]
