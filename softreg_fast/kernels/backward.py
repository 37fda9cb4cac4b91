"""From the slopes of a tile of rows to the gradient; see `matmul` for how products are taken."""

from .compile.entry_point import by_presence, kernel
from .groups import Ahead
from .rows import fetch_ahead
from .simd.cpu import CACHE_LINE
from .simd.lanes import block_of, combine, contract, load, load_block, splat, store_block, sum_lanes

_NONE, _ONE = (), (0,)


@kernel
def _keep(block, is_first, row, column, width, rows, columns, gradient):
    if not is_first:
        block = block + load_block(gradient, row, column, width, rows, columns)
    store_block(gradient, row, column, block)


@kernel
def _backward_columns(
    features, numbers, n_rows, slopes, column, count, columns, is_first, blocks, gradient
):
    width, classes = blocks.width, blocks.combine_classes
    for group in range(0, gradient.shape[0], len(classes)):
        zero = splat(0.0, load(slopes, group, 0, width))
        # Each group of classes fetches other cache lines of the next tile.
        step = max(len(blocks.vectors_ahead) * len(width), CACHE_LINE // features.itemsize)
        offset = group // len(classes) * step
        products = combine(
            block_of(zero, classes, columns),
            slopes,
            group,
            features,
            numbers,
            n_rows,
            column,
            count,
            Ahead(
                slopes.shape[1] if offset < len(columns) * len(width) else -1,
                column + offset,
                blocks.vectors_ahead,
                (features, 0, 1, _NONE),
                0,
            ),
        )
        _keep(products, is_first, group, column, width, classes, columns, gradient)


@kernel
def _backward_biases(n_rows, slopes, is_first, blocks, gradient):
    """The biases' part; some classes side by side, whose sums don't wait for each other."""
    width, classes = blocks.width, blocks.combine_classes
    bias_column = gradient.shape[1] - len(width)
    for group in range(0, gradient.shape[0], len(classes)):
        totals = load_block(slopes, group, 0, width, classes, _ONE)
        for row in range(len(width), n_rows, len(width)):
            totals = totals + load_block(slopes, group, row, width, classes, _ONE)
        store_block(slopes, group, 0, totals)
    for label in range(gradient.shape[0]):
        before = 0.0 if is_first else gradient[label, bias_column]
        gradient[label, bias_column] = before + sum_lanes(load(slopes, label, 0, width))


def _backward_wide(rows, work, n_rows, slopes, is_first, blocks, gradient):
    """Add the gradient of the summed loss of a tile of rows to `gradient`.

    Parameters
    ----------
    rows, work, n_rows
        As in `forward`.
    slopes : (padded_classes, tile_rows)
        Derivatives of each row's loss with respect to its logits. The first vector of each class is
        overwritten in the end.
    is_first : bool
        Whether to write `gradient` instead of adding to it.
    blocks : tuple of tuples
    gradient : (padded_classes, padded_features + lanes)
        Changed in place. The tile is summed by itself first, which keeps rounding errors small.
    """
    width, side, half_side = blocks.width, blocks.combine_vectors, blocks.half_vectors
    features, numbers = rows.features, work.numbers[0]
    n_features = features.shape[1]
    whole_features = n_features - n_features % len(width)
    step, half_step = len(side) * len(width), len(half_side) * len(width)
    column = whole_features - whole_features % step
    for whole_column in range(0, column, step):
        _backward_columns(
            features, numbers, n_rows, slopes, whole_column, None, side, is_first, blocks, gradient
        )
    # The last vector is written with the biases in it, if need be: theirs come afterwards.
    for last_column in range(column, n_features, half_step):
        count = n_features - last_column
        _backward_columns(
            features,
            numbers,
            n_rows,
            slopes,
            last_column,
            count,
            half_side,
            is_first,
            blocks,
            gradient,
        )
    _backward_biases(n_rows, slopes, is_first, blocks, gradient)


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
    width, side, classes = blocks.width, blocks.contract_rows, blocks.contract_classes
    zero = splat(0.0, load(slopes, 0, 0, width))
    products = contract(
        block_of(zero, side, classes),
        columns,
        numbers,
        first,
        start,
        n_rows,
        slopes,
        group,
        Ahead(-1, 0, _NONE, coming, n_fetched),
    )
    _keep(products, is_first, group, first, side, classes, _ONE, gradient)


def _backward_narrow(rows, work, n_rows, slopes, is_first, blocks, gradient):
    width, side, classes = blocks.width, blocks.contract_rows, blocks.contract_classes
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
    _backward_biases(n_rows, slopes, is_first, blocks, gradient)


def _backward_in_place(rows, work, n_rows, slopes, is_first, blocks, gradient):
    width, side, classes = blocks.width, blocks.contract_rows, blocks.contract_classes
    columns, all_numbers = rows.columns, work.numbers
    n_features, n_samples = columns.shape
    tile_rows = slopes.shape[1]
    start = all_numbers[0, 0]
    n_there = min(n_rows, n_samples - start)
    coming = columns, all_numbers[0, tile_rows], tile_rows, blocks.rows_ahead
    n_groups = gradient.shape[0] // len(classes)
    # As many as have been fetched forward.
    n_steps = -(-n_rows // (len(side) * len(width)))
    n_fetched = n_steps * n_groups * n_features * len(blocks.rows_ahead)
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
            n_fetched += n_there // len(width) * len(blocks.rows_ahead)
    # There the last feature has been taken again.
    for label in range(gradient.shape[0]):
        for feature in range(n_features, padded_features):
            gradient[label, feature] = 0.0
    _backward_biases(n_rows, slopes, is_first, blocks, gradient)


backward = by_presence(
    _backward_wide,
    {"rows.columns": _backward_in_place, "work.feature_tile": _backward_narrow},
)
