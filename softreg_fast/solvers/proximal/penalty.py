"""What an L1 penalty is to steps: of absolute weights, or of the norms of features' weights."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..._typing import FloatArray
from ...objective.penalty import directions_of, norms_of
from ..shifts import best_shifts

Flags = npt.NDArray[np.bool_]


class L1Penalty(Protocol):
    """The sum of the sizes of weights, of which arrays have a row for each feature."""

    is_grouped: bool

    def sizes(self, weights: FloatArray) -> FloatArray:
        """What is summed."""

    def slopes(self, weights: FloatArray) -> FloatArray:
        """Its derivatives by weights whose size isn't zero; zeros where it is."""

    def signs(self, weights: FloatArray) -> FloatArray:
        """For each weight, what changes where a size becomes zero or leads through it."""

    def curvatures(self, weights: FloatArray) -> FloatArray | float:
        """Its second derivatives by each weight by itself, where the size isn't zero."""

    def bend(self, weights: FloatArray, direction: FloatArray) -> FloatArray | float:
        """How its derivatives change along a direction, to first order."""

    def are_there(self, weights: FloatArray) -> Flags:
        """Whether sizes aren't zero, for each weight."""

    def cross(self, start: FloatArray, changes: FloatArray) -> Flags:
        """Whether changes lead through zero, or to it, for each weight."""

    def shifts(self, weights: FloatArray, l1_penalty: float, l2_penalty: float) -> FloatArray:
        """What to take from all weights of each feature, to lower the penalty the most."""


class AbsoluteWeights:
    """The sum of the absolute weights; see `L1Penalty`."""

    is_grouped = False

    def sizes(self, weights: FloatArray) -> FloatArray:
        """See `L1Penalty`."""
        return np.abs(weights)

    def slopes(self, weights: FloatArray) -> FloatArray:
        """See `L1Penalty`."""
        return np.sign(weights)

    def signs(self, weights: FloatArray) -> FloatArray:
        """See `L1Penalty`."""
        return np.sign(weights)

    def curvatures(self, weights: FloatArray) -> float:
        """See `L1Penalty`."""
        return 0.0

    def bend(self, weights: FloatArray, direction: FloatArray) -> float:
        """See `L1Penalty`."""
        return 0.0

    def are_there(self, weights: FloatArray) -> Flags:
        """See `L1Penalty`."""
        flags: Flags = weights != 0.0
        return flags

    def cross(self, start: FloatArray, changes: FloatArray) -> Flags:
        """See `L1Penalty`."""
        flags: Flags = (start != 0.0) & ((start + changes) * start <= 0.0)
        return flags

    def shifts(self, weights: FloatArray, l1_penalty: float, l2_penalty: float) -> FloatArray:
        """See `L1Penalty`."""
        return best_shifts(weights, l1_penalty, l2_penalty)


class NormsOfFeatures:
    """The sum of the norms of features' weights; see `L1Penalty`."""

    is_grouped = True

    def sizes(self, weights: FloatArray) -> FloatArray:
        """See `L1Penalty`."""
        return norms_of(weights)

    def slopes(self, weights: FloatArray) -> FloatArray:
        """See `L1Penalty`."""
        return directions_of(weights)

    def signs(self, weights: FloatArray) -> FloatArray:
        """See `L1Penalty`."""
        return self.are_there(weights).astype(np.float64)

    def curvatures(self, weights: FloatArray) -> FloatArray:
        """See `L1Penalty`."""
        shares: FloatArray = 1.0 - directions_of(weights) ** 2
        return shares * self._inverse_norms(weights)

    def bend(self, weights: FloatArray, direction: FloatArray) -> FloatArray:
        """See `L1Penalty`."""
        units = directions_of(weights)
        along = np.sum(units * direction, axis=1, keepdims=True)
        bent: FloatArray = (direction - along * units) * self._inverse_norms(weights)
        return bent

    def are_there(self, weights: FloatArray) -> Flags:
        """See `L1Penalty`."""
        return np.broadcast_to(weights.any(axis=1, keepdims=True), weights.shape)

    def cross(self, start: FloatArray, changes: FloatArray) -> Flags:
        """See `L1Penalty`."""
        products = np.sum((start + changes) * start, axis=1, keepdims=True)
        flags: Flags = self.are_there(start) & (products <= 0.0)
        return flags

    def shifts(self, weights: FloatArray, l1_penalty: float, l2_penalty: float) -> FloatArray:
        """See `L1Penalty`."""
        means: FloatArray = weights.mean(axis=1, keepdims=True)
        return means

    @staticmethod
    def _inverse_norms(weights: FloatArray) -> FloatArray:
        norms = norms_of(weights)
        return np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0.0)


def l1_penalty_of(*, is_grouped: bool) -> L1Penalty:
    """The penalty of a kind."""
    return NormsOfFeatures() if is_grouped else AbsoluteWeights()
