"""Where a number comes from: the revision of a clone is known."""

import subprocess

from harness.local.provenance import revision
from tests.helpers.places import ROOT


def test_the_revision_of_a_clone_is_its_head():
    head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    revision.cache_clear()
    assert (revision() or "").removesuffix("+dirty") == head.strip()
