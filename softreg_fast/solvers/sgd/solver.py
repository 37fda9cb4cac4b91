"""Proximal mini-batch gradient descent, whatever the rows are."""

from dataclasses import replace

import numpy as np

from ..._typing import FloatArray, Model
from ...data.problem import Problem
from ...objective.dense import Totals
from ...objective.duality_gap import bound_objective
from ...objective.moments import FeatureSums, sum_features
from ...objective.passes import accumulator_of
from ...objective.rounding import evaluation_of
from ..base import CLOSE, Solution
from ..observer import Monitor
from .decrement import estimate_remaining
from .dense import ProximalDescent
from .iteration import Descent, Population, ProximalSettings, Snapshot
from .scaling import Scaling
from .sparse import SparseDescent

_SHARPENING_STEPS = 10
# Of the objective: an estimate that may be too low by half.
_WORTH_GOING_ON = 0.5 * CLOSE


def descent_of(
    problem: Problem,
    settings: ProximalSettings,
    start: Model | Snapshot,
    n_threads: int | None,
    population: Population | None = None,
    scaling: Scaling | None = None,
) -> Descent:
    """The descent that suits the problem's features; see `ProximalDescent` for the arguments."""
    if problem.is_sparse:
        return SparseDescent(problem, settings, start, n_threads, population, scaling)
    return ProximalDescent(problem, settings, start, n_threads, population, scaling)


def minimise(
    problem: Problem,
    settings: ProximalSettings,
    weights: FloatArray,
    bias: FloatArray,
    n_threads: int | None = None,
    monitor: Monitor | None = None,
) -> Solution:
    """Minimise the objective of a problem approximately.

    Where the objective falls slowly, but is far above the lowest one still, the descent goes on.

    Parameters
    ----------
    problem : Problem
        Without rows of weight zero.
    settings : ProximalSettings
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
        The start. See `Accumulator` for the number of columns.
    n_threads : int or None, default=None
    monitor : Monitor or None, default=None
        Told of each epoch.

    Returns
    -------
    Solution

    Raises
    ------
    FloatingPointError
        See `Descent.run`.
    """
    descent = descent_of(problem, settings, (weights, bias), n_threads)
    # Sums of weights may be too small or too large for float32.
    double = replace(problem, dtype=np.dtype(np.float64))
    sums = sum_features(double, n_threads)
    while True:
        descent.run(monitor)
        model = descent.solution
        if problem.l1_penalty > 0.0:
            model = sharpen(problem, settings, *model, n_threads)
        may_go_on = descent.has_stopped and descent.n_epochs < settings.n_epochs
        enough = CLOSE if may_go_on else np.inf
        remaining, totals = _estimate_remaining(double, settings, sums, model, enough, n_threads)
        if not (may_go_on and remaining > _WORTH_GOING_ON):
            break
        descent.go_on()
    return Solution(
        *model,
        descent.objectives,
        converged=False,
        stopped=descent.has_stopped,
        remaining=remaining,
        sums=sums,
        totals=totals,
    )


def descend(
    problem: Problem,
    settings: ProximalSettings,
    weights: FloatArray,
    bias: FloatArray,
    n_threads: int | None = None,
    monitor: Monitor | None = None,
) -> Solution:
    """Descend for some epochs, wherever that leads; see `minimise`."""
    descent = descent_of(problem, settings, (weights, bias), n_threads)
    descent.run(monitor)
    return Solution(*descent.solution, descent.objectives, converged=False)


def _estimate_remaining(
    problem: Problem,
    settings: ProximalSettings,
    sums: FeatureSums,
    model: Model,
    enough: float,
    n_threads: int | None,
) -> tuple[float, Totals]:
    """See `estimate_remaining`, and the model's totals."""
    weights, bias = (part.astype(np.float64) for part in model)
    with accumulator_of(problem, len(bias), n_threads) as accumulator:
        totals = accumulator.evaluate(weights, bias)
    fit_intercept = settings.fit_intercept
    evaluation = evaluation_of(sums, totals, weights, bias)
    gap = bound_objective(problem, sums, evaluation, fit_intercept=fit_intercept).gap
    if gap <= _WORTH_GOING_ON:  # no need to estimate what is proven
        return gap, totals
    remaining = estimate_remaining(
        problem, weights, bias, totals, fit_intercept=fit_intercept, enough=enough
    )
    return remaining, totals


def sharpen(
    problem: Problem,
    settings: ProximalSettings,
    weights: FloatArray,
    bias: FloatArray,
    n_threads: int | None = None,
) -> Model:
    """A model some steps on all rows later: that has the zeros of the lowest objective.

    Parameters
    ----------
    problem : Problem
        With an L1 penalty.
    settings : ProximalSettings
        Those of the descent that has found the model.
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    n_threads : int or None, default=None
    """
    full = replace(
        settings,
        schedule="auto",
        learning_rate=None,
        batch_size=problem.n_samples,
        n_epochs=_SHARPENING_STEPS,
        patience=0,
        method="plain",
        momentum=0.0,
        shuffle_seed=None,
    )
    solution = descend(problem, full, weights, bias, n_threads)
    return solution.weights, solution.bias
