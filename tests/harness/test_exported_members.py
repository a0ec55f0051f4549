"""The public door, pinned: a name that leaves or enters it is a change that users feel."""

import subprocess
import sys

import pytest

import harness


def test_everything_announced_is_there():
    assert [name for name in harness.__all__ if not hasattr(harness, name)] == []
    assert harness.__all__ == sorted(harness.__all__, key=lambda name: (not name.isupper(), name))


def test_public_names():
    records = """NO_LABELS ArraySpec Batch DecisionTable Download Erratum Figure HeatMap ImportedDecisions ImportedModel
        ImportedTable LabelSpace LoadingRecipe Measure ModelSpec Page Picture Preprocessing Reason Release Remark Sample
        Series StatisticsPlan Study StudyModel Suite Table TableCell TaskLayout TaskSpec Tolerance TrialReader Trials"""
    interfaces = "Dataset FeatureProbe Importer ModelSource Probe Report WhiteBoxProbe hookimpl"
    helpers = """AbsentError Contents Normalized Scheme Substitution accuracy_measures cache_dir cached check_digest
        expected_digest is_correct load_plugins locate_first normalized PairedTrials paired_change paired_trials
        proportion read_checkpoint read_state_dict
        read_tar read_trials reason_for sha256_of share shards_of split_hub statistics inference kept_statistics
        write_whole yaml_excess"""
    door = "OpenedStudy Progress RunResult open_study run"
    errors = """AbsentCheckpointError AbsentDatasetError CellError CheckpointError DatasetError FetchError
        HarnessError ImageError NonFiniteError PluginError RegistryError
        RequestError RunError StoreError UnknownNameError"""
    assert set(harness.__all__) == set(f"{records} {interfaces} {helpers} {door} {errors}".split())


def test_a_former_name_works_and_says_its_present_one():
    with pytest.warns(DeprecationWarning, match=r"harness\.Cell is now harness\.TableCell"):
        former = harness.Cell
    assert former is harness.TableCell
    with pytest.warns(DeprecationWarning, match="TableCell"):
        from harness import Cell
    assert Cell is former


def test_import_is_quick():
    script = "import sys, harness; print([m for m in ('torch', 'h5py', 'timm', 'pandas', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
