"""Whole epochs of mini-batch gradient descent in one compiled call, on any number of threads.

As many chunks of a batch as there are slots make a *round*; threads claim its chunks, and thread 0
sums them and takes the step.

A run can be left after any round and taken up again by the next call: everything that it needs to
go on is in `RUN_STATE` and the arrays beside it. Where it was left changes no bit of the result.

The accuracy after an epoch is counted while the next epoch trains on the same tiles: with a full
batch from the very same logits, else by a second forward pass over features that are in the cache
already. Only the last epoch is scored by a pass of its own.
"""

import math

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point, kernel
from .groups import Fold, Rows, Scoring, Sums, Team, Workspace
from .matmul import transpose_weights
from .round import work_on_round
from .rows import order_of_epoch
from .shapes import (
    Specialisation,
    blocks_type,
    feature_columns_type,
    features_type,
    workspace_types,
)
from .threads.claims import buffer_of, open_round, read_round, wait_for_round
from .tile import (
    SCORED,
    TRAINED,
    WORKING,
    add_compensated,
    are_finite,
    copy_parameters,
    fold_chunks,
)

TRAINING, SCORING_REST, SCORING_ALL = 0, 1, 2
# Kinds of rounds.
TRAINING_ONLY, TRAINING_AND_SCORING, SCORING = 0, 1, 2
RUNNING, FINISHED, STOPPED_EARLY, DIVERGED = 0, 1, 2, 3

RUN_SETTINGS = np.dtype(
    [
        ("seed", np.uint64),  # of the shuffled order
        ("batch_size", np.int64),
        ("n_epochs", np.int64),
        ("patience", np.int64),  # epochs without a lower loss before the stop; 0: no stop
        ("n_classes", np.int64),  # columns of the model
        ("activation", np.int64),  # see `loss`
        ("block_bits", np.int64),  # of the shuffled order; see `rows`
        ("window_rows", np.int64),
        ("chunk_rows", np.int64),  # rows of a chunk, a multiple of those of a tile
        ("round_rows", np.int64),  # rows of a round, those of as many chunks as there are slots
        ("learning_rate", np.float64),
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
def _finish_batch(n_samples_in_batch, state):
    state["epoch_loss"], state["epoch_loss_remainder"] = add_compensated(
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
    copy_parameters(width, models[TRAINED], models[SCORED])


@kernel
def _finish_training(n_batches, settings, width, models, state, losses_out):
    """End an epoch whose last batch is done and whose predecessor is scored."""
    epoch = state["n_trained"]
    loss = state["epoch_loss"] / n_batches
    state["epoch_loss"] = 0.0
    state["epoch_loss_remainder"] = 0.0
    state["row"] = 0
    copy_parameters(width, models[WORKING], models[TRAINED])
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
        copy_parameters(width, models[TRAINED], models[SCORED])


@kernel
def _advance(n_samples, n_batches, settings, width, models, state, losses_out, accuracies_out):
    """What follows when all rows of a phase are done."""
    is_behind = state["n_scored"] < state["n_trained"]
    if state["phase"] == TRAINING:
        if not (math.isfinite(state["epoch_loss"]) and are_finite(width, models[WORKING])):
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
        types.int64,
        model,
        model,
        array_type(np.dtype(np.float64), 2),
        *workspace_types(specialisation),
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
    call,
    models,
    gradients,
    totals,
    tile,
    feature_tile,
    feature_weights,
    numbers,
    chunk_results,
    states,
    losses_out,
    accuracies_out,
    shared,
):
    """Train until the last epoch, an early stop, a divergence, or the budget is spent.

    Called by all threads of a team, each with its number; that of thread 0 does all that the others
    don't.

    Parameters
    ----------
    features : (n_samples, n_features)
        Of any strides; rows of neighbouring numbers where there are neither `feature_columns` nor
        `feature_tiles`.
    feature_columns : (n_features, n_samples) or None
        The features transposed, if their columns are read in place.
    targets : (n_samples,) int32
        From 0 to ``n_classes - 1``.
    all_settings : (1,) RUN_SETTINGS
        Batches are taken in the order of the rows, or in a new shuffled order in each epoch; what
        remains after the last whole batch is scored but not trained on.
    blocks : tuple of tuples
        See `matmul`.
    row_budget : int
        Return after about so many rows.
    thread, n_threads, call : int
        See `groups.Team`.
    models : (3, padded_classes, padded_features + lanes)
        The parameters that are worked on, those after the last epoch trained, and those after the
        last epoch scored. Changed in place.
    gradients : (n_buffers, padded_classes, padded_features + lanes)
        Zero at first; the chunks' gradients.
    totals : (padded_classes, padded_features + lanes) float64
        The gradient of the rounds of a batch so far.
    tile, feature_tile, feature_weights, numbers
        The thread's; see `groups.Workspace`. Zero at first, but for the second of the numbers.
    chunk_results : (n_buffers, 2) float64
        Loss and number of correctly classified rows of each chunk.
    states : (1,) RUN_STATE
        Zero at first; changed in place.
    losses_out, accuracies_out : (n,) float64
        Those of epoch ``e`` are at ``e % n``; the call ends before it would overwrite its own.
    shared : (n_shared,) int64
        See `threads.claims`.

    Returns
    -------
    int
        What is left of the budget; below zero if the last round went beyond it.
    """
    n_samples = features.shape[0]
    settings = all_settings[0]
    state = states[0]
    width = blocks.width
    batch_size = settings["batch_size"]
    n_batches = n_samples // batch_size
    n_batch_rows = n_batches * batch_size
    scale = -settings["learning_rate"] / batch_size
    last_trained = state["n_trained"] + len(losses_out) - 1
    work = Workspace(tile, feature_tile, feature_weights, numbers)
    team = Team(thread, n_threads, call, shared)
    sums = Sums(gradients, totals, chunk_results, shared)
    number = 0
    fastest = 0
    transposed_epoch = -1  # the model TRAINED that this thread has transposed
    while True:
        if thread > 0:
            if not wait_for_round(team, number, fastest):
                break
        elif row_budget > 0 and state["outcome"] == RUNNING and state["n_trained"] < last_trained:
            start = state["row"]
            stop = min(start + settings["round_rows"], n_samples)
            if state["phase"] == TRAINING:
                stop = min(stop, start - start % batch_size + batch_size)
            is_behind = settings["score"] and state["n_scored"] < state["n_trained"]
            kind = SCORING
            if state["phase"] == TRAINING:
                kind = TRAINING_AND_SCORING if is_behind else TRAINING_ONLY
            open_round(team, settings["chunk_rows"], start, stop, state["n_trained"], kind)
        else:
            break
        round = read_round(team)
        number = round.number
        order = order_of_epoch(
            settings["shuffle"],
            settings["seed"],
            round.epoch,
            n_samples,
            settings["block_bits"],
            settings["window_rows"],
        )
        is_training = round.detail != SCORING
        # In an epoch's first batch the two models are still the same.
        is_first_batch = round.start < batch_size
        scores_trained = round.detail == SCORING or (
            round.detail == TRAINING_AND_SCORING and not is_first_batch
        )
        first_model = TRAINED if scores_trained else WORKING
        last_model = WORKING if is_training else TRAINED
        for model in range(first_model, last_model - 1, -1):
            if model == WORKING or transposed_epoch != round.epoch:
                transpose_weights(models[model], width, model, work.feature_weights)
            if model == TRAINED:
                transposed_epoch = round.epoch
        fastest = work_on_round(
            Rows(features, feature_columns, targets, targets[:0], order),
            round,
            round.stop if round.stop < n_batch_rows else 0,
            Scoring(
                first_model, last_model, round.detail == TRAINING_AND_SCORING and is_first_batch
            ),
            settings,
            blocks,
            models,
            work,
            team,
            sums,
            fastest,
        )
        if thread > 0:
            continue
        for chunk in range(round.n_chunks):
            buffer = buffer_of(shared, chunk)
            state["n_correct"] += np.int64(chunk_results[buffer, 1])
            if is_training:
                state["batch_loss"], state["batch_loss_remainder"] = add_compensated(
                    state["batch_loss"], state["batch_loss_remainder"], chunk_results[buffer, 0]
                )
        state["row"] = round.stop
        row_budget -= round.stop - round.start
        if is_training:
            is_last = round.stop % batch_size == 0
            fold = Fold(round.start % batch_size == 0, is_last, scale)
            fold_chunks(sums, round.n_chunks, fold, blocks, models)
            if is_last:
                _finish_batch(batch_size, state)
        if round.stop == (n_batch_rows if is_training else n_samples):
            _advance(
                n_samples, n_batches, settings, width, models, state, losses_out, accuracies_out
            )
    return row_budget
