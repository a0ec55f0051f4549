"""Per-sample random numbers that depend only on (seed, sample id, purpose)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def sample_key(seed: int, sample_id: str, purpose: str) -> int:
    """128 bits that identify one random stream; the same on every machine."""
    digest = hashlib.sha256(f"{seed}\x1f{sample_id}\x1f{purpose}".encode()).digest()
    return int.from_bytes(digest[:16], "little")


def normal_fields(
    seed: int, sample_ids: Sequence[str], purpose: str, shape: Sequence[int], device: torch.device | str
) -> torch.Tensor:
    """Standard normal fields, (B, *shape) float32 on `device`.

    Drawn with NumPy's counter-based Philox on the CPU for every device: torch's own generators give different streams
    on CUDA and on the CPU, and its CPU generator uses only 32 bits of the seed. Every field has its own generator, so
    they are drawn on as many threads as torch uses; NumPy releases the global lock meanwhile.
    """

    def draw(generator: np.random.Generator, out: np.ndarray) -> None:
        generator.standard_normal(out=out, dtype=np.float32)

    return _fields(draw, seed, sample_ids, purpose, shape, device)


def uniform_fields(
    seed: int, sample_ids: Sequence[str], purpose: str, shape: Sequence[int], device: torch.device | str
) -> torch.Tensor:
    """Like `normal_fields`, uniform in [0, 1)."""

    def draw(generator: np.random.Generator, out: np.ndarray) -> None:
        generator.random(out=out, dtype=np.float32)

    return _fields(draw, seed, sample_ids, purpose, shape, device)


def _fields(
    fill: Callable[[np.random.Generator, np.ndarray], None],
    seed: int,
    sample_ids: Sequence[str],
    purpose: str,
    shape: Sequence[int],
    device: torch.device | str,
) -> torch.Tensor:
    import torch

    fields = np.empty((len(sample_ids), *shape), dtype=np.float32)

    def draw(row: int) -> None:
        key = sample_key(seed, sample_ids[row], purpose)
        fill(np.random.Generator(np.random.Philox(key=key)), fields[row])

    workers = min(len(sample_ids), torch.get_num_threads())
    if workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(draw, range(len(sample_ids))))
    else:
        for row in range(len(sample_ids)):
            draw(row)
    return torch.from_numpy(fields).to(device, non_blocking=True)
