"""A step of Newton's method by conjugate gradients."""

import numpy as np

from .._typing import FloatArray
from .columns import take_slopes


def solve_newton_equation(
    features: FloatArray,
    probabilities: FloatArray,
    row_weights: FloatArray,
    l2_penalties: FloatArray,
    gradient: FloatArray,
    forcing: float,
) -> tuple[FloatArray, float, int]:
    """The step by which a quadratic model of the objective falls, nearly the lowest.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_features)
        Centred, and with a column of ones, if there is an intercept.
    probabilities : ndarray of shape (n_rows, n_columns)
        Of all classes, or of the second of two.
    row_weights : ndarray of shape (n_rows,)
        Shares of all. Of a single column, the second derivatives by the rows' logits.
    l2_penalties : ndarray of shape (n_features,)
    gradient : ndarray of shape (n_features, n_columns)
    forcing : float
        An iteration must lower the model by this share of the iterations' mean to be followed by
        another one.

    Returns
    -------
    step : ndarray of shape (n_features, n_columns)
    decrease : float
        Of the quadratic model.
    n_iterations : int
    """
    n_columns = gradient.shape[1]
    if n_columns == 1:
        by_logit = row_weights[:, None]
    else:
        by_logit = row_weights[:, None] * probabilities * (1.0 - probabilities)
    diagonal: FloatArray = (features**2).T @ by_logit + l2_penalties[:, None]
    inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0.0)

    def precondition(residual: FloatArray) -> FloatArray:
        quotient: FloatArray = inverse * residual
        if n_columns > 1:
            quotient -= quotient.mean(axis=1, keepdims=True)
        return quotient

    def multiply(direction: FloatArray) -> FloatArray:
        changes = features @ direction
        slopes: FloatArray = by_logit * changes
        if n_columns > 1:
            slopes = take_slopes(probabilities, row_weights, changes)
        product: FloatArray = features.T @ slopes + l2_penalties[:, None] * direction
        return product

    step = np.zeros_like(gradient)
    residual = -gradient
    direction = precondition(residual)
    product = float(np.sum(residual * direction))
    decrease = 0.0
    n_iterations = 0
    while product > 0.0:
        n_iterations += 1
        curved = multiply(direction)
        length = product / float(np.sum(direction * curved))
        step += length * direction
        residual = residual - length * curved
        gained = 0.5 * length * product
        decrease += gained
        if n_iterations * gained <= forcing * decrease:
            break
        quotient = precondition(residual)
        before, product = product, float(np.sum(residual * quotient))
        direction = quotient + product / before * direction
    return step, decrease, n_iterations
