"""Small videos, encoded for a test."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np


def write_video(path: Path, frames: Iterable[np.ndarray], codec: str = "mpeg4") -> Path:
    """`frames` (h, w, 3) uint8 as a video of 25 frames a second, in the container of the suffix."""
    import av

    with av.open(str(path), "w") as container:
        stream = None
        for frame in frames:
            if stream is None:
                stream = container.add_stream(codec, rate=Fraction(25))
                stream.height, stream.width = frame.shape[:2]
                stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        if stream is not None:
            container.mux(stream.encode(None))
    return path


def write_sound(path: Path) -> Path:
    """A file with a sound stream and no video."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return path


def grey_frames(values: Iterable[int], size: tuple[int, int] = (48, 64)) -> list[np.ndarray]:
    """One even frame of each grey value."""
    return [np.full((*size, 3), value, np.uint8) for value in values]
