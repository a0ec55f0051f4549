"""``harness.open_study`` and ``harness report``: runs opened as a study."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.workflows.options import Paths, paths_of
from harness.workflows.run_folders import RunFolders

if TYPE_CHECKING:
    import os

    from harness.discovery.loader import Plugins
    from harness.study.opened import OpenedStudy


def open_study(
    *runs: str | os.PathLike[str] | Mapping[str, Paths],
    plugins: Paths = (),
    apply_errata: bool = False,
    ungrouped: bool = False,
    mend: bool | None = None,
) -> OpenedStudy:
    """Read one or more runs, imported ones too, and recompute every measure. Nothing is written.

    Args:
        runs: run folders; or label -> run folder, or several. Models of a labelled run are named ``NAME (LABEL)``, so
            that two runs of one model stand side by side; statistics count it once, in the run that was given first.
        plugins: folders of plugin files with probes of these runs, beside the installed ones; needs no registry.
        apply_errata: correct the known errors of imported tables.
        ungrouped: let models without a group take part in correlations.
        mend: deprecated name of `apply_errata`.

    Raises:
        RequestError: no run, a run given twice, a folder that is no run, what is no label, runs that do not go
            together, or no errata to apply.
        StoreError: stored trials are damaged.
    """
    from harness.discovery.loader import load_plugins

    if mend is not None:
        warnings.warn("open_study(mend=…) is deprecated: use apply_errata=…", DeprecationWarning, stacklevel=2)
        apply_errata = apply_errata or mend
    folders = RunFolders.of_values(runs)
    return opened(folders, load_plugins(paths_of(plugins)), apply_errata=apply_errata, ungrouped=ungrouped)


def opened(
    runs: RunFolders,
    plugins: Plugins,
    *,
    apply_errata: bool = False,
    ungrouped: bool = False,
    sort: str | None = None,
) -> OpenedStudy:
    """As `open_study`, with loaded plugins; within each group the models are in descending order of `sort`.

    Args:
        sort: a bias, axis or measure. None: the first axis.
    """
    from harness.study import compose
    from harness.study.opened import OpenedStudy
    from harness.study.ordering import sorted_by

    study = compose.open_study(
        runs.paths, plugins.probes, datasets=plugins.datasets, ungrouped=ungrouped, labels=runs.labels
    )
    study = sorted_by(compose.mended(study) if apply_errata else study, sort)
    return OpenedStudy.of(study, plugins)
