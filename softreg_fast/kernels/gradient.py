"""Loss and gradient summed over rows, on any number of threads.

As many chunks as there are gradients make a *round*; threads share its chunks, wait for each other,
and share the summing.
"""

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point
from .matmul import transpose_weights
from .shapes import (
    Specialisation,
    blocks_type,
    feature_columns_type,
    feature_tiles_type,
    feature_weights_type,
    features_type,
)
from .threads.barrier import begin_with_team, wait_for_team
from .tile import WORKING, add_compensated, fold_chunks, work_on_round

PASS_SETTINGS = np.dtype(
    [
        ("n_classes", np.int64),  # columns of the model
        ("activation", np.int64),  # see `loss`
        ("chunk_rows", np.int64),  # rows of a chunk, a multiple of those of a tile
        ("notebook_gradient", np.bool_),
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
        model,
        model,
        array_type(specialisation.dtype, 3),
        feature_tiles_type(specialisation),
        feature_weights_type(specialisation),
        array_type(np.dtype(np.int64), 3),
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
    models,
    gradients,
    tiles,
    feature_tiles,
    feature_weights,
    numbers,
    chunk_results,
    totals_out,
    results_out,
    team,
):
    """Add the loss and the gradient of the rows from `start` to `stop`.

    Called at once by all threads of a team, each with its number.

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
        See `products`.
    start, stop : int
        `start` is a multiple of the rows of a round.
    thread, n_threads : int
        The number of this thread, from 0.
    models : (1, padded_classes, padded_features + lanes)
    gradients : (n_chunks, padded_classes, padded_features + lanes)
        Zero at first; the chunks' gradients.
    tiles : (n_threads, 2 * tile_classes + 2, tile_rows)
        Zero at first.
    feature_tiles : (n_threads, n_features, tile_rows) or None
    feature_weights : (n_threads, 2, n_features + 1, class_lanes) or None
    numbers : (n_threads, 4, >= 2 * tile_rows) int64
        The second row of each is 0, 1, 2 ...; the others are zero at first.
    chunk_results : (n_chunks, 2)
        Overwritten.
    totals_out : (padded_classes, padded_features + lanes) float64
        The weighted sum of the rows' gradients is added.
    results_out : (N_RESULTS,) float64
        The weighted sum of the losses, and what rounding has cut off from it, are added.
    team : (TEAM_SIZE,) int64
        Zero before each call; see `team.py`.
    """
    settings = all_settings[0]
    chunk_rows = settings["chunk_rows"]
    n_chunks = gradients.shape[0]
    # What is read in another order than that of the rows has no part in this.
    order = (False, np.uint64(0), 0, 0, 1)
    transpose_weights(models[WORKING], blocks[0], feature_weights, thread, WORKING)
    begin_with_team(team)
    is_together = True
    round_start = start
    while is_together and round_start < stop:
        round_stop = min(round_start + n_chunks * chunk_rows, stop)
        n_filled = work_on_round(
            features,
            feature_columns,
            targets,
            sample_weights,
            round_start,
            round_stop,
            round_stop,
            order,
            WORKING,
            WORKING,
            False,
            settings,
            blocks,
            models,
            tiles,
            feature_tiles,
            feature_weights,
            thread,
            n_threads,
            numbers,
            gradients,
            chunk_results,
        )
        is_together = wait_for_team(team, n_threads)
        if is_together:
            fold_chunks(
                gradients,
                n_filled,
                False,
                False,
                0.0,
                thread,
                n_threads,
                blocks,
                models,
                totals_out,
            )
        if thread == 0 and is_together:
            for chunk in range(n_filled):
                results_out[LOSS], results_out[LOSS_REMAINDER] = add_compensated(
                    results_out[LOSS], results_out[LOSS_REMAINDER], chunk_results[chunk, 0]
                )
        is_together = is_together and wait_for_team(team, n_threads)
        round_start = round_stop
