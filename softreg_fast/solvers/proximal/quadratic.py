"""A quadratic model of the loss, plus penalties, and steps to its minimum over some columns."""

import numpy as np

from ..._typing import FloatArray
from ...kernels.columns import LEAST_CURVATURE
from ...runtime.blas import inner_product
from .columns import Columns, Descent, Numbers
from .penalty import l1_penalty_of
from .rows import Rows

_FIRST_FACTOR = 1.3
# So many rows' worth of elements are taken between two changes of the intercept.
_ROWS_BETWEEN_INTERCEPTS = 8
# Of conjugate gradients.
_MOST_ITERATIONS = 40
# Of a step from conjugate gradients, as much as is tried where weights would change their sign.
_LENGTHS = (1.0, 0.5, 0.25, 0.1, 0.02)


class QuadraticModel:
    """The second-order model of the loss where the rows are, and weights to which it is followed.

    Parameters
    ----------
    columns : Columns
    rows : Rows
    n_classes : int
        Columns of the model.
    l1_penalty, l2_penalty : float
        Per unit of weight.
    weights : ndarray of shape (n_columns, n_padded)
        Where the rows are. Changed in place, by steps.
    is_grouped : bool
        Whether the L1 penalty is that of the features' norms.
    tilts : ndarray of shape (n_columns, n_padded) or None
        Derivatives by the weights that don't follow from the rows' slopes, if there are any.

    Attributes
    ----------
    violations : ndarray of shape (n_columns,)
        How far each column was from being optimal when it was last taken.
    """

    def __init__(
        self,
        columns: Columns,
        rows: Rows,
        n_classes: int,
        l1_penalty: float,
        l2_penalty: float,
        weights: FloatArray,
        *,
        is_grouped: bool,
        tilts: FloatArray | None = None,
    ) -> None:
        self._columns = columns
        self._rows = rows
        self._n_classes = n_classes
        is_feature = columns.features >= 0
        self._has_intercept = not is_feature.all()
        self._l1_penalties = np.where(is_feature, l1_penalty, 0.0)
        self._l2_penalties = np.where(is_feature, l2_penalty, 0.0)
        self._l1_penalty, self._l2_penalty = l1_penalty, l2_penalty
        self._l1 = l1_penalty_of(is_grouped=is_grouped)
        self._source = np.random.default_rng(0)
        self.weights = weights
        self.slopes = columns.row_zeros()
        self.violations = np.zeros(len(columns))
        self._descent = Descent(
            self._l1_penalties,
            self._l2_penalties,
            self._l1.is_grouped,
            columns.zeros() if tilts is None else tilts,
            self.slopes,
            weights,
            columns.zeros(),
            np.full(len(columns), _FIRST_FACTOR if n_classes > 1 else 1.0),
            np.zeros((2, columns.n_padded)),
            self.violations,
            np.zeros(len(columns)),
        )
        self._tilted_at_first = self._by_tilts(weights)

    def _by_tilts(self, changes: FloatArray, numbers: Numbers | slice = slice(None)) -> float:
        """What the tilts bring along changes of some columns' weights."""
        if not self._columns.are_rounded:
            return 0.0
        return float(np.sum(self._descent.tilts[numbers] * changes))

    @property
    def penalty(self) -> float:
        """Of the weights; with what the tilts bring from the first weights on."""
        by_l1 = self._l1_penalties * self._l1.sizes(self.weights).sum(axis=1)
        by_l2 = 0.5 * self._l2_penalties * (self.weights**2).sum(axis=1)
        by_tilts = self._by_tilts(self.weights) - self._tilted_at_first
        return float(np.sum(by_l1 + by_l2)) + by_tilts

    def penalty_slope(self, start: FloatArray, changes: FloatArray) -> float:
        """How much changes of all weights raise the penalty, if that of squares were linear."""
        by_l1 = (self._l1.sizes(start + changes) - self._l1.sizes(start)).sum(axis=1)
        by_l2 = (start * changes).sum(axis=1)
        by_penalties = self._l1_penalties * by_l1 + self._l2_penalties * by_l2
        return float(np.sum(by_penalties)) + self._by_tilts(changes)

    def begin(self) -> None:
        """Make the model where the rows are."""
        self.slopes[:] = self._rows.slopes

    def sweep(
        self, numbers: Numbers, *, takes_curvatures: bool = False, closeness: float = 0.0
    ) -> float:
        """Coordinate descent over columns, in a random order; how far they were from optimal."""
        order = self._source.permutation(numbers)
        if self._has_intercept:
            order = self._with_intercepts(order)
        self._columns.descend(
            order,
            self._rows,
            self._descent,
            takes_curvatures=takes_curvatures,
            closeness=closeness,
        )
        return float(self.violations[numbers].sum())

    def _with_intercepts(self, order: Numbers) -> Numbers:
        between = _ROWS_BETWEEN_INTERCEPTS * self._columns.n_rows
        taken = np.cumsum(self._columns.lengths[order]) // between
        places = np.concatenate([[0], np.flatnonzero(np.diff(taken)) + 1])
        with_intercepts: Numbers = np.insert(order, places, 0)
        return with_intercepts

    def are_missing(self, numbers: Numbers) -> FloatArray:
        """See `kernels.columns.descend_columns`."""
        missing: FloatArray = self._descent.missing[numbers]
        return missing

    def shift(self, numbers: Numbers) -> None:
        """Go where probabilities are the same, and the penalty is the lowest."""
        if self._n_classes > 1:
            weights = self.weights[numbers, : self._n_classes]
            shifts = self._l1.shifts(weights, self._l1_penalty, self._l2_penalty)
            self.weights[numbers, : self._n_classes] = weights - shifts

    def signs(self, numbers: Numbers) -> FloatArray:
        """Of the weights of some columns; see `penalty.L1Penalty`."""
        return self._l1.signs(self.weights[numbers])

    def find_support(self, numbers: Numbers) -> Numbers:
        """Which of some columns have weights that aren't zero."""
        return numbers[self.weights[numbers].any(axis=1)]

    def polish(self, numbers: Numbers, tolerance: float) -> int:
        """Conjugate gradients over what isn't zero; gives how many weights have become zero.

        They end where the residual's norm, over that at the start, is at most the tolerance.
        """
        numbers = self.find_support(numbers)
        if self._has_intercept:
            numbers = np.append(numbers, 0)
        columns, rows = self._columns, self._rows
        l1 = self._l1_penalties[numbers, None]
        l2 = self._l2_penalties[numbers, None]
        start = self.weights[numbers]
        is_free = self._l1.are_there(start) | (l1 == 0.0)
        scales = self._descent.curvatures[numbers] + l2 + l1 * self._l1.curvatures(start)
        scales = np.maximum(scales, LEAST_CURVATURE)
        by_column, by_row, bent = columns.zeros(), columns.row_zeros(), columns.row_zeros()
        columns.contract(numbers, self.slopes, by_column)
        tilts = self._descent.tilts[numbers]
        slopes = by_column[numbers] + l2 * start + tilts
        residual = -(slopes + l1 * self._l1.slopes(start))
        most = columns.most_changes[numbers, None]
        is_free &= np.abs(residual) <= most * scales  # those that aren't curved would go too far
        residual *= is_free
        step, logits = np.zeros(start.shape), columns.row_zeros()
        direction = residual / scales
        product = first = inner_product(residual, direction)
        for _ in range(_MOST_ITERATIONS):
            if not product > tolerance**2 * first:
                break
            by_column[numbers] = direction
            by_row[:] = 0.0
            columns.combine(numbers, by_column, by_row)
            rows.multiply(by_row, bent)
            columns.contract(numbers, bent, by_column)
            bends = l2 * direction + l1 * self._l1.bend(start, direction)
            curved = (by_column[numbers] + bends) * is_free
            curvature = inner_product(direction, curved)
            if not curvature > 0.0:
                break
            length = product / curvature
            step += length * direction
            logits += length * by_row
            residual -= length * curved
            scaled = residual / scales
            before, product = product, inner_product(residual, scaled)
            direction = scaled + product / before * direction
        too_far = float((np.abs(step) / most).max(initial=1.0))
        step /= too_far
        logits /= too_far
        return self._go(numbers, start, step, logits)

    def _go(self, numbers: Numbers, start: FloatArray, step: FloatArray, logits: FloatArray) -> int:
        """Go along a step as far as the model falls, weights that would change sign staying zero.

        Gives how many weights have become zero.
        """
        columns, rows = self._columns, self._rows
        l1, l2 = self._l1_penalties[numbers, None], self._l2_penalties[numbers, None]
        by_column, bent = columns.zeros(), columns.row_zeros()
        lowest = 0.0
        n_crossing, best = 0, None
        for length in _LENGTHS:
            change = length * step
            crosses = (l1 > 0.0) & self._l1.cross(start, change)
            by_row = length * logits
            if crosses.any():
                change[crosses] = -start[crosses]
                by_column[numbers] = change
                by_row[:] = 0.0
                columns.combine(numbers, by_column, by_row)
            rows.multiply(by_row, bent)
            sizes = l1 * (self._l1.sizes(start + change) - self._l1.sizes(start))
            value = float(np.sum(sizes) + np.sum(l2 * change * (start + 0.5 * change)))
            value += self._by_tilts(change, numbers)
            smooth = inner_product(self.slopes, by_row) + 0.5 * inner_product(by_row, bent)
            total = value + smooth
            if total >= lowest:
                if best is not None:
                    break
                continue
            lowest, n_crossing = total, int(crosses.sum())
            best = change, bent.copy()
            if not n_crossing:
                break
        if best is not None:
            self.weights[numbers] = start + best[0]
            self.slopes += best[1]
        return n_crossing
