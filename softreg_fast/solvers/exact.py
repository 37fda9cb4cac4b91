"""What exact solvers have in common: settings, what they find, and the objective."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..accumulator import Accumulator, Totals
from ..certificate import bound_objective
from ..definitions import FloatArray
from ..feature_sums import FeatureSums
from ..problem import Problem
from ..rounding import Evaluation, evaluation_of
from ..sparse_accumulator import SparseAccumulator
from .coordinates import Coordinates
from .optimality import Quality, Slopes, judge, shortest_slopes, slope_divisors, slopes_of
from .solution import Solution

_DOUBLE = np.dtype(np.float64)
# Of the tolerance, errors of the gradient that passes of the kernels can't get below it.
_HOPELESS_ERROR = 0.5
# Of the gradient, and of the objective: what counts as progress.
_PROGRESS = 0.9
_LEAST_FALL = 4.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class ExactSettings:
    """How to minimise.

    Attributes
    ----------
    tolerance : float
        Of the largest absolute component of the gradient of the objective divided by the sum of the
        rows' weights; see `optimality`.
    max_iterations : int
    fit_intercept : bool
        The bias stays as it is at the start otherwise.
    gap_tolerance : float or None
        Of a bound of (objective - optimum) / objective, in place of `tolerance`.
    """

    tolerance: float
    max_iterations: int
    fit_intercept: bool = True
    gap_tolerance: float | None = None


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


@dataclass(frozen=True)
class Point:
    """A model, where the objective was evaluated, per unit of weight.

    Attributes
    ----------
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    totals : Totals
        Of the rows.
    objective : float
    weights_gradient : ndarray of shape (n_features, n_columns)
        Without that of an L1 penalty.
    bias_gradient : ndarray of shape (n_columns,)
    gradient_norm : float
        The largest absolute component of the shortest subgradient, over the features' divisors.
    """

    weights: FloatArray
    bias: FloatArray
    totals: Totals
    objective: float
    weights_gradient: FloatArray
    bias_gradient: FloatArray
    gradient_norm: float


@dataclass(frozen=True)
class Place:
    """A point in some coordinates, and the derivatives by them.

    Attributes
    ----------
    point : Point
    variables, gradient : ndarrays of shape (n_unknowns, n_columns)
    """

    point: Point
    variables: FloatArray
    gradient: FloatArray


def _place(coordinates: Coordinates, point: Point, variables: FloatArray) -> Place:
    gradient = coordinates.gradient_of(point.weights_gradient, point.bias_gradient)
    return Place(point, variables, gradient)


class Objective:
    """The objective of a problem, for one model after another.

    Parameters
    ----------
    problem : Problem
    accumulator : Accumulator, SparseAccumulator or None
        Of this problem; not needed where totals are known.
    sums : FeatureSums
        Of its features.
    settings : ExactSettings
    """

    def __init__(
        self,
        problem: Problem,
        accumulator: Accumulator | SparseAccumulator | None,
        sums: FeatureSums,
        settings: ExactSettings,
    ) -> None:
        self._problem = problem
        self._accumulator = accumulator
        self._sums = sums
        self._settings = settings
        self._total_weight = problem.total_weight
        self.penalty = problem.l2_penalty / self._total_weight
        self.l1_penalty = problem.l1_penalty / self._total_weight
        self._evaluated: tuple[Point, Evaluation] | None = None
        self._sloped: tuple[Point, Slopes] | None = None

    @cached_property
    def divisors(self) -> FloatArray:
        """Of the gradient's components; see `optimality.slope_divisors`."""
        return slope_divisors(self._problem, self._sums)

    def evaluate(self, weights: FloatArray, bias: FloatArray) -> Point:
        """The objective and its gradient."""
        assert self._accumulator is not None
        return self.point_of(weights, bias, self._accumulator.evaluate(weights, bias))

    def point_of(self, weights: FloatArray, bias: FloatArray, totals: Totals) -> Point:
        """Of a model of known totals."""
        objective = totals.loss / self._total_weight
        weights_gradient = totals.weights_gradient / self._total_weight
        if self.penalty > 0.0:
            objective += 0.5 * self.penalty * float(np.vdot(weights, weights))
            weights_gradient += self.penalty * weights
        bias_gradient = totals.bias_gradient / self._total_weight
        if self.l1_penalty > 0.0:
            objective += self.l1_penalty * float(np.abs(weights).sum())
        slopes = shortest_slopes(weights_gradient, weights, self.l1_penalty)
        largest = float((np.abs(slopes) / self.divisors[:, None]).max())
        if self._settings.fit_intercept:
            largest = max(largest, float(np.abs(bias_gradient).max()))
        return Point(weights, bias, totals, objective, weights_gradient, bias_gradient, largest)

    def evaluate_at(
        self, coordinates: Coordinates, variables: FloatArray, fixed_bias: FloatArray
    ) -> Place:
        """The objective and its gradient at a point in coordinates."""
        point = self.evaluate(*coordinates.model_of(variables, fixed_bias))
        return _place(coordinates, point, variables)

    def place_of(
        self, coordinates: Coordinates, weights: FloatArray, bias: FloatArray, totals: Totals
    ) -> Place:
        """Where a model of known totals is."""
        point = self.point_of(weights, bias, totals)
        return _place(coordinates, point, coordinates.point_of(weights, bias))

    def _evaluation_at(self, point: Point) -> Evaluation:
        """What follows from a point's totals; the last point's is remembered."""
        if self._evaluated is None or self._evaluated[0] is not point:
            evaluation = evaluation_of(self._sums, point.totals, point.weights, point.bias)
            self._evaluated = point, evaluation
        return self._evaluated[1]

    def _slopes_at(self, point: Point) -> Slopes:
        """The gradient there and its errors; the last point's are remembered."""
        if self._sloped is None or self._sloped[0] is not point:
            slopes = slopes_of(
                self._problem,
                self._sums,
                self._evaluation_at(point),
                self.divisors,
                _DOUBLE,
                fit_intercept=self._settings.fit_intercept,
            )
            self._sloped = point, slopes
        return self._sloped[1]

    def bound_gap(self, point: Point) -> float:
        """See `certificate.Bounds`."""
        bounds = bound_objective(
            self._problem,
            self._sums,
            self._evaluation_at(point),
            fit_intercept=self._settings.fit_intercept,
        )
        return bounds.gap

    def is_optimal(self, point: Point) -> bool:
        """Whether the point satisfies the tolerance, as far as passes of the kernels can tell."""
        if self._settings.gap_tolerance is not None:
            return self.bound_gap(point) <= self._settings.gap_tolerance
        tolerance = self._settings.tolerance
        if not point.gradient_norm <= tolerance:
            return False
        slopes = self._slopes_at(point)
        return slopes.are_within(tolerance) or slopes.largest_error > _HOPELESS_ERROR * tolerance

    def minimum_of(self, point: Point, objectives: list[float]) -> Minimum:
        """The result, if the solver ends at a point."""
        quality = judge(
            self._problem,
            self._sums,
            point.weights,
            point.bias,
            _DOUBLE,
            self._settings.tolerance,
            self._settings.gap_tolerance,
            fit_intercept=self._settings.fit_intercept,
            seen=(self._evaluation_at(point), self._slopes_at(point)),
            divisors=self.divisors,
        )
        return Minimum(
            point.weights,
            point.bias,
            np.array(objectives),
            quality.converged,
            point.objective,
            quality,
            sums=self._sums,
        )


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
