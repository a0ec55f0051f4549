"""A run is continued on the files from which it was made, or refused: names and sizes alone do not tell."""

import json
from pathlib import Path

import pytest

from harness.data.manifest import WITNESSES, lowest_hashes
from harness.plugins.datasets.imagenet_c import ImageNetC
from harness.workflows import describing
from tests.harness.data.test_decoding import noise
from tests.helpers.trees import WNIDS

REGISTRY = """
models:
  plain: {source: dummy, options: {kind: brightness}}
datasets:
  foggy: {plugin: imagenet-c, path: tree, resize: null, size: 16, params: {corruptions: [fog]}}
"""
IMAGES = 40


@pytest.fixture
def measure(command_line):
    """Measures one network on five views of 40 images, all of one size in bytes."""
    Path("my.yaml").write_text(REGISTRY)
    for severity in range(1, 6):
        folder = Path("tree", "fog", str(severity), WNIDS[0])
        folder.mkdir(parents=True)
        for image in range(IMAGES):
            noise(16, 16, seed=1000 * severity + image).save(folder / f"{image:02d}.JPEG", "BMP")

    def run(*more, out="run"):
        words = ("--models", "plain", "--task", "accuracy@foggy", "--data", "foggy=tree", "--device", "cpu")
        return command_line("run", "--registry", "my.yaml", *words, "--out", out, *more)

    return run


def rewrite(severity):
    """Other images of the same size in bytes in one view, all but those that its digest covers."""
    samples = ImageNetC(corruptions=("fog",)).samples(Path("tree"))
    kept = {sample.id for sample in lowest_hashes(samples, WITNESSES)}
    others = [Path("tree", "fog", str(severity), sample.id) for sample in samples if sample.id not in kept]
    for number, path in enumerate(others):
        size = path.stat().st_size
        noise(16, 16, seed=77_000 + number).save(path, "BMP")
        assert path.stat().st_size == size
    return len(others)


def test_a_view_rewritten_at_equal_size_is_named_when_the_run_is_continued(measure):
    assert measure()[0] == 0
    code, out, err = measure()
    assert code == 0 and "1 of 1 cells" in out + err
    assert rewrite(4) == IMAGES - WITNESSES
    for more in ((), ("--dry-run",)):
        code, out, err = measure(*more)
        assert (code, out) == (2, "")
        assert err.strip() == (
            "error: run holds trials of dataset 'foggy' whose files have changed since, under the same names and "
            "sizes: fog-4. Put the files back, or choose another --out"
        )
    assert measure(out="another")[0] == 0


def test_a_run_that_recorded_nothing_is_continued_and_records(measure, monkeypatch):
    """Runs of earlier versions."""
    with monkeypatch.context() as earlier:
        earlier.setattr(describing, "contents_of", lambda plan: {})
        assert measure()[0] == 0
    assert not json.loads(Path("run/run.json").read_text()).get("contents")
    code, out, err = measure()
    assert code == 0 and "1 of 1 cells" in out + err
    recorded = json.loads(Path("run/run.json").read_text())["contents"]["foggy"]
    assert list(recorded) == [f"fog-{severity}" for severity in range(1, 6)]


def test_files_of_other_sizes_are_measured_again_and_recorded_anew(measure):
    assert measure()[0] == 0
    before = json.loads(Path("run/run.json").read_text())["contents"]["foggy"]
    for path in Path("tree/fog/2", WNIDS[0]).iterdir():
        noise(16, 16, seed=int(path.stem)).save(path, "PNG")
    code, out, err = measure("--dry-run")
    assert code == 0 and "dataset.manifest changed" in out + err
    assert measure()[0] == 0
    after = json.loads(Path("run/run.json").read_text())["contents"]["foggy"]
    assert [view for view in before if before[view] != after[view]] == ["fog-2"]
    assert measure()[0] == 0


def test_what_is_said_of_views_is_stored_with_the_run_and_reported(measure, command_line):
    for path in Path("tree/fog/1", WNIDS[0]).iterdir():
        Path("tree/fog/5", WNIDS[0], path.name).write_bytes(path.read_bytes())
    assert measure()[0] == 0
    said = "foggy: fog-1, fog-5 have the same files: 32 of 32 images compared are equal byte for byte"
    assert said in json.loads(Path("run/run.json").read_text())["warnings"]["foggy"]
    code, out, _ = command_line("report", "run")
    assert code == 0 and said in " ".join(out.split())
