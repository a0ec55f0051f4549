"""ImageNet with votes: files in the published layout, where images may be, the judgements of experts, hostile files."""

import errno
import io
import json
import os
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Sample
from harness.data.manifest import build
from harness.fetching.content import check_download
from harness.plugins.datasets._imagenet_classes import indices, real_labels, wnids
from harness.plugins.datasets._rater_votes import Mistake, read_mistakes, read_votes, severities
from harness.plugins.datasets.imagenet import ImageNet
from harness.plugins.datasets.imagenet_votes import ImageNetVotes
from harness.plugins.probes._votes import _parsed
from tests.helpers.bounds import bounded
from tests.helpers.http_server import serving
from tests.helpers.io_faults import Faults, injected
from tests.helpers.trees import paint, refusal
from tests.helpers.votes import NAME, arrays_of, published_votes, write_published, write_raters

DATASET = ImageNetVotes()
LABELS = {1: wnids()[65], 2: wnids()[970], 3: wnids()[230]}
VOTES = [(2, 795, (0, 1, 4)), (3, 230, (1, 4, 0)), (2, 3, (5, 0, 0)), (3, 231, (0, 0, 5)), (50_000, 999, (2, 1, 2))]
TEXTS = {2: "3:5/0/0 795:0/1/4", 3: "230:1/4/0 231:0/0/5", 50_000: "999:2/1/2"}
JUDGED = {NAME.format(1): {"top_prediction": 52, "failure category": "Fine-grained error", "failure severity": "Major"}}


def images(folder, flat=False):
    """The images of `LABELS` in class folders, or in one folder with Kaggle's list of labels."""
    for number, wnid in LABELS.items():
        paint(folder / ("" if flat else wnid) / NAME.format(number), number)
    if flat:
        rows = "".join(f"{NAME.format(number)[:-5]},{wnid} 1 1 2 2 \n" for number, wnid in LABELS.items())
        (folder / "LOC_val_solution.csv").write_text(f"ImageId,PredictionString\n{rows}")
    return folder


def number_of(sample):
    return int(sample.id[-13:-5])


def of(root):
    """Number -> (votes, real, judged)."""
    return {number_of(sample): sample.attributes for sample in DATASET.samples(root)}


# --- what is published ------------------------------------------------------------------------


def test_votes_are_read_as_they_are_published(tmp_path):
    votes = read_votes(write_raters(tmp_path, VOTES))
    assert votes.texts() == TEXTS
    assert votes.images.tolist() == [2, 2, 3, 3, 50_000] and votes.classes.tolist() == [3, 795, 230, 231, 999]
    assert (votes.answers.sum(axis=1) == 5).all()


ANSWERS = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(
    lambda ends: (min(ends), abs(ends[0] - ends[1]), 5 - max(ends))
)
PAIRS = st.dictionaries(st.tuples(st.integers(1, 50_000), st.integers(0, 999)), ANSWERS, min_size=1, max_size=30)


@given(PAIRS, st.randoms())
@settings(max_examples=25, deadline=None)
def test_any_votes_in_any_order_are_what_the_measures_read(pairs, shuffle):
    """From the file over the stored attribute to the answers by class."""
    listed = [(image, label, answers) for (image, label), answers in pairs.items()]
    shuffle.shuffle(listed)
    with TemporaryDirectory() as folder:
        texts = read_votes(write_raters(Path(folder), listed)).texts()
    parsed = dict(zip(texts, _parsed("votes", tuple(texts.values()), 1000), strict=True))
    read = {
        (image, label): tuple(map(int, text.split("/"))) for image in parsed for label, text in parsed[image].items()
    }
    assert read == pairs and list(texts) == sorted(texts)


@pytest.mark.parametrize("kind", ["?", "u1", ">i4", "f2", "<f8"])
@pytest.mark.parametrize("text", ["U28", "S28"])
def test_types_of_arrays_make_no_difference(kind, text, tmp_path):
    arrays = arrays_of(VOTES)
    other = {
        "tensor": arrays["tensor"].astype(kind),
        "info": arrays["info"].astype(text),
        "ids": np.arange(7, dtype="i2"),
    }
    path = write_raters(tmp_path, VOTES, **other)
    assert read_votes(path).texts() == TEXTS


def test_the_published_answers_of_the_experts_are_read_in_their_own_layout(real):
    """``golden.npz`` has the layout of ``raters.npz``, and is here unchanged."""
    path = real / "more" / "real_golden.npz"
    votes = read_votes(path)
    with np.load(path) as golden:
        sums = golden["tensor"].sum(axis=0)
        given = {
            (int(file[15:23]), int(label)): tuple(row) for (file, label), row in zip(golden["info"], sums, strict=True)
        }
    read = zip(votes.images.tolist(), votes.classes.tolist(), map(tuple, votes.answers), strict=True)
    assert {(image, label): answers for image, label, answers in read} == given and len(given) == 1135


@pytest.mark.slow
def test_a_file_of_the_published_size_takes_little_time_and_memory(tmp_path, real):
    path = write_published(tmp_path / "raters.npz", real, raters=85)
    with bounded(tmp_path):
        votes = read_votes(path)
    expected = published_votes(real)
    assert all(np.array_equal(*pair) for pair in zip(votes, expected, strict=True))


TABLES = {
    # the categories with both spellings of one of them together
    "vit3b": (
        {"major": 154, "minor": 150, "borderline": 74},
        {
            "fine-grained error": 241, "fine-grained error with oov": 54, "spurious correlation": 52,
            "non-prototypical": 30, "fine-grained with multilabel options": 1,
        },
    ),
    "greedy_soups": (
        {"major": 89, "minor": 111, "borderline": 49},
        {
            "fine-grained error": 172, "fine-grained error with oov": 17 + 9, "spurious correlation": 32,
            "non-prototypical": 19,
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_the_published_mistakes_are_counted_as_in_the_paper(name, real):
    mistakes = read_mistakes(real / "more" / f"mistakes_{name}_mistakes.json")
    rated, categories = TABLES[name]
    assert Counter(mistake.severity for mistake in mistakes) == rated
    assert Counter(mistake.category for mistake in mistakes) == categories
    judged = severities(mistakes)
    words = Counter(word.partition(":")[2] for text in judged.values() for word in text.split())
    assert words == {"major": rated["major"], "minor": rated["minor"] + rated["borderline"]}


def test_both_tables_judge_the_same_mistake_alike(real):
    tables = [read_mistakes(real / "more" / f"mistakes_{name}_mistakes.json") for name in TABLES]
    pairs = [{(mistake.image, mistake.predicted) for mistake in table} for table in tables]
    judged = severities([*tables[0], *tables[1]])
    assert sum(len(text.split()) for text in judged.values()) == len(pairs[0] | pairs[1]) < 378 + 249


# --- where the files are ----------------------------------------------------------------------


@pytest.mark.parametrize("flat", [False, True], ids=["class folders", "one folder"])
@pytest.mark.parametrize("beside", [False, True], ids=["with the votes", "beside them"])
def test_images_are_found_in_both_places(flat, beside, tmp_path):
    root = tmp_path / "imagenet-votes"
    write_raters(root, VOTES)
    images(tmp_path / "imagenet/val" if beside else root, flat)
    (root / "greedy_soups_mistakes.json").write_text(json.dumps(JUDGED))
    real = {number: " ".join(map(str, real_labels()[number - 1])) for number in LABELS}
    assert of(root) == {1: ("", real[1], "52:major"), 2: (TEXTS[2], real[2], ""), 3: (TEXTS[3], real[3], "")}
    assert real[2] == "970 795" and real[1] == ""


def test_what_people_say_is_known_without_any_image(tmp_path):
    write_raters(tmp_path, VOTES)
    bare = [Sample(id=f"n01440764/{NAME.format(number)}", targets=(0,)) for number in (*range(1, 900), 50_000)]
    samples = DATASET.with_votes(bare, tmp_path)
    assert {number_of(sample): sample.attributes[0] for sample in samples if sample.attributes[0]} == TEXTS
    labels = [real_labels()[number_of(sample) - 1] for sample in samples]
    assert [sample.attributes[1].split() for sample in samples] == [list(map(str, of_image)) for of_image in labels]


def test_targets_images_and_the_identity_of_imagenet_stay(tmp_path):
    root = images(tmp_path / "imagenet/val")
    before = build(ImageNet(), root)
    write_raters(tmp_path / "imagenet-votes", VOTES)
    samples = DATASET.samples(tmp_path / "imagenet-votes")
    assert [replace(sample, attributes=()) for sample in samples] == ImageNet().samples(root)
    first = build(DATASET, tmp_path / "imagenet-votes")
    assert first.digest != before.digest and build(ImageNet(), root).digest == before.digest
    write_raters(tmp_path / "imagenet-votes", [*VOTES[:-1], (1, 5, (0, 0, 5))])
    assert build(DATASET, tmp_path / "imagenet-votes").digest != first.digest, "other votes are another dataset"


def test_remarks_on_what_is_missing(tmp_path):
    root = images(tmp_path)
    write_raters(root, VOTES)
    samples = DATASET.samples(root)
    remarks = list(DATASET.remarks(samples))
    assert any("partial tree" in remark for remark in remarks) and "judgements of experts" in remarks[-1]
    of_another_file = [replace(sample, attributes=("", *sample.attributes[1:])) for sample in samples]
    remarks = list(DATASET.remarks(of_another_file))
    assert any(remark.startswith("votes on 0 of 3 images, published are votes on 24,889") for remark in remarks)


def test_what_is_missing_is_one_line_with_the_way_on(tmp_path):
    root = tmp_path / "imagenet-votes"
    root.mkdir()
    assert "raters.npz" in (text := refusal(DATASET, root)) and "harness fetch --datasets imagenet-votes" in text
    write_raters(root, VOTES)
    text = refusal(DATASET, root)
    assert str(root) in text and str(tmp_path / "imagenet/val") in text and "ln -s" in text
    (root / LABELS[1]).mkdir()
    paint(root / LABELS[1] / "mine.JPEG", 1)
    assert "mine.JPEG is not named as a validation image" in refusal(DATASET, root)


def test_advice_about_images_beside_the_votes_leads_to_both(tmp_path):
    write_raters(tmp_path / "imagenet-votes", VOTES)
    images(tmp_path / "imagenet/val/further", flat=True)
    text = refusal(DATASET, tmp_path / "imagenet-votes")
    assert str(tmp_path / "imagenet/val") in text and "DIR with the images and raters.npz" in text


def test_a_file_that_is_replaced_is_read_again(tmp_path):
    root = images(tmp_path)
    write_raters(root, VOTES)
    assert of(root)[1][0] == ""
    write_raters(root, [*VOTES, (1, 5, (0, 0, 5))])
    assert of(root)[1][0] == "5:0/0/5"


# --- fetching ---------------------------------------------------------------------------------

SERVED = """
from dataclasses import dataclass, replace
from harness import hookimpl
from harness.plugins.datasets.imagenet_votes import ImageNetVotes


@dataclass(frozen=True, kw_only=True)
class Served(ImageNetVotes):
    name: str = "served"

    def release(self):
        whole = super().release()
        downloads = [replace(d, uri="{url}/" + d.uri.rpartition("/")[2], **{more}) for d in whole.downloads]
        return replace(whole, images=3, downloads=tuple(downloads))


@hookimpl
def harness_datasets():
    return [Served()]
"""
FETCH = ("fetch", "--datasets", "served", "--data", "data", "--plugins", "plugins", "--format", "json")


@pytest.fixture
def server(monkeypatch):
    yield from serving(monkeypatch)


@pytest.fixture
def fetched(command_line, server, tmp_path):
    """`fetch` of what the server has: (exit code, row of the table)."""

    def plugin(more):
        (tmp_path / "plugins").mkdir(exist_ok=True)
        (tmp_path / "plugins/served.py").write_text(SERVED.format(url=server.url, more=more))

    def fetch(*options, more="dict(bytes=None, digest=None)"):
        plugin(more)
        code, out, err = command_line(*FETCH, *options)
        assert "Traceback" not in err
        return code, json.loads(out)[0]

    return fetch


def serve_files(server, tmp_path):
    """The published files, small."""
    path = write_raters(tmp_path / "published", VOTES)
    table = json.dumps(JUDGED).encode()
    server.put("/raters.npz", body=path.read_bytes())
    server.put("/vit3b_mistakes.json", body=table)
    server.put("/greedy_soups_mistakes.json", body=table)


def test_votes_are_fetched_and_the_images_are_by_hand(fetched, server, tmp_path):
    serve_files(server, tmp_path)
    code, row = fetched("--dry-run")
    assert (code, row["state"]) == (0, "missing") and not server.asked
    code, row = fetched()
    assert (code, row["state"]) == (1, "by hand"), row
    assert "https://image-net.org" in row["detail"] and "neither in" in row["detail"]
    folder = tmp_path / "data/imagenet-votes"
    assert sorted(path.name for path in folder.iterdir()) == [
        "greedy_soups_mistakes.json",
        "raters.npz",
        "vit3b_mistakes.json",
    ]
    server.asked.clear()
    assert fetched("--offline")[1]["state"] == "by hand"
    images(tmp_path / "data/imagenet/val")
    assert fetched()[1]["state"] == "present" and not server.asked
    assert of(folder)[1] == ("", "", "52:major")


def test_files_come_beside_images_that_are_there(fetched, server, tmp_path):
    serve_files(server, tmp_path)
    images(tmp_path / "data/imagenet/val")
    mine = tmp_path / "data/imagenet-votes/vit3b_mistakes.json"
    mine.parent.mkdir()
    mine.write_text(json.dumps({NAME.format(2): JUDGED[NAME.format(1)]}))
    code, row = fetched()
    assert (code, row["state"]) == (0, "fetched"), row
    assert NAME.format(2) in mine.read_text(), "a file of one's own stays"
    assert not any("vit3b" in path for path in map(str, server.asked))
    (mine.parent / "raters.npz").write_bytes(b"damaged")
    code, row = fetched()
    assert (code, row["state"]) == (1, "by hand") and "it is no .npz" in row["detail"] and "Type: rm" in row["detail"]


def test_a_published_digest_holds(fetched, server, tmp_path):
    serve_files(server, tmp_path)
    code, row = fetched(more="dict()")
    assert (code, row["state"]) == (1, "failed") and "expected 49,255" in row["detail"]
    assert [path.name for path in (tmp_path / "data/imagenet-votes").iterdir()] == ["raters.npz"]


@pytest.mark.parametrize(
    "place", ["../outside.npz", "/outside.npz", "imagenet-votes/../../outside.npz", ".harness/unpacked.json"]
)
def test_a_hostile_place_of_a_file_is_refused(place, fetched, server, tmp_path):
    serve_files(server, tmp_path)
    with bounded(tmp_path, but=[tmp_path / "data", tmp_path / "cache", tmp_path / "plugins"]):
        code, row = fetched(more=f"dict(bytes=None, digest=None, file={place!r})")
    assert (code, row["state"]) == (1, "failed") and "\n" not in row["detail"]
    assert "leads out of the data root" in row["detail"] or "the folder of the harness itself" in row["detail"]


def test_what_is_fetched_is_what_is_published():
    release = DATASET.release()
    assert [download.file for download in release.downloads] == [
        "imagenet-votes/raters.npz", "imagenet-votes/vit3b_mistakes.json", "imagenet-votes/greedy_soups_mistakes.json",
    ]  # fmt: skip
    assert all(
        download.uri.startswith("https://raw.githubusercontent.com/google-research/") for download in release.downloads
    )
    assert [download.has_whole_digest for download in release.downloads] == [False, True, True]


def test_the_digests_are_those_of_the_published_tables(real):
    for download in DATASET.release().downloads[1:]:
        check_download(real / "more" / f"mistakes_{download.file.rpartition('/')[2]}", download)


# --- hostile files ----------------------------------------------------------------------------


class Evil:
    """Unpickled, it makes a folder."""

    def __reduce__(self):
        return os.mkdir, ("executed",)


def changed(name, change):
    """Damage that replaces one array: `change` of the sound one."""
    return lambda path: write_raters(path.parent, VOTES, **{name: change(arrays_of(VOTES)[name])})


def entry(row, column, value):
    def change(array):
        array = array.astype("U64") if array.dtype.kind == "U" else array
        array[row, column] = value
        return array

    return change


def member(content, name="tensor.npy", compression=zipfile.ZIP_DEFLATED, times=1):
    """Damage that replaces a member of the archive by bytes, or a function of the sound ones."""

    def change(path):
        with zipfile.ZipFile(path) as pack:
            files = {info.filename: pack.read(info) for info in pack.infolist()}
        files[name] = content(files[name]) if callable(content) else content
        with zipfile.ZipFile(path, "w", compression) as pack:
            for key, value in files.items():
                for _ in range(times if key == name else 1):
                    pack.writestr(key, value)

    return change


def header(text, version=b"\x01\x00"):
    start = text.encode() + b" " * (-(len(text) + 11) % 64) + b"\n"
    width = 2 if version == b"\x01\x00" else 4
    return b"\x93NUMPY" + version + len(start).to_bytes(width, "little") + start


def of_shape(shape, descr="<f8", order="False"):
    return header(f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}")


def many_members(path):
    with zipfile.ZipFile(path, "a") as pack:
        for number in range(3000):
            pack.writestr(f"member-{number:030}", b"")


def large(path):
    with path.open("ab") as file:
        file.truncate(1 << 40)


def fifo(path):
    path.unlink()
    os.mkfifo(path)


def folder(path):
    path.unlink()
    path.mkdir()


def encrypted(path):
    content = bytearray(path.read_bytes())
    for start, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(start) + flag] |= 1
    path.write_bytes(content)


def misled(path):
    """The end of the archive says that its list of members begins where the file has ended long ago."""
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\x05\x06") + 16
    content[place : place + 4] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(content)


def by_columns(tensor):
    return np.asfortranarray(tensor)


def fields(path):
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3, dtype=[("a", "f8")]))
    member(buffer.getvalue())(path)


HOSTILE = {
    "text": (lambda path: path.write_text("no votes"), "it is no .npz"),
    "nothing": (lambda path: path.write_bytes(b""), "it is no .npz"),
    "a page": (lambda path: path.write_text("<!DOCTYPE html><title>Sign in</title>"), "it is no .npz"),
    "half of it": (lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]), "it is damaged"),
    "a flipped byte": (
        lambda path: path.write_bytes((c := path.read_bytes())[:99] + bytes([c[99] ^ 255]) + c[100:]),
        "it is damaged",
    ),
    "a FIFO": (fifo, "it is no regular file"),
    "a folder": (folder, "it is no regular file"),
    "a terabyte of holes": (large, "it has more than 134,217,728 bytes"),
    "pickled texts": (
        changed("info", lambda info: np.array([[Evil(), Evil()]] * len(info), dtype=object)),
        "holds pickled Python objects, which are never unpacked",
    ),
    "a pickled tensor": (changed("tensor", lambda tensor: np.array([Evil()], dtype=object)), "pickled Python objects"),
    "pickled ids": (changed("ids", lambda ids: np.array([Evil()], dtype=object)), "pickled Python objects"),
    "no tensor": (lambda path: write_raters(path.parent, VOTES, tensor=None), "has no arrays 'tensor'"),
    "no info": (lambda path: write_raters(path.parent, VOTES, info=None), "has no arrays 'info'"),
    "no ids": (lambda path: write_raters(path.parent, VOTES, ids=None), "has no arrays 'ids'"),
    "an array twice": (member(lambda content: content, times=2), "has 2 arrays 'tensor'"),
    "thousands of members": (many_members, "more members than an .npz of three arrays"),
    "another compression": (member(lambda c: c, compression=zipfile.ZIP_LZMA), "NumPy does not use"),
    "an encrypted member": (encrypted, "it is encrypted"),
    "a list of members elsewhere": (misled, "it is damaged"),
    "fewer texts": (changed("info", lambda info: info[:-1]), "'info' is 4 × 2 for 5 pairs"),
    "more texts": (changed("info", lambda info: np.concatenate([info, info])), "'info' is 10 × 2 for 5 pairs"),
    "three texts a pair": (changed("info", lambda info: np.tile(info, 3)[:, :3]), "'info' is 5 × 3"),
    "fewer ids": (changed("ids", lambda ids: ids[1:]), "6 ids of 7 raters"),
    "sums already": (changed("tensor", lambda tensor: tensor.sum(axis=0)), "'tensor' is 5 × 3"),
    "four answers": (changed("tensor", lambda tensor: np.tile(tensor, 2)[..., :4]), "'tensor' is 7 × 5 × 4"),
    "no pairs": (lambda path: write_raters(path.parent, []), "'tensor' is 7 × 0 × 3"),
    "four votes": (
        lambda path: write_raters(path.parent, [*VOTES, (9, 9, (0, 0, 4))]),
        "pair 5 has 4 answers, expected 5",
    ),
    "six votes": (
        lambda path: write_raters(path.parent, [*VOTES, (9, 9, (2, 2, 2))]),
        "pair 5 has 6 answers, expected 5",
    ),
    "two answers of one": (changed("tensor", entry(0, 0, 1)), "a rater gives two answers to one pair"),
    "a half": (changed("tensor", entry(0, 0, 0.5)), "other numbers than 0 and 1"),
    "no number": (changed("tensor", entry(0, 0, np.nan)), "other numbers than 0 and 1"),
    "below zero": (changed("tensor", entry(0, 0, -1)), "other numbers than 0 and 1"),
    "complex numbers": (changed("tensor", lambda tensor: tensor.astype(complex)), "'tensor' is of type <c16"),
    "by columns": (changed("tensor", by_columns), "by columns"),
    "fields": (fields, "no array of numbers or texts"),
    "image 0": (changed("info", entry(0, 0, NAME.format(0))), "expected ILSVRC2012_val_00000001.JPEG"),
    "image 50001": (changed("info", entry(0, 0, NAME.format(50_001))), "ILSVRC2012_val_00050001.JPEG"),
    "a path": (changed("info", entry(0, 0, "../../etc/passwd")), "'../../etc/passwd'"),
    "an escape": (changed("info", entry(0, 0, "\x1b]0;title\x07")), "'\\x1b]0;title\\x07'"),
    "class 1000": (changed("info", entry(0, 1, "1000")), "label '1000'"),
    "class -1": (changed("info", entry(0, 1, "-1")), "label '-1'"),
    "class 1e2": (changed("info", entry(0, 1, "1e2")), "label '1e2'"),
    "no class": (changed("info", entry(0, 1, "")), "label ''"),
    "digits of another script": (changed("info", entry(0, 1, "١٢")), "expected ILSVRC2012"),
    "a pair twice": (lambda path: write_raters(path.parent, [*VOTES, VOTES[0]]), "the label 795 of image 2 twice"),
    "long texts": (changed("info", lambda info: info.astype("U4000")), "'info' is of type <U4000"),
    "texts of no width": (member(of_shape("(5, 2)", "<U0"), "info.npy"), "'info' is of type <U0"),
    "a billion pairs": (member(of_shape("(85, 1000000000, 3)")), "'tensor' is 85 × 1000000000 × 3"),
    "a billion raters": (member(of_shape("(1000000000, 5, 3)")), "more than 768 MB"),
    "raters without end": (member(of_shape(f"({'9' * 4000}, 5, 3)")), "no array of numbers or texts"),
    "less than nobody": (member(of_shape("(-7, 5, 3)")), "no array of numbers or texts"),
    "an array that breaks off": (member(lambda content: content[:-9]), "it breaks off"),
    "an array that goes on": (member(lambda content: content + bytes(9)), "longer than it says"),
    "a nested header": (member(header("(" * 9000)), "no array of numbers or texts"),
    "a header of code": (member(header("__import__('os').mkdir('executed')")), "no array of numbers or texts"),
    "a header of gigabytes": (
        member(b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(1 << 20)),
        "no array of numbers or texts",
    ),
    "no header": (member(b""), "no array of numbers or texts"),
    "a type of no width": (member(of_shape("(7, 5, 3)", "<f0")), "is of type <f0"),
    "a type that does not exist": (member(of_shape("(7, 5, 3)", "<f3")), "which does not exist"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("damage", "words"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_votes_cost_one_line(damage, words, tmp_path, monkeypatch):
    root = images(tmp_path / "data")
    damage(write_raters(root, VOTES))
    monkeypatch.chdir(tmp_path)
    with bounded(tmp_path, but=[root / "raters.npz"]):
        text = refusal(DATASET, root)
    assert f"{root / 'raters.npz'} is not as published: " in text and words in text, text
    assert len(text) < 500 + 3 * len(str(tmp_path)) and text.isprintable() and not (tmp_path / "executed").exists()
    assert f"rm {root / 'raters.npz'} && harness fetch --datasets imagenet-votes" in text


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES, errno.EMFILE], ids=errno.errorcode.get)
@pytest.mark.parametrize(("kind", "first"), [("stat", 1), ("stat", 2), ("stat", 3), ("open", 1), ("read", 1)])
def test_a_fault_of_the_disk_injected_is_no_damage(kind, first, number, tmp_path):
    root = images(tmp_path)
    write_raters(root, VOTES)
    with injected(Faults(tmp_path, "raters.npz").fail(kind, number, first)) as faults:
        text = refusal(DATASET, root)
    assert faults.failed and os.strerror(number) in text and "raters.npz" in text and "rm " not in text
    assert of(root)[2][0] == TEXTS[2]


@pytest.mark.slow
def test_hostile_zeros_up_to_the_limit_cost_seconds(tmp_path):
    """The largest tensor that is unpacked at all has no answers, which is seen at its end."""
    root = images(tmp_path)
    path = write_raters(root, VOTES)
    member(lambda _: of_shape("(200, 500000, 3)", "|u1") + bytes(300_000_000))(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as pack:
        assert len(pack.namelist()) == 3
    with bounded(tmp_path):
        assert "more than 768 MB" in refusal(DATASET, root)
    member(lambda _: of_shape("(7, 500000, 3)", "<f8") + bytes(84_000_000))(path)
    with bounded(tmp_path):
        assert "pair 0 has 0 answers, expected 5" in refusal(DATASET, root)


def judged(**changes):
    return json.dumps({**JUDGED, NAME.format(2): {**JUDGED[NAME.format(1)], **changes}})


def with_name(name):
    return json.dumps({**JUDGED, name: JUDGED[NAME.format(1)]})


HOSTILE_TABLES = {
    "text": ("no table", "Expecting value"),
    "nothing": ("", "Expecting value"),
    "a list": ("[]", "no object"),
    "no entries": ("{}", "no object"),
    "an image twice": (f'{{"{NAME.format(1)}": {{}}, "{NAME.format(1)}": {{}}}}', "twice"),
    "another name": (with_name("n01440764_1.JPEG"), "no validation image"),
    "image 50001": (with_name(NAME.format(50_001)), "no validation image"),
    "an escape": (with_name("\x1b[31m"), "'\\x1b[31m'"),
    "class 1000": (judged(top_prediction=1000), "0 to 999"),
    "class -1": (judged(top_prediction=-1), "0 to 999"),
    "a class as text": (judged(top_prediction="5"), "0 to 999"),
    "yes as a class": (judged(top_prediction=True), "0 to 999"),
    "half a class": (judged(top_prediction=0.5), "0 to 999"),
    "another severity": (judged(**{"failure severity": "Terrible"}), "Borderline"),
    "a category that is none": (judged(**{"failure category": 7}), "a failure category"),
    "an entry that is none": (json.dumps({NAME.format(1): [1, 2]}), "its entry"),
    "nested": ("[" * 100_000, "nested too deeply"),
    "a long number": (f'{{"{NAME.format(1)}": {"9" * 10_000}}}', "Exceeds the limit"),
    "bytes": (b"\xff\xfe\x00", "utf-16"),
    "spaces without end": (b" " * (9 << 20), "it has more than 8,388,608 bytes"),
}


@pytest.mark.parametrize(("content", "words"), HOSTILE_TABLES.values(), ids=HOSTILE_TABLES)
def test_hostile_tables_cost_one_line(content, words, tmp_path):
    root = images(tmp_path / "data")
    write_raters(root, VOTES)
    path = root / "vit3b_mistakes.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with bounded(tmp_path):
        text = refusal(DATASET, root)
    assert f"{path} is not as published: " in text and words in text, text
    assert len(text) < 500 + 3 * len(str(tmp_path)) and text.isprintable()


def test_hostile_tables_that_contradict_each_other(tmp_path):
    root = images(tmp_path)
    write_raters(root, VOTES)
    for name, severity in (("vit3b", "Major"), ("greedy_soups", "Borderline")):
        one = {NAME.format(1): {**JUDGED[NAME.format(1)], "failure severity": severity}}
        (root / f"{name}_mistakes.json").write_text(json.dumps(one))
    assert "class 52 for image 1 is a major mistake in one table, a minor in another" in refusal(DATASET, root)
    assert severities([Mistake(1, 5, "", "minor"), Mistake(1, 5, "", "borderline")]) == {1: "5:minor"}
    assert indices()[LABELS[1]] == 65
