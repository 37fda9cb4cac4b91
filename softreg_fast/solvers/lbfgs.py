"""SciPy's L-BFGS on the fused pass over all rows.

It works in variables in which all features have about the same curvature (`curvature.Coordinates`):
badly scaled features would cost it thousands of iterations. Objective and penalty are those of the
problem all the same.
"""

from typing import Any

import numpy as np
from scipy.optimize import minimize

from .._typing import FloatArray
from ..data.problem import Problem
from ..objective.coordinates import Coordinates, choose_coordinates
from ..objective.moments import sum_features
from ..objective.objective import Objective, Place
from ..objective.passes import accumulator_of
from .base import ExactSettings, Minimum, Progress, check_penalty, check_start, minimum_of
from .observer import Monitor

_LINE_SEARCH_STEPS = 50
_NO_LIMIT = 2**31 - 1
# SciPy's routine ends where rounding lets it find nothing lower. It is called again as long as it
# gets the gradient below this share of what it was.
_WORTH_GOING_ON = 0.5
# Iterations that may bring nothing; and, of a difference of values that doesn't drown in rounding,
# what counts as something.
_PATIENCE = 20
_LEAST_FALL_OF_DIFFERENCE = 1e-3


class _Function:
    """The objective per unit of weight, as a function of flat variables."""

    def __init__(self, objective: Objective, coordinates: Coordinates, bias: FloatArray) -> None:
        self._objective = objective
        self._coordinates = coordinates
        self._fixed_bias = bias
        self._origin: Place | None = None
        self._change = 0.0
        self.last: Place

    def measure_from(self, origin: Place) -> None:
        """Give differences to the value at a place from now on, by the trapezoidal rule.

        Close to the optimum, differences of values drown in rounding, those of gradients don't; and
        there the objective is all but quadratic, for which the rule is exact.
        """
        self._origin = origin

    def __call__(self, variables: FloatArray) -> tuple[float, FloatArray]:
        """The value and the derivatives by the variables."""
        variables = variables.reshape(-1, len(self._fixed_bias)).copy()
        self.last = self._objective.evaluate_at(self._coordinates, variables, self._fixed_bias)
        gradient = self.last.gradient
        if self._origin is None:
            return self.last.point.objective, gradient.ravel()
        way = variables - self._origin.variables
        self._change = 0.5 * float(np.vdot(gradient + self._origin.gradient, way))
        return self._change, gradient.ravel()

    def goes_on(self, progress: Progress) -> bool:
        """Whether the last evaluation shows progress."""
        if self._origin is None:
            return progress.goes_on(self.last, self.last.point.objective)
        return progress.goes_on(self.last, self._change, _LEAST_FALL_OF_DIFFERENCE)


def minimise(
    problem: Problem,
    settings: ExactSettings,
    weights: FloatArray,
    bias: FloatArray,
    n_threads: int | None = None,
    monitor: Monitor | None = None,
) -> Minimum:
    """Minimise the objective of a problem.

    Parameters
    ----------
    problem : Problem
        Of dtype float64; its features may be float32.
    settings : ExactSettings
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
        The start. See `Accumulator` for the number of columns.
    n_threads : int or None, default=None
    monitor : Monitor or None, default=None
        Told of each iteration.

    Returns
    -------
    Minimum

    Raises
    ------
    ValueError
        The objective or its gradient overflows at the start.
    """
    check_penalty(problem)
    sums = sum_features(problem, n_threads)
    coordinates = choose_coordinates(problem, sums, fit_intercept=settings.fit_intercept)
    with accumulator_of(problem, len(bias), n_threads) as accumulator:
        objective = Objective(
            problem, accumulator, sums, settings.tolerance, fit_intercept=settings.fit_intercept
        )
        function = _Function(objective, coordinates, bias)
        with np.errstate(over="ignore", invalid="ignore"):  # looked at below
            function(coordinates.point_of(weights, bias))
        best = function.last
        check_start(best.point)
        is_optimal = objective.is_optimal(best.point)
        objectives: list[float] = []
        is_stopped = False
        progress = Progress(best, _PATIENCE)

        def watch(intermediate_result: Any) -> None:
            nonlocal best, is_stopped, is_optimal
            if not np.array_equal(intermediate_result.x, function.last.variables.ravel()):
                function(intermediate_result.x)
            best = function.last
            point = best.point
            objectives.append(point.objective)
            if monitor is not None:
                is_stopped = monitor.end_iteration(
                    point.objective, lambda: (point.weights, point.bias)
                )
            is_optimal = objective.is_optimal(point)
            if is_stopped or is_optimal:
                raise StopIteration
            if not function.goes_on(progress):
                best = progress.best
                raise StopIteration
            if monitor is not None and len(objectives) < settings.max_iterations:
                monitor.begin_iteration()

        reached = np.inf
        if monitor is not None and not is_optimal:
            monitor.begin_iteration()
        while (
            not is_optimal
            and not is_stopped
            and len(objectives) < settings.max_iterations
            and best.point.gradient_norm < _WORTH_GOING_ON * reached
        ):
            if np.isfinite(reached):
                function.measure_from(best)
            reached = best.point.gradient_norm
            progress = Progress(best, _PATIENCE)
            minimize(
                function,
                best.variables.ravel(),
                jac=True,
                method="L-BFGS-B",
                callback=watch,
                options={
                    "maxiter": settings.max_iterations - len(objectives),
                    "maxfun": _NO_LIMIT,
                    "maxls": _LINE_SEARCH_STEPS,
                    "ftol": 0.0,
                    "gtol": 0.0,
                },
            )
        return minimum_of(objective, best.point, objectives)
