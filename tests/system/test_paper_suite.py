"""The suite `paper` from end to end at toy size: all ten benchmarks, three published layouts, every task, the report.

The definition is the registry's own: tasks, biases and axes. Only the images are 32 instead of 224 pixels wide, and the
weights are made here: random convolutions and a classifier fitted to the toy classes, so that decisions mean something.
"""

import json

import numpy as np
import pytest
import torch
import torchvision
import yaml
from PIL import Image

from harness import read_trials
from harness.checkpoints.locations import locate
from harness.registry import load_registry
from tests.helpers.command import completed
from tests.helpers.layouts import backbone, linear_head, madry, prefixed
from tests.helpers.reasons import lines
from tests.helpers.toy_benchmarks import BAR, CORRUPTIONS, SIZE, pattern, real_labels, toy_classes, write_all

MODELS = ("robust_resnet50_l2_eps3", "resnet50_dino")
THIRD = "resnet50_augmix_180ep"
"""In a layout of its own; it runs `FEW` of the suite's tasks, for a ResNet-50 takes long even at 32 pixels."""
FEW = {"imagenet": "imagenet/val", "imagenet-sketch": "sketch"}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Toy:
    """One run of the suite: where it is, what it printed, and the networks behind its files."""

    def __init__(self, folder):
        self.folder = folder
        self.env = {"HARNESS_CACHE": str(folder / "cache"), "HARNESS_DATA": str(folder / "data")}
        self.registry = load_registry()
        self.space = self.registry.dataset("cue-conflict").label_space()
        self.classes = toy_classes(self.space)
        self.networks = {}

    def harness(self, *arguments):
        return completed(arguments, self.folder, **self.env)

    def write_suite(self):
        """The suite `paper` as it stands in the registry, at 32 pixels."""
        suite = self.registry.suite("paper")
        sizes = {
            task.dataset: {
                "resize": None if self.registry.dataset(task.dataset).preprocessing.resize is None else SIZE + 8,
                "size": SIZE,
            }
            for task in suite.tasks
        }
        toy = {
            "title": "the suite paper at toy size",
            "models": list(MODELS),
            "tasks": [{"task": task.name, "params": _plain(task.params)} for task in suite.tasks],
            "biases": {name: list(parts) for name, parts in suite.biases.items()},
            "axes": {name: list(parts) for name, parts in suite.axes.items()},
            "preprocessing": sizes,
        }
        tasks = [f"accuracy@{dataset}" for dataset in FEW]
        third = {
            "title": "a third",
            "models": [THIRD],
            "tasks": tasks,
            "preprocessing": {name: sizes[name] for name in FEW},
        }
        (self.folder / "toy.yaml").write_text(yaml.safe_dump({"suites": {"toy": toy, "third": third}}))

    def write_checkpoints(self):
        """Each network in the layout of its published file, where a download of it belongs."""
        layouts = {
            "robust_resnet50_l2_eps3": lambda state: (madry(state, (0.485, 0.456, 0.406)), None),
            "resnet50_augmix_180ep": lambda state: ({"model": "resnet50", "state_dict": prefixed(state)}, None),
            "resnet50_dino": lambda state: (backbone(state), linear_head(state)),
        }
        for seed, name in enumerate((*MODELS, THIRD)):
            network = fitted(seed, self.classes)
            self.networks[name] = network
            spec = self.registry.model(name)
            files = dict(zip((spec.weights[0], spec.recipe.head), layouts[name](network.state_dict()), strict=True))
            for uri, content in files.items():
                if content is not None:
                    path = self._place(spec, uri)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    torch.save(content, path)

    def _place(self, spec, uri):
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("HARNESS_CACHE", self.env["HARNESS_CACHE"])
            return locate(spec, uri)

    def answers(self, name, images):
        """Logits of the plain network: (N, 1000)."""
        tensor = torch.stack([torch.from_numpy(np.asarray(image).copy()) for image in images])
        tensor = (tensor.permute(0, 3, 1, 2).float() / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[
            :, None, None
        ]
        with torch.inference_mode():
            return torch.cat([self.networks[name](some) for some in tensor.split(32)]).numpy()

    def opened(self, path, resized):
        image = Image.open(path).convert("RGB")
        if resized:
            transform = torchvision.transforms.Compose(
                [torchvision.transforms.Resize(SIZE + 8), torchvision.transforms.CenterCrop(SIZE)]
            )
            image = transform(image)
        return image


def _plain(params):
    return {key: list(value) if isinstance(value, tuple) else value for key, value in params.items()}


def fitted(seed, classes):
    """A ResNet-50 with random convolutions and a classifier fitted (ridge regression) to the toy patterns."""
    torch.manual_seed(seed)
    network = torchvision.models.resnet50(weights=None).eval()
    for block in network.modules():
        if isinstance(block, torchvision.models.resnet.Bottleneck):
            torch.nn.init.constant_(block.bn3.weight, 0.3)  # else activations of untrained residual blocks explode
    images, labels = [], []
    for one in classes:
        for draw in range(12):
            images.append(pattern(one.index, f"fit {draw}", noise=10 + 8 * draw))
            labels.append(one.index)
    tensor = torch.stack([torch.from_numpy(np.asarray(image).copy()) for image in images]).permute(0, 3, 1, 2) / 255
    tensor = (tensor - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    head, network.fc = network.fc, torch.nn.Identity()
    with torch.inference_mode():
        features = torch.cat([network(part) for part in tensor.split(32)]).clone()
    network.fc = head
    centre, scale = features.mean(0), features.std(0) + 1e-3
    whitened = (features - centre) / scale
    targets = torch.full((len(labels), 1000), -2.0)
    targets[range(len(labels)), labels] = 6.0
    kernel = whitened @ whitened.T + 50.0 * torch.eye(len(labels))
    weight = whitened.T @ torch.linalg.solve(kernel, targets)
    with torch.no_grad():
        head.weight.copy_((weight / scale[:, None]).T)
        head.bias.copy_(-(centre / scale) @ weight)
    return network


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Benchmarks, checkpoints and suite."""
    one = Toy(tmp_path_factory.mktemp("toy"))
    write_all(one.folder / "data", one.classes)
    one.write_suite()
    one.write_checkpoints()
    return one


@pytest.fixture(scope="module")
def toy(files):
    """The whole run, once for all tests of this file."""
    files.done = files.harness(
        "run", "--suite", "toy", "--registry", "toy.yaml", "--batch-size", "32", "--device", "cpu", "--out", "run"
    )
    return files


def test_every_cell_is_stored(toy):
    suite = toy.registry.suite("paper")
    cells = len(MODELS) * len(suite.tasks)
    assert toy.done.returncode == 0, toy.done.stderr
    assert f"{cells} of {cells} cells stored in run" in toy.done.stderr
    assert toy.harness("verify", "run").returncode == 0
    assert len({task.dataset for task in suite.tasks}) == 10  # nine further sets of images beside ImageNet


def correct(logits, targets, columns=None, members=None):
    """Fraction of samples whose class is right, by the rules of each benchmark, in NumPy."""
    if columns is not None:
        logits = logits[:, columns]
        targets = [[columns.index(target) for target in accepted] for accepted in targets]
    if members is not None:
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = shifted / shifted.sum(axis=1, keepdims=True)
        logits = np.stack([probabilities[:, list(group)].mean(axis=1) for group in members], axis=1)
    return np.mean([row.argmax() in accepted for row, accepted in zip(logits, targets, strict=True)])


def score(toy, name, files, targets, resized=True, **rules):
    """Accuracy by a plain loop over `files`."""
    return correct(toy.answers(name, [toy.opened(path, resized) for path in files]), targets, **rules)


def expected(toy, name, data):
    """Every top-1 accuracy of the suite but those of attacks, by a plain loop over the files."""
    out, classes = {}, toy.classes
    subsets = {key: list(toy.registry.dataset(key).label_space().columns) for key in ("imagenet-a", "imagenet-r")}

    by_class = {one: sorted((data / "imagenet/val" / one.wnid).iterdir()) for one in classes}
    files = [path for paths in by_class.values() for path in paths]
    single = [[one.index] for one, paths in by_class.items() for _ in paths]
    out["imagenet"] = score(toy, name, files, single)
    out["imagenet-real"] = score(toy, name, files, [real_labels()[int(path.stem[-8:]) - 1] for path in files])
    v2 = [
        (path, [one.index])
        for one in classes
        for path in (data / "imagenetv2-matched-frequency-format-val" / str(one.index)).iterdir()
    ]
    out["imagenet-v2"] = score(toy, name, *map(list, zip(*v2, strict=True)))
    for key, folder in (("imagenet-a", "imagenet-a"), ("imagenet-r", "imagenet-r"), ("imagenet-sketch", "sketch")):
        pairs = [(path, [one.index]) for one in classes for path in (data / folder / one.wnid).iterdir()]
        out[key] = score(toy, name, *map(list, zip(*pairs, strict=True)), columns=subsets.get(key))
    for key, folder, levels in (
        ("imagenet-c", "imagenet-c", {name: ("1", "2", "3", "4", "5") for name in CORRUPTIONS}),
        ("imagenet-cbar", "imagenet-c-bar", {name: tuple(f"{v:.2f}" for v in values) for name, values in BAR.items()}),
    ):
        shown = {
            f"{key}/{corruption}-{number}": [
                data / folder / corruption / severity / path.parent.name / path.name for path in files
            ]
            for corruption, severities in levels.items()
            for number, severity in enumerate(severities, 1)
        }
        together = toy.answers(name, [toy.opened(path, False) for paths in shown.values() for path in paths])
        for full, logits in zip(shown, np.split(together, len(shown)), strict=True):
            out[full] = correct(logits, single)
        out[key] = np.mean([value for full, value in out.items() if full.startswith(f"{key}/")])
    stylized = [
        (path, [toy.space.classes.index(path.name.split("_")[4])])
        for path in (data / "stylized/dnn/session-1").iterdir()
    ]
    out["stylized"] = score(
        toy, name, *map(list, zip(*stylized, strict=True)), resized=False, members=toy.space.members
    )
    return out


def test_accuracies_equal_a_plain_loop_over_the_files(toy):
    report = json.loads(toy.harness("report", "run", "--format", "json").stdout)
    measures = {model["name"]: model["measures"] for model in report["models"]}
    name = MODELS[1]
    wanted = expected(toy, name, toy.folder / "data")
    assert len(wanted) == 9 + 19 * 5 + 10 * 5
    found = {full: measures[name][f"top1@{full}"] for full in wanted}
    assert found == pytest.approx(wanted)
    assert wanted["imagenet"] == 1.0  # the networks know these classes, so nothing above was agreement by chance
    assert len({round(value, 3) for value in wanted.values()}) >= 4


def test_the_report_has_every_bias_and_axis(toy):
    report = json.loads(toy.harness("report", "run", "--format", "json").stdout)
    assert [model["group"] for model in report["models"]] == ["adversarial_training", "contrastive"]
    suite = toy.registry.suite("paper")
    for model in report["models"]:
        assert set(model["biases"]) == set(suite.biases) and set(model["axes"]) == set(suite.axes)
        for name, value in {**model["biases"], **model["axes"]}.items():
            assert value is not None or name in lines(model), name
        assert None not in model["axes"].values()
        assert model["measures"]["top1@imagenet/pgd-40-low"] <= model["measures"]["top1@imagenet"]
    shown = toy.harness("report", "run").stdout
    assert "Adversarial" in shown and max(map(len, shown.splitlines())) <= 80


def test_a_third_layout_decides_as_a_plain_loop_over_the_files(toy):
    done = toy.harness("run", "--suite", "third", "--registry", "toy.yaml", "--device", "cpu", "--out", "third")
    assert done.returncode == 0, done.stderr
    (model,) = json.loads(toy.harness("report", "third", "--format", "json").stdout)["models"]
    assert model["group"] == "augmentation"
    for dataset, folder in FEW.items():
        root = toy.folder / "data" / folder
        pairs = [(path, [one.index]) for one in toy.classes for path in (root / one.wnid).iterdir()]
        accuracy = score(toy, THIRD, *map(list, zip(*pairs, strict=True)))
        assert model["measures"][f"top1@{dataset}"] == pytest.approx(accuracy) and accuracy > 0


def test_the_same_command_resumes_and_a_lost_benchmark_is_shown(toy):
    again = toy.harness(
        "run", "--suite", "toy", "--registry", "toy.yaml", "--dry-run", "--json", "--device", "cpu", "--out", "run"
    )
    assert json.loads(again.stdout)["forwards"] == 0
    (toy.folder / "data" / "sketch").rename(toy.folder / "data" / "elsewhere")
    try:
        fresh = toy.harness(
            *("run", "--suite", "toy", "--registry", "toy.yaml", "--models", MODELS[1], "--limit", "2"),
            *("--device", "cpu", "--dry-run", "--json", "--out", "other"),
        )
    finally:
        (toy.folder / "data" / "elsewhere").rename(toy.folder / "data" / "sketch")
    cells = {cell["task"]: cell for cell in json.loads(fresh.stdout)["cells"]}
    assert cells["accuracy@imagenet-sketch"]["status"] == "missing"
    assert "sketch" in cells["accuracy@imagenet-sketch"]["reason"]
    assert {cell["status"] for task, cell in cells.items() if task != "accuracy@imagenet-sketch"} == {"run"}


SETS = {
    "imagenet-v2": "imagenetv2-matched-frequency-format-val/{one.index}/{draw:040x}.jpeg",
    "imagenet-a": "imagenet-a/{one.wnid}/{draw}.jpg",
    "imagenet-r": "imagenet-r/{one.wnid}/art_{draw}.jpg",
    "imagenet-sketch": "sketch/{one.wnid}/sketch_{draw}.JPEG",
    "stylized": "stylized/dnn/session-1/{draw:04d}_stylized_dnn_0_{one.category}_00_{one.wnid}-{draw}.png",
}
"""Benchmarks whose file names do not betray what is on the images."""


def test_a_scrambled_tree_is_loud(files):
    """Every label stands on images of another class: whatever the network knows, the report says `chance-level`."""
    for place, one in enumerate(files.classes):
        other = files.classes[(place + 1) % len(files.classes)]
        for draw, form in enumerate([*SETS.values()] * 3):
            path = files.folder / "scrambled" / form.format(one=one, draw=draw)
            path.parent.mkdir(parents=True, exist_ok=True)
            pattern(other.index, f"scrambled {draw}").save(path)
    done = files.harness(
        *("run", "--registry", "toy.yaml", "--suite", "toy", "--models", MODELS[1], "--data", "scrambled"),
        *("--device", "cpu", "--out", "of-scrambled"),
    )
    assert done.returncode == 1, done.stderr  # the other benchmarks are missing
    report = json.loads(files.harness("report", "of-scrambled", "--format", "json").stdout)
    (model,) = report["models"]
    loud = {name for name in SETS if "chance-level" in model["details"][f"top1@{name}"].get("flags", ())}
    assert loud == set(SETS), {name: model["measures"][f"top1@{name}"] for name in SETS}
    warned = " ".join(warning for warning in report["warnings"] if "chance-level" in warning)
    assert all(f"top1@{name}" in warned for name in SETS)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_the_cpu(toy):
    done = toy.harness(
        "run", "--suite", "toy", "--registry", "toy.yaml", "--batch-size", "8", "--device", "cuda", "--out", "cuda"
    )
    assert done.returncode == 0, done.stderr
    same = total = 0
    for task in toy.registry.suite("paper").tasks:
        for name in MODELS:
            cpu, cuda = (read_trials(toy.folder / run, task.name, name) for run in ("run", "cuda"))
            same += int((cpu.top5[..., 0] == cuda.top5[..., 0]).sum())
            total += cpu.correct.size
    print(f"CPU and CUDA: {same} of {total} decisions are the same")
    assert same / total >= 0.995
