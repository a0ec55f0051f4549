"""Resources for the execution of a plan."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from harness.engine.purity import Steadiness

if TYPE_CHECKING:
    from harness.interfaces import ModelSource
    from harness.planning.plan import Settings
    from harness.records import ModelSpec, Progress
    from harness.store import RunWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Resources for the execution of a plan.

    Attributes:
        specs: model name -> its registry entry. sources: source name -> plugin.
        networks: loaded networks, on the CPU or the device; the engine takes them over.
        stop: set from outside to stop the run before the next forward.
        steadiness: what the networks answered at first.
    """

    run: RunWriter
    specs: Mapping[str, ModelSpec]
    sources: Mapping[str, ModelSource]
    device: torch.device
    workers: int
    progress: Progress
    provenance: Mapping[str, Any]
    networks: dict[str, torch.nn.Module] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    steadiness: Steadiness = field(default_factory=Steadiness)


def stored_outputs(settings: Settings, engine: Engine) -> dict[str, int] | None:
    """Model -> number of stored logits per trial; None if none are stored."""
    return {name: spec.outputs for name, spec in engine.specs.items()} if settings.store == "logits" else None
