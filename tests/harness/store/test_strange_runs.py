"""A run folder from a stranger: links, FIFOs, shapes that do not fit, wrong types; one line each, or harmless."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path

import h5py
import numpy as np
import pytest

from harness import load_plugins
from harness.identity import digest_of
from harness.store import RunReader, verify_run
from harness.store.seal import DIGEST, stated_digest
from harness.store.shards import read_header
from tests.helpers.store_writer import ARRAYS, TASK, create, fill, make_job, make_layout
from tests.helpers.strange_run import COMMANDS, resume, tried

LAYOUT, JOB = make_layout(n=24, span=8, classes=6, attributes=("texture",)), make_job(arrays=ARRAYS)
OTHER = make_job("net-b")
CELL = Path("shards") / TASK / "net-a"
KEY = CELL / JOB.key[:16]
SHARED = Path("shards") / TASK / "layout.h5"


def some(values, ids, *kept):
    """Parameters of which only `kept` are tried in the fast suite, which has little time."""
    pairs = zip(values, ids, strict=True)
    return [pytest.param(value, id=name, marks=[] if name in kept else pytest.mark.slow) for value, name in pairs]


@pytest.fixture(scope="module")
def plugins():
    return load_plugins(())


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A run with one finished cell, and one of two spans; it says of itself all that a run can say."""
    path = tmp_path_factory.mktemp("strange") / "run"
    with create(path) as run:
        run.update_manifest(
            models={"net-a": {"group": "g", "title": "t", "expected": {"top1@made": [0.5, 0.1]}}},
            planned={TASK: {"net-a": "", "net-b": "", "net-c": "no"}},
            remedies={TASK: {"net-c": "buy one"}},
            study={
                "biases": {"b": ["top1@made"]},
                "axes": {"a": ["top1@made"]},
                "titles": {"b": "B"},
                "statistics": {
                    "log": ["b"],
                    "set_apart": "g",
                    "alternatives": {"a": {"t": ["top1@made"]}},
                    "hyperparameters": {"net-*": {"width": 16}},
                },
            },
            warnings={"made": ["made: small"]},
            contents={"made": {"view": "0"}},
            same_numbers=[{"before": "1", "now": "2"}],
        )
        fill(run, LAYOUT, JOB)
        run.finish([JOB])
        fill(run, LAYOUT, OTHER, LAYOUT.spans()[:2])
        run.fail(OTHER, "no reason")
        run.publish()
    return path


@pytest.fixture
def run(prepared, tmp_path):
    return Path(shutil.copytree(prepared, tmp_path / "in" / "run"))


# --- places ----------------------------------------------------------------------------------

FILES = ["run.json", "index.h5", ".lock", SHARED, CELL / "cell.json", KEY / "all.h5"]


def _fifo(file: Path) -> None:
    os.mkfifo(file)


def _socket(file: Path) -> None:
    before = Path.cwd()
    os.chdir(file.parent)  # the name of a socket has at most 107 characters
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(file.name)
    finally:
        os.chdir(before)


def _link(file: Path) -> None:
    victim = next(folder for folder in file.parents if folder.name == "in") / "victim"
    victim.write_bytes(b"precious")
    file.symlink_to(victim)


def _device(file: Path) -> None:
    file.symlink_to("/dev/zero")


KINDS = {"fifo": _fifo, "socket": _socket, "link": _link, "folder": Path.mkdir, "device": _device}


@pytest.mark.parametrize("kind", some(KINDS.values(), KINDS, "fifo", "link"))
@pytest.mark.parametrize("file", FILES, ids=[Path(file).name for file in FILES])
def test_hostile_things_in_place_of_a_file(run, plugins, file, kind):
    (run / file).unlink()
    kind(run / file)
    ends = tried(run, plugins)
    assert ends["verify"] or file == ".lock"
    assert ends["resume"] or file == "index.h5"


@pytest.mark.parametrize("folder", ["shards", f"shards/{TASK}", CELL, KEY], ids=["shards", "task", "model", "key"])
def test_hostile_links_in_place_of_a_folder(run, plugins, folder):
    outside = run.parent / "outside"
    (run / folder).rename(outside)
    (run / folder).symlink_to(outside)
    ends = tried(run, plugins)
    assert all("is a symbolic link, expected a folder" in ends[name] for name in ("verify", "read", "resume")), ends


def test_a_run_that_is_a_link_itself_is_read(run, plugins):
    (run.parent / "link").symlink_to("run")
    assert verify_run(RunReader.open(run.parent / "link")) == verify_run(RunReader.open(run))


@pytest.mark.parametrize("name", some(*[["..", "a b", "\x1b[31m", "-rf", "x" * 250, "ünï"]] * 2, "..", "\x1b[31m"))
def test_hostile_names_of_folders(run, plugins, name):
    if name != "..":
        shutil.copytree(run / CELL, run / CELL.with_name(name))
        shutil.copytree(run / SHARED.parent, run / SHARED.parent.with_name(name))
    manifest = json.loads((run / "run.json").read_text())
    manifest["planned"] = {name: {name: ""}}
    reseal(run / "run.json", manifest)
    tried(run, plugins)


# --- JSON, key by key ------------------------------------------------------------------------

VALUES = [None, True, -1, 1 << 80, 1e300, "x", "../../etc", [], ["x"], {}, {"x": {"y": [1]}}, {"../x": "y"}]


def reseal(file: Path, content) -> None:
    """Write JSON with a digest that matches, as a stranger can."""
    content = {name: value for name, value in content.items() if name != DIGEST}
    file.write_text(json.dumps({**content, DIGEST: stated_digest(content)}))


def places(value, path=()):
    """Every place in nested objects and lists, its parents before it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


def mutants(document):
    """Each key of `document` removed, and with each of `VALUES`, one at a time."""
    for path in [place for place in places(document) if place[0] != DIGEST]:
        for value in [mutants, *VALUES]:
            changed = json.loads(json.dumps(document))
            parent = changed
            for key in path[:-1]:
                parent = parent[key]
            if value is mutants:
                del parent[path[-1]]
            else:
                parent[path[-1]] = value
            yield path, value, changed


def rekeyed(content):
    """A cell whose key is the digest of its identity, whatever that is."""
    job = content.get("job")
    if isinstance(job, dict) and "identity" in job and isinstance(job.get("key"), str) and len(job["key"]) == 64:
        job["key"] = digest_of(job["identity"])
    return content


def mutated(run, plugins, name, every=1, commands=COMMANDS):
    """Try the mutants of the JSON file `name`, each in a run of its own."""
    document, count = json.loads((run / name).read_text()), 0
    for number, (path, value, changed) in enumerate(mutants(document)):
        if number % every:
            continue
        folder = Path(shutil.copytree(run, run.parent.parent / f"{number}" / "run"))
        if name == CELL / "cell.json":
            rekeyed(changed)
        reseal(folder / name, changed)
        try:
            tried(folder, plugins, commands)
        except BaseException as error:
            raise AssertionError(f"{name}: {'.'.join(map(str, path))} as {value!r}: {error!r}") from error
        shutil.rmtree(folder.parent)
        count += 1
    return count


NAMES = ["run.json", CELL / "cell.json", CELL.with_name("net-b") / OTHER.key[:16] / "failed.json"]


@pytest.mark.parametrize("name", NAMES, ids=["run", "cell", "failed"])
def test_hostile_values_of_a_sample_of_keys(run, plugins, name):
    assert mutated(run, plugins, name, every=151) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES, ids=["run", "cell", "failed"])
def test_hostile_values_of_every_key(run, plugins, name):
    assert mutated(run, plugins, name) > 10


TEXTS = {
    "nested": "[" * 100_000,
    "nested-200": '{"kind": ' + "[" * 200 + "]" * 200 + "}",
    "many": '{"kind": [' + "0," * 1_100_000 + "0]}",
    "many-lists": "[" + "[]," * 1_100_000 + "[]]",
    "long": " " * (33 << 20),
    "digits": '{"kind": ' + "9" * 100_000 + "}",
    "nan": '{"kind": NaN}',
    "infinite": '{"settings": {"seed": 1e999}, "kind": "trials", "format": 1}',
    "half-a-character": '{"settings": {"x": "\\ud800"}, "kind": "trials", "format": 1}',
    "not-utf-8": b'{"kind": "\xff"}',
    "nothing": "",
    "a-number": "3",
    "zeros": b"\0" * 1000,
}


@pytest.mark.parametrize("name", some(TEXTS, TEXTS, "nested", "nan", "half-a-character"))
@pytest.mark.parametrize("file", ["run.json", CELL / "cell.json"], ids=["run", "cell"])
def test_hostile_json(run, plugins, file, name):
    text = TEXTS[name]
    (run / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    ends = tried(run, plugins)
    assert ends["verify"] and ends["resume"]


def test_hostile_files_of_holes(run, plugins):
    for file in ("run.json", SHARED, KEY / "all.h5"):
        os.truncate(run / file, 640 << 30)
    ends = tried(run, plugins)
    assert ends["verify"] and ends["resume"]


# --- HDF5 ------------------------------------------------------------------------------------


def _replace(path: Path, name: str, make) -> None:
    """Put what `make` creates in place of a dataset."""
    with h5py.File(path, "r+") as file:
        shape, dtype = file[name].shape, file[name].dtype
        del file[name]
        make(file, name, shape, dtype)


def _external_link(file, name, shape, dtype):
    file[name] = h5py.ExternalLink("../../../../outside.h5", "/x")


def _soft_link(file, name, shape, dtype):
    file[name] = h5py.SoftLink("/nowhere")


def _virtual(file, name, shape, dtype):
    layout = h5py.VirtualLayout(shape, np.int16)
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape, np.int16)
    file.create_virtual_dataset(name, layout)


def _storage(file, name, shape, dtype):
    file.create_dataset(name, shape, np.int16, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def _chunked(file, name, shape, dtype):
    file.create_dataset(name, (1 << 40,), np.int16, chunks=(1 << 20,), compression="gzip")


def _huge(file, name, shape, dtype):
    file.create_dataset(name, (1 << 38,), np.int16)


def _references(file, name, shape, dtype):
    file.create_dataset(name, shape, h5py.ref_dtype)


def _compound(file, name, shape, dtype):
    file.create_dataset(name, shape, np.dtype([("a", "i2"), ("b", "f8")]))


def _itself(file, name, shape, dtype):
    file[name] = file["/"]


MAKERS = {
    "external-link": _external_link, "soft-link": _soft_link, "virtual": _virtual, "external-storage": _storage,
    "chunked": _chunked, "huge": _huge, "references": _references, "compound": _compound, "itself": _itself,
}  # fmt: skip


@pytest.mark.parametrize("make", some(MAKERS.values(), MAKERS, "external-link", "external-storage", "huge"))
@pytest.mark.parametrize("name", some(*[["target", "sample_id", "texture"]] * 2, "sample_id"))
def test_hostile_datasets_of_a_layout(run, plugins, name, make):
    _replace(run / SHARED, name, make)
    ends = tried(run, plugins)
    assert all(ends[command] for command in ("read", "verify", "resume")), ends


@pytest.mark.parametrize("make", some(MAKERS.values(), MAKERS, "virtual", "chunked"))
@pytest.mark.parametrize("name", some(*[["top5", "spans", "sha256/top5", "arrays/map"]] * 2, "top5"))
def test_hostile_datasets_of_a_shard(run, plugins, name, make):
    _replace(run / KEY / "all.h5", name, make)
    ends = tried(run, plugins)
    assert ends["verify"], ends


ATTRIBUTES = ["format", "task", "size", "span", "attributes", "digest", "content"]


@pytest.mark.parametrize("name", some(ATTRIBUTES, ATTRIBUTES, "span"))
def test_hostile_attributes_of_a_layout(run, plugins, name):
    for value in (None, -1, 0, 1 << 62, np.nan, "x", "[" * 5000, '["../x"]', '[["x"]]', np.zeros((4, 4)), ["a"] * 3,
                  h5py.Empty("f8"), b"\xff"):  # fmt: skip
        with h5py.File(run / SHARED, "r+") as file:
            file.attrs.pop(name, None)
            if value is not None:
                file.attrs[name] = value
        ends = tried(run, plugins, [command for command in COMMANDS if command is not resume])
        assert ends["read"] and ends["verify"]


def test_hostile_texts_that_are_one(run, plugins):
    """Every sample has the same text of a megabyte, which the file holds once."""
    with h5py.File(run / SHARED, "r+") as file:
        del file["sample_id"]
        rows = file.create_dataset("sample_id", (2000,), h5py.string_dtype())
        rows[0] = "x" * 1_000_000
        offset = rows.id.get_offset()
    content = bytearray((run / SHARED).read_bytes())
    content[offset : offset + 32_000] = bytes(content[offset : offset + 16]) * 2000
    (run / SHARED).write_bytes(content)
    ends = tried(run, plugins)
    assert "need more than" in ends["read"] and ends["verify"] and ends["resume"]


def test_hostile_axes_whose_product_is_huge(run, plugins):
    """Two axes that fit into a file, and trials of a gigabyte each that do not."""
    axis = tuple(map(str, range(40_000)))
    layout = make_layout(n=40_000, span=8, classes=6)
    with h5py.File(run / SHARED, "r+") as file:
        for name, values in (("condition", axis), ("sample_id", layout.sample_ids), ("target", layout.targets[:, 0])):
            del file[name]
            file.create_dataset(name, data=list(values), dtype=None if name == "target" else h5py.string_dtype())
        file.attrs["span"] = 312
    record = json.loads((run / CELL / "cell.json").read_text())
    with h5py.File(run / SHARED, "r") as file:
        assert file["condition"].shape == file["sample_id"].shape == (40_000,)
    reseal(run / CELL / "cell.json", record)
    ends = tried(run, plugins)
    assert ends["read"] and ends["verify"] and ends["resume"]


# --- headers ---------------------------------------------------------------------------------


def _with(file: Path, **changes) -> None:
    """Write the preface of a shard anew, with other facts and matching digests."""
    header = read_header(file)
    content = file.read_bytes()
    room = content.index(b"\x89HDF")
    stated = json.loads(content[16 : 16 + int.from_bytes(content[8:16], "little")])
    stated.update(changes)
    stated.pop(DIGEST)
    text = json.dumps({**stated, DIGEST: stated_digest(stated)}).encode()
    assert header and len(text) + 16 <= room
    file.write_bytes((b"preface\n" + len(text).to_bytes(8, "little") + text).ljust(room, b"\0") + content[room:])


FACTS = {
    "origin-short": {"origin": ["x"]},
    "origin-numbers": {"origin": [1, 2, 3, 4]},
    "spans-empty": {"spans": []},
    "spans-negative": {"spans": [[-8, 0]]},
    "spans-reversed": {"spans": [[24, 0]]},
    "spans-overlap": {"spans": [[0, 16], [8, 24]]},
    "spans-huge": {"spans": [[0, 1 << 62]]},
    "spans-float": {"spans": [[0.0, 24.0]]},
    "tails-huge": {"tails": {"top5": [1 << 60, 5], "logp": [2, 5], "correct": [2]}},
    "tails-negative": {"tails": {"top5": [-2, -5], "logp": [2, 5], "correct": [2]}},
    "tails-zero": {"tails": {"top5": [0], "logp": [0], "correct": [0]}},
    "tails-other": {"tails": {}},
    "dtypes-object": {"dtypes": {"top5": "O", "logp": "O", "correct": "O"}},
    "dtypes-large": {"dtypes": {"top5": "S1000000000", "logp": "<f2", "correct": "u1"}},
    "offsets-negative": {"offsets": {"top5": -1, "logp": -1, "correct": -1}},
    "offsets-huge": {"offsets": {"top5": 1 << 90, "logp": 0, "correct": 0}},
    "offsets-same": {"offsets": {"top5": 4096, "logp": 4096, "correct": 4096}},
    "digests-short": {"digests": {"top5": [], "logp": [], "correct": []}},
    "provenance": {"provenance": [[1], "x"]},
    "room": {"room": -1},
    "room-huge": {"room": 1 << 80},
    "size": {"size": "x"},
    "format": {"format": {}},
    "frame": {"frame": 3},
}


@pytest.mark.parametrize("name", some(FACTS, FACTS, "spans-huge", "tails-zero", "offsets-same", "dtypes-object"))
def test_hostile_facts_in_a_preface(run, plugins, name):
    _with(run / KEY / "all.h5", **FACTS[name])
    ends = tried(run, plugins)
    assert ends["verify"]


@pytest.mark.parametrize("length", some([0, 1, (1 << 63) - 1, (1 << 64) - 1], ["0", "1", "2-63", "2-64"], "2-63"))
def test_hostile_lengths_of_a_preface(run, plugins, length):
    content = bytearray((run / KEY / "all.h5").read_bytes())
    content[8:16] = length.to_bytes(8, "little")
    (run / KEY / "all.h5").write_bytes(content)
    assert tried(run, plugins)["verify"]


# --- the index -------------------------------------------------------------------------------


@pytest.mark.parametrize("unlimited", [False, True])
@pytest.mark.parametrize("source", ["fifo", "/dev/stdin", "../victim.h5", "/etc/passwd", f"{KEY}/../../x.h5"])
def test_hostile_sources_of_the_index(run, plugins, source, unlimited):
    os.mkfifo(run / "fifo")
    with h5py.File(run / "index.h5", "r+") as file:
        group, name = file[f"{TASK}/net-a"], "correct"
        shape = group[name].shape
        del group[name]
        most = (h5py.h5s.UNLIMITED, shape[1]) if unlimited else shape
        space, inner = (h5py.h5s.create_simple(shape, most) for _ in range(2))
        if unlimited:
            for each in (space, inner):
                each.select_hyperslab((0, 0), (1, 1), block=(h5py.h5s.UNLIMITED, shape[1]))
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_virtual(space, source.encode(), b"correct", inner)
        h5py.h5d.create(group.id, name.encode(), h5py.h5t.STD_U8LE, h5py.h5s.create_simple(shape, most), properties)
    ends = tried(run, plugins, [command for command in COMMANDS if command is not resume])
    assert "is damaged or out of date" in ends["verify"]
