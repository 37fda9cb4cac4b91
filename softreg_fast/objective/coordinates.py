"""Coordinates in which all features are curved alike, though nothing is copied for them."""

from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from ..data.problem import Problem
from ..runtime.blas import matrix_product
from .loss import curvature_at_zero
from .moments import FeatureSums


def _with_last_row(rows: FloatArray, last: FloatArray) -> FloatArray:
    """Like `np.vstack`, which takes twice as long."""
    stacked = np.empty((len(rows) + 1, rows.shape[1]))
    stacked[:-1] = rows
    stacked[-1] = last
    return stacked


@dataclass(frozen=True)
class Coordinates:
    """Features as solvers see them, centred and scaled; nothing is copied for it.

    A *point* is an array of shape (n_features + 1, n_columns): the weights times the features'
    scales, and below them the bias plus what the means bring; without an intercept it has no last
    row.

    Attributes
    ----------
    means, scales : ndarrays of shape (n_features,), float64
    mean_squares : ndarray of shape (n_features,), float64
        Of the features, centred and scaled.
    fit_intercept : bool
    """

    means: FloatArray
    scales: FloatArray
    mean_squares: FloatArray
    fit_intercept: bool

    @property
    def n_unknowns(self) -> int:
        """Of a class: its weights, and its bias if there is an intercept."""
        return len(self.scales) + self.fit_intercept

    def point_of(self, weights: FloatArray, bias: FloatArray) -> FloatArray:
        """Where a model is."""
        scaled = weights * self.scales[:, None]
        if not self.fit_intercept:
            return scaled
        return _with_last_row(scaled, bias + matrix_product(self.means, weights))

    def model_of(self, point: FloatArray, fixed_bias: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The model at a point: weights and bias."""
        weights = point[: len(self.scales)] / self.scales[:, None]
        if not self.fit_intercept:
            return weights, fixed_bias
        return weights, point[-1] - matrix_product(self.means, weights)

    def gradient_of(self, weights_gradient: FloatArray, bias_gradient: FloatArray) -> FloatArray:
        """The derivatives by a point, from those by a model."""
        if not self.fit_intercept:
            return weights_gradient / self.scales[:, None]
        scaled = weights_gradient - self.means[:, None] * bias_gradient
        scaled /= self.scales[:, None]
        return _with_last_row(scaled, bias_gradient)

    def model_gradient_of(
        self, gradient: FloatArray, fixed_bias: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """The derivatives by weights and bias, from those by a point.

        Without an intercept those by the bias aren't known, and zero.
        """
        scaled = gradient[: len(self.scales)] * self.scales[:, None]
        if not self.fit_intercept:
            return scaled, np.zeros(fixed_bias.shape)
        return scaled + self.means[:, None] * gradient[-1], gradient[-1]

    def penalties_of(self, l2_penalty: float) -> FloatArray:
        """Second derivatives of a penalty by each unknown of a class: none by the intercept."""
        penalties = l2_penalty / self.scales / self.scales  # whose square may underflow
        return np.append(penalties, 0.0) if self.fit_intercept else penalties


def plain_coordinates(n_features: int, *, fit_intercept: bool) -> Coordinates:
    """Coordinates that are weights and biases."""
    ones = np.ones(n_features)
    return Coordinates(np.zeros(n_features), ones, ones, fit_intercept)


def means_and_spreads(sums: FeatureSums, *, fit_intercept: bool) -> tuple[FloatArray, FloatArray]:
    """What features are taken less, and the roots of the mean squares of what is left.

    Raises
    ------
    ValueError
        A feature's square overflows.
    """
    means = sums.means if fit_intercept else np.zeros(len(sums.origin))
    with np.errstate(all="ignore"):
        spreads = sums.spreads_about(means)
        squares_are_finite = np.isfinite(spreads**2).all()
    if not (np.isfinite(means).all() and squares_are_finite):
        raise ValueError("the square of a feature overflows float64: scale the features")
    return means, spreads


def choose_coordinates(problem: Problem, sums: FeatureSums, *, fit_intercept: bool) -> Coordinates:
    """Coordinates in which loss and penalty together are curved alike along all features.

    Raises
    ------
    ValueError
        A feature's square overflows.
    """
    means, spreads = means_and_spreads(sums, fit_intercept=fit_intercept)
    penalty = problem.l2_penalty / sums.total_weight / curvature_at_zero(problem.n_classes)
    scales = np.hypot(spreads, np.sqrt(penalty))
    scales[scales == 0.0] = 1.0
    return Coordinates(means, scales, (spreads / scales) ** 2, fit_intercept)
