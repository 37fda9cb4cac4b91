"""Parts of a batch of gradient descent over sparse rows; see `sgd_sparse`."""

import numpy as np

from .compile.entry_point import kernel
from .groups import N_ROW_VALUES
from .loss import PAIR, loss_and_slopes
from .rows import number_rows, take_targets
from .sgd_step import AVERAGED
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
from .threads.claims import begin_pace, buffer_of, hand_in, own_buffer, take_chunk

_ONE = (0,)
_ELEMENTS_AHEAD = 16
# In as many parts sums over features are taken, for less rounding.
_N_PARTS = 64


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
def share_of_step(n_steps):
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
def fill_up(n_rows, n_padded, n_columns, tile):
    """Write zeros for the logits of what fills up the last vectors of a tile's rows."""
    for place in range(n_rows, n_padded):
        for label in range(n_columns):
            tile[label, place] = 0.0


@kernel
def slopes_of_tile(rows, n_rows, n_padded, numbers, settings, row_width, tile):
    """The loss of a tile of rows, and in place of their logits the slopes of these.

    Parameters
    ----------
    rows : SparseRows
    n_rows, n_padded : int
        The rows, and these up to whole pairs of vectors.
    numbers : (>= n_padded,) int64
        Theirs; the last repeat others.
    settings : record
        `n_classes` and `activation`.
    row_width : tuple of `lanes`
    tile : (2 * padded_classes + N_ROW_VALUES, tile_rows)
    """
    half = (tile.shape[0] - N_ROW_VALUES) // 2
    n_classes = settings["n_classes"]
    fill_up(n_rows, n_padded, n_classes, tile)
    take_targets(
        rows.targets, rows.weights, n_rows, n_padded, numbers, tile[2 * half], tile[2 * half + 1]
    )
    loss, _ = loss_and_slopes(
        tile[2 * half : 2 * half + 1],
        tile[2 * half + 1 : 2 * half + 2],
        tile[2 * half + 2 :],
        n_padded,
        n_classes,
        settings["activation"],
        None,
        None,
        row_width,
        tile[:half],
        tile[half : 2 * half],
    )
    return loss


@kernel
def slopes_of_rows(rows, start, n_rows, settings, row_width, numbers, tile):
    """`slopes_of_tile` for rows side by side; their numbers are written."""
    multiple = len(PAIR) * len(row_width)
    n_padded = -(-n_rows // multiple) * multiple
    for place in range(n_padded):
        numbers[place] = start + place if place < n_rows else start
    return slopes_of_tile(rows, n_rows, n_padded, numbers, settings, row_width, tile)


@kernel
def add_slopes(tile, n_rows, n_classes, totals_out):
    """Add the slopes of a tile's rows, for each class."""
    for label in range(n_classes):
        total = 0.0
        for place in range(n_rows):
            total += np.float64(tile[label, place])
        totals_out[label] += total


@kernel
def _work_on_tile(
    rows, start, stop, pull, settings, blocks, model, biases, tile, numbers, slopes, buffer
):
    """The loss of a tile of rows, and the slopes of their logits; see `work_on_tiles`."""
    _, _, row_width = blocks
    multiple = len(PAIR) * len(row_width)
    tile_rows = tile.shape[1]
    n_classes = settings["n_classes"]
    n_rows = stop - start
    n_padded = -(-n_rows // multiple) * multiple
    n_samples = len(rows.pointers) - 1
    number_rows(start, n_rows, n_padded, stop, n_samples, rows.order, tile_rows, numbers)
    slopes_out = slopes.values[buffer]
    for place in range(n_rows):
        row = numbers[0, place]
        slopes.row_numbers[buffer, place] = row
        _logits_of_row(
            rows.data,
            rows.indices,
            np.int64(rows.pointers[row]),
            np.int64(rows.pointers[row + 1]),
            pull,
            biases,
            blocks,
            model,
            place,
            slopes_out,
        )
        for label in range(n_classes):
            tile[label, place] = slopes_out[place, label]
    loss = slopes_of_tile(rows, n_rows, n_padded, numbers[0], settings, row_width, tile)
    for place in range(n_rows):
        for label in range(n_classes):
            slopes_out[place, label] = tile[label, place]
    slopes.losses[buffer] = loss


@kernel
def work_on_tiles(
    rows, round, pull, settings, blocks, model, biases, tile, numbers, team, slopes, fastest
):
    """A thread's share of a batch's tiles; thread 0 returns when all are done.

    Parameters
    ----------
    rows : SparseRows
    round : Round
        The batch.
    pull : float
        Of the average, in the model at which the loss is taken.
    model : (n_features, 2 * padded_classes)
        The fast set and the average.
    biases : (3, padded_classes)
    tile : (2 * padded_classes + N_ROW_VALUES, tile_rows)
        The thread's.
    numbers : (4, >= 2 * tile_rows) int64
        The thread's.
    team : Team
    slopes : Slopes
    fastest : int
        See `claims.judge_pace`.

    Returns
    -------
    int
        The same after this batch.
    """
    tile_rows = settings["chunk_rows"]
    pace = begin_pace(team, fastest)
    while True:
        chunk, pace = take_chunk(team, round, pace)
        if chunk < 0:
            return pace.fastest
        start = round.start + chunk * tile_rows
        stop = min(start + tile_rows, round.stop)
        buffer = own_buffer(team)
        _work_on_tile(
            rows, start, stop, pull, settings, blocks, model, biases, tile, numbers, slopes, buffer
        )
        pace = hand_in(team, round, chunk, buffer, pace)


@kernel
def descend_rows(rows, n_rows, batch, slopes, rate, scale, blocks, model, features, touched_out):
    """Take the gradient's steps; gives how many features are touched.

    Parameters
    ----------
    n_rows : int
        Of the batch.
    batch : int32
        A number that no other batch near by has.
    slopes : Slopes
    touched_out : (n_features,) int64
        The features.
    """
    width, vectors, _ = blocks
    tile_rows, n_padded = slopes.values.shape[1:]
    step = len(width) * len(vectors)
    like = load(model, 0, 0, width)
    n_touched = 0
    for place in range(n_rows):
        buffer = buffer_of(slopes.shared, place // tile_rows)
        within = place % tile_rows
        row = slopes.row_numbers[buffer, within]
        for element in range(np.int64(rows.pointers[row]), np.int64(rows.pointers[row + 1])):
            feature = np.int64(rows.indices[element])
            state = features[feature]
            if state["last_batch"] != batch:
                state["last_batch"] = batch
                touched_out[n_touched] = feature
                n_touched += 1
            change = -rate * scale * state["factor"] * rows.data[element]
            changes = block_of(splat(change, like), _ONE, _ONE)
            for column in range(0, n_padded, step):
                fast = load_block(model, feature, column, width, _ONE, vectors)
                slope = load_block(slopes.values[buffer], within, column, width, _ONE, vectors)
                store_block(model, feature, column, add_outer(fast, changes, slope))
    return n_touched


@kernel
def sum_slopes(slopes, n_rows, n_classes, totals_out, rounded_out):
    """The sum of the rows' slopes, in float64 and in the type of the model."""
    tile_rows = slopes.values.shape[1]
    for label in range(n_classes):
        total = 0.0
        for place in range(n_rows):
            buffer = buffer_of(slopes.shared, place // tile_rows)
            total += np.float64(slopes.values[buffer, place % tile_rows, label])
        totals_out[label] = total
        rounded_out[0, label] = total


@kernel
def finish_features(
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
):
    """What the means and the penalty add to the steps, and the average's part.

    Parameters
    ----------
    bias_slopes : (1, padded_classes)
        The sum of the rows' slopes.
    """
    n_padded = parameters.shape[1] // 2
    like = load(parameters, 0, 0, width)
    zero = splat(0.0, like)
    is_averaged = settings["method"] == AVERAGED
    for place in range(n_touched):
        feature = touched[place]
        state = features[feature]
        if is_averaged:
            share = share_of_step(np.float64(state["n_steps"]))
        state["n_steps"] += 1
        here = rate * state["factor"] * state["strength"]
        threshold = splat(here * settings["l1_penalty"], like)
        shrink = splat(1.0 / (1.0 + here * settings["l2_penalty"]), like)
        shares = splat(share, like)
        if state["mean"] != 0.0:
            change = splat(here * scale * state["mean"], like)
            for column in range(0, n_padded, len(width)):
                moved = load(parameters, feature, column, width)
                slope = load(bias_slopes, 0, column, width)
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
def finish_biases(totals, rate, share, pull, settings, biases):
    """The step of the biases: the working ones, the fast ones and their average.

    Parameters
    ----------
    totals : (padded_classes,) float64
        See `sum_slopes`.
    """
    for label in range(settings["n_classes"]):
        fast = biases[1, label] - (rate * totals[label] if settings["fit_intercept"] else 0.0)
        average = biases[2, label] + share * (fast - biases[2, label])
        biases[1, label] = fast
        biases[2, label] = average
        biases[0, label] = fast + pull * (average - fast)


@kernel
def shift_biases(pull, n_classes, centred, features, parameters, shifts, biases):
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
def measure_penalty(pull, settings, width, parameters):
    """The penalty of the working set; not finite if a parameter isn't."""
    n_features = parameters.shape[0]
    n_padded = parameters.shape[1] // 2
    like = load(parameters, 0, 0, width)
    zero = splat(0.0, like)
    pulls = splat(pull, like)
    penalty = 0.0
    for part in range(_N_PARTS):
        squares = 0.0
        absolutes = 0.0
        for feature in range(n_features * part // _N_PARTS, n_features * (part + 1) // _N_PARTS):
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
        penalty += 0.5 * settings["l2_penalty"] * squares + settings["l1_penalty"] * absolutes
    return penalty


@kernel
def copy_averages(n_padded, width, parameters, to_fast, best_out, bias_from, bias_to):
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
