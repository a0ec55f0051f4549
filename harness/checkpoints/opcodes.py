"""What a pickle would build, found by running it on placeholders: no name is imported, and nothing is allocated.

torch's reader executes no foreign code, but it calls what torch allows with any arguments: a ``bytearray`` of 17 GB, a
tensor longer than its storage, a key whose hash takes years. Such calls are refused before torch sees the file.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from harness.checkpoints.allocations import (
    PLAIN,
    Budget,
    Global,
    HostileError,
    Made,
    Tuple,
    check_call,
    check_key,
    check_state,
)

MOST_OPCODES: Final = 1_000_000
"""Opcodes of one file; a network with its optimizer has some thousands, and a byte can become an object of 64."""
_MOST_NAME: Final = 1024
_UNSUPPORTED: Final = "an instruction that torch.save does not write and torch's safe reader does not have"


class DamagedError(Exception):
    """A pickle that ends too early, or has bytes that are no instruction."""


class _Stream(Protocol):
    """A file that holds pickles, such as BytesIO or mmap."""

    def read(self, size: int, /) -> bytes: ...
    def readline(self) -> bytes: ...
    def tell(self) -> int: ...
    def seek(self, place: int, /) -> Any: ...


class _Bounded:
    """A file in which no name is longer than a name can be."""

    def __init__(self, stream: _Stream) -> None:
        self.read, self.tell, self._stream = stream.read, stream.tell, stream

    def readline(self) -> bytes:
        start = self._stream.tell()
        head = self._stream.read(_MOST_NAME)
        length = head.find(b"\n") + 1
        if not length and len(head) == _MOST_NAME:
            raise HostileError(f"a name of more than {_MOST_NAME:,} letters")
        self._stream.seek(start + (length or len(head)))
        return head[:length] if length else head


class _Machine:
    """Runs one pickle on placeholders."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """One instruction. Raises HostileError, and IndexError or KeyError for what is not on the stack."""
        stack = self.stack
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _VALUES:
            stack.append(argument)
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name == "GLOBAL":
            stack.append(Global(argument.replace(" ", ".")))
        elif name in _OPERATIONS:
            _OPERATIONS[name](self)
        elif name not in ("PROTO", "STOP"):
            raise HostileError(f"{name}, {_UNSUPPORTED}")

    def popped(self) -> list[Any]:
        """What lies above the last mark."""
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def tuple(self, items: list[Any]) -> None:
        weight = 1 + sum(item.weight if isinstance(item, Tuple) else 1 for item in items)
        self.stack.append(Tuple(tuple(items), weight))

    def short_tuple(self, count: int) -> None:
        items = [self.stack.pop() for _ in range(count)]
        self.tuple(items[::-1])

    def items(self) -> None:
        for key in self.popped()[::2]:
            check_key(key)

    def item(self) -> None:
        self.stack.pop()
        check_key(self.stack.pop())

    def call(self) -> None:
        args, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Global) or not isinstance(args, Tuple):
            raise HostileError("a call of something that is no function")
        check_call(function.name, args.items, self.budget)
        self.stack.append(Made(function.name))

    def build(self) -> None:
        """The state of an object; that of a tensor, in very old files, is its storage, offset, shape and strides."""
        state, made = self.stack.pop(), self.stack[-1]
        if isinstance(made, Made):
            check_state(made.name, state.items if isinstance(state, Tuple) else (), self.budget)

    def storage(self) -> None:
        self.stack.append(self.budget.storage(self.stack.pop()))


_CONSTANTS: Final = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
    "EMPTY_TUPLE": Tuple((), 1),
    **dict.fromkeys(("EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET"), PLAIN),
}
_VALUES: Final = frozenset("BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINSTRING".split())
_OPERATIONS: Final[Mapping[str, Callable[[_Machine], object]]] = {
    "TUPLE": lambda machine: machine.tuple(machine.popped()),
    "TUPLE1": lambda machine: machine.short_tuple(1),
    "TUPLE2": lambda machine: machine.short_tuple(2),
    "TUPLE3": lambda machine: machine.short_tuple(3),
    "APPEND": lambda machine: machine.stack.pop(),
    "APPENDS": lambda machine: machine.popped(),
    "SETITEM": _Machine.item,
    "SETITEMS": _Machine.items,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.storage,
}


def check_pickle(stream: _Stream, budget: Budget) -> None:
    """Run the pickle at the place of `stream` on placeholders; afterwards the stream is behind it.

    Raises:
        HostileError: it would take more than the file holds, or has instructions that torch's safe reader lacks.
        DamagedError: it ends too early.
    """
    machine, place = _Machine(budget), stream.tell()
    bounded: Any = _Bounded(stream)
    try:
        for opcode, argument, position in pickletools.genops(bounded):
            budget.opcodes += 1
            if budget.opcodes > MOST_OPCODES:
                raise HostileError(f"more than {MOST_OPCODES:,} instructions")
            place = position or 0
            machine.step(opcode.name, argument)
    except (IndexError, KeyError) as error:
        raise HostileError(f"an instruction at byte {place:,} that takes what is not there") from error
    except ValueError as error:
        raise DamagedError(" ".join(str(error).split())) from error
