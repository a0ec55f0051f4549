"""Whatever is no safe, whole checkpoint is refused with words that help, and nothing in it is executed."""

from __future__ import annotations

import argparse
import io
import os
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from harness import CheckpointError, LoadingRecipe
from harness.checkpoints.kinds import sniff
from harness.checkpoints.reading import read_state_dict
from harness.plugins.models.checkpoint import Checkpoint
from tests.helpers.layouts import assert_same, refusal, spec_for

HTML = b"\n<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head></html>"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 102\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def saved(tmp_path, state):
    path = tmp_path / "flat.pth"
    torch.save(dict(state), path)
    return path


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_later_changes_of_the_file_do_not_reach_the_weights(kind, tmp_path, state):
    from safetensors.torch import save_file

    path = tmp_path / f"model.{kind}"
    (save_file if kind == "safetensors" else torch.save)({k: v.contiguous() for k, v in state.items()}, path)
    tensors = read_state_dict(path)
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert all(torch.equal(tensors[key], state[key]) for key in state)


def tar_bytes() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"), io.BytesIO())
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (HTML, "an HTML page"),
        (LFS, "a Git LFS pointer"),
        (b"", "an empty file"),
        (tar_bytes(), "a tar archive"),
        (b"\x1f\x8b\x08\x00rest", "a compressed archive"),
        ('{"error": "quota exceeded – später"}'.encode(), "a text file"),
        (b"\x89HDF\r\n\x1a\nrest", "an HDF5 file"),
    ],
    ids=["html", "lfs", "empty", "tar", "gzip", "text", "hdf5"],
)
def test_files_of_another_kind(content, words, tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        sniff(path)
    assert words in refusal(path)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_truncated_at_any_length(zipped, tmp_path):
    content = io.BytesIO()
    state = {"w": torch.ones(64, 8), "b": torch.ones(64)}
    torch.save({"state_dict": state}, content, _use_new_zipfile_serialization=zipped)
    whole, path = content.getvalue(), tmp_path / "w.pth"
    for length in {*range(1, 400, 13), *range(400, len(whole), 97), *range(len(whole) - 40, len(whole))}:
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"truncated|text file"):
            read_state_dict(path)
    path.write_bytes(whole)
    assert set(read_state_dict(path)) == {"w", "b"}


def test_truncated_safetensors(tmp_path, state):
    from safetensors.torch import save

    whole, path = save({"w": torch.ones(64, 8)}), tmp_path / "w.safetensors"
    for length in (1, 7, 8, 9, 40, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"truncated|text file|unknown"):
            read_state_dict(path)


def test_a_flipped_bit_in_the_weights_is_found(saved):
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 4
    saved.write_bytes(content)
    assert torch.load(saved, weights_only=True), "torch itself notices now: our own check may go"
    assert "checksum" in refusal(saved)


class Mischief:
    """Unpickles by running a command that leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch '{self.mark}'",)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_code_in_a_pickle_is_refused_and_not_run(zipped, tmp_path, state):
    path, mark = tmp_path / "w.pth", tmp_path / "executed"
    torch.save({"state_dict": state, "extra": Mischief(mark)}, path, _use_new_zipfile_serialization=zipped)
    message = refusal(path)
    assert f"{os.system.__module__}.system" in message and "nothing was executed" in message
    assert not mark.exists()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.load(path, weights_only=False)
    assert mark.exists(), "the file would have run its command"


def test_no_entry_can_allow_code(tmp_path, state):
    path, mark = tmp_path / "w.pth", tmp_path / "executed"
    torch.save({"state_dict": state, "extra": Mischief(mark)}, path)
    for name in (f"{os.system.__module__}.system", "os.system", "builtins.eval", "subprocess.Popen"):
        assert f"{name!r} cannot be allowed" in refusal(path, LoadingRecipe(safe_globals=(name,)))
    assert not mark.exists()


def test_plain_data_is_refused_with_the_line_that_allows_it(tmp_path, state):
    torch.save({"state_dict": state, "args": argparse.Namespace(a=1)}, tmp_path / "w.pth")
    assert "safe_globals: [argparse.Namespace]" in refusal(tmp_path / "w.pth")


def test_old_numpy_names_are_understood(tmp_path, state, network, images):
    torch.save({"state_dict": state, "best": np.float64(0.5)}, tmp_path / "w.pth", pickle_protocol=2)
    content = tmp_path / "old.pth"
    # What a file of numpy < 2 says: the same pickle with the old module name.
    with zipfile.ZipFile(tmp_path / "w.pth") as new, zipfile.ZipFile(content, "w") as old:
        for item in new.infolist():
            old.writestr(item.filename, new.read(item).replace(b"numpy._core", b"numpy.core"))
    names = ("numpy.core.multiarray.scalar", "numpy.dtype", "numpy.dtypes.Float64DType")
    assert "numpy.core.multiarray.scalar" in refusal(content)
    assert_same(Checkpoint().load(spec_for(content, LoadingRecipe(safe_globals=names))), network, images)


def test_torchscript_is_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), str(tmp_path / "w.pth"))
    assert "a TorchScript program" in refusal(tmp_path / "w.pth")
