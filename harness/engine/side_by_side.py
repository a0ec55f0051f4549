"""Small networks on the CPU answer one stimulus side by side, with one thread each.

A layer of a small network is too little work to divide: two threads of one operation wait for each other at each of its
ends, and far longer where another program takes part of a core. Two networks at once wait for nothing. A small network
has one thread always, alone too: the last digits of its logits then depend neither on the number of cores nor on the
other networks of the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from harness.planning.plan import Settings

SMALL: Final = 1_000_000
"""Most parameters of a small network. A larger one divides well, and two at once would need twice the memory."""


def is_small(network: torch.nn.Module) -> bool:
    """Whether a network has at most `SMALL` parameters."""
    return sum(parameter.numel() for parameter in network.parameters()) <= SMALL


class SideBySide:
    """Threads for the small networks of one pass.

    Attributes:
        threads: how many networks answer at once; 1: they answer one after another, with the threads that torch has.
    """

    def __init__(self, device: torch.device, settings: Settings) -> None:
        # Threads of a GPU share its one queue; precisions other than fp32 are set for the process, not for a thread.
        useful = device.type == "cpu" and settings.precision == "fp32"
        self.threads = torch.get_num_threads() if useful else 1
        self._pool: ThreadPoolExecutor | None = None

    def answers(
        self, networks: Mapping[str, torch.nn.Module], stimulus: torch.Tensor
    ) -> dict[str, Future[torch.Tensor]]:
        """Model -> its answer to `stimulus` (B, 3, S, S), or what its network raised; all are there.

        Args:
            networks: small networks that change no global setting.
        """
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, "network")
        answers = {model: self._pool.submit(self._answer, network, stimulus) for model, network in networks.items()}
        wait(answers.values())
        return answers

    def _answer(self, network: torch.nn.Module, stimulus: torch.Tensor) -> torch.Tensor:
        with self.one_thread(), torch.inference_mode():  # both hold for the calling thread alone
            answer: torch.Tensor = network(stimulus)
        return answer

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        """One thread for each operation of the calling thread."""
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            # This is also what a new thread begins with, so it must not stay at 1.
            torch.set_num_threads(before)

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
