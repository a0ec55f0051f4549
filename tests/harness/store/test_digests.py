"""The digest of stored trials is that of their content: equal for equal trials, another for any other."""

from dataclasses import replace

import pytest

from harness import StoreError
from harness.store import RunReader, trials_digest
from tests.helpers.store_writer import TASK, create, make_block, make_job, make_layout

LAYOUT, JOB = make_layout(), make_job("one")


def digest_of(path, *, layout=LAYOUT, spans=None, changed=None, finished=False):
    with create(path) as run:
        run.put_layout(layout)
        run.begin(JOB, {"seed": 0})
        for span in spans or layout.spans():
            block = make_block(layout, JOB, span)
            run.commit(JOB, span, changed(block) if changed and span[0] == 0 else block)
        if finished:
            run.finish([JOB])
    return trials_digest(RunReader.open(path), TASK, JOB.model)


def test_files_do_not_matter_and_content_does(tmp_path):
    first = digest_of(tmp_path / "a")
    assert digest_of(tmp_path / "b") == first
    assert digest_of(tmp_path / "c", finished=True) == first
    others = [
        digest_of(tmp_path / "d", changed=lambda block: replace(block, logp=block.logp - 1)),
        digest_of(tmp_path / "f", spans=LAYOUT.spans()[:-1]),
        digest_of(tmp_path / "g", layout=replace(LAYOUT, attributes={"colour": ("red",) * len(LAYOUT.sample_ids)})),
    ]
    assert len({first, *others}) == 4


def test_a_cell_that_is_not_there_and_a_damaged_header(tmp_path):
    digest_of(tmp_path / "run", finished=True)
    reader = RunReader.open(tmp_path / "run")
    with pytest.raises(StoreError, match="has no"):
        trials_digest(reader, TASK, "other")
    _, (file,) = reader.place(TASK, JOB.model)
    file.path.write_bytes(b"\0" * file.path.stat().st_size)
    with pytest.raises(StoreError):
        trials_digest(RunReader.open(tmp_path / "run"), TASK, JOB.model)
