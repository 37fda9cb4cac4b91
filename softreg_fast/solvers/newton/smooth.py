"""Steps of Newton's method without an L1 penalty."""

import numpy as np

from ..._typing import FloatArray
from ...objective.objective import Evaluation, Objective
from ...runtime.blas import inner_product
from ..line_search import Trial, search
from .iteration import Steps
from .quasi_newton import Curvature
from .subsample import Sample

_MOST_TRIALS = 40


class SmoothSteps(Steps):
    """See `Steps`.

    Parameters
    ----------
    objective, sample, n_threads
        See `Steps`.
    curvature : Curvature, default=None
        Of this objective or one much like it, to go on with. By default there is none yet.
    """

    _was_too_long = False

    def __init__(
        self,
        objective: Objective,
        sample: Sample,
        n_threads: int | None,
        curvature: Curvature | None = None,
    ) -> None:
        super().__init__(objective, sample, n_threads)
        if curvature is None:
            curvature = Curvature(sample, self._n_columns, self._penalties, n_threads)
        self._curvature = curvature

    @property
    def is_exact(self) -> bool:
        """See `Steps`."""
        return self._curvature.is_exact

    @property
    def is_prepared(self) -> bool:
        """See `Steps`."""
        return self._curvature.is_taken

    def _derive(self) -> None:
        self._curvature.take(self.place.variables)

    def _learn(self, reached: Evaluation) -> None:
        step = reached.variables - self.place.variables
        change = reached.gradient - self.place.gradient
        self._curvature.learn(step.T.ravel(), change.T.ravel(), was_too_long=self._was_too_long)

    def _direction(self) -> FloatArray:
        quotient = self._curvature.divide(self.place.gradient.T.ravel())
        direction: FloatArray = -quotient.reshape(self._n_columns, -1).T
        if self._n_columns > 1 and not self._curvature.is_complete:  # which are centred as they are
            direction -= direction.mean(axis=1, keepdims=True)
        return direction

    @property
    def decrease_expected(self) -> float:
        """See `Steps`."""
        return -0.5 * inner_product(self.place.gradient, self._direction())

    def _step(self) -> Evaluation | None:
        here = self.place
        direction = self._direction()
        slope = inner_product(here.gradient, direction)
        if not slope < 0.0:
            return None
        value = here.objective

        def evaluate(length: float) -> Trial[Evaluation]:
            with np.errstate(all="ignore"):
                there = self._objective.evaluate(here.variables + length * direction)
                slope_there = inner_product(there.gradient, direction)
            return Trial(there, there.objective - value, slope_there)

        found = search(evaluate, value, slope, max_trials=_MOST_TRIALS)
        self._was_too_long = found is not None and found.was_too_long
        return None if found is None else found.there
