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
from harness.features import FeatureProbe
from harness.hookspecs import hookimpl
from harness.importer import Importer
from harness.interfaces import Dataset, ModelSource, Probe, Report, WhiteBoxProbe
from harness.pairs import PairedTrials, paired_change, paired_trials
from harness.proportions import accuracy_measures, is_correct, proportion, share
from harness.records import (
    NO_LABELS,
    ArraySpec,
    Batch,
    DecisionTable,
    Download,
    Erratum,
    Figure,
    HeatMap,
    ImportedDecisions,
    ImportedModel,
    ImportedTable,
    LabelSpace,
    LoadingRecipe,
    Measure,
    ModelSpec,
    Page,
    Picture,
    Preprocessing,
    Progress,
    Reason,
    Release,
    Remark,
    Sample,
    Series,
    StatisticsPlan,
    Study,
    StudyModel,
    Suite,
    Table,
    TableCell,
    TaskLayout,
    TaskSpec,
    Tolerance,
    TrialReader,
    Trials,
    reason_for,
)

if TYPE_CHECKING:
    from harness import inference, statistics
    from harness.checkpoints.contents import Contents
    from harness.checkpoints.expected import check_digest, expected_digest
    from harness.checkpoints.locations import AbsentError, Scheme, cached, locate_first, split_hub
    from harness.checkpoints.reading import read_checkpoint, read_state_dict
    from harness.checkpoints.shards import shards_of
    from harness.discovery.loader import load_plugins
    from harness.engine.normalization import Normalized, normalized
    from harness.excess import Substitution, yaml_excess
    from harness.fetching.archives import read_tar
    from harness.local.cache import cache_dir
    from harness.local.digests import sha256_of
    from harness.local.writing import write_whole
    from harness.store import read_trials
    from harness.study.kept_statistics import kept_statistics
    from harness.study.opened import OpenedStudy
    from harness.workflows.run import run
    from harness.workflows.run_result import RunResult
    from harness.workflows.study import open_study

_LAZY = {
    "AbsentError": "checkpoints.locations",
    "Contents": "checkpoints.contents",
    "Normalized": "engine.normalization",
    "OpenedStudy": "study.opened",
    "RunResult": "workflows.run_result",
    "Scheme": "checkpoints.locations",
    "Substitution": "excess",
    "cache_dir": "local.cache",
    "cached": "checkpoints.locations",
    "check_digest": "checkpoints.expected",
    "expected_digest": "checkpoints.expected",
    "inference": "inference",
    "kept_statistics": "study.kept_statistics",
    "load_plugins": "discovery.loader",
    "locate_first": "checkpoints.locations",
    "normalized": "engine.normalization",
    "open_study": "workflows.study",
    "read_checkpoint": "checkpoints.reading",
    "read_state_dict": "checkpoints.reading",
    "read_tar": "fetching.archives",
    "read_trials": "store",
    "run": "workflows.run",
    "sha256_of": "local.digests",
    "shards_of": "checkpoints.shards",
    "split_hub": "checkpoints.locations",
    "statistics": "statistics",
    "write_whole": "local.writing",
    "yaml_excess": "excess",
}
"""Public name -> module. Those of `engine` import torch: plugins import them inside their methods."""

_RENAMED = {"Cell": "TableCell"}
"""Former public name -> present one: the former works, with a DeprecationWarning. A cell is one model on one task."""


def __getattr__(name: str) -> Any:
    """Names whose modules are heavy or rarely needed are fetched on first use, so that `import harness` stays quick."""
    if name in _RENAMED:
        import warnings

        warnings.warn(f"harness.{name} is now harness.{_RENAMED[name]}", DeprecationWarning, stacklevel=2)
        return globals()[_RENAMED[name]]
    if name in _LAZY:
        from importlib import import_module

        module = import_module(f"harness.{_LAZY[name]}")
        return module if name == _LAZY[name] else getattr(module, name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


__all__ = [
    "NO_LABELS",
    "AbsentCheckpointError",
    "AbsentDatasetError",
    "AbsentError",
    "ArraySpec",
    "Batch",
    "CellError",
    "CheckpointError",
    "Contents",
    "Dataset",
    "DatasetError",
    "DecisionTable",
    "Download",
    "Erratum",
    "FeatureProbe",
    "FetchError",
    "Figure",
    "HarnessError",
    "HeatMap",
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
    "OpenedStudy",
    "Page",
    "PairedTrials",
    "Picture",
    "PluginError",
    "Preprocessing",
    "Probe",
    "Progress",
    "Reason",
    "RegistryError",
    "Release",
    "Remark",
    "Report",
    "RequestError",
    "RunError",
    "RunResult",
    "Sample",
    "Scheme",
    "Series",
    "StatisticsPlan",
    "StoreError",
    "Study",
    "StudyModel",
    "Substitution",
    "Suite",
    "Table",
    "TableCell",
    "TaskLayout",
    "TaskSpec",
    "Tolerance",
    "TrialReader",
    "Trials",
    "UnknownNameError",
    "WhiteBoxProbe",
    "accuracy_measures",
    "cache_dir",
    "cached",
    "check_digest",
    "expected_digest",
    "hookimpl",
    "inference",
    "is_correct",
    "kept_statistics",
    "load_plugins",
    "locate_first",
    "normalized",
    "open_study",
    "paired_change",
    "paired_trials",
    "proportion",
    "read_checkpoint",
    "read_state_dict",
    "read_tar",
    "read_trials",
    "reason_for",
    "run",
    "sha256_of",
    "shards_of",
    "share",
    "split_hub",
    "statistics",
    "write_whole",
    "yaml_excess",
]
