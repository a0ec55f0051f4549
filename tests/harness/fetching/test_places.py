"""The hub and the drive, as far as they can be stood in for on this machine; and archives."""

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest

from harness import FetchError
from harness.fetching.archives import DamagedArchiveError, check_archive, merge, unpack
from tests.helpers.fetching import PAGE, NoProgress, fetch, left, refused
from tests.helpers.http_server import Answer, serving
from tests.helpers.places import ROOT

BODY = np.random.default_rng(1).bytes(400_000)
SHA = hashlib.sha256(BODY).hexdigest()
COMMIT = "c" * 40


@pytest.fixture
def server(monkeypatch):
    yield from serving(monkeypatch)


# --- the hub ---------------------------------------------------------------------------------


def hub(server, storage):
    """A repository owner/repo with one large file, kept on another host as far as the address tells."""
    server.put("/storage", *storage)
    facts = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{SHA}"', "X-Linked-Size": str(len(BODY))}
    answer = Answer(status=302, headers={**facts, "Location": f"{server.url}/storage?signature=1"})
    for revision in ("main", COMMIT):
        server.put(f"/owner/repo/resolve/{revision}/sub/net.pth", answer)


def from_hub(server, folder, uri="hf:owner/repo:sub/net.pth", **environment):
    """Fetch in a process of its own, since the library reads its settings at import: (code, output)."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from harness import HarnessError\n"
        "from tests.helpers import fetching\n"
        "try: print(fetching.fetch(Path(sys.argv[2]), sys.argv[3]).bytes)\n"
        "except HarnessError as error: sys.exit(str(error))"
    )
    words = [sys.executable, "-c", code, str(ROOT), str(folder / "net.pth"), uri]
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    place = {"HF_ENDPOINT": server.url, "HF_HOME": str(folder / "home"), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(words, env={**clean, **place, **environment}, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_hub_is_asked_for_one_commit_and_continued(server, tmp_path):
    hub(server, [Answer(body=BODY, cut=131072), Answer(body=BODY)])
    code, out = from_hub(server, tmp_path, HF_TOKEN="hf_secret")
    assert (code, out) == (0, f"{len(BODY)}\n")
    assert (tmp_path / "net.pth").read_bytes() == BODY
    assert [asked.path for asked in server.asked if asked.method == "HEAD"] == [
        "/owner/repo/resolve/main/sub/net.pth"
    ] * 2
    assert f"/owner/repo/resolve/{COMMIT}/sub/net.pth" in [
        asked.path for asked in server.asked if asked.method == "GET"
    ]
    assert server.sent("/storage?signature=1") == len(BODY)
    assert server.asked[0].headers["Authorization"] == "Bearer hf_secret"


def test_what_the_hub_sends_must_have_the_digest_that_it_states(server, tmp_path):
    hub(server, [Answer(body=BODY[::-1])])
    code, out = from_hub(server, tmp_path)
    assert code == 1 and SHA in out and "sha256 is" in out
    assert not (tmp_path / "net.pth").exists()


def test_the_token_stays_with_the_hub(server, tmp_path):
    hub(server, [Answer(body=BODY)])
    other = server.url.replace("127.0.0.1", "localhost")
    for revision in ("main", COMMIT):
        for answer in server.answers[f"/owner/repo/resolve/{revision}/sub/net.pth"]:
            answer.headers["Location"] = f"{other}/storage"
    code, out = from_hub(server, tmp_path, HF_TOKEN="hf_secret", NO_PROXY="127.0.0.1,localhost")
    assert code == 0, out
    carried = {asked.path: "Authorization" in asked.headers for asked in server.asked}
    assert carried["/storage"] is False and carried[f"/owner/repo/resolve/{COMMIT}/sub/net.pth"] is True


def test_refusals_of_the_hub(server, tmp_path):
    path = "/owner/repo/resolve/main/sub/net.pth"
    server.put(path, status=403, headers={"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"})
    code, out = from_hub(server, tmp_path)
    assert (
        code == 1 and "the hub says GatedRepo: Access is restricted; ask for access" in out and "hf auth login" in out
    )
    server.asked.clear()
    code, out = from_hub(server, tmp_path, HF_HUB_OFFLINE="1")
    assert code == 1 and "HF_HUB_OFFLINE is set" in out
    assert server.asked == []


def test_a_renamed_repository(server, tmp_path):
    hub(server, [Answer(body=BODY)])
    old = {"Location": "/owner/repo/resolve/main/sub/net.pth"}
    for revision in ("main", COMMIT):
        moved = {"Location": old["Location"].replace("main", revision)}
        server.put(f"/owner/old/resolve/{revision}/sub/net.pth", status=307, headers=moved)
    code, out = from_hub(server, tmp_path, uri="hf:owner/old:sub/net.pth")
    assert code == 0, out
    assert (tmp_path / "net.pth").read_bytes() == BODY


@pytest.mark.parametrize("uri", ["hf:owner", "hf:../x:y", "gdrive:a/b", "gdrive:../x", "gdrive:"])
def test_malformed_places(tmp_path, uri):
    assert uri in refused(tmp_path / "net.pth", uri)


# --- the drive -------------------------------------------------------------------------------


def confirmation(server):
    form = (
        f'<form id="download-form" action="{server.url}/download" method="get">'
        '<input type="hidden" name="id" value="1aB"><input type="hidden" name="confirm" value="t"></form>'
    )
    return PAGE % (b"Google Drive - Virus scan warning", form.encode())


def test_a_small_file_on_the_drive_comes_at_once(server, tmp_path):
    server.put("/uc", status=303, headers={"Location": "/small"})
    server.put("/small", body=BODY)
    fetch(tmp_path / "net.pth", "gdrive:1aB", drive=server.url)
    assert (tmp_path / "net.pth").read_bytes() == BODY


def test_a_large_file_on_the_drive_is_confirmed_and_continued(server, tmp_path):
    server.put("/uc", body=confirmation(server), type="text/html", headers={"Set-Cookie": "NID=7; Path=/"})
    file = Answer(body=BODY)
    server.put("/download", file, Answer(body=BODY, cut=131072), file, file)
    fetch(tmp_path / "net.pth", "gdrive:1aB", drive=server.url)
    assert (tmp_path / "net.pth").read_bytes() == BODY
    got = [asked for asked in server.asked if asked.path.startswith("/download")]
    assert {asked.path for asked in got} == {"/download?id=1aB&confirm=t"}
    assert got[-1].headers["Range"] == "bytes=131072-"
    assert got[-1].headers["Cookie"] == "NID=7"


def test_a_used_up_quota_says_so_and_the_mirror_serves(server, tmp_path):
    text = b'<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently.</p>'
    server.put("/uc", body=PAGE % (b"Google Drive - Quota exceeded", text), type="text/html")
    message = refused(tmp_path / "net.pth", "gdrive:1aB", drive=server.url)
    assert "a web page titled 'Google Drive - Quota exceeded'" in message and "try again tomorrow" in message
    fetch(tmp_path / "net.pth", "gdrive:1aB", server.put("/net.pth", body=BODY), drive=server.url)
    assert (tmp_path / "net.pth").read_bytes() == BODY


def test_a_file_that_is_gone_from_the_drive(server, tmp_path):
    assert "HTTP 404 Not Found" in refused(tmp_path / "net.pth", "gdrive:1aB", drive=server.url)
    server.put("/uc", body=PAGE % (b"Sign in", b""), type="text/html")
    assert "it asks for a login" in refused(tmp_path / "net.pth", "gdrive:1aB", drive=server.url)


# --- archives --------------------------------------------------------------------------------


def tar(path, members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.name = name
            data = content if isinstance(content, bytes) else b""
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


FILES = {"set/a/1.png": b"one" * 5000, "set/b/2.png": BODY[:3000], "set/README": b""}


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tar", "x.tgz", "x.tar.bz2", "x.tar.xz", "x.zip"])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
def test_archives_are_read_by_content_whatever_they_are_called(tmp_path, name, mode):
    archive = zipped(tmp_path / name, FILES) if mode == "zip" else tar(tmp_path / name, FILES, mode)
    check_archive(archive)
    unpack(archive, tmp_path / "out", "x", NoProgress())
    assert content(tmp_path / "out") == FILES


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.5, 0.64])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_truncated_tars_are_told_from_whole_ones(tmp_path, kept, mode):
    archive = tar(tmp_path / "x.tar", FILES, mode)
    data = archive.read_bytes()
    end = int(len(data) * kept)
    archive.write_bytes(data[: end // 512 * 512] if mode == "w" else data[:end])  # the end of a plain tar is padding
    with pytest.raises(DamagedArchiveError, match="damaged or truncated"):
        unpack(archive, tmp_path / "out", "x", NoProgress())


def test_a_tar_that_is_cut_exactly_between_two_members(tmp_path):
    archive = tar(tmp_path / "x.tar", {"a": b"1" * 512, "b": b"2"})
    archive.write_bytes(archive.read_bytes()[:1024])
    with pytest.raises(DamagedArchiveError):
        unpack(archive, tmp_path / "out", "x", NoProgress())


def test_damaged_archives(tmp_path):
    packed = bytearray(gzip.compress(tar(tmp_path / "x", FILES).read_bytes()))
    packed[len(packed) // 2] ^= 255
    (tmp_path / "x.gz").write_bytes(packed)
    stored = bytearray(zipped(tmp_path / "x.zip", FILES).read_bytes())
    stored[60] ^= 255
    (tmp_path / "y.zip").write_bytes(stored)
    for name in ("x.gz", "y.zip"):
        with pytest.raises(DamagedArchiveError):
            unpack(tmp_path / name, tmp_path / f"{name}.out", "x", NoProgress())
    with pytest.raises(FetchError, match="neither a tar nor a zip"):
        (tmp_path / "text").write_bytes(BODY)
        check_archive(tmp_path / "text")


def test_merging_moves_what_is_new_and_keeps_what_is_equal(tmp_path):
    staging, root = tmp_path / "staging", tmp_path / "root"
    unpack(tar(tmp_path / "x.tar", FILES), staging, "x", NoProgress())
    (root / "set" / "a").mkdir(parents=True)
    (root / "set" / "a" / "1.png").write_bytes(FILES["set/a/1.png"])
    (root / "set" / "mine").write_bytes(b"mine")
    merge(staging, root)
    assert content(root) == {**FILES, "set/mine": b"mine"}


@pytest.mark.parametrize("there", ["other", "folder", "link"])
def test_what_is_there_is_never_replaced(tmp_path, there):
    staging, root = tmp_path / "staging", tmp_path / "root"
    unpack(tar(tmp_path / "x.tar", FILES), staging, "x", NoProgress())
    (root / "set").mkdir(parents=True)
    place = root / "set" / "README"
    if there == "other":
        place.write_bytes(b"mine")
    elif there == "folder":
        place.mkdir()
    else:
        place.symlink_to(tmp_path / "x.tar")
    with pytest.raises(FetchError, match="exists and differs"):
        merge(staging, root)
    assert left(root / "set") == ["README"]
