"""Reads checkpoint files safely: digests and tensors. Code in a file is never executed."""

from __future__ import annotations

import pickle
import re
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.checkpoints.kinds import check_whole, not_a_checkpoint, sniff
from harness.errors import CheckpointError
from harness.local.digests import sha256_of

if TYPE_CHECKING:
    import torch

WRAPPERS: Final = ("state_dict", "model_state_dict", "online_backbone", "resnet", "model")
"""Keys under which training scripts store the state dict, in the order they are tried: some files have a string under
``model`` beside their ``state_dict``."""
SAFE_GLOBALS: Final = (
    "argparse.Namespace",
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
)
"""Globals that an entry may allow in a pickle, besides ``numpy.dtypes.*``: plain data. None of them can affect the
machine, so a foreign registry file cannot either."""
_FAILURES: Final = (
    RuntimeError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    OSError,
    struct.error,
    pickle.UnpicklingError,
)
"""What torch raises on an incomplete checkpoint, measured by truncating files at every length."""

__all__ = ["SAFE_GLOBALS", "WRAPPERS", "digests_of", "read_state_dict", "sha256_of"]


def digests_of(files: Iterable[Path]) -> tuple[str, ...]:
    """SHA-256 of each file that determines the weights, after `check_whole`. Raises CheckpointError."""
    digests = []
    for path in files:
        check_whole(path)
        digests.append(sha256_of(path))
    return tuple(digests)


def read_state_dict(
    path: Path, wrapper_keys: Sequence[str] = (), safe_globals: Sequence[str] = ()
) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint file by key, on the CPU, in the file's order, as a plain dict in memory.

    The file is not memory-mapped, so later changes to it cannot affect a loaded network.

    Args:
        wrapper_keys: keys to unwrap, outermost first; empty: the first of `WRAPPERS` that holds tensors, else the file
            itself.
        safe_globals: names from `SAFE_GLOBALS` and ``numpy.dtypes.*`` that the pickle may use besides torch's own.

    Raises:
        CheckpointError: the file is not a checkpoint, is truncated or damaged, would run code, or has no state dict.
    """
    kind = sniff(path)
    if kind == "safetensors" or path.suffix == ".safetensors":
        return _tensors(path, _unwrapped(path, _read_safetensors(path), wrapper_keys))
    if kind == "zip":
        _check_zip(path)
    return _tensors(path, _unwrapped(path, _read_pickle(path, safe_globals), wrapper_keys))


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors: dict[str, torch.Tensor] = load(path.read_bytes())
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is a truncated or damaged safetensors file ({error}); fetch it again") from error
    return tensors


def _check_zip(path: Path) -> None:
    """Refuses truncated and damaged archives. torch itself silently loads flipped bits: it skips the CRCs."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.rpartition("/")[2] for name in archive.namelist()}
            damaged = archive.testzip() if "data.pkl" in names else None
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        size = path.stat().st_size
        raise CheckpointError(f"{path} is truncated or damaged at {size:,} bytes ({error}); fetch it again") from error
    if "data.pkl" not in names:
        raise not_a_checkpoint(path, "a zip archive that torch.save did not write; unpack it first")
    if "constants.pkl" in names:
        raise not_a_checkpoint(path, "a TorchScript program; save its state_dict() with torch.save")
    if damaged is not None:
        raise CheckpointError(f"{path} is damaged: the checksum of {damaged!r} in it is wrong; fetch it again")


def _read_pickle(path: Path, names: Sequence[str]) -> Any:
    import torch

    with ExitStack() as stack:
        if names:
            stack.enter_context(torch.serialization.safe_globals([_safe_global(path, name) for name in names]))
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=False)
        except _FAILURES as error:
            refused = _refused_globals(path, error)
            if refused:
                raise CheckpointError(_refusal(path, refused)) from error
            size = path.stat().st_size
            raise CheckpointError(
                f"{path} is truncated or damaged at {size:,} bytes ({_reason(error)}); fetch it again"
            ) from error


def _reason(error: Exception) -> str:
    """One line of torch's message, without its advice to load unsafely."""
    text = str(error)
    inner = re.search(r"WeightsUnpickler error: *(.+)", text)
    return (inner[1] if inner else text.partition("\n")[0])[:120] or type(error).__name__


def _safe_global(path: Path, name: str) -> tuple[Callable[..., Any], str]:
    """The object behind an allowed name, paired with the name that files use for it."""
    if name not in SAFE_GLOBALS and not re.fullmatch(r"numpy\.dtypes\.\w+DType", name):
        raise CheckpointError(
            f"{path}: {name!r} cannot be allowed in a checkpoint; expected one of {', '.join(SAFE_GLOBALS)}, "
            "numpy.dtypes.…DType. If you trust the file, save its state_dict() again with torch.save"
        )
    from importlib import import_module

    module, _, attribute = name.replace("numpy.core.", "numpy._core.").rpartition(".")
    try:
        return getattr(import_module(module), attribute), name
    except AttributeError as error:
        raise CheckpointError(f"{path}: safe_globals names {name!r}, which does not exist") from error


def _refused_globals(path: Path, error: Exception) -> list[str]:
    """Forbidden names that the pickle tries to import; empty if loading failed for another reason."""
    import torch

    if not isinstance(error, pickle.UnpicklingError):
        return []
    if zipfile.is_zipfile(path) and (names := torch.serialization.get_unsafe_globals_in_checkpoint(path)):
        return sorted(names)
    # Old files cannot be scanned, but torch names the first global it refused.
    return sorted(set(re.findall(r"GLOBAL ([\w.]+)", str(error))))


def _refusal(path: Path, refused: Sequence[str]) -> str:
    allowed = [name for name in refused if name in SAFE_GLOBALS or name.startswith("numpy.dtypes.")]
    message = f"{path} contains more than tensors: it imports {', '.join(refused)}: refused, and nothing was executed. "
    if len(allowed) == len(refused):
        return message + f"These are plain data: allow them with `safe_globals: [{', '.join(allowed)}]` in the entry"
    return message + "If you trust the file, save its state_dict() again with torch.save"


def _unwrapped(path: Path, loaded: Any, wrapper_keys: Sequence[str]) -> Any:
    if not wrapper_keys and isinstance(loaded, Mapping):
        return next((loaded[key] for key in WRAPPERS if _has_tensors(loaded.get(key))), loaded)
    for key in wrapper_keys:
        if not isinstance(loaded, Mapping) or key not in loaded:
            raise CheckpointError(f"{path} has no key {key!r} to unwrap; it contains {_contents(loaded)}")
        loaded = loaded[key]
    return loaded


def _has_tensors(value: object) -> bool:
    import torch

    return isinstance(value, Mapping) and any(isinstance(item, torch.Tensor) for item in value.values())


def _contents(loaded: object) -> str:
    if not isinstance(loaded, Mapping):
        return f"a {type(loaded).__name__}"
    entries = ", ".join(f"{key!r} ({type(value).__name__})" for key, value in list(loaded.items())[:8])
    return f"{entries or 'nothing'}{', …' if len(loaded) > 8 else ''}"


def _tensors(path: Path, loaded: Any) -> dict[str, torch.Tensor]:
    """A plain dict: an OrderedDict's `_metadata` would make torch require keys that are missing in old files."""
    import torch

    if not _has_tensors(loaded):
        raise CheckpointError(
            f"{path} contains no state dict, only {_contents(loaded)}. "
            "Name the keys that lead to it in the entry's `wrapper_keys`"
        )
    for key, value in loaded.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise CheckpointError(
                f"{path}: {key!r} is a {type(value).__name__}; a state dict maps names to tensors. "
                "Name the keys that lead to it in the entry's `wrapper_keys`"
            )
        if value.is_meta or value.layout is not torch.strided:
            raise CheckpointError(f"{path}: {key!r} is not a dense tensor with values ({value.layout}, {value.device})")
    return {key: value.detach() for key, value in loaded.items()}
