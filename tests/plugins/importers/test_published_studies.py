"""The importers `imagenet-x`, `imagenet-testbed` and `timm`: what they read, and what they refuse."""

import gzip
import zlib
from functools import lru_cache
from pathlib import Path

import pytest

from harness import RequestError, open_study
from harness.discovery.loader import load_plugins
from harness.plugins.datasets._imagenet_x import FACTORS as OF_DATASET
from harness.plugins.importers.imagenet_testbed import AXES, STATISTICS, ImageNetTestbed
from harness.plugins.importers.imagenet_x import BIASES, FACTORS, MULTI, NOT_A_NETWORK, TOP, ImageNetX
from harness.plugins.importers.timm_results import SETS, TimmResults
from harness.plugins.probes.accuracy import Accuracy
from harness.registry import load_registry
from tests.helpers.bounds import bounded
from tests.helpers.imagenet_x import trials_of
from tests.helpers.published_tables import factor_row, shift_row, timm_row, write_table

ON_DISK = [f"imagenet-c.{name}.{level}_on-disk" for name in (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "snow",
    "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression", "speckle_noise",
    "gaussian_blur", "spatter", "saturate") for level in range(1, 6)]  # fmt: skip


def factors(path, *rows, columns=None):
    return ImageNetX().read(write_table(path, rows, columns))


# --- ImageNet-X -------------------------------------------------------------------------------


def test_error_ratios_are_errors_over_the_networks_own_error(tmp_path):
    table = factors(tmp_path / "top-base-class.csv", factor_row("net", 4))
    (model,) = table.models
    average = int(46_110 * 0.52) / 46_110
    assert model.measures["top1@imagenet-x/without-prototypes"].value == pytest.approx(average)
    ratios = [model.measures[f"error-ratio@imagenet-x/{factor}"].value for factor in FACTORS]
    assert model.measures["worst-factor@imagenet-x"].value == max(ratios)
    assert model.measures["error@imagenet-x"].value == pytest.approx(1 - average)
    for factor in FACTORS:
        top1, ratio = (model.measures[f"{name}@imagenet-x/{factor}"] for name in ("top1", "error-ratio"))
        assert ratio.value == pytest.approx((1 - top1.value) / (1 - average))
        assert (ratio.unit, ratio.direction, ratio.n, top1.n) == ("1", "neither", TOP[factor], TOP[factor])
    assert (table.biases, dict(table.axes)) == (BIASES, {})
    assert table.license == "CC BY-NC 4.0"


@pytest.mark.parametrize(
    ("name", "ratio", "bias"),
    [
        ("top-base-class.csv", "error-ratio@imagenet-x", "pose"),
        ("top-modelvshuman-real_class.csv.gz", "error-ratio@imagenet-x-real", "pose-real"),
        ("top-imagenet_testbed-metaclass.csv", "error-ratio@imagenet-x-metaclass", "pose-metaclass"),
        ("multi-base-class.csv", "error-ratio-multi@imagenet-x", "pose-multi"),
        ("multi-base-real_class.csv", "error-ratio-multi@imagenet-x-real", "pose-multi-real"),
        ("top_factor/crop/class/accuracies_per_factor.csv", "error-ratio@imagenet-x", "pose"),
        (
            "multi_factor/a/metaclass/accuracies_per_factor.csv",
            "error-ratio-multi@imagenet-x-metaclass",
            "pose-multi-metaclass",
        ),
    ],
)
def test_the_name_says_which_table_it_is(tmp_path, name, ratio, bias):
    table = factors(tmp_path / name, factor_row("net", 1, MULTI if "multi" in name else TOP))
    assert table.biases[bias] == (f"{ratio}/pose",)
    assert {measure.partition("/")[0] for parts in table.biases.values() for measure in parts} == {ratio}
    assert f"error@{ratio.partition('@')[2]}" in table.models[0].measures


def test_the_six_kinds_stand_in_one_report(tmp_path, command_line):
    for kind, of in (("top", TOP), ("multi", MULTI)):
        for correct in ("class", "real_class", "metaclass"):
            file = write_table(
                tmp_path / f"{kind}-a-{correct}.csv", [factor_row(f"net{at}", at, of) for at in range(6)]
            )
            assert command_line("import", "imagenet-x", file, "--out", f"{kind}-{correct}")[0] == 0
    runs = [f"{kind}-{correct}" for kind in ("top", "multi") for correct in ("class", "real_class", "metaclass")]
    study = open_study(*runs)
    assert len(study.biases) == 6 * 16
    assert all(value is not None for model in study.models for value in model.biases.values())


def test_two_tables_that_say_different_things_of_one_network_are_refused(tmp_path, command_line):
    for run, of, at in (("top", TOP, 1), ("multi", MULTI, 2)):
        file = write_table(tmp_path / f"{run}-a-class.csv", [factor_row("net", at, of)])
        assert command_line("import", "imagenet-x", file, "--out", run)[0] == 0
    code, out, err = command_line("report", "top", "multi")
    assert (code, out) == (2, "")
    assert "model 'net' is in top and in multi, both with error@imagenet-x (2 shared measures)" in err


def test_people_have_accuracies_and_no_error_ratio(tmp_path):
    table = factors(tmp_path / "top-base-real_class.csv", factor_row("net"), factor_row("human", 3))
    people = table.models[1]
    assert people.measures["top1@imagenet-x-real/pose"].value > 0
    ratios = ["worst-factor@imagenet-x-real", *(f"error-ratio@imagenet-x-real/{factor}" for factor in FACTORS)]
    assert people.missing == dict.fromkeys(ratios, NOT_A_NETWORK)
    assert not any(name.startswith("error-ratio") for name in people.measures)


def test_a_network_without_errors_has_no_ratio_and_a_reason(tmp_path):
    cells = dict.fromkeys((*FACTORS, "worst_factor", "average"), 1)
    (model,) = factors(tmp_path / "top-base-class.csv", factor_row("net", **cells)).models
    ratio = model.measures["error-ratio@imagenet-x/pose"]
    assert (ratio.value, ratio.reason) == (None, "undefined (no errors)")


def test_the_published_ratios_of_resnet50_to_all_printed_digits(real):
    table = ImageNetX().read(real / "more" / "imagenet_x_results" / "top-base-class.csv.gz")
    (model,) = [model for model in table.models if model.name == "ResNet50"]
    printed = (0.6947, 1.1417, 0.7714, 1.1888, 1.4974, 1.7442, 1.1324, 2.1055, 2.3939, 1.3159, 1.7150, 1.9233, 2.1713,
               1.9280, 1.1664, 1.9739)  # fmt: skip
    found = [model.measures[f"error-ratio@imagenet-x/{factor}"].value for factor in FACTORS]
    assert found == pytest.approx(printed, abs=5.001e-5)
    assert model.measures["top1@imagenet-x/without-prototypes"].value == pytest.approx(0.746693, abs=5e-7)


def test_each_of_the_18_published_tables_is_read(real):
    tables = [ImageNetX().read(path) for path in sorted((real / "more" / "imagenet_x_results").glob("*.csv.gz"))]
    assert (
        sorted(len(table.models) for table in tables) == [4] * 4 + [5] * 2 + [54] * 4 + [55] * 2 + [335] * 4 + [336] * 2
    )
    names = [tuple(table.biases) for table in tables]
    assert len(set(names)) == 6


@pytest.mark.parametrize("kind", ["top", "multi"])
def test_imported_numbers_are_those_that_the_probe_measures_under_the_same_names(real, kind):
    table = ImageNetX().read(real / "more" / "imagenet_x_results" / f"{kind}-base-class.csv.gz")
    (imported,) = [model.measures for model in table.models if model.name == "ViT"]
    measured = {m.full_name("imagenet-x"): m for m in Accuracy().measures(trials_of(real, "ViT"))}
    shared = imported.keys() & measured.keys()
    ratios = {part for parts in table.biases.values() for part in parts}
    assert ratios < shared and "error@imagenet-x" in shared and len(shared) == (18 if kind == "top" else 17)
    for name in shared:
        assert imported[name].value == pytest.approx(measured[name].value, rel=1e-12), name
        assert (imported[name].unit, imported[name].direction) == (measured[name].unit, measured[name].direction), name
        assert name == "worst-factor@imagenet-x" or imported[name].n == measured[name].n, name


# --- the testbed ------------------------------------------------------------------------------


def test_settings_that_are_datasets_have_their_names_and_others_keep_their_own(tmp_path):
    settings = ("imagenet-a", "imagenet-c.fog.3_on-disk", "imagenet-c.fog.3_in-memory", "ytbb-robust_pm0",
                "objectnet-1.0-beta", "imagenet-vid-robust_pm10", "imagenetv2-topimages")  # fmt: skip
    path = write_table(tmp_path / "t.csv", [shift_row("net", 3, settings), shift_row("gap", 2, settings, val="")])
    net, gap = ImageNetTestbed().read(path).models
    assert set(net.measures) == {
        "top1@imagenet", "top1@imagenet-v2", "top1@imagenet-a", "top1@imagenet-c/fog-3", "pm0@ytbb-robust",
        "top1@testbed/imagenet-c.fog.3_in-memory", "top1@testbed/objectnet-1.0-beta", "pm10@vid-robust",
        "top1@testbed/imagenetv2-topimages",
    }  # fmt: skip
    assert net.measures["top1@imagenet"].value == pytest.approx(0.46)
    assert (net.measures["pm10@vid-robust"].n, net.measures["top1@imagenet-a"].n) == (1_109, 7_500)
    assert gap.missing == {"top1@imagenet": "not in the published table"}


def test_imagenet_c_is_the_mean_of_all_its_files_or_absent(tmp_path):
    rows = [shift_row("net", 3, ON_DISK), shift_row("gap", 2, ON_DISK, **{"imagenet-c.saturate.4_on-disk": ""})]
    net, gap = ImageNetTestbed().read(write_table(tmp_path / "t.csv", rows)).models
    single = [net.measures[f"top1@imagenet-c/{name.split('.')[1]}-{name.split('.')[2][0]}"].value for name in ON_DISK]
    assert net.measures["top1@imagenet-c"].value == pytest.approx(sum(single) / 95)
    assert net.measures["top1@imagenet-c-15"].value == pytest.approx(sum(single[:75]) / 75)
    assert "top1@imagenet-c" not in gap.measures and "top1@imagenet-c-15" in gap.measures
    assert net.measures["top1@imagenet-c"].n == gap.measures["top1@imagenet-c-15"].n == 50_000, "images, not decisions"


def test_cells_of_spaces_are_empty(tmp_path):
    rows = [shift_row(f"net{at}", at) for at in range(4)]
    rows[2]["imagenet-sketch"] = "  "
    (*_, gap, _) = ImageNetTestbed().read(write_table(tmp_path / "t.csv", rows)).models
    assert gap.missing == {"top1@imagenet-sketch": "not in the published table"}


def test_all_338_networks_and_their_settings(real):
    table = ImageNetTestbed().read(real / "more" / "testbed_robustness_top1s.csv.gz")
    assert len(table.models) == 338
    by_name = {model.name: model.measures for model in table.models}
    for network, pm0, pm10 in [("resnet50", 67.54, 52.48), ("vgg16", 61.41, 43.10), ("resnet50_lpf3", None, 52.39)]:
        assert by_name[network]["pm10@vid-robust"].value == pytest.approx(pm10 / 100, abs=5.001e-5)
        assert pm0 is None or by_name[network]["pm0@vid-robust"].value == pytest.approx(pm0 / 100, abs=5.001e-5)
    lacking = {part for parts in AXES.values() for part in parts} - by_name["resnet50"].keys()
    assert lacking == set()


def test_the_suite_of_that_name_defines_the_biases_and_axes_of_the_tables():
    """Else a report over the tables and one's own run of the suite would be refused."""
    suite = load_registry((), load_plugins()).suites["imagenet-x"]
    assert dict(suite.biases) == dict(BIASES)
    assert FACTORS == OF_DATASET
    assert len(suite.axes) == 6 and suite.axes.items() <= AXES.items()
    assert suite.statistics == STATISTICS


# --- timm -------------------------------------------------------------------------------------


@pytest.mark.parametrize("images", SETS)
def test_timm_says_which_images_in_the_name_of_the_file(tmp_path, images):
    dataset, condition, n = SETS[images]
    rows = [timm_row("a", 3, top1_diff="-1.5", rank_diff="+1"), timm_row("b", top1_diff="-9", rank_diff="0")]
    table = TimmResults().read(write_table(tmp_path / f"results-{images}.csv", rows))
    name = f"{dataset}/{condition}" if condition else dataset
    assert set(table.models[0].measures) == {f"top1@{name}", f"top5@{name}"}
    measure = table.models[0].measures[f"top1@{name}"]
    assert (measure.value, measure.n) == (pytest.approx(0.63), n)
    assert list(table.axes.values()) == ([] if condition else [(f"top1@{name}",)])
    shared = {axis: parts for axis, parts in table.axes.items() if axis in AXES}
    assert shared == {axis: AXES[axis] for axis in shared}


# --- other files ------------------------------------------------------------------------------

X, T, M = "top-base-class.csv", "t.csv", "results-imagenet.csv"
READERS = {X: ("imagenet-x", factor_row), T: ("imagenet-testbed", shift_row), M: ("timm", timm_row)}
FRACTION = {X: "average", T: "val", M: "top1"}


def rows_of(name):
    return [READERS[name][1](f"net{at}", at) for at in range(8)]


def changed(name, at=0, **cells):
    rows = rows_of(name)
    rows[at] |= cells
    return rows


CELLS = {
    "fractions in a testbed row": (
        T,
        changed(T, 2, val="0.44"),
        "row 4 (net2): column val has 0.44, expected a perc",
    ),
    "a fraction in a column of the testbed": (
        T,
        changed(T, 1, **{"imagenet-sketch": "0.22001"}),
        "column imagenet-sketch has '0.22001', expected a percentage that is a whole number of 50,889 images",
    ),
    "all fractions": (
        T,
        [row | {column: row[column] / 100 for column in row if column != "model"} for row in rows_of(T)],
        "expected a percentage",
    ),
    "a percentage among fractions": (X, changed(X, 1, pose="31.4"), "column pose has '31.4', expected a fraction"),
    "a small percentage among fractions": (X, changed(X, 1, pose="0.812345678"), "a whole number of the 15,064 images"),
    "a table of all factors named top": (X, [factor_row("net", 1, MULTI)], "is it another table?"),
    "another worst factor": (X, changed(X, 0, worst_factor="0.3"), "column worst_factor has '0.3', expected"),
    "NaN": (X, changed(X, 0, texture="nan"), "column texture has 'nan', expected a fraction from 0 to 1"),
    "NaN in percent": (T, changed(T, 0, val="NaN"), "column val has 'NaN', expected a percentage"),
    "infinite": (T, changed(T, 0, val="1e999"), "expected a percentage from 0 to 100"),
    "endless digits": (X, changed(X, 0, pose="0." + "1" * 100_000), f"has '0.{'1' * 38}…', expected a whole number"),
    "endless text": (M, changed(M, 0, top1="a" * 100_000), f"has '{'a' * 40}…', expected a percentage"),
    "negative": (X, changed(X, 0, texture="-0.5"), "expected a fraction"),
    "above all": (M, changed(M, 0, top1="100.1"), "column top1 has '100.1', expected a percentage"),
    "an empty fraction": (X, changed(X, 0, texture=""), "column texture has '', expected a fraction"),
    "an empty percentage of timm": (M, changed(M, 0, top5=""), "column top5 has '', expected a percentage"),
    "fractions in timm": (M, changed(M, 1, top1="0.61", top1_err="0.39"), "add up to 1, expected percentages"),
    "a fraction and an error in percent": (M, changed(M, 1, top1="0.61"), "add up to 39.61, expected percentages"),
    "top-5 below top-1": (M, changed(M, 0, top5="40", top5_err="60"), "top1 is 60 and top5 40, expected"),
    "a name of control characters": (T, changed(T, 0, model="a\x1b[31m"), "control character"),
    "an endless name": (T, changed(T, 0, model="a" * 5_000), "has 5,000 characters, expected at most 200"),
    "an empty name": (M, changed(M, 3, model="  "), "row 5: the column 'model' is empty"),
    **{
        f"a model twice in {name}": (name, changed(name, 3, model="net0"), "row 5: model 'net0' occurs twice, first in")
        for name in READERS
    },
}


def refused_as_one_line(command_line, form, path, words):
    with bounded(path.parent):
        code, out, err = command_line("import", form, path, "--out", "new")
    assert (code, out) == (2, ""), err
    assert err.startswith("error: ") and err.count("\n") == 1 and err.strip().isprintable(), err
    assert words in err
    assert not Path("new").exists()


@pytest.mark.parametrize("case", CELLS)
def test_hostile_cells_are_refused_by_row_and_column(command_line, tmp_path, case):
    name, rows, words = CELLS[case]
    path = write_table(tmp_path / "in" / name, rows)
    refused_as_one_line(command_line, READERS[name][0], path, words)


def text_of(tmp_path, name):
    return write_table(tmp_path / "in" / name, rows_of(name)).read_bytes().decode()


@lru_cache
def bomb(size=64 << 20):
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()


def commas(text):
    return text.partition("\n")[0].count(",")


FILES = {
    "absent column": (lambda text: text.replace("model", "network", 1).encode(), "has no column model"),
    "column twice": (lambda text: text.replace("\r\n", ",model\r\n", 1).encode(), "'model' twice"),
    "short row": (lambda text: text.rsplit(",", 1)[0].encode(), "row 9: the number of cells is not"),
    "long row": (lambda text: text.rstrip().encode() + b",1\r\n", "row 9: the number of cells is not"),
    "no rows": (lambda text: text.splitlines()[0].encode(), "has a header and no models"),
    "empty": (lambda _: b"", "has no column model"),
    "binary": (lambda _: b"\x89PNG\r\n\x1a\n\x00\xff", "is not CSV text"),
    "NUL": (lambda text: text.replace("net0", "net\0", 1).encode(), "control character"),
    "open quote": (lambda text: (text + '"').encode(), "is not CSV text"),
    "truncated gzip": (lambda text: gzip.compress(text.encode())[:-9], "is a damaged gzip file"),
    "damaged gzip": (lambda text: gzip.compress(text.encode())[:30] + bytes(200), "is a damaged gzip file"),
    "gzip header alone": (lambda _: b"\x1f\x8b", "is a damaged gzip file"),
    "bomb": (lambda _: bomb(), "holds more than 8 MiB of text"),
    "bomb of a table": (lambda text: gzip.compress(text.encode() + b"a,\r\n" * (3 << 20)), "more than 8 MiB of text"),
    "very many rows": (lambda _: gzip.compress(b"model,a\n" + b"a,\n" * (2 << 20)), "has no column"),
    "very many columns": (lambda text: ("a," * (3 << 20) + text).encode(), "column 'a' twice"),
    "very many cells": (lambda text: (text + f"net{',' * commas(text)}\r\n" * 200_000).encode(), "cells; expected"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("name", [X, M])
def test_hostile_files_are_refused_in_one_line(command_line, tmp_path, name, kind):
    content, words = FILES[kind]
    path = tmp_path / "in" / name
    text = text_of(tmp_path, name)
    path.write_bytes(content(text))
    refused_as_one_line(command_line, READERS[name][0], path, words)


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("imagenet-x", "results.csv"),
        ("imagenet-x", "top-base-class.txt"),
        ("imagenet-x", "../in/accuracies_per_factor.csv"),
        ("timm", "results.csv"),
        ("timm", "results-benchmark.csv"),
    ],
)
def test_hostile_names_that_do_not_say_which_table_it_is(command_line, tmp_path, form, name):
    refused_as_one_line(command_line, form, write_table(tmp_path / "in" / name, [timm_row("net")]), "; rename it")


@pytest.mark.parametrize("setting", ["../up", "a/b", "", "@", "a\x1b[31m", "x" * 101], ids=repr)
def test_hostile_settings_become_no_measure(command_line, tmp_path, setting):
    rows = [row | {setting: 1} for row in rows_of(T)]
    refused_as_one_line(command_line, "imagenet-testbed", write_table(tmp_path / "in" / T, rows), "expected a setting")


def test_a_refusal_of_a_kind_of_table_says_how_to_say_it(tmp_path):
    with pytest.raises(RequestError) as caught:
        ImageNetX().read(write_table(tmp_path / "accuracies.csv", [factor_row("net")]))
    assert "FACTORS-NETWORKS-CORRECT.csv" in str(caught.value)
    assert caught.value.remedy == "harness import imagenet-x top-imagenet_testbed-class.csv.gz --out RUN"
