"""Files that are small and would take gigabytes, hours or the machine: each costs one line."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import numpy as np
import pytest
import torch

from harness import CheckpointError
from harness.checkpoints.bombs import check_legacy
from harness.checkpoints.reading import SAFE_GLOBALS, digests_of, read_state_dict
from tests.helpers.bombs import archive, bounded, call, legacy, name, number, pickled, sequence, storage, tensor, text

HUGE = 10**10
MAYBE = "may be hostile"
DAMAGED = r"truncated or damaged|may be hostile"
BYTES = name("builtins", "bytearray")
WRAPPED = name("torch._tensor", "_rebuild_from_type_v2")
LATIN = call(name("_codecs", "encode"), text("b"), text("latin1"))
NUMPY = name("numpy._core.multiarray", "_reconstruct")


def deflated():
    return archive(pickled(b"}" * 1), bytes(10), zipfile.ZIP_DEFLATED)


def deflated_pickle():
    return archive(pickled(b"(" + b"}" * 3_000_000 + b"l"), method=zipfile.ZIP_DEFLATED)


def with_method(method):
    """An archive that states another method of compression for every file in it."""
    content = bytearray(archive(pickled(b"}")))
    place = -1
    while (place := content.find(b"PK\x01\x02", place + 1)) >= 0:
        content[place + 10 : place + 12] = struct.pack("<H", method)
    return bytes(content)


def overlapping():
    """Every storage lies at the place of the first one."""
    further = [(f"archive/data/{place}", bytes(1000)) for place in range(1, 20)]
    content = bytearray(archive(pickled(b"}"), bytes(1000), further=further))
    place, first = -1, None
    while (place := content.find(b"PK\x01\x02", place + 1)) >= 0:
        if b"data/" in content[place + 46 : place + 70]:
            first = first or content[place + 42 : place + 46]
            content[place + 42 : place + 46] = first
    return bytes(content)


def longer_than_the_file():
    content = bytearray(archive(pickled(b"}")))
    place = content.find(b"PK\x01\x02")
    content[place + 20 : place + 28] = struct.pack("<II", 2**31, 2**31)
    return bytes(content)


def crowded():
    content = bytearray(archive(pickled(b"}")))
    place = content.rfind(b"PK\x05\x06")
    content[place + 8 : place + 16] = struct.pack("<HHI", 65535, 65535, 2**31)
    return bytes(content)


def doubled():
    return archive(pickled(b"}"), further=[("archive/DATA.PKL", pickled(BYTES))])


def doubling(levels=60):
    """A tuple that refers to the one before twice: 2^levels values for whoever hashes it."""
    body = sequence(number(1)) + b"q\x00"
    for level in range(levels):
        body += b"h" + bytes([level]) + b"h" + bytes([level]) + b"\x86q" + bytes([level + 1])
    return body


def view(**how):
    return b"}" + text("w") + tensor(**how) + b"s"


def called(function, *args):
    return b"}" + text("w") + call(function, *args) + b"s"


def safetensors(header, body=b"", length=None):
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(data) if length is None else length) + data + body


def entry(shape, offsets, dtype="F32"):
    return {"w": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


CALLS = {
    "bytearray": called(BYTES, number(17 * 10**9)),
    "bytearray-by-its-former-name": called(name("__builtin__", "bytearray"), number(17 * 10**9)),
    "bytearray-of-a-list": called(BYTES, b"](K\x01K\x02e"),
    "bytearray-as-a-new-object": b"}" + text("w") + BYTES + sequence(number(HUGE)) + b"\x81s",
    "tensor-by-its-length": called(name("torch", "FloatTensor"), number(HUGE)),
    "tensor-as-a-new-object": b"}" + text("w") + name("torch", "Tensor") + sequence(number(HUGE)) + b"\x81s",
    "untyped-storage": called(name("torch.storage", "UntypedStorage"), number(HUGE)),
    "typed-storage": called(name("torch.storage", "TypedStorage"), number(HUGE)),
    "wrapped-call": called(WRAPPED, BYTES, BYTES, sequence(number(HUGE)), b"}"),
    "wrapped-twice": called(WRAPPED, WRAPPED, BYTES, b")", b"}"),
    "another-encoding": called(name("_codecs", "encode"), text("ü" * 100_000), text("punycode")),
    "longer-than-its-storage": view(size=(HUGE,)),
    "wider-than-its-storage": view(size=(2, 2), stride=(HUGE, 1)),
    "behind-its-storage": view(offset=HUGE),
    "negative-stride": view(size=(2,), stride=(-1,)),
    "negative-shape": view(size=(-5, -5), stride=(1, 1)),
    "one-zero-repeated": view(size=(10**6, 10**6), stride=(0, 0)),
    "many-views-of-one-zero": b"}("
    + b"".join(text(str(place)) + tensor(size=(3 * 10**7,), stride=(0,)) for place in range(100))
    + b"u",
    "quantized": view(size=(HUGE,), function="_rebuild_qtensor"),
    "state-of-a-tensor": b"}" + text("w") + call(name("torch", "Tensor"))
    + sequence(storage(), number(0), sequence(number(HUGE)), sequence(number(1))) + b"bs",
    "nested-tensor": called(name("torch._utils", "_rebuild_nested_tensor"), number(1), number(1)),
    "storage-longer-than-its-member": view(numel=HUGE, size=(HUGE,)),
    "storage-of-negative-length": view(numel=-4),
    "storage-in-two-lengths": b"}(" + text("a") + tensor(size=(1,)) + text("b") + tensor(numel=0, size=(0,)) + b"u",
    "storage-without-a-member": view(key="7"),
    "key-that-doubles": b"}" + doubling() + b"K\x01s",
    "set-that-doubles": b"}" + text("w") + call(name("builtins", "set"), b"]" + doubling() + b"a") + b"s",
    "array-by-its-shape": called(NUMPY, name("numpy", "ndarray"), sequence(number(HUGE)), LATIN),
}  # fmt: skip


def assert_refused(content, tmp_path, words=MAYBE, file="w.pth", safe=SAFE_GLOBALS):
    """One line that names the file; nothing beside it appears, and the memory and time of `bounded` are enough."""
    path = tmp_path / file
    path.write_bytes(content)

    def read():
        try:
            digests_of([path])
            read_state_dict(path, (), safe)
        except CheckpointError as error:
            return error
        return "READ"

    message = bounded(read)
    assert "TRACEBACK" not in message and message != "READ", message
    assert str(path) in message and "\n" not in message and "( )" not in message
    assert any(word in message for word in words.split("|")), message
    assert [item.name for item in tmp_path.iterdir()] == [file]


@pytest.mark.parametrize("body", CALLS.values(), ids=CALLS)
def test_a_hostile_pickle_takes_no_more_than_its_file(body, tmp_path):
    assert_refused(archive(pickled(body)), tmp_path)


OLD = [
    "bytearray",
    "longer-than-its-storage",
    "storage-longer-than-its-member",
    "one-zero-repeated",
    "key-that-doubles",
]


@pytest.mark.parametrize("kind", OLD)
def test_a_hostile_file_of_the_older_format_takes_no_more_than_it_has(kind, tmp_path):
    assert_refused(legacy(CALLS[kind]), tmp_path)


UNREADABLE = {
    "system-by-name-on-the-stack": b"\x8c\x02os\x8c\x06system\x93" + sequence(text("touch executed")) + b"R",
    "system-by-instance": b"(" + text("touch executed") + b"ios\nsystem\n",
    "system-by-object": b"(" + name("os", "system") + text("touch executed") + b"o",
    "protocol-4": b"\x95\x05\x00\x00\x00\x00\x00\x00\x00}\x94",
    "long-of-4-bytes-length": b"\x8b\x04\x00\x00\x00\x01\x00\x00\x00",
    "extension": b"\x82\x01",
    "text-of-protocol-0": b"S'a'\n",
    "call-of-text": text("a") + b")R",
    "pop-of-nothing": b"a" * 20,
    "memo-that-is-empty": b"h\x05",
    "mark-that-is-missing": b"t",
    "persistent-number": b"K\x05Q",
    "persistent-text": text("module") + b"Q",
    "text-in-place-of-a-shape": called(name("torch._utils", "_rebuild_tensor_v2"), storage(), text("a"), text("b")),
    "name-without-an-end": b"c" + b"a" * 100_000,
    "build-on-a-number": b"K\x01}b",
    "key-that-is-a-list": b"}](K\x01eK\x01s",
    "complex-of-text": called(name("builtins", "complex"), text("x")),
    "too-many-instructions": b"]" * 20_001,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_hostile_pickle_that_torch_cannot_read_is_said_to_be_one(body, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.checkpoints.opcodes.MOST_OPCODES", 20_000)
    assert_refused(archive(pickled(body)), tmp_path, f"{MAYBE}|it imports|damaged")


def test_what_a_hostile_pickle_has_is_named(tmp_path):
    (tmp_path / "w.pth").write_bytes(archive(pickled(CALLS["bytearray"])))
    with pytest.raises(
        CheckpointError, match=r"may be hostile: its pickle has builtins.bytearray would make|bytearray"
    ):
        read_state_dict(tmp_path / "w.pth")
    (tmp_path / "w.pth").write_bytes(archive(pickled(UNREADABLE["protocol-4"])))
    with pytest.raises(CheckpointError, match="its pickle has FRAME, an instruction"):
        read_state_dict(tmp_path / "w.pth")


ARCHIVES = {
    "deflated": deflated,
    "deflated-pickle": deflated_pickle,
    "bzip2": lambda: with_method(12),
    "unknown-method": lambda: with_method(99),
    "one-place-for-all": overlapping,
    "longer-than-the-file": longer_than_the_file,
    "more-members-than-bytes": crowded,
    "two-pickles": doubled,
    "no-members": lambda: b"PK\x03\x04" + b"PK\x05\x06" + bytes(18),
    "text-longer-than-the-file": lambda: archive(b"\x80\x02X\xff\xff\xff\xff."),
}


@pytest.mark.parametrize("made", ARCHIVES.values(), ids=ARCHIVES)
def test_a_hostile_archive_is_refused_by_its_directory(made, tmp_path):
    assert_refused(made(), tmp_path, f"{MAYBE}|truncated or damaged|is not a checkpoint")


SAFETENSORS = {
    "header-longer-than-the-file": safetensors({}, length=99_999_999),
    "header-of-all-bits": safetensors({}, length=2**64 - 1),
    "header-nested-deeply": safetensors(b'{"w":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "shape-that-overflows": safetensors(entry([2**62, 2**62], [0, 4]), bytes(4)),
    "negative-shape": safetensors(entry([-1], [0, 4]), bytes(4)),
    "overlapping": safetensors({**entry([1], [0, 4]), "v": entry([1], [0, 4])["w"]}, bytes(4)),
    "offset-behind-the-end": safetensors(entry([HUGE], [0, 4 * HUGE]), bytes(4)),
    "type-that-is-unknown": safetensors(entry([1], [0, 4], "X9"), bytes(4)),
    "number-of-many-digits": safetensors(
        b'{"w":{"dtype":"F32","shape":[' + b"9" * 10_000 + b'],"data_offsets":[0,4]}}'
    ),
}


@pytest.mark.parametrize("content", SAFETENSORS.values(), ids=SAFETENSORS)
def test_a_hostile_safetensors_header_is_refused(content, tmp_path):
    assert_refused(content, tmp_path, "truncated|damaged|unknown kind", "w.safetensors")


INDICES = {
    "nested": b'{"weight_map": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "long-number": b'{"weight_map": ' + b"9" * 10_000 + b"}",
    "link-out": b'{"weight_map": {"w": "../w.safetensors"}}',
    "itself": b'{"weight_map": {"w": "model.safetensors.index.json"}}',
}


@pytest.mark.parametrize("content", INDICES.values(), ids=INDICES)
def test_a_hostile_index_of_shards_is_refused(content, tmp_path):
    assert_refused(content, tmp_path, "is not an index of shards|as a shard", "model.safetensors.index.json")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_what_torch_writes_of_every_kind_of_value_is_read_as_before(zipped, tmp_path):
    base, kinds = (
        torch.arange(24.0),
        (torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool, torch.complex64),
    )
    state = {
        "view": base[4:16].view(3, 4).t(), "one": base[3], "empty": torch.zeros(0, 5),
        "repeated": base[:1].expand(4, 5),
        "parameter": torch.nn.Parameter(base.clone()), **{str(kind): torch.ones(3).to(kind) for kind in kinds},
    }  # fmt: skip
    beside = {
        "bytes": bytes(range(256)),
        "bytearray": bytearray(b"ab"),
        "set": {1, 2},
        ("a", 1): torch.Size([2]),
        "n": 2**100,
    }
    torch.save({"state_dict": state, "beside": beside}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    loaded = read_state_dict(tmp_path / "w.pth")
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[key], state[key]) and loaded[key].dtype == state[key].dtype for key in state)


def test_arrays_of_numpy_in_the_older_format_pass(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.float64(0.5)}
    content = io.BytesIO()
    torch.save(arrays, content, _use_new_zipfile_serialization=False)
    (tmp_path / "w.pth").write_bytes(content.getvalue())
    check_legacy(tmp_path / "w.pth")
