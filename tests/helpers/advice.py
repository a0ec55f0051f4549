"""Follows the advice of a message word by word: its lines go into a registry file, which is then read and loaded."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch

from harness import CheckpointError
from harness.checkpoints import extract
from harness.plugins.models.checkpoint import Checkpoint
from harness.registry.schema import read_registry

LINE = re.compile(r"`((?:recipe|mean|std|outputs|options|wrapper_keys|safe_globals|rows|drop|select_prefix): [^`]*)`")
OF_THE_ENTRY = ("recipe", "mean", "std", "outputs", "label_space", "options")


def advised(message: str) -> list[str]:
    """The lines between back quotes that an entry or its recipe can have, in the order of the message."""
    return LINE.findall(message)


def entry(*lines: str, arch: str = "timm:test_resnet", weights: str = "file:w.pth") -> str:
    """An entry of source `checkpoint` in YAML; lines of its recipe may be given alone."""
    own = [line for line in lines if line.partition(":")[0] in OF_THE_ENTRY]
    of_recipe = [line for line in lines if line not in own]
    recipe = [f"recipe: {{{', '.join(of_recipe)}}}"] if of_recipe else []
    given = ["source: checkpoint", f"arch: '{arch}'", f"weights: '{weights}'", *own, *recipe]
    return "models:\n  tiny:\n" + "".join(f"    {line}\n" for line in given)


def load(folder: Path, text: str) -> torch.nn.Module:
    """The network of the one entry in `text`, a registry file in `folder`."""
    (folder / "my.yaml").write_text(text, encoding="utf-8")
    (spec,) = read_registry(folder / "my.yaml").models.values()
    return Checkpoint().load(spec)


def run_here(message: str) -> None:
    """Runs the command that the message ends with, in this process: a new one would import torch again."""
    program, option, what, *arguments = shlex.split(message[message.index("python -") :])
    assert program == "python"
    if option == "-c":
        exec(what, {"__name__": "__main__"})
    else:
        assert (option, what) == ("-m", "harness.checkpoints.extract")
        assert extract.main(arguments) == 0


def refusal(folder: Path, text: str) -> str:
    """The one line with which the entry is refused."""
    with pytest.raises(CheckpointError) as caught:
        load(folder, text)
    assert "\n" not in str(caught.value)
    return str(caught.value)
