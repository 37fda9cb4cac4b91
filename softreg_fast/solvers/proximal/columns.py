"""Columns of a problem's features that are worked on, copied one after the other."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..._typing import FloatArray
from ...data.problem import Problem
from ...kernels import columns as kernels
from ...kernels.shapes import SparseSpecialisation, choose_column_specialisation
from ...objective.moments import FeatureSums
from ...objective.passes import AnyAccumulator
from ...objective.sparse import SparseAccumulator
from ...runtime import tuning
from ...runtime.claimed_map import claimed_map, cut_into_blocks
from ...runtime.threads import count_threads_for_prediction
from ...runtime.workspace import aligned_zeros

Numbers = npt.NDArray[np.int64]

_DOUBLE = np.dtype(np.float64)
_INDEX = np.dtype(np.int32)
# Of logits that a weight's change may change.
_LONGEST_CHANGE = 10.0
_PIECES_PER_THREAD = 4
_NUMBERS_AT_A_TIME = 1 << 17
# Numbers of dense columns for which there is room at first.
_MOST_CAPACITY = 1 << 27


class _Growing:
    """An array that numbers are added to the end of.

    Parameters
    ----------
    dtype : dtype
    capacity : int
        Numbers for which there is room at first; memory is taken as they are written.
    """

    def __init__(self, dtype: np.dtype, capacity: int) -> None:
        self._array = np.empty(capacity, dtype)
        self.used = 0

    @property
    def array(self) -> npt.NDArray[Any]:
        """What there is."""
        return self._array[: self.used]

    def extend(self, n_more: int) -> npt.NDArray[Any]:
        """The added part, to be written."""
        start, self.used = self.used, self.used + n_more
        if self.used > len(self._array):
            larger = np.empty(max(self.used, 2 * start), self._array.dtype)
            larger[:start] = self._array[:start]
            self._array = larger
        return self._array[start : self.used]


class Columns:
    """Some columns of the features, and one of ones if there is an intercept.

    Rows of weight zero are left out. Dense columns are centred, if there is an intercept; the bias
    is that of centred columns then.

    Parameters
    ----------
    problem : Problem
    sums : FeatureSums
        Of its features.
    accumulator : Accumulator or SparseAccumulator
        Gives columns of sparse features.
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

    def __init__(
        self,
        problem: Problem,
        sums: FeatureSums,
        accumulator: AnyAccumulator,
        n_classes: int,
        *,
        fit_intercept: bool,
        n_threads: int | None,
    ) -> None:
        self._problem = problem
        self._accumulator = accumulator
        self._n_threads = n_threads
        weights = problem.sample_weight
        self.rows: slice | Numbers = slice(None)
        if weights is not None and not weights.all():
            self.rows = np.flatnonzero(weights)
        self.n_rows = len(problem.targets[self.rows])
        n_features = problem.features.shape[1]
        is_centred = fit_intercept and not problem.is_sparse
        self.are_sparse = problem.is_sparse
        self.means = sums.means if is_centred else np.zeros(n_features)
        stored = problem.features.dtype if problem.is_sparse else _DOUBLE
        self.specialisation: SparseSpecialisation = choose_column_specialisation(stored, n_classes)
        self.n_padded = self.specialisation.pad(n_classes)
        capacity = 0 if self.are_sparse else min(self.n_rows * (n_features + 1), _MOST_CAPACITY)
        self._data, self._places = _Growing(stored, capacity), _Growing(_INDEX, 0)
        self._data.extend(self.n_rows if fit_intercept else 0)[:] = 1.0
        self._places.extend(self.n_rows)[:] = np.arange(self.n_rows)
        n_ones = int(fit_intercept)
        self.features = np.full(n_ones, -1, np.int64)
        self.lengths = np.full(n_ones, self.n_rows, np.int64)
        self._pointers = np.append(0, np.cumsum(self.lengths))
        self._row_starts = np.zeros(n_ones, np.int64)
        self.most_changes = np.full(n_ones, _LONGEST_CHANGE)
        self._numbers = np.full(n_features, -1, np.int64)

    def __len__(self) -> int:
        return len(self.features)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The columns as kernels take them."""
        return self._data.array, self._places.array, self._pointers, self._row_starts

    def numbers_of(self, features: Numbers) -> Numbers:
        """The numbers of features' columns, which are copied if they aren't there yet."""
        new = features[self._numbers[features] < 0]
        if len(new):
            self._numbers[new] = len(self) + np.arange(len(new))
            self._add(new)
        numbers: Numbers = self._numbers[features]
        return numbers

    def _add(self, features: Numbers) -> None:
        if isinstance(self._accumulator, SparseAccumulator):
            data, places, lengths = self._accumulator.columns(features)
            if not isinstance(self.rows, slice):
                data, places, lengths = _keep_rows(
                    data, places, lengths, self.rows, self._problem.n_samples
                )
            starts = self._places.used + np.cumsum(lengths) - lengths
            self._places.extend(len(places))[:] = places
            stored = self._data.extend(len(data))
            stored[:] = data
        else:
            lengths = np.full(len(features), self.n_rows)
            starts = np.zeros(len(features), np.int64)
            stored = self._data.extend(len(features) * self.n_rows)
            self._copy_dense(features, stored.reshape(len(features), -1))
        largest = np.zeros(len(features))
        has_any = lengths > 0
        if has_any.any():
            firsts = (np.cumsum(lengths) - lengths)[has_any]
            highest, lowest = (each.reduceat(stored, firsts) for each in (np.maximum, np.minimum))
            largest[has_any] = np.maximum(highest, -lowest)
        self.features = np.concatenate([self.features, features])
        self.lengths = np.concatenate([self.lengths, lengths])
        self._pointers = np.append(0, np.cumsum(self.lengths))
        self._row_starts = np.concatenate([self._row_starts, starts])
        most = _LONGEST_CHANGE / np.where(largest > 0.0, largest, np.inf)
        self.most_changes = np.concatenate([self.most_changes, most])

    def _copy_dense(self, features: Numbers, columns_out: FloatArray) -> None:
        """Write columns of dense features, less their means."""
        features_of_rows, means = self._problem.features, self.means[features]
        rows = self.rows

        def copy(block: tuple[int, int]) -> None:
            which = slice(*block) if isinstance(rows, slice) else rows[slice(*block)]
            taken = np.take(features_of_rows[which], features, axis=1)
            np.subtract(taken.T, means[:, None], out=columns_out[:, slice(*block)])

        blocks = cut_into_blocks(self.n_rows, max(1, _NUMBERS_AT_A_TIME // len(features)))
        n_products = tuning.PRODUCTS_PER_SPARSE_ELEMENT * columns_out.size
        n_threads = count_threads_for_prediction(self._n_threads, n_products)
        claimed_map(copy, blocks, min(n_threads, len(blocks)))

    def zeros(self) -> FloatArray:
        """A zero for each column and class."""
        return aligned_zeros((len(self), self.n_padded), _DOUBLE)

    def row_zeros(self) -> FloatArray:
        """A zero for each row and class."""
        return aligned_zeros((self.n_rows, self.n_padded), _DOUBLE)

    def combine(self, numbers: Numbers, factors: FloatArray, rows_out: FloatArray) -> None:
        """Add the columns of these numbers, times their factors, to rows."""
        compiled = kernels.combine_columns.specialise(self.specialisation)
        arguments = self.arguments
        for piece in self.pieces(numbers):
            compiled(piece, *arguments, self.specialisation.blocks, factors, rows_out)

    def contract(self, numbers: Numbers, factors: FloatArray, columns_out: FloatArray) -> None:
        """Write the products of the columns of these numbers with rows."""
        compiled = kernels.contract_columns.specialise(self.specialisation)
        arguments = self.arguments
        n_elements = int(self.lengths[numbers].sum())
        n_products = tuning.PRODUCTS_PER_SPARSE_ELEMENT * n_elements * self.n_padded
        # They start and end with the call, as those of predictions do.
        n_threads = count_threads_for_prediction(self._n_threads, n_products)
        most = -(-n_elements // (_PIECES_PER_THREAD * n_threads)) if n_threads > 1 else None

        def work(piece: Numbers) -> None:
            compiled(piece, *arguments, self.specialisation.blocks, factors, columns_out)

        claimed_map(work, self.pieces(numbers, most), n_threads)

    def pieces(self, numbers: Numbers, most_elements: int | None = None) -> list[Numbers]:
        """Numbers of columns in pieces, for calls that an interrupt doesn't have to wait for."""
        most = max(1, tuning.ELEMENTS_PER_CALL // self.n_padded)
        most = most if most_elements is None else min(most, most_elements)
        totals = np.cumsum(self.lengths[numbers])
        if not len(totals) or totals[-1] <= most:
            return [numbers]
        cuts = np.flatnonzero(np.diff(totals // most)) + 1
        return np.split(numbers, cuts)


def _keep_rows(
    data: FloatArray,
    places: npt.NDArray[np.int32],
    lengths: Numbers,
    rows: Numbers,
    n_samples: int,
) -> tuple[FloatArray, npt.NDArray[np.int32], Numbers]:
    """The elements of columns that are in some of the rows, these being numbered from zero on."""
    new_places = np.full(n_samples, -1, _INDEX)
    new_places[rows] = np.arange(len(rows), dtype=_INDEX)
    places = new_places[places]
    is_kept = places >= 0
    columns = np.repeat(np.arange(len(lengths)), lengths)[is_kept]
    return data[is_kept], places[is_kept], np.bincount(columns, minlength=len(lengths))
