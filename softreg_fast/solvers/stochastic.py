"""Proximal mini-batch gradient descent, whatever the rows are."""

from dataclasses import replace

import numpy as np

from ..definitions import FloatArray, Model
from ..monitor import Monitor
from ..problem import Problem
from ..scaling import Scaling
from .decrement import estimate_remaining
from .descent import Descent, Population, ProximalSettings, Snapshot
from .proximal import ProximalDescent
from .solution import CLOSE, Solution
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


def descend(
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
    descent.run(monitor)
    remaining = float("nan")
    while descent.has_stopped and descent.n_epochs < settings.n_epochs:
        model = descent.solution
        if problem.l1_penalty > 0.0:
            model = sharpen(problem, settings, *model, n_threads)
        remaining = estimate_share(problem, settings, model, n_threads, enough=CLOSE)
        if not remaining > _WORTH_GOING_ON:
            break
        descent.go_on()
        descent.run(monitor)
        remaining = float("nan")
    return Solution(
        *descent.solution,
        descent.objectives,
        converged=False,
        stopped=descent.has_stopped,
        remaining=remaining,
    )


def estimate_share(
    problem: Problem,
    settings: ProximalSettings,
    model: Model,
    n_threads: int | None = None,
    *,
    enough: float = np.inf,
) -> float:
    """About (objective - optimum) / objective of a model; see `estimate_remaining`."""
    return estimate_remaining(
        problem,
        *model,
        fit_intercept=settings.fit_intercept,
        enough=enough,
        n_threads=n_threads,
    )


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
