"""Rank correlations of many rows at once: the same as `harness.ranks.centred_ranks`, row by row."""

from __future__ import annotations

import numpy as np

from harness.ranks import RESOLUTION, ZERO


def ranks_of_rows(values: np.ndarray) -> np.ndarray:
    """Twice the mean rank of each value within its row, less n + 1, (R, n) float64; ties as in `harness.ranks`.

    Args:
        values: (R, n) finite numbers.
    """
    n = values.shape[1]
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    larger = np.maximum(np.abs(ordered[:, 1:]), np.abs(ordered[:, :-1]))
    steps = np.diff(ordered, axis=1) > np.maximum(RESOLUTION * larger, ZERO)
    places = np.arange(n)
    lowest = np.zeros(values.shape, np.int64)
    lowest[:, 1:] = np.where(steps, places[1:], 0)
    highest = np.full(values.shape, n - 1)
    highest[:, :-1] = np.where(steps, places[:-1], n - 1)
    lowest = np.maximum.accumulate(lowest, axis=1)
    highest = np.minimum.accumulate(highest[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (lowest + highest - (n - 1)).astype(np.float64), axis=1)
    return ranks


def centred_rows(values: np.ndarray) -> np.ndarray:
    """(R, n) less the mean of each row; rows without spread become zero exactly, so that they have no correlation."""
    centred = values - values.mean(axis=1, keepdims=True)
    return np.where(np.ptp(values, axis=1, keepdims=True) > 0, centred, 0.0)


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Correlation of each row of `first` (R, n) with that of `second` (R, n) or (n,), all centred; NaN if constant."""
    pairs = np.broadcast_arrays(first, second)
    squares = np.einsum("ij,ij->i", pairs[0], pairs[0]) * np.einsum("ij,ij->i", pairs[1], pairs[1])
    values = np.full(len(first), np.nan)
    np.divide(np.einsum("ij,ij->i", *pairs), np.sqrt(squares), out=values, where=squares > 0)
    clipped: np.ndarray = np.clip(values, -1.0, 1.0)
    return clipped
