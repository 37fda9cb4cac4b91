"""What isn't smooth of a penalty: absolute weights, or the norms of features' weights.

The norm of a feature's weights, those of all classes together, is the penalty of the group lasso
(Yuan and Lin, Model selection and estimation in regression with grouped variables, 2006).
"""

import numpy as np

from .._typing import FloatArray


def norms_of(weights: FloatArray) -> FloatArray:
    """The Euclidean norms of rows, shape (n_features, 1)."""
    norms: FloatArray = np.sqrt(np.sum(weights**2, axis=1, keepdims=True))
    return norms


def sum_absolute(weights: FloatArray, *, is_grouped: bool) -> float:
    """The sum of the absolute weights, or of the features' norms."""
    return float((norms_of(weights) if is_grouped else np.abs(weights)).sum())


def directions_of(weights: FloatArray) -> FloatArray:
    """Rows over their norms; zeros where they are zero."""
    norms = norms_of(weights)
    return np.divide(weights, norms, out=np.zeros_like(weights), where=norms > 0.0)


def shortest_slopes(
    slopes: FloatArray, weights: FloatArray, l1_penalty: float, *, is_grouped: bool = False
) -> FloatArray:
    """The shortest subgradient.

    Parameters
    ----------
    slopes : ndarray of shape (n_features, n_columns)
        The gradient without the L1 penalty.
    weights : ndarray of shape (n_features, n_columns)
    l1_penalty : float
    is_grouped : bool, default=False
        Whether features' norms are penalised.
    """
    if l1_penalty == 0.0:
        return slopes
    if is_grouped:
        norms = norms_of(slopes)
        left = np.maximum(norms - l1_penalty, 0.0)
        share = np.divide(left, norms, out=np.zeros_like(norms), where=norms > 0.0)
        are_there = weights.any(axis=1, keepdims=True)
        shortest: FloatArray = np.where(
            are_there, slopes + l1_penalty * directions_of(weights), share * slopes
        )
        return shortest
    shortest = slopes - np.clip(slopes, -l1_penalty, l1_penalty)
    where = np.nonzero(weights)
    shortest[where] = slopes[where] + l1_penalty * np.sign(weights[where])
    return shortest
