"""What steps divide by: second derivatives, and what steps have shown of them since."""

import numpy as np
from scipy.linalg.lapack import dtrtrs

from ..._typing import FloatArray
from .hessian import Solve, derive_all, derive_blocks, factor_all, factor_blocks
from .subsample import Sample

_REMEMBERED_STEPS = 24
# For which derivatives between classes are taken.
_MOST_UNKNOWNS = 160


class _Memory:
    """Steps and the changes of the gradient that they brought.

    They correct second derivatives as in the limited-memory BFGS method (Liu and Nocedal, On the
    limited memory BFGS method for large scale optimization, 1989), whose two recursions are
    triangular systems here (Byrd, Nocedal and Schnabel, Representations of quasi-Newton matrices,
    1994). No product is left to BLAS, whose threads ours would have to wait for.

    Parameters
    ----------
    n_coordinates : int
    """

    def __init__(self, n_coordinates: int) -> None:
        # Twice as many as are remembered, so that they are moved to the front but seldom.
        self._steps, self._changes = np.empty((2, 2 * _REMEMBERED_STEPS, n_coordinates))
        self._products = np.empty((2 * _REMEMBERED_STEPS, 2 * _REMEMBERED_STEPS))
        self._kept = slice(0, 0)

    def __len__(self) -> int:
        return self._kept.stop - self._kept.start

    def clear(self) -> None:
        """Forget all."""
        self._kept = slice(0, 0)

    def add(self, step: FloatArray, change: FloatArray) -> bool:
        """Remember a step, unless it tells nothing; whether it does."""
        product = float(step @ change)
        least = np.finfo(np.float64).eps * np.linalg.norm(step) * np.linalg.norm(change)
        if not product > least:
            return False
        if len(self) == _REMEMBERED_STEPS:
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
        return float(self._products[last, last]) / float(change @ solve(change))

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
        self.is_complete = n_columns > 1 and n_coordinates <= _MOST_UNKNOWNS
        """Whether second derivatives between classes are among them."""
        self.is_exact = sample.is_whole and (self.is_complete or n_columns == 1)
        """Whether all are taken, of all rows: Newton's method itself."""
        self._memory = _Memory(n_coordinates)
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
        factor = factor_all if self.is_complete else factor_blocks
        self._solve = factor(derivatives, self._penalties, self._n_columns)
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
