"""Products of a tile of dense rows with the parameters: forward and backward.

The lanes of a vector are classes: one scalar of the features is broadcast and
multiplied by a vector of weights. So the features are read element by element
and may have any strides, and no product needs a sum across lanes.

Parameters and gradients are `(n_features + 1, padded_classes)` with the bias in the last row;
`padded_classes` is a multiple of the lanes and the padding is zero.
"""

from .jit import kernel
from .lanes import (
    load,
    load_rows,
    multiply_add,
    prefetch,
    repeat,
    splat,
    splat_along,
    splat_down,
    store_rows,
)

# Rows (forward) or features (backward) whose products stay in registers together.
_BLOCK = 8
_IN_BLOCK = _BLOCK - 1
_EIGHT = (0,) * _BLOCK
_ONE = (0,)


@kernel
def _forward_one_vector(features, row, parameters, column, width, count, tile_row, logits_out):
    n_features = features.shape[1]
    products = repeat(load(parameters, n_features, column, width), count)
    for feature in range(n_features):
        prefetch(features, row + _BLOCK + (feature & _IN_BLOCK), feature & ~_IN_BLOCK)
        weights = load(parameters, feature, column, width)
        values = splat_down(features, row, feature, weights, count)
        products = multiply_add(values, weights, products)
    store_rows(logits_out, tile_row, column, products)


@kernel
def _forward_two_vectors(features, row, parameters, column, width, count, tile_row, logits_out):
    n_features = features.shape[1]
    next_column = column + len(width)
    products = repeat(load(parameters, n_features, column, width), count)
    next_products = repeat(load(parameters, n_features, next_column, width), count)
    for feature in range(n_features):
        # Each pass of eight rows fetches the next eight, a cache line at a time.
        prefetch(features, row + _BLOCK + (feature & _IN_BLOCK), feature & ~_IN_BLOCK)
        weights = load(parameters, feature, column, width)
        next_weights = load(parameters, feature, next_column, width)
        values = splat_down(features, row, feature, weights, count)
        products = multiply_add(values, weights, products)
        next_products = multiply_add(values, next_weights, next_products)
    store_rows(logits_out, tile_row, column, products)
    store_rows(logits_out, tile_row, next_column, next_products)


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
    lanes = len(width)
    padded_classes = parameters.shape[1]
    paired_classes = padded_classes - padded_classes % (2 * lanes)
    whole_rows = n_rows - n_rows % _BLOCK
    for column in range(0, paired_classes, 2 * lanes):
        for row in range(0, whole_rows, _BLOCK):
            _forward_two_vectors(
                features, start + row, parameters, column, width, _EIGHT, row, logits_out
            )
        for row in range(whole_rows, n_rows):
            _forward_two_vectors(
                features, start + row, parameters, column, width, _ONE, row, logits_out
            )
    if paired_classes < padded_classes:
        for row in range(0, whole_rows, _BLOCK):
            _forward_one_vector(
                features, start + row, parameters, paired_classes, width, _EIGHT, row, logits_out
            )
        for row in range(whole_rows, n_rows):
            _forward_one_vector(
                features, start + row, parameters, paired_classes, width, _ONE, row, logits_out
            )


@kernel
def _backward_one_vector(
    features, start, n_rows, logit_gradients, column, width, count, feature, gradient
):
    zero = splat(0.0, load(gradient, feature, column, width))
    products = repeat(zero, count)
    for row in range(n_rows):
        slopes = load(logit_gradients, row, column, width)
        values = splat_along(features, start + row, feature, slopes, count)
        products = multiply_add(values, slopes, products)
    so_far = load_rows(gradient, feature, column, width, count)
    store_rows(gradient, feature, column, so_far + products)


@kernel
def _backward_two_vectors(
    features, start, n_rows, logit_gradients, column, width, count, feature, gradient
):
    next_column = column + len(width)
    zero = splat(0.0, load(gradient, feature, column, width))
    products = repeat(zero, count)
    next_products = repeat(zero, count)
    for row in range(n_rows):
        slopes = load(logit_gradients, row, column, width)
        next_slopes = load(logit_gradients, row, next_column, width)
        values = splat_along(features, start + row, feature, slopes, count)
        products = multiply_add(values, slopes, products)
        next_products = multiply_add(values, next_slopes, next_products)
    so_far = load_rows(gradient, feature, column, width, count)
    store_rows(gradient, feature, column, so_far + products)
    so_far = load_rows(gradient, feature, next_column, width, count)
    store_rows(gradient, feature, next_column, so_far + next_products)


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
    lanes = len(width)
    padded_classes = gradient.shape[1]
    paired_classes = padded_classes - padded_classes % (2 * lanes)
    whole_features = n_features - n_features % _BLOCK
    for column in range(0, padded_classes, lanes):
        bias_slope = splat(0.0, load(gradient, n_features, column, width))
        for row in range(n_rows):
            bias_slope = bias_slope + load(logit_gradients, row, column, width)
        so_far = load_rows(gradient, n_features, column, width, _ONE)
        store_rows(gradient, n_features, column, so_far + repeat(bias_slope, _ONE))
    for column in range(0, paired_classes, 2 * lanes):
        for feature in range(0, whole_features, _BLOCK):
            _backward_two_vectors(
                features, start, n_rows, logit_gradients, column, width, _EIGHT, feature, gradient
            )
        for feature in range(whole_features, n_features):
            _backward_two_vectors(
                features, start, n_rows, logit_gradients, column, width, _ONE, feature, gradient
            )
    if paired_classes < padded_classes:
        column = paired_classes
        for feature in range(0, whole_features, _BLOCK):
            _backward_one_vector(
                features, start, n_rows, logit_gradients, column, width, _EIGHT, feature, gradient
            )
        for feature in range(whole_features, n_features):
            _backward_one_vector(
                features, start, n_rows, logit_gradients, column, width, _ONE, feature, gradient
            )
