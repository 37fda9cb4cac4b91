"""Rows that are not trained on, by whose loss training is stopped and the best model chosen."""

from contextlib import ExitStack
from typing import Self

import numpy as np

from ..._typing import FloatArray
from ...data.problem import Problem, with_mean_weight_one
from ...objective.passes import accumulator_of


class HeldOut:
    """The mean loss of held-out rows after each epoch; a context, which keeps its threads.

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
    """

    def __init__(
        self,
        problem: Problem,
        n_columns: int,
        patience: int,
        tolerance: float,
        n_threads: int | None,
    ) -> None:
        self._problem = problem = with_mean_weight_one(problem)
        self._accumulator = accumulator_of(problem, n_columns, n_threads)
        self._context = ExitStack()
        self._patience = patience
        self._tolerance = tolerance
        self._reference = np.inf
        self._n_without_progress = 0
        self._best_loss = np.inf
        self.losses: list[float] = []
        self.best: tuple[FloatArray, FloatArray] | None = None

    def __enter__(self) -> Self:
        self._context.enter_context(self._accumulator)
        return self

    def __exit__(self, *exception: object) -> None:
        self._context.close()

    @property
    def should_stop(self) -> bool:
        """Whether the loss has fallen too little for some epochs."""
        return self._n_without_progress >= self._patience

    def evaluate(self, weights: FloatArray, bias: FloatArray) -> float:
        """The mean loss of a model, which is remembered if it is the best so far."""
        totals = self._accumulator.evaluate(weights, bias)
        loss = totals.loss / self._problem.total_weight
        self.losses.append(loss)
        if loss < self._best_loss:
            self._best_loss, self.best = loss, (weights, bias)
        self._n_without_progress += 1
        if loss < self._reference * (1.0 - self._tolerance):
            self._reference, self._n_without_progress = loss, 0
        return loss
