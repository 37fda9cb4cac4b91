"""Dual coordinate ascent: a way to a model near the optimum, from nothing."""

import math

import numpy as np
import numpy.typing as npt

from ..._typing import FloatArray
from ...data.problem import Problem
from ...kernels import dual_ascent as kernels
from ...objective.moments import FeatureSums
from ...objective.sparse import SparseAccumulator
from ...runtime import tuning
from ...runtime.workspace import aligned_zeros

# The biases' part of a row's curvature, of the rows' mean.
_SHARE_OF_BIASES = 0.25
_SEED = 0
# Neighbours in memory are taken soon after each other, which takes four fifths of the time; but of
# few blocks the last ones would decide where the intercept is.
_MOST_ROWS_OF_A_BLOCK, _FEWEST_BLOCKS = 32, 512
_FIRST_EPOCHS = 4
_MOST_EPOCHS = 16
# What the divergence is multiplied by in an epoch at most, if further ones are worth it.
_SLOWEST = 0.5


def suits(problem: Problem, sums: FeatureSums) -> bool:
    """Whether some epochs are a fast way to near the optimum.

    They are if the dual's curvature by the penalty is not much larger than that by the loss, and if
    features are so rare that most rows share none.
    """
    n_features = problem.features.shape[1]
    if problem.l2_penalty == 0.0:
        return False
    if problem.n_elements > tuning.MOST_ELEMENTS_FOR_DUAL_ASCENT * n_features:
        return False
    curvature = sums.mean_square * sums.total_weight / problem.n_samples / problem.l2_penalty
    return curvature <= tuning.LARGEST_CURVATURE_OF_DUAL_ASCENT


def shuffle_rows(rows: npt.NDArray[np.int64], random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Rows in a random order of blocks, and in a random one within each block."""
    length = max(1, min(_MOST_ROWS_OF_A_BLOCK, len(rows) // _FEWEST_BLOCKS))
    whole = len(rows) // length * length
    blocks = random.permutation(rows[:whole].reshape(-1, length))
    rest = random.permutation(rows[whole:])
    return np.concatenate([random.permuted(blocks, axis=1).reshape(-1), rest])


class DualAscent:
    """Epochs of dual coordinate ascent, from probabilities that are the targets.

    Parameters
    ----------
    problem : Problem
        With sparse rows, for which it suits.
    accumulator : SparseAccumulator
        Of the same rows.
    sums : FeatureSums
        Of their features.
    n_classes : int
        Columns of the model.
    fit_intercept : bool

    Attributes
    ----------
    n_epochs : int
        So far.
    divergence : float
        Per unit of weight: about how far the objective was above the dual in the last epoch.
    """

    def __init__(
        self,
        problem: Problem,
        accumulator: SparseAccumulator,
        sums: FeatureSums,
        n_classes: int,
        *,
        fit_intercept: bool,
    ) -> None:
        self._problem = problem
        self._accumulator = accumulator
        self._total_weight = sums.total_weight
        self._settings = np.zeros(1, kernels.DUAL_ASCENT_SETTINGS)
        self._settings["n_classes"] = n_classes
        self._settings["l2_penalty"] = problem.l2_penalty
        if fit_intercept:
            self._settings["bias_square"] = _SHARE_OF_BIASES * sums.mean_square
        n_samples = problem.n_samples
        weights = problem.sample_weight
        self._rows = np.arange(n_samples) if weights is None else np.flatnonzero(weights)
        self._random = np.random.default_rng(_SEED)
        model = accumulator.model
        self._lines = aligned_zeros((kernels.N_LINES, model.shape[1]), model.dtype)
        self._squares = np.full(n_samples, -1.0)
        self._residual = np.zeros(model.shape[1])
        self._logs = aligned_zeros((n_samples, model.shape[1]), model.dtype)
        least = kernels.LEAST_LOGARITHM
        if n_classes == 1:
            self._logs[:, 0] = np.where(problem.targets == 1, -least, least)
        else:
            self._logs[:] = least
            self._logs[np.arange(n_samples), problem.targets] = 0.0
        per_row = problem.n_elements // max(1, len(self._rows)) + tuning.PRODUCTS_PER_CLASS
        self._rows_per_call = max(1, tuning.ELEMENTS_PER_CALL // (8 * per_row * model.shape[1]))
        self.n_epochs = 0
        self.divergence = math.inf
        self._rate = 0.0

    def advance(self, n_epochs: int, model: FloatArray) -> None:
        """Go on for some epochs.

        Parameters
        ----------
        n_epochs : int
        model : ndarray of shape (n_features + 1, n_padded)
            Zeros at first, changed in place; the biases last.
        """
        compiled = kernels.ascend_dual.specialise(self._accumulator.specialisation)
        bias_length = self._settings["bias_square"][0] / self._settings["l2_penalty"][0]
        for _ in range(n_epochs):
            order = shuffle_rows(self._rows, self._random)
            divergence = 0.0
            for start in range(0, len(order), self._rows_per_call):
                stop = min(start + self._rows_per_call, len(order))
                divergence = compiled(
                    *self._accumulator.row_arguments,
                    self._settings,
                    self._accumulator.specialisation.blocks,
                    order,
                    start,
                    stop,
                    divergence,
                    self._lines,
                    self._squares,
                    self._logs,
                    model,
                    self._residual,
                )
            model[-1] -= bias_length * self._residual
            before, self.divergence = self.divergence, divergence / self._total_weight
            self._rate = self.divergence / before
            self.n_epochs += 1

    def epochs_for(self, ratio: float) -> int:
        """How many epochs to go on for, if any.

        Parameters
        ----------
        ratio : float
            What the divergence should be multiplied by.
        """
        if self.n_epochs == 0:
            return _FIRST_EPOCHS
        if not (0.0 < self._rate <= _SLOWEST and ratio > 0.0):
            return 0
        n_epochs = math.ceil(math.log(min(ratio, 1.0)) / math.log(self._rate))
        return n_epochs if self.n_epochs + n_epochs <= _MOST_EPOCHS else 0
