"""How far a model's objective is above the optimum, about: the Newton decrement of a sample.

With the gradient ``g`` and the second derivatives ``H`` of the objective, ``g @ inv(H) @ g / 2`` is
what a step of Newton's method would gain (Boyd and Vandenberghe, Convex optimization, 2004, 9.5.1).
The gradient is of all rows, the second derivatives are of a sample of them, and the division is by
conjugate gradients, under which the value rises to its limit. With an L1 penalty it is that of the
shortest subgradient, over the coefficients that it moves; there ``abs(w)`` has the second
derivative of the parabola that touches it at ``w`` and ``-w``, ``1 / abs(w)``.

It is an estimate, for models at which the bound of the duality gap is too high to be of use:
mini-batch gradient descent leaves a gradient that is large for what it costs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from ..._typing import FloatArray
from ...data.blocked import BlockedProblem
from ...data.problem import Problem
from ...objective.dense import LossAndGradient
from ...objective.loss import loss_of, probabilities_of_columns
from ...objective.penalty import shortest_slopes
from ...runtime.blas import inner_product, one_blas_thread

_ROWS_PER_FEATURE = 3
_FEWEST_ROWS = 3072
_SEED = 0
_MOST_FEATURES_FACTORED = 512
_MOST_ITERATIONS = 30
# Of the value: what an iteration must add for another one.
_LEAST_GAIN = 0.02
_RIDGE = 1e-10

_Operator = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class _Sample:
    """Some rows, centred and scaled.

    Attributes
    ----------
    rows : ndarray or csr_array of shape (n_rows, n_features), float64
        Not scaled yet.
    shares : ndarray of shape (n_rows,)
        Their weights, as shares of all.
    centre : ndarray of shape (n_features,)
        What features are centred by.
    means : ndarray of shape (n_features,)
        What of it is still to be taken from the rows: zeros, or for sparse ones all of it.
    scales : ndarray of shape (n_features,)
    """

    rows: Any
    shares: FloatArray
    centre: FloatArray
    means: FloatArray
    scales: FloatArray

    def times(self, weights: FloatArray) -> FloatArray:
        """Logits by weights of scaled features."""
        weights = weights / self.scales[:, None]
        logits: FloatArray = self.rows @ weights
        return logits - self.means @ weights

    def transposed_times(self, slopes: FloatArray) -> FloatArray:
        """Sums of scaled features by slopes of the rows."""
        sums: FloatArray = self.rows.T @ slopes - np.outer(self.means, slopes.sum(axis=0))
        return sums / self.scales[:, None]


def _take_sample(problem: Problem, *, center: bool) -> _Sample:
    n_samples, n_features = problem.features.shape
    n_rows = max(_FEWEST_ROWS, _ROWS_PER_FEATURE * (n_features + 1))
    if isinstance(problem, BlockedProblem):
        problem = problem.take_sample(n_rows, _SEED)
        n_samples = n_rows
    chosen: Any = slice(None)
    if n_rows < n_samples:
        chosen = np.random.default_rng(_SEED).choice(n_samples, n_rows, replace=False)
        chosen.sort()
    rows = problem.features[chosen].astype(np.float64)
    weights = problem.weights(chosen)
    shares = weights / (weights.sum() or 1.0)
    zeros = np.zeros(n_features)
    centre = means = rows.T @ shares if center else zeros
    if problem.is_sparse:
        variances = rows.multiply(rows).T @ shares - means**2
    else:
        rows -= centre
        variances, means = shares @ np.square(rows), zeros
    scales = np.sqrt(np.maximum(variances, 0.0))
    scales[scales == 0.0] = 1.0
    return _Sample(rows, shares, centre, means, scales)


def _divide_nearly(
    sample: _Sample, curvatures: FloatArray, penalties: FloatArray, *, may_factor: bool
) -> _Operator:
    """Division by about the second derivatives by weights and bias.

    Parameters
    ----------
    sample : _Sample
    curvatures : ndarray of shape (n_rows,)
    penalties : ndarray of shape (n_features, n_columns)
        Second derivatives of the penalty.
    may_factor : bool
        Whether to divide by those between features too, if the penalties of all classes are equal
        and features dense and not too many.
    """
    n_features = len(penalties)
    share = float(curvatures @ sample.shares)
    bias = np.full((1, penalties.shape[1]), share or 1.0)
    diagonal = np.vstack([penalties + share, bias])
    if not may_factor or n_features > _MOST_FEATURES_FACTORED:
        return lambda slopes: slopes / diagonal[: len(slopes)]
    scaled = sample.rows / sample.scales
    matrix = (scaled * (curvatures * sample.shares)[:, None]).T @ scaled
    places = np.diag_indices(n_features)
    matrix[places] += penalties[:, 0]
    matrix[places] += _RIDGE * matrix[places].max()
    factor, failure = dpotrf(matrix, lower=1)
    if failure:
        return lambda slopes: slopes / diagonal[: len(slopes)]

    def divide(slopes: FloatArray) -> FloatArray:
        quotient: FloatArray = slopes / diagonal[: len(slopes)]
        quotient[:n_features] = dpotrs(factor, slopes[:n_features], lower=1)[0]
        return quotient

    return divide


def _sum_decrement(
    gradient: FloatArray, multiply: _Operator, divide: _Operator, enough: float
) -> float:
    """``gradient @ inv(H) @ gradient / 2``, or a part of it that is above `enough`."""
    rest = gradient.copy()
    step = divide(rest)
    product = inner_product(rest, step)
    value = 0.0
    for _ in range(_MOST_ITERATIONS):
        image = multiply(step)
        curvature = inner_product(step, image)
        if not (product > 0.0 and curvature > 0.0):
            break
        length = product / curvature
        gain = 0.5 * length * product
        value += gain
        if value > enough or gain < _LEAST_GAIN * value:
            break
        rest -= length * image
        divided = divide(rest)
        product, before = inner_product(rest, divided), product
        step = divided + product / before * step
    return value


@one_blas_thread()
def estimate_remaining(
    problem: Problem,
    weights: FloatArray,
    bias: FloatArray,
    totals: LossAndGradient,
    *,
    fit_intercept: bool,
    enough: float = np.inf,
) -> float:
    """About (objective - optimum) / objective; some passes over a sample of the rows.

    Parameters
    ----------
    problem : Problem
        Without rows of weight zero.
    weights : ndarray of shape (n_features, n_columns), float64
    bias : ndarray of shape (n_columns,), float64
    totals : LossAndGradient
        Of this model.
    fit_intercept : bool
        Whether the bias is a variable of the problem.
    enough : float, default=inf
        Of a share that is larger, a part that is larger too may be given.

    Returns
    -------
    float
        NaN where nothing is known: where the loss isn't convex, or where numbers overflow.
    """
    if not loss_of(problem).is_convex:
        return float("nan")
    total = problem.total_weight
    l2_penalty, l1_penalty = problem.l2_penalty / total, problem.l1_penalty / total
    with np.errstate(all="ignore"):
        objective = totals.loss / total + 0.5 * l2_penalty * inner_product(weights, weights)
        objective += l1_penalty * float(np.abs(weights).sum())
        if objective <= 0.0:
            return 0.0
        sample = _take_sample(problem, center=fit_intercept)
        slopes = totals.weights_gradient - np.outer(sample.centre, totals.bias_gradient)
        slopes = slopes / total + l2_penalty * weights
        penalties = np.full(weights.shape, l2_penalty)
        if l1_penalty > 0.0:
            slopes = shortest_slopes(slopes, weights, l1_penalty)
            penalties += np.where(weights == 0.0, 0.0, l1_penalty / np.abs(weights))
        slopes /= sample.scales[:, None]
        penalties /= sample.scales[:, None] ** 2
        gradient = slopes
        if fit_intercept:
            gradient = np.vstack([slopes, totals.bias_gradient / total])
        logits = sample.times(weights * sample.scales[:, None]) + bias + sample.centre @ weights
        if not (np.isfinite(logits).all() and np.isfinite(gradient).all()):
            return float("nan")
        moves = gradient != 0.0
        multiply, curvatures = _second_derivatives(
            sample, logits, penalties, moves=moves, fit_intercept=fit_intercept
        )
        may_factor = l1_penalty == 0.0 and not problem.is_sparse
        divide = _divide_nearly(sample, curvatures, penalties, may_factor=may_factor)
        value = _sum_decrement(
            gradient, multiply, lambda slopes: moves * divide(slopes), enough * objective
        )
    return min(value / objective, 1.0)


def _second_derivatives(
    sample: _Sample,
    logits: FloatArray,
    penalties: FloatArray,
    *,
    moves: FloatArray,
    fit_intercept: bool,
) -> tuple[_Operator, FloatArray]:
    """Multiplication by those of the objective, among what moves; and the rows' curvatures."""
    n_features = len(sample.scales)
    is_single = logits.shape[1] == 1
    probabilities = probabilities_of_columns(logits)
    curvatures = (probabilities * (1.0 - probabilities)).mean(axis=1)

    def multiply(step: FloatArray) -> FloatArray:
        changes = sample.times(step[:n_features])
        if fit_intercept:
            changes += step[n_features]
        changes *= probabilities
        if is_single:
            changes *= 1.0 - probabilities
        else:
            changes -= probabilities * changes.sum(axis=1, keepdims=True)
        changes *= sample.shares[:, None]
        image = sample.transposed_times(changes) + penalties * step[:n_features]
        if fit_intercept:
            image = np.vstack([image, changes.sum(axis=0)])
        restricted: FloatArray = moves * image
        return restricted

    return multiply, curvatures
