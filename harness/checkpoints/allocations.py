"""What the calls of a pickle may allocate: no more than the file holds. Placeholders stand for the values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MOST_REPEATED: Final = 128 << 20
"""Bytes that one tensor may seem to have in a smaller file: those of an optimizer may be views of one zero."""
_MOST_KEY: Final = 1000
"""Values in one key of a mapping: the hash of a tuple visits each as often as it is referred to."""
_ITEM_SIZES: Final = {
    **dict.fromkeys(("DoubleStorage", "LongStorage", "ComplexFloatStorage", "float64", "int64", "complex64"), 8),
    **dict.fromkeys(("FloatStorage", "IntStorage", "QInt32Storage", "float32", "int32", "uint32", "complex32"), 4),
    **dict.fromkeys(("HalfStorage", "ShortStorage", "BFloat16Storage", "float16", "bfloat16", "int16", "uint16"), 2),
    **dict.fromkeys(("ComplexDoubleStorage", "complex128"), 16),
    "uint64": 8,
}
"""Last part of a type's name in torch -> bytes of one element; 1 for all others."""


class HostileError(Exception):
    """What in a pickle is refused, as the end of a sentence about the file."""


@dataclass(frozen=True, slots=True)
class Global:
    name: str


@dataclass(frozen=True, slots=True)
class Storage:
    bytes: int
    item: int


@dataclass(frozen=True, slots=True)
class Made:
    """What a call returns. `name`: what was called."""

    name: str


@dataclass(frozen=True, slots=True)
class Tuple:
    items: tuple[Any, ...]
    weight: int


PLAIN: Final = Made("")
"""A list, mapping, set or number whose value does not matter."""


@dataclass(slots=True)
class Budget:
    """What the pickles of one file may take.

    Attributes:
        size: bytes of the file.
        records: name of a storage -> its bytes in the archive; None for torch's older format, where they follow.
        storages: key of a storage -> its bytes, as far as they are known.
        opcodes, tensors: how many have been met, and the bytes of all tensors.
    """

    size: int
    records: Mapping[str, int] | None = None
    storages: dict[Any, int] = field(default_factory=dict)
    opcodes: int = 0
    tensors: int = 0

    def storage(self, pid: Any) -> Any:
        """The storage that a persistent id names. Raises HostileError if the file has not as many bytes."""
        parts = pid.items if isinstance(pid, Tuple) else ()
        if len(parts) < 5 or parts[0] not in ("storage", b"storage") or not isinstance(parts[4], int):
            return PLAIN
        kind, key, size = parts[1], parts[2], parts[4] * _item_size(parts[1])
        if not isinstance(kind, Global) or not isinstance(key, str | bytes | int):
            raise HostileError("a storage without a type or a name")
        if not 0 <= size <= self._present(key):
            raise HostileError(f"storage {str(key)[:40]!r} of {size:,} bytes, where the file has fewer")
        if self.storages.setdefault(key, size) != size:
            raise HostileError(f"storage {str(key)[:40]!r} in two sizes")
        if self.records is None and sum(self.storages.values()) > self.size:
            raise HostileError(f"storages that are longer than the file of {self.size:,} bytes")
        return Storage(size, _item_size(kind))

    def _present(self, key: Any) -> int:
        return self.size if self.records is None else self.records.get(f"data/{key}".lower(), 0)

    def view(self, storage: Any, offset: Any, size: Any, stride: Any, item: int) -> None:
        """Refuse a tensor that its storage does not hold: torch would make the storage longer."""
        shape = size.items if isinstance(size, Tuple) else None
        steps = stride.items if isinstance(stride, Tuple) else None
        if not isinstance(storage, Storage) or shape is None or steps is None or len(shape) != len(steps):
            raise HostileError("a tensor without a storage, or whose shape is not known")
        if not all(isinstance(number, int) and number >= 0 for number in (offset, *shape, *steps)):
            raise HostileError("a tensor with a negative shape, stride or offset")
        last = offset + sum((n - 1) * step for n, step in zip(shape, steps, strict=True)) + 1
        elements = math.prod(shape)
        if elements and last * item > storage.bytes:
            raise HostileError(f"a tensor that needs {last * item:,} bytes of a storage of {storage.bytes:,}")
        self.tensors += elements * item
        if elements * item > max(MOST_REPEATED, self.size) or self.tensors > 10 * self.size + 8 * MOST_REPEATED:
            raise HostileError(f"tensors of {self.tensors:,} bytes in a file of {self.size:,}")


def _item_size(kind: Any) -> int:
    name = kind.name.rpartition(".")[2] if isinstance(kind, Global) else ""
    return _ITEM_SIZES.get(name, 1)


_Rule = Callable[[tuple[Any, ...], Budget], None]


def _tensor(args: tuple[Any, ...], budget: Budget) -> None:
    """Arguments of `torch._utils._rebuild_tensor` and the functions like it."""
    if len(args) < 4 or not isinstance(args[0], Storage):
        raise HostileError("a tensor without a storage")
    budget.view(args[0], args[1], args[2], args[3], args[0].item)


def _typed_tensor(args: tuple[Any, ...], budget: Budget) -> None:
    """As `_tensor`, of a storage without a type: the type follows."""
    if len(args) < 7:
        raise HostileError("a tensor without a type")
    budget.view(args[0], args[1], args[2], args[3], _item_size(args[6]))


def _wrapped(args: tuple[Any, ...], budget: Budget) -> None:
    """`torch._tensor._rebuild_from_type_v2` calls its first argument with its third."""
    if len(args) != 4 or not isinstance(args[0], Global) or not isinstance(args[2], Tuple) or args[0].name == _TYPED:
        raise HostileError("a tensor made by something that is not known")
    check_call(args[0].name, args[2].items, budget)


def _array(args: tuple[Any, ...], budget: Budget) -> None:
    if len(args) != 3 or not isinstance(args[1], Tuple) or args[1].items != (0,):
        raise HostileError("an array of NumPy that has a shape before it has values")


def _number(args: tuple[Any, ...], budget: Budget) -> None:
    if len(args) != 2:
        raise HostileError("a number of NumPy without a value")


def _bytes(args: tuple[Any, ...], budget: Budget) -> None:
    """Bytes as protocol 2 writes them. A number would be a length, and other encodings take the square of one."""
    encoded = len(args) == 2 and isinstance(args[0], str) and args[1] in ("latin1", "latin-1")
    copied = len(args) == 1 and (isinstance(args[0], bytes) or args[0] == Made("_codecs.encode"))
    if args and not encoded and not copied:
        raise HostileError("bytes that are not in the file")


def _empty(args: tuple[Any, ...], budget: Budget) -> None:
    if args:
        raise HostileError("memory of a size without its values")


def _hashed(args: tuple[Any, ...], budget: Budget) -> None:
    for value in args:
        check_key(value)


_TYPED: Final = "torch._tensor._rebuild_from_type_v2"
_RULES: Final[Mapping[str, _Rule]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_qtensor": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_nested_tensor": _empty,
    _TYPED: _wrapped,
    "builtins.bytearray": _bytes,
    "__builtin__.bytearray": _bytes,
    "_codecs.encode": _bytes,
    "torch.Tensor": _empty,
    "numpy.ndarray": _empty,
    **{
        f"numpy.{core}.multiarray.{name}": rule
        for core in ("core", "_core")
        for name, rule in (("_reconstruct", _array), ("scalar", _number))
    },
    **{f"{place}.{name}": _hashed for place in ("builtins", "__builtin__") for name in ("set", "frozenset")},
    "collections.Counter": _hashed,
}


def check_call(name: str, args: tuple[Any, ...], budget: Budget) -> None:
    """Refuse a call that would take more than the file holds. What torch does not allow is left to torch."""
    rule = _RULES.get(name)
    if rule is None and name.startswith("torch.") and name.endswith(("Tensor", "Storage")):
        rule = _empty
    if rule is None:
        return
    try:
        rule(args, budget)
    except HostileError as error:
        raise HostileError(f"{name} would make {error}") from None


def check_key(value: Any) -> None:
    if isinstance(value, Tuple) and value.weight > _MOST_KEY:
        raise HostileError(f"a key of more than {_MOST_KEY:,} values, each as often as it is referred to")


def check_state(name: str, state: tuple[Any, ...], budget: Budget) -> None:
    """Refuse the state of a tensor, which is its storage, offset, shape and strides, as `check_call`."""
    if name.startswith("torch.") and name.endswith("Tensor"):
        _tensor(state, budget)
