"""Addresses in messages and records: no password, signature or token is told, and two of them are told apart."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.local.addresses import address_key, without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://host/a.pth", "https://host/a.pth"),
        ("https://host:8080/a@1.pth?download=1", "https://host:8080/a@1.pth?download=1"),
        ("https://u:p@host/a?download=true", "https://***@host/a?download=true"),
        ("https://u:p/w?d@host/a", "https://***@host/a"),
        ("https://host/a?X-Amz-Credential=AK/x&X-Amz-Signature=ab#f", "https://host/a?X-Amz-Credential=***&X-Amz-Signature=***#f"),
        ("Max retries: /a?token=abc (Caused by x) at https://u:p@host/", "Max retries: /a?token=*** (Caused by x) at https://***@host/"),
        ("hf:owner/repo:file.pth", "hf:owner/repo:file.pth"),
        ("gdrive:1aB", "gdrive:1aB"),
    ],
)  # fmt: skip
def test_addresses_without_their_secrets(text, shown):
    assert without_secrets(text) == shown == without_secrets(shown)
    assert (address_key(text) == text) == (text == shown)


def test_records_tell_two_secrets_apart():
    keys = {address_key(f"https://host/a?file={name}") for name in ("one", "two")}
    assert len(keys) == 2 and not any("one" in key or "two" in key for key in keys)


WORDS = st.text("abcXYZ-._~!$*,+%", max_size=8)


@settings(max_examples=40)
@given(WORDS, WORDS, WORDS, st.sampled_from(["", ":8080", "/a@b", " (Caused by x)"]))
def test_hostile_places_of_a_secret_do_not_make_it_known(user, before, name, rest):
    secret = f"{before}s3cret"
    for place in (f"{user}:{secret}@host{rest}", f"{secret}@host{rest}"):
        shown = without_secrets(f"no answer from https://{place}")
        assert shown.startswith("no answer from https://***@") and "s3cret" not in shown
    shown = without_secrets(f"no answer from https://host/x?a=1&{name}={secret}&b=2{rest}")
    assert shown.startswith("no answer from https://host/x?a=1&") and "s3cret" not in shown
