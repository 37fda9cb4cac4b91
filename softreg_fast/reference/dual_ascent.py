"""Dual coordinate ascent over rows."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import rel_entr, wrightomega

from .._typing import FloatArray
from ..objective.functions import softmax


def ascend_dual(
    features: FloatArray,
    row_weights: FloatArray,
    l2_penalty: float,
    bias_square: float,
    order: npt.NDArray[np.int64],
    probabilities: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Maximise the dual over the probabilities of one row after the other.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_features)
    row_weights : ndarray of shape (n_rows,)
    l2_penalty : float
    bias_square : float
        The square of the feature that the biases are moved as the weights of.
    order : ndarray of int
        The rows, as they are taken.
    probabilities : ndarray of shape (n_rows, n_classes)
    weights : ndarray of shape (n_features, n_classes)
        Those that follow from the probabilities.
    bias : ndarray of shape (n_classes,)

    Returns
    -------
    probabilities, weights, bias : ndarrays
        Afterwards.
    divergence : float
        The weighted sum of the divergences of the probabilities from those of the model, each when
        its row is taken.
    """
    probabilities, weights, bias = probabilities.copy(), weights.copy(), bias.copy()
    divergence = 0.0
    for row in order:
        own = probabilities[row]
        logits = features[row] @ weights + bias
        divergence += row_weights[row] * float(rel_entr(own, softmax(logits[None])[0]).sum())
        scale = row_weights[row] / l2_penalty
        curvature = scale * (float(features[row] @ features[row]) + bias_square)
        after = _solve(logits + curvature * own, curvature)
        change = own - after
        weights += scale * np.outer(features[row], change)
        bias += scale * bias_square * change
        probabilities[row] = after
    return probabilities, weights, bias, divergence


def _solve(sums: FloatArray, curvature: float) -> FloatArray:
    """Probabilities of the logits ``sums - curvature * probabilities``."""
    if curvature == 0.0:
        limit: FloatArray = softmax(sums[None])[0]
        return limit

    def at(level: float) -> FloatArray:
        found: FloatArray = wrightomega(sums - level + np.log(curvature)) / curvature
        return found

    top = float(sums.max())
    lowest, highest = top - curvature - 1.0, top + np.log(len(sums)) + 1.0
    level = brentq(lambda level: float(at(level).sum()) - 1.0, lowest, highest, xtol=1e-14)
    return at(float(level))
