"""The contract of stimuli, checked on every batch while a probe makes them; and the text of every failure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from harness.errors import CellError, described

if TYPE_CHECKING:
    from harness.engine.arrays import Shown
    from harness.interfaces import Probe
    from harness.planning.plan import PlannedTask
    from harness.records import Batch

T = TypeVar("T")
Place = tuple[str, str]
"""(task, model) of a cell."""


def check_stimulus(task: PlannedTask, number: int, shown: Shown, batch: Batch) -> None:
    """Raises CellError if a stimulus has another name, place, shape, dtype or device than the probe announced.

    Args:
        number: 1 for the first stimulus of a batch.
    """
    images, shape = batch.images, (len(batch.sample_ids), 3, batch.size, batch.size)
    name, condition, stimulus = task.probe.name, shown.condition, shown.stimulus
    if number > len(task.stimuli) or condition != task.stimuli[number - 1]:
        raise CellError(f"probe {name} gave condition {condition!r} as number {number}, not in the order it announced")
    if stimulus.shape != shape or stimulus.dtype != torch.float32:
        raise CellError(
            f"probe {name} gave {stimulus.dtype} {tuple(stimulus.shape)} under {condition}, "
            f"expected torch.float32 {shape}"
        )
    if stimulus.device != images.device or stimulus.layout != torch.strided:
        raise CellError(
            f"probe {name} gave a stimulus on {stimulus.device} with layout {stimulus.layout} under {condition}, "
            f"expected {images.device} and torch.strided"
        )


def check_complete(task: PlannedTask, count: int) -> None:
    """Raises CellError unless the `count` stimuli of a batch are all that the probe announced."""
    if count != len(task.stimuli):
        raise CellError(f"probe {task.probe.name} gave {count} of {len(task.stimuli)} conditions")


class Evidence:
    """What is true of every stimulus of a span, reduced on the device and read once, before the span is stored.

    Reading waits for the device, so it is done once a span and not once a stimulus.
    """

    def __init__(self) -> None:
        self._ranges: list[tuple[Sequence[Place], str, Sequence[torch.Tensor]]] = []
        self._promises: list[tuple[Place, str, Sequence[torch.Tensor]]] = []

    def range_of(self, cells: Sequence[Place], subject: str, stimulus: torch.Tensor) -> None:
        """Note the range of `stimulus`, which must be [0, 1].

        Args:
            cells: the cells that it is shown to. subject: its reason (`range_subject`), which the values complete.
        """
        self._ranges.append((cells, subject, torch.aminmax(stimulus)))

    def promise(self, cell: Place, kept: torch.Tensor, reason: str) -> None:
        """Note whether a promise was kept, a () bool tensor; `reason` says what it means if not."""
        self._promises.append((cell, reason, (kept,)))

    def faults(self) -> dict[Place, str]:
        """Cell -> why its span must not be stored; forgets what was noted."""
        faults: dict[Place, str] = {}
        for cells, subject, (low, high) in _on_host(self._ranges):
            if not (low >= 0.0 and high <= 1.0):
                for cell in cells:
                    faults.setdefault(cell, f"{subject}: {low:.4g} to {high:.4g}")
        for cell, reason, (kept,) in _on_host(self._promises):
            if not kept:
                faults.setdefault(cell, reason)
        self._ranges, self._promises = [], []
        return faults


def _on_host(rows: Sequence[tuple[Any, str, Sequence[torch.Tensor]]]) -> Iterator[tuple[Any, str, list[Any]]]:
    """The rows with the values of their () tensors, which are read in one transfer."""
    if rows:
        values = iter(torch.stack([tensor for _, _, tensors in rows for tensor in tensors]).tolist())
        yield from ((subject, text, [next(values) for _ in tensors]) for subject, text, tensors in rows)


class Fingerprint:
    """Notices that an image tensor was changed in place: one weighted sum of each row of pixels.

    Columns have different weights, so exchanged columns, rows, channels or images change it, as other values do.

    Args:
        images: (B, 3, S, S) float32.
    """

    def __init__(self, images: torch.Tensor) -> None:
        self._images = images.detach()  # a tensor of its own: its shape stays, whatever is done to `images`
        self._sums = self._rows()

    def unchanged(self) -> torch.Tensor:
        """() bool, on the device: whether the images are what they were."""
        return (self._rows().view(torch.int32) == self._sums.view(torch.int32)).all()  # bits: NaN equals NaN

    def _rows(self) -> torch.Tensor:
        side, device = self._images.shape[-1], self._images.device
        # Autocast is on within an attack; entering its context takes longer than the sums.
        rounds = torch.is_autocast_enabled(device.type)
        with torch.autocast(device.type, enabled=False) if rounds else nullcontext():
            return torch.mv(self._images.reshape(-1, side), _weights(side, device))


@lru_cache(16)
def _weights(side: int, device: torch.device) -> torch.Tensor:
    """(side,) float32 in (0, 1]: a different weight for each column of an image."""
    with torch.inference_mode(False):
        return torch.arange(1, side + 1, device=device, dtype=torch.float32) / side


def logits_fault(logits: object, shape: tuple[int, int], device: torch.device) -> str:
    """Why a network's answer is not logits (B, outputs); empty if it is.

    Args:
        shape: (B, outputs). device: that of the images.
    """
    if not isinstance(logits, torch.Tensor):
        return f"logits {type(logits).__name__}, expected {shape}"
    if logits.shape != shape:
        return f"logits {tuple(logits.shape)}, expected {shape}"
    if not logits.is_floating_point() or logits.device != device:
        return f"logits of {logits.dtype} on {logits.device}, expected floating-point numbers on {device}"
    return ""


@contextmanager
def closed(stimuli: Iterable[T]) -> Iterator[Iterator[T]]:
    """Ends a probe's generator at once, also after an error, so that what it holds open is closed before others run."""
    iterator = iter(stimuli)
    try:
        yield iterator
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()


def range_subject(probe: Probe, condition: str, batch: Batch) -> str:
    """The reason of a stimulus out of range, up to its values."""
    return f"probe {probe.name} left [0, 1] under {condition}, in the batch from {batch.sample_ids[0]} on"


def reason_of(error: BaseException) -> str:
    """The exception in one line, with a remedy if the device ran out of memory."""
    hint = "; choose a smaller --batch-size" if isinstance(error, torch.OutOfMemoryError) else ""
    return described(error, hint)
