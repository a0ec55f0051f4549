"""Which biases of an image classifier explain its generalization?

This is the public door for plugin authors and notebooks; everything else is private to the harness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import (
    CellError,
    CheckpointError,
    DatasetError,
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
from harness.interfaces import Dataset, Importer, ModelSource, Probe, Report
from harness.measuring import accuracy_measures, proportion
from harness.records import (
    Batch,
    Cell,
    ImportedModel,
    ImportedTable,
    LabelSpace,
    LoadingRecipe,
    Measure,
    ModelSpec,
    Preprocessing,
    Sample,
    Study,
    StudyModel,
    Suite,
    Table,
    TaskLayout,
    TaskSpec,
    Trials,
)

if TYPE_CHECKING:
    from harness.networks import Normalized, normalized
    from harness.store import read_trials

_LAZY = {"Normalized": "harness.networks", "normalized": "harness.networks", "read_trials": "harness.store"}


def __getattr__(name: str) -> Any:
    """Names whose modules import torch or h5py are fetched on first use, so that `import harness` stays quick."""
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


__all__ = [
    "Batch",
    "Cell",
    "CellError",
    "CheckpointError",
    "Dataset",
    "DatasetError",
    "HarnessError",
    "ImageError",
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
    "Report",
    "RequestError",
    "RunError",
    "Sample",
    "StoreError",
    "Study",
    "StudyModel",
    "Suite",
    "Table",
    "TaskLayout",
    "TaskSpec",
    "Trials",
    "UnknownNameError",
    "accuracy_measures",
    "hookimpl",
    "normalized",
    "proportion",
    "read_trials",
]
