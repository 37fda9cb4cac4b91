"""Mini-batch gradient descent, over dense or sparse rows."""

import numpy as np

from ..._typing import FloatArray, Model
from ...data.blocked import BlockedProblem
from ...data.problem import Problem, drop_weightless
from ...objective.dense import LossAndGradient
from ...objective.duality_gap import bound_objective
from ...objective.feature_sums import sum_features
from ...objective.moments import FeatureSums
from ...objective.passes import accumulator_of
from ...objective.rounding import bounded_evaluation
from ..base import CLOSE, Solver, SolverOptions, SolverResult
from ..observer import Observer
from .decrement import estimate_remaining
from .dense import DenseDescent
from .early_stopping import EarlyStopping
from .iteration import Descent, Population, Snapshot
from .options import SgdSettings, settle
from .scaling import Scaling
from .sharpening import full_batch_settings, sharpen_blocks
from .sparse import SparseDescent
from .windows import WindowedDescent, rows_of_window

# Of the objective: an estimate that may be too low by half.
_WORTH_GOING_ON = 0.5 * CLOSE


def descent_of(
    problem: Problem,
    settings: SgdSettings,
    start: Model | Snapshot,
    n_threads: int | None,
    population: Population | None = None,
    scaling: Scaling | None = None,
) -> Descent:
    """The descent that suits the problem's features; see `DenseDescent` for the arguments."""
    if problem.is_sparse:
        return SparseDescent(problem, settings, start, n_threads, population, scaling)
    return DenseDescent(problem, settings, start, n_threads, population, scaling)


def solve(
    problem: Problem, options: SolverOptions, start: Model, observer: Observer | None = None
) -> SolverResult:
    """Minimise the objective of a problem approximately.

    Parameters
    ----------
    problem : Problem
        Without rows of weight zero.
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
    FloatingPointError
        See `Descent.run`.
    """
    problem = problem.as_matrix()
    if isinstance(problem, BlockedProblem) and problem.n_samples <= rows_of_window(problem):
        whole = problem.take(np.arange(problem.n_samples), options.n_threads)
        problem = drop_weightless(whole)
    settings = settle(
        options.sgd,
        problem,
        n_epochs=options.max_iterations,
        tolerance=options.tolerance.gradient,
        fit_intercept=options.fit_intercept,
    )
    if options.sgd.held_out is not None:
        held_out = options.sgd.held_out.as_matrix()
        return _stop_early(problem, held_out, options, settings, start, observer)
    return minimise(problem, settings, start, options.n_threads, observer)


SOLVER = Solver(
    name="sgd",
    solve=solve,
    is_exact=False,
    supports_l1=True,
    supports_groups=False,
    needs_convexity=False,
    supports_held_out=True,
    supports_streams=True,
    supports_blocks=True,
    default_max_iterations=100,
)


def _descent_of_any(
    problem: Problem, settings: SgdSettings, start: Model, n_threads: int | None
) -> Descent | WindowedDescent:
    """The descent that suits the problem's rows, wherever they are."""
    if isinstance(problem, BlockedProblem):
        return WindowedDescent(problem, settings, start, n_threads, descent_of)
    return descent_of(problem, settings, start, n_threads)


def minimise(
    problem: Problem,
    settings: SgdSettings,
    start: Model,
    n_threads: int | None = None,
    observer: Observer | None = None,
) -> SolverResult:
    """Descend until the objective falls too little; see `solve`.

    Where it falls slowly, but is far above the lowest one still, the descent goes on.
    """
    descent = _descent_of_any(problem, settings, start, n_threads)
    # Sums of weights may be too small or too large for float32.
    double = problem.in_double()
    sums = sum_features(double, n_threads)
    while True:
        was_interrupted = descent.run(observer)
        model = descent.solution
        if problem.l1_penalty > 0.0:
            model = sharpen(problem, settings, *model, n_threads)
        may_go_on = descent.has_stopped and descent.n_epochs < settings.n_epochs
        enough = CLOSE if may_go_on else np.inf
        remaining, totals = _estimate_remaining(double, settings, sums, model, enough, n_threads)
        if not (may_go_on and remaining > _WORTH_GOING_ON):
            break
        descent.go_on()
    return SolverResult(
        *model,
        descent.objectives,
        has_stopped=descent.has_stopped,
        was_interrupted=was_interrupted,
        remaining=remaining,
        sums=sums,
        totals=totals,
    )


def _stop_early(
    problem: Problem,
    held_out: Problem,
    options: SolverOptions,
    settings: SgdSettings,
    start: Model,
    observer: Observer | None,
) -> SolverResult:
    """Descend until the loss of held-out rows stops falling; the model of its lowest epoch."""
    descent = _descent_of_any(problem, settings, start, options.n_threads)
    with EarlyStopping(
        held_out,
        len(start[1]),
        options.sgd.n_iter_no_change,
        settings.tolerance,
        options.n_threads,
        observer,
    ) as stopping:
        descent.run(stopping)
    weights, bias = descent.solution if stopping.best is None else stopping.best
    return SolverResult(
        weights,
        bias,
        descent.objectives,
        converged=stopping.should_stop and stopping.best is not None,
        has_stopped=stopping.should_stop,
        was_interrupted=stopping.was_interrupted,
        validation_losses=np.array(stopping.losses),
    )


def _estimate_remaining(
    problem: Problem,
    settings: SgdSettings,
    sums: FeatureSums,
    model: Model,
    enough: float,
    n_threads: int | None,
) -> tuple[float, LossAndGradient]:
    """See `estimate_remaining`, and the model's totals."""
    weights, bias = (part.astype(np.float64) for part in model)
    with accumulator_of(problem, len(bias), n_threads) as accumulator:
        totals = accumulator.evaluate(weights, bias)
    fit_intercept = settings.fit_intercept
    evaluation = bounded_evaluation(sums, totals, weights, bias)
    gap = bound_objective(problem, sums, evaluation, fit_intercept=fit_intercept).gap
    if gap <= _WORTH_GOING_ON:  # no need to estimate what is proven
        return gap, totals
    remaining = estimate_remaining(
        problem, weights, bias, totals, fit_intercept=fit_intercept, enough=enough
    )
    return remaining, totals


def sharpen(
    problem: Problem,
    settings: SgdSettings,
    weights: FloatArray,
    bias: FloatArray,
    n_threads: int | None = None,
) -> Model:
    """A model some steps on all rows later: that has the zeros of the lowest objective.

    Parameters
    ----------
    problem : Problem
        With an L1 penalty.
    settings : SgdSettings
        Those of the descent that has found the model.
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    n_threads : int or None, default=None
    """
    if isinstance(problem, BlockedProblem):
        return sharpen_blocks(problem, settings, weights, bias, n_threads)
    full = full_batch_settings(settings, problem.n_samples)
    descent = descent_of(problem, full, (weights, bias), n_threads)
    descent.run()
    return descent.solution
