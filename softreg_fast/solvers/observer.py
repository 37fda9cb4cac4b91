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
    """

    objective: float
    model: Callable[[], Model]
    validation_loss: float | None = None


class Observer(Protocol):
    """Watches the iterations of a solver."""

    def begin_iteration(self) -> None:
        """Called before each iteration."""

    def end_iteration(self, iteration: Iteration) -> bool:
        """Called after each iteration; True ends them."""


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
