"""Who watches a solver. An observer changes nothing, but that it may end the iterations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .._typing import FloatArray, Model


@dataclass(frozen=True)
class Iteration:
    """An iteration that is done.

    Attributes
    ----------
    objective : float
        After it, divided by the sum of the sample weights.
    model : callable
        Gives weights, of shape (n_features, n_columns), and bias.
    validation_loss : float or None, default=None
        Mean loss of the held-out rows, if there are some.
    gap : callable
        Gives a bound of (objective - optimum) / objective, by what the pass has told; NaN if
        nothing is known.
    """

    objective: float
    model: Callable[[], Model]
    validation_loss: float | None = None
    gap: Callable[[], float] = lambda: float("nan")


class Observer(Protocol):
    """Watches the iterations of a solver."""

    def begin_iteration(self) -> None:
        """Called before each iteration."""

    def end_iteration(self, iteration: Iteration) -> bool:
        """Called after each iteration; True ends them."""


class Iterations:
    """The iterations of a fit, of which an observer is told.

    Parameters
    ----------
    most : int
    observer : Observer, default=None

    Attributes
    ----------
    objectives : list of float
        After each.
    was_interrupted : bool
        Whether the observer has ended them.
    """

    def __init__(self, most: int, observer: Observer | None = None) -> None:
        self._most = most
        self._observer = observer
        self.objectives: list[float] = []
        self.was_interrupted = False

    @property
    def are_over(self) -> bool:
        """Whether there may be no more."""
        return self.was_interrupted or len(self.objectives) >= self._most

    def begin(self) -> None:
        """Say that an iteration begins."""
        if self._observer is not None:
            self._observer.begin_iteration()

    def end(self, objective: float, model: Callable[[], Model]) -> None:
        """Say what an iteration has led to."""
        self.objectives.append(objective)
        if self._observer is not None:
            self.was_interrupted = self._observer.end_iteration(Iteration(objective, model))


class EpochObserver(Protocol):
    """Watches the epochs of gradient descent, many at a time."""

    @property
    def n_epochs(self) -> int:
        """Epochs that it has been told of."""

    def record(self, losses: FloatArray, accuracies: FloatArray) -> None:
        """Called with epochs that are finished.

        Parameters
        ----------
        losses, accuracies : ndarrays of shape (n,)
            One element for each epoch, in order. They are overwritten later.
        """
