"""Models of the same probabilities, of which one has the lowest penalty."""

import numpy as np

from .._typing import FloatArray, Model


def centre(weights: FloatArray, bias: FloatArray, *, fit_intercept: bool) -> Model:
    """A model of the same probabilities, with the lowest L2 penalty."""
    with np.errstate(all="ignore"):  # looked at when it is evaluated
        weights = weights - weights.mean(axis=1, keepdims=True)
        return weights, bias - bias.mean() if fit_intercept else bias


def best_shifts(weights: FloatArray, l1_penalty: float, l2_penalty: float) -> FloatArray:
    """What to take from all classes' weights of each feature, to lower the penalty the most.

    It is the median of the weights and of where the penalty's derivative is zero between them. No
    probability changes, and coordinate descent hardly gets along that way, one class at a time.

    Parameters
    ----------
    weights : ndarray of shape (n_features, n_classes)
    l1_penalty, l2_penalty : float
        The first is above zero.

    Returns
    -------
    ndarray of shape (n_features, 1)
        Elements of `weights` as a rule, so that differences to them are exact zeros.
    """
    n_classes = weights.shape[1]
    if l2_penalty == 0.0:
        ordered = np.sort(weights, axis=1)
        lower, upper = ordered[:, (n_classes - 1) // 2], ordered[:, n_classes // 2]
        shifts: FloatArray = np.clip(0.0, lower, upper)[:, None]
        return shifts
    balance: FloatArray = n_classes - 2.0 * np.arange(n_classes + 1)
    sums = weights.sum(axis=1, keepdims=True)
    between = (sums + l1_penalty / l2_penalty * balance) / n_classes
    shifts = np.median(np.hstack([weights, between]), axis=1)[:, None]
    return shifts.astype(np.float64, copy=False)
