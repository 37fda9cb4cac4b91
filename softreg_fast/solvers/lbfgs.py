"""L-BFGS: the limited-memory BFGS method on the fused pass over all rows.

It works in variables in which all features have about the same curvature (`coordinates`): badly
scaled features would cost it thousands of iterations. Objective and penalty are those of the
problem all the same.
"""

from dataclasses import replace

import numpy as np

from .._typing import Model
from ..data.problem import Problem
from ..objective import blocks
from ..objective.coordinates import choose_coordinates
from ..objective.feature_sums import sum_features
from ..objective.loss import curvature_at_zero
from ..objective.moments import FeatureSums
from ..objective.objective import Evaluation, Objective
from ..objective.optimality import Tolerance
from ..objective.passes import accumulator_of, panels_of
from ..runtime import tuning
from ..runtime.blas import inner_product, norm
from .base import (
    LEAST_FALL,
    Progress,
    Size,
    Solver,
    SolverOptions,
    SolverResult,
    check_penalty,
    check_start,
    result_at,
)
from .limited_memory import LimitedMemory
from .line_search import Found, Trial, search
from .observer import Iteration, Observer

# Steps that are remembered, of few coefficients and at least; and numbers that they may take.
_MOST_STEPS, _FEWEST_STEPS = 24, 8
_MOST_NUMBERS = 1 << 22
_MOST_TRIALS = 40
# Of the slope along a line: what may be left of it.
_STEEPEST_END = 0.9
# Of the first step, before which nothing is known of its length.
_STEEPEST_END_OF_FIRST = 0.5
# Iterations that may bring nothing; and, of a difference of values that doesn't drown in rounding,
# what counts as something.
_PATIENCE = 20
_LEAST_FALL_OF_DIFFERENCE = 1e-3
# Where nothing falls any more, the iterations begin anew, with values measured from there, as long
# as they get the gradient below this share of what it was.
_WORTH_GOING_ON = 0.5
# Of passes in float32: below this a gradient may be rounding; iterations that may bring nothing.
_SINGLE = np.dtype(np.float32)
_LEAST_TOLERANCE_OF_SINGLE = 1e-5
_PATIENCE_OF_SINGLE = 3


def solve(
    problem: Problem, options: SolverOptions, start: Model, observer: Observer | None = None
) -> SolverResult:
    """Minimise the objective of a problem.

    Parameters
    ----------
    problem : Problem
        Of dtype float64; its features may be float32.
    options : SolverOptions
    start : tuple of weights and bias
        Of shapes (n_features, n_columns) and (n_columns,); see `Accumulator` for the number of
        columns.
    observer : Observer or None, default=None

    Returns
    -------
    SolverResult

    Raises
    ------
    ValueError
        The objective or its gradient overflows at the start.
    """
    check_penalty(problem)
    _, bias = start
    objectives: list[float] = []
    is_ended = False
    sums: FeatureSums | None = None
    memory: LimitedMemory | None = None
    if _may_begin_in_single(problem, len(bias)):
        sums = sum_features(problem, options.n_threads)
        start, memory, is_ended = _begin_in_single(
            problem, sums, options, start, objectives, observer
        )
    with accumulator_of(problem, len(bias), options.n_threads) as accumulator:
        if sums is None:
            sums = sum_features(problem, options.n_threads, panels_of(accumulator))
        coordinates = choose_coordinates(problem, sums, fit_intercept=options.fit_intercept)
        objective = Objective(problem, accumulator, sums, coordinates, options.tolerance, bias)
        descent = _Descent(objective, start, curvature_at_zero(problem.n_classes), memory)
        check_start(descent.place.objective, descent.place.gradient_norm)
        reached = np.inf
        while (
            not is_ended
            and len(objectives) < options.max_iterations
            and not objective.is_optimal(descent.place)
            and not objective.is_rounding(descent.place)
            and descent.place.gradient_norm < _WORTH_GOING_ON * reached
        ):
            if np.isfinite(reached):
                descent.measure_from_here()
            reached = descent.place.gradient_norm
            is_ended = _descend(descent, objective, options, objectives, observer)
        return result_at(objective, descent.place, objectives, was_interrupted=is_ended)


def _may_begin_in_single(problem: Problem, n_columns: int) -> bool:
    """Whether passes in float32 take much less time, and lose no digits of the features."""
    return (
        not (problem.is_sparse or problem.is_table)
        and problem.features.dtype == _SINGLE
        and blocks.suits(problem.features.shape[1], n_columns)
    )


def _begin_in_single(
    problem: Problem,
    sums: FeatureSums,
    options: SolverOptions,
    start: Model,
    objectives: list[float],
    observer: Observer | None,
) -> tuple[Model, LimitedMemory | None, bool]:
    """Descend by passes in float32, as far as these lead.

    Returns
    -------
    start : tuple of weights and bias
        Where that ends.
    memory : LimitedMemory or None
        What the steps have shown; None if float32 leads nowhere.
    is_ended : bool
        Whether the observer has ended it.
    """
    tolerance = Tolerance(max(options.tolerance.gradient, _LEAST_TOLERANCE_OF_SINGLE))
    if options.tolerance.gap is not None:
        tolerance = Tolerance(_LEAST_TOLERANCE_OF_SINGLE)
    in_single = replace(problem, dtype=_SINGLE)
    coordinates = choose_coordinates(problem, sums, fit_intercept=options.fit_intercept)
    with accumulator_of(in_single, len(start[1]), options.n_threads) as accumulator:
        objective = Objective(problem, accumulator, sums, coordinates, tolerance, start[1])
        descent = _Descent(objective, start, curvature_at_zero(problem.n_classes))
        if not np.isfinite([descent.place.objective, descent.place.gradient_norm]).all():
            return start, None, False  # too large for float32
        is_ended = _descend(descent, objective, options, objectives, observer, _PATIENCE_OF_SINGLE)
        return descent.place.model, descent.memory, is_ended


def _descend(
    descent: "_Descent",
    objective: Objective,
    options: SolverOptions,
    objectives: list[float],
    observer: Observer | None,
    patience: int = _PATIENCE,
) -> bool:
    """Iterate until the model is optimal, or nothing falls; whether the observer has ended it."""
    progress = Progress(descent.place, descent.place.largest_component, patience)
    while len(objectives) < options.max_iterations:
        if observer is not None:
            observer.begin_iteration()
        if not descent.advance():
            return False
        point = descent.place
        objectives.append(point.objective)
        if observer is not None:
            iteration = Iteration(
                point.objective,
                lambda: descent.place.model,
                gap=lambda: objective.bound_gap(descent.place),
            )
            if observer.end_iteration(iteration):
                return True
        if objective.is_optimal(point):
            return False
        if not progress.goes_on(point, point.largest_component, descent.value, descent.least_fall):
            descent.place = progress.best
            return False
    return False


def _most_products(size: Size) -> float:
    is_matrix = not (size.is_sparse or size.is_table)
    if is_matrix and blocks.suits(size.n_features, size.n_columns):
        return tuning.MOST_PRODUCTS_BY_BLAS
    return tuning.MOST_PRODUCTS_OF_LBFGS


SOLVER = Solver(
    name="lbfgs",
    solve=solve,
    is_exact=True,
    supports_l1=False,
    supports_groups=False,
    needs_convexity=False,
    supports_held_out=False,
    supports_streams=False,
    supports_blocks=True,
    default_max_iterations=1_000,
    most_products=_most_products,
)


class _Descent:
    """Where the iterations are, and what they have shown of the curvature."""

    def __init__(
        self,
        objective: Objective,
        start: Model,
        first_curvature: float,
        memory: LimitedMemory | None = None,
    ) -> None:
        self._first_curvature = first_curvature
        self._objective = objective
        coordinates = objective.coordinates
        n_coordinates = coordinates.n_unknowns * len(start[1])
        most_steps = min(max(_MOST_NUMBERS // (3 * n_coordinates), _FEWEST_STEPS), _MOST_STEPS)
        self.memory = LimitedMemory(n_coordinates, most_steps) if memory is None else memory
        self._origin: Evaluation | None = None
        with np.errstate(all="ignore"):  # looked at
            self.place = objective.evaluate(coordinates.point_of(*start))

    def measure_from_here(self) -> None:
        """Have values be differences to the one here, by the trapezoidal rule.

        Close to the optimum, differences of values drown in rounding, those of gradients don't; and
        there the objective is all but quadratic, for which the rule is exact.
        """
        self._origin = self.place
        self.memory.clear()

    @property
    def value(self) -> float:
        """What falls from iteration to iteration."""
        here, origin = self.place, self._origin
        if origin is None:
            return here.objective
        way = here.variables - origin.variables
        return 0.5 * inner_product(here.gradient + origin.gradient, way)

    @property
    def least_fall(self) -> float:
        """Of the lowest value, what counts as progress."""
        return LEAST_FALL if self._origin is None else _LEAST_FALL_OF_DIFFERENCE

    def advance(self) -> bool:
        """Take a step; False if none leads lower."""
        while True:
            found = self._search()
            if found is not None:
                break
            if not len(self.memory):
                return False
            self.memory.clear()
        step = found.there.variables - self.place.variables
        change = found.there.gradient - self.place.gradient
        self.memory.add(step.ravel(), change.ravel())
        self.place = found.there
        return True

    def _search(self) -> Found[Evaluation] | None:
        here = self.place
        gradient = here.gradient.ravel()
        length, steepest_end = 1.0, _STEEPEST_END
        if len(self.memory):
            quotient = self.memory.divide(gradient, np.copy, self.memory.fit(np.copy))
        else:
            quotient = gradient
            steepest_end = _STEEPEST_END_OF_FIRST
            # As far as all classes are equally probable and features don't correlate; but a unit.
            length = 1.0 / max(norm(gradient), self._first_curvature)
        direction = -quotient.reshape(here.variables.shape)
        slope = inner_product(here.gradient, direction)
        if not slope < 0.0:
            return None
        value = here.objective

        def evaluate(length: float) -> Trial[Evaluation]:
            with np.errstate(all="ignore"):
                there = self._objective.evaluate(here.variables + length * direction)
                slope_there = inner_product(there.gradient, direction)
            return Trial(there, there.objective - value, slope_there)

        return search(
            evaluate,
            value,
            slope,
            max_trials=_MOST_TRIALS,
            length=length,
            steepest_end=steepest_end,
        )
