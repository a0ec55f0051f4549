"""The provenance of a number: versions, revision, machine, command."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("bias-harness", "torch", "torchvision", "timm", "numpy", "pillow", "h5py", "scipy")


@cache
def versions() -> dict[str, str]:
    """Installed versions of the packages that numbers depend on, and of Python. Imports none of them."""
    installed = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            installed[package] = "not installed"
    return installed


@cache
def revision() -> str | None:
    """Git revision of the harness's source tree, with ``+dirty`` if it has changes; None for an installed wheel."""
    tree = Path(__file__).resolve().parents[2]
    if not (tree / ".git").exists():
        return None
    git = ["git", "-C", str(tree)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)
        status = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("+dirty" if status.stdout.strip() else "")


@cache
def processor() -> str:
    """Model of the processor, as far as the system tells it; at least its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, [*models, platform.processor()]), platform.machine())


def provenance(command: Sequence[str], **more: Any) -> dict[str, Any]:
    """The provenance in every shard and report; JSON-ready.

    Args:
        command: the command line as typed.
        more: further facts (device name, digests).
    """
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": list(command),
        "versions": versions(),
        "git": revision(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        **more,
    }


def command_line() -> list[str]:
    """The command of this process as a user types it."""
    return ["harness", *sys.argv[1:]]
