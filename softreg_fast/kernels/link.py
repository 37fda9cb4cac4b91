"""From logits to loss and gradient, and to the predicted class, on a tile of rows.

A tile is `(rows, padded_classes)`. With the sigmoid link its values are ``sigmoid(logits)``, with
the identity link the logits themselves; probabilities are the softmax of the values.
"""

import math

import numpy as np

from .exponential import exponential
from .jit import kernel
from .lanes import (
    load,
    max_lanes,
    maximum,
    minimum,
    select_first,
    select_lane,
    select_less,
    splat,
    store,
    sum_lanes,
)

# Where the best logit leads the next by this margin, after both are cut to +-_CUT for the sigmoid
# link, rounding cannot turn the lead into a tie: the slope of the sigmoid at the cut times the
# margin is at least fifty units in the last place of 1.
_CUT_DOUBLE, _MARGIN_DOUBLE = 16.0, 1e-7
_CUT_SINGLE, _MARGIN_SINGLE = 5.0, 1e-3


@kernel
def sigmoid_rows(first, stop, width, logits, values_out):
    """Sigmoid of the logits of rows `first` to `stop`; overflows nowhere."""
    for row in range(first, stop):
        for column in range(0, logits.shape[1], len(width)):
            z = load(logits, row, column, width)
            zero = splat(0.0, z)
            one = splat(1.0, z)
            decayed = exponential(minimum(z, zero - z))
            upper = one / (one + decayed)
            store(values_out, row, column, select_less(z, zero, decayed * upper, upper))


@kernel
def shift_rows(first, stop, n_classes, width, values, shifted_out):
    """Values less the largest of their row."""
    for row in range(first, stop):
        lowest = splat(-np.inf, load(values, row, 0, width))
        largest = lowest
        for column in range(0, values.shape[1], len(width)):
            v = load(values, row, column, width)
            largest = maximum(largest, select_first(n_classes - column, v, lowest))
        shift = splat(max_lanes(largest), lowest)
        for column in range(0, values.shape[1], len(width)):
            store(shifted_out, row, column, load(values, row, column, width) - shift)


@kernel
def exponential_rows(first, stop, n_classes, width, values, exponentials_out):
    """Exponentials of the values, exact zeros in the padding."""
    for row in range(first, stop):
        for column in range(0, values.shape[1], len(width)):
            v = load(values, row, column, width)
            masked = select_first(n_classes - column, exponential(v), splat(0.0, v))
            store(exponentials_out, row, column, masked)


@kernel
def sum_row(row, width, exponentials):
    """Sum of a row."""
    total = load(exponentials, row, 0, width)
    for column in range(len(width), exponentials.shape[1], len(width)):
        total = total + load(exponentials, row, column, width)
    return sum_lanes(total)


@kernel
def loss_and_gradient_rows(
    targets, start, n_rows, sigmoid, notebook_gradient, width, values, exponentials
):
    """Summed loss of a tile and, in place of the exponentials, its derivatives.

    Parameters
    ----------
    targets : (n_samples,) int32
    start, n_rows : int
        The rows of the tile; row 0 of `values` is row `start` of `targets`.
    sigmoid : bool
        Whether the link is the sigmoid.
    notebook_gradient : bool
        Whether to multiply by ``p[j]`` where the derivative has ``p[target]``.
    width : tuple of `lanes`
    values, exponentials : (>= n_rows, padded_classes)
        `exponentials` are ``exp(values)``; the derivatives of each row's loss with respect to its
        logits take their place.

    Returns
    -------
    float
        Sum of ``log(sum(exponentials)) - values[target]``.
    """
    loss = np.float64(0.0)
    product = np.float64(1.0)
    for row in range(n_rows):
        target = targets[start + row]
        total = sum_row(row, width, exponentials)
        loss -= values[row, target]
        # One logarithm for eight rows: a sum of at most 65,536 numbers of at most e each, to the
        # eighth power, is below 1e42.
        product *= total
        if row % 8 == 7:
            loss += math.log(product)
            product = np.float64(1.0)
        scale = 1.0 / total
        notebook_scale = 1.0 / exponentials[row, target] if notebook_gradient else 1.0
        for column in range(0, values.shape[1], len(width)):
            e = load(exponentials, row, column, width)
            zero = splat(0.0, e)
            one = splat(1.0, e)
            slope = e * splat(scale, e) - select_lane(target - column, one, zero)
            if notebook_gradient:
                slope = slope * (e * splat(notebook_scale, e))
            if sigmoid:
                s = load(values, row, column, width)
                slope = slope * (s * (one - s))
            store(exponentials, row, column, slope)
    return loss + math.log(product)


@kernel
def _is_predicted_despite_rounding(row, target, n_classes, sigmoid, width, logits):
    """Whether `target` is the first of the most probable classes, by the probabilities.

    Only where the sigmoid saturates are they worth computing: classes whose logits differ may
    have the same probability there. Overwrites the row.
    """
    if sigmoid:
        sigmoid_rows(row, row + 1, width, logits, logits)
    shift_rows(row, row + 1, n_classes, width, logits, logits)
    exponential_rows(row, row + 1, n_classes, width, logits, logits)
    total = sum_row(row, width, logits)
    highest = logits[row, target] / total
    for other in range(n_classes):
        probability = logits[row, other] / total
        if not probability <= highest or (other < target and probability == highest):
            return False
    return True


@kernel
def count_correct_rows(targets, start, n_rows, n_classes, sigmoid, width, logits):
    """How many rows of a tile have their target as the first most probable class.

    Parameters
    ----------
    targets : (n_samples,) int32
    start, n_rows : int
        The rows of the tile; row 0 of `logits` is row `start` of `targets`.
    n_classes : int
    sigmoid : bool
        Whether the link is the sigmoid.
    width : tuple of `lanes`
    logits : (>= n_rows, padded_classes)
        Overwritten where they have to be looked at more closely.

    Returns
    -------
    int
    """
    if logits.itemsize == 8:
        cut, margin = _CUT_DOUBLE, _MARGIN_DOUBLE
    else:
        cut, margin = _CUT_SINGLE, _MARGIN_SINGLE
    if not sigmoid:
        cut = np.inf
    n_correct = 0
    for row in range(n_rows):
        target = targets[start + row]
        lowest = splat(-np.inf, load(logits, row, 0, width))
        best_other = lowest
        for column in range(0, logits.shape[1], len(width)):
            z = select_first(n_classes - column, load(logits, row, column, width), lowest)
            best_other = maximum(best_other, select_lane(target - column, lowest, z))
        other = max_lanes(best_other)
        own = logits[row, target]
        lead = min(own, cut) - max(other, -cut)
        if margin < lead < np.inf:
            n_correct += 1
        elif not min(other, cut) - max(own, -cut) > margin:
            n_correct += _is_predicted_despite_rounding(
                row, target, n_classes, sigmoid, width, logits
            )
    return n_correct
