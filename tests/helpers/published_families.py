"""The 48 published models as arrays: training families, biases and axes."""

from functools import lru_cache

import numpy as np

from harness.plugins.importers.paper import AXES, BIASES, Paper


@lru_cache(maxsize=1)
def published_families(folder):
    """Family of each model, bias -> (48,) values, axis -> (48,) values; `folder` is that of the real material."""
    models = [m for m in Paper().read(folder / "paper" / "benchmark.csv").models if m.group is not None]

    def values(parts):
        return np.array([np.mean([model.measures[part].value for part in parts]) for model in models])

    biases, axes = ({name: values(parts) for name, parts in each.items()} for each in (BIASES, AXES))
    return [model.group for model in models], biases, axes
