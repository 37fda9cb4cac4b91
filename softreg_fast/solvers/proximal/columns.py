"""Columns of a problem's features that are worked on, copied one after the other."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..._typing import FloatArray
from ...data.problem import Problem
from ...kernels.shapes import choose_column_specialisation
from ...objective.moments import FeatureSums
from ...runtime import tuning
from ...runtime.claimed_map import claimed_map, cut_into_blocks
from ...runtime.threads import count_threads_for_prediction
from ...runtime.workspace import aligned_zeros

Numbers = npt.NDArray[np.int64]

DOUBLE = np.dtype(np.float64)
# Of logits that a weight's change may change.
_LONGEST_CHANGE = 10.0
_PIECES_PER_THREAD = 4
_NUMBERS_AT_A_TIME = 1 << 17


@dataclass(frozen=True)
class Descent:
    """What coordinate descent over columns works on; see `kernels.columns.descend_columns`.

    Attributes
    ----------
    l1_penalties, l2_penalties : ndarrays of shape (n_columns,)
    is_grouped : bool
    tilts : ndarray of shape (n_columns, n_padded)
        Derivatives of the model by the weights that don't follow from the rows' slopes; of rounded
        columns only.
    slopes : ndarray of shape (n_rows, n_padded)
    weights, curvatures : ndarrays of shape (n_columns, n_padded)
    factors : ndarray of shape (n_columns,)
    lines : ndarray of shape (2, n_padded)
    violations, missing : ndarrays of shape (n_columns,)
    """

    l1_penalties: FloatArray
    l2_penalties: FloatArray
    is_grouped: bool
    tilts: FloatArray
    slopes: FloatArray
    weights: FloatArray
    curvatures: FloatArray
    factors: FloatArray
    lines: FloatArray
    violations: FloatArray
    missing: FloatArray


class RowsOfModel(Protocol):
    """What coordinate descent needs of `rows.Rows`."""

    factors: FloatArray
    probabilities: FloatArray


class Columns(ABC):
    """Some columns of the features, and one of ones if there is an intercept.

    Rows of weight zero are left out. Dense columns are centred, if there is an intercept; the bias
    is that of centred columns then.

    Parameters
    ----------
    problem : Problem
    sums : FeatureSums
        Of its features.
    n_classes : int
        Columns of the model.
    fit_intercept : bool
    n_threads : int or None

    Attributes
    ----------
    rows : slice or ndarray of int
        Those of the problem that have a weight.
    features : ndarray of int
        What the columns are; -1 for that of ones.
    lengths : ndarray of int
        Their elements.
    most_changes : ndarray of float
        How much a weight may change at once.
    means : ndarray of shape (n_features,)
        What columns are taken less.
    n_rows : int
    n_padded : int
        Classes, padded.
    are_sparse : bool
    """

    # Whether the columns are those of the features but for rounding.
    are_rounded = False

    def __init__(
        self,
        problem: Problem,
        sums: FeatureSums,
        n_classes: int,
        *,
        fit_intercept: bool,
        n_threads: int | None,
    ) -> None:
        self._problem = problem
        self._n_threads = n_threads
        weights = problem.sample_weight
        self.rows: slice | Numbers = slice(None)
        if weights is not None and not weights.all():
            self.rows = np.flatnonzero(weights)
        self.n_rows = len(problem.targets[self.rows])
        self._n_features = problem.features.shape[1]
        self.are_sparse = problem.is_sparse
        is_centred = fit_intercept and not problem.is_sparse
        self.means = sums.means if is_centred else np.zeros(self._n_features)
        # Of no columns: of one for whatever these are of.
        self.n_padded = choose_column_specialisation(DOUBLE, n_classes).pad(n_classes)
        n_ones = int(fit_intercept)
        self.features = np.full(n_ones, -1, np.int64)
        self.lengths = np.full(n_ones, self.n_rows, np.int64)
        self.most_changes = np.full(n_ones, _LONGEST_CHANGE)
        self._numbers = np.full(self._n_features, -1, np.int64)

    def __len__(self) -> int:
        return len(self.features)

    def numbers_of(self, features: Numbers) -> Numbers:
        """The numbers of features' columns, which are copied if they aren't there yet."""
        new = features[self._numbers[features] < 0]
        if len(new):
            self._numbers[new] = len(self) + np.arange(len(new))
            lengths, largest = self._add(new)
            self.features = np.concatenate([self.features, new])
            self.lengths = np.concatenate([self.lengths, lengths])
            most = _LONGEST_CHANGE / np.where(largest > 0.0, largest, np.inf)
            self.most_changes = np.concatenate([self.most_changes, most])
        numbers: Numbers = self._numbers[features]
        return numbers

    @abstractmethod
    def _add(self, features: Numbers) -> tuple[Numbers, FloatArray]:
        """Copy columns; gives their elements, and the largest absolute one of each."""

    def _copy_dense(self, features: Numbers, columns_out: FloatArray) -> FloatArray:
        """Write columns of dense features, less their means; gives how large they are at most."""
        features_of_rows, means = self._problem.features, self.means[features]
        rows = self.rows

        def copy(block: tuple[int, int]) -> FloatArray:
            which = slice(*block) if isinstance(rows, slice) else rows[slice(*block)]
            taken = np.take(features_of_rows[which], features, axis=1).astype(DOUBLE, copy=False)
            taken -= means
            columns_out[:, slice(*block)] = taken.T
            largest: FloatArray = np.maximum(taken.max(axis=0), -taken.min(axis=0))
            return largest

        blocks = cut_into_blocks(self.n_rows, max(1, _NUMBERS_AT_A_TIME // len(features)))
        n_threads = self._count_threads(columns_out.size)
        largest: FloatArray = np.max(claimed_map(copy, blocks, min(n_threads, len(blocks))), axis=0)
        return largest

    def _count_threads(self, n_elements: int) -> int:
        """Threads for work on elements; they start and end with it, as those of predictions do."""
        n_products = tuning.PRODUCTS_PER_SPARSE_ELEMENT * n_elements
        return count_threads_for_prediction(self._n_threads, n_products)

    def zeros(self) -> FloatArray:
        """A zero for each column and class."""
        return aligned_zeros((len(self), self.n_padded), DOUBLE)

    def row_zeros(self) -> FloatArray:
        """A zero for each row and class."""
        return aligned_zeros((self.n_rows, self.n_padded), DOUBLE)

    @abstractmethod
    def combine(self, numbers: Numbers, factors: FloatArray, rows_out: FloatArray) -> None:
        """Add the columns of these numbers, times their factors, to rows."""

    def contract(self, numbers: Numbers, factors: FloatArray, columns_out: FloatArray) -> None:
        """Write the products of the columns of these numbers with rows."""
        n_elements = int(self.lengths[numbers].sum())
        n_threads = self._count_threads(n_elements * self.n_padded)
        most = -(-n_elements // (_PIECES_PER_THREAD * n_threads)) if n_threads > 1 else None
        pieces = self.pieces(numbers, most)
        claimed_map(partial(self._contract, factors, columns_out), pieces, n_threads)

    @abstractmethod
    def _contract(self, factors: FloatArray, columns_out: FloatArray, numbers: Numbers) -> None:
        pass

    def descend(
        self,
        numbers: Numbers,
        rows: RowsOfModel,
        descent: Descent,
        *,
        takes_curvatures: bool,
        closeness: float,
    ) -> None:
        """Coordinate descent over columns, one after the other.

        Parameters
        ----------
        numbers : ndarray of int
        rows : RowsOfModel
            Where the model has been made.
        descent : Descent
            Changed in place.
        takes_curvatures : bool
            Whether they are to be written; they may be anyway.
        closeness : float
            See `kernels.columns.descend_columns`.
        """
        for piece in self.pieces(numbers):
            self._descend(piece, rows, descent, takes_curvatures, closeness)

    @abstractmethod
    def _descend(
        self,
        numbers: Numbers,
        rows: RowsOfModel,
        descent: Descent,
        takes_curvatures: bool,
        closeness: float,
    ) -> None:
        pass

    def pieces(self, numbers: Numbers, most_elements: int | None = None) -> list[Numbers]:
        """Numbers of columns in pieces, for calls that an interrupt doesn't have to wait for."""
        most = max(1, tuning.ELEMENTS_PER_CALL // self.n_padded)
        most = most if most_elements is None else min(most, most_elements)
        totals = np.cumsum(self.lengths[numbers])
        if not len(totals) or totals[-1] <= most:
            return [numbers]
        cuts = np.flatnonzero(np.diff(totals // most)) + 1
        return np.split(numbers, cuts)
