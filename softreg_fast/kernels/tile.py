"""A tile and a chunk of rows: what is read of them, their loss and their gradient.

A pass over rows is cut into *chunks*, a chunk into *tiles*. Each chunk has a gradient of its own,
summed over its tiles in order; the chunks' gradients are summed in order too. The cuts depend on
the shapes alone, so the result has the same bits for any number of threads.
"""

from .compile.entry_point import kernel
from .loss import count_correct, loss_and_slopes
from .matmul import backward, forward
from .rows import fetch_targets, number_rows, take_targets, transpose_rows
from .simd.lanes import load, load_as, multiply_add, splat, store, sum_lanes

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
def take_tile(
    features,
    targets,
    sample_weights,
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
    sample_weights : (n_samples,) or (0,)
        With none, every row weighs 1.
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
    take_targets(
        targets, sample_weights, n_rows, n_padded, numbers[0], tile[n_values], tile[n_values + 1]
    )
    transpose_rows(features, n_padded, numbers[0], blocks[0], feature_tiles, thread, tile_rows)
    return n_padded


@kernel
def work_on_chunk(
    features,
    feature_columns,
    targets,
    sample_weights,
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
    activation = settings["activation"]
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
            sample_weights,
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
                    activation,
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
                activation,
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
def work_on_round(
    features,
    feature_columns,
    targets,
    sample_weights,
    start,
    stop,
    next_start,
    order,
    first_model,
    last_model,
    count_now,
    settings,
    blocks,
    models,
    tiles,
    feature_tiles,
    feature_weights,
    thread,
    n_threads,
    numbers,
    gradients_out,
    chunk_results_out,
):
    """A thread's share of a round: as many chunks as there are gradients, or fewer.

    Parameters
    ----------
    start, stop : int
        The round's positions in the order of the rows.
    next_start : int
        Where the next round will begin.
    thread, n_threads : int
    chunk_results_out : (n_chunks, 2) float64
        Loss and number of correctly classified rows of each chunk.

    Returns
    -------
    int
        How many chunks the round has.
    """
    chunk_rows = settings["chunk_rows"]
    n_chunks = -(-(stop - start) // chunk_rows)
    first_chunk = n_chunks * thread // n_threads
    last_chunk = n_chunks * (thread + 1) // n_threads - 1
    for chunk in range(first_chunk, last_chunk + 1):
        chunk_start = start + chunk * chunk_rows
        chunk_stop = min(chunk_start + chunk_rows, stop)
        loss, n_correct = work_on_chunk(
            features,
            feature_columns,
            targets,
            sample_weights,
            chunk_start,
            chunk_stop,
            chunk_stop if chunk < last_chunk else next_start + first_chunk * chunk_rows,
            order,
            first_model,
            last_model,
            count_now,
            settings,
            blocks,
            models,
            tiles[thread],
            feature_tiles,
            feature_weights,
            thread,
            numbers[thread],
            gradients_out[chunk],
        )
        chunk_results_out[chunk, 0] = loss
        chunk_results_out[chunk, 1] = n_correct
    return n_chunks


@kernel
def sum_chunks(gradients, n_chunks, row, column, like):
    """Sum of the chunks' vectors at a place, in the type of the vector `like`."""
    total = load_as(gradients[0], row, column, like)
    for chunk in range(1, n_chunks):
        total = total + load_as(gradients[chunk], row, column, like)
    return total


@kernel
def fold_chunks(
    gradients, n_chunks, is_first, is_last, scale, thread, n_threads, blocks, models, totals
):
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
        total = sum_chunks(gradients, n_chunks, row, column, like)
        if not is_first:
            total = total + load(totals, row, column, width)
        if is_last:
            before = load_as(models[WORKING], row, column, like)
            step = multiply_add(splat(scale, like), total, before)
            store(models[WORKING], row, column, step)
        else:
            store(totals, row, column, total)
