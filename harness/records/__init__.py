"""Frozen dataclasses that the other folders exchange: no logic beyond construction and naming.

Shapes: N samples, C conditions, K classes of the dataset's label space, B batch, S image side in pixels.
Of the harness, imports only the ground modules; never torch or h5py.
"""

from harness.records.arrays import ArraySpec, array_field, checked_arrays
from harness.records.columns import columns_of, views_of
from harness.records.data import Batch, Download, Interpolation, LabelSpace, Preprocessing, Release, Sample
from harness.records.identity import FIRST_CHOICES, IMAGES, Effect, Identity, ProbeIdentity, effect_of
from harness.records.lazy import DECISION_FIELDS, LazyTrials, derived_trials, is_read
from harness.records.measure import Direction, Measure
from harness.records.models import LoadingRecipe, ModelSpec
from harness.records.progress import Progress
from harness.records.published import DecisionTable, Erratum, ImportedDecisions, ImportedModel, ImportedTable, Tolerance
from harness.records.reasons import Reason, ReasonKind, Remark, RemarkKind, reason_for
from harness.records.run import RunKind, RunModel, RunRecord
from harness.records.statistics_plan import StatisticsPlan
from harness.records.study import Study, StudyModel, TrialReader, labelled_name, plain_name
from harness.records.suites import Suite, TaskSpec
from harness.records.tables import Figure, HeatMap, Page, Picture, Series, Table, TableCell
from harness.records.trials import NO_LABELS, NO_RANK, NOT_MEASURED, TOP, Job, TaskLayout, TrialBlock, Trials

__all__ = [
    "DECISION_FIELDS",
    "FIRST_CHOICES",
    "IMAGES",
    "NOT_MEASURED",
    "NO_LABELS",
    "NO_RANK",
    "TOP",
    "ArraySpec",
    "Batch",
    "DecisionTable",
    "Direction",
    "Download",
    "Effect",
    "Erratum",
    "Figure",
    "HeatMap",
    "Identity",
    "ImportedDecisions",
    "ImportedModel",
    "ImportedTable",
    "Interpolation",
    "Job",
    "LabelSpace",
    "LazyTrials",
    "LoadingRecipe",
    "Measure",
    "ModelSpec",
    "Page",
    "Picture",
    "Preprocessing",
    "ProbeIdentity",
    "Progress",
    "Reason",
    "ReasonKind",
    "Release",
    "Remark",
    "RemarkKind",
    "RunKind",
    "RunModel",
    "RunRecord",
    "Sample",
    "Series",
    "StatisticsPlan",
    "Study",
    "StudyModel",
    "Suite",
    "Table",
    "TableCell",
    "TaskLayout",
    "TaskSpec",
    "Tolerance",
    "TrialBlock",
    "TrialReader",
    "Trials",
    "array_field",
    "checked_arrays",
    "columns_of",
    "derived_trials",
    "effect_of",
    "is_read",
    "labelled_name",
    "plain_name",
    "reason_for",
    "views_of",
]
