"""Contracts hold on every batch, and global settings of torch stay as they are: a breach fails its own cells."""

import os
import sys
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from torch.utils._python_dispatch import TorchDispatchMode

from harness.engine.contract import Evidence, Fingerprint
from harness.engine.global_state import SETTINGS, GlobalState
from harness.engine.networks import load_first, load_network
from harness.engine.numerics import forward_precision, numerics
from harness.errors import CheckpointError, PluginError
from harness.planning.plan import Settings
from tests.helpers.engine import (
    Linear,
    Made,
    Plain,
    Shades,
    Source,
    arrays_of,
    run,
    same,
    small_images,
    specs_of,
    trials,
)

IMAGES = 32  # four batches of 8
BREACHES = {
    "condition": ("dirty", lambda images: images, "gave condition 'dirty' as number 2"),
    "shape": ("second", lambda images: images[:, :, :16], r"expected torch.float32"),
    "dtype": ("second", lambda images: images.double(), "torch.float64"),
    "no tensor": ("second", lambda images: images.numpy(), "yields (str, ndarray), expected (condition, stimulus)"),
    "no numbers": ("second", lambda images: images.to("meta"), "gave a stimulus on meta"),
    "sparse": ("second", lambda images: images.to_sparse(), "with layout torch.sparse_coo"),
    "disguised": ("second", lambda images: (images + 7).as_subclass(Disguise), r"left [0, 1] under second"),
    "above": ("second", lambda images: images + 50, r"left [0, 1] under second, in the batch from"),
    "below": ("second", lambda images: images - 3, r"left [0, 1] under second"),
    "not a number": ("second", lambda images: images * torch.nan, r"left [0, 1] under second"),
    "in place": ("second", lambda images: images.mul_(0.5), "changed the batch's images in place"),
    "around autograd": ("second", lambda images: images.data.mul_(0.5), "changed the batch's images in place"),
    "shifted": ("second", lambda images: images.copy_(images.roll(2, -1)), "changed the batch's images in place"),
    "through numpy": ("second", lambda images: np.negative(a := images.numpy(), out=a) is None, "in place"),
    "exit": ("second", lambda images: exit_program(), "raised SystemExit"),
}


class Disguise(torch.Tensor):
    """A tensor that says of itself that it is in range."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function is torch.aminmax:
            return torch.tensor(0.0), torch.tensor(1.0)
        return super().__torch_function__(function, types, args, kwargs or {})


def exit_program():
    raise SystemExit(0)


@dataclass(frozen=True, kw_only=True)
class Breaks(Plain):
    """A probe that breaks its contract once, on the batch that holds sample `at`."""

    name: ClassVar[str] = "breaks"
    how: str
    at: int

    def conditions(self, size):
        return ("first", "second")

    def stimuli(self, batch):
        yield "first", batch.images * 0.5
        if f"{self.at:03d}" in batch.sample_ids:
            condition, change, _ = BREACHES[self.how]
            changed = change(batch.images)
            yield condition, changed if isinstance(changed, torch.Tensor | np.ndarray) else batch.images * 0.25
        else:
            yield "second", batch.images * 0.25


def dataset():
    return Made(n=IMAGES, preprocessing=small_images())


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Trials of the neighbours, measured without the probe that breaks."""
    path = tmp_path_factory.mktemp("good") / "run"
    run(path, {"one": Linear(1), "two": Linear(2)}, dataset(), probes=(Shades(), Plain()))
    return trials(path)


def fails_alone(path, networks, probes, culprits, reason, expected):
    """The culprits' cells fail with the reason; every other cell has the trials that it has without them."""
    failures, _ = run(path, networks, dataset(), probes=probes)
    assert set(failures) == culprits
    assert all(reason in text for text in failures.values()), failures
    stored = trials_of_complete(path)
    others = {place: arrays for place, arrays in expected.items() if place not in culprits}
    assert others and same(others, {place: stored[place] for place in others})


def trials_of_complete(path):
    from harness.store import RunReader

    opened = RunReader.open(path)
    out = {}
    for place, cell in opened.cells().items():
        if cell.failed is None:
            out[place] = arrays_of(opened.read(*place))
    return out


LATER = [pytest.param(at, marks=pytest.mark.slow) for at in (8, IMAGES - 1)]


@pytest.mark.parametrize("at", ["random", *LATER])
@pytest.mark.parametrize("how", BREACHES)
def test_a_probe_that_breaks_its_contract_on_any_batch_fails_alone(tmp_path, how, at, expected):
    at = int(np.random.default_rng(len(how)).integers(8, IMAGES)) if at == "random" else at
    culprits = {("breaks@made", "one"), ("breaks@made", "two")}
    networks = {"one": Linear(1), "two": Linear(2)}
    probes = (Shades(), Breaks(how=how, at=at), Plain())  # the probe behind it gets the images as they were
    fails_alone(tmp_path / "run", networks, probes, culprits, BREACHES[how][2], expected)


class Sick(Linear):
    """A network that breaks its contract for the image `at`, recognised by its bits in any brightness."""

    def __init__(self, how, at=20):
        super().__init__(9)
        self.how, self.at = how, at

    def forward(self, images):
        logits = super().forward(images)
        from harness.data.decoding import pixels

        samples = list(dataset().samples(None))
        wanted = torch.from_numpy(pixels(dataset(), samples[self.at]).copy()).permute(2, 0, 1)
        here = [torch.equal((image * 255).round().byte(), wanted) for image in images]
        return SICKNESS[self.how][0](images, logits) if any(here) else logits


SICKNESS = {
    "width": (lambda images, logits: logits[:, :9], "logits (8, 9), expected (8, 10)"),
    "length": (lambda images, logits: logits[:3], "logits (3, 10), expected (8, 10)"),
    "no tensor": (lambda images, logits: None, "logits NoneType, expected (8, 10)"),
    "not a number": (lambda images, logits: logits * torch.nan, "NaN or infinite logits"),
    "in place": (lambda images, logits: (images.mul_(0.5), logits)[1], "changed its input in place"),
    "around autograd": (lambda images, logits: (images.data.mul_(0.5), logits)[1], "changed its input in place"),
    "exit": (lambda images, logits: exit_program(), "sick raised SystemExit"),
    "dtype": (
        lambda images, logits: (torch.set_default_dtype(torch.float64), logits)[1],
        "changed while sick ran",
    ),
}


@pytest.mark.parametrize("how", SICKNESS)
def test_a_network_that_breaks_its_contract_on_a_later_batch_fails_alone(tmp_path, how, expected):
    networks = {
        "one": Linear(1),
        "sick": Sick(how),
        "two": Linear(2),
    }  # `two` gets the stimuli as they were
    culprits = {("shades@made", "sick"), ("plain@made", "sick")}
    fails_alone(tmp_path / "run", networks, (Shades(), Plain()), culprits, SICKNESS[how][1], expected)
    assert torch.get_default_dtype() == torch.float32


class Halves(torch.overrides.TorchFunctionMode):
    """Halves every product."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        answer = function(*args, **(kwargs or {}))
        return answer * 0.5 if function is torch.Tensor.__matmul__ else answer


class Watches(TorchDispatchMode):
    """Changes nothing."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


def hooked():
    torch.nn.modules.module.register_module_forward_hook(lambda module, inputs, output: output)


CHANGES = {
    "default dtype": lambda: torch.set_default_dtype(torch.float64),
    "number of threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "set_float32_matmul_precision": lambda: torch.set_float32_matmul_precision("medium"),
    "deterministic algorithms": lambda: torch.set_deterministic_debug_mode(1),
    "autocast on the CPU": lambda: torch.set_autocast_enabled("cpu", True),
    "cudnn.benchmark": lambda: setattr(torch.backends.cudnn, "benchmark", True),
    "mkldnn.enabled": lambda: setattr(torch.backends.mkldnn, "enabled", False),
    "global forward hooks": hooked,
    "LOAD_TRUNCATED_IMAGES": lambda: setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True),
    "MAX_IMAGE_PIXELS": lambda: setattr(Image, "MAX_IMAGE_PIXELS", None),
    "default device": lambda: torch.set_default_device("meta"),
    "fp32_precision": lambda: setattr(torch.backends.mkldnn.conv, "fp32_precision", "bf16"),
    "precision of float32": lambda: setattr(torch.backends, "fp32_precision", "tf32"),  # contradicts older switches
    "reduced precision": lambda: setattr(torch.backends.cuda.matmul, "allow_bf16_reduced_precision_reduction", False),
    "kernels of attention": lambda: torch.backends.mha.set_fastpath_enabled(False),
    "set_flush_denormal": lambda: torch.set_flush_denormal(True),
    "TorchFunctionMode": lambda: Halves().__enter__(),
    "TorchDispatchMode": lambda: Watches().__enter__(),
    "recursion limit": lambda: sys.setrecursionlimit(sys.getrecursionlimit() + 1),
    "os.chdir": lambda: os.chdir(".."),
}


@dataclass(frozen=True, kw_only=True)
class Meddles(Plain):
    """A probe that changes a global setting on its second batch."""

    name: ClassVar[str] = "breaks"
    what: str

    def stimuli(self, batch):
        if "008" in batch.sample_ids:
            CHANGES[self.what]()
        yield "clean", batch.images


def state():
    """All settings, and how many modes act on torch's functions: each takes every call through Python."""
    return [*(read() for read, _ in SETTINGS.values()), torch._C._len_torch_function_stack()]


@pytest.mark.parametrize("what", CHANGES)
def test_a_probe_that_changes_a_global_setting_fails_alone(tmp_path, what, expected):
    before = state()
    networks, culprits = {"one": Linear(1), "two": Linear(2)}, {("breaks@made", "one"), ("breaks@made", "two")}
    fails_alone(tmp_path / "run", networks, (Shades(), Meddles(what=what), Plain()), culprits, what, expected)
    assert state() == before


@pytest.mark.parametrize("what", CHANGES)
def test_a_source_that_changes_a_global_setting_is_refused(what):
    class Meddling(Source):
        def load(self, spec):
            CHANGES[what]()
            return Linear(1)

    before = state()
    with pytest.raises(CheckpointError, match="changed"):
        load_network(specs_of("one")["one"], Meddling(), 32)
    assert state() == before


@dataclass(frozen=True, kw_only=True)
class MeddlingImages(Made):
    """Images that are made with a global change."""

    def image(self, sample):
        if sample.id == "020":
            torch.set_default_dtype(torch.float64)
        return super().image(sample)


def test_a_dataset_that_changes_a_global_setting_is_named(tmp_path):
    meddling = MeddlingImages(n=IMAGES, preprocessing=small_images())
    try:
        failures, _ = run(tmp_path / "run", {"one": Linear(1)}, meddling)
    finally:
        torch.set_default_dtype(torch.float32)  # an image is made while planning, before the run looks
    assert failures  # images are made by other threads, ahead of time: who else ran then may be named too
    assert all("the default dtype (torch.set_default_dtype) changed while" in reason for reason in failures.values())


def test_hooks_on_every_network_are_refused():
    handle = torch.nn.modules.module.register_module_forward_hook(lambda module, inputs, output: output)
    try:
        with pytest.raises(PluginError, match="there are global forward hooks of torch, which act on every network"):
            load_first(None, {}, {})
    finally:
        handle.remove()


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_what_the_engine_itself_sets_is_no_change(precision):
    with numerics(Settings(precision=precision)):
        state = GlobalState()
        with forward_precision(Settings(precision=precision)):
            inner = GlobalState()
            assert inner.changes() == []
        assert state.changes() == []


def test_what_was_set_before_a_run_does_not_reach_it():
    """A plugin may change settings when it is imported."""
    before = GlobalState()
    with numerics(Settings()):
        expected = [read() for read, _ in SETTINGS.values()]
    for name in (
        "autocast on the CPU",
        "mkldnn.enabled",
        "precision of float32",
        "set_flush_denormal",
        "default dtype",
    ):
        CHANGES[name]()
    with numerics(Settings()):
        assert [read() for read, _ in SETTINGS.values()] == expected
    assert before.changes()


def test_every_setting_is_read_and_set_back():
    state = GlobalState()
    assert state.changes() == []
    for change in CHANGES.values():
        change()
    assert len(state.changes()) >= len(CHANGES) - 1 and state.changes() == []


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), kind=st.sampled_from(["pixel", "columns", "rows", "channels", "images"]))
def test_a_fingerprint_notices_every_exchange(seed, kind):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand((4, 3, 16, 16), generator=generator)
    fingerprint = Fingerprint(images)
    assert fingerprint.unchanged()
    if kind == "pixel":
        images[seed % 4, seed % 3, seed % 16, (seed // 16) % 16] += 1 / 255
    else:
        axis = {"images": 0, "channels": 1, "rows": 2, "columns": 3}[kind]
        images.copy_(images.roll(1 + seed % (images.shape[axis] - 1), axis))
    assert not fingerprint.unchanged()


def test_a_fingerprint_takes_not_a_number_for_itself():
    images = torch.full((2, 3, 8, 8), torch.nan)
    assert Fingerprint(images).unchanged()


def test_evidence_is_read_once():
    evidence = Evidence()
    evidence.range_of([("t", "a"), ("t", "b")], "probe p left [0, 1] under c", torch.tensor([0.0, 1.5]))
    evidence.range_of([("t", "c")], "fine", torch.tensor([0.0, 1.0]))
    evidence.promise(("t", "d"), torch.tensor(False), "broken")
    evidence.promise(("t", "c"), torch.tensor(True), "kept")
    reason = "probe p left [0, 1] under c: 0 to 1.5"
    assert evidence.faults() == {("t", "a"): reason, ("t", "b"): reason, ("t", "d"): "broken"}
    assert evidence.faults() == {}
