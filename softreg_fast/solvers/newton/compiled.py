"""Newton's method for few unknowns of few rows, in compiled code."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..._typing import FloatArray, Model
from ...data.problem import Problem
from ...kernels import weighted_gram as kernels
from ...kernels.newton import follow_by_newton
from ...objective.coordinates import Coordinates
from ...objective.dense import LossAndGradient
from ...objective.moments import FeatureSums
from ...objective.optimality import slope_divisors
from ...runtime import tuning
from ...runtime.workspace import aligned_zeros, round_up
from ..base import SolverOptions
from ..observer import Iteration, Observer
from .hessian import make_squares
from .subsample import Sample

_MOST_STEPS = 64
# A fit on a path has some.
_LIKELY_STEPS = 4
# Of the tolerance of the gap, that of the gradient which is likely to satisfy it.
_SHARE_OF_GAP = 1e-2


@dataclass(frozen=True)
class Descent:
    """Where steps have led.

    Attributes
    ----------
    coordinates : Coordinates
    fixed_bias : ndarray of shape (n_columns,)
        The model's, if it has no intercept.
    variables, gradient : ndarrays of shape (n_unknowns, n_columns)
        The point, and the derivatives of the loss there, per unit of weight.
    loss : float
        Per unit of weight.
    objectives : list of float
        After each step.
    largest_slope : float
        Of the objective, by a model, over the features' divisors.
    was_interrupted : bool
        Whether an observer has ended the steps.
    """

    coordinates: Coordinates
    fixed_bias: FloatArray
    variables: FloatArray
    gradient: FloatArray
    loss: float
    objectives: list[float]
    largest_slope: float
    was_interrupted: bool = False

    @cached_property
    def model(self) -> Model:
        """Weights and bias."""
        return self.coordinates.model_of(self.variables, self.fixed_bias)

    def totals(self, total_weight: float) -> LossAndGradient:
        """Of the model."""
        by_weights, by_bias = self.coordinates.model_gradient_of(self.gradient, self.fixed_bias)
        return LossAndGradient(
            self.loss * total_weight, by_weights * total_weight, by_bias * total_weight
        )


class FewUnknowns:
    """Steps of Newton's method over a sample that is all rows.

    Parameters
    ----------
    problem : Problem
        With a convex loss and without an L1 penalty. Its rows are those of the sample.
    sums : FeatureSums
        Of its features.
    coordinates : Coordinates
    sample : Sample
    n_columns : int
    """

    def __init__(
        self,
        problem: Problem,
        sums: FeatureSums,
        coordinates: Coordinates,
        sample: Sample,
        n_columns: int,
    ) -> None:
        self._sums = sums
        self._coordinates = coordinates
        self._sample = sample
        self._specialisation = kernels.choose_squares_specialisation()
        n_rows, n_unknowns = len(sample.features), sample.n_unknowns
        n_padded = round_up(n_rows, self._specialisation.row_multiple)
        self._columns = aligned_zeros((n_unknowns, n_padded), np.float64)
        self._columns[:, :n_rows] = sample.features[:, :n_unknowns].T
        self._targets, self._weights = np.zeros((2, 1, n_padded))
        self._targets[0, :n_rows] = problem.targets[sample.rows]
        n_pairs = n_columns * (n_columns + 1) // 2
        size = n_columns * n_unknowns
        self._scratch = (
            np.zeros((n_columns, n_padded)),
            np.empty((2, n_padded)),
            np.empty((n_pairs, n_rows)),
            np.empty((self._specialisation.rows, kernels.TILE_ROWS)),
            make_squares(sample, n_pairs),
            np.empty((size, size)),
        )
        self._scratch_of_points = np.empty((3, n_columns, n_unknowns))
        n_products = n_rows * (n_pairs * n_unknowns**2 + 3 * size) + size**3
        self._steps_per_call = max(1, tuning.PRODUCTS_PER_CALL // n_products)

    def follow(
        self, problem: Problem, l2_penalties: Sequence[float], start: Model, options: SolverOptions
    ) -> Iterator[Descent]:
        """Minimise for one penalty after the other, each from where the last has led.

        Steps are taken until the gradient is small, rounding lets none lead lower, or there have
        been many.

        Parameters
        ----------
        problem : Problem
            Of the same rows; weights may be others.
        l2_penalties : sequence of float
            Those of the problem don't count.
        start : tuple of weights and bias
        options : SolverOptions
        """
        self._weigh(problem)
        n_steps = self._most_steps(options)
        n_together = max(1, self._steps_per_call // _LIKELY_STEPS)
        point = self._point_of(start)
        for first in range(0, len(l2_penalties), n_together):
            penalties = l2_penalties[first : first + n_together]
            for found in self._descend(problem, penalties, point, start[1], options, n_steps):
                point = np.ascontiguousarray(found.variables.T)
                yield found

    def minimise(
        self, problem: Problem, start: Model, options: SolverOptions, observer: Observer | None
    ) -> Descent:
        """Minimise the objective of a problem of the same rows; see `follow`.

        An observer is told of each step, which takes a call for each: the steps are the same.
        """
        if observer is None:
            (found,) = self.follow(problem, [problem.l2_penalty], start, options)
            return found
        self._weigh(problem)
        objectives: list[float] = []
        point = self._point_of(start)
        while True:
            n_steps = min(1, self._most_steps(options) - len(objectives))
            (found,) = self._descend(
                problem, [problem.l2_penalty], point, start[1], options, n_steps
            )
            if not found.objectives:
                return replace(found, objectives=objectives)
            observer.begin_iteration()
            objectives += found.objectives
            here = found.model
            iteration = Iteration(objectives[-1], lambda here=here: here)  # type: ignore[misc]
            if observer.end_iteration(iteration):
                return replace(found, objectives=objectives, was_interrupted=True)
            point = np.ascontiguousarray(found.variables.T)

    def _weigh(self, problem: Problem) -> None:
        weights = problem.weights(self._sample.rows)
        self._weights[0, : len(self._sample.features)] = weights / problem.total_weight

    def _most_steps(self, options: SolverOptions) -> int:
        return min(_MOST_STEPS, options.max_iterations, self._steps_per_call)

    def _point_of(self, model: Model) -> FloatArray:
        with np.errstate(all="ignore"):  # the caller looks at it
            return np.ascontiguousarray(self._coordinates.point_of(*model).T)

    def _descend(
        self,
        problem: Problem,
        l2_penalties: Sequence[float],
        start: FloatArray,
        bias: FloatArray,
        options: SolverOptions,
        n_steps: int,
    ) -> Iterator[Descent]:
        """At most so many steps for each penalty."""
        tolerance = options.tolerance.gradient
        if options.tolerance.gap is not None:
            tolerance = _SHARE_OF_GAP * options.tolerance.gap
        of_penalties = [replace(problem, l2_penalty=l2_penalty) for l2_penalty in l2_penalties]
        total_weight = problem.total_weight
        all_penalties = np.array(
            [
                self._coordinates.penalties_of(each.l2_penalty / total_weight)
                for each in of_penalties
            ]
        )
        all_divisors = np.array([slope_divisors(each, self._sums) for each in of_penalties])
        n_penalties = len(all_penalties)
        points, gradients = np.empty((2, n_penalties, *start.shape))
        objectives = np.empty((n_penalties, 1 + n_steps))
        largest = np.empty(n_penalties)
        n_taken = np.empty(n_penalties, np.int64)
        follow_by_newton.specialise(self._specialisation)(
            self._sample.features,
            self._columns,
            self._targets,
            self._weights,
            all_penalties,
            self._coordinates.means,
            self._coordinates.scales,
            all_divisors,
            tolerance,
            self._specialisation.blocks,
            *self._scratch,
            start,
            self._scratch_of_points,
            points,
            gradients,
            objectives,
            largest,
            n_taken,
        )
        for place, penalties in enumerate(all_penalties):
            point = points[place]
            values = objectives[place, : 1 + n_taken[place]].tolist()
            with np.errstate(all="ignore"):
                changes = penalties * point
                loss = values[-1] - 0.5 * float(np.vdot(changes, point))
                gradient = (gradients[place] - changes).T
            yield Descent(
                self._coordinates, bias, point.T, gradient, loss, values[1:], float(largest[place])
            )


def are_few(problem: Problem, sample: Sample, options: SolverOptions, bias: FloatArray) -> bool:
    """Whether there are few unknowns, of rows that are all in the sample, of a smooth objective."""
    has_bias_to_keep = not options.fit_intercept and bool(bias.any())
    return (
        sample.is_whole
        and not problem.is_table
        and sample.n_unknowns * len(bias) <= tuning.MOST_UNKNOWNS_OF_COMPILED_STEPS
        and problem.l1_penalty == 0.0
        and not has_bias_to_keep
    )
