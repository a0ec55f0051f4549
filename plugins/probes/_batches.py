"""How the filtering probes cut a batch, and where they put what they make of it."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

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


class Outputs:
    """Tensors for the stimuli of one batch; on the CPU their memory is used again once nobody holds the tensor.

    The C library gives a block of more than 32 MB (64 images of 224 pixels) back to the system each time it is freed,
    and mapping it anew costs as much as filtering the images. CUDA's allocator keeps such blocks by itself.
    """

    def __init__(self, images: torch.Tensor) -> None:
        self._images = images
        self._free: list[np.ndarray] = []

    def new(self) -> torch.Tensor:
        """An uninitialised tensor of the images' shape, float32 on their device."""
        import torch

        if self._images.device.type != "cpu":
            return torch.empty_like(self._images, memory_format=torch.contiguous_format)
        memory = self._free.pop() if self._free else np.empty(tuple(self._images.shape), dtype=np.float32)
        # The tensor, and every view of it, keeps `lease` alive; the last of them to go puts the memory back.
        lease = memory.view()
        weakref.finalize(lease, self._free.append, memory).atexit = False
        return torch.from_numpy(lease)
