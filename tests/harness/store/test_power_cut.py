"""After a power cut at any moment of a run, all that was stored is there, and the same command completes the run."""

import pytest

from harness.local import unsynced, writing
from harness.store import writer
from tests.helpers.power_cut import FIRST, LAYOUT, campaign, campaign_of_kills, complete
from tests.helpers.store_writer import create, fill, make_job, make_layout

FIRST_OTHER = make_job("net-a", task="accuracy@other")
ONE_SPAN = make_layout(n=8, span=8)


def test_a_sample_of_power_cuts_loses_nothing(tmp_path):
    tally = campaign(tmp_path, seeds=1, every=45)
    assert tally.cuts >= 5 and tally.stored > 10


@pytest.mark.slow
def test_a_power_cut_after_every_operation_loses_nothing(tmp_path):
    tally = campaign(tmp_path, seeds=6)
    assert tally.cuts >= 300 and tally.disks >= 90


@pytest.mark.slow
@pytest.mark.parametrize("place", [writing, unsynced], ids=["files", "the-run-folder"])
def test_without_synced_folders_power_cuts_do_lose_something(tmp_path, monkeypatch, place):
    monkeypatch.setattr(place, "sync_folder", lambda folder: None)
    with pytest.raises(AssertionError, match="after operation"):
        campaign(tmp_path, seeds=0, every=7)


def test_a_sample_of_kills_resumed_before_the_power_is_cut_loses_nothing(tmp_path):
    assert campaign_of_kills(tmp_path, ONE_SPAN, every=9) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("layout", [LAYOUT, ONE_SPAN], ids=["spans", "one-span"])
def test_kills_after_every_operation_resumed_before_the_power_is_cut_lose_nothing(tmp_path, layout):
    assert campaign_of_kills(tmp_path, layout) >= 30


@pytest.mark.slow
@pytest.mark.parametrize("place", ["harness.store.writer.sync_below", "harness.store.run_record.sync_above"])
def test_without_syncing_what_a_killed_process_left_something_is_lost(tmp_path, monkeypatch, place):
    monkeypatch.setattr(place, lambda *_: None)
    with pytest.raises(AssertionError, match="killed after operation"):
        campaign_of_kills(tmp_path, ONE_SPAN)


def test_only_after_a_process_that_did_not_end_is_everything_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(writer, "sync_below", synced.append)
    with create(tmp_path / "run") as run:
        complete(run, LAYOUT, [FIRST])
    with create(tmp_path / "run"):
        assert synced == []
    with pytest.raises(KeyboardInterrupt), create(tmp_path / "run"):
        raise KeyboardInterrupt
    with create(tmp_path / "run") as run:
        assert synced == [tmp_path / "run"]
        fill(run, make_layout(task="accuracy@other"), FIRST_OTHER, spans=[])
        run.fail(FIRST_OTHER, "no reason")
    with create(tmp_path / "run"):
        assert len(synced) == 2
    with create(tmp_path / "run"):
        assert len(synced) == 2
