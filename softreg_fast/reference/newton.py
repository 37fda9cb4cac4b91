"""Second derivatives, and what Newton's method makes of them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray
from ..objective.functions import softmax
from .model import IDENTITY, accumulate


def sum_features(
    features: FloatArray,
    targets: npt.NDArray[Any],
    sample_weight: FloatArray,
    n_classes: int,
    origin: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Weighted sums of the features of each class, and of all squares.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,)
    n_classes : int
    origin : ndarray of shape (n_features,)
        What the features are taken less.

    Returns
    -------
    by_class : ndarray of shape (n_classes, n_features)
    squares : ndarray of shape (n_features,)
    """
    centred = features - origin
    membership = np.arange(n_classes)[:, None] == targets
    return (membership * sample_weight) @ centred, sample_weight @ centred**2


def weigh_squares(features: FloatArray, all_weights: FloatArray) -> FloatArray:
    """``features.T @ (weights * features)`` for sets of weights of the rows.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_features)
    all_weights : ndarray of shape (n_sets, n_rows)

    Returns
    -------
    ndarray of shape (n_sets, n_features, n_features)
    """
    squares: FloatArray = np.einsum("if,si,ig->sfg", features, all_weights, features)
    return squares


def complete_derivatives(
    features: FloatArray,
    point: FloatArray,
    row_weights: FloatArray,
    penalties: FloatArray,
    *,
    makes_regular: bool,
) -> FloatArray:
    """Second derivatives of loss and penalty by the coefficients of all classes.

    Of a convex loss.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_unknowns)
    point : ndarray of shape (n_unknowns, n_classes)
    row_weights : ndarray of shape (n_rows,)
    penalties : ndarray of shape (n_unknowns,)
    makes_regular : bool
        Whether to add, where both coefficients are of the same feature, their largest over the
        number of classes. Otherwise they are singular, since what adds the same to all classes
        changes no loss.

    Returns
    -------
    ndarray of shape (n_classes * n_unknowns, n_classes * n_unknowns)
    """
    n_unknowns, n_classes = point.shape
    probabilities = softmax(features @ point)
    curvatures = np.einsum("ik,kl->ikl", probabilities, np.eye(n_classes))
    curvatures -= probabilities[:, :, None] * probabilities[:, None, :]
    blocks = np.einsum(
        "if,i,ikl,ig->kflg", features, row_weights, curvatures, features, optimize=True
    )
    np.einsum("kfkf->kf", blocks)[...] += penalties
    largest = np.einsum("kfkf->kf", blocks).max()
    if makes_regular:
        blocks += largest / n_classes * np.eye(n_unknowns)[None, :, None, :]
    matrix: FloatArray = blocks.reshape(n_classes * n_unknowns, -1)
    return matrix


def minimise_by_newton(
    features: FloatArray,
    targets: npt.NDArray[np.integer],
    row_weights: FloatArray,
    penalties: FloatArray,
    tolerance: float,
    point: FloatArray,
    n_steps: int,
) -> tuple[FloatArray, list[float]]:
    """Newton's method for a convex loss: each step halved until it leads lower.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_unknowns)
    targets : ndarray of shape (n_rows,)
    row_weights : ndarray of shape (n_rows,)
    penalties : ndarray of shape (n_unknowns,)
        The penalty's second derivatives.
    tolerance : float
        Of the largest component of the gradient.
    point : ndarray of shape (n_unknowns, n_columns)
        The start.
    n_steps : int
        At most.

    Returns
    -------
    point : ndarray of shape (n_unknowns, n_columns)
    objectives : list of float
        At the start and after each step.
    """
    n_unknowns, n_columns = point.shape

    def evaluate(point: FloatArray) -> tuple[float, FloatArray]:
        loss, _, gradient, _ = accumulate(
            features, targets, row_weights, point, np.zeros(n_columns), IDENTITY, "exact"
        )
        slopes: FloatArray = gradient + penalties[:, None] * point
        return float(loss + 0.5 * penalties @ (point**2).sum(axis=1)), slopes

    value, gradient = evaluate(point)
    objectives = [value]
    while len(objectives) <= n_steps and np.abs(gradient).max() > tolerance:
        if n_columns == 1:
            probabilities = 1.0 / (1.0 + np.exp(-(features @ point)[:, 0]))
            curvatures = row_weights * probabilities * (1.0 - probabilities)
            matrix: FloatArray = (features.T * curvatures) @ features + np.diag(penalties)
        else:
            matrix = complete_derivatives(
                features, point, row_weights, penalties, makes_regular=True
            )
        step = np.linalg.solve(matrix, gradient.T.ravel()).reshape(n_columns, n_unknowns).T
        length = 1.0
        while evaluate(point - length * step)[0] > value - 1e-4 * length * np.vdot(gradient, step):
            length *= 0.5
        point = point - length * step
        value, gradient = evaluate(point)
        objectives.append(value)
    return point, objectives


def descend_coordinates(
    matrix: FloatArray,
    current: FloatArray,
    penalties: FloatArray,
    slopes: FloatArray,
    n_sweeps: int,
) -> FloatArray:
    """Minimise ``slopes @ step + step @ matrix @ step / 2 + penalties @ abs(current + step)``.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
    current, penalties, slopes : ndarrays of shape (n,)
    n_sweeps : int
        Over all coordinates.

    Returns
    -------
    ndarray of shape (n,)
    """
    step = np.zeros_like(current)
    for _ in range(n_sweeps):
        for place in range(len(step)):
            curvature = matrix[place, place]
            if curvature <= 0.0:
                continue
            before = current[place] + step[place]
            wanted = before - (slopes[place] + matrix[place] @ step) / curvature
            after = np.sign(wanted) * max(abs(wanted) - penalties[place] / curvature, 0.0)
            step[place] = after - current[place]
    return step
