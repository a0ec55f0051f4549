"""The importer of the published table: on made-up tables, and on the real one where it is present."""

import csv
import json
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import product

import numpy as np
import pytest

from harness import RequestError
from harness.discovery.loader import load_plugins
from harness.plugins.importers import paper
from harness.plugins.importers.paper import AXES, BIASES, GROUPS, STATISTICS, TOLERANCES, Paper, _sources
from harness.registry import load_registry
from harness.study.protocols import stated

NEEDED = list(dict.fromkeys(["model", *(column for one in _sources() if one.needed for column in one.columns)]))


def row(name="tv_resnet50", **cells):
    """Percentages of 50, everything else 0.25."""
    values = {column: "50.0" if column.startswith("top1_acc") else "0.25" for column in NEEDED}
    return {**values, "model": name, **cells}


@pytest.fixture
def table(tmp_path):
    def write(*rows, columns=None):
        path = tmp_path / "benchmark.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns or list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write


def test_percent_become_fractions_and_lists_are_averaged(table):
    cells = {f"metric/bandpass/LFC/0.{i}": str(i / 10) for i in range(1, 6)}
    path = table(row(**cells, **{"top1_acc/imagenet": "76.146", "metric/criticalband/cf_norm": "38.85"}))
    (model,) = Paper().read(path).models
    assert model.measures["top1@imagenet"].value == pytest.approx(0.76146)
    assert model.measures["low-frequency-bias@imagenet"].value == pytest.approx(0.3)
    centre = model.measures["critical-band-center-frequency@imagenet"]
    assert (centre.value, centre.unit) == (38.85, "cycles/image")
    assert model.group == "baseline"


def test_empty_cells_are_missing_with_the_reason(table):
    path = table(row("vonenet_resnet50", **{"top1_acc/PGD-40/low": "", "metric/bandpass/HFC/0.3": " "}))
    (model,) = Paper().read(path).models
    assert model.group is None
    for name in ("top1@imagenet/pgd-40-low", "high-frequency-bias@imagenet"):
        assert name not in model.measures
        assert model.missing[name] == "not in the published table"
    assert model.missing["top1@imagenet/pgd-40-high"] == "not in the published table"


def test_errata_and_tolerances_name_measures_of_the_table(table):
    found = Paper().read(table(row(**{"top1_acc/PGD-40/high": "1.0"})))
    measures = found.models[0].measures
    assert [one.measure for one in found.errata if one.measure not in measures] == []
    for name in measures:
        fitting = [one for one in found.tolerances if fnmatchcase(name, one.measures)]
        assert bool(fitting) != ("-raw@" in name), name
    assert measures["top1@imagenet"].n == 50_000
    assert measures["top1@imagenet-c"].flags == ("note: mean over 19 corruptions, not the usual 15",)


def test_every_part_of_a_definition_is_read(table):
    measures = Paper().read(table(row())).models[0].measures
    for parts in [*BIASES.values(), *AXES.values()]:
        assert set(parts) <= set(measures)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"top1_acc/imagenet": "n/a"}, r"row 2 \(tv_resnet50\): column top1_acc/imagenet has 'n/a'.*a percentage"),
        ({"top1_acc/imagenet": "101"}, "has 101, expected a percentage"),
        ({"shape-bias": "nan"}, "column shape-bias has nan, expected a finite number"),
        ({"model": ""}, "the column 'model' is empty"),
    ],
)
def test_bad_cells_are_refused(table, cells, message):
    with pytest.raises(RequestError, match=message):
        Paper().read(table(row(**cells)))


def test_a_model_twice_is_refused(table):
    with pytest.raises(RequestError, match="row 3: model 'tv_resnet50' occurs twice"):
        Paper().read(table(row(), row()))


def test_missing_columns_are_named(table):
    kept = [column for column in NEEDED if not column.startswith("metric/criticalband")]
    path = table({column: row()[column] for column in kept})
    with pytest.raises(RequestError) as caught:
        Paper().read(path)
    message = str(caught.value)
    assert "no column metric/criticalband/bw_norm, metric/criticalband/cf_norm, metric/criticalband/pns_norm" in message
    assert str(path) in message
    assert "expected the study's raw-data/benchmark.csv" in message


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n\x00\xff", b'{"a": 1}\n', b"a,b\n1,2\n"])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "benchmark.csv"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"benchmark\.csv"):
        Paper().read(path)


def test_no_file_a_folder_and_no_rows_are_refused(tmp_path, table):
    with pytest.raises(RequestError, match="cannot be read"):
        Paper().read(tmp_path / "absent.csv")
    with pytest.raises(RequestError, match="cannot be read"):
        Paper().read(tmp_path)
    path = table(row())
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(RequestError, match="a header and no models"):
        Paper().read(path)


def test_short_rows_and_doubled_columns_are_refused(table):
    path = table(row(), row("resnet18"))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], "resnet18,50"]) + "\n")
    with pytest.raises(RequestError, match="row 3: the number of cells is not"):
        Paper().read(path)
    path.write_text("\n".join(line + extra for line, extra in zip(lines, [",model", ",x", ",y"], strict=True)) + "\n")
    with pytest.raises(RequestError, match="the column 'model' twice"):
        Paper().read(path)


def test_groups_hold_48_models_once():
    names = [name for names in GROUPS.values() for name in names]
    assert len(names) == len(set(names)) == 48


def test_the_suite_of_that_name_defines_biases_axes_and_groups_alike():
    """Else a report over the table and one's own run of the suite would be refused, or place models wrongly."""
    registry = load_registry((), load_plugins())
    suite = registry.suites["paper"]
    assert (dict(suite.biases), dict(suite.axes)) == (dict(BIASES), dict(AXES))
    assert suite.statistics == STATISTICS
    assert {name: registry.models[name].group for names in GROUPS.values() for name in names} == {
        name: group for group, names in GROUPS.items() for name in names
    }


def test_the_hook_names_the_importer():
    assert [one.name for one in paper.harness_importers()] == ["paper"]


def test_groups_as_published(real):
    published = json.loads((real / "paper" / "r50_categories.json").read_text())
    assert {group: set(names) for group, names in published.items()} == {g: set(n) for g, n in GROUPS.items()}


def test_the_published_table(real):
    path = real / "paper" / "benchmark.csv"
    table = Paper().read(path)
    with path.open(newline="") as file:
        rows = {one["model"]: one for one in csv.DictReader(file)}
    assert {model.name for model in table.models} == set(rows)
    assert len(table.models) == 70
    assert sum(model.group is not None for model in table.models) == 48
    for model in table.models:
        assert model.measures["top1@imagenet"].value == float(rows[model.name]["top1_acc/imagenet"]) / 100
        assert model.measures["shape-bias@cue-conflict"].value == float(rows[model.name]["shape-bias"])
        assert not set(model.measures) & set(model.missing)
    assert sum("top1@imagenet/pgd-40-low" in model.missing for model in table.models) == 5
    assert "CC BY-SA 4.0" in table.license


def test_corruption_means_are_over_19_and_10(real):
    cbar = ("blue_noise_sample", "brownish_noise", "caustic_refraction", "checkerboard_cutout", "cocentric_sine_waves")
    cbar += ("inverse_sparkles", "perlin_noise", "plasma_noise", "single_frequency_greyscale", "sparkles")
    with (real / "paper" / "benchmark.csv").open(newline="") as file:
        published = next(one for one in csv.DictReader(file) if one["model"] == "tv_resnet50")
    each = {column[9:-2]: [] for column in published if column.startswith("top1_acc/") and column[-2:] in _SEVERITIES}
    for column, value in published.items():
        if column.startswith("top1_acc/") and column[-2:] in _SEVERITIES:
            each[column[9:-2]].append(float(value))
    common = [value for name, values in each.items() if name not in cbar for value in values]
    assert (len(each), len(common)) == (29, 95)
    assert sum(common) / 95 == pytest.approx(float(published["top1_acc/imagenet-c"]))


_SEVERITIES = ("_1", "_2", "_3", "_4", "_5")


def test_the_tolerances_of_the_critical_band_are_what_one_noise_step_moves(real):
    """Third quartile over all single steps of one threshold of the 22 networks, rounded."""
    from harness.plugins.probes.critical_band import ChannelError, fit

    networks = json.loads((real / "critical_band" / "published_fits.json").read_text())["networks"]
    moves = []
    for network in networks.values():
        indices = np.array(network["threshold_index"])
        before = fit(indices)
        for band, step in product(range(len(indices)), (-1, 1)):
            stepped = indices + step * (np.arange(len(indices)) == band)
            if 0 <= stepped[band] <= 4:
                with suppress(ChannelError):
                    after = fit(stepped)
                    moves.append(
                        (
                            abs(abs(after.bandwidth) - abs(before.bandwidth)),
                            abs(after.center_frequency(224) - before.center_frequency(224)),
                            abs(after.peak_noise_sensitivity - before.peak_noise_sensitivity),
                        )
                    )
    assert len(moves) == 240
    quartiles = np.quantile(moves, 0.75, axis=0)
    for name, moved in zip(("bandwidth", "center-frequency", "peak-noise-sensitivity"), quartiles, strict=True):
        within = next(one.within for one in TOLERANCES if one.measures == f"critical-band-{name}@*")
        assert moved == pytest.approx(within, rel=0.1)


def test_every_published_measure_is_that_of_a_probe_of_ours(table):
    imported = Paper().read(table(row()))
    assert set(imported.probes.values()) <= set(load_plugins().probes)
    made_by = {name: stated(imported.probes, name)["probe.name"] for name in imported.models[0].measures}
    assert made_by["top1@imagenet/pgd-40-low"] == "pgd" and made_by["top1@imagenet"] == "accuracy"
    assert {name: probe for name, probe in made_by.items() if "bias" in name} == {
        "shape-bias@cue-conflict": "shape-bias",
        "low-frequency-bias@imagenet": "band-pass",
        "high-frequency-bias@imagenet": "band-pass",
    }


# --- units of columns -------------------------------------------------------------------------

PERCENT = [column for column in NEEDED if column.startswith("top1_acc")]
OTHERS = [column for column in NEEDED if column != "model" and column not in PERCENT]
HARD = ("top1_acc/imagenet-a", "top1_acc/PGD-40/low")
MODELS = [name for names in GROUPS.values() for name in names][:7]


def made_up(seed=0):
    """Seven rows of accuracies from 40 to 80 percent and fractions from 0.2 to 0.6."""
    draw = np.random.default_rng(seed)
    return [
        row(name, **{c: f"{draw.uniform(40, 80) if c in PERCENT else draw.uniform(0.2, 0.6):.4g}" for c in NEEDED[1:]})
        for name in MODELS
    ]


@pytest.mark.parametrize("column", PERCENT)
@pytest.mark.parametrize("at", [0, 3, 6])
def test_a_fraction_among_percentages_is_refused_with_row_and_column(table, column, at):
    rows = made_up(at)
    rows[at][column] = str(float(rows[at][column]) / 100)
    with pytest.raises(RequestError) as caught:
        Paper().read(table(*rows))
    assert f"row {at + 2} ({MODELS[at]}): column {column} has 0." in caught.value.reason
    assert "expected a percentage" in caught.value.reason


@pytest.mark.parametrize("column", OTHERS)
def test_a_percentage_among_fractions_is_refused_with_row_and_column(table, column):
    rows = made_up()
    rows[2][column] = "23.0"
    if column in ("metric/criticalband/bw_norm", "metric/criticalband/cf_norm"):
        assert len(Paper().read(table(*rows)).models) == 7  # octaves and cycles
        return
    with pytest.raises(RequestError, match=rf"row 4 \({MODELS[2]}\): column {column} has 23"):
        Paper().read(table(*rows))


@pytest.mark.parametrize("text", ["-0.1", "nan", "inf", "66,3", "1e999"])
@pytest.mark.parametrize("column", NEEDED[1:])
def test_no_column_takes_what_is_not_a_number_of_its_unit(table, column, text):
    with pytest.raises(RequestError, match=f"column {column} has '?{text}"):
        Paper().read(table(row(**{column: text})))


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_rows_of_fractions_are_refused(table, rows):
    fractions = [{c: str(float(v) / 100) if c in PERCENT else v for c, v in one.items()} for one in made_up()[:rows]]
    with pytest.raises(RequestError, match=r"row 2 .*column top1_acc/imagenet has 0\..* look like fractions"):
        Paper().read(table(*fractions))
    with pytest.raises(RequestError, match=r"row 9 .* look like fractions"):
        Paper().read(table(*made_up(), {**fractions[0], "model": "another"}))


def test_a_network_that_guesses_is_imported(table):
    guessing = row("chance", **{**dict.fromkeys(PERCENT, "0.1"), "top1_acc/imagenet-r": "0.5"})
    assert len(Paper().read(table(*made_up(), guessing)).models) == 8
    assert len(Paper().read(table(guessing)).models) == 1


@pytest.mark.parametrize("column", HARD)
def test_a_network_that_an_attack_or_a_hard_set_defeats_is_imported(table, column):
    # torchvision's first ResNet-50 has 0.0267 % on ImageNet-A, others of the table from 1.7 to 30 %.
    rows = made_up()
    for one, value in zip(rows, ("1.7", "2.1", "5.4", "11.0", "30.1", "0.2", "0.0267"), strict=True):
        one[column] = value
    assert len(Paper().read(table(*rows)).models) == 7


@pytest.mark.parametrize("factor", [0.01, 0.1, None], ids=["fractions", "tenths", "errors"])
def test_a_clean_column_of_another_unit_is_refused(table, factor):
    """The column by which the others are judged, alone in another unit: it is far below harder sets."""
    rows = made_up()
    for one in rows:
        clean = float(one["top1_acc/imagenet"])
        one["top1_acc/imagenet"] = str(100 - clean if factor is None else clean * factor)
    with pytest.raises(RequestError, match=r"column top1_acc/imagenet has .*as the .* of top1_acc/imagenet-"):
        Paper().read(table(*rows))


@pytest.mark.parametrize(("column", "images"), paper.MEANING.images.items())
@pytest.mark.parametrize("right", [1, 36, 349, 2_407])
def test_a_fraction_of_whole_images_in_a_hard_column_is_refused(table, column, images, right):
    rows = [{**one, column: str(100 * right / images)} for one in made_up()]
    assert len(Paper().read(table(*rows)).models) == 7
    rows[3][column] = str(right / images)
    with pytest.raises(RequestError, match=rf"row 5 .*column {column} has [\d.e-]+, expected a percentage"):
        Paper().read(table(*rows))


def test_more_than_all_images_cannot_be_right(table):
    """A relative accuracy of 1.5 is possible for a network with 60 % clean accuracy, of 1.7 is not."""
    column = "metric/bandpass/LFC/0.3"
    for value, refused in (("1.66", False), ("1.7", True)):
        path = table(row(**{**dict.fromkeys(PERCENT, "60"), column: value}))
        if not refused:
            assert len(Paper().read(path).models) == 1
            continue
        with pytest.raises(RequestError, match=rf"column {column} has 1\.7, expected at most 1\.67: .* more than all"):
            Paper().read(path)


@pytest.mark.parametrize(("quantity", "value"), [("bw", "48.3"), ("cf", "259")])
def test_a_critical_band_beyond_any_image_is_refused(table, quantity, value):
    with pytest.raises(
        RequestError, match=rf"column metric/criticalband/{quantity}_norm has {value}, expected .*from 0"
    ):
        Paper().read(table(row(**{f"metric/criticalband/{quantity}_norm": value})))
