"""Steps of Newton's method without an L1 penalty.

In between the places where second derivatives are taken, they are corrected as in the
limited-memory BFGS method (Liu and Nocedal, On the limited memory BFGS method for large scale
optimization, 1989).
"""

from collections import deque

import numpy as np

from ..definitions import FloatArray
from .curvature import Solve, derive_all, derive_blocks, factor_all, factor_blocks
from .exact import Place
from .steps import Steps

_REMEMBERED_STEPS = 24
# Of the line search: Armijo's condition; and of Hager and Zhang, A new conjugate gradient method
# with guaranteed descent and an efficient line search, 2005, what to do where differences of values
# are nothing but rounding.
_SUFFICIENT_DECREASE = 1e-4
_ROUNDING = 1e-11
_MOST_TRIALS = 40
_LEAST_SHRINKING, _MOST_SHRINKING = 0.5, 0.1


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

    def fit(self, solve: Solve) -> float:
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


class SmoothSteps(Steps):
    """See `Steps`."""

    most_unknowns = 160
    _solve: Solve
    _factor = 1.0
    _was_too_long = False

    def _derive(self) -> None:
        arguments = self._sample, self.place.variables, self._penalties
        if self._is_complete:
            self._solve = factor_all(derive_all(*arguments, makes_regular=True), self._n_columns)
        else:
            self._solve = factor_blocks(derive_blocks(*arguments, self._n_threads), self._n_columns)
        self._memory = _Memory()
        self._factor = 1.0

    def _learn(self, reached: Place) -> None:
        self._memory.add(
            reached.variables - self.place.variables, reached.gradient - self.place.gradient
        )
        if self._was_too_long and len(self._memory):
            self._factor = self._memory.fit(self._solve)

    def _direction(self) -> FloatArray:
        direction = self._memory.direction(self.place.gradient, self._solve, self._factor)
        if self._n_columns > 1 and not self._is_complete:  # which are centred as they are
            direction -= direction.mean(axis=1, keepdims=True)
        return direction

    @property
    def decrease_expected(self) -> float:
        """See `Steps`."""
        return -0.5 * float(np.vdot(self.place.gradient, self._direction()))

    def _step(self) -> Place | None:
        here = self.place
        direction = self._direction()
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
