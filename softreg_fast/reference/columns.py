"""Coordinate descent over columns of features, all classes of a column at once."""

import numpy as np

from .._typing import FloatArray


def take_slopes(
    probabilities: FloatArray, row_weights: FloatArray, changes: FloatArray
) -> FloatArray:
    """How the derivatives of a convex loss by the logits change with these, to first order.

    Parameters
    ----------
    probabilities : ndarray of shape (n_rows, n_columns)
        Of all classes, or of the second of two.
    row_weights : ndarray of shape (n_rows,)
    changes : ndarray of shape (n_rows, n_columns)
        Of the logits.

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
    """
    means = np.sum(probabilities * changes, axis=1, keepdims=True)
    slopes: FloatArray = row_weights[:, None] * probabilities * (changes - means)
    return slopes


def descend_columns(
    features: FloatArray,
    order: list[int],
    penalties: tuple[FloatArray, FloatArray],
    most_changes: FloatArray,
    row_weights: FloatArray,
    probabilities: FloatArray,
    factors: FloatArray,
    slopes: FloatArray,
    weights: FloatArray,
    *,
    is_grouped: bool = False,
    tilts: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A sweep of coordinate descent on a quadratic model of the loss, plus penalties.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_features)
    order : list of int
        The features that are taken.
    penalties : tuple of ndarrays of shape (n_features,)
        Of absolute weights, and of half of their squares.
    most_changes : ndarray of shape (n_features,)
    row_weights : ndarray of shape (n_rows,)
    probabilities : ndarray of shape (n_rows, n_columns)
        Of all classes, or of the second of two.
    factors : ndarray of shape (n_features,)
        What the classes' second derivatives are multiplied by.
    slopes : ndarray of shape (n_rows, n_columns)
        Derivatives of the model by the logits.
    weights : ndarray of shape (n_features, n_columns)
    is_grouped : bool, default=False
        Whether norms are penalised instead of absolute weights, each that of a feature's weights.
    tilts : ndarray of shape (n_features, n_columns) or None, default=None
        Derivatives of the model by the weights that don't follow from the rows' slopes.

    Returns
    -------
    slopes, weights : ndarrays
        Afterwards.
    violations : ndarray of shape (n_features,)
        Sums of the shortest subgradients, absolute, before a feature was changed.
    """
    slopes, weights = slopes.copy(), weights.copy()
    violations = np.zeros(len(weights))
    for feature in order:
        column = features[:, feature]
        l1, l2 = penalties[0][feature], penalties[1][feature]
        before = weights[feature].copy()
        slope = column @ slopes + l2 * before
        if tilts is not None:
            slope += tilts[feature]
        own = (row_weights * column**2) @ (probabilities * (1.0 - probabilities))
        most = most_changes[feature]
        if is_grouped and l1 > 0.0:
            curvature = np.maximum(factors[feature] * own.max() + l2, 1e-30)
            wanted = before - slope / curvature
            norm = float(np.linalg.norm(wanted))
            after = wanted * (1.0 - l1 / (curvature * norm) if curvature * norm > l1 else 0.0)
            change = after - before
            change *= min(1.0, most / max(np.abs(change).max(), most))
            if before.any():
                shortest = slope + l1 * before / np.linalg.norm(before)
            else:
                shortest = slope * max(1.0 - l1 / max(float(np.linalg.norm(slope)), 1e-300), 0.0)
        else:
            curvature = np.maximum(factors[feature] * own + l2, 1e-30)
            wanted = before - slope / curvature
            after = np.sign(wanted) * np.maximum(np.abs(wanted) - l1 / curvature, 0.0)
            change = np.clip(after - before, -most, most)
            at_zero = np.maximum(np.abs(slope) - l1, 0.0)
            shortest = np.where(before == 0.0, at_zero, np.abs(slope + l1 * np.sign(before)))
        weights[feature] = before + change
        violations[feature] = np.abs(shortest).sum()
        changes = np.outer(column, weights[feature] - before)
        slopes += take_slopes(probabilities, row_weights, changes)
    return slopes, weights, violations
