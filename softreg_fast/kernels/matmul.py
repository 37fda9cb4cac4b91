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

See `groups.Blocks` for how much is taken at a time, and `simd.lanes` for the two operations.
"""

from .compile.entry_point import by_presence
from .simd.lanes import load_block, store_block, transpose

_ONE = (0,)
# Weights are transposed in squares of so many features and classes.
SQUARE = (0, 0, 0, 0)


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
    feature_weights_out : (n_models, >= n_features + 1, class_vectors * class_lanes) or None
        As many rows as features in whole squares, and one.
    """
    weights_out = feature_weights_out[model]
    last = weights_out.shape[0] - 1
    bias_column = parameters.shape[1] - len(width)
    n_classes = min(parameters.shape[0], weights_out.shape[1])
    whole_classes = n_classes - n_classes % len(SQUARE)
    for feature in range(0, last, len(SQUARE)):
        for label in range(0, whole_classes, len(SQUARE)):
            square = load_block(parameters, label, feature, SQUARE, SQUARE, _ONE)
            store_block(weights_out, feature, label, transpose(square))
        for label in range(whole_classes, n_classes):
            for place in range(feature, feature + len(SQUARE)):
                weights_out[place, label] = parameters[label, place]
    for label in range(n_classes):
        weights_out[last, label] = parameters[label, bias_column]


transpose_weights = by_presence(_leave_weights, {"feature_weights_out": _transpose_weights})
