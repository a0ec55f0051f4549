"""What the doctor finds on trees made here: present, partial, missing, wrong; and what `info` says of one name."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from harness.cli.doctor import is_non_commercial, licence_note
from harness.cli.options import open_house
from harness.data.roots import DataRoots
from harness.planning.doctor import ON_FIRST_USE, examine, task_costs
from harness.planning.estimate import TaskShape

PLUGIN = '''
from dataclasses import dataclass
from harness import Dataset, DatasetError, Download, LabelSpace, Release, Sample, hookimpl

@dataclass(frozen=True, kw_only=True)
class Toy(Dataset):
    """A toy."""
    name: str = "toy"
    path: str = "toy"
    images: int = 3
    levels: int = 0
    archive: str = ""
    terms: str = "CC BY 4.0"
    sized: bool = True

    def label_space(self):
        return LabelSpace(name="imagenet-1k", classes=tuple(f"class {i}" for i in range(1000)))

    def release(self):
        files = (Download(uri=self.archive, bytes=2_000_000_000, digest="md5:" + "0" * 32),) if self.archive else ()
        size, page = 5_000_000_000 if self.sized else None, "https://example.org/toy"
        return Release(images=self.images, bytes=size, license=self.terms, page=page, downloads=files)

    def views(self):
        return tuple(f"blur-{level}" for level in range(1, self.levels + 1))

    def folder(self, root, view):
        return root / view

    def samples(self, root):
        for path in sorted((root / self.views()[0] if self.levels else root).iterdir()):
            if path.suffix != ".png":
                raise DatasetError(f"dataset {self.name!r}: {path} is no PNG file. Move it elsewhere")
            yield Sample(id=path.name, targets=(0,), path=path)

@hookimpl
def harness_datasets():
    return [Toy()]
'''
ARCHIVE = "https://example.org/toy.tar"
TOYS = {
    "set-full": {"plugin": "toy", "path": "set-full"},
    "set-half": {"plugin": "toy", "path": "set-half", "params": {"archive": ARCHIVE}},
    "set-gone": {"plugin": "toy", "path": "set-gone", "params": {"archive": ARCHIVE}},
    "set-by-hand": {"plugin": "toy", "path": "set-by-hand", "params": {"terms": "Non-commercial research only"}},
    "set-odd": {"plugin": "toy", "path": "set-odd"},
    "set-empty": {"plugin": "toy", "path": "set-empty"},
    "set-views": {"plugin": "toy", "path": "set-views", "params": {"levels": 3}},
}
CHECKPOINT = {"source": "checkpoint", "arch": "timm:test_resnet"}
DUMMY = {"source": "dummy", "options": {"kind": "brightness"}}


def pictures(folder, images):
    folder.mkdir(parents=True)
    for number in range(images):
        (folder / f"{number}.png").write_bytes(b"never opened")


def torch_file(path, content=b"weights"):
    """Begins as a pickle does, which is all that the doctor looks at; gives its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x80\x02" + content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def harness(command_line):
    """`command_line`, with the toy plugin in ``mine``."""
    Path("mine").mkdir()
    Path("mine/toy.py").write_text(PLUGIN)
    return command_line


def registry(models, tasks=("accuracy@set-full",), patterns=None, **more):
    suite = {"models": patterns or list(models), "tasks": list(tasks), **more}
    Path("registry.yaml").write_text(json.dumps({"models": models, "datasets": TOYS, "suites": {"s": suite}}))


def doctor(harness, *more, data=("--data", "data")):
    return harness("doctor", "--suite", "s", "--registry", "registry.yaml", "--plugins", "mine", *data, *more)


def rows(harness, *more, **options):
    code, out, err = doctor(harness, *more, "--format", "json", **options)
    assert code in {0, 1}, err
    return code, {row["name"]: row for row in json.loads(out)}


# --- datasets --------------------------------------------------------------------------------


def test_a_dataset_is_present_partial_missing_or_wrong(harness):
    registry({"plain": DUMMY}, [f"accuracy@{name}" for name in TOYS])
    pictures(Path("data/set-full"), 3)
    pictures(Path("data/set-half"), 2)
    pictures(Path("data/set-odd"), 3)
    Path("data/set-odd/readme.txt").write_text("")
    pictures(Path("data/set-empty"), 0)
    pictures(Path("data/set-views/blur-1"), 3)
    pictures(Path("data/set-views/blur-3"), 3)
    code, found = rows(harness)
    assert code == 1
    assert {name: found[name]["state"] for name in TOYS} == {
        "set-full": "present", "set-half": "partial", "set-gone": "missing", "set-by-hand": "missing",
        "set-odd": "wrong", "set-empty": "wrong", "set-views": "wrong",
    }  # fmt: skip
    assert "3 images" in found["set-full"]["detail"] and found["set-full"]["mend"] == ""
    assert found["set-half"]["detail"] == "2 images, the release has 3" and found["set-half"]["images"] == 2
    gone = found["set-gone"]
    assert gone["mend"] == "harness fetch --datasets set-gone" and gone["uris"] == [ARCHIVE]
    assert (gone["bytes"], gone["disk_bytes"], gone["images"]) == (2_000_000_000, 5_000_000_000, 3)
    assert gone["license"] == "CC BY 4.0"
    by_hand = found["set-by-hand"]
    assert by_hand["mend"] == "get it from https://example.org/toy and put it at data/set-by-hand"
    assert (by_hand["bytes"], by_hand["uris"]) == (5_000_000_000, [])
    assert "readme.txt" in found["set-odd"]["detail"]
    assert "no images" in found["set-empty"]["detail"]
    assert "1 of 3 views are missing: blur-2" in found["set-views"]["detail"]


def test_all_that_is_present_exits_0_and_says_what_to_type(harness):
    registry({"plain": DUMMY})
    pictures(Path("data/set-full"), 3)
    code, out, _ = doctor(harness)
    assert code == 0
    assert "here: 1 of 1 datasets and 1 of 1 checkpoints; 0 partial, 0 wrong" in out
    assert out.splitlines()[-1] == (
        "next: harness run --suite s --out runs/s --data data --registry registry.yaml --plugins mine"
    )


def test_a_partial_dataset_stops_nothing(harness):
    registry({"plain": DUMMY}, ["accuracy@set-half"])
    pictures(Path("data/set-half"), 2)
    code, out, _ = doctor(harness)
    assert code == 0 and "partial: set-half: 2 images, the release has 3" in out and "next: harness run" in out


def test_a_misspelt_dataset_and_a_misspelt_suite_are_refused(harness):
    registry({"plain": DUMMY})
    code, out, err = doctor(harness, "--data", "set-ful=data")
    assert code == 2 and out == "" and "did you mean 'set-full'" in err
    assert harness("doctor", "--suite", "smoek")[0] == 2


def test_a_folder_that_the_user_gave_and_that_is_not_there_is_missing(harness):
    registry({"plain": DUMMY}, ["accuracy@set-gone", "accuracy@set-odd"])
    code, found = rows(harness, data=("--data", "set-gone=nowhere"))
    assert code == 1 and found["set-gone"]["state"] == "missing" and "nowhere" in found["set-gone"]["detail"]


# --- tasks -----------------------------------------------------------------------------------


def test_a_task_that_cannot_run_as_written_is_wrong_and_the_others_are_still_looked_at(harness):
    registry({"plain": DUMMY}, ["accuracy@set-full", "shape-bias@set-full", "band-pass@set-views", "missing@set-full"])
    pictures(Path("data/set-full"), 3)
    code, found = rows(harness)
    assert code == 1
    assert found["accuracy@set-full"]["state"] == found["set-full"]["state"] == "present"
    assert found["shape-bias@set-full"]["state"] == "wrong" and "texture" in found["shape-bias@set-full"]["detail"]
    assert found["band-pass@set-views"]["state"] == "present"  # any probe runs on views
    assert "unknown probe 'missing'" in found["missing@set-full"]["detail"]
    _, out, _ = doctor(harness)
    assert "wrong: shape-bias@set-full: task 'shape-bias@set-full'" in out
    assert "next: fix set-views" not in out and "next: fix shape-bias@set-full" in out


# --- checkpoints -----------------------------------------------------------------------------


def test_a_checkpoint_is_present_missing_or_wrong(harness):
    right = torch_file(Path("right.pth"))
    torch_file(Path("other.pth"), b"other")
    Path("page.pth").write_text("<!DOCTYPE html><html><body>Quota exceeded</body></html>")
    remote = "https://example.org/far.pth"
    registry({
        "plain": DUMMY,
        "right": {**CHECKPOINT, "weights": ["file:right.pth"], "sha256": right},
        "other": {**CHECKPOINT, "weights": ["file:other.pth"], "sha256": right},
        "page": {**CHECKPOINT, "weights": ["file:page.pth", remote]},
        "gone": {**CHECKPOINT, "weights": ["file:gone.pth"]},
        "far": {**CHECKPOINT, "weights": [remote], "bytes": 102_000_000, "license": "CC-BY-NC-4.0", "group": "g"},
        "bad": {**DUMMY, "options": {"kind": "purple"}},
    })  # fmt: skip
    code, found = rows(harness)
    assert code == 1
    states = {name: row["state"] for name, row in found.items() if row["kind"] == "model"}
    assert states == {
        "plain": "present", "right": "present", "other": "wrong", "page": "wrong", "gone": "missing",
        "far": "missing", "bad": "wrong",
    }  # fmt: skip
    assert found["plain"]["detail"] == "needs no file" and found["plain"]["trust"] == ""
    assert right[:12] in found["right"]["detail"] and found["right"]["trust"] == "published digest"
    assert found["right"]["disk_bytes"] == 9 and found["right"]["bytes"] == 0
    assert right[:16] in found["other"]["detail"] and "other.pth" in found["other"]["detail"]
    assert "HTML page" in found["page"]["detail"] and found["page"]["mend"] == "harness fetch --models page"
    assert "gone.pth" in found["gone"]["detail"] and found["gone"]["bytes"] is None
    far = found["far"]
    assert far["mend"] == "harness fetch --models far" and far["uris"] == [remote] and far["group"] == "g"
    assert (far["bytes"], far["license"], far["trust"]) == (102_000_000, "CC-BY-NC-4.0", ON_FIRST_USE)
    assert "purple" in found["bad"]["detail"]


def test_a_wrong_file_is_fetched_again_where_that_can_be_and_mended_by_a_person_where_not(harness):
    pictures(Path("data/set-full"), 3)
    Path("page.pth").write_text("<!DOCTYPE html>")
    page = {**CHECKPOINT, "weights": ["file:page.pth", "https://example.org/far.pth"], "bytes": 102_000_000}
    registry({"page": page})
    _, out, _ = doctor(harness)
    assert "next: harness fetch --suite s" in out and "to get: 102.0 MB by `harness fetch`, nothing by hand" in out
    registry({"page": {**page, "weights": ["file:page.pth"]}})
    _, out, _ = doctor(harness)
    assert "next: fix page as described above" in out and "to get:" not in out
    assert "wrong: page: page.pth is not a checkpoint but an HTML page" in out.replace(str(Path.cwd()) + "/", "")


@pytest.mark.parametrize("kind", ["zip", "safetensors"])
def test_a_checkpoint_that_breaks_off_is_wrong(harness, kind):
    file = Path(f"net.{kind}")
    if kind == "zip":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", bytes(1000))
    else:
        safetensors.numpy.save_file({"weight": np.zeros(1000, np.float32)}, file)
    registry({"net": {**CHECKPOINT, "weights": [f"file:{file}"]}})
    assert rows(harness)[1]["net"]["state"] == "present"
    file.write_bytes(file.read_bytes()[:-1])
    found = rows(harness)[1]["net"]
    assert found["state"] == "wrong" and "is truncated after" in found["detail"] and str(file) in found["detail"]


@pytest.mark.parametrize(("content", "state"), [(b"published", "present"), (b"damaged", "wrong")])
def test_the_digest_in_a_published_name_is_held_against_the_file(harness, monkeypatch, tmp_path, content, state):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    digest = torch_file(Path("published"), b"published")[:8]
    registry({"net": {**CHECKPOINT, "weights": [f"https://example.org/net-{digest}.pth"]}})
    torch_file(tmp_path / "cache" / "checkpoints" / "net" / f"net-{digest}.pth", content)
    row = rows(harness)[1]["net"]
    assert row["state"] == state
    assert row["trust"] == "first 8 digits of the published digest"
    assert (digest in row["detail"]) and (row["mend"] == "harness fetch --models net") == (state == "wrong")


@pytest.mark.parametrize("right", [True, False])
def test_the_second_file_of_a_checkpoint_is_held_against_its_own_digest(harness, right):
    torch_file(Path("body.pth"))
    head = torch_file(Path("head.pth"), b"head")
    recipe = {"head": "file:head.pth", "head_sha256": head if right else "0" * 64}
    registry({"net": {**CHECKPOINT, "weights": ["file:body.pth"], "recipe": recipe}})
    row = rows(harness)[1]["net"]
    assert row["state"] == ("present" if right else "wrong") and head[:12] in row["detail"]
    assert right or "head.pth" in row["detail"]


def test_a_pattern_without_a_model_and_a_model_named_twice(harness):
    registry({"plain": DUMMY}, patterns=["plain", "pl*", "nothing-*"])
    code, out, _ = doctor(harness, "--format", "json")
    models = [row["name"] for row in json.loads(out) if row["kind"] == "model"]
    assert code == 1 and models == ["plain", "nothing-*"]


# --- what it costs ---------------------------------------------------------------------------


def test_the_estimate_knows_the_suites_preprocessing_and_what_a_probe_requires(harness):
    registry({"plain": DUMMY}, ["band-pass@set-gone"], preprocessing={"set-gone": {"resize": None, "size": 112}})
    house = open_house([Path("registry.yaml")], [Path("mine")])
    first, second = task_costs("s", house.registry, examine("s", house.registry, DataRoots()))
    assert first == TaskShape(name="accuracy@set-gone", images=3, size=112, resized=False)
    assert second == TaskShape(name="band-pass@set-gone", images=3, conditions=22, size=112, resized=False)


# --- what a person reads ---------------------------------------------------------------------


def many(number=48):
    """So many checkpoints that are on the net alone, in three groups; every fourth is not for commercial use."""
    return {
        f"resnet50_with_a_name_as_long_as_the_longest_{n}": {
            **CHECKPOINT,
            "weights": [f"https://example.org/{n}.pth"],
            "group": f"group-{n % 3}",
            "license": "MIT" if n % 4 else "CC-BY-NC-4.0",
            **({"bytes": 100_000_000} if n < 24 else {}),
        }
        for n in range(number)
    }


def test_a_large_suite_without_anything_fits_80_columns_and_groups_its_checkpoints(harness):
    names = ["set-gone", "set-half", "set-by-hand", "set-views"]
    registry(many(), [f"accuracy@{name}" for name in names])
    code, out, _ = doctor(harness, data=())
    assert code == 1
    lines = out.splitlines()
    blank = [number for number, line in enumerate(lines) if not line.strip()]
    table = lines[: blank[2]]  # the title and two tables; the terminal wraps the sentences below
    assert len(table) < 15 and all(len(line) <= 80 for line in table)
    (group,) = [line for line in table if line.startswith("group-0 (16)")]
    assert group.split() == ["group-0", "(16)", "missing", "800.0", "MB", "+", "?", "fetch", "several,", "4", "NC"]
    (by_hand,) = [line for line in table if line.startswith("set-by-hand")]
    assert by_hand.split()[1:6] == ["missing", "5.0", "GB", "by", "hand"] and "NC: Non-commercial" in by_hand
    assert "here: 0 of 4 datasets and 0 of 48 checkpoints; 0 partial, 0 wrong" in out
    # Two archives of 2 GB and 24 checkpoints of 0.1 GB are fetched; two trees of 5 GB are got by hand.
    assert "to get: 6.4 GB and 24 of unknown size by `harness fetch`, 10.0 GB by hand" in out
    assert "disk for data and checkpoints once all are here: 22.4 GB and 24 of unknown size" in out
    assert "no digest is published for 48 of 48 checkpoints: recorded on first use" in out
    # 3 images under 1 condition on three datasets, under 3 views on the fourth.
    assert f"a whole run: 4 passes, 18 images decoded, {48 * (3 + 3 + 3 + 9):,} forwards" in out
    assert "by hand: set-by-hand: get it from https://example.org/toy and put it at ROOT/set-by-hand" in out
    assert "not for commercial use (CC-BY-NC-4.0): resnet50_with_a_name_as_long_as_the_longest_0, " in out
    assert lines[-1].startswith("next: harness fetch --suite s --data ROOT --registry registry.yaml")
    assert "start with what is here" not in out


def test_a_small_suite_has_one_row_for_each_checkpoint(harness):
    registry({**many(12), "plain": DUMMY}, ["accuracy@set-full"])
    pictures(Path("data/set-full"), 3)
    code, out, _ = doctor(harness)
    assert code == 1 and "group-0" not in out
    table = out.split("\n\n")[2].splitlines()
    assert all(len(line) <= 80 for line in table)
    assert sum("missing" in line for line in table) == 12
    assert "or start with what is here, and add the rest later: harness run --suite s --out runs/s" in out


def test_what_shares_a_folder_is_counted_once(harness):
    unsized = {"plugin": "toy", "path": "set-by-hand", "params": {"sized": False}}
    toys = {"again": unsized, "set-by-hand": TOYS["set-by-hand"], "labels": unsized}
    suite = {"models": ["plain"], "tasks": [f"accuracy@{name}" for name in toys]}
    Path("registry.yaml").write_text(json.dumps({"models": {"plain": DUMMY}, "datasets": toys, "suites": {"s": suite}}))
    _, out, _ = doctor(harness)
    assert "to get: nothing by `harness fetch`, 5.0 GB by hand" in out
    assert "by hand: again, set-by-hand, labels: get it from" in out
    assert "next: get what is missing by hand as described above, then: harness doctor --suite s" in out


def test_one_reason_for_many_datasets_is_one_line(harness):
    names = [f"toy-{number}" for number in range(8)]
    toys = {name: {"plugin": "toy", "path": name} for name in names}
    suite = {"models": ["plain"], "tasks": [f"accuracy@{name}" for name in names]}
    Path("registry.yaml").write_text(json.dumps({"models": {"plain": DUMMY}, "datasets": toys, "suites": {"s": suite}}))
    for name in names:
        pictures(Path("data") / name, 1)
    _, out, _ = doctor(harness)
    (line,) = [line for line in out.splitlines() if line.startswith("partial")]
    assert line == "partial: toy-0, toy-1, … (8): 1 images, the release has 3"


@pytest.mark.parametrize(
    ("license", "note", "marked"),
    [
        ("", "not stated", False),
        ("MIT", "MIT", False),
        ("CC-BY-NC-4.0", "CC-BY-NC-4.0", True),
        ("CC BY-NC 4.0", "CC BY-NC 4.0", True),
        ("non-commercial", "NC: non-commercial", True),
        ("Noncommercial research", "NC: Noncommercial res…", True),
        ("synced once", "synced once", False),
    ],
)
def test_licences_that_forbid_commercial_use_are_marked(license, note, marked):
    assert licence_note(license) == note and is_non_commercial(license) is marked


def test_the_doctor_imports_no_torch_and_opens_no_image(harness, tmp_path):
    registry(many(3), [f"accuracy@{name}" for name in TOYS])
    pictures(Path("data/set-full"), 3)  # files that no decoder would take
    code = (
        "import sys, harness.cli\n"
        "try: harness.cli.main()\nexcept SystemExit as stop: pass\n"
        "sys.exit('torch' in sys.modules or 'timm' in sys.modules)"
    )
    command = ["doctor", "--suite", "s", "--registry", "registry.yaml", "--plugins", "mine", "--data", "data"]
    done = subprocess.run([sys.executable, "-c", code, *command], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "set-full" in done.stdout


# --- info ------------------------------------------------------------------------------------


def info(harness, name, *more):
    code, out, err = harness("info", name, "--registry", "registry.yaml", "--plugins", "mine", *more)
    assert code == 0, err
    return out


def test_info_of_a_dataset_tells_its_release_and_views(harness):
    registry({"plain": DUMMY})
    known = json.loads(info(harness, "set-gone", "--format", "json"))
    assert known["kind"] == "dataset" and known["release"]["images"] == 3
    assert known["release"]["downloads"][0]["uri"] == ARCHIVE
    assert known["preprocessing"] == {"resize": 256, "size": 224} and known["classes"] == 1000
    assert json.loads(info(harness, "set-views", "--format", "json"))["views"] == ["blur-1", "blur-2", "blur-3"]
    out = info(harness, "set-gone")
    assert all(len(line) <= 80 for line in out.splitlines())
    assert f"{ARCHIVE} (2.0 GB," in out and "5.0 GB" in out and "CC BY 4.0" in out
    assert "3: blur-1 to 3" in info(harness, "set-views")
    assert "download it by hand from the page" in " ".join(info(harness, "set-by-hand").split())


def test_info_of_a_model_tells_recipe_downloads_and_licence(harness):
    recipe = {"strip_prefixes": ["module."], "rename": [["^a", "b"]], "head": "https://example.org/head.pth"}
    weights = ["file:x.pth", "https://example.org/net-0123abcd.pth", "hf:owner/net"]
    model = {**CHECKPOINT, "weights": weights, "recipe": recipe, "license": "MIT", "bytes": 102_000_000}
    registry({"net": model, "bad": {**DUMMY, "options": {"kind": "purple"}}})
    known = json.loads(info(harness, "net", "--format", "json"))
    assert known["recipe"] == {
        "strip_prefixes": ["module."], "rename": [["^a", "b"]], "head": "https://example.org/head.pth",
    }  # fmt: skip
    assert [[one["uri"] for one in file] for file in known["downloads"]] == [
        ["https://example.org/net-0123abcd.pth", "hf:owner/net"], ["https://example.org/head.pth"],
    ]  # fmt: skip
    assert known["downloads"][0][0]["digest"] == "sha256:0123abcd" and known["bytes"] == 102_000_000
    out = info(harness, "net")
    assert all(len(line) <= 80 for line in out.splitlines())
    words = " ".join(out.split())
    assert "102.0 MB" in words and "MIT" in words and "rename: ^a -> b" in words
    assert "or hf:owner/net (102.0 MB) and https://example.org/head.pth" in words
    assert "purple" in json.loads(info(harness, "bad", "--format", "json"))["problem"]


def test_info_of_a_suite_reads_as_one_would_say_it(harness):
    axes = {"ID": ["top1@set-full"], "Both": ["top1@set-full", "top1@set-half"]}
    tasks = ["accuracy@set-full", {"task": "band-pass@set-full", "params": {"cutoffs": [0.25, 0.5]}}]
    registry({"plain": {**DUMMY, "group": "grey"}}, tasks, axes=axes, biases={"b": ["top1@set-full"]})
    out = info(harness, "s")
    assert all(len(line) <= 80 for line in out.splitlines())
    words = " ".join(out.split())
    assert "grey (1): plain" in words and "accuracy@set-full band-pass@set-full (cutoffs 0.25, 0.5)" in words
    assert "ID: top1@set-full" in words and "Both: mean of top1@set-full, top1@set-half" in words
    known = json.loads(info(harness, "s", "--format", "json"))
    assert known["axes"]["Both"] == axes["Both"] and known["tasks"][0]["probe"] == "accuracy"
