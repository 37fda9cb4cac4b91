"""Whether an optimum exists without a penalty.

Where a linear function tells the classes apart without an error, the loss falls as long as the
coefficients grow: there is none (complete separation; quasi-complete, where it tells some rows
apart and others not at all: Albert and Anderson, On the existence of maximum likelihood estimates
in logistic regression models, 1984).
"""

from typing import Literal

import numpy as np

from .definitions import FloatArray
from .evaluation import accumulator_of
from .feature_sums import sum_features
from .problem import Problem
from .solvers.coordinates import choose_coordinates
from .solvers.derivatives import derive_blocks, factor_blocks
from .solvers.newton import has_room
from .solvers.sample import predict_sample, take_sample

Separation = Literal["complete", "quasi-complete"]

_NUMBERS_PER_BLOCK = 1 << 20
# Of a Newton step at the end, in logits: it is about 1 where coefficients grow without bound,
# however large they are, and next to nothing at an optimum.
_GROWTH = 0.5
# Of a row that is told apart: how much its probability lacks to 1.
_DOUBT = 1e-2


def _margins(problem: Problem, rows: slice, weights: FloatArray, bias: FloatArray) -> FloatArray:
    """By how much the targets' logits are above the highest others."""
    logits = np.asarray(problem.features[rows] @ weights + bias)
    targets = problem.targets[rows]
    if logits.shape[1] == 1:
        return np.where(targets == 1, logits[:, 0], -logits[:, 0])
    places = np.arange(len(logits))
    margins: FloatArray = logits[places, targets].copy()
    logits[places, targets] = -np.inf
    margins -= logits.max(axis=1)
    return margins


def _separates(problem: Problem, weights: FloatArray, bias: FloatArray) -> bool:
    """Whether a model is right of every row that has a weight."""
    step = max(1, _NUMBERS_PER_BLOCK // max(weights.shape))
    for start in range(0, problem.n_samples, step):
        rows = slice(start, start + step)
        is_wrong = ~(_margins(problem, rows, weights, bias) > 0.0)
        if problem.sample_weight is not None:
            is_wrong &= problem.sample_weight[rows] > 0.0
        if is_wrong.any():
            return False
    return True


def find_separation(
    problem: Problem,
    weights: FloatArray,
    bias: FloatArray,
    *,
    fit_intercept: bool,
    n_threads: int | None,
) -> Separation | None:
    """Whether rows can be separated, by the model that a solver has ended at.

    Parameters
    ----------
    problem : Problem
        With the identity link and without a penalty.
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    fit_intercept : bool
    n_threads : int or None

    Returns
    -------
    {"complete", "quasi-complete"} or None
        The first is proven. The second is what a further step of Newton's method suggests.
    """
    if _separates(problem, weights, bias):
        return "complete"
    if not has_room(*weights.shape):
        return None
    sums = sum_features(problem, n_threads)
    coordinates = choose_coordinates(problem, sums, fit_intercept=fit_intercept)
    sample = take_sample(problem, coordinates)
    point = coordinates.point_of(weights, bias)
    with accumulator_of(problem, len(bias), n_threads) as accumulator:
        totals = accumulator.evaluate(weights, bias)
    total = problem.total_weight
    gradient = coordinates.gradient_of(
        totals.weights_gradient / total, totals.bias_gradient / total
    )
    without_penalty = np.zeros(sample.n_unknowns)
    blocks = derive_blocks(sample, point, without_penalty, n_threads)
    divide = factor_blocks(blocks, without_penalty, len(bias))
    step = divide(gradient.T.ravel()).reshape(len(bias), -1).T
    if len(bias) > 1:
        step -= step.mean(axis=1, keepdims=True)
    changes = sample.features[:, : sample.n_unknowns] @ step
    probabilities = predict_sample(sample, point)
    if len(bias) == 1:
        probabilities = np.maximum(probabilities, 1.0 - probabilities)
        growth = np.abs(changes[:, 0])
    else:
        growth = changes.max(axis=1) - changes.min(axis=1)
    is_certain = probabilities.max(axis=1) > 1.0 - _DOUBT
    grows = is_certain & (sample.row_weights > 0.0) & (growth > _GROWTH)
    return "quasi-complete" if grows.any() else None
