"""Resources for the execution of a plan."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from harness.engine.purity import Steadiness

if TYPE_CHECKING:
    from harness.interfaces import ModelSource
    from harness.planning.plan import Settings
    from harness.records import Job, ModelSpec, Progress
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


def keeps_logits(settings: Settings, needs_logits: bool) -> bool:
    """Whether logits are stored: for all tasks of the run, or because this one needs them."""
    return needs_logits or settings.store == "logits"


def stored_outputs(jobs: Iterable[Job], settings: Settings, engine: Engine) -> dict[str, int]:
    """Key -> number of stored logits per trial, of the jobs that store any."""
    return {
        job.key: engine.specs[job.model].outputs for job in jobs if keeps_logits(settings, job.identity.needs_logits)
    }
