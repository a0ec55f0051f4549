"""The Fourier map of trained networks behind a filter: nothing where the filter lets nothing through."""

import pytest

import harness


@pytest.mark.slow
def test_filtered_networks_have_flat_maps_outside_their_band(tmp_path):
    harness.run(
        models=["zoo-low-frequency-only", "zoo-high-frequency-only"],
        tasks=["accuracy@shapes-64", "fourier-map@shapes-64"],
        device="cpu",
        limit=32,
        out=tmp_path / "run",
    )
    low, high = harness.open_study(tmp_path / "run").models
    increases = {
        model.name: {
            float(name.split("-")[-2]): measure.value
            for name, measure in model.measures.items()
            if name.startswith("error-increase") and name.endswith("-0")
        }
        for model in (low, high)
    }
    below, above = increases["zoo-low-frequency-only"], increases["zoo-high-frequency-only"]
    assert {below[radius] for radius in below if radius >= 6} == {0.0}
    assert max(below.values()) > 0.2
    assert {above[radius] for radius in above if radius < 16} == {0.0}
    assert max(above.values()) > 0.2
    assert low.measures["fourier-sensitivity@shapes-64/high"].value == 0.0
    assert high.measures["fourier-sensitivity@shapes-64/low"].value == 0.0
