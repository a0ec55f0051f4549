"""Files of other programs that are taken for checkpoints: what each is, and how its weights get into one."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.errors import CheckpointError

_LEGACY: Final = b"l\xfc\x9cF\xf9 j\xa8P\x19"
"""The number that the first pickle of torch's older format holds."""
_MAGIC: Final = (
    (0, b"\x89HDF\r\n\x1a\n", "HDF5"),
    (0, b"\x93NUMPY", "npy"),
    (4, b"TFL3", "TFLite"),
    (0, b"GGUF", "GGUF"),
)
"""Offset, bytes there, and the kind of file."""
_OR_A_SOURCE: Final = "or write a model source that runs it (the smallest is plugins/models/dummy.py)"
_DESCRIBED: Final = {
    "TorchScript": "a TorchScript program; save its state_dict() with torch.save",
    "pt2": "a program of torch.export (.pt2); save its state dict with torch.save",
    "npz": "an archive of NumPy arrays (.npz); save them as tensors with torch.save, and `rename` them in the recipe",
    "npy": "one NumPy array (.npy), which has no name; save a state dict with torch.save",
    "pickle": "a pickle that torch.save did not write; if you trust the file, whose code this runs, save its arrays as "
    "tensors",
    "HDF5": "an HDF5 file, as Keras writes them; its kernels have their axes in another order, so convert the network "
    f"to PyTorch and save its state_dict() with torch.save, {_OR_A_SOURCE}",
    "Keras": "a Keras model (.keras); convert the network to PyTorch and save its state_dict() with torch.save, "
    f"{_OR_A_SOURCE}",
    "ONNX": f"an ONNX model, a program without a state dict; use the weights that it was exported from, {_OR_A_SOURCE}",
    "TFLite": f"a TensorFlow Lite model; use the weights that it was converted from, {_OR_A_SOURCE}",
    "GGUF": "a GGUF file of quantized weights; use the weights that it was made from",
    "JAX": "an archive of arrays from JAX or TensorFlow (.npz), whose kernels have their axes in another order; timm "
    "converts those of its own architectures: save timm.create_model(NAME, checkpoint_path=FILE).state_dict() with "
    f"torch.save, {_OR_A_SOURCE}",
    "Flax": "a file of parameters from Flax (.msgpack), whose kernels have their axes in another order; convert the "
    f"network to PyTorch and save its state_dict() with torch.save, {_OR_A_SOURCE}",
    "TensorFlow": "a file of TensorFlow, whose kernels have their axes in another order; convert the network to "
    f"PyTorch and save its state_dict() with torch.save, {_OR_A_SOURCE}",
    "another": "a file of another framework ({}); convert the network to PyTorch and save its state_dict() with "
    f"torch.save, {_OR_A_SOURCE}",
}
_SUFFIXES: Final = {
    ".msgpack": "Flax",
    ".pb": "TensorFlow",
    ".params": "MXNet",
    ".caffemodel": "Caffe",
    ".pdparams": "Paddle",
    ".mlmodel": "Core ML",
    ".engine": "TensorRT",
    ".trt": "TensorRT",
    ".t7": "Lua",
}
_OF_TENSORFLOW: Final = re.compile(r"\.(data-\d{5}-of-\d{5}|index|meta)$")
"""How names of TensorFlow's checkpoints end, which consist of several files."""


def not_a_checkpoint(file: Path | str, kind: str, remedy: str = "") -> CheckpointError:
    """The error for a file that is of another `kind`."""
    return CheckpointError(f"{file} is not a checkpoint but {kind}", remedy=remedy)


def foreign_error(head: bytes, path: Path, called: str = "") -> CheckpointError | None:
    """The error for a file of another program that begins with `head`; None if it is none that is known."""
    kind = next((name for start, magic, name in _MAGIC if head[start : start + len(magic)] == magic), None)
    if kind is None and head.startswith(b"\x80") and len(head) > 40 and _LEGACY not in head[:40]:
        return error_by_name(path, called) or _error("pickle", path, called)
    if kind is None and path.suffix.lower() != ".pb" and _is_onnx(head, path):
        kind = "ONNX"
    return _error(kind, path, called) if kind else None


def error_by_name(path: Path, called: str = "") -> CheckpointError | None:
    """The error for a file without known first bytes whose name says what it is; None if it does not."""
    kind = "TensorFlow" if _OF_TENSORFLOW.search(path.name) else _SUFFIXES.get(path.suffix.lower(), "")
    if not kind:
        return None
    return not_a_checkpoint(called or path, _DESCRIBED.get(kind) or _DESCRIBED["another"].format(kind))


def weights_file(path: Path) -> Path:
    """Where the commands of messages write the tensors of `path`: ``net.pth`` -> ``net-weights.pth`` beside it."""
    return path.with_name(f"{path.stem}-weights.pth")


def archive_error(path: Path, members: Sequence[str]) -> CheckpointError | None:
    """The error for a zip archive with these members; None for one that torch.save wrote."""
    names = {name.rpartition("/")[2] for name in members}
    if any(name.endswith("models/model.json") for name in members) or "serialized_exported_program.json" in names:
        return _error("pt2", path)
    if "constants.pkl" in names:
        return _error("TorchScript", path)
    if "data.pkl" in names:
        return None
    if names and all(name.endswith(".npy") for name in names):
        return _error("JAX" if any(name.endswith("kernel.npy") for name in names) else "npz", path)
    if "model.weights.h5" in names:
        return _error("Keras", path)
    return not_a_checkpoint(path, "a zip archive that torch.save did not write; unpack it first")


def _error(kind: str, path: Path, called: str = "") -> CheckpointError:
    return not_a_checkpoint(called or path, _DESCRIBED[kind], _command(kind, path))


def _is_onnx(head: bytes, path: Path) -> bool:
    """Whether a file is an ONNX model: field 1 is a small version, field 2 the program that wrote it."""
    if path.suffix.lower() == ".onnx":
        return not head.lstrip().startswith((b"<", b"version "))
    return len(head) > 2 and head[0] == 8 and head[1] < 32 and head[2] in b"\x12\x1a"


def _command(kind: str, path: Path) -> str:
    """What to type to get a checkpoint out of the file; empty where no command does it."""
    file, out = quoted(path), quoted(weights_file(path))
    code = {
        "TorchScript": f'torch.save(torch.jit.load({file}, map_location="cpu").state_dict(), {out})',
        "pt2": f"torch.save(dict(torch.export.load({file}).state_dict), {out})",
        "npz": f"torch.save({{k: torch.from_numpy(v) for k, v in numpy.load({file}).items()}}, {out})",
    }
    if kind == "pickle":
        return extraction(path)
    return command("numpy, torch", code[kind]) if kind in code else ""


def extraction(path: Path) -> str:
    """A command that saves the tensors of a file that only its own code can read (`extract`)."""
    return f"python -m harness.checkpoints.extract {shlex.quote(str(path))}"


def command(modules: str, code: str) -> str:
    """A command that runs `code` in Python, quoted for a shell."""
    return f"python -c {shlex.quote(f'import {modules}; {code}')}"


def quoted(path: Path) -> str:
    """A path as a string in Python code, whatever characters it has."""
    return json.dumps(str(path))
