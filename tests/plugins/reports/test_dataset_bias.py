"""The report `dataset-bias`: histograms and KL against SciPy, networks that read one place, gaps and odd values."""

import json
import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness import Reason, Remark, StoreError, Study, StudyModel, TaskLayout, Trials
from harness.output.formats import FORMATS, render, to_json
from harness.output.plain_drawing import to_text
from harness.plugins.datasets.shapes import ShapesPlaced
from harness.plugins.reports.dataset_bias import DatasetBias, by_place, places, schema
from tests.helpers.bounds import bounded
from tests.helpers.memory_runs import Reader
from tests.helpers.typed_documents import violations

REPORT = DatasetBias()


def trials(correct, task="accuracy@placed", shown="clean", targets=None, **attributes):
    """`correct`: one truth value an image; `attributes`: name -> numbers or texts."""
    n = len(correct)
    layout = TaskLayout(
        task=task,
        sample_ids=tuple(f"image-{number:05d}" for number in range(n)),
        targets=np.zeros((n, 1), np.int16) if targets is None else targets,
        conditions=(shown,),
        classes=("cat", "dog"),
        size=8,
        span=16,
        attributes={
            name: tuple(v if isinstance(v, str) else f"{v:.6f}" for v in of) for name, of in attributes.items()
        },
    )
    top5 = np.full((n, 1, 5), -1, np.int16)
    logp = np.full(top5.shape, np.nan, np.float16)
    return Trials(model="", layout=layout, top5=top5, logp=logp, correct=np.array(correct, bool)[:, None])


def study(cells, missing=(), **more):
    """`cells`: model -> trials or an error, of one task each; errors belong to accuracy@placed."""
    tasks = {name: "accuracy@placed" if isinstance(of, Exception) else of.layout.task for name, of in cells.items()}
    nothing = {"measures": {}, "biases": {}, "axes": {}}
    models = tuple(
        StudyModel(name=name, group=None, run="runs/a", **nothing, missing=tuple(r for m, r in missing if m == name))
        for name in dict.fromkeys([*cells, *(name for name, _ in missing)])
    )
    reader = Reader({(tasks[name], name): of for name, of in cells.items()})
    return Study(models=models, biases={}, axes={}, trial_reader=reader, **more)


def report(cells, **more):
    data = REPORT.data(study(cells, **more))
    to_json(data)
    for form in FORMATS:
        text = render(REPORT, data, form)
        assert form != "terminal" or max(map(len, text.splitlines()), default=0) <= 80
    for figure in REPORT.figures(data):
        assert figure.title in to_text(figure)
    return data


def test_the_data_is_as_its_schema_says():
    values = np.random.default_rng(1).random(60)
    whole = trials(values < 0.5, x=values, y=values, size=values, tilt=values)
    data = json.loads(to_json(report({"m": whole, "n": trials([True] * 3, x=["odd"] * 3)})))
    assert list(violations(data, schema.DatasetBiasData)) == []


def only(entries, **wanted):
    (entry,) = [one for one in entries if all(one[key] == value for key, value in wanted.items())]
    return entry


# --- where objects are -----------------------------------------------------------------------


@given(st.lists(st.integers(0, 400), min_size=2, max_size=64).filter(any))
@settings(max_examples=60)
def test_kl_and_p_are_those_of_scipy(counts):
    entry = places.divergence(np.array(counts))
    assert entry["kl"] == pytest.approx(stats.entropy(counts, np.ones(len(counts))), abs=1e-12)
    statistic, _ = stats.power_divergence(counts, lambda_="log-likelihood")
    assert 2 * entry["n"] * entry["kl"] == pytest.approx(statistic, abs=1e-8)
    p = stats.chi2.sf(statistic * (len(counts) - 1) / (2 * entry["n"] * entry["kl_by_chance"]), len(counts) - 1)
    assert entry["p"] == pytest.approx(p, rel=1e-6, abs=1e-300)
    assert 0 <= entry["kl"] <= math.log(len(counts)) + 1e-12
    assert places.divergence(np.array(counts[::-1]))["kl"] == pytest.approx(entry["kl"], abs=1e-12)
    assert places.divergence(7 * np.array(counts))["kl"] == pytest.approx(entry["kl"], abs=1e-12), "shares alone"


@pytest.mark.parametrize(("n", "cells"), [(1, 2), (1, 8), (4, 2), (5, 3), (4, 4)])
def test_the_mean_by_chance_is_that_of_all_draws(n, cells):
    draws = [np.bincount(draw, minlength=cells) for draw in product(range(cells), repeat=n)]
    mean = np.mean([stats.entropy(counts, np.ones(cells)) for counts in draws])
    assert places.kl_by_chance(n, cells) == pytest.approx(mean, abs=1e-12)


def test_the_mean_by_chance_of_many_draws_is_millers():
    for n, cells in ((20_000, 8), (50_000, 64)):
        assert places.kl_by_chance(n, cells) == pytest.approx((cells - 1) / (2 * n), rel=0.01)


@pytest.mark.parametrize("n", [40, 160, 320])
def test_p_is_right_for_few_images_too(n):
    """Of uniform places, a twentieth has p below 0.05; with fewer images than the 64 cells, fewer."""
    draws = np.random.default_rng(2).multinomial(n, np.full(64, 1 / 64), size=1200)
    ps = np.array([places.divergence(counts)["p"] for counts in draws])
    assert (ps < 0.05).mean() < 0.08 and (ps < 0.5).mean() == pytest.approx(0.5, abs=0.08)
    assert n < 64 or (ps < 0.05).mean() > 0.02


def test_one_image_in_each_cell_is_uniform():
    middles = [(k + 0.5) / 8 for k in range(8)]
    x, y = np.meshgrid(middles, middles)
    (entry,) = report({"m": trials([True] * 64, x=x.ravel(), y=y.ravel())})["datasets"]
    assert (entry["place"]["kl"], entry["place"]["p"]) == (0, 1)
    assert entry["place"]["counts"] == [[1] * 8] * 8
    assert entry["place"]["spread"] == pytest.approx(math.sqrt((8**2 - 1) / 12) / 8), "that of 8 equal steps"


def test_uniform_places_have_the_kl_of_chance_and_planted_ones_more():
    generator = np.random.default_rng(4)
    n = 20_000
    uniform = generator.random((2, n))
    central = 0.5 + 0.25 * (generator.random((2, n)) - 0.5)  # 4 of 64 cells
    found = {}
    for name, (x, y) in {"uniform": uniform, "central": central}.items():
        data = report({"m": trials(np.ones(n), x=x, y=y)})
        found[name] = data["datasets"][0]["place"]
    assert found["uniform"]["kl"] == pytest.approx(63 / (2 * n), rel=0.5) and found["uniform"]["p"] > 0.001
    assert found["uniform"]["kl_by_chance"] == pytest.approx(63 / (2 * n), rel=0.01)
    assert found["uniform"]["spread"] == pytest.approx(found["uniform"]["uniform_spread"], rel=0.02)
    assert found["central"]["kl"] == pytest.approx(math.log(16), abs=1e-3) and found["central"]["p"] == 0
    assert found["central"]["spread"] == pytest.approx(0.25 / math.sqrt(12), rel=0.02)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
@settings(max_examples=30)
def test_histograms_and_spreads_against_numpy(seed, n):
    generator = np.random.default_rng(seed)
    x, y, size = generator.random((3, n)).round(2).clip(0.01, 1)
    tilt = generator.uniform(-180, 180, n)
    values = {"x": x, "y": y, "size": size, "tilt": tilt}
    for name, of in values.items():
        entry = places.attribute_entry(name, np.append(of, np.nan))
        edges = np.linspace(entry["start"], entry["end"], len(entry["counts"]) + 1)
        counts = [
            sum(low <= v < high for v in of) for low, high in zip(edges[:-1], [*edges[1:-1], np.inf], strict=True)
        ]
        assert entry["counts"] == counts and entry["n"] == n
        assert entry["mean"] == pytest.approx(of.sum() / n)
        logged = np.array([math.log2(v) for v in of]) if name == "size" else of
        assert entry["spread"] == pytest.approx(math.sqrt(((logged - logged.mean()) ** 2).sum() / n), abs=1e-12)
    place = places.place_entry(x, y)
    assert np.array(place["counts"]).sum(axis=0).tolist() == places.histogram("x", x).tolist()
    assert np.array(place["counts"]).sum(axis=1).tolist() == places.histogram("y", y).tolist()


@pytest.mark.parametrize("attribute", places.SCALES)
def test_uniform_values_have_the_uniform_spread(attribute):
    scale = places.SCALES[attribute]
    values = np.linspace(scale.start, scale.end, 200_001)[1:]
    entry = places.attribute_entry(attribute, values)
    assert entry["spread"] == pytest.approx(scale.uniform_spread, rel=1e-3)
    assert entry["kl"] == pytest.approx(0, abs=1e-8)


def places_of(dataset):
    columns = zip(*(sample.attributes for sample in dataset.samples(dataset.root())), strict=True)
    attributes = dict(zip(dataset.attributes, columns, strict=True))
    (entry,) = report({"m": trials([True] * dataset.images, **attributes)})["datasets"]
    return entry


def test_the_places_of_shapes():
    """Centres are uniform on a sixteenth of the image: KL is ln 16, spread 1 / (4 √12)."""
    entry = places_of(ShapesPlaced(images=3200))
    assert entry["place"]["kl"] == pytest.approx(math.log(16), abs=3 * 4 / (2 * 3200))
    assert entry["place"]["spread"] == pytest.approx(0.25 / math.sqrt(12), rel=0.03)
    assert [a["attribute"] for a in entry["attributes"]] == ["x", "y", "size", "tilt"]
    tilt = only(entry["attributes"], attribute="tilt")
    assert tilt["spread"] == pytest.approx(0.11 * 360 / math.sqrt(12), rel=0.03)


def test_the_places_of_objects_anywhere():
    """Centres are uniform on the image: KL is that of chance."""
    place = places_of(ShapesPlaced(images=3200, margin=0))["place"]
    assert place["kl"] < 2 * place["kl_by_chance"] and place["p"] > 0.001
    assert place["spread"] == pytest.approx(1 / math.sqrt(12), rel=0.03)


# --- accuracy --------------------------------------------------------------------------------


class Corner(torch.nn.Module):
    """Says class 1 if and only if there is something bright in the top left quarter."""

    def forward(self, images):
        bright = images[:, :, :32, :32].amax(dim=(1, 2, 3))
        return torch.stack([0.5 - bright, bright - 0.5], dim=1)


def squares(each=24):
    """Images with a square in the middle of each sixteenth, `each` of both classes: bright (1) and dim (0)."""
    middles = [(k + 0.5) / 4 for k in range(4)]
    rows = [(x, y, label) for y in middles for x in middles for label in [0, 1] * each]
    images = torch.zeros(len(rows), 3, 64, 64)
    for image, (x, y, label) in zip(images, rows, strict=True):
        right, down = round(64 * x), round(64 * y)
        image[:, down - 4 : down + 4, right - 4 : right + 4] = 0.9 if label else 0.3
    x, y, labels = (np.array(column) for column in zip(*rows, strict=True))
    return images, x, y, labels


def test_a_network_that_reads_one_corner():
    """All right where it looks; elsewhere it says class 0, which half of the images are: exactly, cell by cell."""
    images, x, y, labels = squares()
    correct = Corner()(images).argmax(dim=1).numpy() == labels
    (model,) = report({"corner": trials(correct, x=x, y=y)})["models"]
    assert (model["n"], model["accuracy"]) == (768, (4 + 12 * 0.5) / 16)
    for cell in model["cells"]:
        assert cell["n"] == 48
        assert cell["accuracy"] == (1.0 if cell["right"] <= 0.5 and cell["bottom"] <= 0.5 else 0.5)
        wilson = stats.binomtest(round(cell["accuracy"] * 48), 48).proportion_ci(method="wilson")
        assert (cell["low"], cell["high"]) == pytest.approx((wilson.low, wilson.high), abs=1e-9)
    functions = {entry["attribute"]: entry for entry in model["functions"]}
    assert functions["x"]["high"] < 0 and functions["y"]["high"] < 0, "the farther right or down, the worse"
    assert functions["x"]["slope"] == pytest.approx(functions["y"]["slope"], abs=1e-12), "its corner is symmetric"
    assert functions["distance"]["slope"] == pytest.approx(0, abs=1e-12), "four corners, of which it sees one"


def test_a_network_that_reads_everything_has_no_slope():
    generator = np.random.default_rng(0)
    x, y, size = generator.random((3, 4000)).clip(0.01)
    (model,) = report({"m": trials(generator.random(4000) < 0.7, x=x, y=y, size=size)})["models"]
    for entry in model["functions"]:
        assert abs(entry["slope"]) < entry["high"] - entry["low"], f"{entry['attribute']}: four standard errors"
        assert sum(part["n"] for part in entry["bins"]) == 4000
        assert [part["n"] for part in entry["bins"]] == [1000] * 4
    larger = trials(generator.random(4000) < size, x=x, y=y, size=size)
    (model,) = report({"m": larger})["models"]
    assert only(model["functions"], attribute="size")["slope"] == pytest.approx(1, abs=0.06)
    accuracies = [part["accuracy"] for part in only(model["functions"], attribute="size")["bins"]]
    assert accuracies == sorted(accuracies)


@given(st.integers(0, 2**32 - 1), st.integers(20, 80))
@settings(max_examples=30)
def test_slopes_against_the_normal_equations(seed, n):
    generator = np.random.default_rng(seed)
    values, correct = generator.random(n), generator.random(n) < 0.6
    design = np.stack([np.ones(n), values], axis=1)
    inverse = np.linalg.inv(design.T @ design)
    weights = inverse @ design.T @ correct
    residuals = correct - design @ weights
    variance = inverse @ (design.T * residuals**2 @ design) @ inverse
    slope, low, high = by_place.slope(values, correct)
    assert slope == pytest.approx(weights[1], abs=1e-9)
    if correct.any() and not correct.all():
        assert high - low == pytest.approx(2 * stats.norm.ppf(0.975) * math.sqrt(variance[1, 1]), rel=1e-6)
    shifted, *_ = by_place.slope(values + 5, ~correct)
    assert shifted == pytest.approx(-slope, abs=1e-9)


def test_few_images_have_no_accuracy():
    x = np.array([0.1] * 30 + [0.9] * 19)
    (model,) = report({"m": trials([True] * 49, x=x, y=[0.1] * 49)})["models"]
    few = only(model["cells"], left=0.75, top=0.0)
    assert (few["n"], few["accuracy"], few["low"], few["reason"]) == (19, None, None, "19 images, fewer than 20")
    assert only(model["cells"], left=0.0, top=0.0)["accuracy"] == 1
    assert only(model["cells"], left=0.5, top=0.5)["reason"] == "no images"
    assert only(model["functions"], attribute="y")["reason"] == "the same value for all images"
    (model,) = report({"m": trials([True] * 19, x=x[-19:], y=[0.1] * 19)})["models"]
    assert {entry["reason"] for entry in model["functions"]} == {"19 images, fewer than 20"}


@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0]), min_size=1, max_size=50))
@settings(max_examples=50)
def test_every_image_is_in_one_bin(values):
    values = np.array(values)
    entry = by_place.function_of("x", np.append(values, np.nan), np.ones(len(values) + 1, np.int8))
    assert sum(part["n"] for part in entry["bins"]) == entry["n"] == len(values)
    for part in entry["bins"]:
        last = part["end"] == values.max()
        inside = (values >= part["start"]) & ((values <= part["end"]) if last else (values < part["end"]))
        assert part["n"] == inside.sum()


def test_samples_without_labels_or_places_count_for_neither():
    targets = np.array([[0]] * 30 + [[-1]] * 10, np.int16)
    x = [0.3] * 25 + [""] * 5 + [0.3] * 10
    data = report({"m": trials([True] * 30 + [False] * 10, targets=targets, x=x, y=x)})
    (model,), (entry,) = data["models"], data["datasets"]
    assert (model["n"], model["accuracy"]) == (30, 1.0)
    assert (entry["images"], entry["place"]["n"]) == (40, 35)
    assert only(model["cells"], left=0.25, top=0.25)["n"] == 25
    assert "placed: 5 of 40 images have no x" in data["warnings"]
    unlabelled = report({"m": trials([False] * 40, targets=np.full((40, 1), -1), x=[0.3] * 40)})
    assert (unlabelled["models"][0]["accuracy"], unlabelled["models"][0]["reason"]) == (None, "no images")


# --- what is not there -----------------------------------------------------------------------


def test_a_run_without_places_gets_one_line():
    remarks = [Remark("data", "shapes", "synthetic"), Remark("flag", "top1@shapes", "chance")]
    data = report({"m": trials([True] * 3, task="accuracy@shapes", texture=["a", "b", "c"])}, warnings=tuple(remarks))
    (line,) = data["warnings"]
    assert "x, y, size, tilt" in line and "shapes-placed" in line
    assert "Type: harness run --task accuracy@shapes-placed" in line and "\n" not in line
    assert (data["datasets"], data["models"], REPORT.figures(data)) == ([], [], [])
    assert REPORT.data(replace(study({}), trial_reader=None))["warnings"] == [line]


def test_remarks_on_other_datasets_are_left_out():
    about = [Remark("data", name, "partial") for name in ("placed", "shapes, placed", "shapes")]
    about += [Remark("flag", "top1@placed/clean, top1@other", "chance"), Remark("flag", "top1@other", "chance"), "text"]
    data = report({"m": trials([True] * 3, x=[0.1] * 3)}, warnings=tuple(about))
    assert data["warnings"] == [str(about[k]) for k in (0, 1, 3, 5)]


def test_models_without_decisions_are_named_with_the_reason():
    absent = Reason(kind="task", subject="accuracy@placed", text="no checkpoint")
    cells = {"a": trials([True] * 3, x=[0.1] * 3), "b": StoreError("shard 1 is damaged")}
    other = Reason(kind="task", subject="accuracy@elsewhere", text="not run")
    data = report(cells, missing=[("c", absent), ("d", absent), ("b", absent), ("a", other)])
    assert data["warnings"] == [
        "no decisions on accuracy@placed: shard 1 is damaged: b",
        "no decisions on accuracy@placed: no checkpoint: c, d",
    ]


def test_decisions_on_modified_images_alone_are_not_used():
    data = report({"m": trials([True] * 3, task="band-pass@placed", shown="low-pass-0.1", x=[0.1] * 3)})
    assert data["models"] == []
    assert data["warnings"][1].startswith(
        "placed: no decisions on unmodified images. Type: harness run --task accuracy@"
    )


def test_accuracy_is_preferred_and_another_probe_serves():
    both = study({"m": trials([True] * 30, x=[0.1] * 30)})
    cells = {("shape-bias@placed", "m"): trials([False] * 30, task="shape-bias@placed", x=[0.1] * 30)}
    data = REPORT.data(replace(both, trial_reader=Reader(cells)))
    assert [(model["task"], model["accuracy"]) for model in data["models"]] == [("shape-bias@placed", 0.0)]
    data = REPORT.data(replace(both, trial_reader=Reader({**cells, **both.trial_reader.trials})))
    assert [(model["task"], model["accuracy"]) for model in data["models"]] == [("accuracy@placed", 1.0)]


def test_runs_with_other_images_are_listed_one_by_one():
    cells = {
        name: trials([True] * 30, x=[place] * 30, y=[0.5] * 30)
        for name, place in zip("abc", (0.1, 0.1, 0.9), strict=True)
    }
    data = report(cells)
    assert [entry["models"] for entry in data["datasets"]] == [["a", "b"], ["c"]]
    assert data["warnings"] == [
        "placed: the runs hold other images, or other places of their objects; each is listed with its models"
    ]
    assert [figure.name for figure in REPORT.figures(data)][-1] == "accuracy-y-placed-2"


def test_a_run_without_places_does_not_hide_another():
    """The same dataset in two runs, of which the first says nothing of places: the second counts, and is read once."""
    cells = {"a": trials([True] * 30), "b": trials([True] * 30), "c": trials([True] * 30, x=[0.1] * 30)}
    two = study(cells)
    reads = []
    read = two.trial_reader.read
    two.trial_reader.read = lambda task, model: (reads.append(model), read(task, model))[1]
    models = tuple(replace(model, run="runs/b" if model.name == "c" else "runs/a") for model in two.models)
    assert [model["model"] for model in REPORT.data(replace(two, models=models))["models"]] == ["c"]
    assert reads == ["a", "c"]


HOSTILE = {
    "word": "left", "nan": "nan", "infinite": "inf", "overflow": "1e999", "pixels": "120", "negative": "-0.1",
    "escape": "\x1b[31mred", "formula": "=cmd()", "markup": "<script>x</script>", "half a character": "\udc80",
    "long": "9" * 1_000_000, "lines": "0.1\n0.2", "direction": "\u202e0.1",
}  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_hostile_attributes_cost_one_line(value, tmp_path):
    """The attribute has no numbers, and a reason; the others and the accuracy stay; no control character gets out."""
    with bounded(tmp_path):
        data = report({"m": trials([True] * 30, x=[value] + [0.5] * 29, y=[0.5] * 30)})
        text = render(REPORT, data)
    (entry,) = data["datasets"]
    bad, good = entry["attributes"]
    assert (bad["n"], bad["kl"], bad["mean"]) == (0, None, None)
    assert bad["reason"].startswith("x of image-00000 is '") and bad["reason"].endswith("0 to 1")
    assert len(bad["reason"]) < 200 and "\n" not in bad["reason"]
    assert good["n"] == 30 and entry["place"] is None
    (model,) = data["models"]
    assert (model["accuracy"], model["cells"]) == (1.0, [])
    assert [function["attribute"] for function in model["functions"]] == ["y"]
    assert "\x1b" not in text and "\u202e" not in text
    assert json.loads(render(REPORT, data, "json"))["datasets"][0]["place"] is None


@pytest.mark.slow
def test_networks_that_saw_centred_objects_alone(harness):
    """The numbers of docs/report.md: both see objects in the middle; away from it a network of shapes sees nothing."""
    code, _, error = harness(
        "run", "--task", "accuracy@shapes-anywhere", "--models", "zoo-shape-only", "zoo-texture-only",
        "--device", "cpu", "--out", "run",
    )  # fmt: skip
    assert code == 0, error
    data = json.loads(harness("report", "run", "--report", "dataset-bias", "--format", "json")[1])
    bins = {
        m["model"]: [b["accuracy"] for b in only(m["functions"], attribute="distance")["bins"]] for m in data["models"]
    }
    assert bins["zoo-shape-only"] == pytest.approx([0.72, 0.05, 0.04, 0.04], abs=0.03)
    assert bins["zoo-texture-only"] == pytest.approx([0.94, 0.85, 0.58, 0.24], abs=0.03)
