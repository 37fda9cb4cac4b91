"""Slopes of logits that are at hand, in tiles whose lanes are rows."""

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point
from .groups import SparseRows
from .shapes import SparseSpecialisation, sparse_blocks_type
from .sparse_pass import SPARSE_PASS_SETTINGS
from .sparse_step import add_slopes, slopes_of_rows


def _tile_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    return (
        array_type(np.dtype(np.int32), 1, readonly=True),
        array_type(double, 1, readonly=True),
        array_type(SPARSE_PASS_SETTINGS, 1, readonly=True),
        sparse_blocks_type(specialisation),
        types.int64,
        types.int64,
        array_type(double, 1, readonly=True),
        array_type(np.dtype(np.int64), 1),
        array_type(specialisation.dtype, 2),
        array_type(double, 1),
    )


@entry_point(_tile_types)
def take_tile_slopes(
    targets, sample_weights, all_settings, blocks, start, n_rows, bias, numbers, tile, sums_out
):
    """Write the slopes of some rows in place of their logits, which the bias is added to first.

    Parameters
    ----------
    targets : (n_samples,) int32
    sample_weights : (n_samples,) or (0,) float64
        With none, every row weighs 1.
    all_settings : (1,) SPARSE_PASS_SETTINGS
        Its `n_classes`, `activation` and `only_loss`.
    blocks : tuple of tuples
        See `sparse_pass.accumulate_sparse`.
    start, n_rows : int
        Which rows.
    bias : (n_classes,) float64
    numbers : (tile_rows,) int64
        Overwritten.
    tile : (2 * n_classes + N_ROW_VALUES, tile_rows)
        The first rows hold the logits of each class; the others are overwritten.
    sums_out : (1 + n_classes,) float64
        The loss, and the sums of the slopes if they are wanted, are added.
    """
    settings = all_settings[0]
    rows = SparseRows(None, None, None, targets, sample_weights, None)
    n_classes = settings["n_classes"]
    for label in range(n_classes):
        for place in range(n_rows):
            tile[label, place] += bias[label]
    sums_out[0] += slopes_of_rows(rows, start, n_rows, settings, blocks[2], numbers, tile)
    if not settings["only_loss"]:
        add_slopes(tile, n_rows, n_classes, sums_out[1:])
