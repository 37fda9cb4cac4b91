"""What steps divide by: second derivatives, and what steps have shown of them since."""

import numpy as np

from ..._typing import FloatArray
from ...runtime import tuning
from ..limited_memory import LimitedMemory, Solve
from .hessian import derive_all, derive_blocks, factor_all, factor_blocks
from .subsample import Sample


class Curvature:
    """Of the objective, at about where steps are; several courses of steps may share it.

    Gradients, steps and quotients are flat: one class after the other.

    Parameters
    ----------
    sample : Sample
        The rows whose second derivatives are taken; their weights may be changed in between.
    n_columns : int
    penalties : ndarray of shape (n_unknowns,)
        Second derivatives of the penalty, per unit of weight.
    n_threads : int or None
    """

    def __init__(
        self, sample: Sample, n_columns: int, penalties: FloatArray, n_threads: int | None
    ) -> None:
        self.sample = sample
        self._n_columns = n_columns
        self._penalties = penalties
        self._n_threads = n_threads
        n_coordinates = sample.n_unknowns * n_columns
        self.is_complete = n_columns > 1 and n_coordinates <= tuning.MOST_UNKNOWNS_BETWEEN_CLASSES
        """Whether second derivatives between classes are among them."""
        self.is_exact = sample.is_whole and (self.is_complete or n_columns == 1)
        """Whether all are taken, of all rows: Newton's method itself."""
        self._memory = LimitedMemory(n_coordinates)
        self._derivatives: FloatArray | None = None
        self._solve: Solve | None = None
        self._factor = 1.0

    @property
    def is_taken(self) -> bool:
        """Whether second derivatives have been taken yet."""
        return self._derivatives is not None

    def take(self, variables: FloatArray) -> None:
        """Take second derivatives anew, and forget what steps have shown.

        Parameters
        ----------
        variables : ndarray of shape (n_unknowns, n_columns)
            Where.
        """
        self._derivatives = self._solve = None  # before there are others
        of_loss = np.zeros(self.sample.n_unknowns)
        if self.is_complete:
            self._derivatives = derive_all(self.sample, variables, of_loss, makes_regular=True)
        else:
            self._derivatives = derive_blocks(self.sample, variables, of_loss, self._n_threads)
        self._memory.clear()
        self._divide_by(self._derivatives)

    def _divide_by(self, derivatives: FloatArray) -> None:
        self._solve = None
        penalties, n_columns = self._penalties, self._n_columns
        if self.is_complete:
            self._solve = factor_all(derivatives, penalties, n_columns)
        else:
            self._solve = factor_blocks(derivatives, penalties, n_columns, self._n_threads)
        self._factor = 1.0

    def change_penalties(self, penalties: FloatArray) -> None:
        """Go on with another penalty, from what is known."""
        change = penalties - self._penalties
        self._penalties = penalties
        if self._derivatives is not None:
            self._memory.add_curvature(np.tile(change, self._n_columns))
            self._divide_by(self._derivatives)

    def learn(self, step: FloatArray, change: FloatArray, *, was_too_long: bool) -> None:
        """Learn from a step and the change of the gradient that it has brought.

        Parameters
        ----------
        step, change : ndarrays of shape (n_coordinates,)
        was_too_long : bool
            Whether the line search has shortened it.
        """
        if self._memory.add(step, change) and was_too_long and self._solve is not None:
            self._factor = self._memory.fit(self._solve)

    def divide(self, gradient: FloatArray) -> FloatArray:
        """A gradient, by the second derivatives that steps have corrected."""
        assert self._solve is not None
        return self._memory.divide(gradient, self._solve, self._factor)
