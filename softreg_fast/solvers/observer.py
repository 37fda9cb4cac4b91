"""What solvers tell of their iterations."""

from collections.abc import Callable
from typing import Protocol

from .._typing import FloatArray, Model


class Monitor(Protocol):
    """What solvers tell of their iterations."""

    def begin_iteration(self) -> None:
        """Called before each iteration."""

    def end_iteration(self, objective: float, model: Callable[[], Model]) -> bool:
        """Called after each iteration.

        Parameters
        ----------
        objective : float
            Per unit of weight.
        model : callable
            Gives weights, of shape (n_features, n_columns), and bias.

        Returns
        -------
        bool
            Whether to stop.
        """


class EpochObserver(Protocol):
    """What gradient descent tells of its epochs, many at a time."""

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
