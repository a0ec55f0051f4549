"""Files with the key names of a network's first authors, which timm converts: the command that saves timm's names.

A conversion counts only if it gives every tensor another name and no other value: timm's own filters also resample
position embeddings and leave parts out.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from harness import Contents, ModelSpec

from ._recipe import leaf, problems

if TYPE_CHECKING:
    import torch

    Tensors = Mapping[str, torch.Tensor]

_DERIVED: Final = frozenset({"relative_position_index", "attn_mask", "mask_token"})
"""Last parts of keys of what a network makes itself, or needs in pretraining only."""


def conversion(network: torch.nn.Module, contents: Contents, chosen: Tensors, spec: ModelSpec) -> str:
    """What to type to get a file with timm's names; empty if timm does not convert this one, or the file needs more.

    Args:
        chosen: the state dict in the file.
    """
    name = (spec.arch or "").removeprefix("timm:")
    convert = getattr(sys.modules.get(type(network).__module__), "checkpoint_filter_fn", None)
    if convert is None or spec.recipe.safe_globals or contents.path.name.endswith(".json"):
        return ""
    try:
        converted = convert(dict(chosen), network)
    except Exception:  # noqa: BLE001 - a filter may fail in any way on keys that it does not expect
        return ""
    needed = network.state_dict()
    if not isinstance(converted, Mapping) or problems(converted, needed) or _values(converted) != _values(chosen):
        return ""
    return _command(contents, spec, name)


def _values(state: Tensors) -> Counter[tuple[int, float]]:
    """How many tensors have this length and this sum; without those that a network makes itself."""
    kept = [tensor for key, tensor in state.items() if leaf(key) not in _DERIVED and tensor.is_floating_point()]
    return Counter((tensor.numel(), float(tensor.double().sum())) for tensor in kept)


def _command(contents: Contents, spec: ModelSpec, name: str) -> str:
    path = contents.path
    keys = contents.keys_to(spec.recipe.wrapper_keys)
    read = f'torch.load({json.dumps(str(path))}, map_location="cpu", weights_only=True)'
    if path.suffix == ".safetensors":
        read = f"safetensors.torch.load_file({json.dumps(str(path))})"
    state = read + "".join(f"[{json.dumps(key)}]" for key in keys)
    pool = f", global_pool={json.dumps(spec.options['global_pool'])}" if "global_pool" in spec.options else ""
    code = (
        f"import safetensors.torch, timm, torch; n = timm.create_model({json.dumps(name)}, "
        f"num_classes={spec.outputs}{pool}, pretrained=True, "
        f'pretrained_cfg_overlay={{"state_dict": {state}, "num_classes": {spec.outputs}}}); '
        f"torch.save(n.state_dict(), {json.dumps(str(contents.weights_file))})"
    )
    return f"python -c {shlex.quote(code)}"
