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
from harness.measuring import accuracy_measures, proportion
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
    from harness.checkpoints import read_state_dict
    from harness.digests import sha256_of
    from harness.locations import AbsentError, Scheme, cached, locate_first, split_hub
    from harness.networks import Normalized, normalized
    from harness.store import read_trials

_LAZY = {
    "AbsentError": "locations",
    "Normalized": "networks",
    "Scheme": "locations",
    "cached": "locations",
    "locate_first": "locations",
    "normalized": "networks",
    "read_state_dict": "checkpoints",
    "read_trials": "store",
    "sha256_of": "digests",
    "split_hub": "locations",
    "statistics": "statistics",
}
"""Public name -> module. Those of `networks` import torch: plugins import them inside their methods."""


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
    "locate_first",
    "normalized",
    "proportion",
    "read_state_dict",
    "read_trials",
    "sha256_of",
    "split_hub",
    "statistics",
]
