"""How features are spread, so that solvers can work in variables of equal curvature."""

from collections.abc import Iterator

import numpy as np

from .definitions import FloatArray
from .problem import Problem

_NUMBERS_PER_BLOCK = 1 << 20


def _blocks(problem: Problem) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Blocks of rows in float64 and their weights."""
    n_samples, n_features = problem.features.shape
    step = max(1, _NUMBERS_PER_BLOCK // n_features)
    for start in range(0, n_samples, step):
        rows = slice(start, start + step)
        block = problem.features[rows].astype(np.float64)
        weights = problem.sample_weight
        yield block, np.ones(len(block)) if weights is None else weights[rows]


def weighted_moments(problem: Problem, *, center: bool) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of each feature, over the rows by their weights.

    Parameters
    ----------
    problem : Problem
    center : bool
        Otherwise the means are given as zero and the variances are mean squares.

    Returns
    -------
    means, variances : ndarrays of shape (n_features,), float64
        The variance of a feature that is constant but for rounding is zero. Not finite where
        squares overflow.
    """
    with np.errstate(all="ignore"):
        return _moments(problem, center=center)


def _moments(problem: Problem, *, center: bool) -> tuple[FloatArray, FloatArray]:
    n_features = problem.features.shape[1]
    total = problem.total_weight
    means = np.zeros(n_features)
    if center:
        for block, weights in _blocks(problem):
            means += weights @ block
        means /= total
    variances = np.zeros(n_features)
    for block, weights in _blocks(problem):
        deviations = np.subtract(block, means, out=block)
        variances += weights @ np.square(deviations, out=block)
    variances /= total
    rounding = len(problem.features) * np.finfo(np.float64).eps * np.abs(means)
    variances[(variances <= rounding**2) & np.isfinite(variances)] = 0.0
    return means, variances
