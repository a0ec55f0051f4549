"""Model source `torchvision`: its classifiers, from weight files that are already here.

``torchvision:ResNet50_Weights.IMAGENET1K_V1`` is looked for in torch hub's cache under the file name that torchvision
gives it, then where a download belongs; ``file:PATH`` works too. The network is never used. Resize and crop
are the dataset's business: the transforms that torchvision recommends for some weights are not applied.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness import AbsentError, CheckpointError, ModelSource, ModelSpec, UnknownNameError, cached, hookimpl

from ._architectures import build_torchvision
from ._weights import check_digest, weight_files, with_weights

if TYPE_CHECKING:
    import torch

_SCHEME = "torchvision:"


class Torchvision(ModelSource):
    """``arch: resnet50`` with ``weights: [torchvision:ResNet50_Weights.IMAGENET1K_V1]``."""

    name = "torchvision"

    def files(self, spec: ModelSpec) -> Sequence[Path]:
        """The weight file. Raises CheckpointError if it is not on this machine. Imports torch for ``torchvision:``."""
        return weight_files(spec, {"torchvision": _weight_file})

    def load(self, spec: ModelSpec) -> torch.nn.Module:
        """The network, strictly loaded; a file of ``torchvision:`` must have the digest that its name carries."""
        if not spec.arch:
            raise CheckpointError(f"model {spec.name!r}: source 'torchvision' needs `arch: NAME`, such as resnet50")
        files = self.files(spec)
        published = {_file_name(spec, uri.removeprefix(_SCHEME)) for uri in spec.weights if uri.startswith(_SCHEME)}
        if files[0].name in published:
            check_digest(spec, files[0], _digest_in(files[0].name))
        return with_weights(build_torchvision(spec.arch.removeprefix(_SCHEME), spec.outputs), spec, files)


def _weight_file(spec: ModelSpec, name: str) -> Path:
    """The file in torch hub's cache, else where a download belongs."""
    import torch

    file_name = _file_name(spec, name)
    places = Path(torch.hub.get_dir(), "checkpoints", file_name), cached(spec, file_name)
    for place in places:
        if place.is_file():
            return place
    raise AbsentError(f"{places[0]}; {places[1]}")


def _file_name(spec: ModelSpec, name: str) -> str:
    """Name of the file that torchvision publishes as the weights `name`. Raises UnknownNameError."""
    from torchvision import models

    try:
        url = models.get_weight(name).url
    except (ValueError, AttributeError, KeyError):
        known = [str(weight) for arch in models.list_models(module=models) for weight in models.get_model_weights(arch)]
        hint = f"Correct the entry of model {spec.name!r}"
        raise UnknownNameError("torchvision weights", name, known, hint) from None
    return PurePosixPath(urlsplit(url).path).name


def _digest_in(file_name: str) -> str | None:
    """The first digits of the SHA-256 in a file name, by torch hub's convention ``NAME-<hex digits>.pth``."""
    found = re.search(r"-([0-9a-f]{8,})\.", file_name)
    return found[1] if found else None


@hookimpl
def harness_model_sources() -> list[ModelSource]:
    """Classifiers of torchvision."""
    return [Torchvision()]
