"""Model source `torchvision`: its classifiers, from weight files on this machine.

``torchvision:ResNet50_Weights.IMAGENET1K_V1``, or its ``https:`` address, is looked up in the download folder, then in
torch hub's cache; ``file:PATH`` works too. The network is never used. The dataset owns resize and crop: the transforms
that torchvision recommends for some weights are not applied.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from harness import (
    AbsentError,
    CheckpointError,
    Download,
    ModelSource,
    ModelSpec,
    Preprocessing,
    UnknownNameError,
    cached,
    hookimpl,
)

from ._architectures import build_torchvision, native_torchvision
from ._files import weight_files

if TYPE_CHECKING:
    import torch


class Torchvision(ModelSource):
    """``arch: resnet50`` with ``weights: [torchvision:ResNet50_Weights.IMAGENET1K_V1]``."""

    name = "torchvision"
    state_dicts = True

    def files(self, spec: ModelSpec) -> Sequence[Path]:
        """The weight file. Raises CheckpointError if it is not on this machine. Imports torchvision for its scheme."""
        return weight_files(spec, {"torchvision": _weight_file, "https": _published_file})

    def downloads(self, spec: ModelSpec) -> Sequence[Sequence[Download]]:
        """``torchvision:Weights.NAME`` is the file that torchvision publishes under that name; imports torchvision."""
        weights = dict.fromkeys(_on_the_net(spec, uri) for uri in spec.weights)  # both forms may name one file
        return super().downloads(replace(spec, weights=tuple(weights)))

    def native(self, spec: ModelSpec) -> Preprocessing | None:
        """The transforms that torchvision recommends for the first of its own weights that the entry names."""
        weights = next(filter(None, (_published(spec, uri) for uri in spec.weights)), None)
        return None if weights is None else native_torchvision(weights)

    def load(self, spec: ModelSpec) -> torch.nn.Module:
        """The network, strictly loaded; a published file must have the digest in its name."""
        if not spec.arch:
            raise CheckpointError(f"model {spec.name!r}: source 'torchvision' needs `arch: NAME`, such as resnet50")
        files = self.files(spec)
        network = build_torchvision(spec.arch.removeprefix("torchvision:"), spec.outputs)
        from ._weights import with_weights  # here, for a report loads no network

        return with_weights(network, spec, files, self.downloads(spec))


def _on_the_net(spec: ModelSpec, uri: str) -> str:
    scheme, _, name = uri.partition(":")
    return _url(spec, name) if scheme == "torchvision" else uri


def _published(spec: ModelSpec, uri: str) -> Any:
    """torchvision's weights that `uri` names or leads to; None if there are none."""
    from torchvision import models

    name = (spec.arch or "").removeprefix("torchvision:")
    if name not in models.list_models(module=models):
        return None
    names = {str(weights): weights for weights in models.get_model_weights(name)}
    return names.get(uri.removeprefix("torchvision:")) or next((w for w in names.values() if w.url == uri), None)


def _weight_file(spec: ModelSpec, name: str) -> Path:
    return _published_file(spec, _url(spec, name).removeprefix("https:"))


def _published_file(spec: ModelSpec, rest: str) -> Path:
    """The file of ``https:REST`` in the download folder, else in torch hub's cache."""
    file_name = unquote(PurePosixPath(urlsplit(f"https:{rest}").path).name)
    places = cached(spec, file_name), _hub() / "checkpoints" / file_name
    for place in places:
        if place.is_file():
            return place
    raise AbsentError(f"{places[0]}; {places[1]}")


def _hub() -> Path:
    """`torch.hub.get_dir()` without importing torch, so that looking up files stays fast."""
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", f"{caches}/torch")).expanduser() / "hub"


def _url(spec: ModelSpec, name: str) -> str:
    """The URL at which torchvision publishes the weights `name`. Raises UnknownNameError."""
    from torchvision import models

    try:
        return str(models.get_weight(name).url)
    except (ValueError, AttributeError, KeyError):
        names = [str(weight) for arch in models.list_models(module=models) for weight in models.get_model_weights(arch)]
        hint = f"Correct the entry of model {spec.name!r}"
        raise UnknownNameError("torchvision weights", name, names, hint) from None


@hookimpl
def harness_model_sources() -> list[ModelSource]:
    """Classifiers of torchvision."""
    return [Torchvision()]
