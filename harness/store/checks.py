"""Checks of the arrays of trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.proportions import is_correct, places_of_target
from harness.records import NO_RANK, NOT_MEASURED, TOP, ArraySpec, array_field
from harness.store.shards import Fields


def field_problems(
    fields: Fields, n: int, conditions: int, arrays: Mapping[str, ArraySpec] | None = None, *, ranked: bool = False
) -> list[str]:
    """Problems with the shapes and types of the trials of n samples.

    Args:
        arrays: those that are declared. ranked: there must be ranks; they may be there in any case.
    """
    expected: dict[str, tuple[tuple[int, ...], Any]] = {
        "top5": ((n, conditions, TOP), np.int16),
        "logp": ((n, conditions, TOP), np.float16),
        "correct": ((n, conditions), np.uint8),
    }
    if ranked or "rank" in fields:
        expected["rank"] = (n, conditions), np.uint16
    for array, spec in (arrays or {}).items():
        expected[array_field(array)] = (n, conditions, *spec.shape), spec.dtype
    problems = [f"{name} is missing" for name in expected if name not in fields]
    problems += [
        f"{name} is {fields[name].dtype} {fields[name].shape}, expected {np.dtype(kind)} {shape}"
        for name, (shape, kind) in expected.items()
        if name in fields and (fields[name].shape != shape or fields[name].dtype != kind)
    ]
    problems += [f"{name} is not declared" for name in fields if name not in {*expected, "logits"}]
    logits = fields.get("logits")
    if logits is not None and (logits.ndim != 3 or logits.shape[:2] != (n, conditions) or logits.dtype != np.float16):
        problems.append(f"logits is {logits.dtype} {logits.shape}, expected float16 ({n}, {conditions}, outputs)")
    return problems


def value_problems(
    fields: Fields,
    targets: np.ndarray,
    classes: int,
    first_only: bool = False,
    arrays: Mapping[str, ArraySpec] | None = None,
) -> list[str]:
    """Problems with the values of trials whose shapes are right.

    Args:
        targets: (n, T) accepted classes, padded with -1.
        classes: K; with K < 5, the last 5 - K of the top-5 are -1, with log-probability NaN.
        first_only: only first choices are known, perhaps with their log-probabilities: there, -1 means no decision; all
            other values are -1 and NaN.
        arrays: those that are declared.
    """
    top5, logp, correct = fields["top5"], fields["logp"], fields["correct"]
    filled = np.arange(TOP) < (0 if first_only else classes)
    expected_correct = is_correct(top5[..., :1], targets)
    measured = correct != NOT_MEASURED
    problems = {
        f"correct is {NOT_MEASURED}, not measured": ~measured,
        "correct is neither 0 nor 1": measured & (correct > 1),
        f"top5 lies outside 0 to {classes - 1}": (top5[:, :, filled] < 0) | (top5[:, :, filled] >= classes),
        f"top5 beyond the {classes} classes is not -1": top5[:, :, ~filled & (np.arange(TOP) >= first_only)] != -1,
        "logp is not a log-probability (NaN or above 0)": ~(logp[:, :, filled] <= 0),
        "logp does not fall from first to fifth": logp[:, :, filled][:, :, 1:] > logp[:, :, filled][:, :, :-1],
        "correct disagrees with top5 and the targets": measured & (correct != expected_correct),
    }
    if first_only:
        problems[f"first choices lie outside -1 to {classes - 1}"] = (top5[:, :, 0] < -1) | (top5[:, :, 0] >= classes)
        problems["logp is there, but only first choices are known"] = ~np.isnan(logp[:, :, 1:])
        first = logp[:, :, 0]
        problems["logp of a first choice is no log-probability"] = (first > 0) | np.isinf(first)
        problems["logp is there without a decision"] = ~np.isnan(first) & (top5[:, :, 0] < 0)
    if "rank" in fields:
        problems["rank disagrees with top5 and the targets"] = _wrong_ranks(fields["rank"], top5, targets, classes)
    if "logits" in fields:
        problems["logits are NaN"] = np.isnan(fields["logits"])
    for name, spec in (arrays or {}).items():
        if spec.finite:
            problems[f"array {name} is NaN or infinite"] = ~np.isfinite(fields[array_field(name)])
    return [f"{problem} ({int(where.sum())} values)" for problem, where in problems.items() if where.any()]


def _wrong_ranks(rank: np.ndarray, top5: np.ndarray, targets: np.ndarray, classes: int) -> np.ndarray:
    """(n, C) where the rank is not that of the best target: its place in the top-5, else 5 to K - 1."""
    places = places_of_target(top5, targets)
    right = np.where(places < TOP, rank == places, (rank >= TOP) & (rank < classes))
    return ~np.asarray(np.where((targets >= 0).any(axis=1, keepdims=True), right, rank == NO_RANK), bool)
