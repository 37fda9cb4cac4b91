"""Loss and gradient over all rows of a sparse problem, by SciPy's products."""

from dataclasses import replace
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from .._typing import FloatArray
from ..data.problem import Problem
from .dense import Totals
from .loss import loss_of

# Of logits and the like, all rows' but for those of many.
_NUMBERS_PER_BLOCK = 1 << 22


class SparseAccumulator:
    """Passes over all rows of a problem with sparse features; a context, as `Accumulator` is.

    Parameters
    ----------
    problem : Problem
    n_columns : int
        Of the model.
    """

    def __init__(self, problem: Problem, n_columns: int) -> None:
        self._problem = problem
        self._block_rows = max(1, _NUMBERS_PER_BLOCK // n_columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def weigh(self, sample_weight: npt.NDArray[np.float64] | None) -> None:
        """Give the rows other weights."""
        self._problem = replace(self._problem, sample_weight=sample_weight)

    def evaluate(self, weights: FloatArray, bias: FloatArray) -> Totals:
        """Sums for a model; see `Accumulator.evaluate`."""
        problem = self._problem
        loss = 0.0
        weights_gradient = np.zeros(weights.shape)
        bias_gradient = np.zeros(bias.shape)
        model = weights.astype(problem.dtype), bias.astype(problem.dtype)
        for start in range(0, problem.n_samples, self._block_rows):
            rows = slice(start, min(start + self._block_rows, problem.n_samples))
            features = rows_of(problem.features, rows)
            with np.errstate(all="ignore"):
                logits = features @ model[0] + model[1]
                if problem.sample_weight is not None:
                    sample_weight = problem.sample_weight[rows].astype(problem.dtype)
                    # Of rows that weigh nothing logits may be anything, also infinite or NaN.
                    logits[sample_weight == 0.0] = 0.0
                losses, gradients = loss_of(problem).losses_and_gradients(
                    logits, problem.targets[rows]
                )
                if problem.sample_weight is not None:
                    losses *= sample_weight
                    gradients = gradients * sample_weight[:, None]
                weights_gradient += features.T @ gradients
            loss += float(losses.sum())
            bias_gradient += gradients.sum(axis=0)
        return Totals(loss, weights_gradient, bias_gradient)


def rows_of(features: csr_array, rows: slice) -> csr_array:
    """Some rows, without a copy of their elements."""
    if rows.start == 0 and rows.stop == features.shape[0]:
        return features
    pointers = features.indptr[rows.start : rows.stop + 1]
    elements = slice(pointers[0], pointers[-1])
    return csr_array(
        (features.data[elements], features.indices[elements], pointers - pointers[0]),
        shape=(rows.stop - rows.start, features.shape[1]),
    )
