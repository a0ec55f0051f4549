"""How a stage of the zoo's networks halves the sides of its activations.

``stride``: the convolution computes every second position alone, which aliases.
``blur-pool``: a binomial filter before every second value is taken (Zhang, ICML 2019, "Making Convolutional Networks
Shift-Invariant Again"): it aliases less.
``aps``: of the four grids of every second value, the one with the largest norm (Chaman and Dokmanic, CVPR 2021, "Truly
Shift-Invariant Convolutional Neural Networks"): with circular padding and an average over all positions, logits are the
same for every circular shift of the image, but for rounding.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

Downsampling = Literal["stride", "blur-pool", "aps"]
KINDS: Final[tuple[Downsampling, ...]] = get_args(Downsampling)


def name_of(front: str, downsampling: str) -> str:
    """The name of a network's architecture, as after ``zoo:``."""
    if downsampling == "stride":
        return front
    return downsampling if front == "plain" else f"{front}+{downsampling}"


def parts_of(name: str) -> tuple[str, Downsampling]:
    """The front and the downsampling of a name; the front is not checked."""
    front, plus, last = name.rpartition("+")
    for kind in KINDS[1:]:
        if last == kind:
            return front if plus else "plain", kind
    return name, "stride"
