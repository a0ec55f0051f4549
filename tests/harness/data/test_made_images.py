"""Images that are made by code, in one view and in several: no file, one identity for what the code makes."""

import itertools
import json
import time
from collections import Counter
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from harness import DatasetError, ImageError, Sample
from harness.data.decoding import pixels
from harness.data.manifest import MADE_WITNESSES, build, made_witnesses
from harness.discovery.loader import load_plugins
from harness.testing import check_dataset
from tests.helpers.engine import Linear, Plain, Watch, run, same, trials
from tests.helpers.made_sets import HERE, Blind, Coloured, HalfMade, HashOfText, Shaded, Stripes, Unseeded, WithPaths


def test_each_made_view_is_a_condition_and_equals_a_plain_loop(tmp_path):
    watch, networks, dataset = Watch(), {"one": Linear(1), "two": Linear(2)}, Shaded()
    failures, planned = run(tmp_path / "run", networks, dataset, probes=(Plain(),), watch=watch)
    assert failures == {}
    assert planned.tasks[0].conditions == dataset.views()
    assert (watch.images, watch.forwards) == watch.promised == (60, 120)
    stored = trials(tmp_path / "run")
    for name, network in networks.items():
        for row, sample in enumerate(dataset.samples(tmp_path)):
            for column, view in enumerate(dataset.views()):
                image = np.array(dataset.image(replace(sample, view=view)))
                logits = network(torch.from_numpy(image).permute(2, 0, 1).float().div(255)[None])
                assert stored["plain@made", name][0][row, column, 0] == logits.argmax()


def test_a_run_over_made_views_resumes_to_the_same_bits(tmp_path):
    run(tmp_path / "whole", {"one": Linear(1)}, Shaded(), probes=(Plain(),))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", {"one": Linear(1)}, Shaded(), probes=(Plain(),), watch=Watch(24))
    run(tmp_path / "cut", {"one": Linear(1)}, Shaded(), probes=(Plain(),))
    assert same(trials(tmp_path / "whole"), trials(tmp_path / "cut"))


def test_views_in_files_and_made_ones_in_one_set(tmp_path):
    (tmp_path / "files").mkdir()
    dataset = HalfMade()
    for sample in dataset.samples(tmp_path):
        Stripes().image(sample).save(sample.path, "PNG")
    shown = list(build(dataset, tmp_path).shown(list(dataset.samples(tmp_path))[:1]))
    assert [(one.view, one.path) for (one,) in shown] == [
        ("shade-1", tmp_path / "files" / "00"), ("shade-2", None), ("shade-3", None),
    ]  # fmt: skip
    before = build(dataset, tmp_path).digest
    assert build(replace(dataset, ink=201), tmp_path).digest != before
    with (tmp_path / "files" / "03").open("ab") as file:
        file.write(b"\0")
    assert build(dataset, tmp_path).digest != before
    check_dataset(dataset, tmp_path)


@pytest.mark.parametrize("kind", [Stripes, Shaded])
def test_the_digest_covers_what_the_code_makes(kind):
    before = build(kind(), HERE).digest
    assert build(kind(), HERE).digest == before == build(kind(), HERE.parent).digest
    assert build(replace(kind(), ink=201), HERE).digest != before


def test_the_page_says_how_many_images_are_made_for_the_digest():
    page = Path(__file__).parents[3] / "docs" / "add-a-dataset.md"
    assert f"whenever a run is planned, {MADE_WITNESSES} images, taken" in " ".join(page.read_text().split())


def test_of_one_view_every_class_has_its_witnesses():
    samples = Stripes(n=60).samples(HERE)
    chosen = [int(sample.id) for sample in made_witnesses(samples, {})]
    assert len(chosen) == MADE_WITNESSES
    assert set(Counter(number % 10 for number in chosen).values()) == {3, 4}
    firsts = {min(range(digit, 60, 10), key=lambda n: sha256(f"{n:02d}".encode()).digest()) for digit in range(10)}
    assert set(chosen[:10]) == firsts
    before = build(Stripes(n=60), HERE).digest
    for number in range(60):
        assert (build(Stripes(n=60, moved=number), HERE).digest != before) == (number in chosen), number


def test_of_many_views_each_has_a_witness_and_every_sample_is_one():
    samples, views = Stripes(n=7).samples(HERE), [f"fog-{number}" for number in range(16)]
    witnesses = made_witnesses(samples, dict.fromkeys(views))
    assert [sample.view for sample in witnesses] == views
    assert {sample.id for sample in witnesses} == {sample.id for sample in samples}
    before = build(Shaded(), HERE).digest
    for changed in ((11, 60, 110), (10, 61, 110), (10, 60, 111)):
        assert build(Shaded(grounds=changed), HERE).digest != before
    assert build(Shaded(grounds=(60, 10, 110)), HERE).digest != before


@pytest.mark.parametrize("kind", [Stripes, Shaded])
def test_an_image_that_cannot_be_made_fails_its_cells_and_is_named_with_its_view(tmp_path, kind):
    samples, view = kind(n=60).samples(HERE), "shade-2" if kind is Shaded else ""
    seen = {sample.id for sample in made_witnesses(samples, dict.fromkeys(kind().views()))}
    unseen = max({sample.id for sample in samples} - seen)
    dataset = kind(n=60, bad=f"{view} {unseen}".strip())
    failures, _ = run(tmp_path / "run", {"one": Linear(1)}, dataset, probes=(Plain(),))
    where = " in view shade-2" if view else ""
    assert (
        failures["plain@made", "one"] == f"image {unseen} of made{where} cannot be generated: KeyError: 'no such ink'"
    )


def test_a_made_image_of_another_size_is_named_with_its_view():
    @dataclass(frozen=True, kw_only=True)
    class Small(Shaded):
        def image(self, sample):
            return super().image(sample).resize((16, 16))

    with pytest.raises(ImageError, match="image 01 of made in view shade-3 is 16x16 pixels, expected 32x32"):
        pixels(Small(), Sample(id="01", targets=(0,), view="shade-3"))


def test_a_witness_that_cannot_be_made_is_refused_before_anything_runs():
    first = made_witnesses(Shaded().samples(HERE), dict.fromkeys(Shaded().views()))[1]
    with pytest.raises(DatasetError) as refused:
        build(Shaded(bad=f"shade-2 {first.id}"), HERE)
    assert str(refused.value) == (
        f"image {first.id} of made in view shade-2 cannot be generated: KeyError: 'no such ink'. "
        "Fix tests.helpers.made_sets.Shaded.image, or leave made out"
    )


# --- the contract ----------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", [Stripes(), Shaded()], ids=["one view", "views"])
def test_made_images_keep_the_contract(dataset):
    check_dataset(dataset, HERE)


@pytest.mark.parametrize(
    ("dataset", "says"),
    [
        (Unseeded(), "generated again, in another order: different pixels"),
        (HashOfText(), "generated in another process: different pixels"),
        (Blind(), "00: the same pixels in all 3 views; image must use sample.view"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_breach_of_the_contract_is_named(dataset, says):
    with pytest.raises(AssertionError, match=says):
        check_dataset(dataset, HERE)


def test_values_of_an_attribute_are_those_that_are_stated():
    check_dataset(Coloured(), HERE)
    with pytest.raises(AssertionError, match="01: ink is 'green', none of attribute_values"):
        check_dataset(Coloured(inks=("", "green")), HERE)
    with pytest.raises(AssertionError, match=r"attribute_values: \['paint'\]"):
        check_dataset(Coloured(stated="paint"), HERE)


def test_paths_have_no_place_where_every_view_is_made():
    with pytest.raises(AssertionError, match="00: has a path, and all of its views are generated"):
        check_dataset(WithPaths(), HERE, decode=0)


def test_the_contract_holds_for_a_set_of_a_plugin_folder(plugins):
    check_dataset(load_plugins([plugins], entry_points=False).dataset("dots-views"), plugins)


# --- on the command line ---------------------------------------------------------------------

PLUGIN = '''
from dataclasses import dataclass
from pathlib import Path
from PIL import Image
from harness import Dataset, LabelSpace, Preprocessing, Sample, hookimpl
from ._ground import ground

@dataclass(frozen=True, kw_only=True)
class Dots(Dataset):
    """A bright dot that moves."""

    name: str = "dots"
    levels: tuple[str, ...] = ()
    preprocessing: Preprocessing = Preprocessing(resize=None, size=32)

    def root(self):
        return Path(__file__).parent

    def label_space(self):
        return LabelSpace(name="imagenet-1k", classes=tuple(map(str, range(1000))))

    def views(self):
        return self.levels

    def folder(self, root, view):
        return None

    def samples(self, root):
        return [Sample(id=f"{i:02d}", targets=(i,)) for i in range(24)]

    def remarks(self, samples):
        return () if self.levels else ("no photographs",)

    def image(self, sample):
        image = Image.new("RGB", (32, 32), ground(sample.view))
        image.putpixel((int(sample.id), 5), (255, 255, 255))
        return image

@hookimpl
def harness_datasets():
    return [Dots(), Dots(name="dots-views", levels=("fog-1", "fog-2"))]
'''
GROUND = "def ground(view):\n    return (BASE + 40 * len(view) * int(view[-1:] or 0),) * 3\n"
REGISTRY = {
    "models": {"plain": {"source": "dummy", "options": {"kind": "random-linear"}}},
    "suites": {"s": {"models": ["plain"], "tasks": ["accuracy@dots", "accuracy@dots-views"]}},
}


@pytest.fixture
def plugins(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "dots.py").write_text(PLUGIN)
    (folder / "_ground.py").write_text(GROUND.replace("BASE", "3"))
    return folder


@pytest.fixture
def harness(command_line, plugins):
    Path("registry.yaml").write_text(json.dumps(REGISTRY))
    return lambda *arguments: command_line(*arguments, "--registry", "registry.yaml", "--plugins", "mine")


def test_made_sets_are_planned_run_and_rerun_when_their_renderer_changes(harness, plugins):
    command = ("run", "--suite", "s", "--out", "run", "--device", "cpu")
    code, _, err = harness(*command, "--dry-run")
    assert code == 0, err
    code, _, err = harness(*command)
    assert code == 0, err
    code, out, _ = harness("report", "run", "--format", "json")
    assert code == 0
    measures = json.loads(out)["models"][0]["measures"]
    assert {"top1@dots", "top1@dots-views", "top1@dots-views/fog-1", "top1@dots-views/fog-2"} <= measures.keys()
    code, out, err = harness(*command)
    assert code == 0 and "2 of 2 cells" in out + err
    (plugins / "_ground.py").write_text(GROUND.replace("BASE", "4"))
    code, out, err = harness(*command, "--dry-run")
    assert code == 0 and "dataset.manifest changed" in out + err


def test_the_doctor_finds_them_present(harness):
    code, out, err = harness("doctor", "--suite", "s", "--format", "json")
    assert code == 0, out + err
    found = {row["name"]: row for row in json.loads(out)}
    assert {found[name]["state"] for name in ("dots", "dots-views")} == {"present"}
    assert found["dots-views"]["detail"] == "24 images made by code"
    assert found["dots"]["detail"] == "no photographs"


CALLS = itertools.count()
CHANGING = {
    "chance": lambda dataset, sample: Image.effect_noise((32, 32), 50).convert("RGB"),
    "a count of calls": lambda dataset, sample: Stripes.image(dataset, sample).rotate(next(CALLS)),
    "the time": lambda dataset, sample: Image.new("RGB", (32, 32), time.perf_counter_ns() % 2**24),
    "the sample before": lambda dataset, sample: BEFORE.append(sample) or Stripes.image(dataset, BEFORE[-2]),
}
BEFORE = [Sample(id="00", targets=(0,))]


@pytest.mark.parametrize("files", [False, True])
@pytest.mark.parametrize("how", CHANGING)
def test_images_that_are_others_each_time_are_refused(tmp_path, how, files):
    """Of files too: a plugin may crop them at random."""

    @dataclass(frozen=True, kw_only=True)
    class Changing(Stripes):
        def samples(self, root):
            return [replace(sample, path=root / sample.id if files else None) for sample in super().samples(root)]

        def image(self, sample):
            return CHANGING[how](self, sample)

    for sample in Changing().samples(tmp_path):
        (tmp_path / sample.id).write_bytes(sample.id.encode())
    with pytest.raises(
        DatasetError, match=r"of made is another one each time it is asked for: .* Fix .*Changing.image"
    ):
        build(Changing(), tmp_path)
