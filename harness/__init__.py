"""Which biases of an image classifier explain its generalization?

This is the public door for plugin authors and notebooks; everything else is private to the harness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import (
    AbsentCheckpointError,
    AbsentDatasetError,
    CellError,
    CheckpointError,
    DatasetError,
    FetchError,
    HarnessError,
    ImageError,
    NonFiniteError,
    PluginError,
    RegistryError,
    RequestError,
    RunError,
    StoreError,
    UnknownNameError,
)
from harness.hookspecs import hookimpl
from harness.interfaces import Dataset, Importer, ModelSource, Probe, Report, WhiteBoxProbe
from harness.proportions import accuracy_measures, proportion
from harness.records import (
    Batch,
    Cell,
    DecisionTable,
    Download,
    Erratum,
    Figure,
    ImportedDecisions,
    ImportedModel,
    ImportedTable,
    LabelSpace,
    LoadingRecipe,
    Measure,
    ModelSpec,
    Preprocessing,
    Release,
    Sample,
    Series,
    Study,
    StudyModel,
    Suite,
    Table,
    TaskLayout,
    TaskSpec,
    Tolerance,
    TrialReader,
    Trials,
)

if TYPE_CHECKING:
    from harness import statistics
    from harness.checkpoints.locations import AbsentError, Scheme, cached, locate_first, split_hub
    from harness.checkpoints.reading import read_state_dict
    from harness.discovery.loader import load_plugins
    from harness.engine.normalization import Normalized, normalized
    from harness.local.digests import sha256_of
    from harness.store import read_trials

_LAZY = {
    "AbsentError": "checkpoints.locations",
    "Normalized": "engine.normalization",
    "Scheme": "checkpoints.locations",
    "cached": "checkpoints.locations",
    "load_plugins": "discovery.loader",
    "locate_first": "checkpoints.locations",
    "normalized": "engine.normalization",
    "read_state_dict": "checkpoints.reading",
    "read_trials": "store",
    "sha256_of": "local.digests",
    "split_hub": "checkpoints.locations",
    "statistics": "statistics",
}
"""Public name -> module. Those of `engine` import torch: plugins import them inside their methods."""


def __getattr__(name: str) -> Any:
    """Names whose modules are heavy or rarely needed are fetched on first use, so that `import harness` stays quick."""
    if name in _LAZY:
        from importlib import import_module

        module = import_module(f"harness.{_LAZY[name]}")
        return module if name == _LAZY[name] else getattr(module, name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


__all__ = [
    "AbsentCheckpointError",
    "AbsentDatasetError",
    "AbsentError",
    "Batch",
    "Cell",
    "CellError",
    "CheckpointError",
    "Dataset",
    "DatasetError",
    "DecisionTable",
    "Download",
    "Erratum",
    "FetchError",
    "Figure",
    "HarnessError",
    "ImageError",
    "ImportedDecisions",
    "ImportedModel",
    "ImportedTable",
    "Importer",
    "LabelSpace",
    "LoadingRecipe",
    "Measure",
    "ModelSource",
    "ModelSpec",
    "NonFiniteError",
    "Normalized",
    "PluginError",
    "Preprocessing",
    "Probe",
    "RegistryError",
    "Release",
    "Report",
    "RequestError",
    "RunError",
    "Sample",
    "Scheme",
    "Series",
    "StoreError",
    "Study",
    "StudyModel",
    "Suite",
    "Table",
    "TaskLayout",
    "TaskSpec",
    "Tolerance",
    "TrialReader",
    "Trials",
    "UnknownNameError",
    "WhiteBoxProbe",
    "accuracy_measures",
    "cached",
    "hookimpl",
    "load_plugins",
    "locate_first",
    "normalized",
    "proportion",
    "read_state_dict",
    "read_trials",
    "sha256_of",
    "split_hub",
    "statistics",
]
