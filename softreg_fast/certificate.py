r"""An upper bound of how far a model's objective is above the optimum.

With the identity link the objective is convex, and any point of the Fenchel dual bounds the optimum
from below. Let ``T`` be the one-hot targets, ``w`` the rows' weights, ``l2`` and ``l1`` the
penalties. For probabilities ``q`` of the classes of each row, with ``G = X.T @ (w * (q - T))``, ::

    sum(w * entropy(q)) - sum(max(abs(G) - l1, 0) ** 2) / (2 * l2)

is at most the optimum, if the residuals of each class, ``sum(w * (q - T))``, are zero where there
is an intercept that isn't penalised, and if ``abs(G) <= l1`` where ``l2`` is zero (van den Doel,
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

from .accumulator import Totals
from .definitions import FloatArray
from .feature_sums import FeatureSums
from .problem import Problem


@dataclass(frozen=True)
class _DualPoint:
    """Of the dual: the sum of the entropies, at least, and `G`."""

    entropy: float
    products: FloatArray


def can_certify(problem: Problem) -> bool:
    """Whether there is a bound: the objective is convex and has a penalty."""
    return problem.link == "identity" and problem.l2_penalty + problem.l1_penalty > 0.0


def bound_gap(
    problem: Problem,
    sums: FeatureSums,
    totals: Totals,
    weights: FloatArray,
    bias: FloatArray,
    *,
    fit_intercept: bool,
) -> float:
    """A bound of (objective - optimum) / objective; NaN where there is none.

    Parameters
    ----------
    problem : Problem
    sums : FeatureSums
        Of its features.
    totals : Totals
        Of the model.
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    fit_intercept : bool
        Whether the bias is a variable of the problem.

    Returns
    -------
    float
        From 0 to 1.
    """
    if not can_certify(problem):
        return float("nan")
    l1_penalty, l2_penalty = problem.l1_penalty, problem.l2_penalty
    objective = totals.loss + 0.5 * l2_penalty * float(np.vdot(weights, weights))
    objective += l1_penalty * float(np.abs(weights).sum())
    if objective <= 0.0:
        return 0.0
    products = totals.weights_gradient
    entropy = totals.loss - float(np.vdot(products, weights) + totals.bias_gradient @ bias)
    point = _DualPoint(entropy, products)
    if fit_intercept:
        point = _without_residual(point, totals.bias_gradient, sums)
    lower = max(0.0, _best_value(point, l1_penalty, l2_penalty))
    return max(0.0, (objective - lower) / objective)


def _without_residual(point: _DualPoint, residual: FloatArray, sums: FeatureSums) -> _DualPoint:
    """A point near by whose residuals of the classes are zero."""
    if not residual.any():
        return point
    total = sums.total_weight
    is_single_column = len(residual) == 1
    by_class = np.array([-residual[0], residual[0]]) if is_single_column else residual
    too_much = by_class > 0.0
    if not too_much.any():  # rounding: the residuals' sum is zero
        return point
    # (1 - share) * by_class <= share * class_weights
    share = float(np.max(by_class[too_much] / (sums.class_weights + by_class)[too_much]))
    constant = sums.class_weights / total - (1.0 - share) / (share * total) * by_class
    constant = np.maximum(constant, 0.0)
    positive = constant[constant > 0.0]
    entropy = (1.0 - share) * point.entropy
    entropy -= share * total * float(positive @ np.log(positive))
    totals = sums.by_class.sum(axis=0)
    changes = np.outer(totals, constant) - sums.by_class.T
    if is_single_column:
        changes = changes[:, 1:]
    return _DualPoint(entropy, (1.0 - share) * point.products + share * changes)


def _best_value(point: _DualPoint, l1_penalty: float, l2_penalty: float) -> float:
    """The largest value of the dual on the way from a point to the targets, nearly."""
    magnitudes = np.abs(point.products)
    largest = float(magnitudes.max())
    scales = [1.0]
    if largest > l1_penalty:
        scales.append(l1_penalty / largest)
    curvature = float(np.vdot(magnitudes, magnitudes))
    if l2_penalty > 0.0 and curvature > 0.0:
        scales.append(min(1.0, max(point.entropy, 0.0) * l2_penalty / curvature))
    values = []
    for scale in scales:
        excess = np.maximum(scale * magnitudes - l1_penalty, 0.0)
        # Rounding must not make infeasible what is scaled to be feasible.
        cost = 0.0 if scale * largest <= l1_penalty * (1.0 + 1e-15) else np.inf
        if cost and l2_penalty > 0.0:
            cost = float(np.vdot(excess, excess)) / (2.0 * l2_penalty)
        values.append(scale * point.entropy - cost)
    return max(values)
