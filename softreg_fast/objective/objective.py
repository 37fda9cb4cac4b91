"""The objective of a problem: loss and penalty, and whether a model is its minimum."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._typing import FloatArray
from ..data.problem import Problem
from .coordinates import Coordinates
from .dense import Accumulator, Totals
from .duality_gap import bound_objective
from .moments import FeatureSums
from .optimality import (
    Quality,
    Slopes,
    Tolerance,
    judge,
    shortest_slopes,
    slope_divisors,
    slopes_of,
)
from .rounding import Evaluation, evaluation_of
from .sparse import SparseAccumulator

_DOUBLE = np.dtype(np.float64)
# Of the tolerance, errors of the gradient that passes of the kernels can't get below it.
_HOPELESS_ERROR = 0.5


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
    tolerance : Tolerance
    fit_intercept : bool
        Whether the bias is a variable of the problem.
    """

    def __init__(
        self,
        problem: Problem,
        accumulator: Accumulator | SparseAccumulator | None,
        sums: FeatureSums,
        tolerance: Tolerance,
        *,
        fit_intercept: bool,
    ) -> None:
        self._problem = problem
        self._accumulator = accumulator
        self.sums = sums
        self._tolerance = tolerance
        self._fit_intercept = fit_intercept
        self._total_weight = problem.total_weight
        self.penalty = problem.l2_penalty / self._total_weight
        self.l1_penalty = problem.l1_penalty / self._total_weight
        self._evaluated: tuple[Point, Evaluation] | None = None
        self._sloped: tuple[Point, Slopes] | None = None

    @cached_property
    def divisors(self) -> FloatArray:
        """Of the gradient's components; see `optimality.slope_divisors`."""
        return slope_divisors(self._problem, self.sums)

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
        if self._fit_intercept:
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
            evaluation = evaluation_of(self.sums, point.totals, point.weights, point.bias)
            self._evaluated = point, evaluation
        return self._evaluated[1]

    def _slopes_at(self, point: Point) -> Slopes:
        """The gradient there and its errors; the last point's are remembered."""
        if self._sloped is None or self._sloped[0] is not point:
            slopes = slopes_of(
                self._problem,
                self.sums,
                self._evaluation_at(point),
                self.divisors,
                _DOUBLE,
                fit_intercept=self._fit_intercept,
            )
            self._sloped = point, slopes
        return self._sloped[1]

    def bound_gap(self, point: Point) -> float:
        """See `certificate.Bounds`."""
        bounds = bound_objective(
            self._problem,
            self.sums,
            self._evaluation_at(point),
            fit_intercept=self._fit_intercept,
        )
        return bounds.gap

    def is_optimal(self, point: Point) -> bool:
        """Whether the point satisfies the tolerance, as far as passes of the kernels can tell."""
        if self._tolerance.gap is not None:
            return self.bound_gap(point) <= self._tolerance.gap
        tolerance = self._tolerance.gradient
        if not point.gradient_norm <= tolerance:
            return False
        slopes = self._slopes_at(point)
        return slopes.are_within(tolerance) or slopes.largest_error > _HOPELESS_ERROR * tolerance

    def is_rounding(self, point: Point) -> bool:
        """Whether the gradient there is nothing but rounding."""
        return point.gradient_norm <= self._slopes_at(point).largest_error

    def judge(self, point: Point) -> Quality:
        """How good a point is that a solver ends at."""
        return judge(
            self._problem,
            self.sums,
            point.weights,
            point.bias,
            _DOUBLE,
            self._tolerance,
            fit_intercept=self._fit_intercept,
            seen=(self._evaluation_at(point), self._slopes_at(point)),
            divisors=self.divisors,
        )
