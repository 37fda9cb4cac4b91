"""Proximal Newton steps on working sets of features, for L1 penalties of any width.

A working set holds the features that have weights, and those whose weights would lower the
objective the most (Massias, Gramfort and Salmon, Celer: a fast solver for the lasso with dual
extrapolation, 2018). Over these the objective is minimised by steps to the minimum of a quadratic
model of the loss plus the penalty, found nearly, by coordinate descent (Yuan, Ho and Lin, An
improved GLMNET for L1-regularized logistic regression, 2012), and by conjugate gradients where
hardly any weight becomes zero any more. Only columns of the working set are gone over; a pass over
all rows and features tells whether there are others.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..._typing import FloatArray, Model
from ...data.blocked import BlockedProblem
from ...data.problem import Penalty, Problem
from ...objective.coordinates import plain_coordinates
from ...objective.feature_sums import sum_features
from ...objective.moments import FeatureSums
from ...objective.objective import Evaluation, Objective
from ...objective.passes import accumulator_of, panels_of
from ...runtime import tuning
from ..base import (
    Progress,
    Report,
    SolverOptions,
    SolverResult,
    check_penalty,
    check_start,
    result_at,
)
from ..observer import Iterations, Observer
from ..path import follow_in_turn
from ..room import has_room
from .column_choice import choose_columns
from .columns import Columns
from .working_set import WorkingSet

# Working sets that may bring nothing; and those that are to tighten the gap after the gradient is
# small enough.
_PATIENCE, _MOST_AFTERWARDS = 3, 2
# Of the gradient, what a working set over rounded columns should leave; and how many may leave more
# before the columns are exact.
_FALL_OF_ROUNDED, _MOST_SLOW = 0.5, 3


def suits(problem: Problem, n_classes: int) -> bool:
    """Whether going over columns of features takes less than second derivatives do.

    Where features' norms are penalised, nothing else is there. Rows that are read in blocks have no
    columns.
    """
    if isinstance(problem, BlockedProblem):
        return False
    n_features = int(problem.features.shape[1])
    n_rows = problem.n_elements / n_features  # or as many as would have these elements
    n_unknowns = n_features * n_classes
    if not has_room(n_features, n_classes) or (problem.is_grouped and n_classes > 1):
        return True
    if n_classes == 1 or n_unknowns <= tuning.MOST_UNKNOWNS_BETWEEN_CLASSES_WITH_L1:
        return tuning.SQUARED_UNKNOWNS_PER_ROW_OF_COLUMNS * n_rows < n_unknowns**2
    return n_rows < tuning.ROWS_PER_FEATURE_OF_COLUMNS * n_features


def solve(
    problem: Problem, options: SolverOptions, start: Model, observer: Observer | None = None
) -> SolverResult:
    """Minimise the objective of a problem with a convex loss and an L1 penalty."""
    iterations = Iterations(options.max_iterations, observer)
    with Proximal(problem, options, start[1]) as proximal:
        objective = proximal.objective_of(problem)
        place = proximal.begin(objective, start)
        place = proximal.descend(problem, objective, place, iterations, tightens_gap=True)
        return result_at(
            objective,
            place,
            iterations.objectives,
            was_interrupted=iterations.was_interrupted,
        )


class Proximal:
    """Proximal Newton steps for problems of the same rows; a context, which keeps its threads.

    Parameters
    ----------
    problem : Problem
        Of a convex loss. Its weights and penalties may be others later.
    options : SolverOptions
    bias : ndarray of shape (n_classes,)
        That of all models, if there is no intercept.
    """

    def __init__(self, problem: Problem, options: SolverOptions, bias: FloatArray) -> None:
        self._options = options
        self._bias = bias
        n_features = problem.features.shape[1]
        self._coordinates = plain_coordinates(n_features, fit_intercept=options.fit_intercept)
        self._accumulator = accumulator_of(problem, len(bias), options.n_threads)
        self._weighed: tuple[FloatArray | None, FeatureSums, Columns] | None = None
        self._place: Evaluation | None = None

    def __enter__(self) -> Self:
        self._accumulator.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._accumulator.__exit__(*exception)

    def _weigh(self, problem: Problem) -> tuple[FeatureSums, Columns]:
        """Sums of the features, and the columns that are there already for these weights."""
        weights = problem.sample_weight
        if self._weighed is None or self._weighed[0] is not weights:
            self._accumulator.turn_to(problem)
            n_threads = self._options.n_threads
            sums = sum_features(problem, n_threads, panels_of(self._accumulator))
            self._weighed = weights, sums, self._columns_of(problem, sums)
        return self._weighed[1:]

    def _columns_of(
        self, problem: Problem, sums: FeatureSums, *, are_exact: bool = False
    ) -> Columns:
        """Columns of a problem, none yet."""
        return choose_columns(
            problem,
            sums,
            self._accumulator,
            len(self._bias),
            fit_intercept=self._options.fit_intercept,
            n_threads=self._options.n_threads,
            are_exact=are_exact,
        )

    def objective_of(self, problem: Problem) -> Objective:
        """The objective of a problem."""
        check_penalty(problem)
        sums, _ = self._weigh(problem)
        tolerance = self._options.tolerance
        return Objective(problem, self._accumulator, sums, self._coordinates, tolerance, self._bias)

    def begin(self, objective: Objective, start: Model) -> Evaluation:
        """The place of a model."""
        with np.errstate(all="ignore"):  # looked at
            place = objective.evaluate(self._coordinates.point_of(*start))
        check_start(place.objective, place.gradient_norm)
        return place

    def fit(
        self, problem: Problem, start: Model | None, iterations: Iterations
    ) -> tuple[Objective, Evaluation]:
        """Minimise an objective, from a model or from where the last one has ended.

        Its gap is not tightened.
        """
        objective = self.objective_of(problem)
        if start is not None:
            place = self.begin(objective, start)
        else:  # whose sums over the rows are the same
            assert self._place is not None
            place = objective.evaluation_of(*self._place.model, self._place.totals)
        self._place = self.descend(problem, objective, place, iterations, tightens_gap=False)
        return objective, self._place

    def descend(
        self,
        problem: Problem,
        objective: Objective,
        place: Evaluation,
        iterations: Iterations,
        *,
        tightens_gap: bool,
    ) -> Evaluation:
        """The place to which working sets lead.

        Parameters
        ----------
        problem : Problem
        objective : Objective
            Of it.
        place : Evaluation
            The start.
        iterations : Iterations
        tightens_gap : bool
            Whether to go on until the gap is as small as the gradient is to be.
        """
        with np.errstate(all="ignore"):
            working_set = self._working_set(problem, objective)
            progress = Progress(place, place.largest_component, _PATIENCE)
            n_afterwards, n_slow = 0, 0
            while not iterations.are_over:
                if objective.is_optimal(place):
                    is_last = not tightens_gap or n_afterwards == _MOST_AFTERWARDS
                    if is_last or self._is_tight(objective, place):
                        break
                    n_afterwards += 1
                before = place.gradient_norm
                working_set.choose(place)
                working_set.descend(iterations)
                place = objective.evaluate(self._coordinates.point_of(*working_set.model))
                n_slow += not place.gradient_norm <= _FALL_OF_ROUNDED * before
                goes_on = progress.goes_on(place, place.largest_component, place.objective)
                if working_set.is_rounded and (not goes_on or n_slow == _MOST_SLOW):
                    place = progress.best
                    working_set = self._working_set(problem, objective, are_exact=True)
                    progress = Progress(place, place.largest_component, _PATIENCE)
                elif not goes_on:
                    return progress.best
        return place

    def _working_set(
        self, problem: Problem, objective: Objective, *, are_exact: bool = False
    ) -> WorkingSet:
        """One over the columns that are there, or over exact ones instead of these."""
        sums, columns = self._weigh(problem)
        if are_exact:
            columns = self._columns_of(problem, sums, are_exact=True)
            self._weighed = problem.sample_weight, sums, columns
        options = self._options
        return WorkingSet(problem, objective, columns, options.tolerance, options.n_threads)

    def _is_tight(self, objective: Objective, place: Evaluation) -> bool:
        """Whether the gap is as small as the gradient is to be, or is what has been asked for."""
        tolerance = self._options.tolerance
        return tolerance.gap is not None or objective.bound_gap(place) <= tolerance.gradient


def follow(
    problem: Problem,
    folds: Sequence[npt.NDArray[np.int64]],
    penalties: Sequence[Penalty],
    options: SolverOptions,
    n_classes: int,
    report: Report,
) -> None:
    """Minimise the objective for every fold and penalty; see `path.follow`."""
    with Proximal(problem, options, np.zeros(n_classes)) as proximal:
        follow_in_turn(proximal.fit, problem, folds, penalties, options, n_classes, report)
