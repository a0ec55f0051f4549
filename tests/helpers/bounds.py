"""What a hostile input may cost: five seconds, 500 MB, and nothing outside of the folder that it is meant for."""

import resource
import sys
import time
from contextlib import contextmanager


def contents(folder, but=()):
    """Path -> bytes (None: a folder) of everything below `folder`, except below the folders `but`."""
    found = {}
    for path in folder.rglob("*"):
        if not any(other == path or other in path.parents for other in but):
            found[str(path)] = path.read_bytes() if path.is_file() else None
    return found


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@contextmanager
def bounded(folder, but=()):
    """What happens inside writes nothing below `folder` but below `but`, and takes little time and memory."""
    before, peak, start = contents(folder, but), _peak(), time.monotonic()
    yield
    assert time.monotonic() - start < 5.0
    assert _peak() - peak < 500e6
    assert contents(folder, but) == before
