"""Per-sample noise: what it depends on, and that it is standard normal."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.randomness import normal_fields, sample_key, uniform_fields

IDS = tuple(f"n0/{index}.JPEG" for index in range(9))


def fields(ids=IDS, seed=0, purpose="probe", shape=(16, 16)):
    return normal_fields(seed, ids, purpose, shape, "cpu")


@given(order=st.permutations(range(len(IDS))), count=st.integers(1, len(IDS)))
@settings(max_examples=20, deadline=None)
def test_a_field_does_not_depend_on_its_batch(order, count):
    chosen = order[:count]
    assert torch.equal(fields([IDS[index] for index in chosen]), fields()[list(chosen)])


def test_a_field_does_not_depend_on_threads():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = fields()
        torch.set_num_threads(4)
        assert torch.equal(fields(), alone)
    finally:
        torch.set_num_threads(before)


def test_stream_is_pinned():
    # NumPy keeps the streams of its bit generators; if these values change, stored results cannot be resumed.
    drawn = normal_fields(7, ["val/a.JPEG"], "critical-band", (4, 4), "cpu").flatten()[:4]
    expected = [0.010364054702222347, -1.2640460729599, -0.446909099817276, 0.04134118929505348]
    assert drawn.tolist() == expected


@pytest.mark.parametrize(
    "other", [dict(seed=1), dict(seed=2**32), dict(purpose="other"), dict(ids=tuple(f"x{name}" for name in IDS))]
)
def test_seed_purpose_and_id_give_unrelated_fields(other):
    one, two = fields(shape=(64, 64)).flatten(), fields(**other, shape=(64, 64)).flatten()
    correlation = float(torch.corrcoef(torch.stack((one, two)))[0, 1])
    assert abs(correlation) < 5 / len(one) ** 0.5


def test_key_uses_all_128_bits():
    keys = [sample_key(0, name, "probe") for name in IDS]
    assert len(set(keys)) == len(IDS)
    assert max(keys) >= 2**64


def test_standard_normal():
    drawn = fields(shape=(224, 224))
    assert drawn.dtype == torch.float32
    assert drawn.shape == (len(IDS), 224, 224)
    assert stats.kstest(drawn.flatten().numpy(), "norm").pvalue > 1e-4
    # Each field alone: mean and variance within five standard errors.
    assert drawn.mean(dim=(1, 2)).abs().max() < 5 / 224
    assert (drawn.var(dim=(1, 2)) - 1).abs().max() < 5 * 2**0.5 / 224


def test_white():
    power = np.abs(np.fft.fft2(fields(shape=(64, 64)).numpy())) ** 2 / 64**2
    assert power.mean() == pytest.approx(1, abs=0.05)
    halves = [power[:, :16].mean(), power[:, 16:32].mean()]
    assert halves == pytest.approx([1, 1], abs=0.08)


def test_uniform_numbers_are_uniform_and_each_samples_own():
    drawn = uniform_fields(3, IDS, "start", (3, 32, 32), "cpu")
    assert drawn.shape == (len(IDS), 3, 32, 32) and drawn.dtype == torch.float32
    assert 0 <= drawn.min() and drawn.max() < 1
    assert stats.kstest(drawn.flatten().numpy(), "uniform").pvalue > 0.001
    assert torch.equal(uniform_fields(3, IDS[4:5], "start", (3, 32, 32), "cpu")[0], drawn[4])
    assert not torch.equal(uniform_fields(4, IDS[4:5], "start", (3, 32, 32), "cpu")[0], drawn[4])


def test_uniform_stream_is_pinned():
    drawn = uniform_fields(7, ["val/a.JPEG"], "pgd", (1, 2, 2), "cpu").flatten()
    assert drawn.tolist() == pytest.approx(
        [0.2893161177635193, 0.8412916660308838, 0.07785308361053467, 0.4757738709449768], abs=0
    )
