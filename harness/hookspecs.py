"""Every door into the harness. A plugin is a module that answers any of these hooks.

    from harness import hookimpl

    @hookimpl
    def harness_probes():
        return [InvertColours()]

Found in: `plugins/` of this repository, ``--plugins DIR`` (one module a file), and the entry-point group ``harness`` of
installed packages, all the same way. Hooks are called once, before anything runs. They return instances; the harness
names them, and two things with one name are an error that names both providers.
"""

from __future__ import annotations

from typing import Final

import pluggy

from harness.importer import Importer
from harness.interfaces import Dataset, ModelSource, Probe, Report

PROJECT: Final = "harness"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def harness_model_sources() -> list[ModelSource]:  # type: ignore[empty-body]
    """Ways to turn a registry entry (``source: NAME``) into a network: ``return [Timm()]``."""


@hookspec
def harness_datasets() -> list[Dataset]:  # type: ignore[empty-body]
    """Datasets, usable under their own name or, with other parameters, as a registry entry: ``return [ImageNet()]``."""


@hookspec
def harness_probes() -> list[Probe]:  # type: ignore[empty-body]
    """Probes: ``return [BandPass()]``."""


@hookspec
def harness_reports() -> list[Report]:  # type: ignore[empty-body]
    """Reports over one or more runs: ``return [Correlation()]``."""


@hookspec
def harness_importers() -> list[Importer]:  # type: ignore[empty-body]
    """Readers of published result tables (``harness import NAME FILE``): ``return [Paper()]``."""
