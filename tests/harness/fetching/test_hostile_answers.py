"""Servers that break off, lie, dawdle or never end: one line, few requests, nothing in place, no secret told."""

import json
import logging
from types import SimpleNamespace

import pytest

from harness import FetchError
from harness.fetching.records import RetryPolicy
from tests.helpers.bounds import bounded
from tests.helpers.fetching import BODY, Notes, fetch, refused
from tests.helpers.hostile_answers import ANSWERS, SIZE, cut, moved, ranged, raw
from tests.helpers.http_server import Answer, serving

HASTY = RetryPolicy(
    attempts=2, pause=0.02, longest_pause=0.1, connect_timeout=2.0, read_timeout=0.5, least_speed=4000.0, window=0.5
)


@pytest.fixture
def server(monkeypatch):
    yield from serving(monkeypatch)


@pytest.mark.parametrize("name", ANSWERS)
def test_hostile_answers_end_soon_with_one_line(server, tmp_path, caplog, name):
    answers, words, facts = ANSWERS[name]
    uri, watch = server.put("/net.pth", *answers), Notes()
    target = tmp_path / "in" / "net.pth"
    with bounded(tmp_path, but=[tmp_path / "in"]), caplog.at_level(logging.CRITICAL):
        message = refused(target, uri, retries=HASTY, watch=watch, **facts)
    assert words in message
    assert len(message) < 500 and "\n" not in "".join(watch.lines)
    assert len(server.asked) <= 12
    part = target.with_name("net.pth.part")
    assert not part.exists() or part.stat().st_size <= facts.get("bytes", SIZE)


def test_hostile_bytes_after_the_stated_end_are_not_read(server, tmp_path):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 700000\r\n\r\n"
    uri = server.put("/net.pth", raw(head, BODY, b"HTTP/1.1 200 OK\r\n\r\nmore"))
    fetch(tmp_path / "net.pth", uri, retries=HASTY)
    assert (tmp_path / "net.pth").read_bytes() == BODY


def test_a_restart_has_a_pause_and_there_are_few(server, tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr("harness.fetching.files.time", SimpleNamespace(sleep=waits.append))
    turns = [cut(), ranged(b"5-699999/700000", 9)] * 20
    message = refused(tmp_path / "net.pth", server.put("/net.pth", *turns), retries=RetryPolicy())
    assert "starting over, and that 5 times" in message or "5 times in a row" in message
    assert len(server.asked) <= 11
    assert min(waits) >= 1.0


def test_a_file_that_is_cut_often_and_gets_on_is_fetched_without_a_restart(server, tmp_path):
    policy = RetryPolicy(attempts=2, pause=0.0, least_speed=1000.0, window=30.0)
    uri = server.put("/net.pth", *[Answer(body=BODY, cut=40_000) for _ in range(16)], Answer(body=BODY))
    fetch(tmp_path / "net.pth", uri, retries=policy)
    assert (tmp_path / "net.pth").read_bytes() == BODY
    assert server.sent() == SIZE


def test_a_slow_connection_above_the_least_speed_is_waited_for(server, tmp_path):
    policy = RetryPolicy(attempts=1, least_speed=10_000.0, window=0.5)
    uri = server.put("/net.pth", Answer(body=BODY, slow=0.1))
    fetch(tmp_path / "net.pth", uri, retries=policy)
    assert len(server.asked) == 1


def test_the_authorization_stays_with_its_host(server, tmp_path):
    other = server.url.replace("127.0.0.1", "localhost")
    uri = server.put("/net.pth", moved(f"{other}/there")).replace("//", "//user:s3cret@")
    server.put("/there", body=BODY)
    fetch(tmp_path / "net.pth", uri, retries=HASTY)
    first, second = server.asked
    assert first.headers["Authorization"].startswith("Basic ") and "Authorization" not in second.headers


# --- secrets ---------------------------------------------------------------------------------


SECRETS = {
    "gone": [Answer(status=404)],
    "broken": [Answer(body=BODY, cut=0)],
    "slow": [raw(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", then=[b"x"] * 99, slow=0.02)],
    "no-answer": [raw(b"")],
    "garbage": [raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n")],
    "moved-on": [moved("ftp://user:s3cret@example.org/x?token=s3cret")],
    "in-circles": [moved("/net.pth?sig=s3cret")],
    "changed": [cut(), ranged(b"5-699999/700000", 9)],
    "page": [Answer(body=b"<html><title>Sign in</title>", type="text/html")],
}


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("form", ["//user:s3cret@{}", "//s3cret@{}", "//{}?X-Amz-Signature=s3cret&token=s3cret"])
def test_a_hostile_answer_does_not_make_a_secret_known(server, tmp_path, capsys, name, form):
    start, rest = server.put("/net.pth", *SECRETS[name]).split("//")
    watch = Notes()
    message = refused(tmp_path / "net.pth", start + form.format(rest), retries=HASTY, watch=watch)
    written = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*.json"))
    assert "s3cret" not in message + "".join(watch.lines) + written + "".join(capsys.readouterr())
    assert "***" in message


def test_a_part_of_a_secret_address_is_continued(server, tmp_path):
    uri = server.put("/net.pth", cut(), Answer(status=404), Answer(body=BODY)) + "?token=s3cret"
    refused(tmp_path / "net.pth", uri)
    fetch(tmp_path / "net.pth", uri)
    assert server.sent() == SIZE


def test_a_part_from_before_is_continued(server, tmp_path):
    uri = server.put("/net.pth", cut(), Answer(status=404), Answer(body=BODY)) + "?token=s3cret"
    refused(tmp_path / "net.pth", uri)
    record = tmp_path / "net.pth.part.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "uri": uri}))
    fetch(tmp_path / "net.pth", uri)
    assert server.sent() == SIZE


def test_an_address_that_cannot_be_read_is_refused_without_it(tmp_path):
    with pytest.raises(FetchError) as caught:
        fetch(tmp_path / "net.pth", "https://user:s3/cret@host/x", retries=HASTY)
    assert "s3" not in str(caught.value)
