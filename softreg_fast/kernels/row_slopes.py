"""Derivatives of a convex loss by logits that are at hand: slopes and probabilities.

Arrays have a row for each row of the problem and the classes beside each other.
"""

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point
from .groups import SparseRows
from .shapes import SparseSpecialisation, sparse_blocks_type
from .simd.lanes import block_of, load, load_block, splat, store_block, sum_lanes
from .sparse_pass import SPARSE_PASS_SETTINGS
from .sparse_step import slopes_of_rows

_ONE = (0,)


def _slopes_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    matrix = array_type(specialisation.dtype, 2)
    return (
        array_type(np.dtype(np.int32), 1, readonly=True),
        array_type(double, 1, readonly=True),
        array_type(SPARSE_PASS_SETTINGS, 1, readonly=True),
        sparse_blocks_type(specialisation),
        types.int64,
        types.int64,
        matrix,
        matrix,
        array_type(np.dtype(np.int64), 1),
        matrix,
        matrix,
    )


def _multiply_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    matrix = array_type(specialisation.dtype, 2)
    return (
        array_type(np.dtype(np.float64), 1, readonly=True),
        sparse_blocks_type(specialisation),
        types.int64,
        types.int64,
        matrix,
        matrix,
        matrix,
    )


@entry_point(_slopes_types)
def take_slopes(
    targets,
    sample_weights,
    all_settings,
    blocks,
    start,
    stop,
    logits,
    tile,
    numbers,
    slopes_out,
    probabilities_out,
):
    """The loss of the rows from `start` to `stop`, its slopes, and probabilities.

    Parameters
    ----------
    targets : (n_rows,) int32
    sample_weights : (n_rows,) float64
        Above zero.
    all_settings : (1,) SPARSE_PASS_SETTINGS
        Its `n_classes` and `activation`.
    blocks : tuple of tuples
        See `sparse_pass.accumulate_sparse`.
    start, stop : int
    logits : (n_rows, padded_classes)
    tile, numbers
        See `groups.SparseWorkspace`.
    slopes_out, probabilities_out : (n_rows, padded_classes)
        Of a single column of logits, the probability of the second class. Padding is left alone.

    Returns
    -------
    float
    """
    settings = all_settings[0]
    rows = SparseRows(None, None, None, targets, sample_weights, None)
    n_classes = settings["n_classes"]
    loss = 0.0
    for tile_start in range(start, stop, tile.shape[1]):
        n_rows = min(tile.shape[1], stop - tile_start)
        for place in range(n_rows):
            for label in range(n_classes):
                tile[label, place] = logits[tile_start + place, label]
        loss += slopes_of_rows(rows, tile_start, n_rows, settings, blocks[2], numbers, tile)
        for place in range(n_rows):
            row = tile_start + place
            own = targets[row] if n_classes > 1 else targets[row] - 1
            for label in range(n_classes):
                slope = tile[label, place]
                slopes_out[row, label] = slope
                is_own = 1.0 if label == own else 0.0
                probabilities_out[row, label] = slope / sample_weights[row] + is_own
    return loss


@entry_point(_multiply_types)
def multiply_rows(row_weights, blocks, start, stop, probabilities, changes, slopes_out):
    """Write how the slopes of the rows from `start` to `stop` change with their logits.

    That is ``w * p * (changes - p @ changes)``.

    Parameters
    ----------
    row_weights : (n_rows,) float64
        Of a single class, the second derivatives by the rows' logits.
    blocks : tuple of tuples
        See `sparse_pass.accumulate_sparse`.
    start, stop : int
    probabilities : (n_rows, padded_classes)
    changes : (n_rows, padded_classes)
        Of the logits.
    slopes_out : (n_rows, padded_classes)
    """
    width, vectors, _ = blocks
    step = len(width) * len(vectors)
    if len(width) == 1:
        for row in range(start, stop):
            slopes_out[row, 0] = row_weights[row] * changes[row, 0]
        return
    like = load(probabilities, 0, 0, width)
    for row in range(start, stop):
        mean = 0.0
        for column in range(0, probabilities.shape[1], step):
            own = load_block(probabilities, row, column, width, _ONE, vectors)
            mean += sum_lanes(own * load_block(changes, row, column, width, _ONE, vectors))
        means = block_of(splat(mean, like), _ONE, vectors)
        factor = block_of(splat(row_weights[row], like), _ONE, vectors)
        for column in range(0, probabilities.shape[1], step):
            own = load_block(probabilities, row, column, width, _ONE, vectors)
            change = load_block(changes, row, column, width, _ONE, vectors)
            store_block(slopes_out, row, column, factor * own * (change - means))
