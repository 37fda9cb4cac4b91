"""Columns as lists of elements and of the rows that these are in."""

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
from .columns import DOUBLE, Columns, Descent, Numbers, RowsOfModel
from .growing_array import GrowingArray

_INDEX = np.dtype(np.int32)


class ListedColumns(Columns):
    """Columns of sparse features, or of dense ones, whose columns share a list of all rows.

    Parameters
    ----------
    problem, sums, n_classes, fit_intercept, n_threads
        See `Columns`.
    accumulator : Accumulator or SparseAccumulator
        Gives columns of sparse features.
    """

    def __init__(
        self,
        problem: Problem,
        sums: FeatureSums,
        n_classes: int,
        *,
        fit_intercept: bool,
        n_threads: int | None,
        accumulator: AnyAccumulator,
    ) -> None:
        super().__init__(problem, sums, n_classes, fit_intercept=fit_intercept, n_threads=n_threads)
        self._accumulator = accumulator
        stored = problem.features.dtype if problem.is_sparse else DOUBLE
        self._specialisation: SparseSpecialisation = choose_column_specialisation(stored, n_classes)
        n_numbers = 0 if self.are_sparse else self.n_rows * (self._n_features + 1)
        self._data, self._places = GrowingArray(stored, n_numbers), GrowingArray(_INDEX, 0)
        self._data.extend(self.n_rows if fit_intercept else 0)[:] = 1.0
        self._places.extend(self.n_rows)[:] = np.arange(self.n_rows)
        self._pointers = np.append(0, np.cumsum(self.lengths))
        self._row_starts = np.zeros(int(fit_intercept), np.int64)

    @property
    def _arguments(self) -> tuple[Any, ...]:
        return self._data.array, self._places.array, self._pointers, self._row_starts

    def _add(self, features: Numbers) -> tuple[Numbers, FloatArray]:
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
            largest = _largest_of(data, lengths)
        else:
            lengths = np.full(len(features), self.n_rows)
            starts = np.zeros(len(features), np.int64)
            stored = self._data.extend(len(features) * self.n_rows)
            largest = self._copy_dense(features, stored.reshape(len(features), -1))
        ends = self._pointers[-1] + np.cumsum(lengths)
        self._pointers = np.concatenate([self._pointers, ends])
        self._row_starts = np.concatenate([self._row_starts, starts])
        return lengths, largest

    def combine(self, numbers: Numbers, factors: FloatArray, rows_out: FloatArray) -> None:
        """Add the columns of these numbers, times their factors, to rows."""
        compiled = kernels.combine_columns.specialise(self._specialisation)
        arguments = self._arguments
        for piece in self.pieces(numbers):
            compiled(piece, *arguments, self._specialisation.blocks, factors, rows_out)

    def _contract(self, factors: FloatArray, columns_out: FloatArray, numbers: Numbers) -> None:
        compiled = kernels.contract_columns.specialise(self._specialisation)
        blocks = self._specialisation.blocks
        compiled(numbers, *self._arguments, blocks, factors, columns_out)

    def _descend(
        self,
        numbers: Numbers,
        rows: RowsOfModel,
        descent: Descent,
        takes_curvatures: bool,
        closeness: float,
    ) -> None:
        compiled = kernels.descend_columns.specialise(self._specialisation)
        compiled(
            numbers,
            *self._arguments,
            descent.l1_penalties,
            descent.l2_penalties,
            self.most_changes,
            rows.factors,
            rows.probabilities,
            takes_curvatures,
            closeness,
            descent.is_grouped,
            self._specialisation.blocks,
            descent.lines,
            descent.curvatures,
            descent.factors,
            descent.slopes,
            descent.weights,
            descent.violations,
            descent.missing,
        )


def _largest_of(data: FloatArray, lengths: Numbers) -> FloatArray:
    """The largest absolute element of each column, zero of an empty one."""
    largest = np.zeros(len(lengths))
    has_any = lengths > 0
    if has_any.any():
        firsts = (np.cumsum(lengths) - lengths)[has_any]
        highest, lowest = (each.reduceat(data, firsts) for each in (np.maximum, np.minimum))
        largest[has_any] = np.maximum(highest, -lowest)
    return largest


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
