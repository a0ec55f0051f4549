"""Accuracy on parts of a dataset that its samples' attributes name, and among classes that it has not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness import Measure, Trials, accuracy_measures, share

CHUNK = 4096
"""Trials whose logits are read at once: 8 MB for 1,000 outputs."""


def of_variants(trials: Trials, condition: str) -> Iterator[Measure]:
    """``top1``, ``correct`` and ``n`` for each value of the attribute ``variant``, named after it."""
    variants = np.array(trials.layout.attributes.get("variant", ()))
    for variant in sorted(set(variants.tolist())):
        yield from accuracy_measures(trials, condition, variant, rows=variants == variant)


def of_kept(trials: Trials, condition: str) -> Iterator[Measure]:
    """``ood-top1``: over the samples whose attribute ``kept`` is ``yes``; nothing without that attribute."""
    if "kept" in trials.layout.attributes:
        kept = np.array(trials.layout.attributes["kept"]) == "yes"
        yield share("ood-top1", trials.correct[kept, trials.column(condition)], repeats=trials.repeats)


def among_all_outputs(trials: Trials, condition: str) -> Iterator[Measure]:
    """``top1-all-outputs``: decisions among all outputs, where the classes are a part of them and logits are kept.

    Logits are stored as float16: of two that round to the same number, the first output is decided for.
    """
    read, columns, targets = trials.logits, trials.layout.columns, trials.layout.targets
    if read is None or columns is None:
        return
    wanted, column, n = np.where(targets >= 0, np.array(columns)[targets], -1), trials.column(condition), len(targets)
    right = np.empty(n, dtype=bool)
    step = max(1, CHUNK // trials.repeats) * trials.repeats  # whole images, so that none is read twice
    for low in range(0, n, step):
        high = min(low + step, n)
        chosen = read(low, high)[:, column].argmax(axis=1)
        right[low:high] = (chosen[:, None] == wanted[low:high]).any(axis=1)
    yield share("top1-all-outputs", right, repeats=trials.repeats)
