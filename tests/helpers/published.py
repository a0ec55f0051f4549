"""The published table of the 48 networks as arrays, one value a network; it lies beside a development tree only."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.discovery.loader import load_plugins
from harness.plugins.importers.paper import Paper
from harness.plugins.reports.correlation import Correlation
from harness.workflows.importing import import_results
from harness.workflows.run_folders import RunFolders
from harness.workflows.study import opened


@dataclass(frozen=True)
class Published:
    """names, groups: 48 texts, in the order of the groups. biases, axes, measures: name -> (48,) float64."""

    names: tuple
    groups: tuple
    biases: dict
    axes: dict
    measures: dict


@lru_cache(maxsize=1)
def read_published(real):
    """The 48 models of `real`/paper/benchmark.csv; skips the test where the fixture `real` does."""
    table = Paper().read(real / "paper" / "benchmark.csv")
    models = [model for model in table.models if model.group]
    parts = sorted(set.intersection(*(set(model.measures) for model in models)))
    measures = {part: np.array([model.measures[part].value for model in models]) for part in parts}
    biases, axes = (
        {name: np.mean([measures[part] for part in listed], axis=0) for name, listed in named.items()}
        for named in (table.biases, table.axes)
    )
    return Published(tuple(m.name for m in models), tuple(m.group for m in models), biases, axes, measures)


def imported_study(real, folder):
    """The table as a user imports and opens it, from a run in `folder`; and the data of its correlations."""
    plugins = load_plugins(())
    import_results("paper", real / "paper" / "benchmark.csv", folder / "run", plugins, [])
    study = opened(RunFolders(paths=(folder / "run",)), plugins)
    return study, Correlation().data(study)
