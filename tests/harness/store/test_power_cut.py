"""After a power cut at any moment of a run, all that was stored is there, and the same command completes the run."""

import pytest

from harness.local import writing
from harness.store import run_record
from tests.helpers.power_cut import campaign


def test_a_sample_of_power_cuts_loses_nothing(tmp_path):
    tally = campaign(tmp_path, seeds=1, every=45)
    assert tally.cuts >= 5 and tally.stored > 10


@pytest.mark.slow
def test_a_power_cut_after_every_operation_loses_nothing(tmp_path):
    tally = campaign(tmp_path, seeds=3)
    assert tally.cuts >= 300 and tally.disks >= 300


@pytest.mark.slow
@pytest.mark.parametrize("place", [writing, run_record], ids=["files", "the-run-folder"])
def test_without_synced_folders_power_cuts_do_lose_something(tmp_path, monkeypatch, place):
    monkeypatch.setattr(place, "sync_folder", lambda folder: None)
    with pytest.raises(AssertionError, match="after operation"):
        campaign(tmp_path, seeds=0, every=7)
