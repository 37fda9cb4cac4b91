"""Loss and gradient summed over rows, on any number of threads.

As many chunks as there are slots make a *round*; threads claim its chunks, and thread 0 sums them.
"""

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point
from .groups import Fold, Rows, Sums, Team, Workspace
from .matmul import transpose_weights
from .round import work_on_round
from .shapes import (
    Specialisation,
    blocks_type,
    feature_columns_type,
    features_type,
    workspace_types,
)
from .threads.claims import buffer_of, open_round, read_round, wait_for_round
from .tile import WORKING, add_compensated, fold_chunks

PASS_SETTINGS = np.dtype(
    [
        ("n_classes", np.int64),  # columns of the model
        ("activation", np.int64),  # see `loss`
        ("chunk_rows", np.int64),  # rows of a chunk, a multiple of those of a tile
        ("round_rows", np.int64),  # rows of a round, those of as many chunks as there are slots
        ("only_loss", np.bool_),  # whether no gradient is wanted
    ],
    align=True,
)

LOSS, LOSS_REMAINDER = 0, 1
N_RESULTS = 2


def _accumulate_types(specialisation: Specialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    model = array_type(specialisation.dtype, 3)
    return (
        features_type(specialisation),
        feature_columns_type(specialisation),
        array_type(np.dtype(np.int32), 1, readonly=True),
        array_type(double, 1, readonly=True),
        array_type(PASS_SETTINGS, 1, readonly=True),
        blocks_type(specialisation),
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        model,
        model,
        *workspace_types(specialisation),
        array_type(double, 2),
        array_type(double, 2),
        array_type(double, 1),
        array_type(np.dtype(np.int64), 1),
    )


@entry_point(_accumulate_types)
def accumulate(
    features,
    feature_columns,
    targets,
    sample_weights,
    all_settings,
    blocks,
    start,
    stop,
    thread,
    n_threads,
    call,
    models,
    gradients,
    tile,
    feature_tile,
    feature_weights,
    numbers,
    chunk_results,
    totals_out,
    results_out,
    shared,
):
    """Add the loss and the gradient of the rows from `start` to `stop`.

    Called by all threads of a team, each with its number; that of thread 0 does all that the others
    don't.

    Parameters
    ----------
    features : (n_samples, n_features)
    feature_columns : (n_features, n_samples) or None
        The features transposed, if their columns are read in place.
    targets : (n_samples,) int32
        From 0 to ``n_classes - 1``.
    sample_weights : (n_samples,) or (0,) float64
        With none, every row weighs 1.
    all_settings : (1,) PASS_SETTINGS
    blocks : tuple of tuples
        See `matmul`.
    start, stop : int
        `start` is a multiple of the rows of a round.
    thread, n_threads, call : int
        See `groups.Team`.
    models : (1, padded_classes, padded_features + lanes)
    gradients : (n_buffers, padded_classes, padded_features + lanes)
        Zero at first; the chunks' gradients.
    tile, feature_tile, feature_weights, numbers
        The thread's; see `groups.Workspace`. Zero at first, but for the second of the numbers.
    chunk_results : (n_buffers, 2)
        Overwritten.
    totals_out : (padded_classes, padded_features + lanes) float64
        The weighted sum of the rows' gradients is added, if it is wanted.
    results_out : (N_RESULTS,) float64
        The weighted sum of the losses, and what rounding has cut off from it, are added.
    shared : (n_shared,) int64
        See `threads.claims`.
    """
    settings = all_settings[0]
    rows = Rows(features, feature_columns, targets, sample_weights, None)
    work = Workspace(tile, feature_tile, feature_weights, numbers)
    team = Team(thread, n_threads, call, shared)
    sums = Sums(gradients, totals_out, chunk_results, shared)
    number = 0
    fastest = 0
    while True:
        if thread > 0:
            if not wait_for_round(team, number, fastest):
                break
        elif start < stop:
            round_stop = min(start + settings["round_rows"], stop)
            open_round(team, settings["chunk_rows"], start, round_stop, 0, 0)
        else:
            break
        round = read_round(team)
        transpose_weights(models[WORKING], blocks.width, WORKING, work.feature_weights)
        number = round.number
        fastest = work_on_round(
            rows, round, round.stop, None, settings, blocks, models, work, team, sums, fastest
        )
        if thread > 0:
            continue
        if not settings["only_loss"]:
            fold_chunks(sums, round.n_chunks, Fold(False, False, 0.0), blocks, models)
        for chunk in range(round.n_chunks):
            results_out[LOSS], results_out[LOSS_REMAINDER] = add_compensated(
                results_out[LOSS],
                results_out[LOSS_REMAINDER],
                chunk_results[buffer_of(shared, chunk), 0],
            )
        start = round.stop
