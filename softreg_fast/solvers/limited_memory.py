"""What steps have shown of the curvature: the limited-memory BFGS method."""

from collections.abc import Callable

import numpy as np
from scipy.linalg.lapack import dtrtrs

from .._typing import FloatArray
from ..runtime.blas import inner_product, norm

Solve = Callable[[FloatArray], FloatArray]
"""Takes and gives flat arrays of the size of a point: one class after the other."""


class LimitedMemory:
    """Steps and the changes of the gradient that they brought.

    They correct second derivatives as in the limited-memory BFGS method (Liu and Nocedal, On the
    limited memory BFGS method for large scale optimization, 1989), whose two recursions are
    triangular systems here (Byrd, Nocedal and Schnabel, Representations of quasi-Newton matrices,
    1994).

    Parameters
    ----------
    n_coordinates : int
    most_steps : int, default=24
        How many are remembered.
    """

    def __init__(self, n_coordinates: int, most_steps: int = 24) -> None:
        self._most_steps = most_steps
        # Room for more than are remembered, so that they are moved to the front but seldom.
        room = most_steps + most_steps // 2
        self._steps, self._changes = np.empty((2, room, n_coordinates))
        self._products = np.empty((room, room))
        self._kept = slice(0, 0)

    def __len__(self) -> int:
        return self._kept.stop - self._kept.start

    def clear(self) -> None:
        """Forget all."""
        self._kept = slice(0, 0)

    def add(self, step: FloatArray, change: FloatArray) -> bool:
        """Remember a step, unless it tells nothing; whether it does."""
        product = inner_product(step, change)
        least = np.finfo(np.float64).eps * norm(step) * norm(change)
        if not product > least:
            return False
        if len(self) == self._most_steps:
            self._kept = slice(self._kept.start + 1, self._kept.stop)
        if self._kept.stop == len(self._steps):
            self._move_to_front()
        place = self._kept.stop
        self._kept = slice(self._kept.start, place + 1)
        self._steps[place], self._changes[place] = step, change
        steps = self._steps[self._kept]
        self._products[self._kept, place] = np.einsum("ij,j->i", steps, change)
        return True

    def _move_to_front(self) -> None:
        count = len(self)
        for array in (self._steps, self._changes):
            array[:count] = array[self._kept]
        self._products[:count, :count] = self._products[self._kept, self._kept]
        self._kept = slice(0, count)

    def add_curvature(self, diagonal: FloatArray) -> None:
        """Have the objective curved more, by a diagonal matrix; less, if it is negative."""
        steps, changes = self._steps[self._kept], self._changes[self._kept]
        changes += diagonal * steps
        products = np.einsum("ij,kj->ik", steps, changes)
        if len(self) and not (products.diagonal() > 0.0).all():
            self.clear()
            return
        self._products[self._kept, self._kept] = products

    def fit(self, solve: Solve) -> float:
        """What to multiply quotients by so that they fit the last step."""
        last = self._kept.stop - 1
        change = self._changes[last]
        return float(self._products[last, last]) / inner_product(change, solve(change))

    def divide(self, gradient: FloatArray, solve: Solve, factor: float) -> FloatArray:
        """A gradient, by the second derivatives that the steps have corrected."""
        if not len(self):
            return factor * solve(gradient)
        steps, changes = self._steps[self._kept], self._changes[self._kept]
        products = self._products[self._kept, self._kept]
        shares = dtrtrs(products, np.einsum("ij,j->i", steps, gradient))[0]
        quotient = factor * solve(gradient - np.einsum("ij,i->j", changes, shares))
        rest = products.diagonal() * shares - np.einsum("ij,j->i", changes, quotient)
        corrections = dtrtrs(products, rest, trans=1)[0]
        quotient += np.einsum("ij,i->j", steps, corrections)
        return quotient
