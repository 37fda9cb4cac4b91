"""Newton's method for few unknowns of few rows, in compiled code."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..accumulator import Totals
from ..definitions import FloatArray, Model
from ..kernels import squares as kernels
from ..kernels.newton import follow_by_newton
from ..layout import aligned_zeros, round_up
from ..problem import Problem
from .coordinates import Coordinates
from .derivatives import make_squares
from .exact import ExactSettings
from .sample import Sample

# Above, what Python takes between steps is little, and LAPACK is faster.
_MOST_UNKNOWNS = 160
_MOST_STEPS = 64
# A fit on a path has some.
_LIKELY_STEPS = 4
# Between two calls an interrupt is answered.
_PRODUCTS_PER_CALL = 200_000_000
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
        Of the objective, by a model.
    """

    coordinates: Coordinates
    fixed_bias: FloatArray
    variables: FloatArray
    gradient: FloatArray
    loss: float
    objectives: list[float]
    largest_slope: float

    @cached_property
    def model(self) -> Model:
        """Weights and bias."""
        return self.coordinates.model_of(self.variables, self.fixed_bias)

    def totals(self, total_weight: float) -> Totals:
        """Of the model, but for how many rows are correct."""
        by_weights, by_bias = self.coordinates.model_gradient_of(self.gradient, self.fixed_bias)
        return Totals(
            self.loss * total_weight, np.nan, by_weights * total_weight, by_bias * total_weight
        )


class FewUnknowns:
    """Steps of Newton's method over a sample that is all rows.

    Parameters
    ----------
    problem : Problem
        With the identity link and without an L1 penalty. Its rows are those of the sample.
    coordinates : Coordinates
    sample : Sample
    n_columns : int
    """

    def __init__(
        self, problem: Problem, coordinates: Coordinates, sample: Sample, n_columns: int
    ) -> None:
        self._coordinates = coordinates
        self._sample = sample
        self._specialisation = kernels.choose_squares_specialisation()
        n_rows, n_unknowns = len(sample.features), sample.n_unknowns
        n_padded = round_up(n_rows, self._specialisation.lanes)
        self._columns = aligned_zeros((n_unknowns, n_padded), np.float64)
        self._columns[:, :n_rows] = sample.features[:, :n_unknowns].T
        self._targets, self._weights = np.zeros((2, 1, n_padded))
        self._targets[0, :n_rows] = problem.targets
        n_pairs = n_columns * (n_columns + 1) // 2
        size = n_columns * n_unknowns
        self._scratch = (
            *np.zeros((2, n_columns, n_padded)),
            np.empty((n_pairs, n_rows)),
            np.empty((self._specialisation.rows, kernels.TILE_ROWS)),
            make_squares(sample, n_pairs),
            np.empty((size, size)),
        )
        self._scratch_of_points = np.empty((3, n_columns, n_unknowns))
        n_products = n_rows * (n_pairs * n_unknowns**2 + 3 * size) + size**3
        self._steps_per_call = max(1, _PRODUCTS_PER_CALL // n_products)

    def follow(
        self, problem: Problem, l2_penalties: Sequence[float], start: Model, settings: ExactSettings
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
        settings : ExactSettings
        """
        n_samples, total_weight = problem.n_samples, problem.total_weight
        weights = np.ones(n_samples) if problem.sample_weight is None else problem.sample_weight
        self._weights[0, :n_samples] = weights / total_weight
        tolerance = settings.tolerance
        if settings.gap_tolerance is not None:
            tolerance = _SHARE_OF_GAP * settings.gap_tolerance
        n_steps = min(_MOST_STEPS, settings.max_iterations, self._steps_per_call)
        n_together = max(1, self._steps_per_call // _LIKELY_STEPS)
        with np.errstate(all="ignore"):  # the caller looks at it
            point = np.ascontiguousarray(self._coordinates.point_of(*start).T)
        for first in range(0, len(l2_penalties), n_together):
            penalties = [
                self._coordinates.penalties_of(l2_penalty / total_weight)
                for l2_penalty in l2_penalties[first : first + n_together]
            ]
            for found in self._descend(np.array(penalties), point, start[1], tolerance, n_steps):
                point = np.ascontiguousarray(found.variables.T)
                yield found

    def _descend(
        self,
        all_penalties: FloatArray,
        start: FloatArray,
        bias: FloatArray,
        tolerance: float,
        n_steps: int,
    ) -> Iterator[Descent]:
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


def are_few(problem: Problem, sample: Sample, settings: ExactSettings, bias: FloatArray) -> bool:
    """Whether there are few unknowns, of rows that are all in the sample, of a smooth objective."""
    has_bias_to_keep = not settings.fit_intercept and bool(bias.any())
    return (
        sample.is_whole
        and sample.n_unknowns * len(bias) <= _MOST_UNKNOWNS
        and problem.l1_penalty == 0.0
        and not has_bias_to_keep
    )
