"""What solvers take: checked features, encoded targets, weights and penalties."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import check_features, check_targets
from .table import Table

_DOUBLE = np.dtype(np.float64)
_NO_WEIGHTS = np.zeros(0)


@dataclass(frozen=True)
class Problem:
    """What is to be learnt.

    Attributes
    ----------
    features : ndarray, scipy.sparse.csr_array or Table, of shape (n_samples, n_features)
        float32 or float64, finite, also in `dtype`; an array of any strides.
    targets : ndarray of shape (n_samples,), int32
        From 0 to ``n_classes - 1``.
    n_classes : int
        At least 2.
    activation : str
        Applied to the logits before the softmax; see `objective.loss`.
    dtype : numpy.dtype
        Of parameters and arithmetic, float32 or float64.
    sample_weight : ndarray of shape (n_samples,), float64, or None
        Not negative, finite, and not all zero; None weights every row by 1.
    l2_penalty, l1_penalty : float
        The objective is the weighted sum of the losses plus half of the first times the sum of the
        squared weights, plus the second times the sum of the absolute weights; biases are not
        penalised.
    is_grouped : bool, default=False
        Whether the second stands before the sum of the features' norms instead, each that of its
        weights of all columns.
    """

    features: Any
    targets: npt.NDArray[np.int32]
    n_classes: int
    activation: str
    dtype: np.dtype
    sample_weight: npt.NDArray[np.float64] | None = None
    l2_penalty: float = 0.0
    l1_penalty: float = 0.0
    is_grouped: bool = False

    @property
    def n_samples(self) -> int:
        """Rows."""
        return int(self.features.shape[0])

    @property
    def n_elements(self) -> int:
        """Numbers that the features are made of."""
        return int(self.features.nnz if self.is_sparse else self.features.size)

    @property
    def is_sparse(self) -> bool:
        """Whether the features are a sparse matrix."""
        return not (self.is_table or isinstance(self.features, np.ndarray))

    @property
    def is_table(self) -> bool:
        """Whether the features are numbers and categories."""
        return isinstance(self.features, Table)

    def as_matrix(self) -> "Problem":
        """The problem with a sparse matrix in place of a table."""
        return replace(self, features=self.features.tocsr()) if self.is_table else self

    def weights(self, rows: Any = slice(None)) -> npt.NDArray[np.float64]:
        """Weights of some rows, ones if there are none."""
        if self.sample_weight is None:
            return np.ones(len(self.targets[rows]))
        weights: npt.NDArray[np.float64] = self.sample_weight[rows]
        return weights

    def in_double(self) -> "Problem":
        """The problem with parameters and arithmetic in float64."""
        return self if self.dtype == _DOUBLE else replace(self, dtype=_DOUBLE)

    def with_mean_weight_one(self) -> "Problem":
        """The problem with weights that no dtype is too narrow for; penalties don't go along."""
        if self.sample_weight is None:
            return self
        mean = self.total_weight / self.n_samples
        return replace(self, sample_weight=self.sample_weight / mean)

    @property
    def given_weights(self) -> npt.NDArray[np.float64]:
        """The rows' weights as kernels take them: none, if every row weighs 1."""
        return _NO_WEIGHTS if self.sample_weight is None else self.sample_weight

    @property
    def total_weight(self) -> float:
        """Sum of the rows' weights."""
        if self.sample_weight is None:
            return float(self.n_samples)
        return float(self.sample_weight.sum())


def drop_weightless(problem: Problem) -> Problem:
    """The problem without its rows of weight zero, whatever stands in them.

    The features are copied if there are such rows.
    """
    weights = problem.sample_weight
    if weights is None or weights.all():
        return problem
    rows = np.flatnonzero(weights)
    return replace(
        problem,
        features=problem.features[rows],
        targets=problem.targets[rows],
        sample_weight=weights[rows],
    )


@dataclass(frozen=True)
class Penalty:
    """That of a problem; see `Problem`."""

    l2_penalty: float
    l1_penalty: float
    is_grouped: bool = False

    def of(self, problem: Problem) -> Problem:
        """The problem with this penalty."""
        return replace(problem, **vars(self))


def make_penalty(C: float, l1_ratio: float, *, is_grouped: bool = False) -> Penalty:
    """The penalty of scikit-learn's parameters."""
    return Penalty((1.0 - l1_ratio) / C, l1_ratio / C, is_grouped)


def make_problem(x: Any, y: Any, activation: str, dtype: np.dtype) -> Problem:
    """A problem of checked features and targets.

    Raises
    ------
    TypeError, ValueError
        See `check_features` and `check_targets`.
    """
    features = check_features("x", x, dtype)
    targets, n_classes = check_targets("y", y, len(features))
    return Problem(features, targets, n_classes, activation, dtype)
