"""Loss and gradient summed over the rows of a sparse matrix, on any number of threads.

Forward, elements are taken by rows (CSR): a row's logits are a combination of the features'
weights. Backward, they are taken by columns (CSC): a feature's gradient is a combination of the
rows' slopes, which one thread adds in order. So no two threads add to the same number, and the
result has the same bits for any number of threads. The lanes of SIMD vectors are classes.

A call is for a *panel*, so many rows that their slopes stay in the cache. It has two rounds: over
chunks of the rows, and over chunks of the features. All that a call writes follows from what it
only reads, so a late thread writes what is there already. When no thread is in the call any more,
another one may write to the same arrays.
"""

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point, kernel
from .groups import Columns, SparseRows, SparseWorkspace, Team
from .shapes import SparseSpecialisation, sparse_blocks_type, sparse_rows_types
from .simd.lanes import (
    block_of,
    combine_listed,
    load,
    load_block,
    splat,
    store_block,
)
from .sparse_step import slopes_of_rows
from .threads.claims import (
    begin_pace,
    hand_in,
    open_round,
    own_buffer,
    read_round,
    take_chunk,
    wait_for_round,
)

SPARSE_PASS_SETTINGS = np.dtype(
    [
        ("n_classes", np.int64),  # columns of the model
        ("activation", np.int64),  # see `loss`
        ("chunk_rows", np.int64),
        ("only_loss", np.bool_),  # whether no gradient is wanted
        ("is_first", np.bool_),  # whether nothing has been summed before
    ],
    align=True,
)

FORWARD, BACKWARD = 0, 1

_ONE = (0,)
_PARTS = (0, 0, 0, 0)


@kernel
def take_logits_of_row(rows, row, model, blocks, place, lines_out):
    """Write the logits of a row to a line."""
    width, vectors, _ = blocks
    start, stop = np.int64(rows.pointers[row]), np.int64(rows.pointers[row + 1])
    for column in range(0, model.shape[1], len(width) * len(vectors)):
        biases = load_block(model, model.shape[0] - 1, column, width, _ONE, vectors)
        logits = combine_listed(biases, rows.data, rows.indices, start, stop, model, column, _PARTS)
        store_block(lines_out, place, column, logits)


@kernel
def take_logits(rows, start, n_rows, n_columns, model, blocks, lines, tile_out):
    """Write the logits of a tile of rows.

    Parameters
    ----------
    rows : SparseRows
    start, n_rows : int
        Which rows.
    n_columns : int
        Of the model.
    model : (n_features + 1, padded_classes)
        The biases last.
    blocks : tuple of tuples
    lines : (>= n_rows, padded_classes)
        Overwritten.
    tile_out : (>= n_columns, >= n_rows)
    """
    for place in range(n_rows):
        take_logits_of_row(rows, start + place, model, blocks, place, lines)
        for label in range(n_columns):
            tile_out[label, place] = lines[place, label]


@kernel
def _work_on_rows(
    rows, start, stop, first_row, settings, blocks, model, work, slopes_out, sums_out
):
    """The loss of some rows, the slopes of their logits, and the sums of these.

    Parameters
    ----------
    rows : SparseRows
    start, stop, first_row : int
        Which rows; and the one whose slopes come first in the output.
    model : (n_features + 1, padded_classes)
    work : SparseWorkspace
    slopes_out : (n_rows, padded_classes)
    sums_out : (1 + padded_classes,) float64
        The loss, then the sums of the slopes.
    """
    tile, numbers, totals = work.tile, work.numbers, work.totals
    tile_rows = tile.shape[1]
    n_classes = settings["n_classes"]
    loss = 0.0
    for label in range(n_classes):
        totals[label] = 0.0
    for tile_start in range(start, stop, tile_rows):
        n_rows = min(tile_rows, stop - tile_start)
        take_logits(rows, tile_start, n_rows, n_classes, model, blocks, work.lines, tile)
        loss += slopes_of_rows(rows, tile_start, n_rows, settings, blocks[2], numbers, tile)
        for place in range(n_rows):
            for label in range(n_classes):
                slope = tile[label, place]
                slopes_out[tile_start - first_row + place, label] = slope
                totals[label] += np.float64(slope)
    sums_out[0] = loss
    for label in range(n_classes):
        sums_out[1 + label] = totals[label]


@kernel
def _work_on_features(columns, chunk, is_first, blocks, slopes, before, gradient_out):
    """The gradient of a chunk of the features.

    Parameters
    ----------
    columns : Columns
    chunk : int
    is_first : bool
        Whether nothing has been summed before.
    slopes : (n_rows, padded_classes)
        Of the panel's rows.
    before, gradient_out : (n_features, padded_classes)
        What has been summed of other panels, and the sum of that and of this one.
    """
    width, vectors, _ = blocks
    zero = block_of(splat(0.0, load(slopes, 0, 0, width)), _ONE, vectors)
    for feature in range(columns.cuts[chunk], columns.cuts[chunk + 1]):
        start, stop = columns.pointers[feature], columns.pointers[feature + 1]
        for column in range(0, gradient_out.shape[1], len(width) * len(vectors)):
            total = zero
            if not is_first:
                total = load_block(before, feature, column, width, _ONE, vectors)
            # In order: rows that weigh nothing, whose slopes are zero, change no bit.
            total = combine_listed(
                total, columns.data, columns.rows, start, stop, slopes, column, _ONE
            )
            store_block(gradient_out, feature, column, total)


def sparse_columns_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    """The types of a panel by columns."""
    count = array_type(np.dtype(np.int64), 1, readonly=True)
    return (
        array_type(specialisation.features_dtype, 1, readonly=True),
        array_type(np.dtype(np.int32), 1, readonly=True),
        count,
        count,
    )


def _accumulate_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    count = np.dtype(np.int64)
    matrix = array_type(specialisation.dtype, 2)
    return (
        *sparse_rows_types(specialisation),
        *sparse_columns_types(specialisation),
        array_type(SPARSE_PASS_SETTINGS, 1, readonly=True),
        sparse_blocks_type(specialisation),
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        matrix,
        matrix,
        matrix,
        matrix,
        array_type(count, 1),
        array_type(double, 1),
        matrix,
        array_type(double, 2),
        matrix,
        array_type(count, 1),
    )


@entry_point(_accumulate_types)
def accumulate_sparse(
    data,
    indices,
    pointers,
    targets,
    sample_weights,
    column_data,
    column_rows,
    column_pointers,
    column_cuts,
    all_settings,
    blocks,
    start,
    stop,
    thread,
    n_threads,
    call,
    model,
    before,
    tile,
    lines,
    numbers,
    totals,
    slopes_out,
    chunk_sums_out,
    gradient_out,
    shared,
):
    """The loss and the gradient of the rows from `start` to `stop`, a panel.

    Called by all threads of a team, each with its number; that of thread 0 does all that the others
    don't.

    Parameters
    ----------
    data, indices, pointers : (n_elements,), (n_elements,), (n_samples + 1,)
        All rows.
    targets : (n_samples,) int32
        From 0 to ``n_classes - 1``.
    sample_weights : (n_samples,) or (0,) float64
        With none, every row weighs 1.
    column_data, column_rows, column_pointers, column_cuts
        See `groups.Columns`.
    all_settings : (1,) SPARSE_PASS_SETTINGS
    blocks : tuple of tuples
        As long as there are classes in a vector, vectors side by side, and rows in a vector.
    start, stop : int
    thread, n_threads, call : int
        See `groups.Team`.
    model : (n_features + 1, padded_classes)
        The biases last.
    before : (n_features, padded_classes)
        What has been summed of other panels.
    tile, lines, numbers, totals
        The thread's; see `groups.SparseWorkspace`.
    slopes_out : (>= stop - start, padded_classes)
        Zero at first.
    chunk_sums_out : (n_chunks, 1 + padded_classes) float64
        The loss of each chunk of the rows, and the sums of its slopes.
    gradient_out : (n_features, padded_classes)
        The gradient by the weights is added to what was there before.
    shared : (n_shared,) int64
        See `threads.claims`.
    """
    settings = all_settings[0]
    rows = SparseRows(data, indices, pointers, targets, sample_weights, None)
    columns = Columns(column_data, column_rows, column_pointers, column_cuts)
    work = SparseWorkspace(tile, lines, numbers, totals)
    team = Team(thread, n_threads, call, shared)
    number = 0
    fastest = 0
    n_rounds = 0
    while True:
        if thread > 0:
            if not wait_for_round(team, number, fastest):
                break
        elif n_rounds == FORWARD:
            open_round(team, settings["chunk_rows"], start, stop, 0, FORWARD)
        elif n_rounds == BACKWARD and not settings["only_loss"]:
            open_round(team, 1, 0, len(column_cuts) - 1, 0, BACKWARD)
        else:
            break
        n_rounds += 1
        round = read_round(team)
        number = round.number
        pace = begin_pace(team, fastest)
        while True:
            chunk, pace = take_chunk(team, round, pace)
            if chunk < 0:
                break
            if round.detail == FORWARD:
                chunk_start = round.start + chunk * settings["chunk_rows"]
                chunk_stop = min(chunk_start + settings["chunk_rows"], round.stop)
                _work_on_rows(
                    rows, chunk_start, chunk_stop, start, settings, blocks, model, work,
                    slopes_out, chunk_sums_out[chunk],
                )  # fmt: skip
            else:
                _work_on_features(
                    columns, chunk, settings["is_first"], blocks, slopes_out, before, gradient_out
                )
            pace = hand_in(team, round, chunk, own_buffer(team), pace)
        fastest = pace.fastest
