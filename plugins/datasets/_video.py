"""Frames of a video file, decoded with the package `av` (FFmpeg).

A container is opened by the demuxer of its suffix: FFmpeg would otherwise guess from the content, and some formats
(HLS, concat) are lists of further files and addresses. Frames are numbered from 0, in the order of presentation.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness import DatasetError

if TYPE_CHECKING:
    import av
    import numpy as np
    from PIL import Image

DEMUXERS: Final = {
    ".avi": "avi", ".m4v": "mov", ".mkv": "matroska", ".mov": "mov", ".mp4": "mov", ".mpeg": "mpeg", ".mpg": "mpeg",
    ".webm": "matroska",
}  # fmt: skip
"""Suffix of a video file -> FFmpeg's demuxer."""
PIP: Final = "pip install 'bias-harness[video]'"
MOST_PIXELS: Final = 2**26
"""Most pixels of a frame, 8,192 x 8,192."""
MOST_FRAMES: Final = 1_000_000
"""Most frames of a video, eleven hours."""
CUT: Final = 20.0
"""Mean absolute difference of RGB values, 0 to 255, of two frames of 160 x 90 pixels with a cut between them."""
_KEPT_FRAMES, _KEPT_FILES = 32, 2


@dataclass(frozen=True, slots=True)
class Film:
    """What is known of a video after all its frames were decoded once.

    Attributes:
        frames: number of frames.
        cuts: numbers of the frames that are the last before a cut.
    """

    frames: int
    cuts: frozenset[int]


def film(path: Path) -> Film:
    """Count the frames of a video and find its cuts; a file that did not change is not decoded again.

    Raises:
        DatasetError: `av` is not installed, or the file is no video, has no frames, is truncated or damaged.
    """
    if not path.is_file():
        raise DatasetError(f"video {path} is no regular file, but a broken link, FIFO or device. Remove it")
    state = path.stat()
    return _film(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _film(path: Path, size: int, modified: int) -> Film:
    cuts = _Cuts()
    with _opened(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stated = stream.frames
        for frame in _frames(container, path):
            cuts.add(_image(frame))
            if cuts.frames > MOST_FRAMES:
                raise DatasetError(f"video {path} has more than {MOST_FRAMES:,} frames; cut it into clips")
    if not cuts.frames:
        raise DatasetError(f"video {path} has no frames. Remove it, or replace it by a whole copy")
    if cuts.frames < stated:
        raise DatasetError(
            f"video {path} ends after {cuts.frames:,} of {stated:,} frames: it is truncated. Copy it again"
        )
    return Film(cuts.frames, frozenset(cuts.found))


def cuts_of(frames: Iterable[Path]) -> set[int]:
    """Places of the frames, of a video in image files, that are the last before a cut.

    A frame that is no image counts as black: it is named when it is decoded for a network.
    """
    from PIL import Image, UnidentifiedImageError

    cuts = _Cuts()
    for path in frames:
        try:
            with Image.open(path) as image:
                cuts.add(image.convert("RGB"))
        except (OSError, UnidentifiedImageError, SyntaxError, ValueError):
            cuts.add(Image.new("RGB", (1, 1)))
    return cuts.found


class _Cuts:
    """Finds cuts between frames that are added in their order."""

    def __init__(self) -> None:
        self.frames, self.found = 0, set[int]()
        self._before: np.ndarray | None = None

    def add(self, image: Image.Image) -> None:
        """The next frame, RGB of any size."""
        import numpy as np

        small = np.asarray(image.resize((160, 90)), dtype=np.int16)
        if self._before is not None and np.abs(small - self._before).mean() > CUT:
            self.found.add(self.frames - 1)
        self._before, self.frames = small, self.frames + 1


@contextmanager
def _opened(path: Path) -> Iterator[av.container.InputContainer]:
    """The container, with a video stream of a sensible size. Raises DatasetError."""
    try:
        import av
    except ImportError:
        raise DatasetError(f"video {path} is decoded with the package av, which is not installed", remedy=PIP) from None
    with ExitStack() as opened:
        try:
            file = opened.enter_context(path.open("rb"))
            container = opened.enter_context(av.open(file, "r", format=DEMUXERS[path.suffix.lower()]))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise _damaged(path, error) from error
        if not container.streams.video:
            raise DatasetError(f"{path} has no video stream, only {_kinds(container)}. Remove it")
        shape = container.streams.video[0].codec_context
        if not 0 < shape.width * shape.height <= MOST_PIXELS:
            raise DatasetError(
                f"video {path} has frames of {shape.width} x {shape.height} pixels, expected 1 to {MOST_PIXELS:,}"
            )
        yield container


def _kinds(container: av.container.InputContainer) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"


def _frames(container: av.container.InputContainer, path: Path) -> Iterator[av.VideoFrame]:
    """All frames in the order in which they are shown. Raises DatasetError."""
    import av

    try:
        yield from container.decode(container.streams.video[0])
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DatasetError:
    reason = getattr(error, "strerror", None) or str(error)
    return DatasetError(
        f"video {path} cannot be decoded ({reason}): it is truncated, damaged or no video. Copy it again"
    )


class _Reader:
    """Decodes a video forwards and keeps the last frames, because batches ask for them nearly in order."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._frames: Iterator[av.VideoFrame] | None = None
        self._kept: OrderedDict[int, av.VideoFrame] = OrderedDict()
        self._next = 0

    def frame(self, number: int) -> av.VideoFrame:
        """Frame `number`. Raises DatasetError."""
        with self._lock:
            if number not in self._kept and number < self._next:
                self._frames = None
            if self._frames is None:
                self._frames, self._next = self._all(), 0
                self._kept.clear()
            while number not in self._kept:
                try:
                    self._kept[self._next] = next(self._frames)
                except StopIteration:
                    raise DatasetError(f"video {self._path} has no frame {number}: it has changed") from None
                self._next += 1
                if len(self._kept) > _KEPT_FRAMES:
                    self._kept.popitem(last=False)
            return self._kept[number]

    def _all(self) -> Iterator[av.VideoFrame]:
        with _opened(self._path) as container:
            container.streams.video[0].thread_type = "AUTO"
            yield from _frames(container, self._path)


_READERS: OrderedDict[tuple[Path, int, int], _Reader] = OrderedDict()
_READERS_LOCK = threading.Lock()


def frame_image(path: Path, number: int) -> Image.Image:
    """Frame `number` of a video as an RGB image. Raises DatasetError. Safe in several threads."""
    state = path.stat()
    key = (path, state.st_size, state.st_mtime_ns)
    with _READERS_LOCK:
        reader = _READERS.setdefault(key, _Reader(path))
        _READERS.move_to_end(key)
        while len(_READERS) > _KEPT_FILES:
            _READERS.popitem(last=False)
    return _image(reader.frame(number))


def _image(frame: av.VideoFrame) -> Image.Image:
    image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    return image
