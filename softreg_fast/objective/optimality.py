"""Whether coefficients are at the optimum, as far as their rounding and that of sums lets one say.

A model has converged if no component of the objective's gradient, per unit of weight, is above the
tolerance; and none divided by the standard deviation of its feature, for features that are hardly
penalised: their coefficients follow the features' scale, so that a gradient that is small because
the features are says nothing.
"""

from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from ..data.problem import Problem
from .dense import LossAndGradient
from .duality_gap import Bounds, bound_objective
from .loss import curvature_at_zero, loss_of
from .moments import FeatureSums
from .passes import accumulator_of
from .penalty import shortest_slopes
from .rounding import BoundedEvaluation, bounded_evaluation, evaluate_carefully

# Of the loss' curvature, that of a penalty that hardly matters.
_NEGLIGIBLE_PENALTY = 1e-8
# Where only rounding keeps the gradient above the tolerance, a gap that counts as none.
NEGLIGIBLE_GAP = 1e-6
# What the nearest coefficients of a dtype may be off by, and what several of them add up to.
_ROUNDING_OF_COEFFICIENTS = 2.0
# Of the tolerance, errors that matter.
_RELEVANT_ERROR = 1e-3
# Of sparse ones too, which are made dense for it in blocks of rows.
_MOST_FEATURES = 10_000


@dataclass(frozen=True)
class Tolerance:
    """When a model counts as optimal.

    Attributes
    ----------
    gradient : float
        Of the largest absolute component of the gradient of the objective divided by the sum of the
        rows' weights.
    gap : float or None, default=None
        Of a bound of (objective - optimum) / objective, in place of the other.
    """

    gradient: float
    gap: float | None = None


def slope_divisors(problem: Problem, sums: FeatureSums) -> FloatArray:
    """What components of the gradient are divided by, shape (n_features,); at most 1.

    Parameters
    ----------
    problem : Problem
    sums : FeatureSums
        Of its features.
    """
    deviations = sums.deviations
    curvature = np.sqrt(curvature_at_zero(problem.n_classes)) * deviations
    penalty = np.sqrt(problem.l2_penalty / sums.total_weight / _NEGLIGIBLE_PENALTY)
    follows_scale = (penalty < curvature) & (deviations > 0.0)
    return np.where(follows_scale, np.minimum(deviations, 1.0), 1.0)


@dataclass(frozen=True)
class Slopes:
    """The gradient of the objective per unit of weight, and its errors.

    Attributes
    ----------
    by_weights : ndarray of shape (n_features, n_columns)
        Absolute components of the shortest subgradient, of features as they are, over the
        features' divisors.
    by_bias : ndarray of shape (n_columns,)
        Absolute components.
    weight_errors : ndarray of shape (n_features,)
    bias_error : float
        How much the sums may be wrong.
    weight_limits : ndarray of shape (n_features,)
    bias_limit : float
        How small components can be made, the coefficients being numbers of their dtype.
    """

    by_weights: FloatArray
    by_bias: FloatArray
    weight_errors: FloatArray
    bias_error: float
    weight_limits: FloatArray
    bias_limit: float

    def are_within(self, tolerance: float) -> bool:
        """Whether all are, whatever rounding has done."""
        rows = self.by_weights.max(axis=1) + self.weight_errors
        bias = float(self.by_bias.max(initial=0.0)) + self.bias_error
        return bool((rows <= tolerance).all()) and bias <= tolerance

    def are_within_but_for_rounding(self, tolerance: float) -> bool:
        """Whether nothing but rounding keeps any above."""
        rows = self.by_weights.max(axis=1) - self.weight_errors - self.weight_limits
        bias = float(self.by_bias.max(initial=0.0)) - self.bias_error - self.bias_limit
        return bool((rows <= tolerance).all()) and bias <= tolerance

    @property
    def largest(self) -> float:
        """Of all components."""
        return max(float(self.by_weights.max()), float(self.by_bias.max(initial=0.0)))

    @property
    def largest_error(self) -> float:
        """Of all components."""
        return max(float(self.weight_errors.max()), self.bias_error)

    @property
    def most_limited(self) -> int:
        """The feature whose coefficients' rounding matters the most."""
        return int(self.weight_limits.argmax())


def _quotients(slopes: FloatArray, divisors: FloatArray) -> FloatArray:
    """The absolute slopes of each feature over its divisor."""
    quotients: FloatArray = np.abs(slopes)
    quotients /= divisors[:, None]
    return quotients


def slopes_of(
    problem: Problem,
    sums: FeatureSums,
    evaluation: BoundedEvaluation,
    divisors: FloatArray,
    dtype: np.dtype,
    *,
    fit_intercept: bool,
) -> Slopes:
    """The gradient of the objective.

    Parameters
    ----------
    problem : Problem
    sums : FeatureSums
    evaluation : BoundedEvaluation
    divisors : ndarray of shape (n_features,)
        See `slope_divisors`.
    dtype : numpy.dtype
        Of the coefficients.
    fit_intercept : bool
        Whether the bias is a variable of the problem.
    """
    total = sums.total_weight
    weights = evaluation.weights
    with np.errstate(all="ignore"):
        smooth = evaluation.gradient_of_features
        smooth += problem.l2_penalty / total * weights
        l1_penalty = problem.l1_penalty / total
        slopes = shortest_slopes(smooth, weights, l1_penalty, is_grouped=problem.is_grouped)
        unit = _ROUNDING_OF_COEFFICIENTS * float(np.finfo(dtype).eps)
        # A logit of features as they are, by whose rounding residuals change.
        sizes = sums.spreads_about(0.0)
        largest = np.abs(weights).max(axis=1)
        bias = np.abs(evaluation.bias - evaluation.origin @ weights).max()
        change = 0.5 * unit * (float(sizes @ largest) + float(bias))
        limits = sizes * change + unit * problem.l2_penalty / total * largest
        none = np.zeros(0)
        return Slopes(
            _quotients(slopes, divisors),
            np.abs(evaluation.bias_gradient) if fit_intercept else none,
            evaluation.errors_of_features / divisors,
            evaluation.bias_error if fit_intercept else 0.0,
            limits / divisors,
            change if fit_intercept else 0.0,
        )


@dataclass(frozen=True)
class Optimality:
    """How good a model is.

    Attributes
    ----------
    gradient_norm : float
        The largest absolute component of the objective's gradient, per unit of weight; with an L1
        penalty, of the shortest subgradient. Of features that are hardly penalised, divided by
        their standard deviations where these are below 1.
    bounds : Bounds
        Of its objective and of the optimum.
    converged : bool
        Whether it is at the optimum, within the tolerance.
    limiting_feature : int or None
        If only the rounding of the coefficients keeps the gradient above the tolerance, the
        feature that matters most.
    is_careful : bool
        Whether sums have lost so few digits that the rounding of a bias that is moved would matter.
    """

    gradient_norm: float
    bounds: Bounds
    converged: bool
    limiting_feature: int | None = None
    is_careful: bool = False

    @property
    def gap(self) -> float:
        """See `duality_gap.Bounds`."""
        return self.bounds.gap


def judge(
    problem: Problem,
    sums: FeatureSums,
    weights: FloatArray,
    bias: FloatArray,
    dtype: np.dtype,
    tolerance: Tolerance,
    *,
    fit_intercept: bool,
    n_threads: int | None = None,
    totals: LossAndGradient | None = None,
    seen: tuple[BoundedEvaluation, Slopes] | None = None,
    known: Bounds | None = None,
    divisors: FloatArray | None = None,
) -> Optimality:
    """How good a model is.

    Parameters
    ----------
    problem : Problem
        Of dtype float64; its features may be float32.
    sums : FeatureSums
        Of its features.
    weights : ndarray of shape (n_features, n_columns), float64
    bias : ndarray of shape (n_columns,), float64
    dtype : numpy.dtype
        Whose numbers these are.
    tolerance : Tolerance
    fit_intercept : bool
    n_threads : int or None, default=None
    totals : LossAndGradient or None, default=None
        Of the model, if they are known; else a pass over the rows tells.
    seen : tuple of BoundedEvaluation and Slopes or None, default=None
        What follows from its totals, if that is known; see `bounded_evaluation` and `slopes_of`.
    known : Bounds or None, default=None
        Of another model of the same problem, which may tell more of the optimum.
    divisors : ndarray of shape (n_features,) or None, default=None
        See `slope_divisors`, if they are known.
    """
    if divisors is None:
        divisors = slope_divisors(problem, sums)

    def look(evaluation: BoundedEvaluation) -> Slopes:
        return slopes_of(problem, sums, evaluation, divisors, dtype, fit_intercept=fit_intercept)

    if seen is None:
        if totals is None:
            with accumulator_of(problem, len(bias), n_threads) as accumulator:
                totals = accumulator.evaluate(weights, bias)
        evaluation = bounded_evaluation(sums, totals, weights, bias)
        seen = evaluation, look(evaluation)
    evaluation, slopes = seen
    is_careful = False
    is_decided = slopes.are_within(tolerance.gradient) or (
        slopes.largest_error <= _RELEVANT_ERROR * tolerance.gradient and tolerance.gap is None
    )
    if not is_decided and loss_of(problem).is_convex and len(weights) <= _MOST_FEATURES:
        careful = evaluate_carefully(problem, sums, weights, bias, fit_intercept=fit_intercept)
        if np.isfinite(careful.loss):
            evaluation, slopes = careful, look(careful)
            is_careful = True
    bounds = bound_objective(problem, sums, evaluation, fit_intercept=fit_intercept)
    if known is not None:
        bounds = bounds.with_lower(known.lower)
    if tolerance.gap is not None:
        converged = bounds.gap <= tolerance.gap
        is_limited = not converged and slopes.are_within_but_for_rounding(0.0)
    else:
        converged = slopes.are_within(tolerance.gradient)
        is_limited = not converged and slopes.are_within_but_for_rounding(tolerance.gradient)
        converged = converged or (is_limited and bounds.gap < NEGLIGIBLE_GAP)
    limiting = slopes.most_limited if is_limited and not converged else None
    return Optimality(slopes.largest, bounds, converged, limiting, is_careful)
