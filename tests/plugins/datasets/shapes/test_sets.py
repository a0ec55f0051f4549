"""The datasets shapes…: what is in them, and that every machine makes the same pixels."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from harness import Preprocessing, RequestError
from harness.plugins.datasets.shapes import (
    Shapes,
    ShapesA,
    ShapesC,
    ShapesCBar,
    ShapesCueConflict,
    ShapesCues,
    ShapesFactors,
    ShapesR,
    ShapesReal,
    hard,
    harness_datasets,
    scene,
)
from harness.plugins.datasets.shapes import corrupted as _shapes_corrupted
from harness.registry import load_registry
from harness.testing import check_dataset
from tools import choose_shapes_a, contact_sheets

SETS = {dataset.name: dataset for dataset in harness_datasets()}
COUNTS = {
    "shapes": 320, "shapes-64": 64, "shapes-v2": 320, "shapes-real": 320, "shapes-c": 64, "shapes-c-bar": 64,
    "shapes-a": 160, "shapes-sketch": 160, "shapes-r": 160, "shapes-stylized": 160, "shapes-cue-conflict": 240,
    "shapes-placed": 320, "shapes-anywhere": 640, "shapes-votes": 320, "shapes-cues": 256, "shapes-factors": 512,
}  # fmt: skip
ALL_SHAPES = "4085b5f8f9ecb023"
GOLDEN = {
    "shapes": "bba2ab6a10a0d1b9",
    "shapes-v2": "c8f460aa7518bfe3",
    "shapes-real": "cbe4cf0dae968cbb",
    "shapes-c": "1577252211733fdd",
    "shapes-c-bar": "3ec4e58b98ea8516",
    "shapes-a": "c05c6ea7a052fd40",
    "shapes-sketch": "5739cc45672dec97",
    "shapes-r": "aa17468832e0bac6",
    "shapes-stylized": "1832d3ba5865ab4f",
    "shapes-cue-conflict": "604813aa1ff0a0b2",
    "shapes-64": "1b0aed3be5c7a2a9",
    "shapes-placed": "bba2ab6a10a0d1b9",
    "shapes-anywhere": "de86c9f6808f198e",
    "shapes-votes": "cbe4cf0dae968cbb",
    "shapes-cues": "6bf2253615aef405",
    "shapes-factors": "c2e662d8dbac4ec7",
}


def samples_of(dataset):
    return list(dataset.samples(dataset.root()))


def few(dataset):
    """Three images; of a set with views one in each of them."""
    samples = samples_of(dataset)
    if dataset.name == "shapes-a":  # one of each kind, whichever were chosen
        return [replace(samples[0], id=name) for name in ("star-000", "key-001", "bolt-002", "boat-003")]
    if dataset.views():
        return [replace(samples[place % 64], view=view) for place, view in enumerate(dataset.views())]
    return [samples[0], samples[21], samples[-1]]


def digest(dataset, samples):
    total = hashlib.sha256()
    for sample in samples:
        total.update(sample.id.encode() + np.asarray(dataset.image(sample)).tobytes())
    return total.hexdigest()[:16]


def digests():
    return {name: digest(dataset, few(dataset)) for name, dataset in SETS.items()}


PRINTED = """
import hashlib, json, sys
from dataclasses import replace
from harness.plugins.datasets.shapes import Shapes, harness_datasets
{functions}
SETS = {{dataset.name: dataset for dataset in harness_datasets()}}
import numpy as np
print(json.dumps({value}))
"""


def elsewhere(value, **environment):
    """A running process of Python that prints `value`, with the functions above."""
    import inspect

    functions = "\n".join(map(inspect.getsource, (samples_of, few, digest, digests)))
    return subprocess.Popen(
        [sys.executable, "-c", PRINTED.format(functions=functions, value=value)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def printed(process):
    out, error = process.communicate()
    assert process.returncode == 0, error
    return json.loads(out)


# --- pixels ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
def test_golden(name):
    """Other pixels: bump `version` of the set, for every stored number was measured on these."""
    assert digest(SETS[name], few(SETS[name])) == GOLDEN[name]


def test_golden_of_all_shapes():
    assert digest(Shapes(), samples_of(Shapes())) == ALL_SHAPES


def test_the_same_without_vector_instructions():
    """A stand-in for another processor: NumPy's loops for all instruction sets beyond the oldest are switched off."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    present = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
    if not present:
        pytest.skip("this processor has no more than NumPy's baseline")
    off = {"NPY_DISABLE_CPU_FEATURES": " ".join(present)}
    features = "np._core._multiarray_umath.__cpu_features__"
    value = f"[digests(), [name for name in {present} if {features}[name]]]"
    assert printed(elsewhere(value, **off)) == [GOLDEN, []]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_same_in_processes(count):
    parts = [elsewhere(f"digest(Shapes(), samples_of(Shapes())[{part}:48:{count}])") for part in range(count)]
    assert [printed(part) for part in parts] == [
        digest(Shapes(), samples_of(Shapes())[part:48:count]) for part in range(count)
    ]


def test_the_same_in_threads():
    dataset = ShapesC(corruptions=("frost", "jpeg_compression", "elastic_transform"))
    work = [replace(sample, view=view) for view in dataset.views() for sample in samples_of(dataset)[:16]]
    alone = [dataset.pixels(sample) for sample in work]
    _shapes_corrupted._clean.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(dataset.pixels, reversed(work)))[::-1]
    assert all((one == other).all() for one, other in zip(alone, together, strict=True))


@pytest.mark.parametrize("name", SETS)
def test_the_contract_of_datasets(name):
    check_dataset(SETS[name], SETS[name].root())


# --- what is in them -------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
def test_counts_and_balance(name):
    dataset = SETS[name]
    samples = samples_of(dataset)
    assert len(samples) == COUNTS[name] == dataset.images
    classes = Counter(sample.id.partition("-")[0] for sample in samples)
    assert set(classes) == set(dataset.label_space().classes) and len(set(classes.values())) == 1
    for sample in samples:
        assert dataset.label_space().classes.index(sample.id.partition("-")[0]) in sample.targets
    space = dataset.label_space()
    assert (space.name, space.model_label_space, space.outputs) == ("shapes-16", "shapes-16", 16)
    assert dataset.preprocessing == Preprocessing(resize=None, size=64)
    assert dataset.release() is None and dataset.root().is_dir()
    assert list(dataset.remarks(samples)) == ["synthetic images: numbers say nothing about ImageNet"]


def test_the_first_64_are_those_of_shapes():
    whole, part = SETS["shapes"], SETS["shapes-64"]
    assert samples_of(part) == samples_of(whole)[:64]
    assert all((whole.pixels(one) == part.pixels(one)).all() for one in samples_of(part)[::9])


def test_parameters_of_a_registry_entry(tmp_path):
    entry = "datasets:\n  more: {plugin: shapes, params: {seed: 1, images: 40}}\n"
    (tmp_path / "my.yaml").write_text(entry)
    more = load_registry((tmp_path / "my.yaml",)).dataset("more")
    assert (more.name, more.seed, more.images, more.preprocessing.size) == ("more", 1, 40, 64)
    first = samples_of(more)[0]
    assert len(samples_of(more)) == 40 and samples_of(more) == samples_of(Shapes())[:40]
    assert (more.pixels(first) != Shapes().pixels(first)).mean() > 0.5
    assert (more.pixels(first) == replace(Shapes(), seed=1).pixels(first)).all(), "the name does not matter"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Shapes(images=0), "expected 1 or more"),
        (lambda: ShapesCueConflict(images=241), "expected 1 to 240"),
        (lambda: ShapesA(images=161), "expected 1 to 160"),
        (lambda: ShapesA(seed=1), "expected 0"),
        (lambda: ShapesC(corruptions=("gaussian_noise", "rain")), r"\['rain'\] are none of gaussian_noise"),
        (lambda: ShapesC(corruptions=()), "are none of"),
        (lambda: ShapesCBar(corruptions=("sparkles", "sparkles")), "named twice"),
        (lambda: ShapesCBar(images=0), "expected 1 or more"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_two_things_side_by_side_and_both_are_targets():
    dataset = ShapesReal()
    samples = samples_of(dataset)
    two = [sample for sample in samples if len(sample.targets) == 2]
    assert len(two) == 128 and all(len(set(sample.targets)) == 2 for sample in two)
    assert {len(sample.targets) for sample in samples} == {1, 2}
    sides = Counter()
    for sample in two[:24]:
        stream = dataset.stream(sample.id)
        stream.pick(15), stream.unit()
        up = 9 if stream.unit() < 0.5 else -9
        found = []
        for place in range(2):
            at = scene.pose(stream, dataset.look)
            side = (-1, 1)[place]
            x, y = 32 + 11 * side + (at.x - 32) * 0.15, 32 + up * side + (at.y - 32) * 0.15
            at = replace(at, radius=at.radius * 0.8, x=x, y=y)
            scene.two_colours(stream)
            found.append(class_in(dataset.pixels(sample), at))
        assert tuple(sorted(found)) == sample.targets
        sides[found[0] == dataset.label_space().classes.index(sample.id.partition("-")[0])] += 1
    assert min(sides.values()) > 4, "the thing that names the image stands on either side"


def class_in(pixels, at):
    """Which silhouette at this place separates the pixels best: largest share of their variance between in and out."""
    image, best = pixels.astype(float), []
    top, low = int(max(at.y - at.radius * 1.1, 0)), int(at.y + at.radius * 1.1) + 1
    left, right = int(max(at.x - at.radius * 1.1, 0)), int(at.x + at.radius * 1.1) + 1
    near = image[top:low, left:right].reshape(-1, 3)
    for shape in range(16):
        thing = scene.layers(shape, shape, at)
        parts = np.where(thing.pattern > 128, 2, np.where(thing.mask > 128, 1, 0))[top:low, left:right].ravel()
        within = sum(((near[parts == part] - near[parts == part].mean(0)) ** 2).sum() for part in set(parts.tolist()))
        best.append(within)
    return int(np.argmin(best))


def test_all_pairs_of_cues_once():
    samples = samples_of(ShapesCueConflict())
    classes = ShapesCueConflict().label_space().classes
    pairs = {(classes[sample.targets[0]], sample.attributes[0]) for sample in samples}
    assert pairs == {(shape, texture) for shape in classes for texture in classes if shape != texture}
    assert all(sample.id == f"{classes[sample.targets[0]]}-{sample.attributes[0]}" for sample in samples)
    half = samples_of(ShapesCueConflict(images=48))
    assert set(Counter(sample.targets for sample in half).values()) == {3}


def test_renditions():
    variants = Counter((sample.targets, sample.attributes) for sample in samples_of(ShapesR()))
    assert set(variants.values()) == {5} and {key[1] for key in variants} == {("cartoon",), ("painting",)}
    cartoon, painting = (ShapesR().pixels(samples_of(ShapesR())[place]) for place in (0, 16))
    assert (cartoon == 12).all(axis=2).sum() > 50, "a cartoon has an outline"
    assert not (painting == 12).all(axis=2).any()


# --- corrupted versions ----------------------------------------------------------------------


def test_views():
    for dataset, corruptions in ((ShapesC(), 16), (ShapesCBar(), 8)):
        views = dataset.views()
        assert len(views) == len(set(views)) == corruptions * 5
        assert all(dataset.folder(dataset.root(), view) is None for view in views)
        assert [view[-2:] for view in views[:5]] == ["-1", "-2", "-3", "-4", "-5"]
    assert ShapesC(corruptions=("snow",)).views() == tuple(f"snow-{level}" for level in range(1, 6))


def test_a_clean_image_is_drawn_once_for_all_views():
    _shapes_corrupted._clean.cache_clear()
    dataset = ShapesC()
    for sample in samples_of(dataset)[:3]:
        for view in dataset.views():
            dataset.pixels(replace(sample, view=view))
    assert _shapes_corrupted._clean.cache_info().misses == 3


def test_views_are_of_the_images_of_shapes():
    dataset = ShapesC(seed=3)
    sample = samples_of(dataset)[5]
    clean = replace(Shapes(), seed=3).pixels(sample)
    brighter = dataset.pixels(replace(sample, view="brightness-1"))
    assert (brighter == np.minimum(clean.astype(int) + 30, 255)).all()


# --- the chosen ones -------------------------------------------------------------------------


def test_the_choice_is_even():
    chosen = hard.candidates()
    assert [len(numbers) for numbers in chosen.values()] == [10] * 16
    assert all(numbers == sorted(set(numbers)) and numbers[-1] < choose_shapes_a.MOST for numbers in chosen.values())
    kinds = Counter(sample.attributes[0] for sample in samples_of(ShapesA()))
    assert kinds == dict.fromkeys(hard.LOOKS, 40)
    ids = {sample.id for sample in samples_of(ShapesA())}
    assert ids == {f"{name}-{number:03d}" for name, numbers in chosen.items() for number in numbers}


def test_the_baseline_chose_and_gets_all_wrong():
    """Weights that are trained anew choose anew: ``python -m tools.choose_shapes_a``."""
    torch = pytest.importorskip("torch")
    from harness.plugins.models._zoo.training.storage import WEIGHTS, Place

    place = Place(WEIGHTS, "zoo-baseline")
    if not place.weights.is_file():
        pytest.skip("the zoo's baseline is not trained here")
    said = json.loads(hard.CHOICE.read_text())
    assert said["network"] == "zoo-baseline"
    assert said["sha256"] == hashlib.sha256(place.weights.read_bytes()).hexdigest()
    images = np.stack([ShapesA().pixels(sample) for sample in samples_of(ShapesA())])
    with torch.inference_mode():
        decided = place.load()(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255).argmax(dim=1)
    right = sum(one in sample.targets for one, sample in zip(decided.tolist(), samples_of(ShapesA()), strict=True))
    assert right <= 2, "none on the machine that chose; another may round the other way"


@pytest.fixture
def three_classes(monkeypatch):
    monkeypatch.setattr(choose_shapes_a, "CLASSES", hard.CLASSES[:3])


@pytest.mark.usefixtures("three_classes")
def test_the_first_that_are_wrong_are_chosen_evenly():
    chosen, tried = choose_shapes_a.choose(lambda images: np.full(len(images), -1), each=6)
    assert list(chosen) == ["star", "heart", "arrow"] and tried == 3 * 16
    for label, numbers in enumerate(chosen.values()):
        assert len(numbers) == 6 and Counter(map(hard.kind, numbers)).most_common()[-1][1] == 1
        assert numbers == sorted(numbers) and max(numbers) < 8, label


@pytest.mark.usefixtures("three_classes")
def test_those_that_are_right_are_left_out():
    seen = {digest_of(hard.candidate(0, number)): number for number in range(16)}

    def decided(images):
        """Star for the first four stars of every eight, another class for the others; star for everything else."""
        return np.array([1 if seen.get(digest_of(image), 0) % 8 >= 4 else 0 for image in images])

    chosen, _ = choose_shapes_a.choose(decided, each=4)
    assert chosen == {"star": [4, 5, 6, 7], "heart": [0, 1, 2, 3], "arrow": [0, 1, 2, 3]}


def digest_of(image):
    return hashlib.sha256(image.tobytes()).hexdigest()


def test_a_network_that_is_never_wrong_cannot_choose(monkeypatch):
    monkeypatch.setattr(choose_shapes_a, "MOST", 32)
    with pytest.raises(
        RequestError, match=r"too few of 32 candidates of class 'star' wrong: 0 can be taken, expected 5"
    ):
        choose_shapes_a.choose(lambda images: np.zeros(len(images), dtype=int), each=5)


def test_the_command_chooses_with_weights(tmp_path, capsys, monkeypatch):
    torch = pytest.importorskip("torch")
    from harness.plugins.models._zoo.network import build
    from harness.plugins.models._zoo.training.recipe import Recipe
    from harness.plugins.models._zoo.training.storage import Place

    torch.manual_seed(0)
    network = build("plain")
    images = np.stack([Shapes().pixels(sample) for sample in samples_of(SETS["shapes-64"])])
    with torch.no_grad():
        for _ in range(50):  # the statistics of batch normalization: without them it says one class for everything
            network(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
    place = Place(tmp_path, "untrained")
    place.save(network.eval(), Recipe(epochs=0), [], {})
    monkeypatch.setattr(choose_shapes_a, "EACH", 4)
    assert choose_shapes_a.main([str(place.weights), "--out", str(tmp_path / "chosen.json")]) == 0
    assert ": 64 of" in capsys.readouterr().out
    said = json.loads((tmp_path / "chosen.json").read_text())
    assert said["sha256"] == hashlib.sha256(place.weights.read_bytes()).hexdigest()
    assert [len(numbers) for numbers in said["candidates"].values()] == [4] * 16
    assert choose_shapes_a.main([str(tmp_path / "none.safetensors")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_contact_sheets(tmp_path, monkeypatch):
    from PIL import Image

    from harness.plugins.datasets import shapes

    monkeypatch.setattr(shapes, "sets", lambda: [ShapesC(), ShapesCues(), ShapesFactors(), ShapesR()])
    assert contact_sheets.main([str(tmp_path)]) == 0
    files = sorted(tmp_path.glob("*.png"))
    assert [file.name for file in files] == ["shapes-c.png", "shapes-cues.png", "shapes-factors.png", "shapes-r.png"]
    assert all(file.stat().st_size < 150_000 for file in files)
    with Image.open(tmp_path / "shapes-c.png") as sheet:
        assert sheet.size == (2 + 10 * 66, 2 + 8 * 80)
    with Image.open(tmp_path / "shapes-cues.png") as sheet:
        assert sheet.size == (2 + 16 * 66, 2 + 3 * 66)
    with Image.open(tmp_path / "shapes-factors.png") as sheet:
        assert sheet.size == (2 + 10 * 66, 2 + 3 * 80)
