"""Is this the right file? The digest that is stated, else published for the file of that name, else none."""

from pathlib import Path

import pytest

from harness import CheckpointError, Download, LoadingRecipe, ModelSpec, check_digest, expected_digest
from harness.checkpoints.expected import ExpectedDigest, stated_digest

ONE, TWO = "1" * 64, "A" * 64
WHOLE = Download(uri="https://example.org/net-22222222.pth", digest="sha256:22222222")
ELSEWHERE = Download(uri="hf:owner/net", digest=f"sha256:{'3' * 64}")
HEAD = Download(uri="https://example.org/head.pth", digest="md5:" + "4" * 32)


def spec(**more):
    return ModelSpec(**{"name": "net", "source": "checkpoint", **more})


def test_what_the_entry_states_comes_before_what_is_published_and_each_file_has_its_own():
    whole = spec(sha256=ONE, recipe=LoadingRecipe(head="file:head.pth", head_sha256=TWO[:8]))
    path = Path("net-22222222.pth")
    assert expected_digest(whole, 0, path, [[WHOLE]]) == ExpectedDigest(sha256=ONE, basis="stated")
    head = stated_digest(whole, 1)
    assert head == ExpectedDigest(sha256="aaaaaaaa", basis="stated") and not head.whole
    assert stated_digest(whole, 0).whole and stated_digest(whole, 2) is None


def test_a_published_digest_is_of_the_file_of_that_name_alone():
    downloads = [[WHOLE, ELSEWHERE], [HEAD]]
    assert expected_digest(spec(), 0, Path("x/net-22222222.pth"), downloads).sha256 == "22222222"
    assert expected_digest(spec(), 0, Path("x/model.safetensors"), downloads).sha256 == "3" * 64
    assert expected_digest(spec(), 0, Path("x/other.pth"), downloads) is None
    assert expected_digest(spec(), 1, Path("x/net-22222222.pth"), downloads) is None  # of another file
    assert expected_digest(spec(), 1, Path("x/head.pth"), downloads) is None  # no SHA-256
    assert expected_digest(spec(), 2, Path("x/net-22222222.pth"), downloads) is None


def test_another_file_is_refused_with_both_digests_and_what_to_do():
    path = Path("x/net.pth")
    check_digest(spec(), path, ONE, None)
    check_digest(spec(), path, ONE, ExpectedDigest(sha256="1111", basis="published"))
    for expected in ("2222", ""):
        with pytest.raises(CheckpointError, match=rf"x/net\.pth has SHA-256 {ONE}, expected {expected}\. .*fetch it"):
            check_digest(spec(), path, ONE, ExpectedDigest(sha256=expected, basis="stated"))
