"""``harness fetch`` as a user meets it, over a real HTTP server: states, exit codes, what lies on the disk."""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch
from PIL import Image

from harness.checkpoints.pins import recorded
from harness.local.cache import cache_dir
from tests.helpers.bounds import bounded
from tests.helpers.command import completed
from tests.helpers.fetching import QUICK
from tests.helpers.hostile_answers import ANSWERS, raw
from tests.helpers.hostile_archives import ARCHIVES
from tests.helpers.hostile_texts import INERT, inert_terminal
from tests.helpers.http_server import Answer, serving

PLUGIN = '''
from dataclasses import dataclass, replace
from pathlib import Path
from harness import Dataset, Download, LabelSpace, ModelSource, Release, Sample, hookimpl, locate_first, shards_of


class Net(ModelSource):
    """Files of a server on this machine."""

    name = "net"

    def files(self, spec):
        head = (spec.recipe.head,) if spec.recipe.head else ()
        files = (locate_first(spec), *(locate_first(spec, (uri,)) for uri in head))
        return (*files, *(shard for file in files for shard in shards_of(file)))

    def downloads(self, spec):
        here = lambda one: replace(one, uri=one.uri.replace("https://127", "http://127"))
        return [[here(one) for one in group] for group in super().downloads(spec)]

    def load(self, spec):
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Pictures(Dataset):
    """Archives of a server on this machine; images is the number of a complete copy."""

    name: str = "pictures"
    path: str = "pictures"
    images: int = 4

    def label_space(self):
        return LabelSpace(name="two", classes=("a", "b"))

    def release(self):
        downloads = eval(Path("downloads.txt").read_text(), {"Download": Download})
        return Release(images=self.images, bytes=1234, page="https://example.org/pictures", downloads=downloads)

    def samples(self, root):
        for path in sorted(root.rglob("*.png")):
            yield Sample(id=path.relative_to(root).as_posix(), targets=(0,), path=path)


@hookimpl
def harness_model_sources():
    return [Net()]


@hookimpl
def harness_datasets():
    return [Pictures()]
'''


@pytest.fixture
def server(monkeypatch):
    yield from serving(monkeypatch)


@pytest.fixture
def harness(command_line):
    """`command_line`, with a plugin of one model source and the options that name it."""
    Path("plugins").mkdir()
    Path("plugins/net.py").write_text(PLUGIN)
    Path("downloads.txt").write_text("()")

    def call(*arguments, more=("--registry", "my.yaml", "--plugins", "plugins")):
        return command_line(*arguments, *more)

    return call


@pytest.fixture(scope="session")
def weights():
    buffer = io.BytesIO()
    torch.save({"weight": torch.arange(60_000.0)}, buffer)
    return buffer.getvalue()


def register(server, *entries):
    """A registry with models of source `net`; in `entries` HTTPS stands for the server's address."""
    text = "models:\n" + "".join(f"  {entry}\n" for entry in entries)
    Path("my.yaml").write_text(text.replace("HTTPS", server.url.replace("http:", "https:")))


def rows(out):
    return {row["name"]: row for row in json.loads(out)}


def place(model, name):
    return cache_dir() / "checkpoints" / model / name


# --- checkpoints -----------------------------------------------------------------------------


def test_models_are_fetched_once_and_the_run_finds_them(harness, server, weights):
    sha = hashlib.sha256(weights).hexdigest()
    register(
        server,
        "one: {source: net, weights: ['HTTPS/gone.pth', 'HTTPS/one.pth']}",
        f"two: {{source: net, weights: 'HTTPS/two-{sha[:8]}.pth', recipe: {{head: 'HTTPS/head.pth'}}}}",
        f"three: {{source: net, weights: 'HTTPS/three.pth', sha256: '{sha}'}}",
        "other: {source: net, weights: 'HTTPS/other.pth'}",
    )
    for name in ("one", f"two-{sha[:8]}", "head", "three"):
        server.put(f"/{name}.pth", body=weights)
    code, out, err = harness("fetch", "--models", "one", "tw[o]", "thre*")
    assert code == 0, err
    assert out.split("\n")[0].split() == ["name", "state", "bytes", "detail"]
    assert [line.split()[:4] for line in out.strip().split("\n")[2:]] == [
        ["one", "fetched", "241.6", "kB"], ["two", "fetched", "483.2", "kB"], ["three", "fetched", "241.6", "kB"],
    ]  # fmt: skip
    assert "3 of 3 are here" in err
    for path in (place("one", "one.pth"), place("two", f"two-{sha[:8]}.pth"), place("two", "head.pth")):
        assert path.read_bytes() == weights
    assert {model: sorted(pins) for model, pins in recorded().items()} == {
        "one": ["one.pth"],
        "two": ["head.pth", f"two-{sha[:8]}.pth"],
    }
    assert recorded()["one"]["one.pth"].uri == f"{server.url}/one.pth"
    server.asked.clear()
    code, out, _ = harness("fetch", "--models", "one", "two", "three", "--format", "json")
    assert (code, {row["state"] for row in rows(out).values()}) == (0, {"present"})
    assert server.asked == []


def test_shards_are_fetched_with_their_index(harness, server):
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for number, name in enumerate(names):
        server.put(f"/{name}", body=safetensors.torch.save({f"w{number}": torch.arange(9.0)}))
    weight_map = {f"w{number}": name for number, name in enumerate(names)}
    server.put("/model.safetensors.index.json", body=json.dumps({"weight_map": weight_map}).encode())
    register(server, "sharded: {source: net, weights: 'HTTPS/model.safetensors.index.json'}")
    code, out, err = harness("fetch", "--models", "sharded", "--format", "json")
    assert code == 0, err
    assert rows(out)["sharded"]["state"] == "fetched"
    assert sorted(path.name for path in place("sharded", "x").parent.glob("*.safetensors")) == names
    Path(place("sharded", names[1])).unlink()
    before = len(server.asked)
    assert harness("fetch", "--models", "sharded", "--format", "json")[0] == 0
    assert {one.path for one in server.asked[before:]} == {f"/{names[1]}"}
    assert rows(harness("fetch", "--models", "sharded", "--format", "json")[1])["sharded"]["state"] == "present"


def test_only_the_file_that_is_missing_is_fetched(harness, server, weights):
    places = "['HTTPS/first.pth', 'HTTPS/second.pth']"
    register(server, f"net: {{source: net, weights: {places}, recipe: {{head: 'HTTPS/head.pth'}}}}")
    place("net", "second.pth").parent.mkdir(parents=True)
    place("net", "second.pth").write_bytes(weights)
    server.put("/head.pth", body=weights)
    code, out, err = harness("fetch", "--models", "net", "--format", "json")
    assert (code, rows(out)["net"]["bytes"]) == (0, len(weights)), err
    assert [asked.path for asked in server.asked] == ["/head.pth"]


def test_offline_and_dry_run_ask_nobody(harness, server, weights):
    register(
        server,
        "here: {source: net, weights: 'HTTPS/here.pth'}",
        "absent: {source: net, weights: 'HTTPS/absent.pth', bytes: 1500000}",
        "pip: {source: checkpoint, arch: 'torchvision:resnet50', weights: 'package:no_such_package/x.pth'}",
    )
    place("here", "here.pth").parent.mkdir(parents=True)
    place("here", "here.pth").write_bytes(weights)
    for option, expected in (("--offline", 1), ("--dry-run", 0)):
        code, out, err = harness("fetch", "--models", "here", "absent", "pip", option, "--format", "json")
        assert code == expected
        found = rows(out)
        assert {name: row["state"] for name, row in found.items()} == {
            "here": "present", "absent": "missing", "pip": "by hand",
        }  # fmt: skip
        assert found["absent"]["bytes"] == 1_500_000 and "/absent.pth" in found["absent"]["detail"]
        assert "pip install no-such-package" in found["pip"]["detail"]
    code, out, err = harness("fetch", "--models", "here", "absent", "--offline")
    assert code == 1 and "1 of 2 are here; 1 to fetch (1.5 MB)" in err
    assert harness("fetch", "--models", "here", "--offline")[0] == 0
    assert server.asked == []
    assert not place("absent", "absent.pth").parent.exists()


def test_what_fails_does_not_stop_the_others(harness, server, weights):
    page = b"<html><title>Hello</title></html>"
    register(
        server,
        "bad: {source: net, weights: 'HTTPS/bad.pth'}",
        "page: {source: net, weights: 'HTTPS/page.pth'}",
        "text: {source: net, weights: 'HTTPS/text.pth'}",
        "good: {source: net, weights: 'HTTPS/good.pth'}",
    )
    server.put("/page.pth", body=page)
    server.put("/text.pth", body=b"hello " * 100)
    server.put("/good.pth", body=weights)
    code, out, _ = harness("fetch", "--models", "bad", "page", "text", "good", "--format", "json")
    assert code == 1
    found = rows(out)
    assert {name: row["state"] for name, row in found.items()} == {
        "bad": "failed", "page": "failed", "text": "failed", "good": "fetched",
    }  # fmt: skip
    assert "HTTP 404 Not Found" in found["bad"]["detail"]
    assert "a web page titled 'Hello'" in found["page"]["detail"]
    assert "the download is not a checkpoint but a text file" in found["text"]["detail"]
    assert [path.name for path in place("page", "x").parent.iterdir() if not path.name.startswith(".")] == []


def test_a_damaged_checkpoint_is_fetched_again(harness, server, weights):
    sha = hashlib.sha256(weights).hexdigest()
    register(server, f"net: {{source: net, weights: 'HTTPS/net.pth', sha256: '{sha}'}}")
    place("net", "net.pth").parent.mkdir(parents=True)
    server.put("/net.pth", body=weights)
    for damaged in (b"<html>login</html>", weights[:-1] + b"?", weights[:1000]):
        place("net", "net.pth").write_bytes(damaged)
        code, out, _ = harness("fetch", "--models", "net", "--offline", "--format", "json")
        assert (code, rows(out)["net"]["state"]) == (1, "missing")
        code, out, err = harness("fetch", "--models", "net", "--format", "json")
        assert (code, rows(out)["net"]["state"]) == (0, "fetched"), err
        assert place("net", "net.pth").read_bytes() == weights


@pytest.mark.parametrize("kind", ["zip", "safetensors"])
def test_a_checkpoint_that_breaks_off_is_not_trusted_though_no_digest_is_known(harness, server, weights, kind):
    """A copy that was not finished: were it recorded, the whole file would be refused ever after."""
    whole = weights if kind == "zip" else safetensors.torch.save({"weight": torch.arange(60_000.0)})
    register(server, "net: {source: net, weights: 'HTTPS/net.pth'}")
    place("net", "net.pth").parent.mkdir(parents=True)
    place("net", "net.pth").write_bytes(whole[:100_000])
    for option in ("--dry-run", "--offline"):
        code, out, _ = harness("fetch", "--models", "net", option, "--format", "json")
        assert (
            rows(out)["net"]["state"] == "missing" and "is truncated after 100,000 bytes" in rows(out)["net"]["detail"]
        )
    server.put("/net.pth", body=whole[:-1])
    code, out, _ = harness("fetch", "--models", "net", "--format", "json")
    assert (code, rows(out)["net"]["state"]) == (1, "failed") and "is truncated after" in rows(out)["net"]["detail"]
    assert recorded() == {}
    server.put("/net.pth", body=whole)
    assert harness("fetch", "--models", "net")[0] == 0
    assert recorded()["net"]["net.pth"].sha256 == hashlib.sha256(whole).hexdigest()


def test_looking_records_nothing(harness, server, weights):
    register(server, "net: {source: net, weights: 'HTTPS/net.pth'}")
    place("net", "net.pth").parent.mkdir(parents=True)
    place("net", "net.pth").write_bytes(weights)
    for option in ("--dry-run", "--offline"):
        code, _, err = harness("fetch", "--models", "net", option)
        assert code == 0 and "1 of 1 are here" in err
    assert recorded() == {} and server.asked == []


def test_what_has_no_known_size_is_not_called_0_bytes(harness, server):
    register(server, "net: {source: net, weights: 'HTTPS/net.pth'}")
    assert "1 to fetch (of unknown size)" in harness("fetch", "--models", "net", "--dry-run")[2]


def test_trust_on_first_use_and_how_to_accept(harness, server, weights):
    register(server, "net: {source: net, weights: 'HTTPS/net.pth'}")
    server.put("/net.pth", body=weights)
    assert harness("fetch", "--models", "net")[0] == 0
    changed = weights.replace(weights[-200_000:-199_000], b"\0" * 1000)
    assert changed != weights
    # The file on the disk changed: what was recorded is fetched again.
    place("net", "net.pth").write_bytes(changed)
    assert harness("fetch", "--models", "net")[0] == 0
    assert place("net", "net.pth").read_bytes() == weights
    # The file on the server changed too: refused, until it is accepted.
    place("net", "net.pth").unlink()
    server.put("/net.pth", body=changed)
    code, out, _ = harness("fetch", "--models", "net", "--format", "json")
    assert code == 1 and "harness fetch --models net --accept" in rows(out)["net"]["detail"]
    assert not place("net", "net.pth").exists()
    assert harness("fetch", "--models", "net", "--accept")[0] == 0
    assert place("net", "net.pth").read_bytes() == changed
    assert recorded()["net"]["net.pth"].sha256 == hashlib.sha256(changed).hexdigest()
    # A present file is accepted without being fetched.
    place("net", "net.pth").write_bytes(weights)
    server.asked.clear()
    assert harness("fetch", "--models", "net", "--accept")[0] == 0
    assert recorded()["net"]["net.pth"].sha256 == hashlib.sha256(weights).hexdigest()
    assert server.asked == []


def test_a_users_own_wrong_file_is_left_alone(harness, server, weights, tmp_path):
    register(server, f"net: {{source: net, weights: ['file:mine.pth', 'HTTPS/net.pth'], sha256: '{'0' * 64}'}}")
    (tmp_path / "mine.pth").write_bytes(weights)
    code, out, _ = harness("fetch", "--models", "net", "--format", "json")
    assert code == 1 and "expected 0000" in rows(out)["net"]["detail"]
    assert (tmp_path / "mine.pth").read_bytes() == weights
    assert server.asked == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing to fetch: give --suite NAME"),
        (("--models", "no-such-model"), "unknown model 'no-such-model'"),
        (("--datasets", "no-such-dataset"), "unknown dataset 'no-such-dataset'"),
        (("--suite", "no-such-suite"), "unknown suite 'no-such-suite'"),
        (("--models", "net", "--offline", "--accept"), "--accept records files"),
        (("--models", "net", "--format", "xml"), "unknown value of --format"),
    ],
)
def test_wrong_requests(harness, server, words, message):
    register(server, "net: {source: net, weights: 'HTTPS/net.pth'}")
    code, out, err = harness("fetch", *words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and message in err and err.count("\n") == 1
    assert server.asked == []


# --- datasets --------------------------------------------------------------------------------


def archive(names, mode="w:gz", top="pictures"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for number, name in enumerate(names):
            picture = io.BytesIO()
            Image.new("RGB", (8, 8), (number, 0, 0)).save(picture, "png")
            info = tarfile.TarInfo(f"{top}/{name}" if top else name)
            info.size = len(picture.getvalue())
            tar.addfile(info, io.BytesIO(picture.getvalue()))
    return buffer.getvalue()


def release(server, *downloads):
    texts = [f"Download(uri={server.url + path!r}, **{facts!r})" for path, facts in downloads]
    Path("downloads.txt").write_text(f"({', '.join(texts)},)")
    Path("my.yaml").write_text("models: {}\n")


def trees(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))


def test_archives_are_unpacked_below_the_data_root(harness, server, tmp_path):
    first, second = archive(["a/1.png", "a/2.png"], top="download"), archive(["b/1.png", "b/2.png"], "w", "")
    release(
        server,
        ("/first.tar.gz", {"bytes": len(first), "rename": ("download/a", "pictures/a")}),
        ("/second.tar.gz", {"digest": f"md5:{hashlib.md5(second).hexdigest()}", "into": "pictures"}),
    )
    server.put("/first.tar.gz", body=first)
    server.put("/second.tar.gz", Answer(status=404), Answer(body=second))
    fetch = ("fetch", "--datasets", "pictures", "--data", "data", "--format", "json")
    code, out, err = harness(*fetch, "--offline")
    assert (code, rows(out)["pictures"]["state"]) == (1, "missing")
    code, out, err = harness(*fetch)
    assert code == 1 and "404" in rows(out)["pictures"]["detail"]
    assert trees(tmp_path / "data") == ["pictures/a/1.png", "pictures/a/2.png"]
    code, out, err = harness(*fetch)
    assert (code, rows(out)["pictures"]["state"], rows(out)["pictures"]["bytes"]) == (0, "fetched", len(second)), err
    assert trees(tmp_path / "data") == [f"pictures/{folder}/{n}.png" for folder in "ab" for n in (1, 2)]
    assert server.sent("/first.tar.gz") == len(first)  # not again after the second failed
    ours = [path.name for path in (tmp_path / "data" / ".harness").rglob("*") if path.is_file()]
    assert [name for name in ours if not name.endswith(".lock")] == ["unpacked.json"]  # the archives are gone
    server.asked.clear()
    code, out, _ = harness(*fetch)
    assert (code, rows(out)["pictures"]["state"], server.asked) == (0, "present", [])


def test_archives_can_be_kept_and_serve_again(harness, server, tmp_path):
    pack = archive([f"{n}.png" for n in range(4)])
    release(server, ("/pictures.tar.gz", {}))
    server.put("/pictures.tar.gz", body=pack)
    fetch = ("fetch", "--datasets", "pictures", "--data", "data", "--keep-archives")
    assert harness(*fetch)[0] == 0
    assert [path.name[8:] for path in (tmp_path / "data/.harness/archives").glob("*.gz")] == ["-pictures.tar.gz"]
    shutil.rmtree(tmp_path / "data" / "pictures")
    server.asked.clear()
    assert harness(*fetch)[0] == 0
    assert len(trees(tmp_path / "data")) == 4
    assert server.asked == []


def test_a_damaged_archive_leaves_no_tree_and_is_fetched_anew(harness, server, tmp_path):
    pack = archive([f"{n}.png" for n in range(4)])
    release(server, ("/pictures.tar.gz", {}))
    server.put("/pictures.tar.gz", Answer(body=pack[:-100]), Answer(body=pack))
    fetch = ("fetch", "--datasets", "pictures", "--data", "data", "--format", "json")
    code, out, _ = harness(*fetch)
    assert code == 1 and "damaged or truncated" in rows(out)["pictures"]["detail"]
    assert not (tmp_path / "data" / "pictures").exists()
    assert harness(*fetch)[0] == 0
    assert len(trees(tmp_path / "data" / "pictures")) == 4
    assert trees(tmp_path / "data") == [f"pictures/{n}.png" for n in range(4)]


def test_an_incomplete_archive_and_one_of_other_content(harness, server, tmp_path):
    pack = archive(["1.png", "2.png"])
    release(server, ("/pictures.tar.gz", {}))
    server.put("/pictures.tar.gz", body=pack)
    fetch = ("fetch", "--datasets", "pictures", "--data", "data", "--format", "json")
    code, out, _ = harness(*fetch)
    assert code == 1 and "all archives are unpacked, and yet: 2 of 4 images" in rows(out)["pictures"]["detail"]
    (tmp_path / "data/.harness/unpacked.json").unlink()
    (tmp_path / "data/pictures/2.png").write_bytes(b"mine")
    code, out, _ = harness(*fetch)
    assert code == 1 and "2.png exists and differs" in rows(out)["pictures"]["detail"]
    assert (tmp_path / "data/pictures/2.png").read_bytes() == b"mine"


def test_what_only_a_person_can_get_is_listed_with_its_page(harness, server):
    Path("my.yaml").write_text("models: {}\n")
    code, out, _ = harness("fetch", "--datasets", "pictures", "sample-photos", "--format", "json")
    assert code == 1
    assert rows(out)["pictures"]["state"] == "by hand"
    assert "https://example.org/pictures" in rows(out)["pictures"]["detail"]


def test_without_a_data_root_nothing_is_begun(harness, server, weights):
    release(server, ("/pictures.tar.gz", {}))
    register(server, "net: {source: net, weights: 'HTTPS/net.pth'}")
    for more in ((), ("--data", "pictures=there")):
        code, out, err = harness("fetch", "--models", "net", "--datasets", "pictures", *more)
        assert (code, out) == (2, "") and "--data ROOT" in err
    assert server.asked == []
    assert harness("fetch", "--datasets", "pictures", "--offline")[0] == 1


def fetched_pictures(harness, folder):
    """The exit code, the row and all that was printed, in little time and with nothing written beside the data root."""
    with bounded(folder, but=[folder / "data", folder / "cache"]):
        code, out, err = harness("fetch", "--datasets", "pictures", "--data", "data", "--format", "json")
    assert "Traceback" not in err
    return code, rows(out)["pictures"], out + err


HOSTILE_ARCHIVES = ("tar-link-above", "tar-above", "gz-bomb-of-one-member", "zip-link", "zip-bomb-of-one-member")


@pytest.mark.parametrize("name", HOSTILE_ARCHIVES)
def test_a_hostile_archive_ends_with_one_line_and_exit_1(harness, server, tmp_path, name):
    make, words = ARCHIVES[name]
    release(server, ("/pictures.tar", {}))
    server.put("/pictures.tar", body=make(tmp_path))
    code, row, _ = fetched_pictures(harness, tmp_path)
    assert (code, row["state"]) == (1, "failed")
    assert words in row["detail"] and "\n" not in row["detail"]
    assert [path.name for path in (tmp_path / "data").iterdir()] == [".harness"]
    assert list((tmp_path / "data" / ".harness" / "unpacking").iterdir()) == []


@pytest.mark.parametrize("name", [".harness/unpacked.json", ".HARNESS/x"])
def test_a_hostile_archive_with_our_own_folder_is_refused(harness, server, tmp_path, name):
    release(server, ("/pictures.tar", {}))
    server.put("/pictures.tar", body=archive([name], top=""))
    code, row, _ = fetched_pictures(harness, tmp_path)
    assert code == 1 and "the folder of the harness itself" in row["detail"]
    assert not list((tmp_path / "data").rglob("unpacked.json"))


HOSTILE_ANSWERS = ("body-gzip", "endless-beyond-the-entry", "redirect-to-a-file", "redirect-in-circles")


@pytest.mark.parametrize("name", HOSTILE_ANSWERS)
def test_a_hostile_answer_ends_with_one_line_and_exit_1(harness, server, tmp_path, name):
    answers, words, facts = ANSWERS[name]
    release(server, ("/net.pth?token=s3cret", facts))
    server.put("/net.pth", *answers)
    code, row, printed = fetched_pictures(harness, tmp_path)
    assert (code, row["state"]) == (1, "failed")
    assert words in row["detail"] and "\n" not in row["detail"]
    assert "s3cret" not in printed and "net.pth?token=***" in row["detail"]


ESCAPES = b"\x1b[31m\x1b]8;;http://evil.example\x07=cmd|[x](y)<b>\xc2\x9b\xe2\x80\xae"
WORDS_OF_A_SERVER = {
    "reason": b"HTTP/1.1 499 %s\r\n\r\n",
    "location": b"HTTP/1.1 302 Found\r\nLocation: ftp://%s/\r\n\r\n",
    "encoding": b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: 5\r\n\r\nhello",
    "transfer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\nhello",
    "retry": b"HTTP/1.1 503 Unavailable\r\nRetry-After: %s\r\n\r\n",
    "range": b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %s\r\nContent-Length: 5\r\n\r\nhello",
    "etag": b'HTTP/1.1 200 OK\r\nETag: "%s"\r\nContent-Length: 9\r\n\r\nhello',
    "status-line": b"%s\r\n\r\n",
    "title": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><title>%s&#27;[2J&#8238;</title>",
    "name": b'HTTP/1.1 200 OK\r\nContent-Disposition: attachment; filename="%s"\r\nContent-Length: 3\r\n\r\nabc',
}


@pytest.mark.parametrize("form", ["terminal", "tty", "json"])
@pytest.mark.parametrize("answer", WORDS_OF_A_SERVER.values(), ids=WORDS_OF_A_SERVER)
def test_hostile_words_of_a_server(harness, server, tmp_path, monkeypatch, answer, form):
    monkeypatch.setattr("harness.fetching.files.RetryPolicy", lambda: QUICK)
    register(server, "net: {source: net, weights: 'HTTPS/net.pth'}")
    server.put("/net.pth", raw(answer % ESCAPES))
    words = "fetch --models net --registry my.yaml --plugins plugins --format".split()
    with bounded(tmp_path):
        done = completed([*words, form.replace("tty", "terminal")], tmp_path, terminal=form == "tty")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    INERT["json" if form == "json" else "terminal"](done.stdout)
    inert_terminal(done.stderr)
    if form == "json":
        assert "\n" not in rows(done.stdout)["net"]["detail"]


def test_the_record_of_archives_has_no_secrets_and_knows_older_ones(harness, server, tmp_path):
    release(server, ("/pictures.tar?token=s3cret", {}))
    server.put("/pictures.tar", body=archive([f"{n}.png" for n in range(4)]))
    assert fetched_pictures(harness, tmp_path)[0] == 0
    record = tmp_path / "data" / ".harness" / "unpacked.json"
    (key,) = json.loads(record.read_text())
    assert "s3cret" not in key and "sha256:" in key
    _, *others = json.loads(key)
    old = json.dumps([f"{server.url}/pictures.tar?token=s3cret", *others])
    record.write_text(json.dumps({old: ["pictures"]}))
    (tmp_path / "data" / "pictures" / "3.png").unlink()
    server.asked.clear()
    code, row, _ = fetched_pictures(harness, tmp_path)
    assert code == 1 and "all archives are unpacked, and yet" in row["detail"]
    assert server.asked == []


@pytest.mark.parametrize("facts", [{"into": "../out"}, {"into": "/tmp"}, {"rename": ("pictures", "../out")}])
def test_a_release_never_leads_out_of_the_data_root(harness, server, tmp_path, facts):
    release(server, ("/pictures.tar.gz", facts))
    server.put("/pictures.tar.gz", body=archive(["1.png"]))
    code, out, _ = harness("fetch", "--datasets", "pictures", "--data", "data", "--format", "json")
    assert code == 1 and "leads out of the data root" in rows(out)["pictures"]["detail"]
    assert trees(tmp_path / "data" / "pictures") == [] and not (tmp_path / "out").exists()


# --- the process -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_fetch_is_continued_by_the_same_command(harness, server, weights, tmp_path, kind):
    register(server, "net: {source: net, weights: 'HTTPS/net.pth'}")
    server.put("/net.pth", Answer(body=weights, slow=0.4), Answer(body=weights))
    words = "-m harness fetch --models net --registry my.yaml --plugins plugins".split()
    victim = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    part, deadline = place("net", "net.pth.part"), time.monotonic() + 30
    while not (part.exists() and part.stat().st_size >= 65536):
        assert time.monotonic() < deadline and victim.poll() is None
        time.sleep(0.01)
    victim.send_signal(kind)
    out, err = victim.communicate(timeout=30)
    assert out == ""
    if kind == signal.SIGINT:
        assert victim.returncode == 130
        assert "the same command resumes the interrupted download" in err and "Traceback" not in err
    kept = part.stat().st_size
    code, _, err = harness("fetch", "--models", "net")
    assert code == 0, err
    assert place("net", "net.pth").read_bytes() == weights
    assert [asked.sent for asked in server.asked if asked.status == 206] == [len(weights) - kept]
    assert not part.exists()


def test_progress_in_a_log_and_a_result_on_stdout(harness, server, weights, monkeypatch):
    register(server, "net: {source: net, weights: 'HTTPS/net.pth'}")
    server.put("/net.pth", body=weights)
    code, out, err = harness("fetch", "--models", "net")
    assert code == 0
    assert "net: 100% of 241.6 kB" in err and "/s" in err
    assert "\x1b" not in out + err


@pytest.mark.parametrize("colour", [True, False])
def test_progress_on_a_terminal(monkeypatch, colour):
    from rich.console import Console

    from harness.output.progress import FetchProgress

    monkeypatch.delenv("NO_COLOR", raising=False)
    if not colour:
        monkeypatch.setenv("NO_COLOR", "1")
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, color_system="standard", highlight=False)
    with FetchProgress(console) as progress:
        progress.begin("net", 500_000, 1_000_000)
        for _ in range(4):
            progress.advance(50_000)
            time.sleep(0.15)
        progress.note("a remark [above] the bar")
        progress.end()
    drawn = screen.getvalue()
    assert "0.7/1.0 MB" in drawn and "B/s" in drawn and "ETA" in drawn
    assert "a remark [above] the bar" in drawn
    assert ("\x1b[3" in drawn) == colour


def test_the_network_is_imported_by_nobody_else():
    code = (
        "import sys, harness.cli, harness.checkpoints.pins, harness.fetching.models, harness.fetching.datasets;"
        "print(sorted({'requests', 'gdown', 'huggingface_hub', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "[]"
