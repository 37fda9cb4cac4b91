r"""Effective degrees of freedom of a penalised model: how many parameters it is worth.

They are ``trace(inv(H + P) @ H)``, where ``H`` are the second derivatives of the loss, and ``P``
those of the penalty, by the coefficients that are not zero and the intercepts.

- With an L2 penalty, these are all coefficients (Gray, Flexible methods for analyzing survival data
  using splines, 1992; Hastie, Tibshirani and Friedman, The elements of statistical learning, 2009,
  7.6).
- With an L1 penalty, whose second derivatives are zero, that is the number of coefficients that are
  not zero (Zou, Hastie and Tibshirani, On the "degrees of freedom" of the lasso, 2007). Of a
  feature's coefficients for all of several classes, one less are free, because adding a number to
  all of them changes no probability.
- With an elastic net, ``P`` is that of its L2 part; with groups, whose norms are curved across
  their direction, that too (Vaiter, Deledalle, Fadili, Peyre and Dossal, The degrees of freedom of
  partly smooth regularizers, 2017).

Without a penalty, it is the number of free parameters.
"""

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray
from ..data.problem import Problem
from ..objective.coordinates import choose_coordinates
from ..objective.moments import FeatureSums
from ..objective.penalty import directions_of, norms_of
from .second_derivatives import decompose, sum_moments

# Beyond it, second derivatives take much longer than the fits.
_MOST_UNKNOWNS = 1_000


def find_degrees_of_freedom(
    problem: Problem,
    sums: FeatureSums,
    weights: FloatArray,
    bias: FloatArray,
    *,
    fit_intercept: bool,
    n_threads: int | None = None,
) -> float:
    """Effective degrees of freedom of a model at its optimum, intercepts included.

    Parameters
    ----------
    problem : Problem
        With a convex loss, of dtype float64.
    sums : FeatureSums
        Of its features.
    weights : ndarray of shape (n_features, n_columns), float64
    bias : ndarray of shape (n_columns,), float64
    fit_intercept : bool
    n_threads : int or None, default=None

    Returns
    -------
    float
        NaN if there are second derivatives by more than 1,000 coefficients and intercepts.
    """
    n_columns = len(bias)
    most_free = max(1, n_columns - 1)
    are_there: npt.NDArray[np.bool_] = np.not_equal(weights, 0.0)
    if problem.l1_penalty == 0.0:
        are_there = np.ones(weights.shape, bool)
    elif problem.is_grouped:
        are_there = np.repeat(norms_of(weights) > 0.0, n_columns, axis=1)
    elif problem.l2_penalty == 0.0:
        n_free = int(np.minimum(np.count_nonzero(weights, axis=1), most_free).sum())
        return float(n_free + most_free * fit_intercept)
    (features,) = np.nonzero(are_there.any(axis=1))
    size = len(features) + fit_intercept
    if size == 0:
        return 0.0
    if n_columns * size > _MOST_UNKNOWNS:
        return float("nan")
    coordinates = choose_coordinates(problem, sums, fit_intercept=fit_intercept)
    columns = np.append(features, len(weights)) if fit_intercept else features
    moments = sum_moments(
        problem,
        weights,
        bias,
        coordinates,
        np.eye(n_columns),
        columns=columns,
        n_threads=n_threads,
    )
    penalty = _curvature_of_penalty(problem, weights[features], fit_intercept=fit_intercept)
    scales = np.append(coordinates.scales, 1.0)[columns]
    penalty /= np.tile(scales, n_columns)
    penalty /= np.tile(scales, n_columns)[:, None]
    mask = are_there[features]
    if fit_intercept:
        mask = np.vstack([mask, np.ones(n_columns, bool)])
    free = np.flatnonzero(mask.T.ravel())
    information = moments.information[np.ix_(free, free)]
    root = decompose(information + penalty[np.ix_(free, free)]).root
    return float(np.sum(root * (information @ root)))


def _curvature_of_penalty(
    problem: Problem, weights: FloatArray, *, fit_intercept: bool
) -> FloatArray:
    """Second derivatives of the penalty by features' weights and intercepts, classes in turn."""
    n_features, n_columns = weights.shape
    size = n_features + fit_intercept
    curvature = np.zeros((n_columns, size, n_columns, size))
    features = np.arange(n_features)
    by_feature = np.tile(problem.l2_penalty * np.eye(n_columns), (n_features, 1, 1))
    if problem.is_grouped and problem.l1_penalty > 0.0:
        directions = directions_of(weights)
        across = np.eye(n_columns) - directions[:, :, None] * directions[:, None, :]
        by_feature += problem.l1_penalty / norms_of(weights)[:, :, None] * across
    curvature[:, features, :, features] = by_feature
    return curvature.reshape(n_columns * size, n_columns * size)
