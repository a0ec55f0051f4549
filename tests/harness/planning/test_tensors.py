"""The same tensors in another file are the same network: stored cells stay; other tensors are another network."""

import json
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import harness.plugins.models._zoo as zoo
from harness.checkpoints.tensors import tensors_digest
from harness.store import RunReader
from tests.helpers.layouts import sharded

WEIGHTS = Path(zoo.__file__).parent / "weights"
ENTRY = """
models:
  mine: {{source: checkpoint, arch: 'zoo:plain', weights: 'file:{file}', label_space: shapes-16, outputs: 16{more}}}
"""


@pytest.fixture
def state():
    return load_file(WEIGHTS / "zoo-baseline.safetensors")


@pytest.fixture
def measured(command_line, state):
    """``measured(write, *words)`` runs the model whose file `write` has written."""

    def call(file, *words, more="", task="accuracy@shapes-64", out="run"):
        Path(f"{file}.yaml").write_text(ENTRY.format(file=file, more=more))
        words = (
            "--registry",
            f"{file}.yaml",
            "--models",
            "mine",
            "--task",
            task,
            "--limit",
            "64",
            "--out",
            out,
            *words,
        )
        return command_line("run", "--device", "cpu", *words)

    return call


def formats(state, folder):
    """The same tensors in every way in which they are saved."""
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 90, "state_dict": state}, folder / "wrapped.pth")
    torch.save(dict(reversed(state.items())), folder / "reversed.pth")
    save_file(state, folder / "plain.safetensors", metadata={"format": "pt"})
    return ["old.pth", "wrapped.pth", "reversed.pth", "plain.safetensors", sharded(folder, state).name]


def cell(out="run", task="accuracy@shapes-64"):
    return RunReader.open(out).cell(task, "mine")


def test_the_same_tensors_saved_again_rerun_nothing_and_the_plan_says_so(measured, state, tmp_path):
    torch.save(state, tmp_path / "first.pth")
    assert measured("first.pth")[0] == 0
    before = cell()
    for file in formats(state, tmp_path):
        code, out, _ = measured(file, "--dry-run")
        assert code == 0 and "stored: mine on accuracy@shapes-64: same tensors, other file" in " ".join(out.split()), (
            file
        )
        assert measured(file)[0] == 0
        assert cell() == before, "a stored cell keeps its identity and its key"
    assert "same tensors" not in measured("first.pth", "--dry-run")[1]


def test_a_task_added_with_the_other_file_is_of_the_same_network(measured, state, tmp_path, command_line):
    torch.save(state, tmp_path / "first.pth")
    measured("first.pth")
    save_file(state, tmp_path / "other.safetensors")
    assert measured("other.safetensors", task="band-pass@shapes-64")[0] == 0
    added, before = cell(task="band-pass@shapes-64").job, cell().job
    assert added.identity.checkpoint == before.identity.checkpoint and added.tensors == before.tensors
    assert len(added.files) == 1 and added.files != before.identity.checkpoint
    measures = json.loads(command_line("report", "run", "--format", "json")[1])["models"][0]["measures"]
    assert {"top1@shapes-64", "top1@shapes-64/low-pass-0.1"} <= set(measures)
    assert command_line("verify", "run")[0] == 0


@pytest.mark.parametrize("change", ["value", "name", "type"])
def test_other_tensors_rerun_the_cell(measured, state, tmp_path, change):
    torch.save(state, tmp_path / "first.pth")
    measured("first.pth")
    name = next(name for name, tensor in state.items() if tensor.is_floating_point())
    if change == "value":
        state[name].view(-1)[0] += 1e-3
    elif change == "name":
        state[f"module.{name}"] = state.pop(name)
    else:
        state[name] = state[name].double()
    torch.save(state, tmp_path / "second.pth", _use_new_zipfile_serialization=False)
    out = measured("second.pth", "--dry-run")[1]
    assert "rerun: mine" in out and "model.checkpoint changed" in " ".join(out.split())


def test_a_changed_shard_under_the_same_index_reruns_the_cell(measured, state, tmp_path):
    index = sharded(tmp_path, state)
    measured(index.name)
    torch.save(state, tmp_path / "whole.pth")
    assert "same tensors, other file" in " ".join(measured("whole.pth", "--dry-run")[1].split())
    state["head.bias"][0] += 1e-3
    before = index.read_text()
    assert sharded(tmp_path, state).read_text() == before
    assert "rerun: mine" in measured(index.name, "--dry-run")[1]


def test_another_recipe_reruns_the_cell_though_the_tensors_are_the_same(measured, state, tmp_path):
    torch.save(state, tmp_path / "first.pth")
    measured("first.pth")
    torch.save(state, tmp_path / "second.pth", _use_new_zipfile_serialization=False)
    out = measured("second.pth", "--dry-run", more=", mean: [0.5, 0.5, 0.5], std: [1, 1, 1]")[1]
    assert "model.mean changed" in " ".join(out.split())


def test_the_tensors_of_a_cell_of_an_older_version_are_read_from_its_file_if_it_is_still_there(
    measured, state, tmp_path, monkeypatch
):
    torch.save(state, tmp_path / "first.pth")
    os.utime(tmp_path / "first.pth", (1, 1))
    monkeypatch.setattr("harness.local.digests.SETTLED_NS", -1)
    measured("first.pth")
    forget_tensors()
    torch.save(state, tmp_path / "second.pth", _use_new_zipfile_serialization=False)
    assert "same tensors, other file" in " ".join(measured("second.pth", "--dry-run")[1].split())
    forget_tensors()
    (tmp_path / "first.pth").unlink()
    assert "rerun: mine" in measured("second.pth", "--dry-run")[1]


def forget_tensors():
    """What an older version has stored, on a machine that has not read the tensors since."""
    for file in Path("run").rglob("cell.json"):
        document = json.loads(file.read_text())
        document["job"].pop("tensors", None)
        document.pop("digest", None)
        file.write_text(json.dumps(document))
    Path(os.environ["HARNESS_CACHE"], "tensors.json").unlink(missing_ok=True)


def test_two_runs_of_one_network_from_two_files_go_together(measured, state, tmp_path, command_line):
    torch.save(state, tmp_path / "first.pth")
    save_file(state, tmp_path / "other.safetensors")
    measured("first.pth", out="one")
    measured("other.safetensors", task="accuracy@shapes-v2", out="two")
    code, _, err = command_line("report", "one", "two")
    assert code == 0, err
    state["head.bias"][0] += 1
    save_file(state, tmp_path / "third.safetensors")
    measured("third.safetensors", task="accuracy@shapes-v2", out="three")
    code, _, err = command_line("report", "one", "three")
    assert code == 2 and "different networks" in err


# --- the digest itself ------------------------------------------------------------------------

SHAPES = st.lists(st.integers(0, 3), max_size=3)
TYPES = st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64])


@st.composite
def states(draw):
    names = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True))
    make = lambda: (torch.rand(draw(SHAPES)) * 9).to(draw(TYPES))  # noqa: E731
    return {name: make() for name in names}


@settings(deadline=None)
@given(states(), st.randoms(use_true_random=False))
def test_the_digest_depends_on_names_shapes_types_and_bytes_and_not_on_order_or_strides(state, chance):
    digest = tensors_digest(state)
    names = list(state)
    chance.shuffle(names)
    strided = {name: state[name].mT.contiguous().mT if state[name].dim() > 1 else state[name] for name in names}
    assert tensors_digest(strided) == digest
    name = chance.choice(names)
    tensor = state[name]
    assert tensors_digest({**state, name: tensor[None]}) != digest
    assert tensors_digest({("z" + key if key == name else key): value for key, value in state.items()}) != digest
    assert tensors_digest({key: value for key, value in state.items() if key != name}) != digest
    if tensor.numel():
        raw = tensor.clone().contiguous()
        raw.reshape(-1).view(torch.uint8)[chance.randrange(raw.numel() * raw.element_size())] ^= 1
        assert tensors_digest({**state, name: raw}) != digest
    if tensor.dtype == torch.int64 and tensor.numel():
        assert tensors_digest({**state, name: tensor.view(torch.float64)}) != digest


def test_the_order_counts_where_tensors_are_matched_by_position():
    state = {"a": torch.zeros(2), "b": torch.ones(2)}
    swapped = dict(reversed(state.items()))
    assert tensors_digest(state) == tensors_digest(swapped)
    assert tensors_digest(state, ordered=True) != tensors_digest(swapped, ordered=True)
