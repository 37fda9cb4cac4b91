"""Columns of dense features beside each other, for models of one column."""

import numpy as np

from ..._typing import FloatArray
from ...data.problem import Problem
from ...kernels import dense_columns as kernels
from ...objective.moments import FeatureSums
from ...runtime import tuning
from ...runtime.claimed_map import claimed_map, cut_into_blocks
from .columns import Columns, Descent, Numbers, RowsOfModel
from .growing_array import GrowingArray

# Rows of a piece of work are a multiple of this, which is one of any CPU's lanes.
_ROW_MULTIPLE = 1024
# Of columns in float32.
_SMALLEST_SPREAD, _LARGEST_SPREAD, _LARGEST_ELEMENT = 1e-18, 1e18, 1e38


class DenseColumns(Columns):
    """Columns of dense features, rounded to float32 or not.

    Going over them takes half the memory's time if they are rounded.

    Parameters
    ----------
    problem, sums, n_classes, fit_intercept, n_threads
        See `Columns`.
    is_exact : bool
        Whether they may not be rounded. They aren't either where float32 has no room for them.
    """

    def __init__(
        self,
        problem: Problem,
        sums: FeatureSums,
        n_classes: int,
        *,
        fit_intercept: bool,
        n_threads: int | None,
        is_exact: bool,
    ) -> None:
        super().__init__(problem, sums, n_classes, fit_intercept=fit_intercept, n_threads=n_threads)
        self.are_rounded = not is_exact and self._can_be_rounded(sums)
        stored = kernels.COLUMN_DTYPES[0 if self.are_rounded else 1]
        self._specialisation = kernels.choose_specialisation(stored)
        self._data = GrowingArray(stored, self.n_rows * (self._n_features + 1))
        self._data.extend(self.n_rows if fit_intercept else 0)[:] = 1.0

    def _can_be_rounded(self, sums: FeatureSums) -> bool:
        """Whether float32 has room for the features' spreads, and for every element."""
        with np.errstate(all="ignore"):
            spreads = sums.spreads_about(self.means)
            weights = self._problem.weights(self.rows)
            # A row of little weight may have an element far beyond the spread.
            largest = spreads * np.sqrt(weights.sum() / weights.min())
        is_in_range = (spreads >= _SMALLEST_SPREAD) & (spreads <= _LARGEST_SPREAD)
        has_room = (is_in_range & (largest <= _LARGEST_ELEMENT)) | (spreads == 0.0)
        return bool(has_room.all())

    @property
    def _columns(self) -> FloatArray:
        return self._data.array.reshape(-1, self.n_rows)

    def _add(self, features: Numbers) -> tuple[Numbers, FloatArray]:
        added = self._data.extend(len(features) * self.n_rows).reshape(len(features), -1)
        return np.full(len(features), self.n_rows), self._copy_dense(features, added)

    def combine(self, numbers: Numbers, factors: FloatArray, rows_out: FloatArray) -> None:
        """Add the columns of these numbers, times their factors, to rows."""
        compiled = kernels.combine_dense_columns.specialise(self._specialisation)
        n_threads = self._count_threads(len(numbers) * self.n_rows)
        columns = self._columns

        def work(block: tuple[int, int]) -> None:
            compiled(
                numbers,
                columns,
                self._specialisation.width,
                *block,
                factors.reshape(-1),
                rows_out.reshape(1, -1),
            )

        blocks = cut_into_blocks(self.n_rows, self._rows_of_a_piece(len(numbers), n_threads))
        claimed_map(work, blocks, min(n_threads, len(blocks)))

    def _rows_of_a_piece(self, n_numbers: int, n_threads: int) -> int:
        """As many that an interrupt doesn't have to wait for long, and that threads share well."""
        most = tuning.ELEMENTS_PER_CALL // max(1, n_numbers)
        if n_threads > 1:
            most = min(most, self.n_rows // (4 * n_threads))
        return max(_ROW_MULTIPLE, most // _ROW_MULTIPLE * _ROW_MULTIPLE)

    def _contract(self, factors: FloatArray, columns_out: FloatArray, numbers: Numbers) -> None:
        compiled = kernels.contract_dense_columns.specialise(self._specialisation)
        width = self._specialisation.width
        by_row = factors.reshape(1, -1)
        compiled(numbers, self._columns, width, by_row, columns_out.reshape(-1))

    def _descend(
        self,
        numbers: Numbers,
        rows: RowsOfModel,
        descent: Descent,
        takes_curvatures: bool,
        closeness: float,
    ) -> None:
        compiled = kernels.descend_dense_columns.specialise(self._specialisation)
        compiled(
            numbers,
            self._columns,
            self._specialisation.width,
            descent.l1_penalties,
            descent.l2_penalties,
            self.most_changes,
            descent.tilts.reshape(-1),
            closeness,
            rows.factors.reshape(1, -1),
            descent.curvatures.reshape(-1),
            descent.slopes.reshape(1, -1),
            descent.weights.reshape(-1),
            descent.violations,
            descent.missing,
        )
