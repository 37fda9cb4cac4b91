"""Products of a tile of rows with the parameters: forward to logits, backward to gradients.

Parameters and gradients are ``(padded_classes, padded_features + lanes)``: a row for each class,
zeros behind the last feature, and the bias as the first number of the last vector. Logits and
their derivatives are ``(padded_classes, tile_rows)``.

Wide rows are read where they lie, a vector of features at a time: *contracted* with the parameters
forward, where every product ends in one sum across lanes, and *combined* backward. Of narrow
or scattered rows a tile is transposed first (`feature_tiles`); then the lanes are rows, and the two
operations change places. Rows of the tile beyond the last have finite numbers and no weight.

`blocks` is four tuples whose lengths are the lanes, the vectors that are contracted or combined
side by side, the classes, and how much of the next tile is fetched meanwhile: rows forward, or
vectors backward.
"""

from .jit import by_presence, kernel
from .lanes import (
    add_outer,
    block_of,
    load,
    load_along,
    load_block,
    load_numbered,
    prefetch_along,
    prefetch_numbered,
    repeat_along,
    repeat_down,
    splat,
    splat_down,
    store_block,
    sum_each,
    sum_lanes,
)
from .rows import fetch_ahead

_NONE, _ONE = (), (0,)


@kernel
def _contract(sums, vectors, numbers, first, n_columns, matrix, group, blocks, ahead, rows_ahead):
    """Add, for some classes and some numbered rows, their vectors times the matrix' vectors."""
    width, side, classes, _, _ = blocks
    like = load(matrix, group, 0, width)
    for column in range(0, n_columns, len(width)):
        prefetch_numbered(vectors, numbers, ahead, column, rows_ahead)
        down = load_numbered(vectors, numbers, first, column, n_columns - column, like, side)
        along = load_block(matrix, group, column, width, classes, _ONE)
        sums = add_outer(sums, down, along)
    return sum_each(sums)


@kernel
def _combine(
    sums, scalars, group, vectors, numbers, n_rows, ahead, column, n_columns, blocks, columns
):
    """Add, for some classes, the sum of the numbered rows' vectors times the classes' scalars."""
    width, _, classes, _, vectors_ahead = blocks
    like = load(scalars, group, 0, width)
    # Each group of classes fetches other vectors.
    column_ahead = column + group // len(classes) * len(vectors_ahead) * len(width)
    for row in range(n_rows):
        prefetch_along(vectors, numbers[ahead + row], column_ahead, width, vectors_ahead)
        down = splat_down(scalars, group, row, like, classes)
        along = load_along(vectors, numbers[row], column, n_columns - column, like, columns)
        sums = add_outer(sums, down, along)
    return sums


def _forward_wide(
    features, feature_tiles, thread, all_numbers, n_rows, parameters, blocks, logits_out
):
    """Logits of a tile of rows.

    Parameters
    ----------
    features : (n_samples, n_features)
        Rows of neighbouring numbers, if there is no `feature_tile`.
    feature_tiles : (n_threads, >= n_features, tile_rows) or None
        The rows transposed, and finite numbers below, to whole vectors.
    thread : int
        Whose tile to take.
    all_numbers : (2, >= 2 * tile_rows) int64
        Which rows of `features` are in the tile, and from `tile_rows` on in the next; 0, 1, 2 ...
    n_rows : int
        Rows in the tile, a multiple of the lanes.
    parameters : (padded_classes, padded_features + lanes)
    blocks : tuple of tuples
    logits_out : (padded_classes, tile_rows)
    """
    width, side, classes, rows_ahead, _ = blocks
    numbers = all_numbers[0]
    n_features = features.shape[1]
    bias_column = parameters.shape[1] - len(width)
    ahead = logits_out.shape[1]
    for group in range(0, parameters.shape[0], len(classes)):
        biases = load_block(parameters, group, bias_column, width, classes, _ONE)
        for row in range(0, n_rows, len(side)):
            logits = _contract(
                repeat_down(biases, side),
                features,
                numbers,
                row,
                n_features,
                parameters,
                group,
                blocks,
                ahead,
                rows_ahead,
            )
            # The rows of the next tile are fetched meanwhile.
            ahead = min(ahead + len(rows_ahead), 2 * logits_out.shape[1] - len(rows_ahead))
            store_block(logits_out, group, row, logits)


@kernel
def _forward_columns(
    feature_tile, n_features, numbers, row, columns, parameters, blocks, logits_out
):
    width, _, classes, _, _ = blocks
    tile_rows = feature_tile.shape[1]
    bias_column = parameters.shape[1] - len(width)
    for group in range(0, parameters.shape[0], len(classes)):
        like = load(logits_out, group, row, width)
        biases = splat_down(parameters, group, bias_column, like, classes)
        logits = _combine(
            repeat_along(biases, columns),
            parameters,
            group,
            feature_tile,
            numbers,
            n_features,
            0,
            row,
            tile_rows,
            blocks,
            columns,
        )
        store_block(logits_out, group, row, logits)


def _forward_narrow(
    features, feature_tiles, thread, all_numbers, n_rows, parameters, blocks, logits_out
):
    width, side, _, _, _ = blocks
    feature_tile = feature_tiles[thread]
    numbers = all_numbers[1]
    n_features = features.shape[1]
    step = len(side) * len(width)
    whole_rows = n_rows - n_rows % step
    for row in range(0, whole_rows, step):
        _forward_columns(
            feature_tile, n_features, numbers, row, side, parameters, blocks, logits_out
        )
    for row in range(whole_rows, n_rows, len(width)):
        _forward_columns(
            feature_tile, n_features, numbers, row, _ONE, parameters, blocks, logits_out
        )


forward = by_presence("feature_tiles", _forward_wide, _forward_narrow)


@kernel
def _keep(block, is_first, row, column, width, rows, columns, gradient):
    if not is_first:
        block = block + load_block(gradient, row, column, width, rows, columns)
    store_block(gradient, row, column, block)


@kernel
def _backward_columns(
    features, numbers, n_rows, slopes, column, columns, is_first, blocks, gradient
):
    width, _, classes, _, _ = blocks
    n_features = features.shape[1]
    for group in range(0, gradient.shape[0], len(classes)):
        zero = splat(0.0, load(slopes, group, 0, width))
        products = _combine(
            block_of(zero, classes, columns),
            slopes,
            group,
            features,
            numbers,
            n_rows,
            slopes.shape[1],
            column,
            n_features,
            blocks,
            columns,
        )
        _keep(products, is_first, group, column, width, classes, columns, gradient)


@kernel
def _backward_biases(n_rows, slopes, is_first, width, gradient):
    bias_column = gradient.shape[1] - len(width)
    for group in range(gradient.shape[0]):
        total = load(slopes, group, 0, width)
        for row in range(len(width), n_rows, len(width)):
            total = total + load(slopes, group, row, width)
        before = 0.0 if is_first else gradient[group, bias_column]
        gradient[group, bias_column] = before + sum_lanes(total)


def _backward_wide(
    features, feature_tiles, thread, all_numbers, n_rows, slopes, is_first, blocks, gradient
):
    """Add the gradient of the summed loss of a tile of rows to `gradient`.

    Parameters
    ----------
    features, feature_tiles, thread, all_numbers, n_rows
        As in `forward`.
    slopes : (padded_classes, tile_rows)
        Derivatives of each row's loss with respect to its logits.
    is_first : bool
        Whether to write `gradient` instead of adding to it.
    blocks : tuple of tuples
    gradient : (padded_classes, padded_features + lanes)
        Changed in place. The tile is summed by itself first, which keeps rounding errors small.
    """
    width, side, _, _, _ = blocks
    numbers = all_numbers[0]
    n_features = features.shape[1]
    step = len(side) * len(width)
    whole_features = n_features - n_features % step
    for column in range(0, whole_features, step):
        _backward_columns(
            features, numbers, n_rows, slopes, column, side, is_first, blocks, gradient
        )
    for column in range(whole_features, n_features, len(width)):
        _backward_columns(
            features, numbers, n_rows, slopes, column, _ONE, is_first, blocks, gradient
        )
    _backward_biases(n_rows, slopes, is_first, width, gradient)


def _backward_narrow(
    features, feature_tiles, thread, all_numbers, n_rows, slopes, is_first, blocks, gradient
):
    width, side, classes, _, _ = blocks
    feature_tile = feature_tiles[thread]
    numbers = all_numbers[1]
    n_features = feature_tile.shape[0]
    zero = splat(0.0, load(slopes, 0, 0, width))
    n_steps = gradient.shape[0] // len(classes) * (-(-n_features // len(side)))
    step = 0
    for group in range(0, gradient.shape[0], len(classes)):
        for feature in range(0, n_features, len(side)):
            fetch_ahead(features, all_numbers[0], slopes.shape[1], step, n_steps, width)
            step += 1
            products = _contract(
                block_of(zero, side, classes),
                feature_tile,
                numbers,
                feature,
                n_rows,
                slopes,
                group,
                blocks,
                0,
                _NONE,
            )
            _keep(products, is_first, group, feature, side, classes, _ONE, gradient)
    _backward_biases(n_rows, slopes, is_first, width, gradient)


backward = by_presence("feature_tiles", _backward_wide, _backward_narrow)
