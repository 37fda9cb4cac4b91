"""Dual coordinate ascent over the rows of a sparse matrix.

The dual has a variable for each row and class: a probability. The model follows from these by
``weights = -X.T @ (w * (p - T)) / l2_penalty``, with the rows' weights ``w``, the probabilities
``p`` and the one-hot targets ``T``. A row is taken after the other, and the dual is maximised over
its probabilities, which changes the weights of its features (Yu, Huang and Lin, Dual coordinate
descent methods for logistic regression and maximum entropy models, 2011).

Biases aren't penalised, which is a constraint of the dual: ``sum(w * (p - T))``, the *residual*, is
zero. It is met by a method of multipliers: the biases are moved with each row as if they belonged
to a feature of the value ``sqrt(bias_square)``, and by the residual after each epoch.

One thread does it: each row begins with the model that the one before it leaves.
"""

import math

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point, kernel
from .groups import SparseRows
from .shapes import SparseSpecialisation, sparse_blocks_type, sparse_rows_types
from .simd.lanes import (
    add_outer,
    block_of,
    exponential,
    load,
    load_block,
    maximum,
    minimum,
    prefetch_element,
    splat,
    store,
    store_block,
    sum_lanes,
)
from .sparse_pass import take_logits_of_row

DUAL_ASCENT_SETTINGS = np.dtype(
    [
        ("n_classes", np.int64),  # columns of the model
        ("l2_penalty", np.float64),
        ("bias_square", np.float64),  # zero if the biases are fixed
    ],
    align=True,
)

# Logarithms of probabilities are at least this.
LEAST_LOGARITHM = -40.0
# Lines of a row's classes that are worked in.
N_LINES = 5

_ONE = (0,)
_MOST_STEPS = 60
# Of a probability: what Newton's last step changes squares to nothing.
_SMALL_CHANGE = 1e-4


@kernel
def _sum_squares(data, start, stop):
    """Of some elements, in four sums that the CPU can add to at the same time."""
    sums = 0.0, 0.0, 0.0, 0.0
    whole = start + (stop - start) // 4 * 4
    for element in range(start, whole, 4):
        first, second = np.float64(data[element]), np.float64(data[element + 1])
        third, fourth = np.float64(data[element + 2]), np.float64(data[element + 3])
        sums = (
            sums[0] + first * first,
            sums[1] + second * second,
            sums[2] + third * third,
            sums[3] + fourth * fourth,
        )
    for element in range(whole, stop):
        value = np.float64(data[element])
        sums = sums[0] + value * value, sums[1], sums[2], sums[3]
    return (sums[0] + sums[1]) + (sums[2] + sums[3])


@kernel
def _softplus(value):
    """``log(1 + exp(value))``."""
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


@kernel
def _climb_single(logs, row, curvature, lines):
    """`_climb` for a model of one column, with log-odds in place of logarithms."""
    logit = np.float64(lines[0, 0])
    before = np.float64(logs[row, 0])
    own = 1.0 / (1.0 + math.exp(-before))
    # log(1 + exp(before)), from the probability
    softplus = before - math.log(own) if before > 0.0 else -math.log1p(-own)
    divergence = own * (before - logit) + _softplus(logit) - softplus
    # odds + curvature * probability(odds) = sum
    sum = logit + curvature * own
    low, high = sum - curvature, sum
    odds = min(max(before, low), high)
    change = 2.0 * (high - low)
    while abs(change) > _SMALL_CHANGE:
        probability = 1.0 / (1.0 + math.exp(-odds))
        error = odds + curvature * probability - sum
        if error > 0.0:
            high = odds
        else:
            low = odds
        before = change
        change = -error / (1.0 + curvature * probability * (1.0 - probability))
        if not (low <= odds + change <= high and abs(change) <= 0.5 * abs(before)):
            change = 0.5 * (low + high) - odds
        odds += change
    odds = min(max(odds, LEAST_LOGARITHM), -LEAST_LOGARITHM)
    logs[row, 0] = odds
    lines[1, 0] = own - 1.0 / (1.0 + math.exp(-odds))
    return divergence


@kernel
def _climb(logs, row, n_classes, curvature, width, lines):
    """Maximise the dual over the probabilities of a row.

    The probabilities are those of the logits that they change the row's to: with
    ``s = log(p)``, ``s + curvature * p`` differs from the logits plus ``curvature`` times the
    former probabilities by the same number for all classes, and the probabilities' sum is 1. Steps
    of Newton's method solve that.

    Parameters
    ----------
    logs : (n_samples, padded_classes)
        The logarithms of the probabilities, changed in place.
    row, n_classes : int
    curvature : float
        What the row's logits change by with its probabilities.
    width : tuple
    lines : (N_LINES, padded_classes)
        The first one holds the row's logits and is overwritten; what the probabilities have been
        less what they are is written to the second one.

    Returns
    -------
    float
        The divergence of the former probabilities from those of the logits (Kullback and Leibler):
        what the row brings to the gap between the objective and the dual.
    """
    n_padded = lines.shape[1]
    top = lines[0, 0]
    for label in range(1, n_classes):
        top = max(top, lines[0, label])
    for column in range(n_classes, n_padded):
        lines[0, column] = top - 60.0 - curvature
    like = load(lines, 0, 0, width)
    zero, one, least = splat(0.0, like), splat(1.0, like), splat(LEAST_LOGARITHM, like)
    curvatures, tops = splat(curvature, like), splat(top, like)
    total, spread = zero, zero
    for column in range(0, n_padded, len(width)):
        logits, own = load(lines, 0, column, width), load(logs, row, column, width)
        probabilities = exponential(own)
        total = total + exponential(logits - tops)
        spread = spread + probabilities * (own - logits)
        store(lines, 0, column, logits + curvatures * probabilities)
        store(lines, 1, column, probabilities)
        store(lines, 2, column, own)
    divergence = np.float64(sum_lanes(spread)) + top + math.log(np.float64(sum_lanes(total)))
    step = 0
    while True:
        total, excess, slope, moved = zero, zero, zero, zero
        for column in range(0, n_padded, len(width)):
            own = load(lines, 2, column, width)
            probabilities = exponential(own)
            store(lines, 3, column, probabilities)
            share = probabilities / (one + curvatures * probabilities)
            error = own + curvatures * probabilities - load(lines, 0, column, width)
            total = total + probabilities
            excess = excess + (probabilities - share * error)
            slope = slope + share
            if step > 0:
                change = load(lines, 4, column, width)
                moved = maximum(moved, probabilities * maximum(change, zero - change))
        sum = np.float64(sum_lanes(total))
        largest = max(abs(sum - 1.0), sum_lanes(moved))
        if step == _MOST_STEPS or (step > 0 and largest <= _SMALL_CHANGE):
            break
        step += 1
        level = splat((sum_lanes(excess) - 1.0) / sum_lanes(slope), like)
        for column in range(0, n_padded, len(width)):
            own, probabilities = load(lines, 2, column, width), load(lines, 3, column, width)
            curved = curvatures * probabilities
            change = (own + curved - load(lines, 0, column, width) + level) / (one + curved)
            after = minimum(maximum(own - change, least), zero)
            store(lines, 2, column, after)
            store(lines, 4, column, after - own)
    shift = splat(math.log(sum), like)
    scale = splat(1.0 / sum, like)
    for column in range(0, n_padded, len(width)):
        own, probabilities = load(lines, 2, column, width), load(lines, 3, column, width)
        store(logs, row, column, maximum(own - shift, least))
        store(lines, 1, column, load(lines, 1, column, width) - scale * probabilities)
    for column in range(n_classes, n_padded):
        lines[1, column] = 0.0
    return divergence


def _ascend_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    matrix = array_type(specialisation.dtype, 2)
    return (
        *sparse_rows_types(specialisation),
        array_type(DUAL_ASCENT_SETTINGS, 1, readonly=True),
        sparse_blocks_type(specialisation),
        array_type(np.dtype(np.int64), 1, readonly=True),
        types.int64,
        types.int64,
        types.float64,
        matrix,
        array_type(double, 1),
        matrix,
        matrix,
        array_type(double, 1),
    )


@entry_point(_ascend_types)
def ascend_dual(
    data,
    indices,
    pointers,
    targets,
    sample_weights,
    all_settings,
    blocks,
    order,
    start,
    stop,
    divergence,
    lines,
    all_squares,
    logs,
    model,
    residual_out,
):
    """Maximise the dual over one row after the other.

    Parameters
    ----------
    data, indices, pointers : (n_elements,), (n_elements,), (n_samples + 1,)
        All rows.
    targets : (n_samples,) int32
    sample_weights : (n_samples,) or (0,) float64
        With none, every row weighs 1.
    all_settings : (1,) DUAL_ASCENT_SETTINGS
    blocks : tuple of tuples
        See `sparse_pass.accumulate_sparse`.
    order : (n_rows,) int64
        Rows that weigh something.
    start, stop : int
        Which of the order's.
    divergence : float
        Of the rows before.
    lines : (N_LINES, padded_classes)
        Overwritten.
    all_squares : (n_samples,)
        Sums of the squares of the rows' elements, which are written where they are below zero.
    logs : (n_samples, padded_classes)
        Logarithms of the rows' probabilities, or the log-odds of the second of two classes, changed
        in place.
    model : (n_features + 1, padded_classes)
        The one that follows from them, the biases last; changed in place.
    residual_out : (padded_classes,) float64
        What the rows' weighted probabilities change by is added.

    Returns
    -------
    float
        The weighted sum of the rows' divergences, these included; see `_climb`.
    """
    settings = all_settings[0]
    width, vectors, _ = blocks
    rows = SparseRows(data, indices, pointers, targets, sample_weights, None)
    n_classes = settings["n_classes"]
    n_padded = model.shape[1]
    step = len(width) * len(vectors)
    like = load(model, 0, 0, width)
    for place in range(start, stop):
        row = order[place]
        if place + 1 < stop:
            following = order[place + 1]
            first, end = np.int64(pointers[following]), np.int64(pointers[following + 1])
            for element in range(first, end, 8):
                prefetch_element(data, element)
            for element in range(first, end, 16):
                prefetch_element(indices, element)
        weight = sample_weights[row] if len(sample_weights) > 0 else 1.0
        take_logits_of_row(rows, row, model, blocks, 0, lines)
        first, end = np.int64(pointers[row]), np.int64(pointers[row + 1])
        if all_squares[row] < 0.0:
            all_squares[row] = _sum_squares(data, first, end)
        squares = settings["bias_square"] + all_squares[row]
        per_square = weight / settings["l2_penalty"]
        if n_classes == 1:
            divergence += weight * _climb_single(logs, row, per_square * squares, lines)
        else:
            divergence += weight * _climb(logs, row, n_classes, per_square * squares, width, lines)
        for element in range(first, end):
            feature = np.int64(indices[element])
            factor = block_of(splat(per_square * np.float64(data[element]), like), _ONE, _ONE)
            for column in range(0, n_padded, step):
                change = load_block(lines, 1, column, width, _ONE, vectors)
                before = load_block(model, feature, column, width, _ONE, vectors)
                store_block(model, feature, column, add_outer(before, factor, change))
        per_bias = per_square * settings["bias_square"]
        for label in range(n_classes):
            change = np.float64(lines[1, label])
            model[-1, label] += per_bias * change
            residual_out[label] -= weight * change
    return divergence
