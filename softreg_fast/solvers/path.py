"""Fits for many penalties over folds of the rows."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from .._typing import Model
from ..data.blocked import BlockedProblem
from ..data.problem import Penalty, Problem
from ..objective.objective import Evaluation, Objective
from ..runtime.shared_rows import SharedRows
from .base import Report, Solver, SolverOptions, SolverResult
from .observer import Iterations

FitPenalty = Callable[[Problem, Model | None, Iterations], tuple[Objective, Evaluation]]


def follow(
    solver: Solver,
    problem: Problem,
    folds: Sequence[npt.NDArray[np.int64]],
    penalties: Sequence[Penalty],
    options: SolverOptions,
    n_columns: int,
    report: Report,
) -> None:
    """Minimise the objective for every fold and penalty.

    Parameters
    ----------
    solver : Solver
        An exact one.
    problem : Problem
        Of dtype float64; its penalties don't count.
    folds : sequence of ndarrays of int
        The rows of each; a row that is there twice counts twice.
    penalties : sequence of Penalty
        From strong to weak, no two alike.
    options : SolverOptions
    n_columns : int
        Of the models.
    report : callable
        Told of each result.

    Raises
    ------
    ValueError
        The objective or its gradient overflows at the start.
    """
    if solver.follow_paths is not None:
        solver.follow_paths(problem, folds, penalties, options, n_columns, report)
        return
    for fold, rows in enumerate(folds):
        of_rows = of_fold(problem, rows)
        model = zero_model(problem, n_columns)
        for place, penalty in enumerate(penalties):
            found = solver.solve(penalty.of(of_rows), options, model, None)
            model = found.model
            report(fold, place, found)


def follow_blocks(
    solver: Solver,
    problems: Sequence[BlockedProblem],
    penalties: Sequence[Penalty],
    options: SolverOptions,
    n_columns: int,
    report: Report,
) -> None:
    """Minimise the objective for every fold and penalty.

    The folds are gone over at the same time: a block is read once for all of them.

    Parameters
    ----------
    solver : Solver
        An exact one.
    problems : sequence of BlockedProblem
        Of the folds, all of the same rows and of dtype float64; their penalties don't count.
    penalties, options, n_columns, report
        See `follow`.
    """
    rows = SharedRows(problems[0].rows, options.n_threads)
    lock = threading.Lock()

    def follow_fold(place: int, problem: BlockedProblem) -> None:
        own = replace(problem, features=rows)
        model = zero_model(own, n_columns)
        for number, penalty in enumerate(penalties):
            found = solver.solve(penalty.of(own), options, model, None)
            model = found.model
            with lock:
                report(place, number, found)

    rows.run([partial(follow_fold, *each) for each in enumerate(problems)])


def follow_in_turn(
    fit: FitPenalty,
    problem: Problem,
    folds: Sequence[npt.NDArray[np.int64]],
    penalties: Sequence[Penalty],
    options: SolverOptions,
    n_columns: int,
    report: Report,
) -> None:
    """Follow the path of one fold after the other, each fit beginning where the last one ended.

    Parameters
    ----------
    fit : callable
        Takes a problem, a start, which is None to go on from the last place, and the iterations to
        tell of; gives the objective and the place that it has led to.
    problem, folds, penalties, options, n_columns, report
        See `follow`.
    """
    nothing = zero_model(problem, n_columns)
    for fold, rows in enumerate(folds):
        of_rows = of_fold(problem, rows)
        for number, penalty in enumerate(penalties):
            iterations = Iterations(options.max_iterations)
            start = nothing if number == 0 else None
            objective, place = fit(penalty.of(of_rows), start, iterations)
            is_optimal = objective.is_optimal(place)
            values = np.array(iterations.objectives)
            report(fold, number, SolverResult(*place.model, values, converged=is_optimal))


def of_fold(problem: Problem, rows: npt.NDArray[np.int64]) -> Problem:
    """The problem of some of its rows, the others weighing nothing."""
    weights = np.bincount(rows, minlength=problem.n_samples).astype(np.float64)
    if problem.sample_weight is not None:
        weights *= problem.sample_weight
    return replace(problem, sample_weight=weights)


def zero_model(problem: Problem, n_columns: int) -> Model:
    """Weights and bias of zeros."""
    return np.zeros((problem.features.shape[1], n_columns)), np.zeros(n_columns)
