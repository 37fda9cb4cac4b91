"""From a tile of rows to its logits; see `matmul` for how products are taken."""

from .compile.entry_point import by_presence, kernel
from .groups import Ahead
from .simd.cpu import CACHE_LINE
from .simd.lanes import (
    block_of,
    combine,
    contract,
    contract_by_class,
    load,
    load_block,
    prefetch_numbered,
    repeat_along,
    repeat_down,
    splat,
    splat_down,
    store_block,
)

_NONE, _ONE = (), (0,)
# Of the weights of a class that are taken at a time; measured.
_BLOCK_BYTES = 1536


def _forward_wide(rows, work, model, n_rows, parameters, blocks, logits_out):
    width, side, classes = blocks.width, blocks.contract_rows, blocks.contract_classes
    features = rows.features
    numbers = work.numbers[0]
    n_features = features.shape[1]
    bias_column = parameters.shape[1] - len(width)
    tile_rows = logits_out.shape[1]
    # Weights of some classes and the tile's features stay in the first-level cache meanwhile.
    n_blocks = max((n_features * parameters.itemsize + _BLOCK_BYTES // 2) // _BLOCK_BYTES, 1)
    per_line = CACHE_LINE // features.itemsize
    block = -(-n_features // (n_blocks * per_line)) * per_line
    for first in range(0, n_features, block):
        n_here = min(block, n_features - first)
        features_here, weights_here = features[:, first:], parameters[:, first:]
        for group in range(0, parameters.shape[0], len(classes)):
            biases = load_block(parameters, group, bias_column, width, classes, _ONE)
            if first > 0:
                biases = block_of(splat(0.0, load(parameters, group, 0, width)), classes, _ONE)
            sums = repeat_down(biases, side)
            # The rows of the next tile are fetched by the first groups.
            ahead = tile_rows + group // len(classes) * len(blocks.rows_ahead)
            fetches = ahead < tile_rows + len(side)
            for row in range(0, n_rows, len(side)):
                logits = contract(
                    sums,
                    features_here,
                    numbers,
                    row,
                    0,
                    n_here,
                    weights_here,
                    group,
                    Ahead(
                        ahead + row if fetches else -1,
                        0,
                        blocks.rows_ahead,
                        (features, 0, 1, _NONE),
                        0,
                    ),
                )
                if first > 0:
                    logits = logits + load_block(logits_out, group, row, side, classes, _ONE)
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
    width, classes = blocks.width, blocks.combine_classes
    bias_column = parameters.shape[1] - len(width)
    _, _, _, vectors_ahead = coming
    for group in range(0, parameters.shape[0], len(classes)):
        like = load(logits_out, group, row, width)
        biases = splat_down(parameters, group, bias_column, like, classes)
        logits = combine(
            repeat_along(biases, vectors),
            parameters,
            group,
            columns,
            numbers,
            n_features,
            start + row,
            count,
            Ahead(-1, 0, _NONE, coming, n_fetched),
        )
        n_fetched += n_features * len(vectors_ahead)
        store_block(logits_out, group, row, logits)
    return n_fetched


def _forward_narrow(rows, work, model, n_rows, parameters, blocks, logits_out):
    width, side = blocks.width, blocks.combine_vectors
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
    width, side = blocks.width, blocks.combine_vectors
    columns, all_numbers = rows.columns, work.numbers
    numbers = all_numbers[1]
    n_features, n_samples = columns.shape
    tile_rows = logits_out.shape[1]
    start = all_numbers[0, 0]
    n_there = n_samples - start
    step = len(side) * len(width)
    whole_rows = min(n_rows, n_there)
    whole_rows -= whole_rows % step
    coming = columns, all_numbers[0, tile_rows], tile_rows, blocks.rows_ahead
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
        As many as the classes take whole vectors, if there are `feature_weights`. What rows take
        beyond `n_rows` at a time is overwritten.
    """
    class_width, side = blocks.class_width, blocks.class_rows
    features, numbers = rows.features, work.numbers[0]
    weights = work.feature_weights[model]
    n_features = features.shape[1]
    biases = load_block(weights, weights.shape[0] - 1, 0, class_width, _ONE, blocks.class_vectors)
    for row in range(0, n_rows, len(side)):
        for column in range(0, n_features, CACHE_LINE // features.itemsize):
            prefetch_numbered(features, numbers, logits_out.shape[1] + row, column, side)
        logits = contract_by_class(
            repeat_down(biases, side), features, numbers, row, n_features, weights
        )
        store_block(logits_out, 0, row, logits)


forward = by_presence(
    _forward_wide,
    {
        "work.feature_weights": _forward_by_class,
        "rows.columns": _forward_in_place,
        "work.feature_tile": _forward_narrow,
    },
)
