r"""An upper bound of how far a model's objective is above the optimum.

Where the loss is convex, and any point of the Fenchel dual bounds the optimum
from below. Let ``T`` be the one-hot targets, ``w`` the rows' weights, ``l2`` and ``l1`` the
penalties. For probabilities ``q`` of the classes of each row, with ``G = X.T @ (w * (q - T))``, ::

    sum(w * entropy(q)) - sum(max(abs(G) - l1, 0) ** 2) / (2 * l2)

is at most the optimum, if the residuals of each class, ``sum(w * (q - T))``, are zero where there
is an intercept that isn't penalised, and if ``abs(G) <= l1`` where ``l2`` is zero; with grouped
weights, the norms of the rows of ``G`` stand for ``abs(G)`` (van den Doel,
Ascher and Haber, The lost honour of l2-based regularization, 2012, has the case of one penalty; it
is the conjugate of the log-sum-exp, Boyd and Vandenberghe, Convex optimization, 2004, 3.3.1).

The model's own probabilities ``p`` are such a point but for the intercept's residual ``r``. It is
mended by ``q = (1 - t) * p + t * c`` with the constant row
``c = pi - (1 - t) / (t * N) * r``, where ``N`` is the sum of the weights and ``pi`` the classes'
shares of it, and the smallest ``t`` that leaves no element of ``c`` below zero. Then
``q = s * q + (1 - s) * T`` with ``s`` from 0 to 1 scales ``G`` by ``s``. Entropy is concave, so it
is at least what the parts of a mixture have, and that of ``p`` follows from the loss and its
gradient: nothing of this needs a pass over the rows.
"""

from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from ..data.problem import Problem
from ..runtime.blas import inner_product
from .loss import loss_of
from .moments import FeatureSums
from .penalty import norms_of, sum_absolute
from .rounding import BoundedEvaluation


@dataclass(frozen=True)
class _DualPoint:
    """Of the dual, per unit of weight.

    Attributes
    ----------
    entropy : float
        The mean of the entropies, at least.
    products : ndarray of shape (n_features, n_columns)
        `G`.
    errors : ndarray of shape (n_features, 1)
        What rounding may have added to or taken from its elements.
    """

    entropy: float
    products: FloatArray
    errors: FloatArray


def can_certify(problem: Problem) -> bool:
    """Whether there is a bound: the objective is convex and has a penalty."""
    return loss_of(problem).is_convex and problem.l2_penalty + problem.l1_penalty > 0.0


@dataclass(frozen=True)
class Bounds:
    """Of the objective per unit of weight, whatever rounding has changed.

    Attributes
    ----------
    higher : float
        That of a model is at most this.
    lower : float
        The optimum is at least this; NaN if nothing is known.
    """

    higher: float
    lower: float

    @property
    def gap(self) -> float:
        """A bound of (objective - optimum) / objective, from 0 to 1; NaN if nothing is known."""
        if self.higher == 0.0:
            return 0.0
        with np.errstate(all="ignore"):
            gap = (self.higher - self.lower) / self.higher
        return min(max(gap, 0.0), 1.0) if np.isfinite(gap) else float("nan")

    def with_lower(self, lower: float) -> "Bounds":
        """With another lower bound, if that is known and higher."""
        return (
            Bounds(self.higher, lower) if lower > self.lower or self.lower != self.lower else self
        )


def bound_objective(
    problem: Problem, sums: FeatureSums, evaluation: BoundedEvaluation, *, fit_intercept: bool
) -> Bounds:
    """Bounds of a model's objective and of the optimum.

    Parameters
    ----------
    problem : Problem
    sums : FeatureSums
        Of its features.
    evaluation : BoundedEvaluation
        Of the model.
    fit_intercept : bool
        Whether the bias is a variable of the problem.
    """
    with np.errstate(all="ignore"):
        return _bound(problem, sums, evaluation, fit_intercept=fit_intercept)


def _bound(
    problem: Problem, sums: FeatureSums, evaluation: BoundedEvaluation, *, fit_intercept: bool
) -> Bounds:
    total = sums.total_weight
    l1_penalty, l2_penalty = problem.l1_penalty / total, problem.l2_penalty / total
    weights, products = evaluation.weights, evaluation.weights_gradient
    bias_gradient = evaluation.bias_gradient
    higher = evaluation.loss + 0.5 * l2_penalty * inner_product(weights, weights)
    higher += l1_penalty * sum_absolute(weights, is_grouped=problem.is_grouped)
    higher += evaluation.loss_error
    if not can_certify(problem):
        return Bounds(higher, float("nan"))
    sizes = evaluation.sizes[:, None]
    product = inner_product(products, weights) + float(bias_gradient @ evaluation.bias)
    entropy = evaluation.loss - product
    # Of the product of gradient and model: of rows, and of sums over them.
    inner = np.sqrt(float(np.sum((sizes * weights) ** 2)) + float(np.sum(evaluation.bias**2)))
    inner_error = evaluation.bias_error * (evaluation.logit_size + inner)
    entropy -= evaluation.loss_error + inner_error
    point = _DualPoint(entropy, products, evaluation.bias_error * sizes)
    if fit_intercept:
        point = _without_residual(point, evaluation, sums)
    value = _best_value(point, l1_penalty, l2_penalty, is_grouped=problem.is_grouped)
    # Where something has overflowed, nothing is known.
    return Bounds(higher, max(value, 0.0) if np.isfinite(value) else float("nan"))


def _without_residual(
    point: _DualPoint, evaluation: BoundedEvaluation, sums: FeatureSums
) -> _DualPoint:
    """A point near by whose residuals of the classes are zero."""
    residual = evaluation.bias_gradient
    if not residual.any():
        return point
    shares = sums.class_weights / sums.total_weight
    is_single_column = len(residual) == 1
    by_class = np.array([-residual[0], residual[0]]) if is_single_column else residual
    too_much = by_class > 0.0
    if not too_much.any():  # rounding: the residuals' sum is zero
        return point
    # (1 - share) * by_class <= share * shares
    share = float(np.max(by_class[too_much] / (shares + by_class)[too_much]))
    constant = shares - (1.0 - share) / share * by_class
    constant = np.maximum(constant, 0.0)
    positive = constant[constant > 0.0]
    entropy = (1.0 - share) * point.entropy
    entropy -= share * float(positive @ np.log(positive))
    features_by_class = sums.about_origin.T * (share / sums.total_weight)
    distance = sums.origin - evaluation.origin
    if distance.any():
        features_by_class += (share * distance)[:, None] * shares
    products = features_by_class.sum(axis=1)[:, None] * constant
    products -= features_by_class
    if is_single_column:
        products = products[:, 1:]
    products += (1.0 - share) * point.products
    return _DualPoint(entropy, products, point.errors)


def _best_value(
    point: _DualPoint, l1_penalty: float, l2_penalty: float, *, is_grouped: bool
) -> float:
    """The largest value of the dual on the way from a point to the targets, nearly."""
    magnitudes = np.abs(point.products)
    magnitudes += point.errors
    if is_grouped:
        magnitudes = norms_of(magnitudes)
    largest = float(magnitudes.max())
    scales = [1.0]
    if largest > l1_penalty:
        scales.append(l1_penalty / largest)
    ratio = point.entropy * l2_penalty
    curvature = inner_product(magnitudes, magnitudes)
    if l2_penalty > 0.0 and curvature > 0.0:
        scales.append(min(1.0, max(ratio, 0.0) / curvature))
    values = []
    for scale in scales:
        # Rounding must not make infeasible what is scaled to be feasible.
        cost = 0.0 if scale * largest <= l1_penalty * (1.0 + 1e-15) else np.inf
        if cost and l2_penalty > 0.0:
            squares = scale**2 * curvature
            if l1_penalty > 0.0:
                excess = np.maximum(scale * magnitudes - l1_penalty, 0.0)
                squares = inner_product(excess, excess)
            cost = squares / (2.0 * l2_penalty)
        values.append(scale * point.entropy - cost)
    return max(values)
