"""Probabilities of rows, and the steps towards them, in one compiled call."""

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point, kernel
from .forward import forward
from .groups import N_ROW_VALUES, Rows, Workspace
from .loss import IDENTITY, SIGMOID, activate, logistic, take_probabilities
from .matmul import transpose_weights
from .shapes import (
    Specialisation,
    blocks_type,
    feature_columns_type,
    features_type,
    workspace_types,
)
from .simd.lanes import load, multiply_add, splat, store, sum_lanes
from .tile import take_tile


@kernel
def _store_rows(first, n_rows, columns, rows_out):
    """Write a tile, in which rows are columns, to an array of rows."""
    for row in range(n_rows):
        for label in range(rows_out.shape[1]):
            rows_out[first + row, label] = columns[label, row]


@kernel
def _are_finite(n_rows, n_columns, width, logits):
    zero = splat(0.0, load(logits, 0, 0, width))
    total = zero
    for label in range(n_columns):
        for row in range(0, n_rows, len(width)):
            total = multiply_add(load(logits, label, row, width), zero, total)
    return sum_lanes(total) == 0.0


@kernel
def _probabilities_of_two(n_rows, width, logits):
    """Probabilities of both classes in place of the logits of a model of one column."""
    for row in range(0, n_rows, len(width)):
        z = load(logits, 0, row, width)
        store(logits, 0, row, logistic(splat(0.0, z) - z))
        store(logits, 1, row, logistic(z))


@kernel
def finish_tile(
    first, n_rows, n_padded, activation, width, tile, probabilities_out, values_out, logits_out
):
    """From the logits of a tile to what is wanted of its rows.

    Parameters
    ----------
    first : int
        Where its rows begin in the outputs.
    n_rows, n_padded : int
        The rows, and these up to whole pairs of vectors.
    activation : int
    width : tuple of `lanes`
    tile : (2 * tile_classes + N_ROW_VALUES, tile_rows)
        Overwritten.
    probabilities_out, values_out, logits_out
        See `predict`.

    Returns
    -------
    bool
        Whether all logits are finite.
    """
    tile_classes = (tile.shape[0] - N_ROW_VALUES) // 2
    logits = tile[:tile_classes]
    values = tile[tile_classes : 2 * tile_classes]
    n_classes = probabilities_out.shape[1]
    all_finite = _are_finite(n_padded, logits_out.shape[1], width, logits)
    if len(logits_out) > 0:
        _store_rows(first, n_rows, logits, logits_out)
    if len(probabilities_out) == 0:
        return all_finite
    if len(values_out) > 0 and activation == IDENTITY:
        _store_rows(first, n_rows, logits, values_out)
    if logits_out.shape[1] == 1:
        _probabilities_of_two(n_padded, width, tile)
    else:
        if activation == SIGMOID:
            activate(n_padded, n_classes, width, logits, values)
        take_probabilities(n_padded, n_classes, width, logits, tile[2 * tile_classes :])
    if len(values_out) > 0 and activation != IDENTITY:
        _store_rows(first, n_rows, values, values_out)
    _store_rows(first, n_rows, tile, probabilities_out)
    return all_finite


def _predict_types(specialisation: Specialisation) -> tuple[types.Type, ...]:
    matrix = array_type(specialisation.dtype, 2)
    return (
        features_type(specialisation),
        feature_columns_type(specialisation),
        array_type(np.dtype(np.int32), 1, readonly=True),
        types.int64,
        types.int64,
        types.int64,
        blocks_type(specialisation),
        matrix,
        *workspace_types(specialisation),
        matrix,
        matrix,
        matrix,
    )


@entry_point(_predict_types)
def predict(
    features,
    feature_columns,
    no_targets,
    start,
    stop,
    activation,
    blocks,
    parameters,
    tile,
    feature_tile,
    feature_weights,
    numbers,
    probabilities_out,
    values_out,
    logits_out,
):
    """Probabilities of the rows from `start` to `stop`, or the steps towards them, or both.

    Parameters
    ----------
    features : (n_samples, n_features)
    feature_columns : (n_features, n_samples) or None
        The features transposed, if their columns are read in place.
    no_targets : (0,) int32
    start, stop : int
    activation : int
        See `loss`.
    blocks : tuple of tuples
    parameters : (padded_classes, padded_features + lanes)
    tile, feature_tile, feature_weights, numbers
        The thread's; see `groups.Workspace`. Zero at first, but for the second of the numbers.
    probabilities_out : (n_samples, n_classes), or (0, n_classes)
        `n_classes` is 2 for a model of one column.
    values_out, logits_out : (n_samples, n_columns), or (0, n_columns)
        Activated logits, which are given only with probabilities, and logits.

    Returns
    -------
    bool
        Whether all logits are finite. Then so are all features and parameters.
    """
    all_finite = True
    width = blocks.width
    tile_classes = (tile.shape[0] - N_ROW_VALUES) // 2
    rows = Rows(features, feature_columns, no_targets, no_targets, None)
    work = Workspace(tile, feature_tile, feature_weights, numbers)
    transpose_weights(parameters, width, 0, work.feature_weights)
    numbers[3, 0] = 0  # what is in the tile are rows of another call
    for tile_start in range(start, stop, tile.shape[1]):
        n_rows = min(tile.shape[1], stop - tile_start)
        n_padded = take_tile(rows, tile_start, n_rows, tile_start + n_rows, blocks, work)
        forward(rows, work, 0, n_padded, parameters, blocks, tile[:tile_classes])
        if not finish_tile(
            tile_start, n_rows, n_padded, activation, width, tile, probabilities_out, values_out,
            logits_out,
        ):  # fmt: skip
            all_finite = False
    return all_finite
