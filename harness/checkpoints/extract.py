"""``python -m harness.checkpoints.extract FILE``: the tensors of a file that only its own code can read, in a new file.

It runs the code that the file names, as far as this machine has it, so it is for files that one trusts; the harness
itself never does. A class that is not on this machine is replaced by an empty one, which is enough to reach the tensors
in it. What is neither tensor nor plain data is left out; so are optimizers.
"""

from __future__ import annotations

import io
import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from harness.checkpoints.contents import Contents
from harness.checkpoints.foreign import weights_file
from harness.errors import CheckpointError
from harness.foreign import one_line
from harness.local.writing import write_whole

_DEPTH: Final = 12
_NORMALIZATION: Final = re.compile(r"mean|std|(?<![a-z])(?:mu|sigma)(?![a-z])")
"""Names of attributes that a state dict lacks although a network divides or subtracts by them."""


def extract(path: Path) -> Path:
    """Write what `path` holds, as plain data, to `weights_file`, and return that. Runs the code of the file.

    Raises:
        CheckpointError: the file cannot be read even so, or holds no tensor.
    """
    import torch

    try:
        plain = _plain(_loaded(path), 0, {})
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{path} cannot be read here ({type(error).__name__}: {text})") from error
    if not Contents(path, plain).weights:
        raise CheckpointError(f"{path} holds no tensor")
    content = io.BytesIO()
    torch.save(plain, content)
    write_whole(weights_file(path), content.getbuffer())
    return weights_file(path)


def _loaded(path: Path) -> Any:
    """What `path` holds; also for a plain pickle, which torch did not write."""
    import torch

    reader = _reader()
    module = SimpleNamespace(Unpickler=reader, load=lambda file, **how: reader(file, **how).load(), __name__="reader")
    try:
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=module)
    except RuntimeError as error:
        with path.open("rb") as file:
            if file.read(1) != b"\x80":  # the first byte of a pickle
                raise error
            file.seek(0)
            return reader(file, encoding="latin1").load()


def _reader() -> type[pickle.Unpickler]:
    """An unpickler that puts an empty class in the place of one that is not on this machine."""
    import torch

    class Absent(torch.nn.Module):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__()

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str, /) -> Any:
            try:
                return super().find_class(module, name)
            except (ImportError, AttributeError):
                return type(name, (Absent,), {})

    return Reader


def _plain(value: Any, depth: int, seen: dict[int, Any]) -> Any:
    """`value` as tensors, numbers and text in dicts and lists; None for what is none of these, and for repetitions."""
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, np.generic):  # before float, of which a float64 of NumPy is a kind
        return _plain(value.item(), depth + 1, seen) if depth <= _DEPTH else None
    if isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)  # not a kind of it, such as torch's own version
    if isinstance(value, np.ndarray):
        return torch.as_tensor(value) if value.dtype.kind in "fiub" else None
    if depth > _DEPTH or id(value) in seen:
        return None
    seen[id(value)] = value  # kept, so that no other object gets its identity
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1, seen) for item in value]
    if isinstance(value, torch.nn.Module) and "_modules" in vars(value):
        return {**_attributes(value), **_items(value.state_dict(), depth, seen)}
    items = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    return None if "param_groups" in items or isinstance(value, type) else _items(items, depth, seen) or None


def _items(items: Mapping[Any, Any], depth: int, seen: dict[int, Any]) -> dict[Any, Any]:
    made = {key: _plain(item, depth + 1, seen) for key, item in items.items() if isinstance(key, str | int)}
    return {key: item for key, item in made.items() if item is not None}


def _attributes(network: Any) -> dict[str, Any]:
    """Means and deviations that modules hold as plain attributes."""
    import torch

    tensors = {}
    for place, module in network.named_modules():
        for name, value in vars(module).items():
            if _NORMALIZATION.search(name.lower()) and isinstance(value, list | tuple | torch.Tensor):
                numbers = torch.as_tensor(value) if not isinstance(value, torch.Tensor) else value
                tensors[f"{place}.{name}".lstrip(".")] = numbers.detach().clone()
    return tensors


def main(arguments: list[str] | None = None) -> int:
    """Extract each file that is named. Exit status 0, or 2 with one line on stderr."""
    files = sys.argv[1:] if arguments is None else arguments
    try:
        if not files:
            raise CheckpointError("name a file: python -m harness.checkpoints.extract FILE")
        for file in files:
            sys.stdout.write(f"{one_line(extract(Path(file)))}\n")
    except CheckpointError as error:
        sys.stderr.write(f"error: {one_line(error)}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
