"""Per-sample random numbers that depend on nothing but (seed, sample id, purpose)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def sample_key(seed: int, sample_id: str, purpose: str) -> int:
    """128 bits that name one random stream; equal on every machine."""
    digest = hashlib.sha256(f"{seed}\x1f{sample_id}\x1f{purpose}".encode()).digest()
    return int.from_bytes(digest[:16], "little")


def normal_fields(
    seed: int, sample_ids: Sequence[str], purpose: str, shape: Sequence[int], device: torch.device | str
) -> torch.Tensor:
    """Standard normal fields, (B, *shape) float32 on `device`.

    Drawn with NumPy's counter-based Philox on the CPU for every device: torch's own generators give other streams on
    CUDA than on the CPU, and its CPU generator keeps only 32 bits of the seed.
    """
    import torch

    fields = np.empty((len(sample_ids), *shape), dtype=np.float32)
    for row, sample_id in zip(fields, sample_ids, strict=True):
        generator = np.random.Generator(np.random.Philox(key=sample_key(seed, sample_id, purpose)))
        generator.standard_normal(out=row, dtype=np.float32)
    return torch.from_numpy(fields).to(device, non_blocking=True)
