"""Proximal mini-batch gradient descent over the rows of a sparse matrix (CSR).

It is that of `sgd_dense` with the lanes of SIMD vectors for classes, in which a batch costs as much
as its rows have elements: a step moves the *touched* features alone, those with an element in the
batch. The penalty of a feature that is touched in a share ``s`` of the batches is taken ``1 / s``
times as strong then (Pedregosa, Leblond and Lacoste-Julien, Breaking the nonsmooth barrier, 2017),
which on average is what it is. The average of a feature goes by its own number of steps, between
which it stays as it is. Features are scaled.

Features that have few zeros may be *centred*, implicitly: ``x - mean`` has no zeros, but its
gradient is that of ``x`` less the mean times the bias' gradient, which is taken when the feature is
touched, as the penalty is. Biases are held for centred features but in the working set, as in
`sgd_dense`; it takes a sum over the centred features, of which every batch has about all.

A batch is a *round* of tiles, which threads claim for the logits and the slopes of their rows; then
thread 0 takes the step. So the result has the same bits for any number of threads.
"""

import math

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point
from .groups import Slopes, SparseRows, Team
from .rows import order_of_epoch
from .sgd_step import (
    ACCELERATED,
    AVERAGED,
    PROXIMAL_SETTINGS,
    PROXIMAL_STATE,
    RUNNING,
    rate_of_step,
    record_epoch,
)
from .shapes import SparseSpecialisation, sparse_blocks_type, sparse_rows_types
from .sparse_step import (
    FEATURE_STATE,
    copy_averages,
    descend_rows,
    finish_biases,
    finish_features,
    measure_penalty,
    share_of_step,
    shift_biases,
    sum_slopes,
    work_on_tiles,
)
from .threads.claims import buffer_of, open_round, read_round, wait_for_round
from .tile import add_compensated


def _descend_sparse_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    count = np.dtype(np.int64)
    model = array_type(specialisation.dtype, 2)
    return (
        *sparse_rows_types(specialisation),
        array_type(PROXIMAL_SETTINGS, 1, readonly=True),
        sparse_blocks_type(specialisation),
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        model,
        model,
        model,
        array_type(FEATURE_STATE, 1),
        array_type(count, 1, readonly=True),
        array_type(specialisation.dtype, 3),
        array_type(count, 3),
        array_type(count, 2),
        array_type(specialisation.dtype, 3),
        array_type(double, 1),
        array_type(double, 1),
        model,
        array_type(double, 1),
        array_type(count, 1),
        array_type(PROXIMAL_STATE, 1),
        array_type(double, 1),
        array_type(count, 1),
    )


@entry_point(_descend_sparse_types)
def descend_sparse(
    data,
    indices,
    pointers,
    targets,
    sample_weights,
    all_settings,
    blocks,
    last_epoch,
    row_budget,
    thread,
    n_threads,
    call,
    parameters,
    biases,
    best,
    features,
    centred,
    tiles,
    numbers,
    row_numbers,
    slopes,
    tile_losses,
    slope_totals,
    bias_slopes,
    shifts,
    touched,
    states,
    objectives_out,
    shared,
):
    """Descend to an epoch, to a stop, to a divergence, or until the budget is spent.

    Called by all threads of a team, each with its number; that of thread 0 does all that the others
    don't. It can be left after any batch and taken up again by the next call.

    Parameters
    ----------
    data, indices, pointers : (n_elements,), (n_elements,), (n_samples + 1,)
        Of the rows.
    targets : (n_samples,) int32
        From 0 to ``n_classes - 1``.
    sample_weights : (n_samples,) or (0,) float64
        With none, every row weighs 1.
    all_settings : (1,) PROXIMAL_SETTINGS
        `chunk_rows` are the rows of a tile.
    blocks : tuple of tuples
        As long as there are classes in a vector, vectors side by side, and rows in a vector.
    last_epoch : int
        Return when so many epochs are done.
    row_budget : int
        Return after about so many rows.
    thread, n_threads, call : int
        See `groups.Team`.
    parameters : (n_features, 2 * padded_classes)
        The fast set and the average. Changed in place.
    biases : (3, padded_classes)
        Of the working set, the fast one and the average; the last two for centred features.
        Changed in place.
    best : (n_features + 1, padded_classes)
        The average after the epoch with the lowest objective, its biases last. Changed in place.
    features : (n_features,) FEATURE_STATE
        Changed in place.
    centred : (n_centred,) int64
        The features that have a mean.
    tiles : (n_threads, 2 * padded_classes + N_ROW_VALUES, tile_rows)
        Zero at first.
    numbers : (n_threads, 4, >= 2 * tile_rows) int64
        Zero at first.
    row_numbers : (n_buffers, tile_rows) int64
    slopes : (n_buffers, tile_rows, padded_classes)
        Zero at first.
    tile_losses : (n_buffers,) float64
    slope_totals : (padded_classes,) float64
    bias_slopes : (1, padded_classes)
        Zero at first.
    shifts : (padded_classes,) float64
    touched : (n_features,) int64
    states : (1,) PROXIMAL_STATE
        Changed in place.
    objectives_out : (n,) float64
        See `sgd_dense.descend`.
    shared : (n_shared,) int64
        See `threads.claims`.

    Returns
    -------
    int
        What is left of the budget; below zero if the last batch went beyond it.
    """
    n_samples = len(targets)
    settings = all_settings[0]
    state = states[0]
    width = blocks[0]
    n_classes = settings["n_classes"]
    batch_size = settings["batch_size"]
    n_batches = -(-n_samples // batch_size)
    n_padded = biases.shape[1]
    is_accelerated = settings["method"] == ACCELERATED
    team = Team(thread, n_threads, call, shared)
    found = Slopes(slopes, row_numbers, tile_losses, shared)
    number = 0
    fastest = 0
    while True:
        if thread > 0:
            if not wait_for_round(team, number, fastest):
                break
        elif row_budget > 0 and state["outcome"] == RUNNING and state["n_epochs"] < last_epoch:
            start = state["row"]
            stop = min(start + batch_size, n_samples)
            open_round(
                team, settings["chunk_rows"], start, stop, state["n_epochs"], state["n_steps"]
            )
        else:
            break
        round = read_round(team)
        number = round.number
        n_steps = round.detail
        order = order_of_epoch(
            settings["shuffle"],
            settings["seed"],
            round.epoch,
            n_samples,
            settings["block_bits"],
            settings["window_rows"],
        )
        pull = 1.0
        if is_accelerated:
            pull = 1.0 - 2.0 / (n_steps + 2.0)
        elif settings["method"] == AVERAGED:
            pull = settings["momentum"]
        rows = SparseRows(data, indices, pointers, targets, sample_weights, order)
        fastest = work_on_tiles(
            rows,
            round,
            pull,
            settings,
            blocks,
            parameters,
            biases,
            tiles[thread],
            numbers[thread],
            team,
            found,
            fastest,
        )
        if thread > 0:
            continue
        rate = rate_of_step(settings, state)
        share = 1.0 - settings["momentum"]
        next_pull = pull
        if is_accelerated:
            share = 2.0 / (n_steps + 2.0)
            next_pull = 1.0 - 2.0 / (n_steps + 3.0)
            rate /= share
        elif settings["method"] == AVERAGED:
            share = share_of_step(np.float64(n_steps))
        elif not settings["is_automatic"]:
            rate /= share
        n_rows = round.stop - round.start
        scale = 1.0 / n_rows
        batch = np.int32((round.epoch * n_batches + round.start // batch_size) % 2**30) + 1
        n_touched = descend_rows(
            rows, n_rows, batch, found, rate, scale, blocks, parameters, features, touched
        )
        sum_slopes(found, n_rows, n_classes, slope_totals, bias_slopes)
        finish_features(
            touched,
            n_touched,
            rate,
            scale,
            share,
            settings,
            width,
            bias_slopes,
            parameters,
            features,
        )
        for tile in range(round.n_chunks):
            state["epoch_loss"], state["epoch_loss_remainder"] = add_compensated(
                state["epoch_loss"],
                state["epoch_loss_remainder"],
                tile_losses[buffer_of(shared, tile)],
            )
        finish_biases(slope_totals, rate * scale, share, next_pull, settings, biases)
        state["n_steps"] += 1
        state["row"] = round.stop
        row_budget -= n_rows
        if round.stop == n_samples:
            penalty = measure_penalty(next_pull, settings, width, parameters)
            before = state["epoch_objective"]
            # With a full batch, of the set at which the loss was taken.
            state["epoch_penalty"] = penalty if n_rows < n_samples else state["penalty"]
            state["penalty"] = penalty
            objective = state["epoch_loss"] / settings["total_weight"] + state["epoch_penalty"]
            state["epoch_objective"] = objective
            if record_epoch(settings, state, math.isfinite(penalty), objectives_out):
                copy_averages(
                    n_padded, width, parameters, False, best, biases[2], best[len(best) - 1]
                )
            if is_accelerated and objective > before and state["outcome"] == RUNNING:
                copy_averages(n_padded, width, parameters, True, best, biases[2], biases[1])
                for label in range(n_padded):
                    biases[0, label] = biases[2, label]
                state["n_steps"] = 0
                state["penalty"] = measure_penalty(1.0, settings, width, parameters)
        if len(centred) > 0:
            shift_biases(next_pull, n_classes, centred, features, parameters, shifts, biases)
    return row_budget
