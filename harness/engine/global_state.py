"""Global settings of torch and Pillow that change numbers, and how a plugin that changes one is noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from PIL import Image, ImageFile
from torch.nn.modules import module as hooks

from harness.errors import PluginError, listed

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


SETTINGS: Final[dict[str, Setting]] = {
    "the default dtype (torch.set_default_dtype)": (torch.get_default_dtype, torch.set_default_dtype),
    "the default device (torch.set_default_device)": (
        lambda: torch.empty(0).device,  # as `torch.get_default_device`, which takes much longer
        torch.set_default_device,
    ),
    "the number of threads (torch.set_num_threads)": (torch.get_num_threads, torch.set_num_threads),
    "the precision of products (torch.set_float32_matmul_precision)": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
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
                restore(before)
                names.append(name)
        return names

    def fault(self, who: str) -> str:
        """The reason of a plugin that changed settings, which would change other cells; empty if it changed none."""
        names = self.changes()
        return f"{listed(names)} changed while {who} ran; other cells rely on it, so it is set back" if names else ""


def refuse_global_hooks() -> None:
    """Raises PluginError if hooks act on every network: what they return would be stored as the network's answers."""
    present = [name for name, (read, _) in SETTINGS.items() if "hooks" in name and read()]
    if present:
        raise PluginError(
            f"there are {listed(present)}, which act on every network; a plugin or this program registered them. "
            "Remove them, or register hooks on the network that needs them"
        )


def _values() -> tuple[Any, ...]:
    return tuple([read() for read, _ in SETTINGS.values()])
