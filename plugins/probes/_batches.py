"""Splitting a batch into chunks, for the filtering probes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_ON_DEVICE = 32
"""Samples per call on an accelerator: few enough calls for the launches to be cheap, 19 MB of 224-pixel images."""


def chunks(samples: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
    """Split samples (B, ...) into (place in the batch, chunk), with the same shape for every chunk.

    FFT and matrix libraries choose their algorithm, and with it the rounding, by the shape and memory alignment of
    their input. Both are fixed here: one sample at a time on the CPU (also the fastest, since it stays in the cache),
    32 on other devices, always in newly allocated memory; the last chunk is padded with zeros.
    """
    import torch

    size = 1 if samples.device.type == "cpu" else _ON_DEVICE
    for start in range(0, len(samples), size):
        chunk = samples[start : start + size].clone(memory_format=torch.contiguous_format)
        place = slice(start, start + len(chunk))
        if len(chunk) < size:
            chunk = torch.cat((chunk, chunk.new_zeros(size - len(chunk), *chunk.shape[1:])))
        yield place, chunk
