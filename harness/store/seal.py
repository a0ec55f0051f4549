"""JSON files of a run folder state the digest of their own content, so that damage is noticed when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from harness.errors import StoreError, UnreadableError
from harness.identity import digest_of
from harness.local.writing import read_json, write_json

DIGEST: Final = "digest"
_ALGORITHM: Final = "sha256:"


def stated_digest(content: Any) -> str:
    """The digest of JSON-ready content, as a file states it."""
    return _ALGORITHM + digest_of(content)


def is_intact(stated: Mapping[str, Any], content: Any) -> bool:
    """Whether `content` matches the digest in `stated`; files of earlier versions state none.

    A digest under another name is a damaged name: such a file is not one of an earlier version.
    """
    if DIGEST in stated:
        return bool(stated[DIGEST] == stated_digest(content))
    return not any(isinstance(value, str) and value.startswith(_ALGORITHM) for value in stated.values())


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the JSON file `path`, with the digest of `content` as a further entry. Raises ValueError, CellError."""
    write_json(path, {**content, DIGEST: stated_digest(content)})


def read_sealed(path: Path, remedy: str) -> Any:
    """Content of a JSON file without its digest. Files of earlier versions have none, and are read as they are.

    Args:
        remedy: what to do about a damaged file, for the message.

    Raises:
        FileNotFoundError: there is no such file. StoreError: it cannot be read, or does not match its digest.
    """
    try:
        stored = read_json(path)
    except UnreadableError:
        raise  # the file may be whole: its remedy is for damaged ones
    except StoreError as error:
        raise StoreError(f"{error}; {remedy}") from error
    if not isinstance(stored, dict):
        return stored
    content = {name: value for name, value in stored.items() if name != DIGEST}
    if not is_intact(stored, content):
        raise StoreError(f"{path} is damaged: its content does not match its digest; {remedy}")
    return content
