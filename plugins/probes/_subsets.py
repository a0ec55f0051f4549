"""Accuracy on subsets of a dataset given by its samples' attributes, and among all outputs of a network."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness import NO_LABELS, Measure, Trials, accuracy_measures, share

CHUNK = 4096
"""Trials whose logits are read in one call: 8 MB for 1,000 outputs."""


def of_variants(trials: Trials, condition: str) -> Iterator[Measure]:
    """``top1``, ``correct`` and ``n`` for each value of the attribute ``variant``, named after it."""
    variants = trials.layout.attributes.get("variant", ())
    codes = {variant: code for code, variant in enumerate(sorted(set(variants)))}
    kinds = np.array([codes[variant] for variant in variants], dtype=np.int64)  # not of texts: one may be long
    for variant, code in codes.items():
        yield from accuracy_measures(trials, condition, variant, rows=kinds == code)


def of_kept(trials: Trials, condition: str) -> Iterator[Measure]:
    """``ood-top1``, over the samples whose attribute ``kept`` is ``yes``; nothing without that attribute."""
    if "kept" in trials.layout.attributes:
        kept = np.array([text == "yes" for text in trials.layout.attributes["kept"]], dtype=bool)
        if not trials.layout.labelled:
            yield Measure(name="ood-top1", value=None, direction="higher", reason=NO_LABELS)
            return
        yield share("ood-top1", trials.correct[kept, trials.column(condition)], repeats=trials.repeats)


def among_all_outputs(trials: Trials, condition: str) -> Iterator[Measure]:
    """``top1-all-outputs``: decisions among all outputs, if the classes are a subset of them and logits are stored.

    Logits are stored as float16; a tie is decided for the first output.
    """
    read, columns, targets = trials.logits, trials.layout.columns, trials.layout.targets
    if read is None or columns is None:
        return
    if not trials.layout.labelled:
        yield Measure(name="top1-all-outputs", value=None, direction="higher", reason=NO_LABELS)
        return
    outputs, column, n = np.where(targets >= 0, np.array(columns)[targets], -1), trials.column(condition), len(targets)
    correct = np.empty(n, dtype=bool)
    step = (
        max(1, CHUNK // trials.repeats) * trials.repeats
    )  # all repeats of an image together, so that none is read twice
    for low in range(0, n, step):
        high = min(low + step, n)
        decisions = read(low, high)[:, column].argmax(axis=1)
        correct[low:high] = (decisions[:, None] == outputs[low:high]).any(axis=1)
    yield share("top1-all-outputs", correct, repeats=trials.repeats)
