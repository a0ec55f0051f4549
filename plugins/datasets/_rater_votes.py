"""What people and experts say is in the ImageNet validation images: two published files, read as data from outside.

``raters.npz`` (Beyer, Hénaff, Kolesnikov, Zhai, van den Oord 2020, arXiv 2006.07159) is in
google-research/reassessed-imagenet. It has ``tensor`` (R, P, 3), 1 where rater r answered pair p with no, maybe or yes,
else 0; ``info`` (P, 2), the file and the label of each pair; ``ids`` (R,). Each pair has five answers. The tensor has
377 MB unpacked, so it is summed rater by rater. Of an array, only the form that NumPy writes for numbers and texts is
read; pickled objects never are.

``*_mistakes.json`` (Vasudevan, Caine, Gontijo-Lopes, Fridovich-Keil, Roelofs, NeurIPS 2022) are in
google-research/imagenet-mistakes. Each has, for every image that a network mistakes, the class it names and how experts
judge that.
"""

from __future__ import annotations

import io
import json
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import numpy as np

from ._validation_images import number_of

ANSWERS = 5
"""Of each pair: how many people were asked."""
CLASSES = 1000
MOST_BYTES: Final = 128 << 20
"""Of a file; the published ones have less than ten million."""
_MOST_UNPACKED: Final = 768 << 20
"""Of the tensor, at 8 bytes an answer; the published one has 377 MB."""
_MOST_PAIRS: Final = 500_000
_LONGEST_LIST: Final = 1 << 16
"""Bytes of the list of members of the archive, which Python reads into memory."""
_TAIL: Final = 1 << 17
_HEADER: Final = re.compile(
    rb"\{'descr': '([<>|=]?)([A-Za-z])([0-9]{0,4})', 'fortran_order': (True|False), "
    rb"'shape': \(([0-9]{1,12}(?:, [0-9]{1,12})*),?\), \} *\n"
)
_WIDEST: Final = {"U": 256, "S": 64}
"""Bytes of an entry, by the kind of its type; of a number, 8."""
_ROWS: Final = 1 << 14
"""Pairs of which the texts are read at a time."""


class Votes(NamedTuple):
    """Answers to "does this label fit this image?": P pairs, ascending by image, then by class.

    Attributes:
        images: (P,) numbers of the validation images, 1 to 50,000. classes: (P,) 0 to 999.
        answers: (P, 3) how many people answered no, maybe and yes.
    """

    images: np.ndarray
    classes: np.ndarray
    answers: np.ndarray

    def texts(self) -> dict[int, str]:
        """Number of each image that was voted on -> its classes and their answers, ``556:5/0/0 779:1/1/3``."""
        words: dict[int, list[str]] = {}
        pairs = zip(self.images.tolist(), self.classes.tolist(), self.answers.tolist(), strict=True)
        for image, label, (no, maybe, yes) in pairs:
            words.setdefault(image, []).append(f"{label}:{no}/{maybe}/{yes}")
        return {image: " ".join(of_image) for image, of_image in words.items()}


def read_votes(path: Path) -> Votes:
    """The votes in ``raters.npz``.

    Raises:
        OSError: it cannot be read. ValueError: it is not such a file; says why, on one line.
    """
    content = _content(path, MOST_BYTES)
    _check_members(content)
    with _damage(ValueError):
        pack = zipfile.ZipFile(io.BytesIO(content))
    with _damage(), pack:
        answers = _answers(pack)
        codes = _codes(pack, len(answers))
    order = np.argsort(codes, kind="stable")
    codes, answers = codes[order], answers[order]
    if (again := codes[1:] == codes[:-1]).any():
        image, label = divmod(int(codes[1:][again][0]), CLASSES)
        raise ValueError(f"it has the label {label} of image {image} twice")
    return Votes(images=codes // CLASSES, classes=codes % CLASSES, answers=answers)


@contextmanager
def _damage(*more: type[Exception]) -> Iterator[None]:
    """What the libraries raise on damaged archives, and `more`, becomes a ValueError that says so."""
    kinds: tuple[type[Exception], ...] = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, RuntimeError, *more)
    try:
        yield
    except kinds as error:
        raise ValueError(f"it is damaged ({' '.join(str(error).split())[:80]})") from error


def _content(path: Path, most: int) -> bytes:
    """The bytes of a regular file. Raises ValueError if it is none or has more than `most`; OSError."""
    if not path.is_file():
        raise ValueError("it is no regular file")
    size = path.stat().st_size
    if size <= most:
        with path.open("rb") as file:
            content = file.read(most + 1)
        size = len(content)
    if size > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return content


def _check_members(content: bytes) -> None:
    """Raises ValueError unless it is a zip archive with a short list of members."""
    if not content.startswith(b"PK\x03\x04"):
        raise ValueError("it is no .npz")
    tail = content[-_TAIL:]
    for found in re.finditer(rb"PK\x05\x06|PK\x06\x06", tail):  # ends of the list: of any archive, and of a large one
        listed = int.from_bytes(tail[found.start() + 12 :][:4], "little")
        if found[0] == b"PK\x06\x06" or listed > _LONGEST_LIST:
            raise ValueError("it has more members than an .npz of three arrays")


class _Array(NamedTuple):
    """The beginning of an array: its type and shape; `file` is at its values."""

    file: IO[bytes]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """The values, `rows` entries of the first axis at a time; at most that. Raises ValueError, zlib.error, …"""
        rest = self.shape[1:]
        entry = self.dtype.itemsize * math.prod(rest)
        for low in range(0, self.shape[0], rows):
            count = min(rows, self.shape[0] - low)
            content = self.file.read(count * entry)
            if len(content) < count * entry:
                raise ValueError("it breaks off")
            yield np.frombuffer(content, dtype=self.dtype).reshape(count, *rest)
        if self.file.read(1):  # the last read also checks the sum over the member
            raise ValueError("an array is longer than it says")


@contextmanager
def _opened(pack: zipfile.ZipFile, name: str, kinds: str) -> Iterator[_Array]:
    """The array `name`. Raises ValueError if there is none, or it is not of one of `kinds`, as in `np.dtype.kind`."""
    members = [member for member in pack.infolist() if member.filename == f"{name}.npy"]
    if len(members) != 1:
        raise ValueError(f"it has {len(members) or 'no'} arrays {name!r}, expected tensor, info and ids, each once")
    if members[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("it is compressed in a way that NumPy does not use")
    if members[0].flag_bits & 1:
        raise ValueError("it is encrypted")
    with _damage(ValueError):
        file = pack.open(members[0])
    with file:
        dtype, shape = _header(file, name)
        if dtype.kind not in kinds or not 0 < dtype.itemsize <= _WIDEST.get(dtype.kind, 8):
            raise ValueError(f"its {name!r} is of type {dtype.str}")
        yield _Array(file, dtype, shape)


def _header(file: IO[bytes], name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Type and shape of the array that begins in `file`. Raises ValueError for all but numbers and texts by rows."""
    start = file.read(10)
    length = int.from_bytes(start[8:], "little")
    header = _HEADER.fullmatch(file.read(length)) if start[:8] == b"\x93NUMPY\x01\x00" else None
    if header is None:
        raise ValueError(f"its {name!r} is no array of numbers or texts as NumPy writes them")
    order, kind, size, by_columns, shape = (part.decode() for part in header.groups())
    if kind == "O":
        raise ValueError(f"its {name!r} holds pickled Python objects, which are never unpacked; it may be hostile")
    if by_columns == "True":
        raise ValueError(f"its {name!r} is stored by columns")
    try:
        return np.dtype(f"{order}{kind}{size}"), tuple(map(int, shape.split(", ")))
    except TypeError:
        raise ValueError(f"its {name!r} is of type {order}{kind}{size}, which does not exist") from None


def _answers(pack: zipfile.ZipFile) -> np.ndarray:
    """(P, 3) uint8: how many raters gave each answer. Raises ValueError unless each pair has five of 0 and 1."""
    with _opened(pack, "tensor", "biuf") as tensor, _opened(pack, "ids", "iuUS") as ids:
        _check_tensor(tensor.shape, ids.shape)
        answers = np.zeros(tensor.shape[1:], dtype=np.uint8)
        for (given,) in tensor.blocks(1):
            ones = given == 1
            if not (ones | (given == 0)).all():
                raise ValueError("its 'tensor' has other numbers than 0 and 1")
            answers += ones
            if (ones.sum(axis=1) > 1).any():
                raise ValueError("a rater gives two answers to one pair")
            if answers.max() > ANSWERS:
                break
    sums = answers.sum(axis=1)
    if (sums != ANSWERS).any():
        pair = int((sums != ANSWERS).argmax())
        raise ValueError(f"pair {pair} has {int(sums[pair])} answers, expected {ANSWERS}")
    return answers


def _check_tensor(shape: tuple[int, ...], ids: tuple[int, ...]) -> None:
    """Raises ValueError unless the tensor has the `shape` of answers, as many raters as ids, and can be unpacked."""
    text = " × ".join(map(str, shape))
    if len(shape) != 3 or shape[2] != 3 or not 1 <= shape[1] <= _MOST_PAIRS:
        raise ValueError(f"its 'tensor' is {text}, expected raters × pairs × 3")
    if 8 * math.prod(shape) > _MOST_UNPACKED:
        raise ValueError(f"its 'tensor' is {text}: more than {_MOST_UNPACKED >> 20} MB")
    if ids != shape[:1]:
        raise ValueError(f"it has {ids[0]} ids of {shape[0]} raters")


def _codes(pack: zipfile.ZipFile, pairs: int) -> np.ndarray:
    """(P,) int64: 1,000 × number of the image + class of each pair."""
    with _opened(pack, "info", "US") as info:
        if info.shape != (pairs, 2):
            raise ValueError(f"its 'info' is {' × '.join(map(str, info.shape))} for {pairs} pairs of 'tensor'")
        codes = (_code(*map(_text, row)) for block in info.blocks(_ROWS) for row in block.tolist())
        return np.fromiter(codes, dtype=np.int64, count=pairs)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _code(file: str, label: str) -> int:
    number = number_of(file)
    if number is None or not (label.isascii() and label.isdecimal() and len(label) < 4):
        raise ValueError(
            f"'info' has {file[:40]!r} with label {label[:8]!r}, expected ILSVRC2012_val_00000001.JPEG to "
            f"…50000.JPEG and 0 to {CLASSES - 1}"
        )
    return number * CLASSES + int(label)


# --- judgements of experts --------------------------------------------------------------------

_SPELLINGS: Final = {"fine-grained with oov": "fine-grained error with oov"}
"""The published tables spell one category in two ways."""
_SEVERITIES: Final = {"major": "major", "minor": "minor", "borderline": "minor"}
"""As published -> as counted: the authors count borderline mistakes among the minor ones."""


class Mistake(NamedTuple):
    """What experts say of one mistake of a network.

    Attributes:
        image: number of the validation image. predicted: the class that the network names, 0 to 999.
        category: why, in small letters (``fine-grained error``). severity: ``major``, ``minor`` or ``borderline``.
    """

    image: int
    predicted: int
    category: str
    severity: str


def read_mistakes(path: Path) -> list[Mistake]:
    """The mistakes in ``vit3b_mistakes.json`` or ``greedy_soups_mistakes.json``, in the order of the file.

    Raises:
        OSError: it cannot be read. ValueError: it is not such a file; says why, on one line.
    """
    try:
        content = json.loads(_content(path, MOST_BYTES >> 4), object_pairs_hook=_entries)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(content, dict) or not content:
        raise ValueError("it is no object with an entry for each image")
    return [_mistake(file, entry) for file, entry in content.items()]


def severities(mistakes: Iterable[Mistake]) -> dict[int, str]:
    """Number of each image -> how bad each judged mistake is, ``281:major 285:minor``, ascending by class.

    Raises ValueError if a mistake is a major one in one table and a minor one in another.
    """
    of_images: dict[int, dict[int, str]] = {}
    for image, predicted, _, severity in mistakes:
        counted = _SEVERITIES[severity]
        if of_images.setdefault(image, {}).setdefault(predicted, counted) != counted:
            raise ValueError(f"class {predicted} for image {image} is a major mistake in one table, a minor in another")
    return {
        image: " ".join(f"{predicted}:{severity}" for predicted, severity in sorted(judged.items()))
        for image, judged in of_images.items()
    }


def _entries(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it has {next(name for name in names if names.count(name) > 1)[:40]!r} twice")
    return entries


def _mistake(file: str, entry: object) -> Mistake:
    values = entry if isinstance(entry, dict) else {}
    predicted, category, severity = (
        values.get(key) for key in ("top_prediction", "failure category", "failure severity")
    )
    number, rated = number_of(file), str(severity).lower()
    known = type(predicted) is int and 0 <= predicted < CLASSES and isinstance(category, str)
    if number is None or not known or rated not in _SEVERITIES:
        raise ValueError(
            f"its entry {file[:40]!r} has no validation image as its name, or none of a top_prediction from 0 to "
            f"{CLASSES - 1}, a failure category and a failure severity of Major, Minor or Borderline"
        )
    named = str(category).strip().lower()
    return Mistake(number, int(predicted), _SPELLINGS.get(named, named), rated)  # type: ignore[arg-type]
