"""What Newton's method has in common, with and without an L1 penalty: a course of steps."""

from abc import ABC, abstractmethod

import numpy as np

from ..definitions import FloatArray
from .curvature import Coordinates, Sample
from .exact import Objective, Place, check_start

# Steps until second derivatives are taken anew, at first.
_FIRST_STEPS_BETWEEN = 6
_GROWTH_OF_STEPS_BETWEEN = 2.0


class Steps(ABC):
    """Steps from one place to the next, each lower.

    Parameters
    ----------
    objective : Objective
    coordinates : Coordinates
    sample : Sample
        The rows whose second derivatives are taken.
    bias : ndarray of shape (n_columns,)
        Kept, if there is no intercept.
    n_threads : int or None
    """

    most_unknowns: int
    """For which derivatives between classes are taken."""

    def __init__(
        self,
        objective: Objective,
        coordinates: Coordinates,
        sample: Sample,
        bias: FloatArray,
        n_threads: int | None,
    ) -> None:
        self._objective = objective
        self._coordinates = coordinates
        self._sample = sample
        self._fixed_bias = bias
        self._n_threads = n_threads
        self._n_columns = len(bias)
        n_coordinates = sample.n_unknowns * self._n_columns
        self._is_complete = self._n_columns > 1 and n_coordinates <= self.most_unknowns
        # All second derivatives of all rows, for each step: Newton's method itself.
        self._is_exact = sample.is_whole and (self._is_complete or self._n_columns == 1)
        n_features = len(coordinates.scales)
        self._penalties = np.zeros(sample.n_unknowns)
        self._penalties[:n_features] = objective.penalty / coordinates.scales**2
        self._steps_between = float(_FIRST_STEPS_BETWEEN)
        self._n_steps_since = 0
        self.place: Place

    @property
    def _is_outdated(self) -> bool:
        """Whether it is time to take second derivatives anew."""
        steps_between = 1 if self._is_exact else self._steps_between
        return self._n_steps_since >= steps_between

    def begin(self, weights: FloatArray, bias: FloatArray) -> None:
        """Begin at a model."""
        with np.errstate(all="ignore"):  # looked at
            self.place = self._evaluate(self._coordinates.point_of(weights, bias))
        check_start(self.place.point)

    def prepare(self) -> None:
        """Take the second derivatives where it is."""
        with np.errstate(all="ignore"):
            self._derive()
        self._n_steps_since = 0

    def advance(self) -> bool:
        """Take a step; False if none leads lower."""
        if self._is_outdated:
            self._steps_between *= _GROWTH_OF_STEPS_BETWEEN
            self.prepare()
        while True:
            reached = self._step()
            if reached is not None:
                break
            if self._n_steps_since == 0:
                return False
            self.prepare()
        if not self._is_exact:
            self._learn(reached)
        self._n_steps_since += 1
        self.place = reached
        return True

    def _evaluate(self, variables: FloatArray) -> Place:
        return self._objective.evaluate_at(self._coordinates, variables, self._fixed_bias)

    @abstractmethod
    def _derive(self) -> None:
        """Take the second derivatives, and forget what steps have shown of them."""

    @abstractmethod
    def _step(self) -> Place | None:
        """A lower place, if there is one."""

    @abstractmethod
    def _learn(self, reached: Place) -> None:
        """Correct the second derivatives by what a step shows of them."""

    @property
    @abstractmethod
    def decrease_expected(self) -> float:
        """How much the next step would lower the objective by the second derivatives."""
