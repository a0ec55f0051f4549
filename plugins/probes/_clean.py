"""Decisions on unmodified images, for probes that compare with them."""

from __future__ import annotations

from harness import StoreError, Trials


def clean_trials(trials: Trials) -> Trials:
    """The required trials of `accuracy`. Raises StoreError if they have other samples."""
    clean = trials.required["accuracy"]
    if clean.layout.sample_ids != trials.layout.sample_ids:
        raise StoreError(
            f"{trials.layout.task} and {clean.layout.task} have different samples for model {trials.model!r}; "
            "run both tasks into one run folder with the same --limit"
        )
    return clean
