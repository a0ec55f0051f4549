"""Model source `dummy`: tiny deterministic networks without a file, for examples, tests and error paths.

`kind` is one of: ``constant`` (always the class `class`), ``brightness`` (a fixed linear function of the image averaged
over 4 x 4 cells), ``random-linear`` (the same over 8 x 8 cells, weights drawn from `seed`), ``nan`` (as brightness, but
NaN for images whose mean, after normalization if there is any, is above `threshold`), ``wrong-outputs`` (one logit too
few), ``failing`` (raises).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness import ModelSource, ModelSpec, hookimpl

if TYPE_CHECKING:
    import torch

_DEFAULTS: dict[str, dict[str, float]] = {
    "constant": {"class": 0},
    "brightness": {},
    "random-linear": {"seed": 0},
    "nan": {"threshold": 0.5},
    "wrong-outputs": {},
    "failing": {},
}
"""kind -> its options and their defaults."""


class Dummy(ModelSource):
    """``options: {kind: brightness}``; the module docstring lists the kinds."""

    name = "dummy"

    def options(self, spec: ModelSpec) -> None:
        """Raises ValueError for an unknown kind, option or value."""
        kind = spec.options.get("kind")
        if not isinstance(kind, str) or kind not in _DEFAULTS:
            raise ValueError(f"source 'dummy' needs an option kind, one of {', '.join(_DEFAULTS)}; got {kind!r}")
        unknown = set(spec.options) - {"kind"} - set(_DEFAULTS[kind])
        if unknown:
            raise ValueError(f"kind {kind!r} takes the options {sorted(_DEFAULTS[kind])}, got {sorted(unknown)}")
        for key, value in spec.options.items():
            integral = key in ("class", "seed")
            if key != "kind" and (isinstance(value, bool) or not isinstance(value, int if integral else int | float)):
                raise ValueError(f"option {key} must be {'an integer' if integral else 'a number'}, got {value!r}")
        if not 0 <= spec.options.get("class", 0) < spec.outputs:
            raise ValueError(f"option class must be from 0 to {spec.outputs - 1}, got {spec.options['class']}")

    def files(self, spec: ModelSpec) -> Sequence[Path]:
        """None: the options decide everything."""
        return ()

    def load(self, spec: ModelSpec) -> torch.nn.Module:
        """The network of the requested kind. Raises ValueError as `options` does."""
        from harness import normalized

        from ._dummy_networks import NETWORKS

        self.options(spec)
        kind = spec.options["kind"]
        network = NETWORKS[kind](spec.outputs, {**_DEFAULTS[kind], **_numbers(spec)})
        return normalized(network, spec.mean, spec.std)


def _numbers(spec: ModelSpec) -> dict[str, float]:
    return {key: value for key, value in spec.options.items() if key != "kind"}


@hookimpl
def harness_model_sources() -> list[ModelSource]:
    """Networks without files."""
    return [Dummy()]
