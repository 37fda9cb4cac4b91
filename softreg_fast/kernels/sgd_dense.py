"""Whole epochs of proximal mini-batch gradient descent, averaged or accelerated, on any threads.

Three sets of parameters move: the *fast* one takes the steps, the *average* follows it, and the
losses are taken at the *working* one between the two. For a batch with the gradient ``g`` of its
mean loss at the working set, and each feature's mean ``m`` and factor ``f``, ::

    fast    = prox(fast - rate * f * (g - m * g_bias))
    average = average + share * (fast - average)
    working = fast + pull * (average - fast)

which are steps in features that are centred and scaled, taken in the features as they are. `prox`
is that of the penalty, ``prox(w) = sign(w) * max(|w| - t * l1, 0) / (1 + t * l2)`` with
``t = rate * f``: elastic net, in the users' own units. Biases are held for centred features but in
the working set. What the coefficients are is the method:

- PLAIN: heavy-ball momentum in the form of an average (Defazio, Momentum via primal averaging,
  2020): ``pull = 1``, ``share = 1 - momentum``, and a rate that much larger.
- AVERAGED: an average with weights that grow as the square of the steps, losses at a mix of both
  (Defazio et al., The road less scheduled, 2024): ``pull = momentum``.
- ACCELERATED: Nesterov's method in the form of Auslender and Teboulle, 2006, begun anew where the
  average has gone against the gradient (O'Donoghue and Candes, 2015).

With an automatic rate, `learning_rate` is the inverse of a bound of the curvature where all classes
are equally probable. A row's curvature is at most two times its loss, as against half, so the rate
grows as the loss falls. Where an epoch's objective is far above the lowest one, by a quarter if
accelerated, else by as much again, the bound was too low; the caller is told.
"""

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point
from .groups import Fold, Proximal, Rows, Sums, Team, Workspace
from .matmul import transpose_weights
from .round import work_on_round
from .rows import order_of_epoch
from .sgd_step import (
    AVERAGE,
    BEST,
    PROXIMAL_SETTINGS,
    PROXIMAL_STATE,
    RUNNING,
    coefficients_of_step,
    finish_step,
    record_epoch,
    take_step,
)
from .shapes import (
    Specialisation,
    blocks_type,
    feature_columns_type,
    features_type,
    workspace_types,
)
from .simd.lanes import load
from .threads.claims import buffer_of, open_round, read_round, wait_for_round
from .tile import WORKING, add_compensated, are_finite, copy_parameters, fold_chunks


def _descend_types(specialisation: Specialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    count = np.dtype(np.int64)
    model = array_type(specialisation.dtype, 3)
    return (
        features_type(specialisation),
        feature_columns_type(specialisation),
        array_type(np.dtype(np.int32), 1, readonly=True),
        array_type(double, 1, readonly=True),
        array_type(PROXIMAL_SETTINGS, 1, readonly=True),
        array_type(double, 2, readonly=True),
        blocks_type(specialisation),
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        model,
        model,
        array_type(double, 2),
        *workspace_types(specialisation),
        array_type(double, 2),
        array_type(double, 2),
        array_type(double, 2),
        array_type(PROXIMAL_STATE, 1),
        array_type(double, 1),
        array_type(count, 1),
    )


@entry_point(_descend_types)
def descend(
    features,
    feature_columns,
    targets,
    sample_weights,
    all_settings,
    scaling,
    blocks,
    last_epoch,
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
    row_results,
    step_factors,
    states,
    objectives_out,
    shared,
):
    """Descend to an epoch, to a stop, to a divergence, or until the budget is spent.

    Called by all threads of a team, each with its number; that of thread 0 does all that the others
    don't. It can be left after any round and taken up again by the next call.

    Parameters
    ----------
    features : (n_samples, n_features)
    feature_columns : (n_features, n_samples) or None
        The features transposed, if their columns are read in place.
    targets : (n_samples,) int32
        From 0 to ``n_classes - 1``.
    sample_weights : (n_samples,) or (0,) float64
        Of mean 1 about; with none, every row weighs 1.
    all_settings : (1,) PROXIMAL_SETTINGS
        The last batch of an epoch may have fewer rows.
    scaling : (N_SCALINGS, padded_features) float64
        The features' means, the factors of their rates and the inverse of these; zero for what
        fills up the last vector.
    blocks : tuple of tuples
        See `matmul`.
    last_epoch : int
        Return when so many epochs are done.
    row_budget : int
        Return after about so many rows.
    thread, n_threads, call : int
        See `groups.Team`.
    models : (N_MODELS, padded_classes, padded_features + lanes)
        The working set, the fast one, the average, and the average after the epoch with the lowest
        objective. Changed in place.
    gradients : (n_buffers, padded_classes, padded_features + lanes)
        Zero at first; the chunks' gradients.
    totals : (padded_classes, padded_features + lanes) float64
        The gradient of the rounds of a batch so far.
    tile, feature_tile, feature_weights, numbers
        The thread's; see `groups.Workspace`. Zero at first, but for the second of the numbers.
    chunk_results : (n_buffers, 2) float64
        Overwritten.
    row_results : (padded_classes, N_ROW_RESULTS) float64
        Overwritten.
    step_factors : (2, padded_features) float64
        Overwritten.
    states : (1,) PROXIMAL_STATE
        Changed in place.
    objectives_out : (n,) float64
        That of epoch ``e``, per unit of weight, is at ``e % n``: the loss as the rows were met,
        and the penalty of about the last working set.
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
    like = load(totals, 0, 0, width)
    batch_size = settings["batch_size"]
    work = Workspace(tile, feature_tile, feature_weights, numbers)
    team = Team(thread, n_threads, call, shared)
    sums = Sums(gradients, totals, chunk_results, shared)
    number = 0
    fastest = 0
    while True:
        if thread > 0:
            if not wait_for_round(team, number, fastest):
                break
        elif row_budget > 0 and state["outcome"] == RUNNING and state["n_epochs"] < last_epoch:
            start = state["row"]
            batch_stop = min(start - start % batch_size + batch_size, n_samples)
            stop = min(start + settings["round_rows"], batch_stop)
            open_round(team, settings["chunk_rows"], start, stop, state["n_epochs"], 0)
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
        transpose_weights(models[WORKING], width, WORKING, work.feature_weights)
        fastest = work_on_round(
            Rows(features, feature_columns, targets, sample_weights, order),
            round,
            round.stop if round.stop < n_samples else 0,
            None,
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
            state["epoch_loss"], state["epoch_loss_remainder"] = add_compensated(
                state["epoch_loss"],
                state["epoch_loss_remainder"],
                chunk_results[buffer_of(shared, chunk), 0],
            )
        state["row"] = round.stop
        row_budget -= round.stop - round.start
        batch_start = round.start - round.start % batch_size
        batch_stop = min(batch_start + batch_size, n_samples)
        fold = Fold(
            round.start == batch_start,
            round.stop == batch_stop,
            1.0 / (round.stop - batch_start),
        )
        if not fold.is_last:
            fold_chunks(sums, round.n_chunks, fold, blocks, models)
            continue
        coefficients = coefficients_of_step(settings, state)
        proximal = Proximal(coefficients, scaling, step_factors, row_results)
        take_step(sums, round.n_chunks, fold, settings, proximal, blocks, models)
        finish_step(settings, scaling, width, like, state, models, row_results)
        if round.stop == n_samples and record_epoch(
            settings, state, are_finite(width, models[WORKING]), objectives_out
        ):
            copy_parameters(width, models[AVERAGE], models[BEST])
    return row_budget
