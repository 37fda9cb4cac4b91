"""Products of a tile of rows with the parameters: forward to logits, backward to gradients.

Parameters and gradients are ``(padded_classes, padded_features + lanes)``: a row for each class,
zeros behind the last feature, and the bias as the first number of the last vector. Logits and
their derivatives are ``(padded_classes, tile_rows)``.

Wide rows are read where they lie, a vector of features at a time: *contracted* with the parameters
forward, where every product ends in one sum across lanes, and *combined* backward. Of narrow
or scattered rows a tile is transposed first (`feature_tiles`); then the lanes are rows, and the two
operations change places. For rows in between and few classes the sums across lanes would cost as
much as the products: forward, the lanes are classes, and the parameters are transposed
(`feature_weights`). Rows of the tile beyond the last have finite numbers and no weight.

`blocks` is eight tuples whose lengths are the lanes, the vectors that are contracted or combined
side by side, half of them, the classes, how much of the next tile is fetched meanwhile (rows
forward, vectors backward), and, where the lanes are classes, their number and that of the rows
taken at a time.
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
    splat_numbered,
    store_block,
    sum_each,
    sum_lanes,
    transpose,
)
from .rows import fetch_ahead

_NONE, _ONE = (), (0,)


@kernel
def _contract_vector(sums, vectors, numbers, first, column, count, matrix, group, like, blocks):
    width, side, _, classes, _, _, _, _ = blocks
    down = load_numbered(vectors, numbers, first, column, count, like, side)
    along = load_block(matrix, group, column, width, classes, _ONE)
    return add_outer(sums, down, along)


@kernel
def _contract(sums, vectors, numbers, first, n_columns, matrix, group, blocks, ahead, rows_ahead):
    """Add, for some classes and some numbered rows, their vectors times the matrix' vectors."""
    width = blocks[0]
    like = load(matrix, group, 0, width)
    whole = n_columns - n_columns % len(width)
    for column in range(0, whole, len(width)):
        prefetch_numbered(vectors, numbers, ahead, column, rows_ahead)
        sums = _contract_vector(
            sums, vectors, numbers, first, column, None, matrix, group, like, blocks
        )
    if whole < n_columns:
        prefetch_numbered(vectors, numbers, ahead, whole, rows_ahead)
        sums = _contract_vector(
            sums, vectors, numbers, first, whole, n_columns - whole, matrix, group, like, blocks
        )
    return sum_each(sums)


@kernel
def _combine(sums, scalars, group, vectors, numbers, n_rows, ahead, column, count, blocks, columns):
    """Add, for some classes, the sum of the numbered rows' vectors times the classes' scalars.

    `count` is how many elements of the rows there are from `column` on, None if enough.
    """
    width, _, _, classes, _, vectors_ahead, _, _ = blocks
    like = load(scalars, group, 0, width)
    # Each group of classes fetches other vectors.
    column_ahead = column + group // len(classes) * len(vectors_ahead) * len(width)
    for row in range(n_rows):
        prefetch_along(vectors, numbers[ahead + row], column_ahead, width, vectors_ahead)
        down = splat_down(scalars, group, row, like, classes)
        along = load_along(vectors, numbers[row], column, count, like, columns)
        sums = add_outer(sums, down, along)
    return sums


def _leave_weights(parameters, width, feature_weights_out, thread, model):
    pass


def _transpose_weights(parameters, width, feature_weights_out, thread, model):
    """Weights with a row for each feature, if there is an array for them; the last is the biases.

    Parameters
    ----------
    parameters : (padded_classes, padded_features + lanes)
    width : tuple of `lanes`
    feature_weights_out : (n_threads, n_models, n_features + 1, class_lanes) or None
    thread, model : int
        Which to write.
    """
    weights_out = feature_weights_out[thread, model]
    n_features = weights_out.shape[0] - 1
    bias_column = parameters.shape[1] - len(width)
    for label in range(min(parameters.shape[0], weights_out.shape[1])):
        for feature in range(n_features):
            weights_out[feature, label] = parameters[label, feature]
        weights_out[n_features, label] = parameters[label, bias_column]


transpose_weights = by_presence(_leave_weights, feature_weights_out=_transpose_weights)


def _forward_wide(
    features,
    feature_tiles,
    feature_weights,
    thread,
    model,
    all_numbers,
    n_rows,
    parameters,
    blocks,
    logits_out,
):
    width, side, _, classes, rows_ahead, _, _, _ = blocks
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
    width, _, _, classes, _, _, _, _ = blocks
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
            None,
            blocks,
            columns,
        )
        store_block(logits_out, group, row, logits)


def _forward_narrow(
    features,
    feature_tiles,
    feature_weights,
    thread,
    model,
    all_numbers,
    n_rows,
    parameters,
    blocks,
    logits_out,
):
    width, side, _, _, _, _, _, _ = blocks
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


def _forward_by_class(
    features,
    feature_tiles,
    feature_weights,
    thread,
    model,
    all_numbers,
    n_rows,
    parameters,
    blocks,
    logits_out,
):
    """Logits of a tile of rows.

    Parameters
    ----------
    features : (n_samples, n_features)
        Rows of neighbouring numbers, if there are no `feature_tiles`.
    feature_tiles : (n_threads, >= n_features, tile_rows) or None
        The rows transposed, and finite numbers below, to whole vectors.
    feature_weights : (n_threads, n_models, n_features + 1, class_lanes) or None
        The parameters, transposed.
    thread, model : int
        Which of them to take.
    all_numbers : (2, >= 2 * tile_rows) int64
        Which rows of `features` are in the tile, and from `tile_rows` on in the next; 0, 1, 2 ...
    n_rows : int
        Rows in the tile, a multiple of the lanes.
    parameters : (padded_classes, padded_features + lanes)
    blocks : tuple of tuples
    logits_out : (>= padded_classes, tile_rows)
        As many as `class_lanes`, if there are `feature_weights`.
    """
    width, _, _, _, _, _, class_width, side = blocks
    weights = feature_weights[thread, model]
    numbers = all_numbers[0]
    n_features = features.shape[1]
    biases = load(weights, n_features, 0, class_width)
    for row in range(0, n_rows, len(side)):
        for column in range(0, n_features, len(width)):
            prefetch_numbered(features, numbers, logits_out.shape[1] + row, column, side)
        logits = block_of(biases, side, _ONE)
        for feature in range(n_features):
            down = splat_numbered(features, numbers, row, feature, biases, side)
            along = load_block(weights, feature, 0, class_width, _ONE, _ONE)
            logits = add_outer(logits, down, along)
        store_block(logits_out, 0, row, transpose(logits))


forward = by_presence(
    _forward_wide, feature_weights=_forward_by_class, feature_tiles=_forward_narrow
)


@kernel
def _keep(block, is_first, row, column, width, rows, columns, gradient):
    if not is_first:
        block = block + load_block(gradient, row, column, width, rows, columns)
    store_block(gradient, row, column, block)


@kernel
def _backward_columns(
    features, numbers, n_rows, slopes, column, count, columns, is_first, blocks, gradient
):
    width, _, _, classes, _, _, _, _ = blocks
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
            count,
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
    width, side, half_side, _, _, _, _, _ = blocks
    numbers = all_numbers[0]
    n_features = features.shape[1]
    whole_features = n_features - n_features % len(width)
    step, half_step = len(side) * len(width), len(half_side) * len(width)
    column = whole_features - whole_features % step
    for whole_column in range(0, column, step):
        _backward_columns(
            features, numbers, n_rows, slopes, whole_column, None, side, is_first, blocks, gradient
        )
    if whole_features - column >= half_step:
        _backward_columns(
            features, numbers, n_rows, slopes, column, None, half_side, is_first, blocks, gradient
        )
        column += half_step
    for last_column in range(column, n_features, len(width)):
        count = n_features - last_column
        _backward_columns(
            features, numbers, n_rows, slopes, last_column, count, _ONE, is_first, blocks, gradient
        )
    _backward_biases(n_rows, slopes, is_first, width, gradient)


def _backward_narrow(
    features, feature_tiles, thread, all_numbers, n_rows, slopes, is_first, blocks, gradient
):
    width, side, _, classes, _, _, _, _ = blocks
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


backward = by_presence(_backward_wide, feature_tiles=_backward_narrow)
