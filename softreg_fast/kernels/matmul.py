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
from .rows import fetch_vectors, place_of_vector
from .simd.lanes import (
    add_outer,
    load,
    load_along,
    load_block,
    load_numbered,
    prefetch_along,
    prefetch_numbered,
    splat_down,
    sum_each,
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
def contract(
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
def combine(
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
