"""The engine: every trial once, the same numbers whatever the schedule, and a failure that stays in its cell."""

import threading
from dataclasses import asdict, dataclass
from typing import ClassVar

import h5py
import numpy as np
import pytest
import torch

from harness.data.manifest import build
from harness.engine.execute import execute
from harness.engine.networks import load_network
from harness.engine.numerics import forward_precision, numerics
from harness.engine.resources import Engine
from harness.errors import CheckpointError
from harness.planning.plan import Settings
from harness.planning.planner import plan, plan_task
from harness.store import RunReader, RunWriter, verify_run
from tests.helpers.engine import (
    Linear,
    Made,
    Plain,
    Shades,
    Source,
    Watch,
    run,
    same,
    small_images,
    specs_of,
    trials,
)

CLASSES = tuple("abcdefghij")


def test_every_trial_equals_a_plain_loop(tmp_path):
    networks = {"one": Linear(1), "two": Linear(2)}
    dataset = Made(preprocessing=small_images())
    failures, _ = run(tmp_path / "run", networks, dataset)
    assert failures == {}
    stored = trials(tmp_path / "run")
    from harness.data.decoding import pixels

    for name, network in networks.items():
        for index, sample in enumerate(dataset.samples(tmp_path)):
            image = torch.from_numpy(pixels(dataset, sample).copy()).permute(2, 0, 1).float().div(255)[None]
            for column, stimulus in ((0, image), (1, image * 0.5)):
                logp = network(stimulus).log_softmax(1)[0].detach().numpy()
                top5, stored_logp, correct, rank = (array[index, column] for array in stored["shades@made", name])
                order = logp.argsort()[::-1][:5]
                assert np.array_equal(top5, order)
                np.testing.assert_allclose(stored_logp, logp[order], rtol=2e-3, atol=2e-3)
                assert correct == (order[0] in sample.targets)
                assert rank == (logp > logp[list(sample.targets)].max()).sum()


def test_each_image_is_decoded_once_for_all_probes_conditions_and_models(tmp_path):
    Made.decoded.clear()
    watch = Watch()
    run(tmp_path / "run", {"one": Linear(1), "two": Linear(2), "three": Linear(3)}, watch=watch)
    assert sorted(Made.decoded) == [f"{i:03d}" for i in range(50)]
    assert (watch.images, watch.forwards) == watch.promised == (50, 50 * 4 * 3)


@pytest.mark.parametrize("workers", [1, 3])
def test_two_runs_are_bit_identical_whatever_the_workers(tmp_path, workers):
    run(tmp_path / "a", {"one": Linear(1)})
    run(tmp_path / "b", {"one": Linear(1)}, workers=workers)
    assert same(trials(tmp_path / "a"), trials(tmp_path / "b"))


def test_other_company_does_not_change_a_cell(tmp_path):
    run(tmp_path / "alone", {"one": Linear(1)}, probes=(Shades(),))
    run(tmp_path / "crowd", {"zero": Linear(0), "one": Linear(1)})
    alone, crowd = trials(tmp_path / "alone"), trials(tmp_path / "crowd")
    assert same(alone, {place: crowd[place] for place in alone})


@pytest.mark.parametrize("stop_after", [8, 16, 17, 40])
def test_an_interrupted_run_resumes_to_the_same_bits(tmp_path, stop_after):
    run(tmp_path / "whole", {"one": Linear(1)})
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", {"one": Linear(1)}, watch=Watch(stop_after))
    watch = Watch()
    run(tmp_path / "cut", {"one": Linear(1)}, watch=watch)
    assert same(trials(tmp_path / "whole"), trials(tmp_path / "cut"))
    assert watch.promised[0] == 50 - stop_after // 16 * 16  # whole spans are not computed again
    assert verify_run(RunReader.open(tmp_path / "cut")) == []


def test_another_model_extends_a_run_and_nothing_is_computed_twice(tmp_path):
    run(tmp_path / "run", {"one": Linear(1)})
    before = trials(tmp_path / "run")
    watch = Watch()
    run(tmp_path / "run", {"one": Linear(1), "two": Linear(2)}, watch=watch)
    assert watch.forwards == 50 * 4
    after = trials(tmp_path / "run")
    assert len(after) == 4 and same(before, {place: after[place] for place in before})


class NaNLater(Linear):
    """NaN for one image."""

    def forward(self, images):
        logits = super().forward(images)
        mean = images.mean(dim=(1, 2, 3))
        return torch.where((mean > 0.505)[:, None], torch.nan, logits)


class Raises(Linear):
    """A network with a bug that shows on the second batch."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, images):
        self.calls += len(images) > 1
        if self.calls > 4:
            raise ValueError("shape mismatch inside")
        return super().forward(images)


@pytest.mark.parametrize(
    ("network", "reason"),
    [(NaNLater(), "NaN or infinite logits under clean"), (Raises(), "ValueError: shape mismatch inside")],
)
def test_a_bad_network_fails_its_cells_and_no_others(tmp_path, network, reason):
    watch = Watch()
    failures, _ = run(tmp_path / "run", {"good": Linear(1), "bad": network}, watch=watch)
    assert set(failures) == {("shades@made", "bad"), ("plain@made", "bad")}
    assert all(reason in text for text in failures.values())
    assert any(reason in warning for warning in watch.warnings)
    cells = RunReader.open(tmp_path / "run").cells()
    assert reason in cells["shades@made", "bad"].failed
    run(tmp_path / "good", {"good": Linear(1)})
    stored = {place: RunReader.open(tmp_path / "run").read(*place).top5 for place in cells if place[1] == "good"}
    assert all(np.array_equal(stored[place], value[0]) for place, value in trials(tmp_path / "good").items())


def test_a_probe_that_raises_on_its_second_batch_fails_alone(tmp_path):
    failures, _ = run(tmp_path / "run", {"one": Linear(1)}, probes=(Shades(raise_at=9), Plain()))
    assert list(failures) == [("shades@made", "one")]
    assert "probe shades raised RuntimeError: second batch (engine.py:" in failures["shades@made", "one"]
    assert RunReader.open(tmp_path / "run").read("plain@made", "one").correct.shape == (50, 1)


def test_an_undecodable_image_fails_the_cells_that_need_it_and_what_was_whole_stays(tmp_path):
    dataset = Made(preprocessing=small_images(), bad=20)
    failures, _ = run(tmp_path / "run", {"one": Linear(1)}, dataset)
    assert set(failures) == {("shades@made", "one"), ("plain@made", "one")}
    assert all(
        "image 020 of made cannot be generated: OSError: broken data stream" in text for text in failures.values()
    )
    assert RunReader.open(tmp_path / "run").cells()["plain@made", "one"].spans == ((0, 16),)


def test_a_failed_cell_is_tried_again(tmp_path):
    flaky = Raises()
    failures, _ = run(tmp_path / "run", {"one": flaky})
    assert failures
    flaky.calls = -10_000
    failures, planned = run(tmp_path / "run", {"one": flaky})
    assert failures == {} and {cell.status for cell in planned.cells} == {"retry"}
    run(tmp_path / "good", {"one": Linear()})
    assert same(trials(tmp_path / "run"), trials(tmp_path / "good"))


@dataclass(frozen=True, kw_only=True)
class Wrong(Plain):
    """Breaks one promise."""

    how: str = "name"

    def stimuli(self, batch):
        if self.how == "name":
            yield "dirty", batch.images
        elif self.how == "shape":
            yield "clean", batch.images[:, :, :16]
        elif self.how == "dtype":
            yield "clean", batch.images.double()
        elif self.how == "range":
            yield "clean", batch.images * 2
        elif self.how == "many":
            yield "clean", batch.images
            yield "clean", batch.images


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("name", "gave condition 'dirty' as number 1"),
        ("shape", r"\(8, 3, 16, 32\) under clean"),
        ("dtype", "float64"),
        ("range", r"left \[0, 1\] under clean"),
        ("many", "as number 2"),
        ("none", "gave 0 of 1 conditions"),
    ],
)
def test_a_probe_that_breaks_its_contract_is_refused_by_name(tmp_path, how, reason):
    failures, _ = run(tmp_path / "run", {"one": Linear(1)}, probes=(Wrong(how=how),))
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(failures["plain@made", "one"])


def test_logits_are_stored_on_request(tmp_path):
    run(tmp_path / "run", {"one": Linear(1)}, store="logits")
    import h5py

    with h5py.File(tmp_path / "run" / "index.h5", locking=False) as index:
        logits = index["plain@made/one/logits"][:]
        top5 = index["plain@made/one/top5"][:]
    assert logits.shape == (50, 1, 10) and logits.dtype == np.float16
    assert np.array_equal(logits.argmax(axis=2), top5[:, :, 0])


def test_a_network_is_left_as_it_was(tmp_path):
    network = Linear(1).train()
    before = network.weight.detach().clone()
    run(tmp_path / "run", {"one": network})
    assert torch.equal(network.weight, before)
    assert not network._forward_hooks and not network._forward_pre_hooks
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (
            torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()),
            r"answers one image with logits \(1, 3\)",
        ),
        (torch.nn.Linear(7, 10), "cannot forward a 32x32 image"),
    ],
)
def test_a_network_that_does_not_fit_is_found_before_the_run(network, reason):
    spec = specs_of("one")["one"]
    with pytest.raises(CheckpointError, match=reason):
        load_network(spec, Source(one=network), 32)


def test_no_thread_stays_behind(tmp_path):
    before = {thread.name for thread in threading.enumerate()}
    run(tmp_path / "run", {"one": Linear(1)})
    assert {thread.name for thread in threading.enumerate()} <= before


class InPlace(Linear):
    """A network that scales its input in place."""

    def forward(self, images):
        return super().forward(images.mul_(0.5))


def test_a_network_that_changes_its_input_is_refused_before_it_changes_others():
    with pytest.raises(CheckpointError, match="changes its input in place"):
        load_network(specs_of("one")["one"], Source(one=InPlace()), 32)


@dataclass(frozen=True, kw_only=True)
class Scribbles(Plain):
    """A probe that writes on the batch."""

    name: ClassVar[str] = "scribbles"

    def stimuli(self, batch):
        yield "clean", batch.images.mul_(0.5)


def test_a_probe_that_writes_on_the_images_fails_alone(tmp_path):
    failures, _ = run(tmp_path / "run", {"one": Linear(1)}, probes=(Scribbles(), Plain()))
    assert list(failures) == [("scribbles@made", "one")]
    assert "changed the batch's images in place" in failures["scribbles@made", "one"]
    run(tmp_path / "alone", {"one": Linear(1)}, probes=(Plain(),))
    stored = RunReader.open(tmp_path / "run").read("plain@made", "one")
    assert np.array_equal(stored.top5, RunReader.open(tmp_path / "alone").read("plain@made", "one").top5)


def test_a_checkpoint_that_changes_after_planning_fails_its_cells(tmp_path):
    file = tmp_path / "weights"
    file.write_text("new")

    class Changing(Source):
        def files(self, spec):
            return (file,) if spec.name == "two" else ()

    dataset = Made(preprocessing=small_images())
    settings = Settings(batch_size=8)
    task = plan_task("plain@made", Plain(), dataset, build(dataset, tmp_path), 8)
    specs = specs_of("one", "two")
    planned = plan([task], list(specs.values()), {"one": (), "two": ("0" * 64,)}, settings, {})
    with RunWriter.create(tmp_path / "run", settings=asdict(settings), command=["test"]) as opened:
        opened.put_layout(task.layout)
        engine = Engine(
            run=opened, specs=specs, sources={"source": Changing(one=Linear(1), two=Linear(2))},
            device=torch.device("cpu"), workers=1, progress=Watch(), provenance={},
        )  # fmt: skip
        failures = execute(planned, engine)
    assert list(failures) == [("plain@made", "two")]
    assert "changed since the run was planned" in failures["plain@made", "two"]


class Deep(Linear):
    """A network with two- and three-dimensional convolutions, which has no channels-last layout as a whole."""

    def __init__(self, seed=0):
        super().__init__(seed)
        self.flat, self.deep = torch.nn.Conv2d(3, 3, 3, padding=1), torch.nn.Conv3d(1, 1, (1, 3, 3), padding=(0, 1, 1))

    def forward(self, images):
        return super().forward(self.deep(self.flat(images)[:, None])[:, 0])


class Stuck(Linear):
    """A network that cannot be put on a device."""

    def to(self, *given, **named):
        raise torch.OutOfMemoryError("out of memory")


def test_a_network_with_three_dimensional_convolutions_runs(tmp_path):
    network = Deep(1)
    failures, _ = run(tmp_path / "run", {"deep": network}, probes=(Plain(),))
    assert failures == {}
    assert network.flat.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_network_that_does_not_fit_on_the_device_fails_alone(tmp_path):
    failures, _ = run(tmp_path / "run", {"stuck": Stuck(1), "one": Linear(1)}, probes=(Plain(),))
    assert list(failures) == [("plain@made", "stuck")]
    assert "cannot be put on cpu: OutOfMemoryError: out of memory; choose" in failures["plain@made", "stuck"]


def test_a_forward_within_an_attack_leaves_its_precision_alone():
    settings = Settings(precision="tf32", device_type="cuda")

    def now():
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    with numerics(settings):
        strict = now()
        with forward_precision(settings):
            relaxed = now()
            with forward_precision(settings):
                pass
            assert now() == relaxed == ("high", True)
        assert now() == strict == ("highest", False)


def keys_in_index(run):
    """(task, model) -> key of every cell that the index shows."""
    with h5py.File(run / "index.h5", "r", locking=False) as file:
        return {
            (task, model): group.attrs["key"]
            for task, of_task in file.items()
            for model, group in of_task.items()
            if isinstance(group, h5py.Group)
        }


def test_the_index_is_written_once_for_many_short_passes(tmp_path, monkeypatch):
    """Before the first forward it shows the cells of all passes, so that a commit never waits for it."""
    monkeypatch.setattr("harness.planning.planner.RESIDENT_MODELS", 1)
    networks, shown = {name: Linear(seed) for seed, name in enumerate(("one", "two", "three"))}, []
    publish = RunWriter.publish

    def noted(opened):
        publish(opened)
        shown.append(len(keys_in_index(opened.path)))

    monkeypatch.setattr(RunWriter, "publish", noted)
    failures, planned = run(tmp_path / "run", networks)
    assert failures == {} and len(planned.passes) == 3
    assert shown == [0, 6, 6]  # the helper's own, before, after
    assert all(len(list(folder.iterdir())) == 1 for folder in (tmp_path / "run/shards").glob("*/*/*/"))
    assert verify_run(RunReader.open(tmp_path / "run")) == []


def test_old_trials_stay_in_the_index_until_their_cell_is_begun_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.planning.planner.RESIDENT_MODELS", 1)
    networks = {"one": Linear(1), "two": Linear(2)}
    run(tmp_path / "run", networks, probes=(Plain(),))
    keys, publish = [], RunWriter.publish

    def noted(opened):
        publish(opened)
        keys.append({model: key for (_, model), key in keys_in_index(opened.path).items()})

    monkeypatch.setattr(RunWriter, "publish", noted)
    monkeypatch.setattr(Plain, "version", 2)
    failures, _ = run(tmp_path / "run", networks, probes=(Plain(),))
    first, one_begun, both_begun, last = keys
    assert failures == {} and last == both_begun
    assert one_begun["two"] == first["two"] and one_begun["one"] != first["one"]
    assert both_begun["two"] != first["two"]


class Impatient(Watch):
    """Ctrl-C when so many forwards are done."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def advance(self, images, forwards):
        super().advance(images, forwards)
        if self.forwards >= self.most:
            raise KeyboardInterrupt


def test_ctrl_c_after_half_of_a_run_of_one_batch_keeps_a_third(tmp_path):
    """Three spans of 50 images, in batches of 128 at most; 4 conditions of each image are shown."""
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", {"a": Linear(0)}, batch_size=128, watch=Impatient(116))
    cells = RunReader.open(tmp_path / "run").cells()
    assert {cell.spans for cell in cells.values()} == {((0, 24),)}
    watch = Watch()
    assert run(tmp_path / "run", {"a": Linear(0)}, batch_size=128, watch=watch)[0] == {}
    assert watch.promised[0] == 26, "what was stored is not computed again"


def test_ctrl_c_in_the_middle_of_a_batch_keeps_the_tasks_that_are_done(tmp_path):
    """Two networks see 3 + 1 conditions of 16 images: after 100 forwards, 96 are those of the first task."""
    networks = {"a": Linear(0), "b": Linear(1)}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", networks, batch_size=16, watch=Impatient(100))
    cells = RunReader.open(tmp_path / "run").cells()
    assert {place: cell.spans for place, cell in cells.items()} == {
        ("shades@made", "a"): ((0, 16),),
        ("shades@made", "b"): ((0, 16),),
        ("plain@made", "a"): (),
        ("plain@made", "b"): (),
    }
    watch = Watch()
    assert run(tmp_path / "run", networks, batch_size=16, watch=watch)[0] == {}
    assert watch.forwards == 2 * 4 * 50 - 96, "what was stored is not computed again"
    run(tmp_path / "whole", networks, batch_size=16)
    assert same(trials(tmp_path / "run"), trials(tmp_path / "whole"))
