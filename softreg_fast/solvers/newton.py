"""Newton's method with second derivatives of a sample of the rows.

Steps divide by second derivatives that are taken anew from time to time (`curvature`); in between
they are corrected by what passes over all rows tell of them, as in the limited-memory BFGS method
(Liu and Nocedal, On the limited memory BFGS method for large scale optimization, 1989). Where the
second derivatives are cheap and of all rows, they are taken anew for each step: then it is Newton's
method. Of many rows a part is gone over first, until its optimum is nearer than that of all rows is
likely to be.
"""

from collections import deque
from dataclasses import replace

import numpy as np

from ..definitions import FloatArray
from ..evaluation import accumulator_of
from ..feature_sums import FeatureSums, sum_features
from ..monitor import Monitor
from ..problem import Problem
from .curvature import (
    Coordinates,
    Sample,
    Solve,
    choose_coordinates,
    factor_all,
    factor_blocks,
    take_sample,
)
from .exact import ExactSettings, Minimum, Objective, Place, check_penalty, check_start

# Unknowns of all classes for which derivatives between classes are taken too.
_MOST_UNKNOWNS_BETWEEN_CLASSES = 160
_FIRST_STEPS_BETWEEN = 6
_GROWTH_OF_STEPS_BETWEEN = 2.0
_REMEMBERED_STEPS = 24
# Of the line search: Armijo's condition; and of Hager and Zhang, A new conjugate gradient method
# with guaranteed descent and an efficient line search, 2005, what to do where differences of values
# are nothing but rounding.
_SUFFICIENT_DECREASE = 1e-4
_ROUNDING = 1e-11
_MOST_TRIALS = 40
_LEAST_SHRINKING, _MOST_SHRINKING = 0.5, 0.1
# Of all rows, the part gone over first: every so many rows, if that leaves as many.
_LEAST_STRIDE = 8
_FEWEST_COARSE_ROWS = 20_000
_MOST_BYTES_OF_DERIVATIVES = 1 << 28
_MOST_COARSE_ITERATIONS = 30


class _Memory:
    """Steps and the changes of the gradient that they brought."""

    def __init__(self) -> None:
        self._pairs: deque[tuple[FloatArray, FloatArray, float]] = deque(maxlen=_REMEMBERED_STEPS)

    def __len__(self) -> int:
        return len(self._pairs)

    def clear(self) -> None:
        self._pairs.clear()

    def add(self, step: FloatArray, change: FloatArray) -> None:
        product = float(np.vdot(step, change))
        least = np.finfo(np.float64).eps * np.linalg.norm(step) * np.linalg.norm(change)
        if product > least:
            self._pairs.append((step, change, product))

    def shrink(self, solve: Solve) -> float:
        """What to multiply quotients by so that they fit the last step."""
        _, change, product = self._pairs[-1]
        return product / float(np.vdot(change, solve(change)))

    def direction(self, gradient: FloatArray, solve: Solve, factor: float) -> FloatArray:
        """Downhill, by the second derivatives that the steps have corrected."""
        rest = gradient
        shares = []
        for step, change, product in reversed(self._pairs):
            share = float(np.vdot(step, rest)) / product
            shares.append(share)
            rest = rest - share * change
        direction = factor * solve(rest)
        for (step, change, product), share in zip(self._pairs, reversed(shares), strict=True):
            direction = direction + step * (share - float(np.vdot(change, direction)) / product)
        return -direction


class _Descent:
    """A run of the method on one problem, all of its rows or a part of them."""

    def __init__(
        self,
        objective: Objective,
        problem: Problem,
        coordinates: Coordinates,
        sample: Sample,
        bias: FloatArray,
        n_threads: int | None,
    ) -> None:
        self._n_threads = n_threads
        self._objective = objective
        self._problem = problem
        self._coordinates = coordinates
        self._sample = sample
        self._fixed_bias = bias
        n_unknowns = sample.n_unknowns * len(bias)
        self._is_complete = len(bias) > 1 and n_unknowns <= _MOST_UNKNOWNS_BETWEEN_CLASSES
        self._penalties = np.zeros(sample.n_unknowns)
        self._penalties[: len(coordinates.scales)] = objective.penalty / coordinates.scales**2
        self._is_centred = len(bias) > 1
        self._is_newton = (
            problem.link == "identity"
            and sample.is_whole
            and n_unknowns <= _MOST_UNKNOWNS_BETWEEN_CLASSES
        )
        self._steps_between = 1.0 if self._is_newton else float(_FIRST_STEPS_BETWEEN)
        self._memory = _Memory()
        self._n_steps_since = 0
        self._factor = 1.0
        self._was_too_long = False
        self._solve: Solve
        self.place: Place

    def begin(self, weights: FloatArray, bias: FloatArray) -> None:
        """Begin at a model."""
        with np.errstate(all="ignore"):  # looked at
            self.place = self._evaluate(self._coordinates.point_of(weights, bias))
        check_start(self.place.point)

    def prepare(self) -> None:
        """Take the second derivatives where it is."""
        factor = factor_all if self._is_complete else factor_blocks
        with np.errstate(all="ignore"):
            self._solve = factor(
                self._sample,
                self.place.variables,
                self._penalties,
                self._n_threads,
            )
        self._memory.clear()
        self._n_steps_since = 0
        self._factor = 1.0

    def _evaluate(self, variables: FloatArray) -> Place:
        return self._objective.evaluate_at(self._coordinates, variables, self._fixed_bias)

    def advance(self) -> bool:
        """Take a step; False if none leads lower."""
        if self._n_steps_since >= self._steps_between:
            if not self._is_newton:
                self._steps_between *= _GROWTH_OF_STEPS_BETWEEN
            self.prepare()
        while True:
            direction = self._direction()
            reached = self._search(direction)
            if reached is not None:
                break
            if self._n_steps_since == 0:
                return False
            self.prepare()
        if not self._is_newton:
            self._memory.add(
                reached.variables - self.place.variables, reached.gradient - self.place.gradient
            )
            if self._was_too_long and len(self._memory):
                self._factor = self._memory.shrink(self._solve)
        self._n_steps_since += 1
        self.place = reached
        return True

    def _direction(self) -> FloatArray:
        direction = self._memory.direction(self.place.gradient, self._solve, self._factor)
        if self._is_centred:
            direction -= direction.mean(axis=1, keepdims=True)
        return direction

    @property
    def decrease_expected(self) -> float:
        """How much the next step would lower the objective if it were quadratic."""
        return -0.5 * float(np.vdot(self.place.gradient, self._direction()))

    def _search(self, direction: FloatArray) -> Place | None:
        """A place downhill that is lower by enough."""
        here = self.place
        slope = float(np.vdot(here.gradient, direction))
        if not slope < 0.0:
            return None
        length = 1.0
        value = here.point.objective
        rounding = _ROUNDING * abs(value)
        self._was_too_long = False
        for _ in range(_MOST_TRIALS):
            with np.errstate(all="ignore"):
                there = self._evaluate(here.variables + length * direction)
                slope_there = float(np.vdot(there.gradient, direction))
            rise = there.point.objective - value
            if rise <= _SUFFICIENT_DECREASE * length * slope:
                return there
            is_near = (2.0 * _SUFFICIENT_DECREASE - 1.0) * slope >= slope_there
            if rise <= rounding and is_near:
                return there
            factor = _MOST_SHRINKING
            if slope_there > slope:  # where the slope is zero, if it changes evenly
                factor = slope / (slope - slope_there)
            elif np.isfinite(rise):
                factor = _LEAST_SHRINKING
            self._was_too_long = True
            length *= min(max(factor, _MOST_SHRINKING), _LEAST_SHRINKING)
        return None


def has_room(n_features: int, n_columns: int) -> bool:
    """Whether the second derivatives of a model within each class take no more than 256 MiB."""
    return 8 * n_columns * (n_features + 1) ** 2 <= _MOST_BYTES_OF_DERIVATIVES


def minimise(
    problem: Problem,
    settings: ExactSettings,
    weights: FloatArray,
    bias: FloatArray,
    n_threads: int | None = None,
    monitor: Monitor | None = None,
) -> Minimum:
    """Minimise the objective of a problem with the identity link and without an L1 penalty.

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
    sample = take_sample(problem, coordinates)
    if len(bias) > 1:
        with np.errstate(all="ignore"):  # looked at when it is evaluated
            weights = weights - weights.mean(axis=1, keepdims=True)
            if settings.fit_intercept:
                bias = bias - bias.mean()
    stride = problem.n_samples // max(_FEWEST_COARSE_ROWS, 2 * len(sample.row_weights))
    start = weights, bias
    if stride >= _LEAST_STRIDE and monitor is None:
        start = _go_over_part(
            problem, settings, stride, sums, coordinates, sample, start, n_threads
        )
    with accumulator_of(problem, len(bias), n_threads) as accumulator:
        objective = Objective(problem, accumulator, sums, settings)
        descent = _Descent(objective, problem, coordinates, sample, bias, n_threads)
        descent.begin(*start)
        return _descend(descent, objective, settings, monitor)


def _descend(
    descent: _Descent, objective: Objective, settings: ExactSettings, monitor: Monitor | None
) -> Minimum:
    objectives: list[float] = []
    is_prepared = False
    while len(objectives) < settings.max_iterations and not objective.is_optimal(
        descent.place.point
    ):
        if not is_prepared:
            descent.prepare()
            is_prepared = True
        if monitor is not None:
            monitor.begin_iteration()
        if not descent.advance():
            break
        point = descent.place.point
        objectives.append(point.objective)
        if monitor is not None and monitor.end_iteration(
            point.objective, lambda: (descent.place.point.weights, descent.place.point.bias)
        ):
            break
    return objective.minimum_of(descent.place.point, objectives)


def _go_over_part(
    problem: Problem,
    settings: ExactSettings,
    stride: int,
    sums: FeatureSums,
    coordinates: Coordinates,
    sample: Sample,
    start: tuple[FloatArray, FloatArray],
    n_threads: int | None,
) -> tuple[FloatArray, FloatArray]:
    """A model near the optimum of every so many rows."""
    weights = problem.sample_weight
    weights = None if weights is None else weights[::stride]
    if weights is not None and not weights.any():
        return start
    part = replace(
        problem,
        features=problem.features[::stride],
        targets=np.ascontiguousarray(problem.targets[::stride]),
        sample_weight=weights,
    )
    share = part.total_weight / problem.total_weight
    part = replace(part, l2_penalty=problem.l2_penalty * share)
    # What the optima of the part and of all rows differ by, if the model is right: half of the
    # number of unknowns, divided by the rows (Akaike).
    tolerance = start[0].size / (2.0 * part.n_samples)
    with accumulator_of(part, len(start[1]), n_threads) as accumulator:
        objective = Objective(part, accumulator, sums, settings)
        descent = _Descent(objective, part, coordinates, sample, start[1], n_threads)
        descent.begin(*start)
        descent.prepare()
        for _ in range(_MOST_COARSE_ITERATIONS):
            if descent.decrease_expected <= tolerance or not descent.advance():
                break
        point = descent.place.point
    return point.weights, point.bias
