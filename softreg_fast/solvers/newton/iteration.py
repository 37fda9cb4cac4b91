"""What Newton's method has in common, with and without an L1 penalty: a course of steps."""

from abc import ABC, abstractmethod

import numpy as np

from ..._typing import FloatArray, Model
from ...objective.objective import Evaluation, Objective
from ..base import Progress, SolverOptions, check_start
from ..observer import Iteration, Observer
from .subsample import Sample

# Steps until second derivatives are taken anew, at first.
_FIRST_STEPS_BETWEEN = 6
_GROWTH_OF_STEPS_BETWEEN = 2.0
# Steps that may bring nothing: of Newton's method itself, and where second derivatives are only
# nearly right.
_PATIENCE_OF_EXACT, _PATIENCE = 10, 40


class Steps(ABC):
    """Steps from one place to the next, each lower.

    Parameters
    ----------
    objective : Objective
    sample : Sample
        The rows whose second derivatives are taken.
    n_threads : int or None
    """

    def __init__(
        self,
        objective: Objective,
        sample: Sample,
        n_threads: int | None,
    ) -> None:
        self._objective = objective
        self._coordinates = objective.coordinates
        self._sample = sample
        self._n_threads = n_threads
        self._n_columns = len(objective.fixed_bias)
        self._penalties = objective.coordinates.penalties_of(objective.penalty)
        self._steps_between = float(_FIRST_STEPS_BETWEEN)
        self._n_steps_since = 0
        self._is_derived_here = False
        self.place: Evaluation

    @property
    def model(self) -> Model:
        """Weights and bias where it is."""
        return self.place.model

    @property
    @abstractmethod
    def is_exact(self) -> bool:
        """Whether all second derivatives of all rows are taken, for each step."""

    @property
    @abstractmethod
    def is_prepared(self) -> bool:
        """Whether there are second derivatives, of here or near by."""

    def begin(self, weights: FloatArray, bias: FloatArray) -> None:
        """Begin at a model."""
        with np.errstate(all="ignore"):  # looked at
            self.place = self._objective.evaluate(self._coordinates.point_of(weights, bias))
        check_start(self.place.objective, self.place.gradient_norm)

    def begin_at(self, place: Evaluation) -> None:
        """Begin at a place that is known."""
        self.place = place

    def try_lower(self, variables: FloatArray) -> None:
        """Go to a point, if it is lower."""
        with np.errstate(all="ignore"):
            there = self._objective.evaluate(variables)
        if there.objective < self.place.objective:
            self.place = there
            self._is_derived_here = False

    def prepare(self) -> None:
        """Take the second derivatives where it is."""
        with np.errstate(all="ignore"):
            self._derive()
        self._n_steps_since = 0
        self._is_derived_here = True

    def advance(self) -> bool:
        """Take a step; False if none leads lower."""
        steps_between = 1 if self.is_exact else self._steps_between
        if not self.is_prepared:
            self.prepare()
        elif self._n_steps_since >= steps_between or self._is_spent:
            self._steps_between *= _GROWTH_OF_STEPS_BETWEEN
            self.prepare()
        while True:
            reached = self._step()
            if reached is not None:
                break
            if self._is_derived_here:
                return False
            self.prepare()
        if not self.is_exact:
            self._learn(reached)
        self._n_steps_since += 1
        self._is_derived_here = False
        self.place = reached
        return True

    @property
    def _is_spent(self) -> bool:
        """Whether second derivatives can't be corrected any more."""
        return False

    @abstractmethod
    def _derive(self) -> None:
        """Take the second derivatives, and forget what steps have shown of them."""

    @abstractmethod
    def _step(self) -> Evaluation | None:
        """A lower place, if there is one."""

    @abstractmethod
    def _learn(self, reached: Evaluation) -> None:
        """Correct the second derivatives by what a step shows of them."""

    @property
    @abstractmethod
    def decrease_expected(self) -> float:
        """How much the next step would lower the objective by the second derivatives."""


def descend(
    steps: Steps,
    objective: Objective,
    options: SolverOptions,
    objectives: list[float],
    observer: Observer | None = None,
) -> bool:
    """Take steps until it is optimal; the objective after each is added to the list.

    Or until steps lead nowhere any more, or the observer ends them: gives whether that was so.
    """
    progress = Progress(
        steps.place,
        steps.place.largest_component,
        _PATIENCE_OF_EXACT if steps.is_exact else _PATIENCE,
    )
    while len(objectives) < options.max_iterations and not objective.is_optimal(steps.place):
        if observer is not None:
            observer.begin_iteration()
        if not steps.advance():
            break
        value = steps.place.objective
        objectives.append(value)
        if observer is not None:
            iteration = Iteration(
                value, lambda: steps.model, gap=lambda: objective.bound_gap(steps.place)
            )
            if observer.end_iteration(iteration):
                return True
        if not progress.goes_on(steps.place, steps.place.largest_component, value):
            steps.place = progress.best
            break
    return False
