"""Named arrays in the store: in shards, index and export, piece by piece, checked and verified like decisions."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import ArraySpec, StoreError, read_trials
from harness.records.arrays import DTYPES, checked_arrays
from harness.store import RunReader, verify_run
from harness.store.export import export_run, left_out
from tests.helpers.store_writer import (
    ARRAYS,
    TASK,
    assert_equal_trials,
    create,
    fill,
    make_block,
    make_job,
    make_layout,
)

N = 40
LAYOUT, JOB = make_layout(n=N), make_job(arrays=ARRAYS)


@pytest.fixture(scope="module", params=["spans", "consolidated"])
def stored(request, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("arrays") / "run"
    with create(path) as run:
        fill(run, LAYOUT, JOB)
        if request.param == "consolidated":
            run.finish([JOB])
        run.publish()
    return path


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(sorted(ARRAYS)),
    ends=st.tuples(st.integers(0, N - 1), st.integers(1, N)).filter(lambda pair: pair[0] < pair[1]),
)
def test_any_piece_is_that_piece_of_the_whole(stored, name, ends):
    whole = make_block(LAYOUT, JOB, (0, N)).arrays[name]
    assert np.array_equal(read_trials(stored, TASK, JOB.model).array(name, *ends), whole[slice(*ends)])


def test_what_is_not_stored_is_an_error_that_says_what_is(stored):
    trials = read_trials(stored, TASK, JOB.model)
    assert "embedding" not in trials.arrays
    with pytest.raises(KeyError, match=r"no array 'embedding' \(available: depth, lost, map\).*before the probe"):
        trials.array("embedding")
    with pytest.raises(StoreError, match="keeps no arrays/embedding"):
        RunReader.open(stored).read_array(TASK, JOB.model, "embedding", 0, 1)
    with pytest.raises(ValueError, match="which has 40"):
        trials.array("map", 30, 41)


def test_the_index_shows_them_before_and_after(tmp_path):
    with create(tmp_path / "run") as run:
        run.put_layout(LAYOUT)
        run.begin(JOB, {})
        run.publish()
        run.commit(JOB, (16, 32), make_block(LAYOUT, JOB, (16, 32)))
        with h5py.File(tmp_path / "run" / "index.h5") as index:
            arrays = index[TASK][JOB.model]["arrays"]
            expected = make_block(LAYOUT, JOB, (16, 32)).arrays
            assert {name: arrays[name].dtype for name in arrays} == {n: np.dtype(s.dtype) for n, s in ARRAYS.items()}
            for name, values in expected.items():
                assert arrays[name].shape == (N, 2, *ARRAYS[name].shape)
                assert np.array_equal(arrays[name][16:32], values)
            assert np.isnan(arrays["map"][:16]).all() and (arrays["lost"][32:] == 255).all()


def test_an_export_holds_them_or_says_that_it_does_not(stored, tmp_path):
    export_run(stored, tmp_path / "trials.h5")
    with h5py.File(tmp_path / "trials.h5") as file:
        for name, values in make_block(LAYOUT, JOB, (0, N)).arrays.items():
            assert np.array_equal(file[TASK][JOB.model]["arrays"][name][:], values)
    run = RunReader.open(stored)
    assert left_out(run, tmp_path / "trials.h5") == []
    assert left_out(run, tmp_path / "trials.csv") == [
        f"array {name} of {TASK}: export to .h5 for it" for name in ("depth", "lost", "map")
    ]


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_a_flipped_byte_in_an_array_is_seen(tmp_path, name):
    path = tmp_path / "run"
    with create(path) as run:
        fill(run, LAYOUT, JOB)
        run.finish([JOB])
    assert verify_run(RunReader.open(path)) == []
    (shard,) = path.glob(f"shards/{TASK}/*/*/all.h5")
    with h5py.File(shard) as file:
        offset = file["arrays"][name].id.get_offset() + 3
    content = bytearray(shard.read_bytes())
    content[offset] ^= 16
    shard.write_bytes(content)
    assert [line for line in verify_run(RunReader.open(path)) if f"arrays/{name} of samples 0-16" in line]
    trials = read_trials(path, TASK, JOB.model)
    with pytest.raises(StoreError, match=f"arrays/{name} of samples .* do not match SHA-256"):
        trials.array(name)


def test_an_index_that_shows_another_array_is_seen(tmp_path):
    path = tmp_path / "run"
    with create(path) as run:
        fill(run, LAYOUT, JOB)
        run.finish([JOB])
    with h5py.File(path / "index.h5", "r+") as index:
        group = index[TASK][JOB.model]["arrays"]
        wrong = group["map"][:] + 1
        del group["map"]
        group["map"] = wrong
    assert [line for line in verify_run(RunReader.open(path)) if "shows another arrays/map" in line]


def _with_map(change):
    return lambda block: replace(block, arrays={**block.arrays, "map": change(block.arrays["map"])})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            _with_map(lambda array: array[:, :, :3]),
            r"arrays/map is float32 \(16, 2, 3, 3\), expected float32 \(16, 2, 4",
        ),
        (_with_map(lambda array: array.astype(np.float64)), "arrays/map is float64"),
        (_with_map(lambda array: np.full_like(array, np.inf)), "array map is NaN or infinite"),
        (lambda block: replace(block, arrays={"map": block.arrays["map"]}), "arrays/depth is missing"),
        (lambda block: replace(block, arrays={**block.arrays, "more": block.arrays["lost"]}), "more is not declared"),
    ],
)
def test_arrays_that_were_not_declared_so_are_refused(tmp_path, change, message):
    with create(tmp_path / "run") as run:
        fill(run, LAYOUT, JOB, [])
        with pytest.raises(ValueError, match=message):
            run.commit(JOB, (0, 16), change(make_block(LAYOUT, JOB, (0, 16))))
        assert run.cell(TASK, JOB.model).spans == ()


def test_a_float_that_may_be_undefined_is_stored_as_it_is(tmp_path):
    block = make_block(LAYOUT, JOB, (0, 16))
    block.arrays["depth"][3] = np.nan
    block.arrays["depth"][4] = -np.inf
    with create(tmp_path / "run") as run:
        fill(run, make_layout(n=16), JOB, [])
        run.commit(JOB, (0, 16), block)
        run.finish([JOB])
        assert run.read(TASK, JOB.model).array("depth").tobytes() == block.arrays["depth"].tobytes()
        assert verify_run(run) == []


def test_cells_with_and_without_arrays_stand_side_by_side(tmp_path):
    plain = make_job("net-b")
    with create(tmp_path / "run") as run:
        for job in (JOB, plain):
            fill(run, LAYOUT, job)
        run.finish([JOB, plain])
        for job in (JOB, plain):
            assert_equal_trials(run.read(TASK, job.model), LAYOUT, job)
        assert verify_run(run) == []
    with h5py.File(tmp_path / "run" / "index.h5") as index:
        assert sorted(index[TASK]["net-b"]) == ["correct", "logp", "rank", "top5"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_has_its_size_and_comes_back(tmp_path, dtype):
    spec = ArraySpec(shape=(3,), dtype=dtype)
    job, layout = make_job(arrays={"x": spec}), make_layout(n=16)
    assert spec.bytes == 3 * np.dtype(dtype).itemsize
    with create(tmp_path / "run") as run:
        fill(run, layout, job)
        run.publish()
        assert_equal_trials(run.read(TASK, job.model), layout, job)
        assert verify_run(run) == []


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([("x", ArraySpec())], "expected a mapping"),
        ({"a/b": ArraySpec()}, "an array is called 'a/b'"),
        ({"": ArraySpec()}, "an array is called ''"),
        ({3: ArraySpec()}, "an array is called 3"),
        ({"x": ((3,), "float32")}, "expected harness.ArraySpec"),
        ({"x": ArraySpec(dtype="bool")}, "type 'bool', expected one of float16"),
        ({"x": ArraySpec(shape=(0,))}, "expected a tuple of positive numbers"),
        ({"x": ArraySpec(shape=[3])}, "expected a tuple of positive numbers"),
        ({"x": ArraySpec(shape=(True,))}, "expected a tuple of positive numbers"),
    ],
)
def test_declarations_that_cannot_be_stored(arrays, message):
    with pytest.raises(ValueError, match=message):
        checked_arrays(arrays)
