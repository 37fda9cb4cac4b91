"""Weighted squares of features: ``features.T @ (weights * features)`` for several sets of weights.

They are symmetric: what is left of the diagonal's vectors isn't calculated.
"""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numba import types

from .jit import array_type, entry_point, kernel, vector_bits, vector_registers
from .lanes import add_outer, block_of, load, load_block, splat, splat_down, store_block

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
        array_type(double, 3),
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


@entry_point(_squares_types)
def weigh_squares(features, all_weights, blocks, thread, n_threads, scratch, squares_out):
    """Weighted squares of features, those rows of them that are this thread's.

    Parameters
    ----------
    features : (n_rows, padded_features)
        Padded with zeros to whole vectors, or further.
    all_weights : (n_sets, n_rows)
    blocks : tuple of tuples
        Their lengths are the lanes, the vectors side by side, half of them, and the features that
        these are multiplied with at a time.
    thread, n_threads : int
        The number of this thread, from 0.
    scratch : (n_threads, len(blocks[3]), TILE_ROWS)
        Overwritten.
    squares_out : (n_sets, padded_rows, padded_features)
        The upper part of the leading square is overwritten, and some of the rest. `padded_rows` is
        a multiple of ``len(blocks[3])`` and at most `padded_features`.
    """
    width, side, half_side, rows = blocks
    n_rows, padded = features.shape
    scaled = scratch[thread]
    step, half_step = len(side) * len(width), len(half_side) * len(width)
    n_groups = squares_out.shape[1] // len(rows)
    for start in range(0, n_rows, TILE_ROWS):
        stop = min(start + TILE_ROWS, n_rows)
        for each in range(all_weights.shape[0]):
            weights = all_weights[each]
            squares = squares_out[each]
            for group in range(thread, n_groups, n_threads):
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
