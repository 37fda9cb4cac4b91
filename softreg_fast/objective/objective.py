"""The objective of a problem: loss and penalty, and whether a model is its minimum."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._typing import FloatArray, Model
from ..data.problem import Problem
from ..runtime.blas import inner_product
from .coordinates import Coordinates
from .dense import LossAndGradient
from .duality_gap import bound_objective
from .moments import FeatureSums
from .optimality import (
    Optimality,
    Slopes,
    Tolerance,
    judge,
    slope_divisors,
    slopes_of,
)
from .passes import AnyAccumulator
from .penalty import shortest_slopes, sum_absolute
from .rounding import BoundedEvaluation, bounded_evaluation

_DOUBLE = np.dtype(np.float64)
# Of the tolerance, errors of the gradient that passes of the kernels can't get below it.
_HOPELESS_ERROR = 0.5


@dataclass(frozen=True)
class Evaluation:
    """The objective at a model, and its gradient, per unit of weight.

    Attributes
    ----------
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    totals : LossAndGradient
        Sums over the rows.
    objective : float
    weights_gradient : ndarray of shape (n_features, n_columns)
        Without that of an L1 penalty.
    bias_gradient : ndarray of shape (n_columns,)
    gradient_norm : float
        The largest absolute component of the shortest subgradient by weights and bias, over the
        features' divisors.
    coordinates : Coordinates
        Those of the objective.
    known_variables : ndarray of shape (n_unknowns, n_columns) or None
        The model in these, if it was given in them.
    """

    weights: FloatArray
    bias: FloatArray
    totals: LossAndGradient
    objective: float
    weights_gradient: FloatArray
    bias_gradient: FloatArray
    gradient_norm: float
    coordinates: Coordinates
    known_variables: FloatArray | None = None

    @cached_property
    def variables(self) -> FloatArray:
        """The model in the coordinates of the objective, shape (n_unknowns, n_columns)."""
        if self.known_variables is not None:
            return self.known_variables
        return self.coordinates.point_of(self.weights, self.bias)

    @cached_property
    def gradient(self) -> FloatArray:
        """By the variables, without that of an L1 penalty, shape (n_unknowns, n_columns)."""
        return self.coordinates.gradient_of(self.weights_gradient, self.bias_gradient)

    @property
    def model(self) -> Model:
        """Weights and bias."""
        return self.weights, self.bias

    @property
    def largest_component(self) -> float:
        """Of the gradient by the variables, absolute."""
        return float(np.abs(self.gradient).max())


class Objective:
    """The objective of a problem, for one model after another.

    Parameters
    ----------
    problem : Problem
    accumulator : accumulator or None
        Of this problem; not needed where totals are known.
    sums : FeatureSums
        Of its features.
    coordinates : Coordinates
    tolerance : Tolerance
    fixed_bias : ndarray of shape (n_columns,)
        The bias of all models, if there is no intercept.
    """

    def __init__(
        self,
        problem: Problem,
        accumulator: AnyAccumulator | None,
        sums: FeatureSums,
        coordinates: Coordinates,
        tolerance: Tolerance,
        fixed_bias: FloatArray,
    ) -> None:
        self._problem = problem
        self._accumulator = accumulator
        self.sums = sums
        self.coordinates = coordinates
        self._tolerance = tolerance
        self._fit_intercept = coordinates.fit_intercept
        self.fixed_bias = fixed_bias
        self._total_weight = problem.total_weight
        self.penalty = problem.l2_penalty / self._total_weight
        self.l1_penalty = problem.l1_penalty / self._total_weight
        self.is_grouped = problem.is_grouped
        self._bounded: tuple[Evaluation, BoundedEvaluation] | None = None
        self._sloped: tuple[Evaluation, Slopes] | None = None

    @cached_property
    def divisors(self) -> FloatArray:
        """Of the gradient's components; see `optimality.slope_divisors`."""
        return slope_divisors(self._problem, self.sums)

    def shortest_slopes(self, slopes: FloatArray, weights: FloatArray) -> FloatArray:
        """The shortest subgradient by weights, given the gradient without the L1 penalty."""
        return shortest_slopes(slopes, weights, self.l1_penalty, is_grouped=self.is_grouped)

    def evaluate(self, variables: FloatArray) -> Evaluation:
        """The objective and its gradient, by a pass over the rows."""
        assert self._accumulator is not None
        weights, bias = self.coordinates.model_of(variables, self.fixed_bias)
        return self._evaluation(weights, bias, self._accumulator.evaluate(weights, bias), variables)

    def evaluation_of(
        self, weights: FloatArray, bias: FloatArray, totals: LossAndGradient
    ) -> Evaluation:
        """Of a model of known totals."""
        return self._evaluation(weights, bias, totals)

    def _evaluation(
        self,
        weights: FloatArray,
        bias: FloatArray,
        totals: LossAndGradient,
        variables: FloatArray | None = None,
    ) -> Evaluation:
        objective = totals.loss / self._total_weight
        weights_gradient = totals.weights_gradient / self._total_weight
        if self.penalty > 0.0:
            objective += 0.5 * self.penalty * inner_product(weights, weights)
            weights_gradient += self.penalty * weights
        bias_gradient = totals.bias_gradient / self._total_weight
        if self.l1_penalty > 0.0:
            absolute = sum_absolute(weights, is_grouped=self.is_grouped)
            objective += self.l1_penalty * absolute
        slopes = self.shortest_slopes(weights_gradient, weights)
        largest = float((np.abs(slopes).max(axis=1) / self.divisors).max())
        if self._fit_intercept:
            largest = max(largest, float(np.abs(bias_gradient).max()))
        return Evaluation(
            weights,
            bias,
            totals,
            objective,
            weights_gradient,
            bias_gradient,
            largest,
            self.coordinates,
            variables,
        )

    def _bounded_at(self, point: Evaluation) -> BoundedEvaluation:
        """What follows from a point's totals; the last point's is remembered."""
        if self._bounded is None or self._bounded[0] is not point:
            evaluation = bounded_evaluation(self.sums, point.totals, point.weights, point.bias)
            self._bounded = point, evaluation
        return self._bounded[1]

    def _slopes_at(self, point: Evaluation) -> Slopes:
        """The gradient there and its errors; the last point's are remembered."""
        if self._sloped is None or self._sloped[0] is not point:
            slopes = slopes_of(
                self._problem,
                self.sums,
                self._bounded_at(point),
                self.divisors,
                _DOUBLE,
                fit_intercept=self._fit_intercept,
            )
            self._sloped = point, slopes
        return self._sloped[1]

    def bound_gap(self, point: Evaluation) -> float:
        """See `duality_gap.Bounds`."""
        bounds = bound_objective(
            self._problem,
            self.sums,
            self._bounded_at(point),
            fit_intercept=self._fit_intercept,
        )
        return bounds.gap

    def is_optimal(self, point: Evaluation) -> bool:
        """Whether the point satisfies the tolerance, as far as passes of the kernels can tell."""
        if self._tolerance.gap is not None:
            return self.bound_gap(point) <= self._tolerance.gap
        tolerance = self._tolerance.gradient
        if not point.gradient_norm <= tolerance:
            return False
        slopes = self._slopes_at(point)
        return slopes.are_within(tolerance) or slopes.largest_error > _HOPELESS_ERROR * tolerance

    def is_rounding(self, point: Evaluation) -> bool:
        """Whether the gradient there is nothing but rounding."""
        return point.gradient_norm <= self._slopes_at(point).largest_error

    def judge(self, point: Evaluation) -> Optimality:
        """How good a point is that a solver ends at."""
        return judge(
            self._problem,
            self.sums,
            point.weights,
            point.bias,
            _DOUBLE,
            self._tolerance,
            fit_intercept=self._fit_intercept,
            seen=(self._bounded_at(point), self._slopes_at(point)),
            divisors=self.divisors,
        )
