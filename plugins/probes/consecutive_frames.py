"""Consecutive frames: does a decision change from one frame of a video to the next?

Azulay & Weiss (JMLR 2019), figure 1, protocol "natural"; ``pm0`` and ``pm10`` are those of Shankar et al., "Do Image
Classifiers Generalize Across Time?" (ICCV 2021), whose code is in modestyachts/imagenet-testbed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from harness import Batch, DatasetError, Measure, Probe, Trials, accuracy_measures, hookimpl, paired_change, proportion

from ._changes import judged

if TYPE_CHECKING:
    import torch

CONDITION: Final = "frame"


@dataclass(frozen=True, kw_only=True)
class ConsecutiveFrames(Probe):
    """Decisions on the frames of videos, as they are.

    A pair is a frame and the next of the same clip, unless a cut lies between them. ``top1-change`` and ``mac`` are
    over all pairs, and those of each clip are named after it. Frames of one scene resemble each other, so intervals are
    by bootstrap over blocks of `block` frames in the same clip.

    Where the dataset has anchors and labels, ``pm0`` is the share of anchors that are right, and ``pm10`` that of
    anchors that are right together with all their neighbours, up to ten frames away; Wilson's intervals over anchors.

    Attributes:
        block: frames that are resampled together; 25 are one second of most videos.
    """

    name: ClassVar[str] = "consecutive-frames"
    attributes: ClassVar[tuple[str, ...]] = ("clip", "frame", "cut")

    block: int = 25

    def __post_init__(self) -> None:
        if self.block < 1:
            raise ValueError(f"block is a number of frames, 1 or more; got {self.block}")

    def conditions(self, size: int) -> tuple[str, ...]:
        """``frame``, at any size."""
        return (CONDITION,)

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """The unmodified frames, not a copy."""
        yield CONDITION, batch.images

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """Changes over all pairs and in each clip; ``pm0`` and ``pm10`` where there are anchors."""
        _refuse_other_frames(trials)
        yield from accuracy_measures(trials, CONDITION, label="")
        clips = np.array(trials.layout.attributes["clip"])
        rows, blocks = _pairs(trials), self._blocks(trials)
        yield from _changes(trials, rows, blocks, "")
        names = sorted(set(clips.tolist()))
        for name in names if len(names) <= _MOST_CLIPS else ():
            yield from _changes(trials, rows[clips[rows[:, 0]] == name], blocks, name)
        if "anchor" in trials.layout.attributes and trials.layout.labelled:
            yield from _neighbourhoods(trials)

    def _blocks(self, trials: Trials) -> np.ndarray:
        """(N,) number of the block of each frame."""
        frames = np.array(trials.layout.attributes["frame"], dtype=np.int64)
        clips = np.unique(np.array(trials.layout.attributes["clip"]), return_inverse=True)[1]
        return np.unique(np.stack([clips, frames // self.block]), axis=1, return_inverse=True)[1].reshape(-1)


def _changes(trials: Trials, rows: np.ndarray, blocks: np.ndarray, label: str) -> Iterator[Measure]:
    measured = paired_change(trials, [(CONDITION, CONDITION)], label, rows=rows, clusters=blocks[rows[:, 0]])
    yield from (measure for measure in judged(measured, trials, [CONDITION]) if measure.name != "top1")


_MOST_CLIPS: Final = 20
"""Most clips of which each has measures of its own; ImageNet-Vid-Robust has more than a thousand."""


def _refuse_other_frames(trials: Trials) -> None:
    """Raises DatasetError for a frame that has no number."""
    for id, frame in zip(trials.layout.sample_ids, trials.layout.attributes["frame"], strict=True):
        if not (frame.isascii() and frame.isdecimal() and len(frame) < 10):
            raise DatasetError(f"{trials.layout.task}: frame of {id} is {frame!r}, expected its number in the clip")


def _pairs(trials: Trials) -> np.ndarray:
    """(P, 2) rows of a frame and the next of its clip, in order, without those at a cut."""
    attributes = trials.layout.attributes
    frames = zip(attributes["clip"], map(int, attributes["frame"]), strict=True)
    row_of = {frame: row for row, frame in enumerate(frames)}
    pairs = [
        (row, row_of[clip, frame + 1])
        for (clip, frame), row in sorted(row_of.items())
        if (clip, frame + 1) in row_of and attributes["cut"][row] != "1"
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _neighbourhoods(trials: Trials) -> Iterator[Measure]:
    """``pm0`` and ``pm10``: anchors alone, and with all frames that name them."""
    ids, anchors = trials.layout.sample_ids, trials.layout.attributes["anchor"]
    right = dict(zip(ids, trials.correct[:, trials.column(CONDITION)].tolist(), strict=True))
    together = {anchor: right[anchor] for anchor in dict.fromkeys(anchors) if anchor in right}
    alone = list(together.values())
    for id, anchor in zip(ids, anchors, strict=True):
        if anchor in together:
            together[anchor] = together[anchor] and right[id]
    yield proportion("pm0", sum(alone), len(alone))
    yield proportion("pm10", sum(together.values()), len(together))


@hookimpl
def harness_probes() -> list[Probe]:
    """Changes between the frames of videos."""
    return [ConsecutiveFrames()]
