"""Progress of a run: called by the engine, implemented by the command line or a notebook."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the progress of a run. The methods are called from the thread that runs the networks."""

    def begin(self, title: str, images: int, forwards: int) -> None:
        """A pass begins, with these numbers of images to decode and stimuli to forward."""

    def advance(self, images: int, forwards: int) -> None:
        """These numbers of further images and stimuli are done."""

    def warn(self, message: str) -> None:
        """A line for the user; may be called from another thread."""
