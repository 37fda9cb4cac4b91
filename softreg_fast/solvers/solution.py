"""What solvers return."""

from dataclasses import dataclass, field

import numpy as np

from ..certificate import bound_gap, can_certify
from ..definitions import FloatArray
from ..evaluation import accumulator_of
from ..feature_sums import sum_features
from ..problem import Problem

# Of the objective, what gradient descent may leave without a warning.
CLOSE = 0.01


@dataclass(frozen=True)
class Solution:
    """Parameters and the way there.

    Attributes
    ----------
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    objectives : ndarray of shape (n_iterations,)
        The objective after each iteration, divided by the sum of the rows' weights; of gradient
        descent with the losses as the rows were met.
    converged : bool
        Whether the solver's tolerance was reached. Gradient descent doesn't know.
    stopped : bool
        Whether gradient descent has ended before its last epoch, since the objective fell too
        little.
    remaining : float
        Of gradient descent, about (objective - optimum) / objective; NaN if it isn't known.
    """

    weights: FloatArray
    bias: FloatArray
    objectives: FloatArray
    converged: bool
    stopped: bool = field(default=False, kw_only=True)
    remaining: float = field(default=float("nan"), kw_only=True)

    @property
    def is_close(self) -> bool:
        """Whether gradient descent has ended where it should: close to the lowest objective."""
        return self.stopped and not self.remaining > CLOSE

    @property
    def n_iterations(self) -> int:
        """Iterations or epochs."""
        return len(self.objectives)


@dataclass(frozen=True)
class Quality:
    """How good a model is.

    Attributes
    ----------
    gradient_norm : float
        The largest absolute component of the objective's gradient, per unit of weight; with an L1
        penalty, of the shortest subgradient.
    gap : float
        See `certificate.bound_gap`.
    """

    gradient_norm: float
    gap: float


def _shortest_slopes(slopes: FloatArray, weights: FloatArray, l1_penalty: float) -> FloatArray:
    """The shortest subgradient, given the gradient without the L1 penalty; positive at zeros."""
    at_zero = np.maximum(np.abs(slopes) - l1_penalty, 0.0)
    return np.where(weights == 0.0, at_zero, slopes + l1_penalty * np.sign(weights))


def largest_slope(
    weights_gradient: FloatArray,
    bias_gradient: FloatArray,
    weights: FloatArray,
    l1_penalty: float,
    *,
    fit_intercept: bool,
) -> float:
    """The largest absolute component of the shortest subgradient.

    Parameters
    ----------
    weights_gradient : ndarray of shape (n_features, n_columns)
        Without the L1 penalty.
    bias_gradient : ndarray of shape (n_columns,)
    weights : ndarray of shape (n_features, n_columns)
    l1_penalty : float
    fit_intercept : bool
        Whether the bias is a variable of the problem.
    """
    slopes = weights_gradient
    if l1_penalty > 0.0:
        slopes = _shortest_slopes(weights_gradient, weights, l1_penalty)
    largest = max(float(slopes.max()), -float(slopes.min()))
    if not fit_intercept:
        return largest
    return max(largest, float(np.abs(bias_gradient).max()))


def judge(
    problem: Problem,
    weights: FloatArray,
    bias: FloatArray,
    *,
    fit_intercept: bool,
    n_threads: int | None,
) -> Quality:
    """How good a model is; a pass over the rows tells."""
    with accumulator_of(problem, len(bias), n_threads) as accumulator:
        totals = accumulator.evaluate(weights, bias)
    gap = float("nan")
    if can_certify(problem):
        sums = sum_features(problem, n_threads)
        gap = bound_gap(problem, sums, totals, weights, bias, fit_intercept=fit_intercept)
    total_weight = problem.total_weight
    slopes = totals.weights_gradient
    slopes /= total_weight
    slopes += problem.l2_penalty / total_weight * weights
    largest = largest_slope(
        slopes,
        totals.bias_gradient / total_weight,
        weights,
        problem.l1_penalty / total_weight,
        fit_intercept=fit_intercept,
    )
    return Quality(largest, gap)
