"""The working folder, from which relative paths lead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import PluginError


@contextmanager
def same_folder(who: str) -> Iterator[None]:
    """Sets the working folder back if it has changed at the end.

    Args:
        who: what was done meanwhile, for the message.

    Raises:
        PluginError: it has changed; every relative path since may have led elsewhere.
    """
    before = _folder()
    try:
        yield
    finally:
        now = _folder()
        if now != before and before:
            os.chdir(before)
    if now != before:
        raise PluginError(f"the working folder (os.chdir) changed while {who}; relative paths would lead elsewhere")


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - a text, for comparison
    except OSError:  # it was deleted
        return ""
