"""How the filtering probes cut a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_ON_DEVICE = 32
"""Samples per call on an accelerator: few enough calls for the launches to be cheap, 19 MB of 224-pixel images."""


def chunks(samples: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
    """Cut samples (B, ...) into (place in the batch, chunk), every chunk of one and the same shape.

    FFT and matrix libraries choose their algorithm, and with it the rounding, by the shape and the memory alignment of
    what they get. Here both are fixed: one sample at a time on the CPU (also the quickest, it stays in the cache), 32
    on other devices, always in memory of their own; the last chunk is filled up with zeros.
    """
    import torch

    size = 1 if samples.device.type == "cpu" else _ON_DEVICE
    for start in range(0, len(samples), size):
        chunk = samples[start : start + size].clone(memory_format=torch.contiguous_format)
        place = slice(start, start + len(chunk))
        if len(chunk) < size:
            chunk = torch.cat((chunk, chunk.new_zeros(size - len(chunk), *chunk.shape[1:])))
        yield place, chunk
