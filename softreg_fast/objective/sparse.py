"""Loss and gradient over all rows of a sparse problem, by SciPy's products."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Self

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray
from ..data.problem import Problem
from ..data.row_blocks import RowBlock, row_blocks
from .dense import LossAndGradient
from .loss import loss_of

# Of logits and the like, all rows' but for those of many.
_NUMBERS_PER_BLOCK = 1 << 22


class SparseAccumulator:
    """Passes over all rows of a problem with sparse features; a context, as `Accumulator` is.

    Parameters
    ----------
    problem : Problem
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def weigh(self, sample_weight: npt.NDArray[np.float64] | None) -> None:
        """Give the rows other weights."""
        self._problem = replace(self._problem, sample_weight=sample_weight)

    def evaluate(self, weights: FloatArray, bias: FloatArray) -> LossAndGradient:
        """Sums for a model; see `Accumulator.evaluate`."""
        loss = 0.0
        weights_gradient = np.zeros(weights.shape)
        bias_gradient = np.zeros(bias.shape)
        for rows, losses, gradients in self._blocks(weights, bias):
            with np.errstate(all="ignore"):
                weights_gradient += rows.features.T @ gradients
            loss += losses
            bias_gradient += gradients.sum(axis=0)
        return LossAndGradient(loss, weights_gradient, bias_gradient)

    def loss(self, weights: FloatArray, bias: FloatArray) -> float:
        """The loss of a model alone; see `Accumulator.loss`."""
        return sum(losses for _, losses, _ in self._blocks(weights, bias))

    def _blocks(
        self, weights: FloatArray, bias: FloatArray
    ) -> Iterator[tuple[RowBlock, float, FloatArray]]:
        """Blocks of rows, their weighted losses, and the weighted derivatives by their logits."""
        problem = self._problem
        weights, bias = weights.astype(problem.dtype), bias.astype(problem.dtype)
        for rows in row_blocks(problem, len(bias), _NUMBERS_PER_BLOCK):
            sample_weight = rows.weights.astype(problem.dtype)
            with np.errstate(all="ignore"):
                logits = rows.features @ weights + bias
                # Of rows that weigh nothing logits may be anything, also infinite or NaN.
                logits[sample_weight == 0.0] = 0.0
                losses, gradients = loss_of(problem).losses_and_gradients(logits, rows.targets)
                weighted = gradients * sample_weight[:, None]
            yield rows, float((losses * sample_weight).sum()), weighted
