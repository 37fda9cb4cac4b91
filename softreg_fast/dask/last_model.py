"""The model of the last iteration of a fit, if it doesn't come to its end."""

from .._typing import FloatArray, Model
from ..estimators.callbacks import FitObserver
from ..solvers.observer import Iteration


class LastModel:
    """Remembers the last iteration, and tells another observer of all.

    Attributes
    ----------
    model : tuple of weights and bias, or None
        After the last iteration; None if there was none.
    n_iterations : int
    """

    _observer: FitObserver

    def __init__(self) -> None:
        self.model: Model | None = None
        self.n_iterations = 0

    def watch(self, observer: FitObserver) -> "LastModel":
        """Tell an observer of all iterations to come."""
        self._observer = observer
        return self

    def begin_iteration(self) -> None:
        """See `Observer`."""
        self._observer.begin_iteration()

    def end_iteration(self, iteration: Iteration) -> bool:
        """See `Observer`."""
        weights, bias = iteration.model()
        self.model = _copy(weights), _copy(bias)
        self.n_iterations += 1
        return self._observer.end_iteration(iteration)


def _copy(array: FloatArray) -> FloatArray:
    copied: FloatArray = array.copy()
    return copied
