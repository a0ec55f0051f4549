"""Activations of the networks of a pass, and what a probe makes of them, one batch of one network at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch

from harness.engine.arrays import observed_arrays
from harness.engine.contract import reason_of
from harness.engine.normalization import Normalized
from harness.engine.purity import witnesses
from harness.errors import CellError, RequestError, blamed, plugin_faults
from harness.features import FeatureProbe
from harness.layers import Layers, chosen, layers_in, tapped

if TYPE_CHECKING:
    from harness.engine.arrays import Shown
    from harness.engine.contract import Place
    from harness.features import Observer
    from harness.planning.plan import Plan, PlannedTask
    from harness.records import Batch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tap:
    """The layers of one network that one probe sees, by name and in order."""

    probe: FeatureProbe
    layers: Layers
    names: tuple[str, ...]


def tap_of(probe: FeatureProbe, model: str, network: torch.nn.Module, size: int) -> Tap:
    """The layers of a network that `probe` sees.

    Raises:
        RequestError: it has none of that name, or answers otherwise while they are read; PluginError: the probe's code
            raises.
    """
    root = network.network if type(network) is Normalized else network
    device = next((tensor.device for tensor in (*network.parameters(), *network.buffers())), None)
    image = witnesses(size, device)[:1]
    with torch.inference_mode():
        plain = network(image.clone()).clone()
        layers = layers_in(root, network, image.clone())
    if not torch.equal(plain, layers.logits):
        raise RequestError(f"model {model!r} gives other logits while its layers are read, so they cannot be")
    with blamed(f"probe {probe.name}"):
        return Tap(probe, layers, chosen(probe, layers, model))


def taps_of(plan: Plan, model: str, network: torch.nn.Module) -> dict[Place, Tap | RequestError]:
    """(task, model) -> the layers that are seen, or why they cannot be; of the cells to compute."""
    taps: dict[Place, Tap | RequestError] = {}
    for planned in plan.passes:
        probes = {task.name: task.probe for task in planned.tasks if isinstance(task.probe, FeatureProbe)}
        for task in [cell.task for cell in planned.cells if cell.model == model and cell.task in probes]:
            try:
                taps[task, model] = tap_of(probes[task], model, network, planned.size)
            except RequestError as error:
                taps[task, model] = error
    return taps


class Observation:
    """What a probe makes of the activations of one network on one batch.

    Raises:
        CellError: the probe raises.
    """

    def __init__(self, task: PlannedTask, batch: Batch, model: str, tap: Tap) -> None:
        self._task, self._tap, self._count = task, tap, len(batch.sample_ids)
        self._who = f"probe {task.probe.name} on the layers of {model}"
        self._observe: Observer = self._faultless(lambda: tap.probe.observer(batch, tap.names))
        self._seen: Mapping[str, torch.Tensor] = {}

    def watched(self, forward: Callable[[], torch.Tensor]) -> torch.Tensor:
        """The logits of `forward`, during which the layers are read."""
        with tapped(self._tap.layers, self._tap.names) as self._seen:
            return forward()

    def arrays(self, shown: Shown) -> Mapping[str, torch.Tensor]:
        """The arrays under one condition: those of the stimulus and those of the layers. Raises CellError."""
        seen, self._seen = self._seen, {}
        if silent := [name for name in self._tap.names if name not in seen]:
            raise CellError(f"{self._who}: layer {silent[0]} is not called for these images")
        ordered = {name: seen[name] for name in self._tap.names}
        given = self._faultless(lambda: self._observe(shown.condition, ordered))
        return observed_arrays(self._task, self._who, shown, given, self._count)

    def _faultless(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except plugin_faults() as error:
            raise CellError(f"{self._who} raised {reason_of(error)}") from error

    @property
    def who(self) -> str:
        """The probe and the network, for messages."""
        return self._who
