"""Standard errors of the coefficients, by the second derivatives at the optimum.

Without a penalty, coefficients are contrasts to the first class, and their covariance is the
inverse of the information (McCullagh and Nelder, Generalized linear models, 1989, 5.2; what
statsmodels' `MNLogit` gives). With an L2 penalty, which treats all classes alike, the covariance is
the sandwich ``inv(H) @ S @ inv(H)``, where ``H`` are the second derivatives of the penalised
objective and ``S`` the rows' weighted squares of the loss' derivatives (White, Maximum likelihood
estimation of misspecified models, 1982): it is that of the estimates about the penalised optimum,
and says nothing of how far the penalty has drawn that towards zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import log_ndtr, ndtri

from .._typing import FloatArray
from ..data.problem import Problem
from ..objective.coordinates import Coordinates
from .curvature import find_curvature


@dataclass(frozen=True)
class Estimate:
    """A model at its optimum, and the covariance of its unknowns.

    Unknowns are those of the contrasts, in coordinates: the model's columns move by
    ``contrasts.T @ unknowns``.

    Attributes
    ----------
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    coordinates : Coordinates
    contrasts : ndarray of shape (n_contrasts, n_columns)
    root : ndarray of shape (n_contrasts * n_unknowns, n_roots)
        Of the covariance: its product with its transpose.
    is_penalised : bool
    classes, names : tuples
        Of the classes and of the features.
    """

    weights: FloatArray
    bias: FloatArray
    coordinates: Coordinates
    contrasts: FloatArray
    root: FloatArray
    is_penalised: bool
    classes: tuple[Any, ...]
    names: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Where the covariance is from."""
        return "sandwich" if self.is_penalised else "information"

    @property
    def n_columns(self) -> int:
        """Of the model: one for two classes."""
        return len(self.bias)

    @property
    def roots(self) -> FloatArray:
        """The root, of shape (n_contrasts, n_unknowns, n_roots)."""
        return self.root.reshape(len(self.contrasts), self.coordinates.n_unknowns, -1)

    def combine(self, combinations: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Coefficients of combinations of the columns, and their standard errors.

        Parameters
        ----------
        combinations : ndarray of shape (n_rows, n_columns)
            Each the sum of zero without a penalty, unless there is one column.

        Returns
        -------
        coefficients, errors : ndarrays of shape (n_rows, n_features + 1)
            The intercept first, where there is one.
        """
        coordinates = self.coordinates
        n_features, size = len(coordinates.scales), coordinates.n_unknowns
        to_columns = np.zeros((size, size))
        features = np.arange(n_features)
        to_columns[features + (size - n_features), features] = 1.0 / coordinates.scales
        model = self.weights.T
        if coordinates.fit_intercept:
            to_columns[0, :n_features] = -coordinates.means / coordinates.scales
            to_columns[0, n_features] = 1.0
            model = np.column_stack([self.bias, model])
        roots = np.einsum("cf,afr->car", to_columns, self.roots, optimize=True)
        to_contrasts = combinations @ self.contrasts.T
        errors = np.empty((len(combinations), size))
        for row, of_row in enumerate(to_contrasts):
            errors[row] = np.sqrt(np.sum(np.einsum("a,car->cr", of_row, roots) ** 2, axis=1))
        return combinations @ model, errors


def quantile_of(confidence: float) -> float:
    """Half of a confidence interval's width, in standard errors."""
    return float(ndtri(0.5 + 0.5 * confidence))


def wald_statistics(
    values: FloatArray, errors: FloatArray, confidence: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """What values and their standard errors say, by the normal distribution.

    Returns
    -------
    z : ndarray
        Values over their standard errors; zero for a value of zero that has no error.
    p_values : ndarray
        Of a value of zero, two-sided.
    lower, upper : ndarrays
        Limits of confidence intervals.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where((values == 0.0) & (errors == 0.0), 0.0, values / errors)
    reach = quantile_of(confidence) * errors
    return z, 2.0 * np.exp(log_ndtr(-np.abs(z))), values - reach, values + reach


def estimate(
    problem: Problem,
    weights: FloatArray,
    bias: FloatArray,
    *,
    fit_intercept: bool,
    classes: Sequence[Any],
    names: Sequence[str],
    n_threads: int | None = None,
) -> Estimate:
    """The covariance of a model at its optimum.

    Parameters
    ----------
    problem, weights, bias, fit_intercept, n_threads
        See `find_curvature`.
    classes, names : sequences
        Of the classes and of the features.

    Raises
    ------
    ValueError
        See `find_curvature`.
    """
    found = find_curvature(
        problem,
        weights,
        bias,
        fit_intercept=fit_intercept,
        purpose="standard errors",
        names=names,
        n_threads=n_threads,
    )
    return Estimate(
        weights,
        bias,
        found.coordinates,
        found.contrasts,
        found.root,
        problem.l2_penalty > 0.0,
        tuple(classes),
        tuple(names),
    )
