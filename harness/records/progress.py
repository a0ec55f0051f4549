"""Who watches a run: what the engine calls, and a notebook may implement."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Who watches the passes of a run. The methods are called from the thread that runs the networks."""

    def begin(self, title: str, images: int, forwards: int) -> None:
        """A pass starts: so many images to decode, so many stimuli to forward."""

    def advance(self, images: int, forwards: int) -> None:
        """So many more are done."""

    def warn(self, message: str) -> None:
        """A line for the user; may come from another thread."""
