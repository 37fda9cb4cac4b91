"""Stopping by the loss of rows that are not trained on."""

from contextlib import ExitStack
from typing import Any, Self

import numpy as np

from ..._typing import Model
from ...data.problem import Problem
from ...objective.passes import accumulator_of
from ..observer import Iteration, Observer


class EarlyStopping:
    """Ends a descent when the loss of held-out rows stops falling; a context with threads.

    It observes the descent, and passes on what it sees.

    Parameters
    ----------
    problem : Problem
        Of the held-out rows.
    n_columns : int
        Of the model.
    patience : int
        Epochs without progress before the stop.
    tolerance : float
        The least progress, relative to the loss.
    n_threads : int or None
    observer : Observer or None, default=None
        Told of each epoch too, with the loss of the held-out rows.

    Attributes
    ----------
    losses : list of float
        Mean loss of the held-out rows after each epoch.
    best : tuple of weights and bias, or None
        The model with the lowest of them.
    was_interrupted : bool
        Whether the observer ended the descent.
    """

    def __init__(
        self,
        problem: Problem,
        n_columns: int,
        patience: int,
        tolerance: float,
        n_threads: int | None,
        observer: Observer | None = None,
    ) -> None:
        self._problem = problem = problem.with_mean_weight_one()
        self._accumulator = accumulator_of(problem, n_columns, n_threads)
        self._context = ExitStack()
        self._patience = patience
        self._tolerance = tolerance
        self._observer = observer
        self._reference = np.inf
        self._n_without_progress = 0
        self._best_loss = np.inf
        self.losses: list[float] = []
        self.best: Model | None = None
        self.was_interrupted = False

    def __enter__(self) -> Self:
        self._context.enter_context(self._accumulator)
        return self

    def __exit__(self, *exception: object) -> None:
        self._context.close()

    @property
    def should_stop(self) -> bool:
        """Whether the loss has fallen too little for some epochs."""
        return self._n_without_progress >= self._patience

    def state(self) -> list[Any]:
        """What it has seen, in arrays."""
        numbers = [self._reference, self._n_without_progress, self._best_loss]
        best = [np.zeros(0)] * 2 if self.best is None else self.best
        return [np.array(numbers, np.float64), np.array(self.losses, np.float64), *best]

    def take_state(self, arrays: list[Any]) -> None:
        """Go on from what one has seen."""
        numbers, losses, *best = arrays
        self._reference, self._best_loss = float(numbers[0]), float(numbers[2])
        self._n_without_progress = int(numbers[1])
        self.losses = losses.tolist()
        self.best = (best[0], best[1]) if best[0].size else None

    def begin_iteration(self) -> None:
        """See `Observer`."""
        if self._observer is not None:
            self._observer.begin_iteration()

    def end_iteration(self, iteration: Iteration) -> bool:
        """See `Observer`."""
        model = iteration.model()
        loss = self._evaluate(model)
        if self._observer is not None:
            seen = Iteration(iteration.objective, lambda: model, loss)
            self.was_interrupted = self._observer.end_iteration(seen)
        return self.should_stop or self.was_interrupted

    def _evaluate(self, model: Model) -> float:
        """The mean loss of a model, which is remembered if it is the best so far."""
        loss = self._accumulator.loss(*model) / self._problem.total_weight
        self.losses.append(loss)
        if loss < self._best_loss:
            self._best_loss, self.best = loss, model
        self._n_without_progress += 1
        if loss < self._reference * (1.0 - self._tolerance):
            self._reference, self._n_without_progress = loss, 0
        return loss
