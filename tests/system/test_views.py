"""Probes with conditions of their own on datasets with views, from the command line: run, report, verify, refusal."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from harness import read_trials
from harness.registry import load_registry
from tests.helpers.command import refused
from tests.helpers.reasons import lines

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PLUGIN = '''
from dataclasses import dataclass, field
from harness import Dataset, LabelSpace, Preprocessing, Sample, hookimpl

@dataclass(frozen=True, kw_only=True)
class Weather(Dataset):
    """Four images in each of several weathers."""

    name: str = "weather"
    path: str = "weather"
    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(resize=None, size=32))

    def label_space(self):
        return LabelSpace(name="imagenet-1k", classes=tuple(map(str, range(1000))))

    def views(self):
        return VIEWS

    def folder(self, root, view):
        return root / view

    def samples(self, root):
        for number in range(4):
            yield Sample(id=f"{number}.png", targets=(number,), path=root / VIEWS[0] / f"{number}.png")

@hookimpl
def harness_datasets():
    return [Weather()]
'''
TASKS = ("band-pass@weather", "invert-colours@weather")


@pytest.fixture
def weather(harness):
    """Makes the dataset `weather` with its plugin; gives a function that runs TASKS on it."""

    def made(*views):
        generator = np.random.default_rng(3)
        for view in views:
            Path("data/weather", view).mkdir(parents=True)
            for number in range(4):
                pixels = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(Path("data/weather", view, f"{number}.png"))
        Path("mine").mkdir()
        Path("mine/weather.py").write_text(PLUGIN.replace("VIEWS", repr(views)))

        def call(command, *more):
            plugins = ("--plugins", EXAMPLES, "--plugins", "mine")
            if command != "run":
                return harness(command, "run", *more, *plugins)
            options = ("--registry", "models.yaml", "--data", "data", "--device", "cpu", "--models", "other")
            return harness("run", *options, "--out", "run", "--task", *TASKS, *more, *plugins)

        return call

    return made


def test_any_probe_runs_on_any_views_and_every_command_reads_it(weather, harness):
    command = weather("fog-1", "fog-2", "rain-1")
    code, out, err = command("run", "--dry-run")
    assert code == 0, err
    assert "4 × 3 × 22" in out and "4 × 3  " in out  # samples × views × conditions, and where these are one
    code, _, err = command("run")
    assert code == 0, err
    assert harness("verify", "run")[0] == 0
    code, out, err = command("report", "--format", "json")
    assert code == 0, err
    (model,) = json.loads(out)["models"]
    names = set(model["measures"])
    assert {f"top1@weather{view}/low-pass-0.1" for view in ("", "/fog-1", "/fog", "/rain-1")} <= names
    assert {"top1@weather/fog-2", "top1@weather/fog-2/inverted", "inverted-relative-top1@weather/fog"} <= names
    counts = {
        name: model["details"][name]["n"] for name in ("top1@weather/low-pass-0.1", "top1@weather/fog-1/inverted")
    }
    assert list(counts.values()) == [12, 4]  # over all views, each image once a view; of one view


@pytest.mark.slow
def test_band_pass_on_every_corruption_of_shapes_c(harness):
    plugins = ("--plugins", EXAMPLES)
    tasks = ("band-pass@shapes-c", "invert-colours@shapes-c")
    code, _, err = harness("run", "--task", *tasks, "--models", "zoo-baseline", "--limit", 4, "--out", "run", *plugins)
    assert code == 0, err
    assert harness("verify", "run")[0] == 0
    code, out, err = harness("report", "run", "--format", "json", *plugins)
    assert code == 0, err
    (model,) = json.loads(out)["models"]
    views = {name.split("/")[1] for name in model["measures"] if name.startswith("low-frequency-bias@shapes-c/")}
    corruptions = {view for view in views if not view[-1].isdigit()}
    assert (len(views - corruptions), len(corruptions)) == (80, 16)
    bias, spread = model["measures"]["low-frequency-bias@shapes-c"], model["details"]["low-frequency-bias@shapes-c"]
    assert spread["n"] == 4 * 80 and spread["low"] < bias < spread["high"]


def test_numbers_equal_a_plain_loop_over_the_files(weather):
    command = weather("fog-1", "rain-1")
    assert command("run")[0] == 0
    registry = load_registry([Path("models.yaml")])
    spec = registry.model("other")
    network = registry.source_for(spec).load(spec)
    for task, condition, change in (
        ("invert-colours@weather", "inverted", lambda image: 1 - image),
        ("band-pass@weather", "low-pass-0.5", lambda image: _box(image, 0.5)),
    ):
        trials = read_trials("run", task, "other")
        for view in ("fog-1", "rain-1"):
            columns = trials.layout.conditions
            column = columns.index(view if view in columns else f"{view}/{condition}")  # one condition: the view alone
            images = [np.asarray(Image.open(f"data/weather/{view}/{number}.png")) / 255 for number in range(4)]
            stimuli = torch.stack([torch.tensor(change(image), dtype=torch.float32) for image in images])
            with torch.inference_mode():
                top = network(stimuli.permute(0, 3, 1, 2)).argmax(1)
            stored = trials.top5[:, column, 0]
            assert stored.tolist() == top.tolist(), (task, view)


def _box(image, cutoff):
    """The low-pass of `docs` written with numpy's full transform: a box of frequencies, then the clip to [0, 1]."""
    side = image.shape[0]
    radius = int(cutoff * (side // 2))
    low, high = side // 2 - radius, side // 2 + radius
    mask = np.zeros((side, side))
    mask[low:high, low:high] = 1
    spectrum = np.fft.fftshift(np.fft.fft2(image, axes=(0, 1)), axes=(0, 1)) * mask[:, :, None]
    return np.clip(np.fft.ifft2(np.fft.ifftshift(spectrum, axes=(0, 1)), axes=(0, 1)).real, 0, 1)


def test_a_view_named_like_a_condition_is_refused_before_the_first_forward(weather):
    command = weather("inverted", "rain-1")
    refused(command("run"), "inverted", "view")


def test_trials_of_other_conditions_are_missing_with_the_reason(weather, harness):
    command = weather("fog-1", "rain-1")
    assert command("run")[0] == 0
    changed = Path("changed")
    changed.mkdir()
    source = (EXAMPLES / "invert_colours.py").read_text()
    (changed / "invert_colours.py").write_text(source.replace('("inverted",)', '("inverted", "grey")'))
    code, out, err = harness("report", "run", "--format", "json", "--plugins", "changed", "--plugins", "mine")
    assert code == 0, err
    (model,) = json.loads(out)["models"]
    assert lines(model)["invert-colours@weather"].startswith("measured under other conditions: ")
    assert "top1@weather/fog-1" in model["measures"], "the other tasks are reported as before"
