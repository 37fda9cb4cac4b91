"""What solvers have in common: settings, what they return, and when they stop."""

from dataclasses import dataclass, field

import numpy as np

from .._typing import FloatArray
from ..data.problem import Problem
from ..objective.dense import Totals
from ..objective.moments import FeatureSums
from ..objective.objective import Objective, Place, Point
from ..objective.optimality import Quality, Tolerance

# Of the objective, what gradient descent may leave without a warning.
CLOSE = 0.01


@dataclass(frozen=True)
class Solution:
    """Parameters and the way there.

    Attributes
    ----------
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    objectives : ndarray of shape (n_iterations,)
        The objective after each iteration, divided by the sum of the rows' weights; of gradient
        descent with the losses as the rows were met.
    converged : bool
        Whether the solver's tolerance was reached. Gradient descent doesn't know.
    stopped : bool
        Whether gradient descent has ended before its last epoch, since the objective fell too
        little.
    remaining : float
        Of gradient descent, about (objective - optimum) / objective, or a bound of it; NaN if it
        isn't known.
    sums : FeatureSums or None
        Of the problem's features.
    totals : Totals or None
        Of the model, if gradient descent knows them.
    """

    weights: FloatArray
    bias: FloatArray
    objectives: FloatArray
    converged: bool
    stopped: bool = field(default=False, kw_only=True)
    remaining: float = field(default=float("nan"), kw_only=True)
    sums: FeatureSums | None = field(default=None, kw_only=True)
    totals: Totals | None = field(default=None, kw_only=True)

    @property
    def is_close(self) -> bool:
        """Whether gradient descent has ended where it should: close to the lowest objective."""
        return self.stopped and not self.remaining > CLOSE

    @property
    def n_iterations(self) -> int:
        """Iterations or epochs."""
        return len(self.objectives)


# Of the gradient, and of the objective: what counts as progress.
_PROGRESS = 0.9


_LEAST_FALL = 4.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class ExactSettings:
    """How to minimise.

    Attributes
    ----------
    tolerance : Tolerance
    max_iterations : int
    fit_intercept : bool
        The bias stays as it is at the start otherwise.
    """

    tolerance: Tolerance
    max_iterations: int
    fit_intercept: bool = True


@dataclass(frozen=True)
class Minimum(Solution):
    """A solution, and how good it is.

    Attributes
    ----------
    objective : float
        The objective of the problem, divided by the sum of the rows' weights.
    quality : Quality
    """

    objective: float
    quality: Quality

    @property
    def gradient_norm(self) -> float:
        """See `Quality`."""
        return self.quality.gradient_norm

    @property
    def gap(self) -> float:
        """See `Quality`."""
        return self.quality.gap


class Progress:
    """Whether iterations still lead lower, or rounding lets nothing fall any more.

    Parameters
    ----------
    place : Place
        Where they begin.
    patience : int
        How many of them may bring nothing.
    """

    def __init__(self, place: Place, patience: int) -> None:
        self.best = place
        self._patience = patience
        self._lowest: float | None = None
        self._smallest = self._norm(place)
        self._n_without = 0

    @staticmethod
    def _norm(place: Place) -> float:
        return float(np.abs(place.gradient).max())

    def goes_on(self, place: Place, value: float, least_fall: float = _LEAST_FALL) -> bool:
        """Whether it is worth going on after an iteration that has led to a place.

        Parameters
        ----------
        place : Place
        value : float
            The objective there, or its difference to that of some other place.
        least_fall : float
            Of the lowest value so far, what counts as progress.
        """
        lowest, norm = self._lowest, self._norm(place)
        has_fallen = lowest is None or value < lowest - least_fall * abs(lowest)
        self._n_without += 1
        if has_fallen or norm < _PROGRESS * self._smallest:
            self._n_without = 0
        if has_fallen or norm <= self._smallest:
            self.best = place
        self._lowest = value if lowest is None else min(lowest, value)
        self._smallest = min(self._smallest, norm)
        return self._n_without < self._patience


def check_penalty(problem: Problem) -> None:
    """Raise ValueError if the penalty per unit of weight is not finite."""
    penalty = problem.l2_penalty / problem.total_weight
    if not np.isfinite(penalty):
        raise ValueError(
            f"the penalty, {penalty:g} per unit of weight, is not finite: use a larger C"
        )


def check_start(point: Point) -> None:
    """Raise ValueError if the objective or its gradient overflows at the start."""
    if not np.isfinite([point.objective, point.gradient_norm]).all():
        raise ValueError(
            f"the objective at the start is {point.objective} and the largest component of its "
            f"gradient {point.gradient_norm}: scale the features, or start elsewhere"
        )


def minimum_of(objective: Objective, point: Point, objectives: list[float]) -> Minimum:
    """The result, if a solver ends at a point."""
    quality = objective.judge(point)
    return Minimum(
        point.weights,
        point.bias,
        np.array(objectives),
        quality.converged,
        point.objective,
        quality,
        sums=objective.sums,
    )
