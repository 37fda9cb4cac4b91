"""A solver's run, from a problem to what users get: a rounded model, and how good that is."""

from dataclasses import replace

import numpy as np

from .._typing import FloatArray, Model
from ..data.problem import Problem, drop_weightless
from ..objective.dense import LossAndGradient
from ..objective.feature_sums import sum_features
from ..objective.loss import LOSSES
from ..objective.optimality import Optimality, judge
from .base import Solver, SolverOptions, SolverResult
from .observer import Observer

_DOUBLE = np.dtype(np.float64)


def round_model(model: Model, activation: str, dtype: np.dtype) -> Model:
    """A model in the dtype of the features; intercepts of several classes have a mean of zero.

    Raises
    ------
    ValueError
        A coefficient overflows `dtype`.
    """
    weights, bias = model
    if len(bias) > 1 and LOSSES[activation].is_convex:
        bias = bias - bias.mean()
    with np.errstate(all="ignore"):
        weights, bias = np.ascontiguousarray(weights.T, dtype).T, bias.astype(dtype)
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise ValueError(
            f"the coefficients overflow {dtype.name}, the dtype of X: scale the features"
        )
    return weights, bias


def solve(
    solver: Solver,
    problem: Problem,
    options: SolverOptions,
    start: Model,
    observer: Observer | None = None,
) -> SolverResult:
    """Minimise the objective of a problem.

    Parameters
    ----------
    solver : Solver
    problem : Problem
        In the dtype that users get.
    options : SolverOptions
    start : tuple of weights and bias
    observer : Observer or None, default=None

    Returns
    -------
    SolverResult
        With its model rounded, and the optimality of that.

    Raises
    ------
    FloatingPointError
        Gradient descent has diverged.
    ValueError
        The objective overflows at the start, or a coefficient overflows the dtype.
    """
    if not solver.is_exact:
        problem = drop_weightless(problem)
        return finish(problem, options, solver.solve(problem, options, start, observer))
    result = solver.solve(problem.in_double(), options, start, observer)
    return finish(problem, options, result)


def finish(problem: Problem, options: SolverOptions, result: SolverResult) -> SolverResult:
    """The result with its model rounded, and the optimality of that.

    Parameters
    ----------
    problem : Problem
        In the dtype that users get.
    options : SolverOptions
    result : SolverResult
    """
    weights, bias = round_model(result.model, problem.activation, problem.dtype)
    sums = result.sums
    if sums is None:
        sums = sum_features(problem, options.n_threads)
    optimality = result.optimality

    def judge_model(
        weights: FloatArray, bias: FloatArray, totals: LossAndGradient | None
    ) -> Optimality:
        return judge(
            problem.in_double(),
            sums,
            weights,
            bias,
            problem.dtype,
            options.tolerance,
            fit_intercept=options.fit_intercept,
            n_threads=options.n_threads,
            totals=totals,
            known=None if optimality is None else optimality.bounds,
        )

    # The intercepts are moved together, whose rounding matters only to careful sums.
    if problem.dtype == _DOUBLE and optimality is None and result.totals is not None:
        optimality = judge_model(*result.model, result.totals)
    if problem.dtype != _DOUBLE or optimality is None or optimality.is_careful:
        optimality = judge_model(weights.astype(_DOUBLE), bias.astype(_DOUBLE), None)
    converged = optimality.converged
    if result.validation_losses is not None:
        converged = result.converged
    return replace(result, weights=weights, bias=bias, converged=converged, optimality=optimality)
