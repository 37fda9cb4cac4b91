"""Products of a tile of rows with the parameters: forward to logits, backward to gradients.

Parameters and gradients are ``(padded_classes, padded_features + lanes)``: a row for each class,
zeros behind the last feature, and the bias as the first number of the last vector. Logits and
their derivatives are ``(padded_classes, tile_rows)``.

Wide rows are read where they lie, a vector of features at a time: *contracted* with the parameters
forward, where every product ends in one sum across lanes, and *combined* backward. Of columns
(`Rows.columns`) the lanes are rows, and the two operations change places; narrow or scattered rows
are transposed to columns first, a tile at a time (`Workspace.feature_tile`). For rows in between
and few classes the sums across lanes would cost as much as the products: forward, the lanes are
classes, and the parameters are transposed (`Workspace.feature_weights`). Rows of the tile beyond
the last have finite numbers and no weight.

`blocks` is eight tuples whose lengths are the lanes, the vectors that are contracted or combined
side by side, half of them, the classes, how much of the next tile is fetched meanwhile (rows
forward, vectors backward; of columns vectors both ways), and, where the lanes are classes, their
number and that of the rows taken at a time.
"""

from .compile.entry_point import by_presence, kernel
from .groups import Ahead
from .rows import fetch_ahead, fetch_vectors, place_of_vector
from .simd.lanes import (
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

_NONE, _ONE = (), (0,)


@kernel
def _contract_vector(
    sums, vectors, numbers, first, start, column, count, matrix, group, like, blocks
):
    width, side, _, classes, _, _, _, _ = blocks
    down = load_numbered(vectors, numbers, first, start + column, count, like, side)
    along = load_block(matrix, group, column, width, classes, _ONE)
    return add_outer(sums, down, along)


@kernel
def _contract(
    sums,
    vectors,
    numbers,
    first,
    start,
    n_columns,
    matrix,
    group,
    blocks,
    ahead,
):
    """Add, for some classes and some numbered rows, their vectors times the matrix' vectors.

    The rows' vectors are taken from the column `start` on, the matrix' from its first column on.
    """
    width = blocks[0]
    like = load(matrix, group, 0, width)
    whole = n_columns - n_columns % len(width)
    place = place_of_vector(ahead.n_fetched, ahead.coming, width)
    for column in range(0, whole, len(width)):
        place = fetch_vectors(ahead.coming, place, width)
        prefetch_numbered(vectors, numbers, ahead.number, column, ahead.blocks)
        sums = _contract_vector(
            sums, vectors, numbers, first, start, column, None, matrix, group, like, blocks
        )
    if whole < n_columns:
        count = n_columns - whole
        prefetch_numbered(vectors, numbers, ahead.number, whole, ahead.blocks)
        sums = _contract_vector(
            sums, vectors, numbers, first, start, whole, count, matrix, group, like, blocks
        )
    return sum_each(sums)


@kernel
def _combine(
    sums,
    scalars,
    group,
    vectors,
    numbers,
    n_rows,
    column,
    count,
    blocks,
    columns,
    ahead,
):
    """Add, for some classes, the sum of the numbered rows' vectors times the classes' scalars.

    `count` is how many elements of the rows there are from `column` on, None if enough.
    """
    width, _, _, classes, _, _, _, _ = blocks
    like = load(scalars, group, 0, width)
    # Each group of classes fetches other vectors.
    column_ahead = column + group // len(classes) * len(ahead.blocks) * len(width)
    place = place_of_vector(ahead.n_fetched, ahead.coming, width)
    for row in range(n_rows):
        place = fetch_vectors(ahead.coming, place, width)
        prefetch_along(vectors, numbers[ahead.number + row], column_ahead, width, ahead.blocks)
        down = splat_down(scalars, group, row, like, classes)
        along = load_along(vectors, numbers[row], column, count, like, columns)
        sums = add_outer(sums, down, along)
    return sums


def _leave_weights(parameters, width, model, feature_weights_out):
    pass


def _transpose_weights(parameters, width, model, feature_weights_out):
    """Weights with a row for each feature, if there is an array for them; the last is the biases.

    Parameters
    ----------
    parameters : (padded_classes, padded_features + lanes)
    width : tuple of `lanes`
    model : int
        Which to write.
    feature_weights_out : (n_models, n_features + 1, class_lanes) or None
    """
    weights_out = feature_weights_out[model]
    n_features = weights_out.shape[0] - 1
    bias_column = parameters.shape[1] - len(width)
    for label in range(min(parameters.shape[0], weights_out.shape[1])):
        for feature in range(n_features):
            weights_out[feature, label] = parameters[label, feature]
        weights_out[n_features, label] = parameters[label, bias_column]


transpose_weights = by_presence(_leave_weights, {"feature_weights_out": _transpose_weights})


def _forward_wide(rows, work, model, n_rows, parameters, blocks, logits_out):
    width, side, _, classes, rows_ahead, _, _, _ = blocks
    features = rows.features
    numbers = work.numbers[0]
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
                0,
                n_features,
                parameters,
                group,
                blocks,
                Ahead(ahead, rows_ahead, (features, 0, 1, _NONE), 0),
            )
            # The rows of the next tile are fetched meanwhile.
            ahead = min(ahead + len(rows_ahead), 2 * logits_out.shape[1] - len(rows_ahead))
            store_block(logits_out, group, row, logits)


@kernel
def _forward_vectors(
    columns,
    start,
    n_features,
    numbers,
    row,
    count,
    vectors,
    parameters,
    blocks,
    coming,
    n_fetched,
    logits_out,
):
    """Logits of some vectors of rows, and how many vectors have been fetched then."""
    width, _, _, classes, _, _, _, _ = blocks
    bias_column = parameters.shape[1] - len(width)
    _, _, _, vectors_ahead = coming
    for group in range(0, parameters.shape[0], len(classes)):
        like = load(logits_out, group, row, width)
        biases = splat_down(parameters, group, bias_column, like, classes)
        logits = _combine(
            repeat_along(biases, vectors),
            parameters,
            group,
            columns,
            numbers,
            n_features,
            start + row,
            count,
            blocks,
            vectors,
            Ahead(0, _NONE, coming, n_fetched),
        )
        n_fetched += n_features * len(vectors_ahead)
        store_block(logits_out, group, row, logits)
    return n_fetched


def _forward_narrow(rows, work, model, n_rows, parameters, blocks, logits_out):
    width, side, _, _, _, _, _, _ = blocks
    columns = work.feature_tile
    numbers = work.numbers[1]
    n_features = rows.features.shape[1]
    step = len(side) * len(width)
    whole_rows = n_rows - n_rows % step
    nothing = columns, 0, 1, _NONE
    for row in range(0, whole_rows, step):
        _forward_vectors(
            columns,
            0,
            n_features,
            numbers,
            row,
            None,
            side,
            parameters,
            blocks,
            nothing,
            0,
            logits_out,
        )
    for row in range(whole_rows, n_rows, len(width)):
        _forward_vectors(
            columns,
            0,
            n_features,
            numbers,
            row,
            None,
            _ONE,
            parameters,
            blocks,
            nothing,
            0,
            logits_out,
        )


def _forward_in_place(rows, work, model, n_rows, parameters, blocks, logits_out):
    width, side, _, _, vectors_ahead, _, _, _ = blocks
    columns, all_numbers = rows.columns, work.numbers
    numbers = all_numbers[1]
    n_features, n_samples = columns.shape
    tile_rows = logits_out.shape[1]
    start = all_numbers[0, 0]
    n_there = n_samples - start
    step = len(side) * len(width)
    whole_rows = min(n_rows, n_there)
    whole_rows -= whole_rows % step
    coming = columns, all_numbers[0, tile_rows], tile_rows, vectors_ahead
    n_fetched = 0
    for row in range(0, whole_rows, step):
        n_fetched = _forward_vectors(
            columns,
            start,
            n_features,
            numbers,
            row,
            None,
            side,
            parameters,
            blocks,
            coming,
            n_fetched,
            logits_out,
        )
    for row in range(whole_rows, n_rows, len(width)):
        n_fetched = _forward_vectors(
            columns,
            start,
            n_features,
            numbers,
            row,
            n_there - row,
            _ONE,
            parameters,
            blocks,
            coming,
            n_fetched,
            logits_out,
        )


def _forward_by_class(rows, work, model, n_rows, parameters, blocks, logits_out):
    """Logits of a tile of rows.

    Parameters
    ----------
    rows : Rows
    work : Workspace
        Holds the numbers of the tile's rows.
    model : int
        Which of the transposed parameters to take.
    n_rows : int
        Rows in the tile, a multiple of the lanes.
    parameters : (padded_classes, padded_features + lanes)
    blocks : tuple of tuples
    logits_out : (>= padded_classes, tile_rows)
        As many as `class_lanes`, if there are `feature_weights`.
    """
    width, _, _, _, _, _, class_width, side = blocks
    features = rows.features
    weights = work.feature_weights[model]
    numbers = work.numbers[0]
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
    _forward_wide,
    {
        "work.feature_weights": _forward_by_class,
        "rows.columns": _forward_in_place,
        "work.feature_tile": _forward_narrow,
    },
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
    width, _, _, classes, _, vectors_ahead, _, _ = blocks
    for group in range(0, gradient.shape[0], len(classes)):
        zero = splat(0.0, load(slopes, group, 0, width))
        products = _combine(
            block_of(zero, classes, columns),
            slopes,
            group,
            features,
            numbers,
            n_rows,
            column,
            count,
            blocks,
            columns,
            Ahead(slopes.shape[1], vectors_ahead, (features, 0, 1, _NONE), 0),
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


def _backward_wide(rows, work, n_rows, slopes, is_first, blocks, gradient):
    """Add the gradient of the summed loss of a tile of rows to `gradient`.

    Parameters
    ----------
    rows, work, n_rows
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
    features, numbers = rows.features, work.numbers[0]
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


@kernel
def _backward_vectors(
    columns,
    start,
    numbers,
    first,
    n_rows,
    slopes,
    group,
    is_first,
    blocks,
    coming,
    n_fetched,
    gradient,
):
    """Add to the gradient of some classes and some features, one vector of rows after the other."""
    width, side, _, classes, _, _, _, _ = blocks
    zero = splat(0.0, load(slopes, 0, 0, width))
    products = _contract(
        block_of(zero, side, classes),
        columns,
        numbers,
        first,
        start,
        n_rows,
        slopes,
        group,
        blocks,
        Ahead(0, _NONE, coming, n_fetched),
    )
    _keep(products, is_first, group, first, side, classes, _ONE, gradient)


def _backward_narrow(rows, work, n_rows, slopes, is_first, blocks, gradient):
    width, side, _, classes, _, _, _, _ = blocks
    columns, all_numbers = work.feature_tile, work.numbers
    numbers = all_numbers[1]
    n_features = columns.shape[0]
    n_steps = gradient.shape[0] // len(classes) * (-(-n_features // len(side)))
    nothing = columns, 0, 1, _NONE
    step = 0
    for group in range(0, gradient.shape[0], len(classes)):
        for feature in range(0, n_features, len(side)):
            fetch_ahead(rows.features, all_numbers[0], slopes.shape[1], step, n_steps, width)
            step += 1
            _backward_vectors(
                columns,
                0,
                numbers,
                feature,
                n_rows,
                slopes,
                group,
                is_first,
                blocks,
                nothing,
                0,
                gradient,
            )
    _backward_biases(n_rows, slopes, is_first, width, gradient)


def _backward_in_place(rows, work, n_rows, slopes, is_first, blocks, gradient):
    width, side, _, classes, vectors_ahead, _, _, _ = blocks
    columns, all_numbers = rows.columns, work.numbers
    n_features, n_samples = columns.shape
    tile_rows = slopes.shape[1]
    start = all_numbers[0, 0]
    n_there = min(n_rows, n_samples - start)
    coming = columns, all_numbers[0, tile_rows], tile_rows, vectors_ahead
    n_groups = gradient.shape[0] // len(classes)
    # As many as have been fetched forward.
    n_steps = -(-n_rows // (len(side) * len(width)))
    n_fetched = n_steps * n_groups * n_features * len(vectors_ahead)
    padded_features = -(-n_features // len(side)) * len(side)
    for group in range(0, gradient.shape[0], len(classes)):
        for feature in range(0, padded_features, len(side)):
            _backward_vectors(
                columns,
                start,
                all_numbers[1],
                feature,
                n_there,
                slopes,
                group,
                is_first,
                blocks,
                coming,
                n_fetched,
                gradient,
            )
            n_fetched += n_there // len(width) * len(vectors_ahead)
    # There the last feature has been taken again.
    for label in range(gradient.shape[0]):
        for feature in range(n_features, padded_features):
            gradient[label, feature] = 0.0
    _backward_biases(n_rows, slopes, is_first, width, gradient)


backward = by_presence(
    _backward_wide,
    {"rows.columns": _backward_in_place, "work.feature_tile": _backward_narrow},
)
