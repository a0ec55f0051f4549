"""The planner: pure, torch-free, and able to say why."""

import subprocess
import sys
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from harness import Dataset, LabelSpace, LoadingRecipe, Measure, ModelSpec, Probe, Remark, Sample
from harness.data.manifest import Manifest
from harness.identity import difference
from harness.planning.plan import Settings
from harness.planning.planner import RESIDENT_MODELS, make_job, plan, plan_task
from harness.remarks import joined
from tests.helpers.engine import stored_cell


@dataclass(frozen=True, kw_only=True)
class Two(Probe):
    name: ClassVar[str] = "two"
    level: float = 0.5

    def conditions(self, size):
        return ("a", "b")

    def stimuli(self, batch):
        yield "a", batch.images
        yield "b", batch.images

    def measures(self, trials):
        yield Measure(name="m", value=trials.accuracy("a"))


@dataclass(frozen=True, kw_only=True)
class Made(Dataset):
    name: str = "made"

    def label_space(self):
        return LabelSpace(name="three", classes=("x", "y", "z"), model_label_space="three", outputs=3)

    def samples(self, root):
        return []


def manifest(n=40, digest="d" * 64):
    samples = tuple(Sample(id=f"{i:04d}", targets=(i % 3,)) for i in range(n))
    return Manifest(samples=samples, total=n, digest=digest)


def model(name="m", **more):
    return ModelSpec(name=name, source="dummy", label_space="three", outputs=3, **more)


SETTINGS = Settings(batch_size=8)


def task(n=40, probe=None, dataset=None, **more):
    return plan_task("two@made", probe or Two(), dataset or Made(), manifest(n, **more), SETTINGS.batch_size)


def stored(job, spans, failed=None):
    return {("two@made", job.model): stored_cell(job, spans, failed)}


def test_spans_cover_every_sample_once():
    spans = task(41).layout.spans()
    covered = [i for low, high in spans for i in range(low, high)]
    assert covered == list(range(41))


def test_a_new_cell_is_run_a_stored_one_is_not_and_half_a_one_is_resumed():
    one = task(100)
    job = make_job(one, model(), ["c"], SETTINGS)
    spans = one.layout.spans()
    fresh = plan([one], [model()], {"m": ["c"]}, SETTINGS, {})
    assert [cell.status for cell in fresh.cells] == ["run"]
    assert fresh.forwards == 100 * 2
    whole = plan([one], [model()], {"m": ["c"]}, SETTINGS, stored(job, spans))
    assert [cell.status for cell in whole.cells] == ["stored"] and whole.passes == ()
    half = plan([one], [model()], {"m": ["c"]}, SETTINGS, stored(job, spans[:1]))
    assert half.cells[0].status == "resume" and half.cells[0].pending == spans[1:]
    failed = plan([one], [model()], {"m": ["c"]}, SETTINGS, stored(job, spans[:1], failed="NaN"))
    assert failed.cells[0].status == "retry" and "NaN" in failed.cells[0].reason


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda: make_job(task(), model(), ["other"], SETTINGS), "model.checkpoint"),
        (lambda: make_job(task(probe=Two(level=0.25)), model(), ["c"], SETTINGS), "probe.params.level"),
        (lambda: make_job(task(digest="e" * 64), model(), ["c"], SETTINGS), "dataset.manifest"),
        (lambda: make_job(task(), model(mean=(0.5,) * 3, std=(0.5,) * 3), ["c"], SETTINGS), "model.mean"),
        (lambda: make_job(task(), model(), ["c"], replace(SETTINGS, seed=1)), "settings.seed"),
        (lambda: make_job(task(), model(), ["c"], replace(SETTINGS, precision="bf16")), "settings.precision"),
        (
            lambda: make_job(
                task(dataset=Made(preprocessing=replace(Made().preprocessing, resize=232))), model(), ["c"], SETTINGS
            ),
            "dataset.preprocessing.resize",
        ),
    ],
)
def test_whatever_changes_numbers_changes_the_key_and_is_named(change, word):
    before, now = make_job(task(), model(), ["c"], SETTINGS), change()
    assert before.key != now.key
    assert word in difference(before.identity.document, now.identity.document)


def test_a_probe_version_changes_the_key():
    class Newer(Two):
        version = 2

    before = make_job(task(), model(), ["c"], SETTINGS)
    now = make_job(task(probe=Newer()), model(), ["c"], SETTINGS)
    planned = plan([task(probe=Newer())], [model()], {"m": ["c"]}, SETTINGS, stored(before, task().layout.spans()))
    assert planned.cells[0].status == "rerun"
    assert planned.cells[0].reason == "probe.version changed: 1 -> 2"
    assert planned.cells[0].job == now


@pytest.mark.parametrize("field", [{"citation": "someone"}, {"group": "g"}, {"title": "T"}, {"notes": "n"}])
def test_what_cannot_change_numbers_does_not_change_the_key(field):
    assert make_job(task(), model(**field), ["c"], SETTINGS).key == make_job(task(), model(), ["c"], SETTINGS).key


@pytest.mark.parametrize("recipe", [{"head_sha256": "a" * 64}, {"head_sha256": None}])
def test_a_digest_that_is_stated_later_computes_nothing_again(recipe):
    """The digests of the files themselves are in the key; runs of before the head could have one go on too."""
    before = make_job(task(), model(), ["c", "h"], SETTINGS)
    assert "head_sha256" not in before.identity.network["recipe"]
    assert make_job(task(), model(recipe=LoadingRecipe(**recipe)), ["c", "h"], SETTINGS) == before
    assert make_job(task(), model(sha256="a" * 64), ["c", "h"], SETTINGS) == before


@dataclass(frozen=True, kw_only=True)
class Grown(Two):
    """`Two` with a parameter that came later."""

    high: float | None = None


def test_a_cell_is_never_run_again_without_a_reason():
    before = make_job(task(), model(), ["c"], SETTINGS)
    planned = plan([task(probe=Grown())], [model()], {"m": ["c"]}, SETTINGS, stored(before, task().layout.spans()))
    assert planned.cells[0].status == "rerun"
    assert planned.cells[0].reason.endswith("with different fields: probe.params.high")


def test_the_data_may_move():
    moved = task(dataset=Made(path="elsewhere"))
    assert make_job(moved, model(), ["c"], SETTINGS).key == make_job(task(), model(), ["c"], SETTINGS).key


def test_a_model_of_another_label_space_is_not_applicable_and_says_so():
    planned = plan([task()], [replace(model(), label_space="imagenet-1k")], {"m": []}, SETTINGS, {})
    assert planned.cells[0].status == "inapplicable"
    assert "imagenet-1k" in planned.cells[0].reason and planned.passes == ()


def test_more_models_than_fit_make_further_passes_over_the_same_images():
    models = [model(f"m{i:02d}") for i in range(RESIDENT_MODELS + 2)]
    planned = plan([task()], models, {one.name: [] for one in models}, SETTINGS, {})
    assert [len(one.models) for one in planned.passes] == [RESIDENT_MODELS, 2]
    assert {cell.model for one in planned.passes for cell in one.cells} == {one.name for one in models}


def test_planning_needs_no_torch():
    code = "import sys, harness.planning.planner, harness.planning.request; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_remarks_of_one_text_share_a_line():
    remarks = [Remark("data", name, text) for name, text in (("a", "made"), ("b", "made"), ("a", "few"), ("a", "made"))]
    assert joined(remarks) == ["a, b: made", "a: few"]
    assert joined([Remark("data", "a", "made", line="RUN: made")]) == ["RUN: made"]
