"""Reads what torch.save writes, without executing anything in it, and says which names an entry would have to allow."""

from __future__ import annotations

import pickle
import re
import struct
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from harness.checkpoints.bombs import check_archived_pickle, check_directory, check_members, damaged, hostile
from harness.checkpoints.foreign import archive_error, extraction
from harness.errors import CheckpointError

SAFE_GLOBALS: Final = (
    "argparse.Namespace",
    "types.SimpleNamespace",
    "builtins.frozenset",
    "builtins.slice",
    "datetime.date",
    "datetime.datetime",
    "datetime.timedelta",
    "datetime.timezone",
    *(f"{module}.{kind}Path" for module in ("pathlib", "pathlib._local") for kind in ("Posix", "Windows")),
    *(f"pathlib.Pure{kind}Path" for kind in ("Posix", "Windows")),
    "torch.torch_version.TorchVersion",
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
)
"""Globals that an entry may allow in a pickle, besides ``numpy.dtypes.*``: plain data. None of them can affect the
machine, so a foreign registry file cannot either."""
_OTHER_NAMES: Final = {
    "numpy.core.": "numpy._core.",
    "pathlib._local.": "pathlib.",
    "pathlib.WindowsPath": "pathlib.PureWindowsPath",
}
"""Beginning of a name in a file -> where that object is in this process."""
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

_ACCIDENTS: Final = (RuntimeError, OSError)


def read_pickle(path: Path, names: Sequence[str]) -> Any:
    """What `path` holds, on the CPU. `names`: globals that it may use, from `SAFE_GLOBALS` and ``numpy.dtypes.*``.

    Raises:
        CheckpointError: a name cannot be allowed; the file would run code, is truncated or damaged.
    """
    allowed = [_safe_global(path, name) for name in names]
    try:
        return _loaded(path, allowed, "cpu")
    except MemoryError:
        raise
    except Exception as error:  # of a made pickle, torch raises whatever the functions that it calls do
        refused = _refused(path, error)
        if refused:
            raise CheckpointError(_refusal(path, names, refused)) from error
        # The checksums of an archive are right, so a pickle in it that fails was written so.
        accidents = _ACCIDENTS if zipfile.is_zipfile(path) else _FAILURES
        if not isinstance(error, accidents) or isinstance(error, pickle.UnpicklingError):
            raise hostile(path, f"torch's safe reader stops at it ({_reason(error)})") from error
        raise damaged(path, _reason(error)) from error


def check_archive(path: Path) -> None:
    """Refuses truncated and damaged zip files. torch itself silently loads flipped bits: it skips the CRCs."""
    try:
        check_directory(path)
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if other := archive_error(path, names):
                raise other
            check_members(path, archive.infolist(), archive.start_dir)
            check_archived_pickle(path, archive)
            wrong = archive.testzip()
    except CheckpointError:
        raise
    except Exception as error:  # the library raises more than it states on a made directory
        raise damaged(path, error) from error
    if wrong is not None:
        raise CheckpointError(f"{path} is damaged: the checksum of {wrong!r} in it is wrong; fetch it again")


def _loaded(path: Path, allowed: Sequence[tuple[Any, str]], device: str) -> Any:
    import torch

    with ExitStack() as stack:
        if allowed:
            stack.enter_context(torch.serialization.safe_globals(list(allowed)))
        return torch.load(path, map_location=device, weights_only=True, mmap=False)


def _reason(error: Exception) -> str:
    """One line of torch's message, without its advice to load unsafely."""
    text = str(error)
    inner = re.search(r"WeightsUnpickler error: *(.+)", text)
    line = (inner[1] if inner else text.partition("\n")[0]).strip()[:120]
    return line or type(error).__name__


def _can_be_allowed(name: str) -> bool:
    return name in SAFE_GLOBALS or re.fullmatch(r"numpy\.dtypes\.\w+DType", name) is not None


def _safe_global(path: Path, name: str) -> tuple[Any, str]:
    """The object behind an allowed name, paired with the name that files use for it."""
    if not _can_be_allowed(name):
        raise CheckpointError(
            f"{path}: {name!r} cannot be allowed in a checkpoint; expected one of {', '.join(SAFE_GLOBALS)}, "
            f"numpy.dtypes.…DType. {_saved_again(path)}"
        )
    here = name
    for other, own in _OTHER_NAMES.items():
        here = own + here.removeprefix(other) if here.startswith(other) else here
    module, _, attribute = here.rpartition(".")
    try:
        return getattr(import_module(module), attribute), name
    except AttributeError as error:
        raise CheckpointError(f"{path}: safe_globals names {name!r}, which does not exist") from error


def _refused(path: Path, error: Exception) -> list[str]:
    """Forbidden names that the pickle imports or builds; empty if loading failed for another reason."""
    import torch

    if not isinstance(error, pickle.UnpicklingError):
        return []
    text = str(error)
    # Old files cannot be scanned, but torch names the first global that it refuses, and the first type.
    named = [name if "." in name else f"builtins.{name}" for name in re.findall(r"GLOBAL ([\w.]+)", text)]
    named += re.findall(r"allowlisted via `add_safe_globals`, but got <class '([\w.]+)'>", text)
    if named and zipfile.is_zipfile(path):
        named += torch.serialization.get_unsafe_globals_in_checkpoint(path)
    return sorted(set(named))


def _needed(path: Path, names: Sequence[str], refused: Sequence[str]) -> list[str]:
    """All names that the file needs: those of `refused`, and what torch refuses once these are allowed."""
    needed = list(dict.fromkeys([*names, *refused]))
    while all(map(_can_be_allowed, needed)):
        try:
            _loaded(path, [_safe_global(path, name) for name in needed], "meta")
        except _FAILURES as error:
            further = [name for name in _refused(path, error) if name not in needed]
            if not further:
                break
            needed += further
        else:
            break
    return needed


def _refusal(path: Path, names: Sequence[str], refused: Sequence[str]) -> str:
    needed = _needed(path, names, refused)
    foreign = [name for name in needed if not _can_be_allowed(name)]
    shown = ", ".join(name for name in (foreign or needed) if name not in names)
    message = f"{path} contains more than tensors: it imports {shown}: refused, and nothing was executed. "
    if foreign:
        return message + _saved_again(path)
    return (
        message + f"These are plain data: allow them with `safe_globals: [{', '.join(needed)}]` in the entry's recipe"
    )


def _saved_again(path: Path) -> str:
    """The advice for a file that only its own code can read."""
    return f"If you trust the file, whose code this runs, save its weights alone: {extraction(path)}"
