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
    before = working_folder()
    try:
        yield
    finally:
        now = working_folder()
        if now != before and before:
            os.chdir(before)
    if now != before:
        raise PluginError(f"the working folder (os.chdir) changed while {who}; relative paths would lead elsewhere")


def working_folder() -> str:
    """The working folder; empty if it was deleted."""
    try:
        return os.getcwd()  # noqa: PTH109 - `Path.cwd` takes ten times as long
    except OSError:  # it was deleted
        return ""
