"""What a shard says of the device that computed it."""

import json
import platform

import h5py
import torch

from harness.engine.numerics import device_facts
from harness.local.provenance import processor
from harness.store import RunReader
from tests.helpers.engine import Linear, Plain, run


def test_every_shard_states_device_instruction_set_and_threads(tmp_path):
    run(tmp_path / "run", {"one": Linear(1)}, probes=(Plain(),))
    shards = list((tmp_path / "run").glob("shards/*/*/*/*.h5"))
    assert shards
    for shard in shards:
        with h5py.File(shard) as file:
            stated = json.loads(file.attrs["provenance"])
        assert stated["device_model"] == processor()
        assert stated["cpu_capability"] == torch.backends.cpu.get_cpu_capability()
        assert stated["threads"] == torch.get_num_threads()
    cell = RunReader.open(tmp_path / "run").cell("plain@made", "one")
    assert cell.provenance["device_model"] == processor()
    assert not {"device_model", "threads", "cpu_capability"} & set(map(str, _keys(cell.job.identity.document)))


def _keys(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _keys(item)


def test_a_processor_is_named_where_the_system_does_not_tell(monkeypatch):
    def absent(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr("pathlib.Path.read_text", absent)
    monkeypatch.setattr(platform, "processor", lambda: "")
    processor.cache_clear()
    try:
        assert processor() == platform.machine()
    finally:
        processor.cache_clear()


def test_a_gpu_is_named_by_its_model(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    facts = device_facts(torch.device("cuda"))
    assert (facts["device"], facts["device_model"]) == ("NVIDIA H100", "NVIDIA H100")
