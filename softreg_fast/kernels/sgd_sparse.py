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

A batch has two phases with a barrier between: first threads share its rows, for the logits and the
slopes; then its features, each of which belongs to one thread. So the result has the same bits for
any number of threads.
"""

import math

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point, kernel, numba_type
from .groups import Batch, SparseRows, Team
from .loss import loss_and_slopes
from .rows import number_rows, order_of_epoch, take_targets
from .sgd_step import (
    ACCELERATED,
    AVERAGED,
    PROXIMAL_SETTINGS,
    PROXIMAL_STATE,
    RUNNING,
    rate_of_step,
    record_epoch,
)
from .shapes import SparseSpecialisation
from .simd.lanes import (
    add_outer,
    block_of,
    load,
    load_block,
    maximum,
    minimum,
    multiply_add,
    prefetch_closest_along,
    splat,
    store,
    store_block,
    sum_lanes,
)
from .threads.barrier import begin_with_team, wait_for_team
from .tile import add_compensated

_ONE = (0,)
_ELEMENTS_AHEAD = 16
# In as many parts, whose results are summed in order.
N_PARTS = 64

FEATURE_STATE = np.dtype(
    [
        ("last_batch", np.int32),  # the last one that has touched the feature
        ("n_steps", np.int32),  # since the method was begun
        ("factor", np.float64),  # of its rate
        ("strength", np.float64),  # of its penalty when it is touched
        ("mean", np.float64),  # what it is centred by; zero for not at all
    ],
    align=True,
)


@kernel
def _share_of_step(n_steps):
    """Of an average whose weights grow as the square of the steps; `n_steps` are done."""
    number = n_steps + 1.0
    return 6.0 * number / ((number + 1.0) * (2.0 * number + 1.0))


@kernel
def _logits_of_row(data, indices, start, stop, pull, biases, blocks, parameters, row, logits_out):
    """The logits of a row: a vector, or several, for as many classes."""
    width, vectors, _ = blocks
    n_padded = biases.shape[1]
    step = len(width) * len(vectors)
    like = load(biases, 0, 0, width)
    pulls = block_of(splat(pull, like), _ONE, vectors)
    for column in range(0, n_padded, step):
        logits = load_block(biases, 0, column, width, _ONE, vectors)
        for place in range(start, stop):
            ahead = np.int64(indices[min(place + _ELEMENTS_AHEAD, len(indices) - 1)])
            prefetch_closest_along(parameters, ahead, column, width, vectors)
            prefetch_closest_along(parameters, ahead, n_padded + column, width, vectors)
            feature = np.int64(indices[place])
            fast = load_block(parameters, feature, column, width, _ONE, vectors)
            average = load_block(parameters, feature, n_padded + column, width, _ONE, vectors)
            value = block_of(splat(data[place], like), _ONE, _ONE)
            logits = add_outer(logits, value, fast + pulls * (average - fast))
        store_block(logits_out, row, column, logits)


@kernel
def _work_on_rows(rows, start, stop, batch, pull, settings, blocks, model, biases, tile, numbers):
    """The loss of a tile of rows, and the slopes of their logits.

    Parameters
    ----------
    rows : SparseRows
    start, stop : int
        The tile.
    batch : Batch
        Gets the row numbers and slopes of the tile.
    pull : float
        Of the average, in the model at which the loss is taken.
    model : (n_features, 2 * padded_classes)
        The fast set and the average.
    biases : (3, padded_classes)
    tile : (2 * padded_classes + 2, tile_rows)
    numbers : (4, >= 2 * tile_rows) int64

    Returns
    -------
    float
    """
    _, _, row_width = blocks
    lanes = len(row_width)
    tile_rows = tile.shape[1]
    n_classes = settings["n_classes"]
    half = (tile.shape[0] - 2) // 2
    n_rows = stop - start
    n_padded = -(-n_rows // lanes) * lanes
    n_samples = len(rows.pointers) - 1
    number_rows(start, n_rows, n_padded, stop, n_samples, rows.order, tile_rows, numbers)
    take_targets(
        rows.targets,
        rows.weights,
        n_rows,
        n_padded,
        numbers[0],
        tile[2 * half],
        tile[2 * half + 1],
    )
    first = start - batch.start
    slopes_out = batch.slopes
    for place in range(n_rows):
        row = numbers[0, place]
        batch.row_numbers[first + place] = row
        _logits_of_row(
            rows.data,
            rows.indices,
            np.int64(rows.pointers[row]),
            np.int64(rows.pointers[row + 1]),
            pull,
            biases,
            blocks,
            model,
            first + place,
            slopes_out,
        )
        for label in range(n_classes):
            tile[label, place] = slopes_out[first + place, label]
    for place in range(n_rows, n_padded):
        for label in range(n_classes):
            tile[label, place] = 0.0
    loss, _ = loss_and_slopes(
        tile[2 * half : 2 * half + 1],
        tile[2 * half + 1 :],
        n_padded,
        n_classes,
        settings["activation"],
        None,
        None,
        row_width,
        tile[:half],
        tile[half : 2 * half],
    )
    for place in range(n_rows):
        for label in range(n_classes):
            slopes_out[first + place, label] = tile[label, place]
    return loss


@kernel
def _descend_rows(rows, batch, rate, scale, team, blocks, model, features, touched_out):
    """Take the gradient's steps of a thread's features; gives how many are touched."""
    width, vectors, _ = blocks
    slopes = batch.slopes
    n_padded = slopes.shape[1]
    step = len(width) * len(vectors)
    like = load(slopes, 0, 0, width)
    n_touched = 0
    for place in range(batch.n_rows):
        row = batch.row_numbers[place]
        for element in range(np.int64(rows.pointers[row]), np.int64(rows.pointers[row + 1])):
            feature = np.int64(rows.indices[element])
            if feature % team.n_threads != team.thread:
                continue
            state = features[feature]
            if state["last_batch"] != batch.number:
                state["last_batch"] = batch.number
                touched_out[n_touched] = feature
                n_touched += 1
            change = -rate * scale * state["factor"] * rows.data[element]
            changes = block_of(splat(change, like), _ONE, _ONE)
            for column in range(0, n_padded, step):
                fast = load_block(model, feature, column, width, _ONE, vectors)
                slope = load_block(slopes, place, column, width, _ONE, vectors)
                store_block(model, feature, column, add_outer(fast, changes, slope))
    return n_touched


@kernel
def _sum_slopes(slopes, n_rows, n_classes, totals_out):
    """The sum of the rows' slopes."""
    for label in range(n_classes):
        total = 0.0
        for place in range(n_rows):
            total += np.float64(slopes[place, label])
        totals_out[label] = total


@kernel
def _finish_features(
    touched,
    n_touched,
    rate,
    scale,
    share,
    settings,
    width,
    bias_slopes,
    thread,
    parameters,
    features,
):
    """What the means and the penalty add to the steps, and the average's part.

    Parameters
    ----------
    bias_slopes : (n_threads, padded_classes)
        The thread's: the sum of the rows' slopes, if features are centred.
    """
    n_padded = parameters.shape[1] // 2
    like = load(parameters, 0, 0, width)
    zero = splat(0.0, like)
    is_averaged = settings["method"] == AVERAGED
    for place in range(n_touched):
        feature = touched[place]
        state = features[feature]
        if is_averaged:
            share = _share_of_step(np.float64(state["n_steps"]))
        state["n_steps"] += 1
        here = rate * state["factor"] * state["strength"]
        threshold = splat(here * settings["l1_penalty"], like)
        shrink = splat(1.0 / (1.0 + here * settings["l2_penalty"]), like)
        shares = splat(share, like)
        if state["mean"] != 0.0:
            change = splat(here * scale * state["mean"], like)
            for column in range(0, n_padded, len(width)):
                moved = load(parameters, feature, column, width)
                slope = load(bias_slopes, thread, column, width)
                store(parameters, feature, column, multiply_add(change, slope, moved))
        for column in range(0, n_padded, len(width)):
            moved = load(parameters, feature, column, width)
            moved = maximum(moved - threshold, zero) + minimum(moved + threshold, zero)
            moved = moved * shrink
            average = load(parameters, feature, n_padded + column, width)
            store(parameters, feature, column, moved)
            store(
                parameters,
                feature,
                n_padded + column,
                multiply_add(shares, moved - average, average),
            )


@kernel
def _finish_biases(slopes, n_rows, rate, share, pull, settings, biases):
    """The step of the biases: the working ones, the fast ones and their average."""
    for label in range(settings["n_classes"]):
        total = 0.0
        for place in range(n_rows):
            total += np.float64(slopes[place, label])
        fast = biases[1, label] - (rate * total if settings["fit_intercept"] else 0.0)
        average = biases[2, label] + share * (fast - biases[2, label])
        biases[1, label] = fast
        biases[2, label] = average
        biases[0, label] = fast + pull * (average - fast)


@kernel
def _shift_biases(pull, n_classes, centred, features, parameters, shifts, biases):
    """Make the working biases those of features that aren't centred.

    Parameters
    ----------
    shifts : (padded_classes,) float64
        Overwritten.
    """
    n_padded = biases.shape[1]
    shifts[:] = 0.0
    for place in range(len(centred)):
        feature = centred[place]
        mean = features[feature]["mean"]
        for label in range(n_classes):
            fast = np.float64(parameters[feature, label])
            average = np.float64(parameters[feature, n_padded + label])
            shifts[label] += mean * (fast + pull * (average - fast))
    for label in range(n_classes):
        biases[0, label] -= shifts[label]


@kernel
def _measure_part(part, pull, settings, width, parameters, part_results_out):
    """The penalty of a part of the features, and whether all of them are finite."""
    n_features = parameters.shape[0]
    n_padded = parameters.shape[1] // 2
    like = load(parameters, 0, 0, width)
    zero = splat(0.0, like)
    pulls = splat(pull, like)
    squares = 0.0
    absolutes = 0.0
    for feature in range(n_features * part // N_PARTS, n_features * (part + 1) // N_PARTS):
        row_squares = zero
        row_absolutes = zero
        for column in range(0, n_padded, len(width)):
            fast = load(parameters, feature, column, width)
            average = load(parameters, feature, n_padded + column, width)
            working = multiply_add(pulls, average - fast, fast)
            row_squares = multiply_add(working, working, row_squares)
            row_absolutes = row_absolutes + maximum(working, zero - working)
        squares += np.float64(sum_lanes(row_squares))
        absolutes += np.float64(sum_lanes(row_absolutes))
    part_results_out[part] = (
        0.5 * settings["l2_penalty"] * squares + settings["l1_penalty"] * absolutes
    )


@kernel
def _copy_averages(n_padded, width, parameters, to_fast, best_out, bias_from, bias_to):
    """Copy the averages: over the fast set, or to where the best are kept."""
    for feature in range(parameters.shape[0]):
        for column in range(0, n_padded, len(width)):
            average = load(parameters, feature, n_padded + column, width)
            if to_fast:
                store(parameters, feature, column, average)
            else:
                store(best_out, feature, column, average)
    for label in range(n_padded):
        bias_to[label] = bias_from[label]


def _descend_sparse_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    count = np.dtype(np.int64)
    model = array_type(specialisation.dtype, 2)
    index = types.Array(numba_type(specialisation.index_dtype), 1, "C", readonly=True)
    return (
        types.Array(numba_type(specialisation.features_dtype), 1, "C", readonly=True),
        index,
        index,
        array_type(np.dtype(np.int32), 1, readonly=True),
        array_type(double, 1, readonly=True),
        array_type(PROXIMAL_SETTINGS, 1, readonly=True),
        types.Tuple([types.UniTuple(types.intp, len(each)) for each in specialisation.blocks]),
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
        array_type(count, 1),
        model,
        model,
        array_type(double, 1),
        array_type(count, 2),
        array_type(double, 1),
        array_type(double, 1),
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
    parameters,
    biases,
    best,
    features,
    centred,
    tiles,
    numbers,
    batch_rows,
    slopes,
    bias_slopes,
    shifts,
    touched,
    tile_losses,
    part_results,
    states,
    objectives_out,
    shared,
):
    """Descend to an epoch, to a stop, to a divergence, or until the budget is spent.

    Called at once by all threads of a team, each with its number. It can be left after any batch
    and taken up again by the next call.

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
    thread, n_threads : int
        The number of this thread, from 0.
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
    tiles : (n_threads, 2 * padded_classes + 2, tile_rows)
        Zero at first.
    numbers : (n_threads, 4, >= 2 * tile_rows) int64
        Zero at first.
    batch_rows : (batch_size,) int64
    slopes : (batch_size, padded_classes)
        Zero at first.
    bias_slopes : (n_threads, padded_classes)
        Zero at first.
    shifts : (padded_classes,) float64
    touched : (n_threads, n_features) int64
    tile_losses : (tiles of a batch,) float64
    part_results : (N_PARTS,) float64
    states : (1,) PROXIMAL_STATE
        Changed in place.
    objectives_out : (n,) float64
        See `sgd_dense.descend`.
    shared : (TEAM_SIZE,) int64
        Zero before each call; see `threads.barrier`.

    Returns
    -------
    int
        What is left of the budget; below zero if the last batch went beyond it.
    """
    n_samples = len(targets)
    settings = all_settings[0]
    state = states[0]
    width = blocks[0]
    batch_size = settings["batch_size"]
    tile_rows = settings["chunk_rows"]
    n_padded = biases.shape[1]
    is_accelerated = settings["method"] == ACCELERATED
    team = Team(thread, n_threads, shared)
    begin_with_team(shared)
    is_together = True
    while (
        is_together
        and row_budget > 0
        and state["outcome"] == RUNNING
        and state["n_epochs"] < last_epoch
    ):
        start = state["row"]
        stop = min(start + batch_size, n_samples)
        n_batches = -(-n_samples // batch_size)
        batch = np.int32((state["n_epochs"] * n_batches + start // batch_size) % 2**30) + 1
        order = order_of_epoch(
            settings["shuffle"],
            settings["seed"],
            state["n_epochs"],
            n_samples,
            settings["block_bits"],
            settings["window_rows"],
        )
        rate = rate_of_step(settings, state)
        share = 1.0 - settings["momentum"]
        pull = 1.0
        next_pull = 1.0
        if is_accelerated:
            share = 2.0 / (state["n_steps"] + 2.0)
            pull = 1.0 - share
            next_pull = 1.0 - 2.0 / (state["n_steps"] + 3.0)
            rate /= share
        elif settings["method"] == AVERAGED:
            share = _share_of_step(np.float64(state["n_steps"]))
            pull = settings["momentum"]
            next_pull = pull
        elif not settings["is_automatic"]:
            rate /= share
        scale = 1.0 / (stop - start)
        n_tiles = -(-(stop - start) // tile_rows)
        rows = SparseRows(data, indices, pointers, targets, sample_weights, order)
        of_batch = Batch(start, stop - start, batch, batch_rows, slopes)
        for tile in range(n_tiles * thread // n_threads, n_tiles * (thread + 1) // n_threads):
            tile_start = start + tile * tile_rows
            tile_losses[tile] = _work_on_rows(
                rows,
                tile_start,
                min(tile_start + tile_rows, stop),
                of_batch,
                pull,
                settings,
                blocks,
                parameters,
                biases,
                tiles[thread],
                numbers[thread],
            )
        is_together = wait_for_team(shared, n_threads)
        if is_together:
            n_touched = _descend_rows(
                rows, of_batch, rate, scale, team, blocks, parameters, features, touched[thread]
            )
            if len(centred) > 0:
                _sum_slopes(slopes, stop - start, settings["n_classes"], bias_slopes[thread])
            _finish_features(
                touched[thread],
                n_touched,
                rate,
                scale,
                share,
                settings,
                width,
                bias_slopes,
                thread,
                parameters,
                features,
            )
        if is_together and thread == 0:
            for tile in range(n_tiles):
                state["epoch_loss"], state["epoch_loss_remainder"] = add_compensated(
                    state["epoch_loss"], state["epoch_loss_remainder"], tile_losses[tile]
                )
            _finish_biases(slopes, stop - start, rate * scale, share, next_pull, settings, biases)
        is_together = is_together and wait_for_team(shared, n_threads)
        if stop == n_samples:
            if is_together:
                for part in range(
                    N_PARTS * thread // n_threads, N_PARTS * (thread + 1) // n_threads
                ):
                    _measure_part(part, next_pull, settings, width, parameters, part_results)
            is_together = is_together and wait_for_team(shared, n_threads)
        if is_together and thread == 0:
            state["n_steps"] += 1
            state["row"] = stop
            if stop == n_samples:
                penalty = 0.0
                for part in range(N_PARTS):
                    penalty += part_results[part]
                before = state["epoch_objective"]
                # With a full batch, of the set at which the loss was taken.
                state["epoch_penalty"] = penalty if stop - start < n_samples else state["penalty"]
                state["penalty"] = penalty
                objective = state["epoch_loss"] / settings["total_weight"] + state["epoch_penalty"]
                state["epoch_objective"] = objective
                if record_epoch(settings, state, math.isfinite(penalty), objectives_out):
                    _copy_averages(
                        n_padded, width, parameters, False, best, biases[2], best[len(best) - 1]
                    )
                if is_accelerated and objective > before and state["outcome"] == RUNNING:
                    _copy_averages(n_padded, width, parameters, True, best, biases[2], biases[1])
                    for label in range(n_padded):
                        biases[0, label] = biases[2, label]
                    state["n_steps"] = 0
                    state["penalty"] = 0.0
                    for part in range(N_PARTS):
                        _measure_part(part, 1.0, settings, width, parameters, part_results)
                        state["penalty"] += part_results[part]
            if len(centred) > 0:
                _shift_biases(
                    next_pull,
                    settings["n_classes"],
                    centred,
                    features,
                    parameters,
                    shifts,
                    biases,
                )
        is_together = is_together and wait_for_team(shared, n_threads)
        row_budget -= stop - start
    return row_budget
