"""The manifest: the same samples and one digest for the same bytes, another for others."""

import os
from dataclasses import dataclass

import pytest

from harness import Dataset, DatasetError, LabelSpace, Sample
from harness.data.manifest import build, lowest_hashes
from harness.data.roots import DataRoots


@dataclass(frozen=True, kw_only=True)
class Files(Dataset):
    name: str = "files"
    path: str = "some/files"

    def label_space(self):
        return LabelSpace(name="imagenet-1k", classes=())

    def samples(self, root):
        paths = sorted(root.rglob("*.bin"), reverse=True)
        return [Sample(id=path.relative_to(root).as_posix(), targets=(1,), path=path) for path in paths]

    def remarks(self, samples):
        return [f"{len(samples)} files"]


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "some" / "files"
    (folder / "sub").mkdir(parents=True)
    for i in range(20):
        (folder / "sub" / f"{i:02d}.bin").write_bytes(bytes([i]) * 100)
    return folder


def test_samples_are_sorted_by_id_whatever_the_order_on_disk(root):
    made = build(Files(), root)
    assert [sample.id for sample in made.samples] == [f"sub/{i:02d}.bin" for i in range(20)]
    assert made.remarks == ("files: 20 files",)


def test_the_digest_follows_contents_and_not_places_or_times(root, tmp_path):
    before = build(Files(), root).digest
    moved = tmp_path / "moved"
    root.rename(moved)
    for path in moved.rglob("*.bin"):
        os.utime(path, (1, 1))
    assert build(Files(), moved).digest == before
    (moved / "sub" / "07.bin").write_bytes(b"x" * 100)  # the same size
    assert build(Files(), moved).digest != before


def test_a_file_is_read_once_and_again_when_it_changed(root, monkeypatch):
    import hashlib

    reads = []
    monkeypatch.setattr("harness.data.files.SETTLED_NS", 0)  # the files are as young as this test
    real = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, name: reads.append(file.name) or real(file, name))
    first = build(Files(), root)
    assert len(reads) == 20
    assert build(Files(), root) == first and len(reads) == 20
    (root / "sub" / "03.bin").write_bytes(b"other")
    assert build(Files(), root).digest != first.digest and len(reads) == 21


def test_limit_takes_the_same_samples_from_any_order_and_grows(root):
    samples = list(Files().samples(root))
    five, nine = lowest_hashes(samples, 5), lowest_hashes(list(reversed(samples)), 9)
    assert len(five) == 5 and set(five) < set(nine)
    assert five == sorted(five, key=lambda sample: sample.id)
    assert [sample.id for sample in five] != [f"sub/{i:02d}.bin" for i in range(5)]  # not just the first ones
    assert "--limit: 5 of 20 images" in " ".join(build(Files(), root, limit=5).remarks)


def test_two_samples_with_one_id_are_refused(root):
    class Doubled(Files):
        def samples(self, root):
            return [*super().samples(root), *super().samples(root)]

    with pytest.raises(DatasetError, match="two samples with the id 'sub/"):
        build(Doubled(), root)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="no images"):
        build(Files(), tmp_path)


def test_where_data_is_looked_for(root, tmp_path, monkeypatch):
    dataset = Files()
    assert DataRoots.parse([str(tmp_path)]).find(dataset) == root
    assert DataRoots.parse([f"files={root}"]).find(dataset) == root
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path))
    assert DataRoots.parse([]).find(dataset) == root
    with pytest.raises(DatasetError, match="Type: --data files=DIR"):
        DataRoots.parse(["files=" + str(tmp_path / "nowhere")]).find(dataset)
    monkeypatch.delenv("HARNESS_DATA")
    with pytest.raises(DatasetError, match="no folder given for dataset 'files'"):
        DataRoots.parse([]).find(dataset)
