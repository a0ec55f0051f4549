"""Model source `timm`: networks of pytorch-image-models (Wightman, 2019), from files on this machine.

Weights come from the local Hugging Face cache (``timm:NAME`` or ``hf:OWNER/REPO[:FILE]``), the download folder or
``file:PATH``; the network is never used. The registry sets the normalization: timm's `mean` and `std` are not read, so
that a number never depends on the timm version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness import (
    AbsentError,
    CheckpointError,
    Download,
    ModelSource,
    ModelSpec,
    Preprocessing,
    cached,
    hookimpl,
    split_hub,
)

from ._architectures import build_timm, fixed_size, native_timm
from ._files import weight_files

if TYPE_CHECKING:
    import torch


class Timm(ModelSource):
    """``arch: NAME.TAG``; a network with random weights takes ``options: {pretrained: false, init_seed: INT}``."""

    name = "timm"
    state_dicts = True

    def options(self, spec: ModelSpec) -> None:
        """Raises ValueError for unknown options, or a random network without a seed or with weights."""
        unknown = set(spec.options) - {"pretrained", "init_seed"}
        if unknown:
            raise ValueError(f"source 'timm' takes the options pretrained and init_seed, got {sorted(unknown)}")
        pretrained, seed = spec.options.get("pretrained", True), spec.options.get("init_seed")
        if not isinstance(pretrained, bool):
            raise ValueError(f"option pretrained must be true or false, got {pretrained!r}")
        if pretrained and seed is not None:
            raise ValueError("option init_seed is for random networks: add `pretrained: false`, or leave it out")
        if not pretrained and (not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63):
            raise ValueError(f"a random network needs an integer init_seed from 0 to 2^63 - 1, got {seed!r}")
        if not pretrained and spec.weights:
            raise ValueError(f"`pretrained: false` contradicts `weights: {list(spec.weights)}`; leave one out")

    def files(self, spec: ModelSpec) -> Sequence[Path]:
        """The weights; empty for a random network. Raises CheckpointError if they are not on this machine."""
        if not spec.options.get("pretrained", True):
            return ()
        return weight_files(spec, {"timm": _timm_file, "hf": _hub_file})

    def downloads(self, spec: ModelSpec) -> Sequence[Sequence[Download]]:
        """``timm:NAME.TAG`` is the safetensors file of the hub's ``timm/NAME.TAG``; a random network needs nothing."""
        if not spec.options.get("pretrained", True):
            return ()
        return super().downloads(replace(spec, weights=tuple(_on_the_hub(spec, uri) for uri in spec.weights)))

    def image_size(self, spec: ModelSpec) -> int | None:
        """The size in the name of a transformer: ``vit_tiny_patch16_384``."""
        return fixed_size(spec.arch or "")

    def native(self, spec: ModelSpec) -> Preprocessing | None:
        """Input size, crop and interpolation of timm's configuration; imports timm."""
        return native_timm(_arch(spec))

    def load(self, spec: ModelSpec) -> torch.nn.Module:
        """The network, strictly loaded, or with random weights that depend only on `init_seed` (and on torch)."""
        from harness import normalized

        self.options(spec)
        arch, files = _arch(spec), self.files(spec)
        network = build_timm(arch, spec.outputs, spec.options.get("init_seed"))
        if not files:
            return normalized(network, spec.mean, spec.std)
        from ._weights import with_weights  # here, for a report loads no network

        return with_weights(network, spec, files, self.downloads(spec))


def _arch(spec: ModelSpec) -> str:
    """timm's name of the architecture. Raises CheckpointError if the entry has none."""
    if not spec.arch:
        raise CheckpointError(f"model {spec.name!r}: source 'timm' needs `arch: NAME.TAG`, such as resnet50.a1_in1k")
    return spec.arch.removeprefix("timm:")


def _repository(spec: ModelSpec, name: str) -> str:
    """The hub repository of ``timm:NAME.TAG``: ``timm/NAME.TAG``."""
    if "." not in name:
        raise CheckpointError(
            f"model {spec.name!r}: 'timm:{name}' has no tag, so its weights depend on timm's version; "
            "expected a name such as timm:resnet50.a1_in1k"
        )
    arch = _arch(spec)
    if "." in arch and arch != name:
        raise CheckpointError(f"model {spec.name!r}: arch {arch!r} and weights 'timm:{name}' contradict each other")
    return f"timm/{name}"


def _on_the_hub(spec: ModelSpec, uri: str) -> str:
    scheme, _, name = uri.partition(":")
    return "hf:{}:{}".format(*split_hub(spec, _repository(spec, name))) if scheme == "timm" else uri


def _timm_file(spec: ModelSpec, name: str) -> Path:
    return _hub_file(spec, _repository(spec, name))


def _hub_file(spec: ModelSpec, rest: str) -> Path:
    """The file in the local Hugging Face cache, else in the download folder."""
    from huggingface_hub import constants, try_to_load_from_cache

    repository, file = split_hub(spec, rest)
    names = (file,) if ":" in rest else (file, "pytorch_model.bin")
    candidates = (try_to_load_from_cache(repository, name, cache_dir=constants.HF_HUB_CACHE) for name in names)
    fetched = cached(spec, PurePosixPath(file).name)
    path = next((Path(place) for place in candidates if isinstance(place, str)), fetched)
    if not path.is_file():
        raise AbsentError(f"{repository} in the Hugging Face cache {constants.HF_HUB_CACHE}; {fetched}")
    return path


@hookimpl
def harness_model_sources() -> list[ModelSource]:
    """Networks of timm."""
    return [Timm()]
