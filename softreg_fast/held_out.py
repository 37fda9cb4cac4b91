"""Rows that are not trained on, by whose loss training is stopped and the best model chosen."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Self

import numpy as np

from .definitions import FloatArray
from .evaluation import accumulator_of
from .problem import Problem, with_mean_weight_one


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


def split(problem: Problem, fraction: float, source: Any) -> tuple[Problem, Problem]:
    """The problem with some rows held out, and that of these.

    Parameters
    ----------
    problem : Problem
    fraction : float
        Share of the rows of each class that have a weight, but never all of them; of small classes
        rows in turn.
    source : numpy.random.RandomState

    Returns
    -------
    training : Problem
        With the same features, without a copy: the held-out rows weigh nothing.
    held_out : Problem

    Raises
    ------
    ValueError
        No row is held out.
    """
    n_samples = problem.n_samples
    weights = problem.sample_weight
    if weights is None:
        weights = np.ones(n_samples)
    order = source.permutation(n_samples)
    order = order[weights[order] > 0.0]
    targets = problem.targets[order]
    chosen = []
    n_wanted = 0.0
    n_chosen = 0
    for target in range(problem.n_classes):
        rows = order[targets == target]
        n_wanted += fraction * len(rows)
        n_here = min(max(round(n_wanted) - n_chosen, 0), max(len(rows) - 1, 0))
        chosen.append(rows[:n_here])
        n_chosen += n_here
    held_out = np.sort(np.concatenate(chosen))
    if len(held_out) == 0:
        raise ValueError(
            f"validation_fraction={fraction!r} of {n_samples} rows holds out none of any class: "
            "use a larger one, more rows, or X_val"
        )
    remaining = weights.copy()
    remaining[held_out] = 0.0
    return replace(problem, sample_weight=remaining), replace(
        problem,
        features=problem.features[held_out],
        targets=problem.targets[held_out],
        sample_weight=weights[held_out],
    )
