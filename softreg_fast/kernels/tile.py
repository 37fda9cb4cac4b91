"""A tile and a chunk of rows: what is read of them, their loss and their gradient.

A pass over rows is cut into *chunks*, a chunk into *tiles*. Each chunk has a gradient of its own,
summed over its tiles in order; the chunks' gradients are summed in order too. The cuts depend on
the shapes alone, so the result has the same bits for any number of threads.
"""

from .backward import backward
from .compile.entry_point import by_presence, kernel
from .forward import forward
from .groups import N_ROW_VALUES
from .loss import PAIR, count_correct, loss_and_slopes
from .rows import fetch_targets, is_shuffled, number_rows, take_targets, transpose_rows
from .simd.lanes import load, load_as, multiply_add, splat, store, sum_lanes
from .threads.claims import buffer_of

# Which of `models` is which.
WORKING, TRAINED, SCORED = 0, 1, 2


@kernel
def add_compensated(total, remainder, term):
    """A sum plus a term, and what rounding has cut off: compensated summation.

    Kahan, Further remarks on reducing truncation errors, 1965. Near a plateau the losses of two
    epochs differ by less than the rounding errors of a plain sum, which early stopping would take
    for progress.
    """
    corrected = term + remainder
    new_total = total + corrected
    return new_total, corrected - (new_total - total)


@kernel
def are_finite(width, parameters):
    """Whether all numbers of a two-dimensional array are finite."""
    zero = splat(0.0, load(parameters, 0, 0, width))
    total = zero
    for row in range(parameters.shape[0]):
        for column in range(0, parameters.shape[1], len(width)):
            total = multiply_add(load(parameters, row, column, width), zero, total)
    return sum_lanes(total) == 0.0


@kernel
def copy_parameters(width, parameters, copy_out):
    """Copy parameters from one array to another."""
    for row in range(parameters.shape[0]):
        for column in range(0, parameters.shape[1], len(width)):
            store(copy_out, row, column, load(parameters, row, column, width))


@kernel
def take_tile(rows, start, n_rows, ahead, blocks, work):
    """Find out a tile's rows and what is read of them beside wide features.

    Parameters
    ----------
    rows : Rows
    start, n_rows : int
        The tile's positions in the order of the rows.
    ahead : int
        Where the next tile will begin.
    blocks : tuple of tuples
    work : Workspace
        Two rows of its tile become targets and weights. Where the rows are in order, the first two
        of its last numbers say what tile is there already.

    Returns
    -------
    int
        The rows of the tile up to whole pairs of vectors.
    """
    multiple = len(PAIR) * len(blocks.width)
    tile, numbers = work.tile, work.numbers
    tile_rows = tile.shape[1]
    n_padded = -(-n_rows // multiple) * multiple
    held = numbers[3]
    shuffled = is_shuffled(rows.order)
    if not shuffled:
        # All rows may be one tile, that of the epoch before.
        if held[0] == start + 1 and held[1] == n_rows:
            return n_padded
        held[0], held[1] = start + 1, n_rows
    number_rows(
        start, n_rows, n_padded, ahead, rows.features.shape[0], rows.order, tile_rows, numbers
    )
    if shuffled:
        fetch_targets(rows.targets, n_rows, tile_rows, numbers[0])
    n_values = tile.shape[0] - N_ROW_VALUES
    take_targets(
        rows.targets,
        rows.weights,
        n_rows,
        n_padded,
        numbers[0],
        tile[n_values],
        tile[n_values + 1],
    )
    transpose_rows(rows.features, n_padded, numbers[0], blocks.width, tile_rows, work.feature_tile)
    return n_padded


def _train_on_chunk(rows, span, scoring, settings, blocks, models, work, gradient_out):
    """Loss and gradient of the rows of a chunk, at the model WORKING.

    Parameters
    ----------
    rows : Rows
    span : Span
        The chunk, and where this thread's next one will begin.
    scoring : Scoring or None
        If there is one, the rows are scored with the model TRAINED, or trained on, or both.
    settings : record
        `n_classes`, `activation` and `only_loss`, or `notebook_gradient` where rows are scored.
    blocks : tuple of tuples
    models : (n_models, padded_classes, padded_features + lanes)
    work : Workspace
    gradient_out : (padded_classes, padded_features + lanes)

    Returns
    -------
    loss, n_correct : float
    """
    tile = work.tile
    n_rows = (tile.shape[0] - N_ROW_VALUES) // 2
    tile_targets = tile[2 * n_rows : 2 * n_rows + 1]
    tile_weights = tile[2 * n_rows + 1 : 2 * n_rows + 2]
    scratch = tile[2 * n_rows + 2 :]
    logits = tile[:n_rows]
    loss = 0.0
    for tile_start in range(span.start, span.stop, tile.shape[1]):
        tile_stop = min(tile_start + tile.shape[1], span.stop)
        ahead = tile_stop if tile_stop < span.stop else span.ahead
        n_padded = take_tile(rows, tile_start, tile_stop - tile_start, ahead, blocks, work)
        forward(rows, work, WORKING, n_padded, models[WORKING], blocks, logits)
        tile_loss, _ = loss_and_slopes(
            tile_targets,
            tile_weights,
            scratch,
            n_padded,
            settings["n_classes"],
            settings["activation"],
            None,
            None,
            blocks.width,
            logits,
            tile[n_rows : 2 * n_rows],
        )
        loss += tile_loss
        if not settings["only_loss"]:
            is_first = tile_start == span.start
            backward(rows, work, n_padded, logits, is_first, blocks, gradient_out)
    return loss, 0.0


def _score_chunk(rows, span, scoring, settings, blocks, models, work, gradient_out):
    """See `_train_on_chunk`."""
    tile = work.tile
    n_rows = (tile.shape[0] - N_ROW_VALUES) // 2
    tile_targets = tile[2 * n_rows : 2 * n_rows + 1]
    tile_weights = tile[2 * n_rows + 1 : 2 * n_rows + 2]
    scratch = tile[2 * n_rows + 2 :]
    n_classes = settings["n_classes"]
    activation = settings["activation"]
    logits = tile[:n_rows]
    values = tile[n_rows : 2 * n_rows]
    loss = 0.0
    n_correct = 0.0
    for tile_start in range(span.start, span.stop, tile.shape[1]):
        tile_stop = min(tile_start + tile.shape[1], span.stop)
        ahead = tile_stop if tile_stop < span.stop else span.ahead
        n_padded = take_tile(rows, tile_start, tile_stop - tile_start, ahead, blocks, work)
        for model in range(scoring.first_model, scoring.last_model - 1, -1):
            forward(rows, work, model, n_padded, models[model], blocks, logits)
            if model == TRAINED:
                n_correct += count_correct(
                    tile_targets,
                    tile_weights,
                    n_padded,
                    n_classes,
                    activation,
                    model == TRAINED,
                    blocks.width,
                    logits,
                    values,
                )
                continue
            tile_loss, n_correct_now = loss_and_slopes(
                tile_targets,
                tile_weights,
                scratch,
                n_padded,
                n_classes,
                activation,
                settings["notebook_gradient"],
                scoring.counts,
                blocks.width,
                logits,
                values,
            )
            loss += tile_loss
            n_correct += n_correct_now
            is_first = tile_start == span.start
            backward(rows, work, n_padded, logits, is_first, blocks, gradient_out)
    return loss, n_correct


work_on_chunk = by_presence(_train_on_chunk, {"scoring": _score_chunk})


@kernel
def sum_chunks(sums, n_chunks, row, column, like):
    """Sum of the chunks' vectors at a place, in the type of the vector `like`."""
    total = load_as(sums.gradients[buffer_of(sums.shared, 0)], row, column, like)
    for chunk in range(1, n_chunks):
        gradient = sums.gradients[buffer_of(sums.shared, chunk)]
        total = total + load_as(gradient, row, column, like)
    return total


@kernel
def fold_chunks(sums, n_chunks, fold, blocks, models):
    """Sum the chunks' gradients and, at the end of a batch, take the step.

    Sums are in float64.

    Parameters
    ----------
    sums : Sums
    n_chunks : int
    fold : Fold
    blocks : tuple of tuples
    models : (n_models, padded_classes, padded_features + lanes)
    """
    width = blocks.width
    totals = sums.totals
    like = load(totals, 0, 0, width)
    for row in range(totals.shape[0]):
        for column in range(0, totals.shape[1], len(width)):
            total = sum_chunks(sums, n_chunks, row, column, like)
            if not fold.is_first:
                total = total + load(totals, row, column, width)
            if fold.is_last:
                before = load_as(models[WORKING], row, column, like)
                step = multiply_add(splat(fold.scale, like), total, before)
                store(models[WORKING], row, column, step)
            else:
                store(totals, row, column, total)
