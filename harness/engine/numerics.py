"""Global numerics of torch: deterministic kernels, and the precision of forwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from PIL import ImageFile

from harness.engine.global_state import FP32_PLACES, GlobalState
from harness.local.provenance import processor

if TYPE_CHECKING:
    from harness.planning.plan import Settings


@contextmanager
def numerics(settings: Settings) -> Iterator[None]:
    """Deterministic kernels, float32, and no TF32 unless a forward requests it; truncated images are errors.

    Whatever a plugin changed before, when it was imported for instance; all settings are restored afterwards.
    """
    before = GlobalState()
    for place in FP32_PLACES:  # before the older switches below, which set some of them
        torch._C._set_fp32_precision_setter(*place, "none")
    cudnn = torch.backends.cudnn
    cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = False, True, False
    torch.set_float32_matmul_precision("highest")
    torch.set_default_dtype(torch.float32)
    torch.set_autocast_enabled("cpu", False)
    torch.set_autocast_enabled("cuda", False)
    torch.set_flush_denormal(False)
    torch.backends.mkldnn.enabled = True  # type: ignore[assignment]
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        yield
    finally:
        before.changes()


@contextmanager
def forward_precision(settings: Settings) -> Iterator[None]:
    """Precision of the networks only: stimuli are always made in strict float32."""
    if settings.precision == "fp32":
        yield
        return
    with ExitStack() as stack:
        if settings.precision == "bf16":
            stack.enter_context(torch.autocast(settings.device_type, dtype=torch.bfloat16))
        if settings.precision == "tf32":
            # Restore the previous setting, not strict float32: within an attack, forwards are nested.
            stack.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
            torch.set_float32_matmul_precision("high")
            stack.callback(setattr, torch.backends.cudnn, "allow_tf32", torch.backends.cudnn.allow_tf32)
            torch.backends.cudnn.allow_tf32 = True
        yield


def device_facts(device: torch.device) -> dict[str, Any]:
    """The device as described in every shard. None of it is part of a cell's identity, though rounding depends on it.

    Returns:
        ``device``: the device in words. ``device_model``: model of the GPU or processor. ``cpu_capability``: the
        instruction set that torch uses (``AVX2``). ``threads``: threads of one operation on the CPU.
    """
    threads = torch.get_num_threads()
    model = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return {
        "device": model if device.type == "cuda" else f"{device.type}, {threads} threads",
        "device_model": model,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": threads,
    }
