"""Named arrays: what a probe stores beside the decisions, declared beforehand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Final

DTYPES: Final[Mapping[str, int]] = {
    "float16": 2, "float32": 4, "float64": 8, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1,
}  # fmt: skip
"""Types of arrays -> bytes per value: those that torch, NumPy and HDF5 share. Store truth values as ``uint8``."""
MOST_ARRAYS: Final = 1000
"""Arrays of one probe: a file of a run has at most ten times as many parts."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySpec:
    """The declaration of one array: its values for one sample under one condition.

    Attributes:
        shape: shape of these values; ``()`` for a single number.
        dtype: ``float16``, ``float32``, ``float64``, ``int8``, ``int16``, ``int32``, ``int64`` or ``uint8``.
        finite: whether every value must be finite; otherwise floats may be NaN or infinite.
    """

    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    finite: bool = True

    @property
    def bytes(self) -> int:
        """Size of the values of one sample under one condition."""
        return prod(self.shape) * DTYPES[self.dtype]

    @property
    def described(self) -> str:
        """Type and shape of a batch of these values, for messages: ``float32 (B, 14, 14)``."""
        return f"{self.dtype} ({', '.join(['B', *map(str, self.shape)])}{'' if self.shape else ','})"


def array_field(name: str) -> str:
    """The name of an array among the fields of a shard, and below a model in the index."""
    return f"arrays/{name}"


def checked_arrays(arrays: object) -> dict[str, ArraySpec]:
    """The declared arrays by name. Raises ValueError if a name or declaration cannot be stored."""
    if not isinstance(arrays, Mapping):
        raise ValueError(f"its arrays are {arrays!r}, expected a mapping from names to harness.ArraySpec")
    if len(arrays) > MOST_ARRAYS:
        raise ValueError(
            f"it declares {len(arrays):,} arrays, more than {MOST_ARRAYS:,}; make them one of a larger shape"
        )
    for name, spec in arrays.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(
                f"an array is called {name!r}; a name begins with a letter or digit, followed by letters, digits, "
                "'.', '_' and '-'"
            )
        if not isinstance(spec, ArraySpec):
            raise ValueError(f"array {name!r} is declared by {spec!r}, expected harness.ArraySpec")
        if spec.dtype not in DTYPES:
            raise ValueError(f"array {name!r} is of type {spec.dtype!r}, expected one of {', '.join(DTYPES)}")
        sides = spec.shape if isinstance(spec.shape, tuple) else (0,)
        if not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides):
            raise ValueError(f"array {name!r} has the shape {spec.shape!r}, expected a tuple of positive numbers")
    return dict(arrays)
