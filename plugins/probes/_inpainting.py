"""Filling the surroundings of an embedded picture with its own blurred edges.

The algorithm of Azulay & Weiss (JMLR 2019; ``InpaintingFunction.py`` of AzulEye/CNN-Failures): blur the known pixels
and their mask with a binomial kernel of 12 taps per axis; where the blurred mask is above zero, the quotient becomes a
known pixel; repeat. The kernel has an even length, so that a round reaches 5 pixels up and left, 6 down and right. The
original takes black pixels (R + G + B = 0) for unknown ones, and stops at 200 of them or after 80 rounds: black pixels
of the photograph are painted over. Here the mask is kept beside the picture, until every pixel is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ._batches import chunks

if TYPE_CHECKING:
    import torch

LENGTH: Final = 12
AFTER: Final = LENGTH // 2
BEFORE: Final = LENGTH - 1 - AFTER
"""Pixels that a round adds below and right of the known ones, and above and left."""
Interval = tuple[int, int]
"""Known rows or columns: first, and one after the last."""
Box = tuple[Interval, Interval]
"""Known rows and known columns."""


def inpainted(pictures: torch.Tensor, corners: Sequence[Sequence[int]], side: int) -> torch.Tensor:
    """`pictures` (B, 3, S, S) with every pixel outside the embedded square filled; the square itself is unchanged.

    Args:
        pictures: 0 outside the square. corners: first row and column of the square of each. side: of the square.
    """
    import torch

    size, filled = pictures.shape[-1], torch.empty_like(pictures)
    for place, chunk in chunks(pictures):
        boxes: list[Box] = [((top, top + side), (left, left + side)) for top, left in corners[place]]
        if len(chunk) == 1:
            _fill(chunk[0], boxes[0])
        else:
            boxes += [((0, size), (0, size))] * (len(chunk) - len(boxes))
            _fill_together(chunk, boxes)
        filled[place] = chunk[: place.stop - place.start]
    return filled.clamp_(0, 1)


def _grown(known: Interval, size: int) -> Interval:
    """The rows or columns that are known after a round."""
    return max(0, known[0] - BEFORE), min(size, known[1] + AFTER)


def _fill(picture: torch.Tensor, box: Box) -> None:
    """One picture (3, S, S), in place; only what a round adds is computed, from what it sees of the known pixels."""
    size = picture.shape[-1]
    taps = blur(size, picture.device)
    while box != ((0, size), (0, size)):
        rows, columns = box
        box = grown_rows, grown_columns = _grown(rows, size), _grown(columns, size)
        added = [((low, high), grown_columns) for low, high in _added(rows, grown_rows)]
        added += [(rows, (low, high)) for low, high in _added(columns, grown_columns)]
        quotients = [_quotient(picture, taps, target, (rows, columns)) for target in added]
        for (down, across), quotient in zip(added, quotients, strict=True):
            picture[:, slice(*down), slice(*across)] = quotient


def _added(known: Interval, grown: Interval) -> list[Interval]:
    """The rows or columns that a round adds before and after the known ones."""
    both = ((grown[0], known[0]), (known[1], grown[1]))
    return [(low, high) for low, high in both if low < high]


def _quotient(picture: torch.Tensor, taps: torch.Tensor, target: Box, known: Box) -> torch.Tensor:
    """Blurred picture / blurred mask in the box `target`, from the known pixels near it."""
    (down, rows), (across, columns) = (_weights(taps, wanted, seen) for wanted, seen in zip(target, known, strict=True))
    blurred = down @ (picture[:, rows, columns] @ across.T)
    return blurred / (down.sum(dim=1)[:, None] * across.sum(dim=1))


def _weights(taps: torch.Tensor, wanted: Interval, known: Interval) -> tuple[torch.Tensor, slice]:
    """The taps between the `wanted` rows or columns and the known ones that they see, and where these are."""
    seen = slice(max(known[0], wanted[0] - AFTER), min(known[1], wanted[1] + BEFORE))
    return taps[slice(*wanted), seen], seen


def _fill_together(pictures: torch.Tensor, boxes: list[Box]) -> None:
    """Several pictures (n, 3, S, S), in place; a picture that is known no longer changes.

    Each round blurs them as a whole: shapes, and with them the rounding, must not depend on the neighbours.
    """
    import torch

    size, taps = pictures.shape[-1], blur(pictures.shape[-1], pictures.device)
    whole: Box = ((0, size), (0, size))
    while any(box != whole for box in boxes):
        rows, columns = (_known(intervals, taps) for intervals in zip(*boxes, strict=True))
        blurred = taps @ pictures @ taps.T
        mask = (rows @ taps.T)[:, None, :, None] * (columns @ taps.T)[:, None, None, :]
        fill = torch.where(mask > 0, blurred / mask, 0)
        known = rows[:, None, :, None] * columns[:, None, None, :]
        pictures.copy_(torch.where(known > 0, pictures, fill))
        boxes = [(_grown(box[0], size), _grown(box[1], size)) for box in boxes]


def _known(intervals: Sequence[Interval], taps: torch.Tensor) -> torch.Tensor:
    """1 in each interval, 0 outside, (n, S) float32."""
    import torch

    places = torch.arange(len(taps), device=taps.device)
    low, high = torch.tensor(intervals, device=taps.device)[:, :, None].unbind(dim=1)
    return ((places >= low) & (places < high)).float()


@lru_cache(maxsize=16)
def blur(size: int, device: torch.device) -> torch.Tensor:
    """The binomial kernel as a banded matrix, (size, size) float32, exact; beyond an edge there is nothing."""
    import torch

    matrix = torch.zeros(size, size)
    for tap in range(LENGTH):
        offset = AFTER - tap  # of a column to its row: from 6 above to 5 below
        weight = math.comb(LENGTH - 1, tap) / 2 ** (LENGTH - 1)
        matrix += torch.diag(torch.full((max(0, size - abs(offset)),), weight), -offset)[:size, :size]
    return matrix.to(device)
