"""Single files over a real HTTP server: whole or not at all, continued, verified, refused with the reason."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from email.utils import formatdate
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import Download, FetchError
from harness.fetching.content import check_digest, describe_page
from harness.fetching.files import Fetcher
from harness.fetching.records import FileRequest, MirrorError, RetryPolicy
from harness.fetching.session import check_address
from tests.helpers.fetching import BODY, PAGE, QUICK, SHA, Notes, fetch, left, refused
from tests.helpers.http_server import Answer, serving
from tests.helpers.places import ROOT


@pytest.fixture
def server(monkeypatch):
    yield from serving(monkeypatch)


# --- whole files -----------------------------------------------------------------------------


@pytest.mark.parametrize("digest", [None, f"sha256:{SHA}", f"sha256:{SHA[:8]}", f"md5:{hashlib.md5(BODY).hexdigest()}"])
@pytest.mark.parametrize("how", [{}, {"chunked": True}, {"etag": None}, {"length": -1}], ids=str)
def test_a_file_comes_whole(server, tmp_path, digest, how):
    uri = server.put("/net.pth", body=BODY, **how)
    if how == {"length": -1} and digest is None:
        assert "a truncated file could not be detected" in refused(tmp_path / "net.pth", uri)
        return
    got = fetch(tmp_path / "net.pth", uri, digest=digest)
    assert (tmp_path / "net.pth").read_bytes() == BODY
    assert (got.bytes, got.is_new) == (len(BODY), True)
    assert left(tmp_path) == ["net.pth"]
    assert server.sent() == len(BODY)


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    uri = server.put("/net.pth", body=BODY)
    (tmp_path / "net.pth").write_bytes(BODY)
    got = fetch(tmp_path / "net.pth", uri, digest=f"sha256:{SHA}", bytes=len(BODY))
    assert not got.is_new
    assert server.asked == []


def test_a_damaged_file_is_replaced_only_by_a_sound_one(server, tmp_path):
    target = tmp_path / "net.pth"
    target.write_bytes(BODY[:-1] + b"?")
    uri = server.put("/net.pth", Answer(status=404), Answer(body=BODY))
    with pytest.raises(FetchError, match="404"):
        fetch(target, uri, digest=f"sha256:{SHA}")
    assert target.read_bytes() == BODY[:-1] + b"?"
    watch = Notes()
    assert fetch(target, uri, digest=f"sha256:{SHA}", watch=watch).is_new
    assert target.read_bytes() == BODY
    assert "fetched again" in watch.lines[0]


def test_progress_is_told_in_bytes(server, tmp_path):
    watch = Notes()
    fetch(tmp_path / "net.pth", server.put("/net.pth", body=BODY), watch=watch)
    assert watch.begun == [(0, len(BODY))]
    assert watch.bytes == len(BODY)


# --- broken connections ----------------------------------------------------------------------


def test_a_broken_connection_is_continued_where_it_broke(server, tmp_path):
    cut = 6 * 65536
    uri = server.put("/net.pth", Answer(body=BODY, cut=cut), Answer(body=BODY))
    fetch(tmp_path / "net.pth", uri)
    assert (tmp_path / "net.pth").read_bytes() == BODY
    first, second = server.asked
    assert second.headers["Range"] == f"bytes={cut}-"
    assert second.headers["If-Range"] == f'"{hashlib.md5(BODY).hexdigest()}"'
    assert first.sent + second.sent == len(BODY)  # not one byte twice


@pytest.mark.parametrize("how", [{"ranges": False}, {"if_range": False, "etag": "other"}], ids=str)
def test_a_server_that_cannot_continue_sends_all_of_it(server, tmp_path, how):
    uri = server.put("/net.pth", Answer(body=BODY, cut=200_000), Answer(body=BODY, **how))
    fetch(tmp_path / "net.pth", uri)
    assert (tmp_path / "net.pth").read_bytes() == BODY


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_changes_meanwhile_begins_anew(server, tmp_path, if_range):
    new = BODY[::-1]
    uri = server.put("/net.pth", Answer(body=BODY, cut=200_000), Answer(body=new, if_range=if_range))
    fetch(tmp_path / "net.pth", uri)
    assert (tmp_path / "net.pth").read_bytes() == new


def test_without_a_validator_and_a_digest_nothing_is_put_together(server, tmp_path):
    new = BODY[::-1]
    uri = server.put("/net.pth", Answer(body=BODY, cut=200_000, etag=None), Answer(body=new, etag=None))
    fetch(tmp_path / "net.pth", uri)
    assert (tmp_path / "net.pth").read_bytes() == new


def test_without_a_validator_the_digest_judges_and_a_mixture_is_fetched_anew(server, tmp_path):
    new, watch = BODY[::-1], Notes()
    digest = f"sha256:{hashlib.sha256(new).hexdigest()}"
    uri = server.put("/net.pth", Answer(body=BODY, cut=200_000, etag=None), Answer(body=new, etag=None))
    with pytest.raises(FetchError, match="sha256 is"):
        fetch(tmp_path / "net.pth", uri, digest=digest, watch=watch)
    uri = server.put("/net.pth", Answer(body=BODY, cut=200_000, etag=None), Answer(status=404), Answer(body=new))
    with pytest.raises(FetchError, match="404"):
        fetch(tmp_path / "net.pth", uri, digest=digest)
    assert "net.pth.part" in left(tmp_path)
    fetch(tmp_path / "net.pth", uri, digest=digest, watch=watch)
    assert (tmp_path / "net.pth").read_bytes() == new
    assert "came from two transfers, so it is fetched again" in watch.lines[-1]


def test_a_complete_part_costs_one_empty_answer(server, tmp_path):
    uri = server.put("/net.pth", Answer(body=BODY, cut=200_000), Answer(status=404))
    refused(tmp_path / "net.pth", uri)
    server.put("/net.pth", body=BODY)
    (tmp_path / "net.pth.part").write_bytes(BODY)  # as if killed between the last byte and the renaming
    server.asked.clear()
    fetch(tmp_path / "net.pth", uri)
    assert (tmp_path / "net.pth").read_bytes() == BODY
    assert [(asked.status, asked.sent) for asked in server.asked] == [(416, 0)]


def test_the_same_cut_again_and_again_is_given_up(server, tmp_path):
    uri = server.put("/net.pth", body=BODY, cut=100_000, ranges=False)
    message = refused(tmp_path / "net.pth", uri)
    assert "3 times in a row" in message and uri in message
    assert len(server.asked) == 4  # the first brought bytes, three more in a row did not get further


def test_any_progress_is_patience_enough(server, tmp_path):
    answers = [Answer(body=BODY, cut=65536) for _ in range(10)]
    fetch(tmp_path / "net.pth", server.put("/net.pth", *answers, Answer(body=BODY)))
    assert (tmp_path / "net.pth").read_bytes() == BODY
    assert server.sent() == len(BODY)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, len(BODY)), max_size=6), seed=st.integers(0, 2**32))
def test_whatever_breaks_what_is_put_in_place_is_whole(server, tmp_path, cuts, seed):
    generator = np.random.default_rng(seed)
    answers = [Answer(body=BODY, cut=cut, ranges=bool(generator.integers(2))) for cut in cuts]
    target = tmp_path / str(seed) / str(len(cuts)) / "net.pth"
    uri = server.put("/net.pth", *answers, Answer(body=BODY))
    for _ in range(4):
        try:
            fetch(target, uri)
        except FetchError:
            assert not target.exists()
            continue
        break
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(server, tmp_path, status):
    uri = server.put("/net.pth", Answer(status=status, headers={"Retry-After": "1"}), Answer(body=BODY))
    watch, start = Notes(), time.monotonic()
    fetch(tmp_path / "net.pth", uri, watch=watch)
    assert time.monotonic() - start >= 1.0
    assert f"HTTP {status}" in watch.lines[0]
    assert [asked.status for asked in server.asked] == [status, 200]


def test_a_date_in_retry_after(server, tmp_path):
    soon = formatdate(time.time() + 1.9, usegmt=True)  # whole seconds: between 0.9 and 1.9 from now
    uri = server.put("/net.pth", Answer(status=503, headers={"Retry-After": soon}), Answer(body=BODY))
    start = time.monotonic()
    fetch(tmp_path / "net.pth", uri)
    assert 0.5 < time.monotonic() - start < 4.0


def test_a_server_that_asks_for_hours_is_not_waited_for(server, tmp_path):
    uri = server.put("/net.pth", status=429, headers={"Retry-After": "7200"})
    assert "asks to wait 7,200 s" in refused(tmp_path / "net.pth", uri)
    assert len(server.asked) == 1


def test_an_unreachable_host_is_waited_for_only_once(tmp_path):
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"  # bound, and nobody listens
        watch = Notes()
        fetcher = Fetcher(watch, QUICK)
        for name, tried in (("a.pth", 2), ("b.pth", 0)):
            watch.lines.clear()
            with pytest.raises(FetchError, match=f"no connection to {host} \\(refused\\)"):
                fetcher.fetch(
                    "net", [FileRequest(Download(uri=f"http://{host}/{name}"), tmp_path / name)], lambda *_: None
                )
            assert len(watch.lines) == tried
        fetcher.close()


# --- other files than expected ---------------------------------------------------------------


@pytest.mark.parametrize("type_", ["text/html; charset=utf-8", "application/octet-stream"])
@pytest.mark.parametrize(
    ("title", "text", "words"),
    [
        (b"Google Drive - Quota exceeded", b"Too many users", "download quota for this file is exhausted: try again"),
        (b"Sign in - Accounts", b"", "it asks for a login"),
        (b"Page not found", b"", "the file no longer exists"),
        (b"Welcome &amp; hello", b"", "a web page titled 'Welcome & hello'"),
    ],
)
def test_pages_are_refused_with_their_title(server, tmp_path, type_, title, text, words):
    message = refused(tmp_path / "net.pth", server.put("/net.pth", body=PAGE % (title, text), type=type_))
    assert words in message
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "a Git LFS pointer"),
        (b"", "an empty file"),
    ],
)
def test_pointers_and_nothing_are_refused(server, tmp_path, body, words):
    assert words in refused(tmp_path / "net.pth", server.put("/net.pth", body=body))
    assert left(tmp_path) == []


def test_a_file_that_only_mentions_a_page_is_none():
    assert describe_page(b"\x80\x02}<html><title>no</title>") is None
    assert "a web page" in describe_page(b"\xef\xbb\xbf\n<?xml version='1.0'?><!-- x --><HTML>")


def test_wrong_bytes_are_refused_and_leave_nothing(server, tmp_path):
    uri = server.put("/net.pth", body=BODY[::-1])
    message = refused(tmp_path / "net.pth", uri, digest=f"sha256:{SHA}")
    assert hashlib.sha256(BODY[::-1]).hexdigest() in message and SHA in message
    assert left(tmp_path) == []


@pytest.mark.parametrize("digest", ["sha256:1234567", "sha256:", "sha1:" + "0" * 40, "md5:1234", "sha256:zzzzzzzz"])
def test_a_digest_that_cannot_be_checked_is_an_error(tmp_path, digest):
    (tmp_path / "file").write_bytes(BODY)
    with pytest.raises(FetchError, match="cannot check the digest"):
        check_digest(tmp_path / "file", digest)


def test_digests_may_be_in_capitals(tmp_path):
    (tmp_path / "file").write_bytes(BODY)
    check_digest(tmp_path / "file", f"SHA256:{SHA.upper()}")


def test_another_size_is_refused_before_it_is_fetched(server, tmp_path):
    uri = server.put("/net.pth", body=BODY)
    assert "has 700,000 bytes, expected 700,001" in refused(tmp_path / "net.pth", uri, bytes=700_001)
    assert left(tmp_path) == []


def test_a_wrong_length_is_a_truncated_file(server, tmp_path):
    uri = server.put("/net.pth", body=BODY, length=len(BODY) + 5, ranges=False)
    assert "broke" in refused(tmp_path / "net.pth", uri, retries=RetryPolicy(attempts=1, pause=0, read_timeout=1.0))


def test_a_truncated_chunked_file(server, tmp_path):
    uri = server.put("/net.pth", body=BODY, chunked=True, cut=300_000, ranges=False)
    assert "broke" in refused(tmp_path / "net.pth", uri)


def test_the_vet_has_the_last_word(server, tmp_path):
    def vet(path, download):
        assert path.read_bytes() == BODY
        raise FetchError("not this one")

    assert "not this one" in refused(tmp_path / "net.pth", server.put("/net.pth", body=BODY), check=vet)
    assert left(tmp_path) == []


# --- several places, redirects ---------------------------------------------------------------


def test_the_next_place_serves_and_all_reasons_are_told(server, tmp_path):
    gone, page = server.url + "/gone.pth", server.put("/page.pth", body=PAGE % (b"Hello", b""))
    good = server.put("/good.pth", body=BODY)
    assert fetch(tmp_path / "net.pth", gone, page, good).request.download.uri == good
    (tmp_path / "net.pth").unlink()
    message = refused(tmp_path / "net.pth", gone, page)
    for words in (f"{gone}: HTTP 404 Not Found", f"{page}: the download is a web page titled 'Hello'"):
        assert words in message


def test_a_dead_place_does_not_cost_what_another_brought(server, tmp_path):
    dead, good = (
        server.put("/a.pth", status=404),
        server.put("/b.pth", Answer(body=BODY, cut=131072), Answer(status=403)),
    )
    refused(tmp_path / "net.pth", dead, good)
    server.put("/b.pth", body=BODY)
    fetch(tmp_path / "net.pth", dead, good)
    assert server.sent("/b.pth") == len(BODY)


def test_a_part_of_one_place_is_not_continued_from_another(server, tmp_path):
    first = server.put("/a.pth", Answer(body=BODY[::-1], cut=131072, etag="same"), Answer(status=403))
    refused(tmp_path / "net.pth", first)
    fetch(tmp_path / "net.pth", server.put("/b.pth", body=BODY, etag="same"))
    assert (tmp_path / "net.pth").read_bytes() == BODY


def test_redirects_are_followed_and_continued(server, tmp_path):
    server.put("/real", Answer(body=BODY, cut=131072), Answer(body=BODY))
    uri = server.put("/net.pth", status=302, headers={"Location": "/real"})
    fetch(tmp_path / "net.pth", uri)
    assert (tmp_path / "net.pth").read_bytes() == BODY
    assert server.sent("/real") == len(BODY)


@pytest.mark.parametrize("target", ["http://example.org/net.pth", "ftp://example.org/net.pth", "file:///etc/passwd"])
def test_redirects_to_unsafe_addresses_are_not_followed(server, tmp_path, target):
    uri = server.put("/net.pth", status=302, headers={"Location": target})
    assert "which is not https: not followed" in refused(tmp_path / "net.pth", uri)


@pytest.mark.parametrize("uri", ["http://example.org/x", "ftp://127.0.0.1/x", "http://127.0.0.1.example.org/x"])
def test_only_this_machine_may_do_without_encryption(uri):
    with pytest.raises(MirrorError, match="not https"):
        check_address(uri)


def test_a_redirect_in_circles(server, tmp_path):
    uri = server.put("/net.pth", status=302, headers={"Location": "/net.pth"})
    assert "redirects" in refused(tmp_path / "net.pth", uri)


def test_the_server_does_not_choose_the_name(server, tmp_path):
    named = {"Content-Disposition": 'attachment; filename="../../evil.pth"'}
    fetch(tmp_path / "in" / "net.pth", server.put("/net.pth", body=BODY, headers=named))
    assert sorted(path.name for path in tmp_path.rglob("*.pth")) == ["net.pth"]


# --- the machine -----------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
def test_a_full_disk_is_one_clear_line(server, tmp_path):
    (tmp_path / "net.pth.part").symlink_to("/dev/full")
    message = refused(tmp_path / "net.pth", server.put("/net.pth", body=BODY))
    assert message.startswith(f"no space left in {tmp_path}") and "HARNESS_CACHE" in message


def test_a_disk_that_is_too_small_is_told_beforehand(server, tmp_path, monkeypatch):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**6, 10**6 - 1000, 1000))
    message = refused(tmp_path / "net.pth", server.put("/net.pth", body=BODY))
    assert "700,000 more bytes are needed, 1,000 are free" in message
    assert left(tmp_path) == []


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchError, match="cannot write in"):
        fetch(tmp_path / "file" / "net.pth", server.put("/net.pth", body=BODY))


def elsewhere(target, uri):
    """Another process that fetches `uri`, and prints whether it had to."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from tests.helpers import fetching\n"
        "try: print(fetching.fetch(Path(sys.argv[2]), sys.argv[3]).is_new)\n"
        "except KeyboardInterrupt: sys.exit(130)"
    )
    words = [sys.executable, "-c", code, str(ROOT), str(target), uri]
    return subprocess.Popen(words, env={**os.environ, "NO_PROXY": "127.0.0.1"}, stdout=subprocess.PIPE, text=True)


def test_two_processes_fetch_a_file_once(server, tmp_path):
    uri = server.put("/net.pth", body=BODY, slow=0.05)
    both = [elsewhere(tmp_path / "net.pth", uri) for _ in range(2)]
    assert sorted(one.communicate(timeout=60)[0] for one in both) == ["False\n", "True\n"]
    assert server.sent() == len(BODY)


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_what_a_killed_process_brought_is_continued(server, tmp_path, kind):
    uri = server.put("/net.pth", Answer(body=BODY, slow=0.1), Answer(body=BODY))
    victim = elsewhere(tmp_path / "net.pth", uri)
    part = tmp_path / "net.pth.part"
    deadline = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size >= 2 * 65536):
        assert time.monotonic() < deadline and victim.poll() is None
        time.sleep(0.01)
    victim.send_signal(kind)
    victim.communicate(timeout=20)
    assert victim.returncode == (-9 if kind == signal.SIGKILL else 130)
    kept = part.stat().st_size
    assert 0 < kept < len(BODY) and not (tmp_path / "net.pth").exists()
    assert fetch(tmp_path / "net.pth", uri).is_new
    assert (tmp_path / "net.pth").read_bytes() == BODY
    assert left(tmp_path) == ["net.pth"]
    last = [asked for asked in server.asked if asked.status == 206]
    assert [asked.sent for asked in last] == [len(BODY) - kept]  # only what was lacking


def test_a_garbled_note_beside_a_part_begins_anew(server, tmp_path):
    (tmp_path / "net.pth.part").write_bytes(b"x" * 1000)
    for text in ("{", "[]", "{}", '{"uri": 3}', json.dumps({"uri": "other", "validator": None, "total": None})):
        (tmp_path / "net.pth.part.json").write_text(text)
        fetch(tmp_path / "net.pth", server.put("/net.pth", body=BODY))
        assert (tmp_path / "net.pth").read_bytes() == BODY
        (tmp_path / "net.pth").rename(tmp_path / "net.pth.part")
