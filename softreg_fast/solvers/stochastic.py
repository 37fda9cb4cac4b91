"""Proximal mini-batch gradient descent, whatever the rows are."""

from dataclasses import replace

from ..definitions import FloatArray, Model
from ..monitor import Monitor
from ..problem import Problem
from ..scaling import Scaling
from .descent import Descent, Population, ProximalSettings, Snapshot
from .proximal import ProximalDescent
from .solution import Solution
from .sparse import SparseDescent

_SHARPENING_STEPS = 10


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

    Parameters
    ----------
    problem : Problem
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
    return Solution(*descent.solution, descent.objectives, descent.has_stopped)


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
