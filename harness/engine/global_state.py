"""Global settings that other cells rely on, and how a plugin that changes one is noticed.

Nearly all change numbers: of torch, of the processor's arithmetic, of Pillow. The working folder decides where a run
with a relative path is stored.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import torch
from PIL import Image, ImageFile
from torch.nn.modules import module as hooks
from torch.utils import _python_dispatch as dispatch

from harness.errors import PluginError, listed
from harness.local.folder import working_folder

Setting = tuple[Callable[[], Any], Callable[[Any], object]]
"""How a setting is read and set."""


def _attribute(owner: Any, name: str) -> Setting:
    return lambda: getattr(owner, name), lambda value: setattr(owner, name, value)


def _autocast(device_type: str) -> Setting:
    return (
        lambda: torch.is_autocast_enabled(device_type),
        lambda value: torch.set_autocast_enabled(device_type, value),
    )


def _hooks(name: str) -> Setting:
    registered: dict[int, Any] = getattr(hooks, name)

    def restore(earlier: tuple[int, ...]) -> None:
        for key in [key for key in registered if key not in earlier]:
            del registered[key]

    return lambda: tuple(registered), restore


def _precisions() -> tuple[str, ...]:
    return tuple([torch._C._get_fp32_precision_getter(*place) for place in FP32_PLACES])


def _set_precisions(values: tuple[str, ...]) -> None:
    for place, now, value in zip(FP32_PLACES, _precisions(), values, strict=True):
        if now != value:
            torch._C._set_fp32_precision_setter(*place, value)


def _attention() -> tuple[bool, ...]:
    return (
        torch.backends.mha.get_fastpath_enabled(),
        torch._C._get_flash_sdp_enabled(),
        torch._C._get_mem_efficient_sdp_enabled(),
        torch._C._get_math_sdp_enabled(),
        torch._C._get_cudnn_sdp_enabled(),
    )


def _set_attention(values: tuple[bool, ...]) -> None:
    cuda = torch.backends.cuda
    setters = (cuda.enable_flash_sdp, cuda.enable_mem_efficient_sdp, cuda.enable_math_sdp, cuda.enable_cudnn_sdp)
    for setter, value in zip((torch.backends.mha.set_fastpath_enabled, *setters), values, strict=True):
        setter(value)


def _set_reductions(values: tuple[tuple[bool, bool], tuple[bool, bool]]) -> None:
    torch._C._set_cublas_allow_fp16_reduced_precision_reduction(*values[0])
    torch._C._set_cublas_allow_bf16_reduced_precision_reduction(*values[1])


def _modes(length: Callable[[], int], stack: Callable[[], list[Any]], module: Any) -> Setting:
    """How many modes of torch act on every operation; the default device, which is one too, has its own setting.

    Args:
        length: number of modes, without any. stack: the modes, outermost first. module: has `_push_mode`, `_pop_mode`.
    """

    def is_device(mode: Any) -> bool:
        return type(mode).__name__ == "DeviceContext"

    def read() -> int:
        return sum(not is_device(mode) for mode in stack()) if length() else 0

    def restore(earlier: int) -> None:
        modes = stack()
        for _ in modes:
            module._pop_mode()
        others = 0
        for mode in modes:
            others += not is_device(mode)
            if is_device(mode) or others <= earlier:
                module._push_mode(mode)

    return read, restore


def _set_device(device: torch.device) -> None:
    """None for the CPU: a default that is set, even this one, takes every call of torch through Python."""
    torch.set_default_device(None if device.type == "cpu" else device)


def _change_folder(folder: str) -> None:
    with suppress(OSError):
        os.chdir(folder)


FP32_PLACES: Final = [
    *((backend, op) for backend in ("cuda", "mkldnn") for op in ("conv", "rnn", "matmul")),
    *((backend, "all") for backend in ("generic", "cuda", "mkldnn")),
]
_SMALLEST: Final = [5e-324]
"""The smallest number above 0, which is 0 where the processor takes such numbers for 0; a list, not a constant."""

SETTINGS: Final[dict[str, Setting]] = {
    "the default dtype (torch.set_default_dtype)": (torch.get_default_dtype, torch.set_default_dtype),
    "the default device (torch.set_default_device)": (
        lambda: torch.empty(0).device,  # as `torch.get_default_device`, which takes much longer
        _set_device,
    ),
    "the number of threads (torch.set_num_threads)": (torch.get_num_threads, torch.set_num_threads),
    "the precision of products (torch.set_float32_matmul_precision)": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    "the precision of float32 in torch.backends (fp32_precision)": (_precisions, _set_precisions),
    "deterministic algorithms (torch.use_deterministic_algorithms)": (
        torch.get_deterministic_debug_mode,  # the same switch; `use_deterministic_algorithms` imports a compiler
        torch.set_deterministic_debug_mode,
    ),
    "autocast on the CPU": _autocast("cpu"),
    "autocast on CUDA": _autocast("cuda"),
    "cudnn.enabled": _attribute(torch.backends.cudnn, "enabled"),
    "cudnn.benchmark": _attribute(torch.backends.cudnn, "benchmark"),
    "cudnn.deterministic": _attribute(torch.backends.cudnn, "deterministic"),
    "cudnn.allow_tf32": _attribute(torch.backends.cudnn, "allow_tf32"),
    "mkldnn.enabled": _attribute(torch.backends.mkldnn, "enabled"),
    "global forward hooks of torch": _hooks("_global_forward_hooks"),
    "global hooks before forwards of torch": _hooks("_global_forward_pre_hooks"),
    "global backward hooks of torch": _hooks("_global_backward_hooks"),
    "global hooks before backward of torch": _hooks("_global_backward_pre_hooks"),
    "PIL.ImageFile.LOAD_TRUNCATED_IMAGES": _attribute(ImageFile, "LOAD_TRUNCATED_IMAGES"),
    "PIL.Image.MAX_IMAGE_PIXELS": _attribute(Image, "MAX_IMAGE_PIXELS"),
    "reduced precision of products in torch.backends.cuda.matmul": (
        lambda: (
            torch._C._get_cublas_allow_fp16_reduced_precision_reduction(),
            torch._C._get_cublas_allow_bf16_reduced_precision_reduction(),
        ),
        _set_reductions,
    ),
    "kernels of attention in torch.backends": (_attention, _set_attention),
    "flushing of small numbers (torch.set_flush_denormal)": (
        lambda: _SMALLEST[0] * 1.0 == 0.0,
        torch.set_flush_denormal,
    ),
    "modes of torch functions (TorchFunctionMode)": _modes(
        torch._C._len_torch_function_stack, torch.overrides._get_current_function_mode_stack, torch.overrides
    ),
    "modes of torch operations (TorchDispatchMode)": _modes(
        torch._C._len_torch_dispatch_stack, dispatch._get_current_dispatch_mode_stack, dispatch
    ),
    "the recursion limit (sys.setrecursionlimit)": (sys.getrecursionlimit, sys.setrecursionlimit),
    "the working folder (os.chdir)": (working_folder, _change_folder),
}
"""What is changed, in words -> how it is read and set. Reading all of them takes some microseconds."""


class GlobalState:
    """The settings as they are now, to be compared with those after a plugin ran."""

    def __init__(self) -> None:
        self._values = _values()

    def changes(self) -> list[str]:
        """The settings that have another value now; each is set back."""
        values = _values()
        if values == self._values:
            return []
        names = []
        for (name, (_, restore)), before, now in zip(SETTINGS.items(), self._values, values, strict=True):
            if before != now:
                names.append(name)
                if before is not None:
                    restore(before)
        return names

    def fault(self, who: str) -> str:
        """The reason of a plugin that changed settings, which would change other cells; empty if it changed none."""
        names = self.changes()
        return f"{listed(names)} changed while {who} ran; other cells rely on it, so it is set back" if names else ""


def refuse_global_hooks() -> None:
    """Raises PluginError if hooks or modes act on every network: what they return would be stored as its answers."""
    present = [name for name, (read, _) in SETTINGS.items() if ("hooks" in name or "modes" in name) and read()]
    if present:
        raise PluginError(
            f"there are {listed(present)}, which act on every network; a plugin or this program registered them. "
            "Remove them, or register hooks on the network that needs them"
        )


def _values() -> tuple[Any, ...]:
    try:
        return tuple([read() for read, _ in SETTINGS.values()])
    except RuntimeError:
        return tuple([_read(read) for read, _ in SETTINGS.values()])


def _read(read: Callable[[], Any]) -> Any:
    """The value of one setting; None where torch says that settings contradict one another."""
    try:
        return read()
    except RuntimeError:
        return None
