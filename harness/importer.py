"""What reads published results: the kind of plugin behind ``harness import`` and ``harness compare --against``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from harness.records import DecisionTable, ImportedTable


class Importer(ABC):
    """Reads a published table of results."""

    name: ClassVar[str]
    url: ClassVar[str] = ""
    """URL of the table, for messages."""
    datasets: ClassVar[tuple[str, ...]] = ()
    """Names of datasets whose folders `read_beside` is given: for labels and other facts of single images."""

    @abstractmethod
    def read(self, path: Path) -> ImportedTable | DecisionTable:
        """The results in `path`, a file or a folder. Raises RequestError that names what is missing or wrong."""

    def read_beside(self, path: Path, folders: Mapping[str, Path]) -> ImportedTable | DecisionTable:
        """As `read`, with the folders of those of `datasets` that are on this machine. Default: `read`.

        Args:
            folders: name of a dataset -> its folder (``harness import … --data ROOT``). Some or all may be absent.
        """
        return self.read(path)
