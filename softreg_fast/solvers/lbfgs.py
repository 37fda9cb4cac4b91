"""SciPy's L-BFGS on the fused pass over all rows.

It works in variables in which all features have about the same curvature,
``scaled = weights * scales`` and ``shifted = bias + means @ weights``: badly scaled features would
cost it thousands of iterations. Objective and penalty are those of the problem all the same.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from ..accumulator import Accumulator
from ..definitions import FloatArray
from ..evaluation import accumulator_of
from ..monitor import Monitor
from ..problem import Problem
from ..scaling import weighted_moments
from ..sparse_accumulator import SparseAccumulator
from .solution import Solution

_LINE_SEARCH_STEPS = 50
_NO_LIMIT = 2**31 - 1
# SciPy's routine ends where rounding lets it find nothing lower. It is called again as long as it
# gets the gradient below this share of what it was.
_WORTH_GOING_ON = 0.5


@dataclass(frozen=True)
class LbfgsSettings:
    """How to minimise.

    Attributes
    ----------
    tolerance : float
        Of the largest absolute component of the gradient of the objective divided by the sum of the
        rows' weights.
    max_iterations : int
    fit_intercept : bool
        The bias stays as it is at the start otherwise.
    """

    tolerance: float
    max_iterations: int
    fit_intercept: bool = True


@dataclass(frozen=True)
class Minimum(Solution):
    """A solution, and how good it is.

    Attributes
    ----------
    objective : float
        The objective of the problem, divided by the sum of the rows' weights.
    gradient_norm : float
        The largest absolute component of its gradient with respect to weights and, if it was
        fitted, bias.
    """

    objective: float
    gradient_norm: float


@dataclass(frozen=True)
class _Point:
    """Where the objective was evaluated; `gradient` is by the variables, its norm by the model."""

    variables: FloatArray
    gradient: FloatArray
    weights: FloatArray
    bias: FloatArray
    objective: float
    gradient_norm: float


class _Objective:
    """The objective per unit of weight, as a function of the solver's variables."""

    def __init__(
        self,
        problem: Problem,
        accumulator: Accumulator | SparseAccumulator,
        bias: FloatArray,
        *,
        fit_intercept: bool,
    ) -> None:
        self._accumulator = accumulator
        self._fit_intercept = fit_intercept
        self._fixed_bias = bias
        self._total_weight = problem.total_weight
        self._penalty = problem.l2_penalty / self._total_weight
        self._n_columns = len(bias)
        self._means, variances = weighted_moments(problem, center=fit_intercept)
        # Of the loss by a logit, where all classes are equally probable.
        curvature = (1 - 1 / problem.n_classes) / problem.n_classes
        self._scales = np.sqrt(variances + self._penalty / curvature)
        self._scales[self._scales == 0.0] = 1.0
        if not np.isfinite(self._scales).all():
            raise ValueError(
                f"the features' squares or the penalty, {self._penalty:g} per unit of weight, are "
                "not finite: scale the features, or use a larger C"
            )
        self._origin: _Point | None = None
        self.last: _Point

    def measure_from(self, origin: _Point) -> None:
        """Give differences to the value at a point from now on, by the trapezoidal rule.

        Close to the optimum, differences of values drown in rounding, those of gradients don't; and
        there the objective is all but quadratic, for which the rule is exact.
        """
        self._origin = origin

    def variables_of(self, weights: FloatArray, bias: FloatArray) -> FloatArray:
        """The variables that stand for a model."""
        scaled = weights * self._scales[:, None]
        shifted = bias + self._means @ weights if self._fit_intercept else np.empty(0)
        return np.concatenate([scaled.ravel(), shifted])

    def _model_of(self, variables: FloatArray) -> tuple[FloatArray, FloatArray]:
        n_weights = len(self._scales) * self._n_columns
        weights = variables[:n_weights].reshape(-1, self._n_columns) / self._scales[:, None]
        if not self._fit_intercept:
            return weights, self._fixed_bias
        return weights, variables[n_weights:] - self._means @ weights

    def __call__(self, variables: FloatArray) -> tuple[float, FloatArray]:
        """The value and the derivatives by the variables."""
        weights, bias = self._model_of(variables)
        totals = self._accumulator.evaluate(weights, bias)
        objective = totals.loss / self._total_weight
        if self._penalty > 0.0:
            objective += 0.5 * self._penalty * float(np.vdot(weights, weights))
        weights_gradient = totals.weights_gradient / self._total_weight + self._penalty * weights
        bias_gradient = totals.bias_gradient / self._total_weight
        largest = np.abs(weights_gradient).max()
        if self._fit_intercept:
            largest = max(largest, np.abs(bias_gradient).max())
            weights_gradient -= np.outer(self._means, bias_gradient)
        else:
            bias_gradient = np.empty(0)
        weights_gradient /= self._scales[:, None]
        gradient = np.concatenate([weights_gradient.ravel(), bias_gradient])
        self.last = _Point(
            variables.copy(), gradient, weights, bias, float(objective), float(largest)
        )
        if self._origin is None:
            return float(objective), gradient
        way = variables - self._origin.variables
        return 0.5 * float((gradient + self._origin.gradient) @ way), gradient


def minimise(
    problem: Problem,
    settings: LbfgsSettings,
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
    settings : LbfgsSettings
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
    with accumulator_of(problem, len(bias), n_threads) as accumulator:
        objective = _Objective(problem, accumulator, bias, fit_intercept=settings.fit_intercept)
        with np.errstate(over="ignore", invalid="ignore"):  # looked at below
            objective(objective.variables_of(weights, bias))
        best = objective.last
        objectives: list[float] = []
        is_stopped = False
        if not np.isfinite([best.objective, best.gradient_norm]).all():
            raise ValueError(
                f"the objective at the start is {best.objective} and the largest component of its "
                f"gradient {best.gradient_norm}: scale the features, or start elsewhere"
            )

        def watch(intermediate_result: Any) -> None:
            nonlocal best, is_stopped
            if not np.array_equal(intermediate_result.x, objective.last.variables):
                objective(intermediate_result.x)
            best = objective.last
            objectives.append(best.objective)
            if monitor is not None:
                reached_model = best.weights, best.bias
                is_stopped = monitor.end_iteration(best.objective, lambda: reached_model)
            if is_stopped or best.gradient_norm <= settings.tolerance:
                raise StopIteration
            if monitor is not None and len(objectives) < settings.max_iterations:
                monitor.begin_iteration()

        reached = np.inf
        if monitor is not None and best.gradient_norm > settings.tolerance:
            monitor.begin_iteration()
        while (
            best.gradient_norm > settings.tolerance
            and not is_stopped
            and len(objectives) < settings.max_iterations
            and best.gradient_norm < _WORTH_GOING_ON * reached
        ):
            if np.isfinite(reached):
                objective.measure_from(best)
            reached = best.gradient_norm
            minimize(
                objective,
                best.variables,
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
    return Minimum(
        best.weights,
        best.bias,
        np.array(objectives),
        best.gradient_norm <= settings.tolerance,
        best.objective,
        best.gradient_norm,
    )
