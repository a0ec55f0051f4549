"""Model source `checkpoint`: a state-dict file of any known layout, for an architecture of timm or torchvision.

The entry's `recipe` describes the layout of the file; its steps suffice to load all 48 ResNet-50 of Gavrikov & Keuper,
"Can Biases in ImageNet Models Explain Generalization?" (CVPR 2024), strictly.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness import ModelSource, ModelSpec, Preprocessing, hookimpl

from ._architectures import build, fixed_size, native_timm
from ._files import weight_files

if TYPE_CHECKING:
    import torch


class Checkpoint(ModelSource):
    """``arch: timm:NAME``, ``torchvision:NAME`` or ``zoo:FRONT``; ``weights:`` package:, file:, https:, hf:, gdrive:.

    A timm network takes ``options: {global_pool: avg}`` if its file was not trained with timm's default pooling.
    Networks of the zoo have 16 outputs, in the label space shapes-16; FRONT is the input filter: plain (none),
    low-pass-6, band-pass-6-16, high-pass-16, ….
    """

    name = "checkpoint"
    state_dicts = True

    def options(self, spec: ModelSpec) -> None:
        """Raises ValueError for unknown options, or a pooling that is not a string or not for a timm network."""
        unknown = set(spec.options) - {"global_pool"}
        if unknown:
            raise ValueError(f"source 'checkpoint' takes the option global_pool, got {sorted(unknown)}")
        pool = spec.options.get("global_pool", "avg")
        if not isinstance(pool, str) or not pool:
            raise ValueError(f"option global_pool must be a name such as avg or token, got {pool!r}")
        if spec.options and not (spec.arch or "").startswith("timm:"):
            raise ValueError(f"option global_pool is for `arch: timm:NAME`, got arch {spec.arch!r}")

    def files(self, spec: ModelSpec) -> Sequence[Path]:
        """The checkpoint, and the head file if there is one. Raises CheckpointError if one is not on this machine."""
        return weight_files(spec)

    def image_size(self, spec: ModelSpec) -> int | None:
        """The size in the name of one of timm's transformers: ``timm:vit_tiny_patch16_384``."""
        return fixed_size(spec.arch or "") if (spec.arch or "").startswith("timm:") else None

    def native(self, spec: ModelSpec) -> Preprocessing | None:
        """Of a timm network what timm states for its name; the file may have been trained otherwise."""
        library, _, name = (spec.arch or "").partition(":")
        return native_timm(name) if library == "timm" else None

    def load(self, spec: ModelSpec) -> torch.nn.Module:
        """The network, strictly loaded. Raises CheckpointError naming file and keys if anything does not fit."""
        files = self.files(spec)
        from ._weights import with_weights  # here, for a report loads no network

        return with_weights(build(spec), spec, files, self.downloads(spec))


@hookimpl
def harness_model_sources() -> list[ModelSource]:
    """State-dict files."""
    return [Checkpoint()]
