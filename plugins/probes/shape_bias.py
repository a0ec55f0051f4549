"""Shape bias: does a network decide for the shape or the texture of an image whose cues conflict?

Geirhos et al., "ImageNet-trained CNNs are biased towards texture" (ICLR 2019), as computed by their toolbox
model-vs-human (``plotting/analyses.py``): images whose shape and texture have the same category are left out; shape
bias is the share of shape decisions among decisions for either cue. Added here: shape bias is undefined unless the cues
are hit more often than by guessing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from harness import Batch, DatasetError, Measure, Probe, Trials, hookimpl, proportion, share

from ._chance import SIGNIFICANCE, guessing_p

if TYPE_CHECKING:
    import torch

CONDITION = "clean"
NO_CONFLICT = "no image has a shape and a texture that conflict"


class Decisions(NamedTuple):
    """Numbers of decisions for each cue, over the `conflicts` images whose cues differ."""

    shape: int
    texture: int
    conflicts: int


def count_decisions(chosen: Any, shapes: Any, textures: Any) -> Decisions:
    """Count decisions for the shape and for the texture where the two differ.

    Args:
        chosen, shapes, textures: N categories each, names or numbers: the decision and the two cues of every image.

    Raises:
        ValueError: they are not three sequences of the same length.
    """
    chosen, shapes, textures = np.asarray(chosen), np.asarray(shapes), np.asarray(textures)
    if not chosen.ndim == 1 or not chosen.shape == shapes.shape == textures.shape:
        raise ValueError(
            f"expected three sequences of the same length, got shapes {chosen.shape}, {shapes.shape}, {textures.shape}"
        )
    conflict = shapes != textures
    return Decisions(
        shape=int(((chosen == shapes) & conflict).sum()),
        texture=int(((chosen == textures) & conflict).sum()),
        conflicts=int(conflict.sum()),
    )


@dataclass(frozen=True, kw_only=True)
class ShapeBias(Probe):
    """Shape against texture decisions on cue-conflict images.

    The dataset's target is the shape, its attribute ``texture`` the other cue; both are classes of the label space.
    ``shape-bias`` = shape / (shape + texture) with its Wilson interval; ``shape-decisions``, ``texture-decisions`` and
    ``conflict-trials`` are the counts behind it. Guessing among K classes hits one of the two cues with probability
    2/K: unless shape + texture over all conflicting images exceed that (one-sided binomial test, p < 0.001),
    ``shape-bias`` is undefined, with a reason.

    The ratio hides how much is recognised at all. ``shape-accuracy`` and ``texture-accuracy`` are the shares of all
    decisions on conflicting images that name the shape, and the texture; ``neither-cue`` is the share of the others,
    where no decision at all is one of them. The three add up to 1, and guessing gives 1/K, 1/K and 1 - 2/K.
    """

    name: ClassVar[str] = "shape-bias"
    attributes: ClassVar[tuple[str, ...]] = ("texture",)
    needs_labels: ClassVar[bool] = True

    def conditions(self, size: int) -> tuple[str, ...]:
        """``clean``, at any size."""
        return (CONDITION,)

    def stimuli(self, batch: Batch) -> Iterator[tuple[str, torch.Tensor]]:
        """The unmodified images, not a copy: the conflict is in the dataset."""
        yield CONDITION, batch.images

    def measures(self, trials: Trials) -> Iterable[Measure]:
        """Counts, ``shape-bias`` and shares. Raises DatasetError for a sample of several shapes or unknown texture."""
        shapes, textures = _cues(trials)
        chosen = trials.top5[:, trials.column(CONDITION), 0]
        shape, texture, conflicts = count_decisions(chosen, shapes, textures)
        yield Measure(name="shape-decisions", value=shape, unit="count", n=conflicts)
        yield Measure(name="texture-decisions", value=texture, unit="count", n=conflicts)
        yield Measure(name="conflict-trials", value=conflicts, unit="count", n=len(shapes))
        reason = _no_evidence(shape + texture, conflicts, len(trials.layout.classes))
        if reason:
            yield Measure(name="shape-bias", value=None, n=shape + texture, reason=reason)
        else:
            yield proportion("shape-bias", shape, shape + texture, direction="neither")
        conflict = shapes != textures
        yield from _shares(chosen[conflict], shapes[conflict], textures[conflict], trials.repeats)


def _shares(chosen: np.ndarray, shapes: np.ndarray, textures: np.ndarray, repeats: int) -> Iterator[Measure]:
    """What share of all decisions on conflicting images names the shape, the texture, and neither."""
    shape, texture = chosen == shapes, chosen == textures
    named = {"shape-accuracy": shape, "texture-accuracy": texture, "neither-cue": ~shape & ~texture}
    for name, hits in named.items():
        if len(hits):
            yield replace(share(name, hits, repeats=repeats), direction="neither")
        else:
            yield Measure(name=name, value=None, n=0, reason=NO_CONFLICT)


def _no_evidence(decided: int, conflicts: int, classes: int) -> str:
    """Why `decided` of `conflicts` decisions for one of the two cues may be guesses; empty if they exceed chance."""
    if not conflicts:
        return NO_CONFLICT
    p = guessing_p(decided, conflicts, 2 / classes)
    if p < SIGNIFICANCE:
        return ""
    return (
        f"{decided:,} of {conflicts:,} decisions name shape or texture, chance is 2/{classes} (p = {p:.2g}): "
        "a ratio of guesses is no bias"
    )


def _cues(trials: Trials) -> tuple[np.ndarray, np.ndarray]:
    """Class indices of every sample's shape and texture, (N,) each."""
    layout = trials.layout
    if (layout.targets[:, 1:] >= 0).any():
        raise DatasetError(f"{layout.task}: shape bias needs one target for each sample, the shape; some have several")
    index_of = {name: index for index, name in enumerate(layout.classes)}
    unknown = sorted(set(layout.attributes["texture"]) - index_of.keys())
    if unknown:
        raise DatasetError(
            f"{layout.task}: textures {', '.join(map(repr, unknown))} are none of the classes, "
            f"so no decision could count for them; available: {', '.join(layout.classes)}"
        )
    textures = np.array([index_of[name] for name in layout.attributes["texture"]], dtype=np.int64)
    return layout.targets[:, 0], textures


@hookimpl
def harness_probes() -> list[Probe]:
    """Shape against texture decisions."""
    return [ShapeBias()]
