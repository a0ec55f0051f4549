"""Where the datasets are on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import AbsentDatasetError, DatasetError
from harness.local.paths import home_path

if TYPE_CHECKING:
    from harness.interfaces import Dataset


@dataclass(frozen=True, slots=True)
class DataRoots:
    """Folders of the datasets, from ``--data`` and ``HARNESS_DATA``.

    Attributes:
        default: folder to which each dataset's own `path` is relative; None: not given.
        named: dataset name -> its folder.
    """

    default: Path | None = None
    named: dict[str, Path] = field(default_factory=dict)

    @staticmethod
    def parse(values: Sequence[str]) -> DataRoots:
        """From the values of ``--data ROOT`` and ``--data NAME=DIR``; falls back to ``HARNESS_DATA``."""
        named: dict[str, Path] = {}
        default = home_path(os.environ["HARNESS_DATA"]) if os.environ.get("HARNESS_DATA") else None
        for value in values:
            name, sign, folder = value.partition("=")
            if sign and os.sep not in name:
                named[name] = home_path(folder)
            else:
                default = home_path(value)
        return DataRoots(default, named)

    def find(self, dataset: Dataset) -> Path:
        """The folder of `dataset`.

        Raises:
            AbsentDatasetError: it is missing; the message says what to type.
            DatasetError: a folder given by the user does not exist.
        """
        chosen = self.named.get(dataset.name)
        own = dataset.root() if chosen is None else None
        folder = chosen or own or (self.default / dataset.path if self.default else None)
        hint = (
            f"--data {dataset.name}=DIR, or --data ROOT (or HARNESS_DATA) with {dataset.path or dataset.name} below it"
        )
        if chosen is not None and not chosen.is_dir():
            raise DatasetError(f"--data {dataset.name}={chosen}: no such folder", remedy=hint)
        if own is None and chosen is None and self.default is not None and not self.default.is_dir():
            raise DatasetError(f"--data {self.default} (or HARNESS_DATA): no such folder", remedy=hint)
        if folder is None:
            raise AbsentDatasetError(
                f"no folder given for dataset {dataset.name!r}",
                remedy=hint,
                general="no folder given for the dataset",
            )
        if not folder.is_dir():
            below = f" below {self.default}" if self.default and own is None else ""
            raise AbsentDatasetError(
                f"no folder {folder} for dataset {dataset.name!r}",
                remedy=hint,
                general=f"no folder{below} for the dataset",
            )
        return folder
