"""Addresses as messages and records show them: without passwords, and without what signs or unlocks a query."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

_HIDDEN: Final = "***"
_USER: Final = re.compile(r"//[^\s/?#@]*:(?![0-9]*(?:[/?#\s'\")]|$))[^\s]*@|//[^\s/?#]*@")
"""``//user:password@``; a password may have a slash or a question mark, so all up to the last ``@`` is one."""
_QUERY: Final = re.compile(r"(?<=[?&;])([^\s=&;?#'\"()]*)=([^\s&;#'\"()<>]*)")
_PLAIN: Final = re.compile(r"[0-9]{1,2}|true|false", re.ASCII)
"""Values of a query that are no secret: ``?download=1``."""


def without_secrets(text: str) -> str:
    """The text, an address or a message that holds some, with ``***`` for names, passwords and values of queries."""
    return _QUERY.sub(_query, _USER.sub(f"//{_HIDDEN}@", text))


def _query(field: re.Match[str]) -> str:
    name, value = field.groups()
    return field[0] if _PLAIN.fullmatch(value) else f"{name}={_HIDDEN}"


def address_key(uri: str) -> str:
    """The address as records keep it, to recognize it: without its secrets, which only their SHA-256 tells apart."""
    shown = without_secrets(uri)
    return shown if shown == uri else f"{shown} sha256:{sha256(uri.encode('utf-8', 'surrogatepass')).hexdigest()}"
