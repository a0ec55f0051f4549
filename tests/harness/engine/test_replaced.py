"""A plugin that replaces a function of torch, NumPy, Pillow or the harness changes all numbers, and is refused."""

import importlib
from functools import partial

import pytest
import torch

from harness.discovery.blame import THIRD_PARTY
from harness.engine.networks import load_first
from harness.engine.replaced import replaced
from harness.errors import PluginError
from tests.helpers.engine import Linear, Made, Plain, run, small_images

PLACES = {
    "torch.nn.functional": "relu",
    "torch": "softmax",
    "numpy": "asarray",
    "torch.Tensor": "log_softmax",
    "torch.nn.Linear": "forward",
    "torch.nn.BatchNorm2d": "__call__",
    "PIL.Image.Image": "resize",
    "harness.engine.forwards": "decide",
    "harness.records.Batch": "noise",
}


@pytest.fixture
def written():
    """A function of a plugin that calls another; ``written(function)``."""
    THIRD_PARTY.add("lab")
    yield lambda function: eval(
        "lambda *args, **kwargs: function(*args, **kwargs)", {"__name__": "lab.probe", "function": function}
    )
    THIRD_PARTY.discard("lab")


def owner_of(place):
    module, _, name = place.rpartition(".")
    return importlib.import_module(place) if not name[0].isupper() else getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("wrap", [lambda function: function, partial, staticmethod])
@pytest.mark.parametrize("place", PLACES)
def test_a_replaced_function_is_named(monkeypatch, written, place, wrap):
    assert list(replaced()) == []
    owner, name = owner_of(place), PLACES[place]
    monkeypatch.setattr(owner, name, wrap(written(getattr(owner, name))))
    found = list(replaced())
    assert found and all(text.endswith(f".{name} (probe.py)") for text in found)
    with pytest.raises(PluginError, match="replaced by a plugin, which changes the numbers of all others"):
        load_first(None, {}, {})


def test_subclasses_and_replacements_by_others_are_left_alone(monkeypatch, written):
    monkeypatch.setattr(torch.nn.functional, "relu", lambda images, inplace=False: images)  # not a plugin's
    type("Mine", (torch.nn.ReLU,), {"forward": written(torch.relu)})
    assert list(replaced()) == []


def test_a_function_that_is_replaced_while_the_run_goes_on_fails_its_cells(tmp_path, written, monkeypatch):
    monkeypatch.setattr(torch.nn.functional, "silu", torch.nn.functional.silu)  # set back at the end

    class Replaces(Linear):
        def forward(self, images):
            torch.nn.functional.silu = written(torch.nn.functional.gelu)
            return super().forward(images)

    dataset = Made(n=16, preprocessing=small_images())
    failures, _ = run(tmp_path / "run", {"one": Replaces(1)}, dataset, probes=(Plain(),))
    assert "torch.nn.functional.silu (probe.py): replaced by a plugin" in failures["plain@made", "one"]
