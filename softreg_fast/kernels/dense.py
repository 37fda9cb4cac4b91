"""Products of a tile of dense rows with the parameters: forward and backward.

The lanes of a vector are classes: one scalar of the features is broadcast and multiplied by a
vector of weights. So the features are read element by element and may have any strides, and no
product needs a sum across lanes.

Parameters and gradients are `(n_features + 1, padded_classes)` with the bias in the last row;
`padded_classes` is a multiple of the lanes and the padding is zero.
"""

from .jit import kernel
from .lanes import (
    add_outer,
    block_of,
    load,
    load_block,
    prefetch,
    repeat_row,
    splat,
    splat_along,
    splat_down,
    store,
    store_block,
)

# Rows (forward) or features (backward), and vectors of classes, whose products stay in registers.
_BLOCK_ROWS = 8
_ROW_IN_BLOCK = _BLOCK_ROWS - 1
_EIGHT, _TWO, _ONE = (0,) * _BLOCK_ROWS, (0,) * 2, (0,)


@kernel
def _forward_block(features, first, parameters, column, width, rows, columns, tile_row, logits_out):
    n_features = features.shape[1]
    bias = load_block(parameters, n_features, column, width, _ONE, columns)
    logits = repeat_row(bias, rows)
    for feature in range(n_features):
        # A pass over eight rows fetches the next eight, a cache line at a time.
        prefetch(
            features, first + _BLOCK_ROWS + (feature & _ROW_IN_BLOCK), feature & ~_ROW_IN_BLOCK
        )
        weights = load_block(parameters, feature, column, width, _ONE, columns)
        values = splat_down(features, first, feature, weights, rows)
        logits = add_outer(logits, values, weights)
    store_block(logits_out, tile_row, column, logits)


@kernel
def _forward_columns(features, start, n_rows, parameters, column, width, columns, logits_out):
    whole_rows = n_rows - n_rows % _BLOCK_ROWS
    for row in range(0, whole_rows, _BLOCK_ROWS):
        _forward_block(
            features, start + row, parameters, column, width, _EIGHT, columns, row, logits_out
        )
    for row in range(whole_rows, n_rows):
        _forward_block(
            features, start + row, parameters, column, width, _ONE, columns, row, logits_out
        )


@kernel
def forward(features, start, n_rows, parameters, width, logits_out):
    """Logits of the rows from `start`: features times weights plus bias.

    Parameters
    ----------
    features : (n_samples, n_features)
    start, n_rows : int
        The rows of the tile.
    parameters : (n_features + 1, padded_classes)
    width : tuple of `lanes`
    logits_out : (>= n_rows, padded_classes)
    """
    padded_classes = parameters.shape[1]
    paired_classes = padded_classes - padded_classes % (2 * len(width))
    for column in range(0, paired_classes, 2 * len(width)):
        _forward_columns(features, start, n_rows, parameters, column, width, _TWO, logits_out)
    if paired_classes < padded_classes:
        _forward_columns(
            features, start, n_rows, parameters, paired_classes, width, _ONE, logits_out
        )


@kernel
def _backward_block(
    features, start, n_rows, logit_gradients, column, width, rows, columns, feature, gradient
):
    zero = splat(0.0, load(gradient, feature, column, width))
    products = block_of(zero, rows, columns)
    for row in range(n_rows):
        slopes = load_block(logit_gradients, row, column, width, _ONE, columns)
        values = splat_along(features, start + row, feature, slopes, rows)
        products = add_outer(products, values, slopes)
    so_far = load_block(gradient, feature, column, width, rows, columns)
    store_block(gradient, feature, column, so_far + products)


@kernel
def _backward_columns(features, start, n_rows, logit_gradients, column, width, columns, gradient):
    n_features = features.shape[1]
    whole_features = n_features - n_features % _BLOCK_ROWS
    for feature in range(0, whole_features, _BLOCK_ROWS):
        _backward_block(
            features,
            start,
            n_rows,
            logit_gradients,
            column,
            width,
            _EIGHT,
            columns,
            feature,
            gradient,
        )
    for feature in range(whole_features, n_features):
        _backward_block(
            features,
            start,
            n_rows,
            logit_gradients,
            column,
            width,
            _ONE,
            columns,
            feature,
            gradient,
        )


@kernel
def backward(features, start, n_rows, logit_gradients, width, gradient):
    """Add the gradient of the summed loss of the rows from `start` to `gradient`.

    Parameters
    ----------
    features : (n_samples, n_features)
    start, n_rows : int
        The rows of the tile.
    logit_gradients : (>= n_rows, padded_classes)
        Derivatives of each row's loss with respect to its logits.
    width : tuple of `lanes`
    gradient : (n_features + 1, padded_classes)
        Changed in place. The tile is summed by itself first, which keeps rounding errors small.
    """
    n_features = features.shape[1]
    padded_classes = gradient.shape[1]
    for column in range(0, padded_classes, len(width)):
        so_far = load(gradient, n_features, column, width)
        bias_slope = splat(0.0, so_far)
        for row in range(n_rows):
            bias_slope = bias_slope + load(logit_gradients, row, column, width)
        store(gradient, n_features, column, so_far + bias_slope)
    paired_classes = padded_classes - padded_classes % (2 * len(width))
    for column in range(0, paired_classes, 2 * len(width)):
        _backward_columns(features, start, n_rows, logit_gradients, column, width, _TWO, gradient)
    if paired_classes < padded_classes:
        _backward_columns(
            features, start, n_rows, logit_gradients, paired_classes, width, _ONE, gradient
        )
