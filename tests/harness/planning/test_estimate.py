"""What a request costs: against hand-made sums for the study, and as properties. How a plan is printed."""

import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness import UnknownNameError
from harness.cli.options import open_house
from harness.cli.plan import plan_data, print_plan
from harness.cli.words import count, hours
from harness.data.roots import DataRoots
from harness.planning.estimate import TaskShape, estimate, shape_of, shapes_of
from harness.planning.plan import Settings
from harness.planning.planner import RESIDENT_MODELS
from harness.planning.request import RunRequest, resolve, select, settle
from tests.helpers.engine import stored_cell

# --- the study -------------------------------------------------------------------------------

STUDY = [
    TaskShape(name="accuracy@imagenet", images=50_000),
    TaskShape(name="accuracy@imagenet-v2", images=10_000),
    TaskShape(name="accuracy@imagenet-real", images=46_837),
    TaskShape(name="accuracy@imagenet-a", images=7_500),
    TaskShape(name="accuracy@imagenet-c", images=50_000, conditions=95, views=95, resized=False),
    TaskShape(name="accuracy@imagenet-cbar", images=50_000, conditions=50, views=50, resized=False),
    TaskShape(name="accuracy@imagenet-sketch", images=50_889),
    TaskShape(name="accuracy@imagenet-r", images=30_000),
    TaskShape(name="accuracy@stylized", images=800, resized=False),
    TaskShape(name="shape-bias@cue-conflict", images=1_280, resized=False),
    TaskShape(name="band-pass@imagenet", images=50_000, conditions=22),
    TaskShape(name="critical-band@imagenet", images=50_000, conditions=29),
    TaskShape(name="pgd@imagenet", images=50_000, effort=121),
]
ONE_CONDITION = 10_000 + 46_837 + 7_500 + 50_889 + 30_000 + 800 + 1_280  # 147,306 stimuli of seven small sets
TRIALS = 48 * (50_000 * (1 + 22 + 29 + 1) + 50_000 * (95 + 50) + ONE_CONDITION)
FORWARDS = TRIALS + 48 * 50_000 * 120  # the attack costs 121 forwards, one of which is counted above


def test_the_study_against_sums_made_by_hand():
    cost = estimate(STUDY, 48)
    assert TRIALS == 482_270_688 and FORWARDS == 770_270_688
    assert sum(task.trials for task in cost.tasks) == TRIALS
    assert cost.forwards == FORWARDS
    assert cost.passes == 10  # one for each dataset: 48 networks share it
    assert cost.images == 50_000 + 7_250_000 + 147_306  # each file once, whatever the number of tasks and networks
    assert cost.stored_bytes == 23 * TRIALS
    assert cost.gpu_hours == pytest.approx(770_270_688 / 5_400 / 3_600)  # 39.6
    as_is, resized = 7_250_000 + 800 + 1_280, 50_000 + 10_000 + 46_837 + 7_500 + 50_889 + 30_000
    assert cost.decode_core_hours == pytest.approx((as_is * 0.54e-3 + resized * 2.19e-3) / 3_600)  # 1.2
    assert cost.unknown == () and [task.cells for task in cost.tasks] == [48] * 13
    pgd = cost.tasks[-1]
    assert (pgd.trials, pgd.forwards, pgd.stored_bytes) == (2_400_000, 290_400_000, 55_200_000)


@pytest.mark.parametrize(("precision", "rate"), [("fp32", 5_400), ("tf32", 7_400), ("bf16", 10_900)])
def test_each_precision_has_its_rate_and_says_what_it_rests_on(precision, rate):
    cost = estimate([TaskShape(name="a@b", images=rate * 3_600)], 2, precision)
    assert cost.gpu_hours == pytest.approx(2)
    assert cost.reference == "ResNet-50 on one H100"
    basis = " ".join(cost.basis)
    assert f"{rate:,} forwards per second in {precision}" in basis and "not measured" in basis and "2.19 ms" in basis


def test_an_unknown_precision_is_refused_by_name():
    with pytest.raises(UnknownNameError, match=r"unknown precision 'fp16'.*bf16, fp32, tf32"):
        estimate(STUDY, 1, "fp16")


def test_cost_grows_with_the_square_of_the_side():
    small, large = (estimate([TaskShape(name="a@b", images=10_000, size=size)], 1).gpu_hours for size in (112, 448))
    assert large == pytest.approx(16 * small)


def test_full_logits_take_two_bytes_each():
    shape = TaskShape(name="a@b", images=10, conditions=3, outputs=200)
    assert estimate([shape], 2, store="logits").stored_bytes == 10 * 3 * 2 * (23 + 400)
    assert "2 bytes per output" in " ".join(estimate([shape], 2, store="logits").basis)


def test_more_models_than_fit_decode_the_images_again():
    shape = TaskShape(name="a@b", images=100, conditions=5, views=5)
    one, two = estimate([shape], RESIDENT_MODELS), estimate([shape], RESIDENT_MODELS + 1)
    assert (one.passes, one.images) == (1, 500)
    assert (two.passes, two.images) == (2, 1_000)
    assert two.decode_core_hours == pytest.approx(2 * one.decode_core_hours)


def test_an_unknown_number_of_images_is_said_and_not_taken_for_none():
    cost = estimate([TaskShape(name="a@new", images=None), TaskShape(name="b@new", images=None)], 3)
    assert cost.unknown == ("new",) and cost.forwards == cost.passes == 0
    assert "number of images is not known: new" in cost.basis[-1]


def test_what_is_pending_counts_and_what_is_stored_does_not():
    half = estimate([TaskShape(name="a@b", images=100, conditions=2, pending=150)], 3)
    assert (half.forwards, half.images, half.passes) == (300, 100, 1)
    done = estimate([TaskShape(name="a@b", images=100, pending=0)], 3)
    assert (done.forwards, done.images, done.passes, done.stored_bytes) == (0, 0, 0, 0)


SHAPES = st.builds(
    TaskShape,
    name=st.sampled_from(["a@x", "b@x", "a@y", "b@y", "a@z"]),
    images=st.none() | st.integers(0, 10**6),
    conditions=st.integers(1, 100),
    size=st.sampled_from([64, 224, 384]),
    effort=st.integers(1, 200),
    outputs=st.integers(1, 2000),
)
LISTS = st.lists(SHAPES, max_size=5, unique_by=lambda shape: shape.name)
MODELS = st.integers(1, 100)


@given(LISTS, MODELS, st.sampled_from(["top5", "logits"]))
def test_forwards_hours_and_bytes_add_up_over_tasks_and_shared_decoding_never_costs_more(shapes, models, store):
    whole = estimate(shapes, models, store=store)
    parts = [estimate([shape], models, store=store) for shape in shapes]
    assert whole.forwards == sum(part.forwards for part in parts)
    assert whole.stored_bytes == sum(part.stored_bytes for part in parts)
    assert whole.gpu_hours == pytest.approx(sum(part.gpu_hours for part in parts))
    assert whole.images <= sum(part.images for part in parts)
    assert whole.passes <= sum(part.passes for part in parts)


@given(LISTS, LISTS, MODELS)
def test_decoding_adds_up_over_datasets(first, second, models):
    other = [replace(shape, name=f"{shape.name}-other") for shape in second]
    both, apart = estimate([*first, *other], models), [estimate(first, models), estimate(other, models)]
    assert both.images == sum(part.images for part in apart)
    assert both.passes == sum(part.passes for part in apart)
    assert both.decode_core_hours == pytest.approx(sum(part.decode_core_hours for part in apart))


@given(LISTS.filter(bool), MODELS, st.sampled_from(["images", "conditions", "effort", "models"]))
def test_more_of_anything_never_costs_less(shapes, models, what):
    before = estimate(shapes, models)
    if what == "models":
        after = estimate(shapes, models + 1)
    else:
        more = (getattr(shapes[0], what) or 0) + 1
        after = estimate([replace(shapes[0], **{what: more}), *shapes[1:]], models)
    assert after.forwards >= before.forwards and after.gpu_hours >= before.gpu_hours
    assert after.images >= before.images and after.stored_bytes >= before.stored_bytes
    assert after.decode_core_hours >= before.decode_core_hours


# --- of a plan -------------------------------------------------------------------------------

PLUGIN = '''
from collections.abc import Iterator
from dataclasses import dataclass, field
from harness import Dataset, DatasetError, Download, LabelSpace, Preprocessing, Release, Sample, hookimpl

@dataclass(frozen=True, kw_only=True)
class Toy(Dataset):
    """A toy."""
    name: str = "toy"
    path: str = "toy"
    images: int = 50
    levels: int = 0
    known: bool = True
    outputs: int = 1000

    def label_space(self):
        classes = tuple(f"class {i}" for i in range(self.outputs))
        return LabelSpace(name=f"{self.outputs} ways", classes=classes, outputs=self.outputs)

    def release(self):
        return Release(images=self.images) if self.known else None

    def views(self):
        return tuple(f"blur-{level}" for level in range(1, self.levels + 1))

    def folder(self, root, view):
        return root / view

    def samples(self, root):
        for path in sorted((root / self.views()[0] if self.levels else root).iterdir()):
            yield Sample(id=path.name, targets=(0,), path=path)

@hookimpl
def harness_datasets():
    return [Toy()]
'''
DATASETS = {
    **{f"set-{number}": {"plugin": "toy", "path": f"set-{number}"} for number in range(8)},
    "blurred": {"plugin": "toy", "path": "blurred", "params": {"levels": 5}, "resize": None},
    "unknown": {"plugin": "toy", "path": "unknown", "params": {"known": False}},
}
SIXTEEN = {"sixteen": {"plugin": "toy", "path": "sixteen", "params": {"outputs": 16}}}
TASKS = [*(f"accuracy@{name}" for name in DATASETS), "band-pass@set-0", "critical-band@set-0", "band-pass@set-1"]
DUMMIES = {name: {"source": "dummy", "options": {"kind": "brightness"}} for name in ("one", "two")}
NARROW = {f"narrow-{name}": {**entry, "outputs": 16} for name, entry in DUMMIES.items()}
ABSENT = {
    f"absent-{number}": {
        "source": "checkpoint", "arch": "timm:test_resnet", "weights": [f"https://example.org/absent-{number}.pth"],
    }
    for number in range(48)
}  # fmt: skip
REGISTRY = {
    "models": {**DUMMIES, **NARROW, **ABSENT},
    "datasets": {**DATASETS, **SIXTEEN},
    "suites": {
        "large": {"models": ["absent-*"], "tasks": TASKS},
        "mixed": {"models": ["one", "two", "absent-0"], "tasks": ["accuracy@set-0", "band-pass@set-0"]},
        "blur": {"models": ["one"], "tasks": ["accuracy@blurred", "accuracy@unknown"]},
        "sixteen": {"models": ["narrow-*"], "tasks": ["accuracy@sixteen"]},
    },
}


@pytest.fixture
def planned(tmp_path):
    """``planned("large", data=…)`` gives the plan of a suite, and what it costs."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "toy.py").write_text(PLUGIN)
    (tmp_path / "registry.yaml").write_text(json.dumps(REGISTRY))
    house = open_house([tmp_path / "registry.yaml"], [tmp_path / "mine"])

    def plan(suite, *data, stored=None, **more):
        request = RunRequest(suite=suite, data=DataRoots.parse(data), **more)
        selection, settings = select(request, house.registry), settle(request, None, 224)
        made = resolve(selection, settings, request.data, stored or {})
        return made, estimate(shapes_of(made), len(selection.models), settings.precision, settings.store)

    return plan


@pytest.fixture
def pictures(tmp_path):
    """Makes a folder with so many files: they are counted, never opened."""

    def make(name, images):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for number in range(images):
            (folder / f"{number:03}.png").write_bytes(bytes([number]))

    return make


def printed(plan, cost):
    text = io.StringIO()
    print_plan(plan, cost, Console(file=text, width=80, highlight=False, markup=False))
    return text.getvalue()


def test_the_shape_of_a_task_is_read_from_probe_and_dataset(planned, tmp_path):
    house = open_house([tmp_path / "registry.yaml"], [tmp_path / "mine"])
    blurred, plain = house.registry.datasets["blurred"], house.registry.datasets["set-0"]
    accuracy, bands = house.plugins.probes["accuracy"], house.plugins.probes["band-pass"]
    assert shape_of("accuracy@blurred", accuracy, blurred) == TaskShape(
        name="accuracy@blurred", images=50, conditions=5, views=5, resized=False
    )
    assert shape_of("band-pass@set-0", bands, plain, 7) == TaskShape(name="band-pass@set-0", images=7, conditions=22)
    assert shape_of("band-pass@blurred", bands, blurred) == TaskShape(
        name="band-pass@blurred", images=50, conditions=5 * 22, views=5, resized=False
    )


def test_without_data_the_release_is_what_is_estimated(planned):
    plan, cost = planned("large")
    assert plan.forwards == 0
    assert cost.forwards == 48 * 50 * (8 + 5 + 22 + 29 + 22)
    assert cost.unknown == ("unknown",)


def test_with_data_the_estimate_is_what_the_plan_says(planned, pictures, tmp_path):
    pictures("blurred/blur-1", 4)
    for level in range(2, 6):
        pictures(f"blurred/blur-{level}", 4)
    pictures("unknown", 3)
    plan, cost = planned("blur", str(tmp_path / "data"))
    assert cost.forwards == plan.forwards == 4 * 5 + 3
    assert cost.images == sum(one.images for one in plan.passes) == 4 * 5 + 3
    assert cost.passes == len(plan.passes) == 2
    assert cost.stored_bytes == (4 * 5 + 3) * 23
    _, fewer = planned("blur", str(tmp_path / "data"), limit=2)
    assert fewer.forwards == 2 * 5 + 2


def test_a_plan_says_once_what_is_stored_and_counts_the_outputs_there_are(planned, pictures, tmp_path):
    pictures("sixteen", 5)
    plan, cost = planned("sixteen", str(tmp_path / "data"), store="logits")
    data = plan_data(plan, cost)
    assert data["stored_bytes"] == data["estimate"]["stored_bytes"] == 2 * 5 * (23 + 2 * 16)
    assert printed(plan, cost).count("to store") == 1 and " 550 bytes to store" in printed(plan, cost)


def test_of_a_run_that_was_interrupted_the_rest_is_estimated(planned, pictures, tmp_path):
    pictures("set-0", 40)
    before, _ = planned("mixed", str(tmp_path / "data"), models=("one", "two"))
    stored = {
        (cell.task, cell.model): stored_cell(cell.job, cell.pending[: 2 if cell.model == "one" else 3])
        for cell in before.cells
    }
    plan, cost = planned("mixed", str(tmp_path / "data"), models=("one", "two"), stored=stored)
    assert {cell.status for cell in plan.cells} == {"resume", "stored"}
    assert cost.images == sum(one.images for one in plan.passes) == 40 - 32  # two batches of 16 are stored
    assert cost.forwards == plan.forwards == 8 * 23
    nothing = {place: replace(one, spans=frozenset(before.cells[0].pending)) for place, one in stored.items()}
    plan, cost = planned("mixed", str(tmp_path / "data"), models=("one", "two"), stored=nothing)
    assert cost.passes == cost.images == cost.forwards == plan.forwards == 0


def test_a_limit_also_holds_for_data_that_is_not_here(planned):
    assert planned("large", limit=10)[1].forwards == 48 * 10 * (8 + 5 + 22 + 29 + 22)


def test_a_checkpoint_that_is_not_here_counts_in_the_estimate_alone(planned, pictures, tmp_path):
    pictures("set-0", 10)
    plan, cost = planned("mixed", str(tmp_path / "data"))
    assert plan.forwards == 2 * 10 * 23 and cost.forwards == 3 * 10 * 23
    out = printed(plan, cost)
    assert "2 run, 1 missing" in out
    assert "1 pass, 10 images decoded, 460 forwards" in out
    assert "with what is missing: 1 pass, 10 images decoded, 690 forwards" in out
    assert "2 cells, absent-0 on accuracy@set-0, band-pass@set-0: model 'absent-0'" in out  # one reason, one line


def test_a_large_plan_without_anything_is_short_and_its_json_is_whole(planned):
    plan, cost = planned("large")
    out = printed(plan, cost)
    lines = out.splitlines()
    wrapped = sum(max(1, -(-len(line) // 80)) for line in lines)
    assert wrapped < 60 and len(lines) < 30
    assert all(len(line) <= 80 for line in lines[: 2 + len(TASKS)])  # the table: the terminal wraps what is below it
    assert "48 missing" in out and "missing: 624 cells, absent-0, absent-1, … (48) on" in out
    assert "harness doctor" in out
    assert "not included, because their number of images is unknown: unknown" in out
    data = json.loads(json.dumps(plan_data(plan, cost)))
    assert len(data["cells"]) == 48 * 13
    reasons = {cell["reason"] for cell in data["cells"]}
    assert len(reasons) == len(DATASETS) and all("Type: --data" in reason for reason in reasons)
    assert data["estimate"]["forwards"] == cost.forwards and len(data["estimate"]["tasks"]) == 13
    assert data["estimate"]["basis"] and data["estimate"]["unknown"] == ["unknown"]


def test_checkpoints_that_are_not_here_share_one_line(planned, pictures, tmp_path):
    for name in DATASETS:
        if name == "blurred":
            for level in range(1, 6):
                pictures(f"{name}/blur-{level}", 2)
        else:
            pictures(name, 2)
    plan, cost = planned("large", str(tmp_path / "data"))
    assert len({cell.reason for cell in plan.cells}) == 48
    (line,) = [line for line in printed(plan, cost).splitlines() if line.startswith("missing")]
    assert line.startswith("missing: 624 cells") and "the checkpoint is not on this machine" in line


def test_few_reasons_stand_whole(planned, tmp_path):
    plan, cost = planned("mixed")
    (line,) = [line for line in printed(plan, cost).splitlines() if line.startswith("missing")]
    assert "6 cells, one, two, absent-0 on" in line and "Type: --data set-0=DIR" in line


def test_settings_are_in_the_json(planned):
    plan, cost = planned("mixed", precision="bf16")
    assert plan_data(plan, cost)["settings"]["precision"] == cost.precision == "bf16"
    assert Settings().precision == "fp32"  # the default of a run and of an estimate agree
    assert estimate([], 0).precision == Settings().precision


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (0.001, "< 0.01"), (0.25, "0.25"), (3.14, "3.1"), (1204.4, "1,204")]
)
def test_hours_have_the_digits_they_deserve(number, text):
    assert hours(number) == text


def test_counts_are_exact_below_a_million():
    assert (count(999_999), count(475_100_000)) == ("999,999", "475.1 million")
