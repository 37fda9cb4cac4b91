"""Weighted squares of features: ``features.T @ (weights * features)`` for several sets of weights.

They are symmetric: what is left of the diagonal's vectors isn't calculated.
"""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point, kernel
from .loss import PAIR, take_probabilities
from .simd.cpu import vector_bits, vector_registers
from .simd.lanes import add_outer, block_of, load, load_block, splat, splat_down, store_block

_ONE = (0,)
TILE_ROWS = 128


@dataclass(frozen=True)
class SquaresSpecialisation:
    """The types that the entry point is compiled for.

    Attributes
    ----------
    lanes : int
        Numbers in one SIMD vector.
    side : int
        Vectors of features side by side, a multiple of 2.
    rows : int
        Features that these are multiplied with at a time.
    """

    lanes: int
    side: int
    rows: int

    @property
    def row_multiple(self) -> int:
        """What rows are padded to a multiple of where functions of their logits are taken."""
        return len(PAIR) * self.lanes

    @cached_property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The numbers as kernels take them: the lengths of tuples."""
        return tuple((0,) * n for n in (self.lanes, self.side, self.side // 2, self.rows))


@cache
def choose_squares_specialisation() -> SquaresSpecialisation:
    """What fills this CPU's registers."""
    lanes = max(vector_bits() // 64, 4)
    return SquaresSpecialisation(lanes, 4, 6 if vector_registers() > 16 else 2)


def _squares_types(specialisation: SquaresSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    return (
        array_type(double, 2, readonly=True),
        array_type(double, 2, readonly=True),
        types.Tuple([types.UniTuple(types.intp, len(each)) for each in specialisation.blocks]),
        types.int64,
        types.int64,
        array_type(double, 2),
        array_type(double, 3),
    )


@kernel
def _add_squares(features, start, stop, scaled, column, vectors, blocks, is_first, first, squares):
    """Add what some rows bring to a block of squares."""
    width, _, _, rows = blocks
    zero = splat(0.0, load(features, start, column, width))
    sums = block_of(zero, rows, vectors)
    for row in range(start, stop):
        down = splat_down(scaled, 0, row - start, zero, rows)
        along = load_block(features, row, column, width, _ONE, vectors)
        sums = add_outer(sums, down, along)
    if not is_first:
        sums = sums + load_block(squares, first, column, width, rows, vectors)
    store_block(squares, first, column, sums)


@kernel
def _fill_squares(features, all_weights, blocks, share, n_shares, scaled, squares_out):
    """What `weigh_squares` does, in a thread's own scratch."""
    width, side, half_side, rows = blocks
    n_rows, padded = features.shape
    step, half_step = len(side) * len(width), len(half_side) * len(width)
    n_groups = squares_out.shape[1] // len(rows)
    for start in range(0, n_rows, TILE_ROWS):
        stop = min(start + TILE_ROWS, n_rows)
        for each in range(all_weights.shape[0]):
            weights = all_weights[each]
            squares = squares_out[each]
            for group in range(share, n_groups, n_shares):
                first = group * len(rows)
                for row in range(start, stop):
                    weight = weights[row]
                    for place in range(len(rows)):
                        scaled[place, row - start] = features[row, first + place] * weight
                column = first // len(width) * len(width)
                while column + step <= padded:
                    _add_squares(
                        features, start, stop, scaled, column, side, blocks, start == 0, first,
                        squares,
                    )  # fmt: skip
                    column += step
                if column + half_step <= padded:
                    _add_squares(
                        features, start, stop, scaled, column, half_side, blocks, start == 0,
                        first, squares,
                    )  # fmt: skip
                    column += half_step
                while column < padded:
                    _add_squares(
                        features, start, stop, scaled, column, _ONE, blocks, start == 0, first,
                        squares,
                    )  # fmt: skip
                    column += len(width)


@entry_point(_squares_types)
def weigh_squares(features, all_weights, blocks, share, n_shares, scratch, squares_out):
    """Weighted squares of features, a share of their rows.

    Parameters
    ----------
    features : (n_rows, padded_features)
        Padded with zeros to whole vectors, or further.
    all_weights : (n_sets, n_rows)
    blocks : tuple of tuples
        Their lengths are the lanes, the vectors side by side, half of them, and the features that
        these are multiplied with at a time.
    share, n_shares : int
        The number of this share, from 0, and how many there are.
    scratch : (len(blocks[3]), TILE_ROWS)
        Overwritten.
    squares_out : (n_sets, padded_rows, padded_features)
        The upper part of the leading square is overwritten, and some of the rest. `padded_rows` is
        a multiple of ``len(blocks[3])`` and at most `padded_features`.
    """
    _fill_squares(features, all_weights, blocks, share, n_shares, scratch, squares_out)


def _derivatives_types(specialisation: SquaresSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    return (
        array_type(double, 2, readonly=True),
        types.Array(types.float64, 2, "A", readonly=True),
        array_type(double, 1, readonly=True),
        array_type(double, 1, readonly=True),
        types.boolean,
        types.Tuple([types.UniTuple(types.intp, len(each)) for each in specialisation.blocks]),
        array_type(double, 2),
        array_type(double, 2),
        array_type(double, 2),
        array_type(double, 2),
        array_type(double, 3),
        array_type(double, 2),
    )


@kernel
def _predict(features, point, width, totals, probabilities_out):
    """Probabilities of the classes: a row for each class."""
    n_rows = features.shape[0]
    n_unknowns, n_classes = point.shape
    for row in range(n_rows):
        for label in range(n_classes):
            total = 0.0
            for unknown in range(n_unknowns):
                total += features[row, unknown] * point[unknown, label]
            probabilities_out[label, row] = total
    take_probabilities(probabilities_out.shape[1], n_classes, width, probabilities_out, totals)


@kernel
def _add_pair(squares, first, second, n_unknowns, matrix_out):
    """Write the derivatives by the coefficients of two classes, which are symmetric."""
    above, below = first * n_unknowns, second * n_unknowns
    for unknown in range(n_unknowns):
        for other in range(unknown, n_unknowns):
            value = squares[unknown, other]
            matrix_out[above + unknown, below + other] = value
            matrix_out[above + other, below + unknown] = value
            matrix_out[below + unknown, above + other] = value
            matrix_out[below + other, above + unknown] = value


@kernel
def assemble_derivatives(
    features, all_weights, penalties, makes_regular, blocks, scaled, squares, matrix_out
):
    """Second derivatives by all coefficients, from the rows' by each pair of classes' logits.

    Parameters
    ----------
    all_weights : (n_classes * (n_classes + 1) // 2, n_rows)
    matrix_out : (n_classes * n_unknowns, n_classes * n_unknowns)

    The others are those of `complete_derivatives`.
    """
    n_unknowns = len(penalties)
    n_classes = matrix_out.shape[0] // n_unknowns
    _fill_squares(features, all_weights, blocks, 0, 1, scaled, squares)
    pair = 0
    for first in range(n_classes):
        for second in range(first, n_classes):
            _add_pair(squares[pair], first, second, n_unknowns, matrix_out)
            pair += 1
    largest = 0.0
    for place in range(n_classes * n_unknowns):
        matrix_out[place, place] += penalties[place % n_unknowns]
        largest = max(largest, matrix_out[place, place])
    if not makes_regular:
        return
    for unknown in range(n_unknowns):
        for first in range(n_classes):
            for second in range(n_classes):
                matrix_out[first * n_unknowns + unknown, second * n_unknowns + unknown] += (
                    largest / n_classes
                )


@entry_point(_derivatives_types)
def complete_derivatives(
    features,
    point,
    row_weights,
    penalties,
    makes_regular,
    blocks,
    totals,
    probabilities,
    all_weights,
    scaled,
    squares,
    matrix_out,
):
    """Second derivatives of loss and penalty by the coefficients of all classes.

    The sum of the loss' is zero over the classes of either coefficient: they are singular.

    Parameters
    ----------
    features : (n_rows, padded_features)
        As `weigh_squares` takes them.
    point : (n_unknowns, n_classes)
        The coefficients.
    row_weights : (n_rows,)
    penalties : (n_unknowns,)
        The penalty's second derivatives.
    makes_regular : bool
        Whether to add a constant where both coefficients are of the same feature.
    blocks : tuple of tuples
    totals : (1, padded_rows)
        Overwritten. Rows are padded to whole pairs of vectors; see `loss.PAIR`.
    probabilities : (n_classes, padded_rows)
        Overwritten; of finite numbers.
    all_weights : (n_classes * (n_classes + 1) // 2, n_rows)
        Overwritten.
    scaled : (len(blocks[3]), TILE_ROWS)
        Overwritten.
    squares : (n_pairs, padded_rows, padded_features)
        Overwritten.
    matrix_out : (n_classes * n_unknowns, n_classes * n_unknowns)
    """
    n_rows = features.shape[0]
    n_classes = point.shape[1]
    _predict(features, point, blocks[0], totals, probabilities)
    pair = 0
    for first in range(n_classes):
        for second in range(first, n_classes):
            own = 1.0 if first == second else 0.0
            for row in range(n_rows):
                all_weights[pair, row] = (
                    (own - probabilities[second, row]) * probabilities[first, row]
                ) * row_weights[row]
            pair += 1
    assemble_derivatives(
        features, all_weights, penalties, makes_regular, blocks, scaled, squares, matrix_out
    )
