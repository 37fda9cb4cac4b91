"""Whole epochs of mini-batch gradient descent in one compiled call, on any number of threads.

A batch is cut into *chunks* of rows, a chunk into *tiles*. Each chunk has a gradient of its own,
summed over its tiles in order; the chunks' gradients are summed in order too. The cuts depend on
the shapes alone, so the result has the same bits for any number of threads. As many chunks as there
are gradients make a *round*; threads share its chunks, wait for each other, and share the summing.

A run can be left after any round and taken up again by the next call: everything that it needs to
go on is in `RUN_STATE` and the arrays beside it. Where it was left changes no bit of the result.

The accuracy after an epoch is counted while the next epoch trains on the same tiles: with a full
batch from the very same logits, else by a second forward pass over features that are in the cache
already. Only the last epoch is scored by a pass of its own.
"""

import math

import numpy as np
from numba import types

from .jit import (
    Specialisation,
    array_type,
    blocks_type,
    entry_point,
    feature_columns_type,
    feature_tiles_type,
    feature_weights_type,
    features_type,
    kernel,
)
from .lanes import load, load_as, multiply_add, splat, store, sum_lanes
from .link import count_correct, loss_and_slopes
from .products import backward, forward, transpose_weights
from .rows import (
    fetch_targets,
    number_rows,
    order_of_epoch,
    take_targets,
    transpose_rows,
)
from .team import wait_for_team

TRAINING, SCORING_REST, SCORING_ALL = 0, 1, 2
RUNNING, FINISHED, STOPPED_EARLY, DIVERGED = 0, 1, 2, 3

# Which of `models` is which.
WORKING, TRAINED, SCORED = 0, 1, 2

RUN_SETTINGS = np.dtype(
    [
        ("seed", np.uint64),  # of the shuffled order
        ("batch_size", np.int64),
        ("n_epochs", np.int64),
        ("patience", np.int64),  # epochs without a lower loss before the stop; 0: no stop
        ("n_classes", np.int64),  # columns of the model
        ("block_bits", np.int64),  # of the shuffled order; see `rows`
        ("window_rows", np.int64),
        ("chunk_rows", np.int64),  # rows of a chunk, a multiple of those of a tile
        ("learning_rate", np.float64),
        ("use_sigmoid", np.bool_),
        ("notebook_gradient", np.bool_),
        ("score", np.bool_),  # whether to count correctly classified rows
        ("shuffle", np.bool_),
    ],
    align=True,
)

RUN_STATE = np.dtype(
    [
        ("n_trained", np.int64),  # epochs
        ("n_scored", np.int64),  # epochs
        ("phase", np.int64),  # TRAINING, SCORING_REST or SCORING_ALL
        ("row", np.int64),  # rows done in this phase
        ("n_correct", np.int64),  # of the rows scored
        ("best_epoch", np.int64),  # the first with the lowest loss
        ("ending", np.int64),  # how the training ended; FINISHED or the like, RUNNING before
        ("outcome", np.int64),  # the same once everything is scored
        ("best_loss", np.float64),
        ("epoch_loss", np.float64),  # sum of the mean losses of the batches
        ("batch_loss", np.float64),  # sum over the rows of the batch
        ("epoch_loss_remainder", np.float64),  # what rounding has cut off from the sums
        ("batch_loss_remainder", np.float64),
    ],
    align=True,
)


@kernel
def _add(total, remainder, term):
    """A sum plus a term, and what rounding has cut off: compensated summation.

    Kahan, Further remarks on reducing truncation errors, 1965. Near a plateau the losses of two
    epochs differ by less than the rounding errors of a plain sum, which early stopping would take
    for progress.
    """
    corrected = term + remainder
    new_total = total + corrected
    return new_total, corrected - (new_total - total)


@kernel
def _are_finite(width, parameters):
    zero = splat(0.0, load(parameters, 0, 0, width))
    total = zero
    for row in range(parameters.shape[0]):
        for column in range(0, parameters.shape[1], len(width)):
            total = multiply_add(load(parameters, row, column, width), zero, total)
    return sum_lanes(total) == 0.0


@kernel
def _copy(width, parameters, copy_out):
    for row in range(parameters.shape[0]):
        for column in range(0, parameters.shape[1], len(width)):
            store(copy_out, row, column, load(parameters, row, column, width))


@kernel
def take_tile(
    features,
    targets,
    start,
    n_rows,
    ahead,
    order,
    blocks,
    tile,
    feature_tiles,
    thread,
    numbers,
):
    """Find out a tile's rows and what is read of them beside wide features.

    Parameters
    ----------
    features : (n_samples, n_features)
    targets : (n_samples,) int32
    start, n_rows : int
        The tile's positions in the order of the rows.
    ahead : int
        Where the next tile will begin.
    order : tuple
        See `rows`.
    blocks : tuple of tuples
    tile : (2 * tile_classes + 2, tile_rows)
        The last two rows become targets and weights.
    feature_tiles : (n_threads, >= n_features, tile_rows) or None
        The thread's becomes the rows transposed.
    thread : int
    numbers : (4, >= 2 * tile_rows) int64
        The second row is 0, 1, 2 ..., the others are overwritten. Where the rows are in order, the
        first two numbers of the last say what tile is there already.

    Returns
    -------
    int
        The rows of the tile up to whole vectors.
    """
    lanes = len(blocks[0])
    tile_rows = tile.shape[1]
    n_padded = -(-n_rows // lanes) * lanes
    held = numbers[3]
    if not order[0]:
        # All rows may be one tile, that of the epoch before.
        if held[0] == start + 1 and held[1] == n_rows:
            return n_padded
        held[0], held[1] = start + 1, n_rows
    number_rows(start, n_rows, n_padded, ahead, features.shape[0], order, tile_rows, numbers)
    if order[0]:
        fetch_targets(targets, n_rows, tile_rows, numbers[0])
    n_values = tile.shape[0] - 2
    take_targets(targets, n_rows, n_padded, numbers[0], tile[n_values], tile[n_values + 1])
    transpose_rows(features, n_padded, numbers[0], blocks[0], feature_tiles, thread, tile_rows)
    return n_padded


@kernel
def _work_on_chunk(
    features,
    feature_columns,
    targets,
    start,
    stop,
    ahead,
    order,
    first_model,
    last_model,
    count_now,
    settings,
    blocks,
    models,
    tile,
    feature_tiles,
    feature_weights,
    thread,
    numbers,
    gradient_out,
):
    """Score the rows of a chunk with the model TRAINED, or train on them, or both.

    Parameters
    ----------
    ahead : int
        Where this thread's next chunk will begin.
    first_model, last_model : int
        TRAINED and WORKING, or one of them twice.
    count_now : bool
        Whether to count correctly classified rows while training.

    Returns
    -------
    loss, n_correct : float
    """
    n_rows = (tile.shape[0] - 2) // 2
    n_classes = settings["n_classes"]
    use_sigmoid = settings["use_sigmoid"]
    logits = tile[:n_rows]
    values = tile[n_rows : 2 * n_rows]
    tile_targets = tile[2 * n_rows : 2 * n_rows + 1]
    tile_weights = tile[2 * n_rows + 1 :]
    loss = 0.0
    n_correct = 0.0
    for tile_start in range(start, stop, tile.shape[1]):
        tile_stop = min(tile_start + tile.shape[1], stop)
        n_padded = take_tile(
            features,
            targets,
            tile_start,
            tile_stop - tile_start,
            tile_stop if tile_stop < stop else ahead,
            order,
            blocks,
            tile,
            feature_tiles,
            thread,
            numbers,
        )
        for model in range(first_model, last_model - 1, -1):
            forward(
                features,
                feature_columns,
                feature_tiles,
                feature_weights,
                thread,
                model,
                numbers,
                n_padded,
                models[model],
                blocks,
                logits,
            )
            if model == TRAINED:
                n_correct += count_correct(
                    tile_targets,
                    tile_weights,
                    n_padded,
                    n_classes,
                    use_sigmoid,
                    model == TRAINED,
                    blocks[0],
                    logits,
                    values,
                )
                continue
            tile_loss, n_correct_now = loss_and_slopes(
                tile_targets,
                tile_weights,
                n_padded,
                n_classes,
                use_sigmoid,
                settings["notebook_gradient"],
                count_now,
                blocks[0],
                logits,
                values,
            )
            loss += tile_loss
            n_correct += n_correct_now
            backward(
                features,
                feature_columns,
                feature_tiles,
                thread,
                numbers,
                n_padded,
                logits,
                tile_start == start,
                blocks,
                gradient_out,
            )
    return loss, n_correct


@kernel
def _fold(gradients, n_chunks, is_first, is_last, scale, thread, n_threads, blocks, models, totals):
    """A thread's share of summing the chunks' gradients and, at the end of a batch, of the step.

    Sums are in float64.
    """
    width = blocks[0]
    n_rows, n_columns = totals.shape
    n_vectors = n_rows * n_columns // len(width)
    per_row = n_columns // len(width)
    like = load(totals, 0, 0, width)
    for vector in range(n_vectors * thread // n_threads, n_vectors * (thread + 1) // n_threads):
        row = vector // per_row
        column = (vector - row * per_row) * len(width)
        total = load_as(gradients[0], row, column, like)
        for chunk in range(1, n_chunks):
            total = total + load_as(gradients[chunk], row, column, like)
        if not is_first:
            total = total + load(totals, row, column, width)
        if is_last:
            before = load_as(models[WORKING], row, column, like)
            step = multiply_add(splat(scale, like), total, before)
            store(models[WORKING], row, column, step)
        else:
            store(totals, row, column, total)


@kernel
def _finish_batch(n_samples_in_batch, state):
    state["epoch_loss"], state["epoch_loss_remainder"] = _add(
        state["epoch_loss"],
        state["epoch_loss_remainder"],
        state["batch_loss"] / n_samples_in_batch,
    )
    state["batch_loss"] = 0.0
    state["batch_loss_remainder"] = 0.0


@kernel
def _record_score(n_samples, width, models, state, accuracies_out):
    accuracies_out[state["n_scored"] % len(accuracies_out)] = state["n_correct"] / n_samples
    state["n_scored"] += 1
    state["n_correct"] = 0
    _copy(width, models[TRAINED], models[SCORED])


@kernel
def _finish_training(n_batches, settings, width, models, state, losses_out):
    """End an epoch whose last batch is done and whose predecessor is scored."""
    epoch = state["n_trained"]
    loss = state["epoch_loss"] / n_batches
    state["epoch_loss"] = 0.0
    state["epoch_loss_remainder"] = 0.0
    state["row"] = 0
    _copy(width, models[WORKING], models[TRAINED])
    losses_out[epoch % len(losses_out)] = loss
    if epoch == 0 or loss < state["best_loss"]:
        state["best_loss"] = loss
        state["best_epoch"] = epoch
    state["n_trained"] = epoch + 1
    if epoch + 1 == settings["n_epochs"]:
        state["ending"] = FINISHED
    if 0 < settings["patience"] < epoch + 1 - state["best_epoch"]:
        state["ending"] = STOPPED_EARLY
    if settings["score"]:
        state["phase"] = TRAINING if state["ending"] == RUNNING else SCORING_ALL
    else:
        state["n_scored"] = epoch + 1
        state["phase"] = TRAINING
        state["outcome"] = state["ending"]
        _copy(width, models[TRAINED], models[SCORED])


@kernel
def _advance(n_samples, n_batches, settings, width, models, state, losses_out, accuracies_out):
    """What follows when all rows of a phase are done."""
    is_behind = state["n_scored"] < state["n_trained"]
    if state["phase"] == TRAINING:
        if not (math.isfinite(state["epoch_loss"]) and _are_finite(width, models[WORKING])):
            state["ending"] = DIVERGED
            state["n_correct"] = 0
            state["row"] = 0
            state["phase"] = SCORING_ALL
            if not is_behind:
                state["outcome"] = DIVERGED
            return
        if is_behind and state["row"] < n_samples:
            state["phase"] = SCORING_REST
            return
        if is_behind:
            _record_score(n_samples, width, models, state, accuracies_out)
        _finish_training(n_batches, settings, width, models, state, losses_out)
    elif state["phase"] == SCORING_REST:
        _record_score(n_samples, width, models, state, accuracies_out)
        _finish_training(n_batches, settings, width, models, state, losses_out)
    else:
        _record_score(n_samples, width, models, state, accuracies_out)
        state["outcome"] = state["ending"]


def _run_epochs_types(specialisation: Specialisation) -> tuple[types.Type, ...]:
    model = array_type(specialisation.dtype, 3)
    curve = array_type(np.dtype(np.float64), 1)
    count = np.dtype(np.int64)
    return (
        features_type(specialisation),
        feature_columns_type(specialisation),
        array_type(np.dtype(np.int32), 1, readonly=True),
        array_type(RUN_SETTINGS, 1, readonly=True),
        blocks_type(specialisation),
        types.int64,
        types.int64,
        types.int64,
        model,
        model,
        array_type(np.dtype(np.float64), 2),
        array_type(specialisation.dtype, 3),
        feature_tiles_type(specialisation),
        feature_weights_type(specialisation),
        array_type(count, 3),
        array_type(np.dtype(np.float64), 2),
        array_type(RUN_STATE, 1),
        curve,
        curve,
        array_type(count, 1),
    )


@entry_point(_run_epochs_types)
def run_epochs(
    features,
    feature_columns,
    targets,
    all_settings,
    blocks,
    row_budget,
    thread,
    n_threads,
    models,
    gradients,
    totals,
    tiles,
    feature_tiles,
    feature_weights,
    numbers,
    chunk_results,
    states,
    losses_out,
    accuracies_out,
    team,
):
    """Train until the last epoch, an early stop, a divergence, or the budget is spent.

    Called at once by all threads of a team, each with its number.

    Parameters
    ----------
    features : (n_samples, n_features)
        Of any strides; rows of neighbouring numbers where there are no `feature_tiles`.
    targets : (n_samples,) int32
        From 0 to ``n_classes - 1``.
    all_settings : (1,) RUN_SETTINGS
        Batches are taken in the order of the rows, or in a new shuffled order in each epoch; what
        remains after the last whole batch is scored but not trained on.
    blocks : tuple of tuples
        See `products`.
    row_budget : int
        Return after about so many rows.
    thread, n_threads : int
        The number of this thread, from 0.
    models : (3, padded_classes, padded_features + lanes)
        The parameters that are worked on, those after the last epoch trained, and those after the
        last epoch scored. Changed in place.
    gradients : (n_chunks, padded_classes, padded_features + lanes)
        Zero at first; the chunks' gradients.
    totals : (padded_classes, padded_features + lanes) float64
        The gradient of the rounds of a batch so far.
    tiles : (n_threads, 2 * tile_classes + 2, tile_rows)
        Zero at first.
    feature_tiles : (n_threads, n_features, tile_rows) or None
        None reads features where they lie.
    feature_weights : (n_threads, 2, n_features + 1, class_lanes) or None
        Zero at first.
    numbers : (n_threads, 4, >= 2 * tile_rows) int64
        The second row of each is 0, 1, 2 ...; the others are zero at first.
    chunk_results : (n_chunks, 2) float64
        Loss and number of correctly classified rows of each chunk.
    states : (1,) RUN_STATE
        Zero at first; changed in place.
    losses_out, accuracies_out : (n,) float64
        Those of epoch ``e`` are at ``e % n``; the call ends before it would overwrite its own.
    team : (TEAM_SIZE,) int64
        Zero at first. Who stores a 1 at `team.ABANDONED` makes all threads return.

    Returns
    -------
    int
        What is left of the budget; below zero if the last round went beyond it.
    """
    n_samples = features.shape[0]
    settings = all_settings[0]
    state = states[0]
    width = blocks[0]
    batch_size = settings["batch_size"]
    chunk_rows = settings["chunk_rows"]
    score = settings["score"]
    n_batches = n_samples // batch_size
    n_batch_rows = n_batches * batch_size
    n_chunks = gradients.shape[0]
    scale = -settings["learning_rate"] / batch_size
    last_trained = state["n_trained"] + len(losses_out) - 1
    tile = tiles[thread]
    thread_numbers = numbers[thread]
    is_together = True
    transposed_epoch = -1  # the model TRAINED that this thread has transposed
    while (
        is_together
        and row_budget > 0
        and state["outcome"] == RUNNING
        and state["n_trained"] < last_trained
    ):
        phase = state["phase"]
        start = state["row"]
        order = order_of_epoch(
            settings["shuffle"],
            settings["seed"],
            state["n_trained"],
            n_samples,
            settings["block_bits"],
            settings["window_rows"],
        )
        is_training = phase == TRAINING
        phase_stop = n_samples
        is_behind = score and state["n_scored"] < state["n_trained"]
        batch = start // batch_size
        if is_training:
            phase_stop = (batch + 1) * batch_size
        stop = min(start + n_chunks * chunk_rows, phase_stop)
        n_filled = -(-(stop - start) // chunk_rows)
        # In an epoch's first batch the two models are still the same.
        counts_now = is_training and is_behind and batch == 0
        first_model = TRAINED if not is_training or (is_behind and batch > 0) else WORKING
        last_model = WORKING if is_training else TRAINED
        for model in range(first_model, last_model - 1, -1):
            if model == WORKING or transposed_epoch != state["n_trained"]:
                transpose_weights(models[model], width, feature_weights, thread, model)
            if model == TRAINED:
                transposed_epoch = state["n_trained"]
        first_chunk = n_filled * thread // n_threads
        last_chunk = n_filled * (thread + 1) // n_threads - 1
        next_round = (stop if stop < n_batch_rows else 0) + first_chunk * chunk_rows
        for chunk in range(first_chunk, last_chunk + 1):
            chunk_start = start + chunk * chunk_rows
            chunk_stop = min(chunk_start + chunk_rows, stop)
            loss, n_correct = _work_on_chunk(
                features,
                feature_columns,
                targets,
                chunk_start,
                chunk_stop,
                chunk_stop if chunk < last_chunk else next_round,
                order,
                first_model,
                last_model,
                counts_now,
                settings,
                blocks,
                models,
                tile,
                feature_tiles,
                feature_weights,
                thread,
                thread_numbers,
                gradients[chunk],
            )
            chunk_results[chunk, 0] = loss
            chunk_results[chunk, 1] = n_correct
        is_together = wait_for_team(team, n_threads)
        if is_training and is_together:
            _fold(
                gradients,
                n_filled,
                start == batch * batch_size,
                stop == phase_stop,
                scale,
                thread,
                n_threads,
                blocks,
                models,
                totals,
            )
        if thread == 0 and is_together:
            for chunk in range(n_filled):
                state["n_correct"] += np.int64(chunk_results[chunk, 1])
                if is_training:
                    state["batch_loss"], state["batch_loss_remainder"] = _add(
                        state["batch_loss"],
                        state["batch_loss_remainder"],
                        chunk_results[chunk, 0],
                    )
            state["row"] = stop
            if is_training and stop == phase_stop:
                _finish_batch(batch_size, state)
        is_together = is_together and wait_for_team(team, n_threads)
        if stop == (n_batch_rows if is_training else n_samples):
            if thread == 0 and is_together:
                _advance(
                    n_samples, n_batches, settings, width, models, state, losses_out, accuracies_out
                )
            is_together = is_together and wait_for_team(team, n_threads)
        row_budget -= stop - start
    return row_budget
