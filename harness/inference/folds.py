"""Least squares with one model or one family left out, in closed form, for one response or for thousands at once.

Let the columns of Q be an orthonormal basis of the constant and the predictors. Without the models g, the coefficients
are (I - Qg' Qg)^-1 (Q'y - Qg' yg), so no fold is fitted again and only y differs between permutations. For one model
the residual is e / (1 - h), that of PRESS (Allen 1974, "The relationship between variable selection and data
augmentation and a method for prediction"). To standardise the predictors inside a fold is to choose another basis of
the same space: the predictions of least squares stay, and no number of the models left out enters the fold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.ranks import RESOLUTION, levels

LEAST_SHARE = 1e-9
"""A fold determines the coefficients if every combination of predictors keeps this share of its sum of squares."""
A_PART = 1e-3
"""Loading from which a predictor is named as part of a linear dependence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Models that are left out together: their positions `rows`, m of them, and `inverse` (k, k) of I - Qg' Qg."""

    rows: np.ndarray | slice
    inverse: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What the predictors of n models determine before any response is known.

    Attributes:
        basis: (n, k) orthonormal columns; the first is constant.
        leverage: (n,) diagonal of the hat matrix, in [1 / n, 1].
        folds: one for each family of several models; a family of one is left out as a model is.
        reason: why there is no fit at all; `basis` and `leverage` are empty then.
        loo_reason, lofo_reason: why nothing is predicted for models, or for families, that are left out.
    """

    basis: np.ndarray
    leverage: np.ndarray
    folds: tuple[Fold, ...] = ()
    reason: str | None = None
    loo_reason: str | None = None
    lofo_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Squares:
    """Sums of squares of residuals of d responses, (d,) each; None where undefined.

    Attributes:
        fit: in sample. loo: with each model left out. lofo: with each family left out.
    """

    fit: np.ndarray
    loo: np.ndarray | None
    lofo: np.ndarray | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """R² in sample and Q² outside of d responses, (d,) each; None where undefined."""

    r2: np.ndarray
    q2_loo: np.ndarray | None
    q2_lofo: np.ndarray | None


def design_of(predictors: np.ndarray, names: Sequence[str], families: Sequence[str | None]) -> Design:
    """The design of n models.

    Args:
        predictors: (n, p) finite numbers; p = 0 for the mean alone.
        names: of the p predictors, for reasons.
        families: of the n models; a model without one is left out alone. Without any, no family can be left out.
    """
    n, p = predictors.shape
    if n < p + 2:
        return _unfit(f"n = {n}; {p + 1} coefficients need at least {p + 2} models")
    steps = {name: levels(column) for name, column in zip(names, predictors.T, strict=True)}
    constant = [name for name, step in steps.items() if not step.any()]
    if constant:
        return _unfit(f"{' and '.join(constant)} constant")
    columns, values, loadings = np.linalg.svd(_standardised(predictors), full_matrices=False)
    if p and values[-1] < RESOLUTION * values[0]:
        parts = [name for name, loading in zip(names, loadings[-1], strict=True) if abs(loading) > A_PART]
        return _unfit(f"{' and '.join(parts)} linearly dependent")
    basis = np.column_stack([np.full(n, n**-0.5), columns])
    folds, lofo_reason = _folds(basis, steps, families)
    return Design(
        basis=basis,
        leverage=np.einsum("nk,nk->n", basis, basis),
        folds=folds,
        loo_reason=_alone(basis, steps, range(n)),
        lofo_reason=lofo_reason,
    )


def squares(design: Design, responses: np.ndarray) -> Squares:
    """Sums of squared residuals of responses (n, d), each column on its own.

    Everything is a form in the k coefficients, so that the n residuals of thousands of permutations are never made:
    Σ w (y - Q c)² = Σ w y² - 2 c' Q'Wy + c' Q'WQ c. The columns have mean 0, or digits are lost.
    """
    basis, squared = design.basis, responses * responses
    coefficients, ones = basis.T @ responses, np.ones(len(responses))
    fit = ones @ squared - np.einsum("kd,kd->d", coefficients, coefficients)
    weights = _loo_weights(design)

    def loo(weights: np.ndarray) -> np.ndarray:
        weighted = weights[:, None] * basis
        value: np.ndarray = weights @ squared + _form(basis.T @ weighted, weighted.T @ responses, coefficients)
        return value

    if design.lofo_reason:
        return Squares(fit=fit, loo=None if design.loo_reason else loo(weights), lofo=None)
    several = np.zeros(len(responses), bool)
    lofo = np.zeros(responses.shape[1])
    for fold in design.folds:
        part, products = basis[fold.rows], basis[fold.rows].T @ responses[fold.rows]
        lofo += _form(part.T @ part, products, fold.inverse @ (coefficients - products))
        several[fold.rows] = True
    lofo += several @ squared
    if not several.all():
        lofo += loo(np.where(several, 0.0, weights))
    return Squares(fit=fit, loo=None if design.loo_reason else loo(weights), lofo=lofo)


def predicted(design: Design, response: np.ndarray) -> np.ndarray:
    """Each of n values of a response (n,) by the coefficients of the other families; `design` has no `lofo_reason`."""
    coefficients = design.basis.T @ response
    with np.errstate(invalid="ignore"):  # a model that alone determines a coefficient is in a fold, see below
        rest = (response - design.basis @ coefficients) * np.sqrt(_loo_weights(design))
    result: np.ndarray = response - rest
    for fold in design.folds:
        part = design.basis[fold.rows]
        result[fold.rows] = part @ (fold.inverse @ (coefficients - part.T @ response[fold.rows]))
    return result


def predicted_alone(design: Design, response: np.ndarray) -> np.ndarray:
    """Each of n values of a response (n,) by the coefficients of all other models; `design` has no `loo_reason`."""
    rest = response - design.basis @ (design.basis.T @ response)
    result: np.ndarray = response - rest / (1 - design.leverage)
    return result


def explained(design: Design, responses: np.ndarray, total: Squares) -> Explained:
    """R² and Q² of responses (n, d) with mean 0, none of them constant.

    Args:
        total: their squares by the design without predictors; with a family left out, it predicts the others' mean.
    """
    rest = squares(design, responses)
    return Explained(
        r2=1 - rest.fit / total.fit,
        q2_loo=None if rest.loo is None or total.loo is None else 1 - rest.loo / total.loo,
        q2_lofo=None if rest.lofo is None or total.lofo is None else 1 - rest.lofo / total.lofo,
    )


def _loo_weights(design: Design) -> np.ndarray:
    """(n,) factor from the squared residual of a model to that of the fit without it; infinite at a leverage of 1."""
    with np.errstate(divide="ignore"):
        weights: np.ndarray = 1 / (1 - design.leverage) ** 2
    return weights


def _form(matrix: np.ndarray, products: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """c' M c - 2 c' p of each column: M (k, k); p and c (k, d)."""
    value: np.ndarray = np.einsum("kd,kd->d", coefficients, matrix @ coefficients - 2 * products)
    return value


def members_of(families: Sequence[str | None]) -> list[tuple[str | None, list[int]]]:
    """(family, positions of its models) in order of appearance; each model without a family is one of its own."""
    rows: dict[str | int, list[int]] = {}
    for at, family in enumerate(families):
        rows.setdefault(at if family is None else family, []).append(at)
    return [(key if isinstance(key, str) else None, of_key) for key, of_key in rows.items()]


def _unfit(reason: str) -> Design:
    empty = np.empty(0)
    return Design(basis=empty, leverage=empty, reason=f"undefined ({reason})")


def _standardised(predictors: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and standard deviation 1; divided by their largest value first, so that none overflows."""
    scaled = predictors / np.abs(predictors).max(axis=0, initial=0)
    centred = scaled - scaled.mean(axis=0)
    standardised: np.ndarray = centred / centred.std(axis=0)
    return standardised


def _folds(
    basis: np.ndarray, steps: Mapping[str, np.ndarray], families: Sequence[str | None]
) -> tuple[tuple[Fold, ...], str | None]:
    """A fold for each family of several models; or the reason why other families do not predict one."""
    members = members_of(families)
    if all(family is None for family in families):
        return (), "no model has a group, so no family can be left out"
    if len(members) == 1:
        return (), "all models are of one family, so none predicts another"
    reason, folds = _alone(basis, steps, [rows[0] for _, rows in members if len(rows) == 1]), []
    unit = np.eye(basis.shape[1])
    for family, rows in members:
        if reason is None and len(rows) > 1:
            kept = unit - basis[rows].T @ basis[rows]
            reason = _undetermined(kept, steps, rows, f"without the group {family}")
            folds.append(Fold(rows=_positions(rows), inverse=unit if reason else np.linalg.inv(kept)))
    return ((), reason) if reason else (tuple(folds), None)


def _positions(rows: list[int]) -> np.ndarray | slice:
    """Ascending positions, as a slice where they are consecutive: it selects without a copy."""
    return slice(rows[0], rows[-1] + 1) if rows[-1] - rows[0] == len(rows) - 1 else np.array(rows)


def _undetermined(kept: np.ndarray, steps: Mapping[str, np.ndarray], rows: Sequence[int], subject: str) -> str | None:
    """Why models other than `rows` do not determine the coefficients; None if they do.

    Args:
        kept: (k, k) sums of products of the orthonormal columns over these models.
    """
    others = {name: np.delete(step, rows) for name, step in steps.items()}
    constant = [name for name, step in others.items() if step.size and np.ptp(step) == 0]
    if constant:
        return f"{subject} {' and '.join(constant)} is constant"
    if np.linalg.eigvalsh(kept)[0] < LEAST_SHARE:
        return f"{subject} the other models do not determine the {len(kept)} coefficients"
    return None


def _alone(basis: np.ndarray, steps: Mapping[str, np.ndarray], rows: Sequence[int]) -> str | None:
    """Why a model among `rows` cannot be left out: without it a predictor is constant, or linearly dependent."""
    leverage = np.einsum("nk,nk->n", basis[rows], basis[rows])
    for name, step in steps.items():
        counts = np.bincount(step)
        if len(counts) == 2 and (counts[step[rows]] == 1).any():
            return f"without one model {name} is constant"
    if (leverage > 1 - LEAST_SHARE).any():
        return f"without one model the others do not determine the {basis.shape[1]} coefficients"
    return None
