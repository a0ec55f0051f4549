"""Shiftability of layers: against NumPy in float64, a theorem, and networks of which the order is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import AbsentCheckpointError, RequestError, open_study, read_trials, statistics
from harness.data.manifest import build
from harness.discovery.loader import load_plugins
from harness.engine.networks import load_first
from harness.planning.plan import Settings
from harness.planning.planner import plan, plan_task
from harness.plugins.probes._aliasing import PooledVariance, alias, interleaved, looked_at
from harness.plugins.probes.layer_shiftability import LayerShiftability
from harness.registry import load_registry
from harness.testing import check_measures, check_probe, make_batch, make_trials
from harness.workflows.completeness import observed
from tests.helpers import shifts
from tests.helpers.command import completed
from tests.helpers.engine import Made, Source, run, small_images, specs_of
from tests.helpers.observed import by_name
from tests.helpers.places import ROOT
from tests.helpers.shiftable import Halving, dense_map, rolled_maps


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_pooled_variance_is_the_energy_aliased_to_zero_frequency(stride):
    """Of a convolution in float64 of which every k-th place is kept; over all k * k rolls, and along the diagonal."""
    dense, maps = dense_map(16), rolled_maps(16, stride)
    spectrum, step = np.fft.fft2(dense), 16 // stride
    aliased = spectrum[:, ::step, ::step] / 16**2  # at (m N / k, n N / k)
    for rolls, energy in (
        (list(maps), (abs(aliased) ** 2).sum(axis=(1, 2)) - abs(aliased[:, 0, 0]) ** 2),
        ([(d, d) for d in range(stride)], diagonal(aliased)),
    ):
        means = [maps[offset].flatten(2).mean(dim=2) for offset in rolls]
        variance = PooledVariance(means[0])
        for of_roll in means:
            last = variance.after(of_roll)
        assert np.isclose(float(last), energy.mean(), rtol=1e-12, atol=1e-15)
        assert np.isclose(float(last), np.var(np.stack(means), axis=0).mean(), rtol=1e-12, atol=1e-15)
        assert energy.mean() > 1e-6


def diagonal(aliased):
    """Frequencies (m, n) with the same m + n modulo k turn by the same angle along the diagonal."""
    k = aliased.shape[-1]
    alike = np.add.outer(np.arange(k), np.arange(k)) % k
    return sum(abs(aliased[:, alike == turn].sum(axis=1)) ** 2 for turn in range(1, k))


def test_four_rolled_maps_are_the_map_before_its_subsampling():
    maps = rolled_maps(16, 2)
    made = interleaved(*(maps[offset] for offset in ((0, 0), (1, 0), (0, 1), (1, 1))))
    assert np.allclose(made[0], dense_map(16), rtol=0, atol=1e-12)


def written_again(dense, windowed):
    """`alias` with NumPy, frequency by frequency."""
    side = dense.shape[-1]
    if windowed:
        line = np.sin(np.pi * np.arange(1, side + 1) / (side + 1)) ** 2
        window = np.outer(line, line)
        dense = (dense - (dense * window).sum((1, 2), keepdims=True) / window.sum()) * window
    energy = abs(np.fft.fft2(dense)) ** 2
    energy[:, 0, 0] = 0
    frequencies = abs(np.fft.fftfreq(side))
    kept = (frequencies[:, None] < 0.25) & (frequencies < 0.25)
    return 1 - energy[:, kept].sum() / energy.sum()


@given(half=st.integers(3, 9), channels=st.integers(1, 3), windowed=st.booleans(), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_alias_is_its_definition(half, channels, windowed, seed):
    dense = np.random.default_rng(seed).normal(3, 1, (channels, 2 * half, 2 * half))
    made = float(alias(torch.from_numpy(dense), windowed=windowed))
    assert np.isclose(made, written_again(dense, windowed), rtol=0, atol=1e-12)


def test_alias_of_waves_and_of_what_a_nonlinearity_makes_of_them():
    """Waves below a quarter of a cycle a place are kept, others are lost; a rectified one has overtones."""
    places = torch.arange(16, dtype=torch.float64)

    def wave(rows, columns):
        return torch.cos(2 * np.pi * (rows * places[:, None] + columns * places) / 16)[None]

    for rows, columns, share in ((3, 0, 0), (1, -3, 0), (4, 0, 1), (0, 7, 1), (2, 8, 1)):
        assert float(alias(5 + wave(rows, columns), windowed=False)) == pytest.approx(share, abs=1e-12)
    assert float(alias(wave(3, 0) + wave(5, 0), windowed=False)) == pytest.approx(0.5, abs=1e-12)
    assert 0.01 < float(alias(wave(3, 1).relu(), windowed=False)) < 0.5
    assert torch.isnan(alias(torch.full((2, 16, 16), 0.7), windowed=True))


PROBE = LayerShiftability(rolls=8)
KINDS = ("stride", "blur-pool", "aps")


def networks():
    return {kind: Halving(kind).eval() for kind in KINDS}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Run folder of three networks that halve the sides three times in different ways, on 12 images of 32 pixels."""
    path = tmp_path_factory.mktemp("layers") / "run"
    failures, _ = run(path, networks(), Made(n=12, preprocessing=small_images()), probes=(PROBE,))
    assert failures == {}
    return path


LAYERS = ("stages.0.1", "stages.0", "stages.1", "stages")
"""The last module of each resolution: the first halves nothing, and the last is called like the word for all."""


def trials_of(path, kind):
    return replace(read_trials(path, "layer-shiftability@made", kind), layers=LAYERS)


def test_plain_more_than_blurred_more_than_adaptive(stored):
    of_kinds = [by_name(PROBE.measures(trials_of(stored, kind))) for kind in KINDS]
    assert not any("stage-0" in name for name in of_kinds[0])
    for stage in ("/stage-2", "/stage-3", ""):
        plain, blurred, adaptive = (named[f"gap-variation{stage}"].value for named in of_kinds)
        assert plain > 1.2 * blurred > 1e-3 and adaptive < 1e-5, stage
    for stage in ("/stage-1", "/stage-2", "/stage-3", ""):
        aliases = [named[f"layer-alias{stage}"].value for named in of_kinds]
        assert 1 > aliases[0] > aliases[1] > 0, stage
    first = [named["gap-variation/stage-1"].value for named in of_kinds]
    assert first[0] > 1e-3 and max(first[1:]) < 1e-5  # a binomial filter removes exactly what aliases to zero there
    assert all(named["gap-variation"].n == 12 and named["top1/roll-0"].value is not None for named in of_kinds)


def test_arrays_are_those_of_a_plain_loop(stored):
    trials = trials_of(stored, "stride")
    network, dataset = networks()["stride"], Made(n=12, preprocessing=small_images())
    for row, sample in list(enumerate(dataset.samples(None)))[:3]:
        image = torch.from_numpy(np.array(dataset.image(sample))[:, 4:36]).permute(2, 0, 1)[None].float() / 255
        for place in (1, 2, 3):
            reach = 2 ** (place - 1)
            offsets = PROBE._offsets(32).values()
            maps = [network.maps(image.roll(offset, (2, 3)))[place - 1] for offset in offsets]
            of = dict(zip(PROBE.conditions(32), maps, strict=True))
            means = np.stack([of[f"roll-{d}"].double().mean(dim=(2, 3))[0].numpy() for d in range(8)])
            found = trials.array("gap-variance")[row, trials.column("roll-7"), place]
            assert np.isclose(found, means.var(axis=0).mean(), rtol=1e-4)
            four = ("roll-0", f"down-{reach}", f"right-{reach}", f"roll-{reach}")
            dense = interleaved(*(of[condition] for condition in four))
            shares = trials.array("layer-alias")[row, :, place]
            assert np.flatnonzero(np.isfinite(shares)).tolist() == [trials.column(f"roll-{reach}")]
            assert np.isclose(np.nanmax(shares), written_again(dense[0].double().numpy(), True), rtol=0, atol=1e-5)
            parts = trials.array("channel-means")[row, :, place].ravel()
            assert np.allclose(parts[np.isfinite(parts)], means[0], rtol=1e-5, atol=1e-7)
            assert (trials.array("stride")[row, :, place] == 2 * reach).all()


def test_arrays_are_the_same_in_other_batches(stored, tmp_path):
    for kind, size in (("stride", 5), ("aps", 1)):
        dataset = Made(n=12, preprocessing=small_images())
        assert not run(tmp_path / kind, {kind: networks()[kind]}, dataset, probes=(PROBE,), batch_size=size)[0]
        here, there = (read_trials(path, "layer-shiftability@made", kind) for path in (stored, tmp_path / kind))
        for name in here.arrays:
            assert np.allclose(here.array(name), there.array(name), rtol=1e-4, atol=1e-6, equal_nan=True), name


@given(rows=st.lists(st.integers(0, 8), min_size=1, max_size=9, unique=True))
@settings(max_examples=5, deadline=None)
def test_bit_identical_in_any_batch(rows):
    shifts.check_any_batch(LayerShiftability(rolls=4), 17, rows)


def test_stimuli_are_rolls_and_the_first_is_the_image_bit_for_bit():
    probe, batch = LayerShiftability(), make_batch(3, 64)
    assert len(probe.conditions(224)) == 42 and len(probe.conditions(64)) == 24
    shown = {condition: stimulus.clone() for condition, stimulus in probe.stimuli(batch)}
    assert tuple(shown) == probe.conditions(64)
    assert torch.equal(shown["roll-0"], batch.images)
    for name, offset in (("down-4", (4, 0)), ("right-8", (0, 8)), ("roll-15", (15, 15))):
        assert np.array_equal(shown[name], np.roll(batch.images, offset, (2, 3))), name
    shifts.check_batch_sizes(LayerShiftability(rolls=4), 16)
    check_probe(LayerShiftability(rolls=4, window="none", layers=("head", "stages")), 32)


def made_trials(n=30, layers=("a", "b", "head"), repeats=1):
    """Trials with random arrays for three layers, of strides 2, 4 and none; (trials, arrays)."""
    rng, conditions = np.random.default_rng(1), PROBE.conditions(64)
    places, width = PROBE.arrays(64)["channel-means"].shape
    shapes = {"layer-alias": (), "gap-variance": (), "stride": (), "channel-means": (width,)}
    arrays = {name: rng.random((n, len(conditions), places, *of)).astype(np.float32) for name, of in shapes.items()}
    arrays["layer-alias"][:, 1:] = np.nan
    arrays["stride"][:] = np.array([2, 4] + [np.nan] * (places - 2))
    made = make_trials(conditions, n=n, arrays=arrays, layers=layers)
    return replace(made, repeats=repeats), arrays


def test_measures_are_their_definitions():
    trials, arrays = made_trials()
    named = by_name(LayerShiftability(rolls=8, layers=("stages", "head")).measures(trials))
    means = arrays["channel-means"].astype(float).transpose(0, 2, 1, 3).reshape(30, -1, 14 * 19)
    for place, stage in enumerate(("stage-1", "stage-2", "head")):
        share = named[f"layer-alias/{stage}"]
        assert np.isclose(share.value, arrays["layer-alias"][:, 0, place].astype(float).mean(), rtol=1e-12)
        moved = arrays["gap-variance"][:, trials.column("roll-7"), place].astype(float).mean()
        variation = named[f"gap-variation/{stage}"]
        assert np.isclose(variation.value, np.sqrt(moved / means[:, place].var(axis=0).mean()), rtol=1e-12)
        for measure in (share, variation):
            assert measure.low < measure.value < measure.high and measure.n == 30 and measure.direction == "lower"
    for name in ("layer-alias", "gap-variation"):
        of_stages = [named[f"{name}/{stage}"].value for stage in ("stage-1", "stage-2")]
        assert np.isclose(named[name].value, np.mean(of_stages)) and named[name].low < named[name].value
    check_measures(LayerShiftability(rolls=8, layers=("stages", "head")), trials)
    arrays["gap-variance"][:, :, 0] = 0  # shiftable, whatever the image: no spread, no interval
    shiftable = by_name(LayerShiftability(rolls=8).measures(trials))
    assert shiftable["gap-variation/stage-1"].value == 0 and shiftable["gap-variation/stage-1"].low is None
    for end in ("value", "low", "high"):
        expected = getattr(named["gap-variation/stage-2"], end) / 2
        assert np.isclose(getattr(shiftable["gap-variation"], end), expected), end
    halves = by_name(LayerShiftability(rolls=8, layers=("stages", "head")).measures(replace(trials, repeats=2)))
    assert halves["layer-alias/stage-1"].value == named["layer-alias/stage-1"].value
    assert halves["layer-alias/stage-1"].low != named["layer-alias/stage-1"].low


def test_undefined_numbers_have_a_reason_and_left_out_trials_a_flag():
    trials, arrays = made_trials()
    arrays["layer-alias"][:, :, 1] = np.nan
    arrays["layer-alias"][:3, :, 0] = np.nan
    arrays["channel-means"][:, :, 1] = 0.25
    arrays["channel-means"][:, :, 2] = np.nan
    named = by_name(LayerShiftability(rolls=8).measures(trials))
    assert named["layer-alias/stage-1"].n == 27
    assert named["layer-alias/stage-1"].flags == ("3 of 30 trials left out: maps that are constant or not finite",)
    assert "b has no square map" in named["layer-alias/stage-2"].reason
    assert named["layer-alias"].reason == named["layer-alias/stage-2"].reason
    assert named["gap-variation/stage-2"].reason == "the means of b are the same for all images"
    assert "gap-variation/head" not in named  # it is no stage, and nobody asked for it
    asked = by_name(LayerShiftability(rolls=8, layers=("stages", "head")).measures(trials))
    assert "head has no map" in asked["gap-variation/head"].reason
    arrays["stride"][:] = 1
    named = by_name(LayerShiftability(rolls=8).measures(trials))
    assert "fewer places" in named["layer-alias"].reason == named["gap-variation"].reason
    for other in (replace(trials, arrays={}), replace(trials, layers=())):
        named = by_name(LayerShiftability(rolls=8).measures(other))
        assert {named[name].reason for name in ("layer-alias", "gap-variation")} == {"no activations are stored"}


def test_channels_are_evenly_spaced_and_what_is_no_map_is_told_from_one():
    maps = torch.arange(2 * 10 * 9.0).view(2, 10, 3, 3)
    assert torch.equal(looked_at(maps, 4), maps[:, [0, 2, 5, 7]])
    assert torch.equal(looked_at(maps, 10), maps)
    assert looked_at(torch.zeros(2, 5, 7), 99).shape == (2, 7, 5)  # five tokens of seven channels
    assert looked_at(torch.zeros(2, 7, 7, 96), 99) is None and looked_at(torch.zeros(2, 1, 2, 2, 2), 9) is None


@pytest.mark.parametrize(
    ("parameters", "size", "message"),
    [
        ({"rolls": 6}, 64, "power of two"),
        ({"rolls": 1}, 64, "power of two"),
        ({"rolls": 64}, 64, "at least 128"),
        ({}, 7, "at least 8"),
        ({"channels": 0}, 64, "1 or more"),
        ({"window": "box"}, 64, "hann or none"),
        ({"layers": ()}, 64, "at least one layer"),
    ],
)
def test_wrong_parameters(parameters, size, message):
    with pytest.raises(ValueError, match=message):
        LayerShiftability(**parameters).conditions(size)


def planned_with(probe, tmp_path, **of_names):
    dataset = Made(n=4, preprocessing=small_images())
    task = plan_task(f"{probe.name}@made", probe, dataset, build(dataset, tmp_path), 4)
    specs = specs_of(*of_names)
    whole = plan([task], list(specs.values()), dict.fromkeys(specs, ()), Settings(batch_size=4), {})
    return observed(whole, load_first(whole, specs, {"source": Source(**of_names)}).taps)


def test_an_unknown_layer_is_refused_before_anything_is_computed(tmp_path):
    with pytest.raises(RequestError) as error:
        planned_with(LayerShiftability(rolls=4, layers=("layer9",)), tmp_path, aps=Halving("aps").eval())
    assert "\n" not in str(error.value)
    assert "unknown layer of aps 'layer9'" in str(error.value) and "stages.1" in str(error.value)
    seen = planned_with(LayerShiftability(rolls=4), tmp_path, aps=Halving("aps").eval())
    assert seen.cells[0].job.layers == LAYERS


LADDER = ("zoo-baseline", "zoo-blur-pool", "zoo-aps")
"""Networks that halve the sides as they are, after a blur, and adaptively."""


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """Model -> measures of the whole zoo on 64 images of ``shapes``, as the commands of docs/shifts.md give them."""
    registry = load_registry((), load_plugins(entry_points=False))
    names = [name for name in registry.models if name.startswith("zoo-")]
    if lacking := set(LADDER) - set(names):
        pytest.skip(f"not in the registry: {', '.join(sorted(lacking))}")
    for spec in map(registry.model, names):
        try:
            registry.source_for(spec).files(spec)
        except AbsentCheckpointError as error:
            pytest.skip(str(error))
    folder, tasks = tmp_path_factory.mktemp("zoo"), ("layer-shiftability@shapes", "roll-consistency@shapes")
    words = [word for task in tasks for word in ("--task", task)]
    assert completed(["run", *words, "--limit", "64", "--out", "zoo", "--models", *names], folder).returncode == 0
    return {model.name: model.measures for model in open_study(folder / "zoo").models}


def of_ladder(zoo, name, condition=""):
    return tuple(zoo[model][f"{name}@shapes{condition}"].value for model in LADDER)


@pytest.mark.slow
def test_the_zoo_is_a_graded_family(zoo):
    for stage in ("/stage-2", "/stage-3", "/stage-4", ""):
        plain, blurred, adaptive = of_ladder(zoo, "gap-variation", stage)
        assert plain > blurred > 1e-3 > 1e-5 > adaptive, stage
    plain, blurred, adaptive = of_ladder(zoo, "gap-variation", "/stage-1")
    assert plain > 1e-3 and max(blurred, adaptive) < 1e-5
    assert of_ladder(zoo, "roll-consistency")[2] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measure", "held"),
    [
        ("layer-alias@shapes", 0.08),
        ("gap-variation@shapes", -0.01),
        ("layer-alias@shapes/stage-4", -0.39),
        ("gap-variation@shapes/stage-4", -0.45),
        ("top1@shapes/roll-0", 0.43),
    ],
)
def test_correlations_over_the_zoo_are_those_of_the_documentation(zoo, measure, held):
    """Rounding moves a rank now and then."""
    pairs = [(of[measure].value, of["roll-consistency@shapes"].value) for of in zoo.values()]
    x, y = zip(*(pair for pair in pairs if None not in pair), strict=True)
    assert len(x) == 33 and statistics.spearman(x, y).value == pytest.approx(held, abs=0.03)
    assert f"{held:.2f}".replace("-", "−") in (ROOT / "docs" / "shifts.md").read_text()
