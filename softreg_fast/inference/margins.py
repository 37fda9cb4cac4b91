"""The rows that have a weight, in coordinates where differences of logits are hardly rounded.

A *direction* is an array of shape (n_unknowns, n_classes): by how much a logit of each class grows
along each coordinate. A *margin* of a row is the logit of its target less that of another class.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray
from ..data.problem import Problem
from ..runtime.blas import matrix_product

_NUMBERS_PER_BLOCK = 1 << 18
_EPSILON = float(np.finfo(np.float64).eps)

Indices = npt.NDArray[np.int64]


def add_squares(design: FloatArray, weights: FloatArray, squares_out: FloatArray) -> None:
    """Add ``design.T @ (weights * design)``, by this thread alone."""
    squares_out += matrix_product((design * weights[:, None]).T, design)


@dataclass(frozen=True)
class RowBlock:
    """Some rows.

    Attributes
    ----------
    rows : ndarray of shape (n_rows,), int64
        Which of the problem's they are.
    design : ndarray of shape (n_rows, n_unknowns), float64
        From -1 to 1; the last column is of ones, if there is an intercept.
    targets : ndarray of shape (n_rows,), int64
    weights : ndarray of shape (n_rows,), float64
        Above 0; 1 at most.
    """

    rows: Indices
    design: FloatArray
    targets: Indices
    weights: FloatArray

    def margins(self, direction: FloatArray) -> FloatArray:
        """Margins to all classes; infinite to the target itself."""
        logits = matrix_product(self.design, direction)
        places = np.arange(len(logits))
        margins: FloatArray = logits[places, self.targets][:, None] - logits
        margins[places, self.targets] = np.inf
        return margins


class WeighedRows:
    """The rows of a problem that have a weight.

    Features that are constant are left out with an intercept, and zeros without one. The others are
    moved and scaled by numbers with few digits, so that whole numbers and indicators stay exact.

    Parameters
    ----------
    problem : Problem
    fit_intercept : bool
    limits : tuple of ndarrays of shape (n_features,), default=None
        The smallest and the largest number of each feature; None are those of these rows.

    Attributes
    ----------
    rows : ndarray of int64
        Which they are.
    used : ndarray of int64
        Features that aren't left out.
    centres, factors : ndarrays of shape (n_used,), float64
        What is subtracted, and what the difference is multiplied by.
    largest_weight : float
        By which weights are divided.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        fit_intercept: bool,
        limits: tuple[FloatArray, FloatArray] | None = None,
    ) -> None:
        self._problem = problem
        self.fit_intercept = fit_intercept
        self.n_classes = problem.n_classes
        self.largest_weight = 1.0
        weights = problem.sample_weight
        if weights is None:
            self.rows = np.arange(problem.n_samples)
        else:
            self.rows = np.flatnonzero(weights > 0.0)
            self.largest_weight = float(weights.max())
        lowest, highest = self.find_limits() if limits is None else limits
        centres = np.zeros(len(lowest))
        # Halves, so that their difference can't overflow.
        reach = np.maximum(np.abs(lowest), np.abs(highest))
        if fit_intercept:
            reach = 0.5 * highest - 0.5 * lowest
            centres = 0.5 * highest + 0.5 * lowest
        self.used = np.flatnonzero(reach > 0.0)
        exponents = np.frexp(reach[self.used])[1]
        units = np.ldexp(1.0, np.minimum(exponents, 1023))
        # Of whole units, a centre has few digits and is no farther than the reach.
        self.centres = np.rint(centres[self.used] / units) * units
        self.factors = np.ldexp(1.0, np.minimum(-exponents - int(fit_intercept), 1023))

    @property
    def n_unknowns(self) -> int:
        """Coordinates of a class."""
        return len(self.used) + self.fit_intercept

    def find_limits(self) -> tuple[FloatArray, FloatArray]:
        """The smallest and the largest number of each feature."""
        features = self._problem.features
        is_all = len(self.rows) == self._problem.n_samples
        if self._problem.is_sparse:
            taken = features if is_all else features[self.rows]
            limits = [np.asarray(each.todense()).ravel() for each in (taken.min(0), taken.max(0))]
            return limits[0].astype(np.float64), limits[1].astype(np.float64)
        if is_all:
            return features.min(0).astype(np.float64), features.max(0).astype(np.float64)
        lowest = np.full(features.shape[1], np.inf)
        highest = -lowest
        for rows in self._cut(1):
            block = features[rows]
            np.minimum(lowest, block.min(0), out=lowest)
            np.maximum(highest, block.max(0), out=highest)
        return lowest, highest

    def _cut(self, stride: int) -> Iterator[Indices]:
        step = max(1, _NUMBERS_PER_BLOCK // self._problem.features.shape[1])
        taken = self.rows[::stride]
        for start in range(0, len(taken), step):
            yield taken[start : start + step]

    def take(self, rows: Indices) -> RowBlock:
        """Some of the rows."""
        problem = self._problem
        # A slice is a view, and faster than a list of rows.
        is_run = len(rows) and rows[-1] - rows[0] + 1 == len(rows) and (np.diff(rows) == 1).all()
        chosen = slice(rows[0], rows[-1] + 1) if is_run else rows
        features = problem.features[chosen]
        if problem.is_sparse:
            features = features.toarray()
        if len(self.used) < features.shape[1]:
            features = features[:, self.used]
        design = np.ones((len(rows), self.n_unknowns))
        scaled = design[:, : len(self.used)]
        np.subtract(features, self.centres, out=scaled)
        scaled *= self.factors
        weights = problem.weights(chosen) / self.largest_weight
        return RowBlock(rows, design, problem.targets[chosen].astype(np.int64), weights)

    def blocks(self, stride: int = 1) -> Iterator[RowBlock]:
        """All rows, or one of so many."""
        for rows in self._cut(stride):
            yield self.take(rows)

    def direction_of(self, weights: FloatArray, bias: FloatArray) -> FloatArray:
        """A model as a direction from the one that is zero."""
        used = weights[self.used]
        direction: FloatArray = used / self.factors[:, None]
        if self.fit_intercept:
            direction = np.vstack([direction, bias + self.centres @ used])
        if direction.shape[1] == 1:
            direction = np.hstack([np.zeros_like(direction), direction])
        return direction

    def gradient_of(self, weights_gradient: FloatArray, bias_gradient: FloatArray) -> FloatArray:
        """The derivatives of the loss by a direction, from those by a model's coefficients."""
        gradient: FloatArray = weights_gradient[self.used] - np.outer(self.centres, bias_gradient)
        gradient *= self.factors[:, None]
        if self.fit_intercept:
            gradient = np.vstack([gradient, bias_gradient])
        if gradient.shape[1] == 1:
            gradient = np.hstack([-gradient, gradient])
        gradient /= self.largest_weight
        return gradient

    def rounding_of_gradient(self, model: FloatArray) -> FloatArray:
        """What rounding may have added to the gradient at a model, about; shape (n_unknowns,).

        Of features far from zero, logits and derivatives have lost digits.
        """
        offsets = np.abs(self.centres * self.factors)
        if self.fit_intercept:
            offsets = np.append(offsets, 0.0)
        sizes = 1.0 + float(np.abs(model).sum(axis=1) @ (1.0 + offsets))
        return np.asarray(8.0 * _EPSILON * len(self.rows) * sizes * (1.0 + offsets))


def rounding_of(direction: FloatArray) -> FloatArray:
    """What rounding may have added to a margin to each class, at most; shape (n_classes,)."""
    sizes = np.abs(direction).sum(axis=0)
    return np.asarray((len(direction) + 2) * _EPSILON * (sizes + sizes.max(initial=0.0)))
