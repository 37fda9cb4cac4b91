"""Loss and gradient summed over rows of numbers and categories.

A category's weights are looked up by its code, so nothing is multiplied or stored for the
categories that a row is not of. The lanes of SIMD vectors are classes.

The model has a row for each number, then for each categorical column one for each category and one
that stays zero, for rows of no known category; and the biases last. The gradient has the same rows.
A call is for some rows, on one thread, and adds to arrays of its own.
"""

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point, kernel
from .groups import SparseWorkspace, TableRows
from .predict_sparse import finish_rows
from .shapes import SparseSpecialisation, sparse_blocks_type
from .simd.lanes import add_outer, block_of, load, load_block, splat, store_block
from .sparse_step import add_slopes, slopes_of_rows

TABLE_PASS_SETTINGS = np.dtype(
    [
        ("n_classes", np.int64),  # columns of the model
        ("activation", np.int64),  # see `loss`
        ("only_loss", np.bool_),  # whether no gradient is wanted
    ],
    align=True,
)

_ONE = (0,)


@kernel
def _take_single_logits(rows, start, n_rows, model, tile_out):
    """`_take_logits` of a model of one column."""
    for place in range(n_rows):
        tile_out[0, place] = model[-1, 0]
    for feature in range(rows.numbers.shape[0]):
        numbers, weight = rows.numbers[feature], model[feature, 0]
        for place in range(n_rows):
            tile_out[0, place] += weight * numbers[start + place]
    for group in range(rows.codes.shape[0]):
        codes, offset = rows.codes[group], rows.offsets[group]
        for place in range(n_rows):
            tile_out[0, place] += model[offset + np.int64(codes[start + place]), 0]


@kernel
def _take_logits(rows, start, n_rows, n_columns, model, blocks, lines, tile_out):
    """Write the logits of a tile of rows.

    Parameters
    ----------
    rows : TableRows
    start, n_rows : int
        Which rows.
    n_columns : int
        Of the model.
    model : (n_model_rows, padded_classes)
    blocks : tuple of tuples
    lines : (>= n_rows, padded_classes)
        Overwritten.
    tile_out : (>= n_columns, >= n_rows)
    """
    if n_columns == 1:
        _take_single_logits(rows, start, n_rows, model, tile_out)
        return
    width, vectors, _ = blocks
    like = load(model, 0, 0, width)
    for place in range(n_rows):
        row = start + place
        for column in range(0, model.shape[1], len(width) * len(vectors)):
            logits = load_block(model, model.shape[0] - 1, column, width, _ONE, vectors)
            for feature in range(rows.numbers.shape[0]):
                number = block_of(splat(rows.numbers[feature, row], like), _ONE, _ONE)
                weights = load_block(model, feature, column, width, _ONE, vectors)
                logits = add_outer(logits, number, weights)
            for group in range(rows.codes.shape[0]):
                category = rows.offsets[group] + np.int64(rows.codes[group, row])
                logits = logits + load_block(model, category, column, width, _ONE, vectors)
            store_block(lines, place, column, logits)
        for label in range(n_columns):
            tile_out[label, place] = lines[place, label]


@kernel
def _add_single_gradient(rows, start, n_rows, tile, gradient_out):
    """`_add_gradient` of a model of one column."""
    for feature in range(rows.numbers.shape[0]):
        numbers = rows.numbers[feature]
        total = 0.0
        for place in range(n_rows):
            total += np.float64(tile[0, place]) * np.float64(numbers[start + place])
        gradient_out[feature, 0] += total
    for group in range(rows.codes.shape[0]):
        codes, offset = rows.codes[group], rows.offsets[group]
        for place in range(n_rows):
            gradient_out[offset + np.int64(codes[start + place]), 0] += tile[0, place]


@kernel
def _add_gradient(rows, start, n_rows, n_columns, blocks, tile, lines, gradient_out):
    """Add what a tile's slopes bring to the gradient by the weights."""
    if n_columns == 1:
        _add_single_gradient(rows, start, n_rows, tile, gradient_out)
        return
    width, vectors, _ = blocks
    like = load(gradient_out, 0, 0, width)
    for place in range(n_rows):
        for label in range(n_columns):
            lines[place, label] = tile[label, place]
    for place in range(n_rows):
        row = start + place
        for column in range(0, gradient_out.shape[1], len(width) * len(vectors)):
            slopes = load_block(lines, place, column, width, _ONE, vectors)
            for feature in range(rows.numbers.shape[0]):
                number = block_of(splat(rows.numbers[feature, row], like), _ONE, _ONE)
                before = load_block(gradient_out, feature, column, width, _ONE, vectors)
                store_block(gradient_out, feature, column, add_outer(before, number, slopes))
            for group in range(rows.codes.shape[0]):
                category = rows.offsets[group] + np.int64(rows.codes[group, row])
                before = load_block(gradient_out, category, column, width, _ONE, vectors)
                store_block(gradient_out, category, column, before + slopes)


def _table_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    """The types of numbers, codes and offsets."""
    return (
        array_type(specialisation.features_dtype, 2, readonly=True),
        array_type(specialisation.index_dtype, 2, readonly=True),
        array_type(np.dtype(np.int64), 1, readonly=True),
    )


def _accumulate_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    matrix = array_type(specialisation.dtype, 2)
    return (
        *_table_types(specialisation),
        array_type(np.dtype(np.int32), 1, readonly=True),
        array_type(double, 1, readonly=True),
        array_type(TABLE_PASS_SETTINGS, 1, readonly=True),
        sparse_blocks_type(specialisation),
        types.int64,
        types.int64,
        matrix,
        matrix,
        matrix,
        array_type(np.dtype(np.int64), 1),
        array_type(double, 1),
        matrix,
        array_type(double, 1),
    )


@entry_point(_accumulate_types)
def accumulate_table(
    numbers,
    codes,
    offsets,
    targets,
    sample_weights,
    all_settings,
    blocks,
    start,
    stop,
    model,
    tile,
    lines,
    row_numbers,
    totals,
    gradient_out,
    sums_out,
):
    """Add the loss and the gradient of the rows from `start` to `stop`.

    Parameters
    ----------
    numbers, codes, offsets
        See `groups.TableRows`.
    targets : (n_samples,) int32
        From 0 to ``n_classes - 1``.
    sample_weights : (n_samples,) or (0,) float64
        With none, every row weighs 1.
    all_settings : (1,) TABLE_PASS_SETTINGS
    blocks : tuple of tuples
        See `sparse_pass.accumulate_sparse`.
    start, stop : int
    model : (n_model_rows, padded_classes)
        The biases last.
    tile, lines, row_numbers, totals
        The thread's; see `groups.SparseWorkspace`.
    gradient_out : (n_model_rows, padded_classes)
        The gradient by the weights is added.
    sums_out : (1 + n_classes,) float64
        The loss, and the gradient by the biases, are added.
    """
    settings = all_settings[0]
    rows = TableRows(numbers, codes, offsets, targets, sample_weights)
    work = SparseWorkspace(tile, lines, row_numbers, totals)
    n_classes = settings["n_classes"]
    for tile_start in range(start, stop, work.tile.shape[1]):
        n_rows = min(work.tile.shape[1], stop - tile_start)
        _take_logits(rows, tile_start, n_rows, n_classes, model, blocks, work.lines, work.tile)
        sums_out[0] += slopes_of_rows(
            rows, tile_start, n_rows, settings, blocks[2], work.numbers, work.tile
        )
        if settings["only_loss"]:
            continue
        add_slopes(work.tile, n_rows, n_classes, sums_out[1:])
        _add_gradient(
            rows, tile_start, n_rows, n_classes, blocks, work.tile, work.lines, gradient_out
        )


def _predict_table_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    matrix = array_type(specialisation.dtype, 2)
    return (
        *_table_types(specialisation),
        types.int64,
        types.int64,
        types.int64,
        sparse_blocks_type(specialisation),
        matrix,
        matrix,
        matrix,
        matrix,
        matrix,
        matrix,
    )


@entry_point(_predict_table_types)
def predict_table(
    numbers,
    codes,
    offsets,
    start,
    stop,
    activation,
    blocks,
    model,
    tile,
    lines,
    probabilities_out,
    values_out,
    logits_out,
):
    """Probabilities of the rows from `start` to `stop`, or the steps towards them, or both.

    Parameters
    ----------
    numbers, codes, offsets
        See `groups.TableRows`.
    start, stop, activation, blocks, model, tile, lines
        See `accumulate_table`; `predict_sparse.predict_sparse`.
    probabilities_out, values_out, logits_out
        See `predict.predict`.

    Returns
    -------
    bool
        Whether all logits are finite.
    """
    all_finite = True
    rows = TableRows(numbers, codes, offsets, None, None)
    n_columns = logits_out.shape[1]
    for tile_start in range(start, stop, tile.shape[1]):
        n_rows = min(tile.shape[1], stop - tile_start)
        _take_logits(rows, tile_start, n_rows, n_columns, model, blocks, lines, tile)
        if not finish_rows(
            tile_start, n_rows, activation, blocks[2], tile, probabilities_out, values_out,
            logits_out,
        ):  # fmt: skip
            all_finite = False
    return all_finite


def _count_table_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    return (
        array_type(specialisation.index_dtype, 1, readonly=True),
        array_type(np.dtype(np.int32), 1, readonly=True),
        array_type(double, 1, readonly=True),
        array_type(double, 2),
    )


@entry_point(_count_table_types)
def count_categories(codes, targets, sample_weights, weights_out):
    """Add the rows' weights, by their categories in a column and by their targets.

    Parameters
    ----------
    codes : (n_samples,)
    targets : (n_samples,) int32
    sample_weights : (n_samples,) or (0,) float64
        With none, every row weighs 1.
    weights_out : (n_codes, n_classes) float64
    """
    is_weighted = len(sample_weights) > 0
    for row in range(len(codes)):
        weight = sample_weights[row] if is_weighted else 1.0
        weights_out[np.int64(codes[row]), targets[row]] += weight
