"""Columns of dense features beside each other, for models of one column."""

import numpy as np

from ..._typing import FloatArray
from ...data.problem import Problem
from ...kernels import dense_columns as kernels
from ...objective.moments import FeatureSums
from ...runtime import tuning
from ...runtime.claimed_map import claimed_map, cut_into_blocks
from ...runtime.threads import count_threads_for_prediction
from .columns import Columns, Descent, Numbers

# Rows of a piece of work are a multiple of this, which is one of any CPU's lanes.
_ROW_MULTIPLE = 1024
# Deviations of features that float32 has room for, with any of their rows'.
_SMALLEST_SPREAD, _LARGEST_SPREAD = 1e-18, 1e18
# Columns for which there is room at first, in numbers.
_MOST_CAPACITY = 1 << 27


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
        self.are_rounded = not is_exact and _has_room(sums, sums.means - self.means)
        stored = kernels.COLUMN_DTYPES[0 if self.are_rounded else 1]
        self._specialisation = kernels.choose_specialisation(stored)
        n_columns = self._n_features + 1
        capacity = max(1, min(n_columns, _MOST_CAPACITY // max(1, self.n_rows)))
        # Memory is taken as it is written.
        self._columns = np.empty((capacity, self.n_rows), stored)
        self._columns[: int(fit_intercept)] = 1.0

    def _add(self, features: Numbers) -> tuple[Numbers, FloatArray]:
        start, stop = len(self), len(self) + len(features)
        if stop > len(self._columns):
            larger = np.empty((max(stop, 2 * start), self.n_rows), self._columns.dtype)
            larger[:start] = self._columns[:start]
            self._columns = larger
        added = self._columns[start:stop]
        largest = self._copy_dense(features, added)
        return np.full(len(features), self.n_rows), largest

    def combine(self, numbers: Numbers, factors: FloatArray, rows_out: FloatArray) -> None:
        """Add the columns of these numbers, times their factors, to rows."""
        compiled = kernels.combine_dense_columns.specialise(self._specialisation)
        n_products = tuning.PRODUCTS_PER_SPARSE_ELEMENT * len(numbers) * self.n_rows
        n_threads = count_threads_for_prediction(self._n_threads, n_products)

        def work(block: tuple[int, int]) -> None:
            compiled(
                numbers,
                self._columns,
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

    def descend(
        self,
        numbers: Numbers,
        row_weights: FloatArray,
        probabilities: FloatArray,
        descent: Descent,
        *,
        takes_curvatures: bool,
        closeness: float,
    ) -> None:
        """Coordinate descent over columns, one after the other."""
        compiled = kernels.descend_dense_columns.specialise(self._specialisation)
        for piece in self.pieces(numbers):
            compiled(
                piece,
                self._columns,
                self._specialisation.width,
                descent.l1_penalties,
                descent.l2_penalties,
                self.most_changes,
                descent.tilts.reshape(-1),
                closeness,
                row_weights.reshape(1, -1),
                descent.curvatures.reshape(-1),
                descent.slopes.reshape(1, -1),
                descent.weights.reshape(-1),
                descent.violations,
                descent.missing,
            )


def _has_room(sums: FeatureSums, shifts: FloatArray) -> bool:
    """Whether float32 has room for features whose means are the shifts."""
    with np.errstate(all="ignore"):
        spreads = np.hypot(sums.deviations, shifts)
    is_in_range = (spreads >= _SMALLEST_SPREAD) & (spreads <= _LARGEST_SPREAD)
    return bool((is_in_range | (spreads == 0.0)).all())
