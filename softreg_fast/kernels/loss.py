"""From logits to loss and slopes, and to the predicted class, on a tile of rows.

The lanes are rows: logits, values and slopes are ``(padded_classes, tile_rows)``. Values are the
activated logits: ``sigmoid(logits)`` with `SIGMOID`, the logits themselves with `IDENTITY`;
probabilities are the softmax of the values. A model of one column has two classes; its logit is
that of the second, the first having the logit zero.

`targets` and `weights` are rows too: the class of each row of the tile, and 1, or 0 for what fills
up the last vector.
"""

import numpy as np

from .compile.entry_point import by_presence, kernel
from .simd.exponential import exponential, logarithm
from .simd.lanes import (
    load,
    maximum,
    minimum,
    multiply_add,
    select_equal,
    select_less,
    splat,
    store,
    sum_lanes,
)

# Output activations.
IDENTITY, SIGMOID = 0, 1

# Where the best logit leads the next by this margin, after both are cut to +-_CUT for the sigmoid,
# rounding cannot turn the lead into a tie: the slope of the sigmoid at the cut times the
# margin is at least fifty units in the last place of 1.
_CUT_DOUBLE, _MARGIN_DOUBLE = 16.0, 1e-7
_CUT_SINGLE, _MARGIN_SINGLE = 5.0, 1e-3


@kernel
def logistic(z):
    """``1 / (1 + exp(-z))`` of every lane; overflows nowhere."""
    zero = splat(0.0, z)
    one = splat(1.0, z)
    decayed = exponential(minimum(z, zero - z))
    upper = one / (one + decayed)
    return select_less(z, zero, decayed * upper, upper)


@kernel
def _largest(row, n_classes, width, values):
    largest = load(values, 0, row, width)
    for label in range(1, n_classes):
        largest = maximum(largest, load(values, label, row, width))
    return largest


@kernel
def _exponentials_of_sigmoids(n_rows, n_classes, width, logits, values_out):
    """Sigmoids, and in place of the logits their exponentials."""
    for label in range(n_classes):
        for row in range(0, n_rows, len(width)):
            value = logistic(load(logits, label, row, width))
            store(values_out, label, row, value)
            store(logits, label, row, exponential(value))


@kernel
def exponentials_of_logits(n_rows, n_classes, width, logits, values_out):
    """Logits less the largest of each row, and in place of them their exponentials."""
    for row in range(0, n_rows, len(width)):
        largest = _largest(row, n_classes, width, logits)
        for label in range(n_classes):
            store(values_out, label, row, load(logits, label, row, width) - largest)
    for label in range(n_classes):
        for row in range(0, n_rows, len(width)):
            store(logits, label, row, exponential(load(values_out, label, row, width)))


@kernel
def exponentials_of_values(n_rows, n_classes, activation, width, logits, values_out):
    """Values, and in place of the logits their exponentials, times a factor for each row."""
    if activation == SIGMOID:
        _exponentials_of_sigmoids(n_rows, n_classes, width, logits, values_out)
    else:
        exponentials_of_logits(n_rows, n_classes, width, logits, values_out)


@kernel
def sum_over_classes(row, n_classes, width, exponentials):
    """Sum of each row."""
    total = load(exponentials, 0, row, width)
    for label in range(1, n_classes):
        total = total + load(exponentials, label, row, width)
    return total


@kernel
def _of_targets(targets, row, n_classes, width, values):
    """The value of each row's target."""
    wanted = load(targets, 0, row, width)
    found = load(values, 0, row, width)
    for label in range(1, n_classes):
        found = select_equal(wanted, splat(label, wanted), load(values, label, row, width), found)
    return found


def _exact_slopes(
    targets, weights, row, n_classes, activation, notebook_gradient, width, values, exponentials,
    total,
):  # fmt: skip
    """Write the derivatives of each row's loss by its logits in place of the exponentials."""
    wanted = load(targets, 0, row, width)
    weight = load(weights, 0, row, width)
    zero = splat(0.0, weight)
    one = splat(1.0, weight)
    scale = one / total
    for label in range(n_classes):
        above = load(exponentials, label, row, width)
        slope = above * scale - select_equal(wanted, splat(label, wanted), one, zero)
        if activation == SIGMOID:
            value = load(values, label, row, width)
            slope = slope * (value * (one - value))
        store(exponentials, label, row, slope * weight)


def _either_slopes(
    targets, weights, row, n_classes, activation, notebook_gradient, width, values, exponentials,
    total,
):  # fmt: skip
    """The same, or the notebook's."""
    wanted = load(targets, 0, row, width)
    weight = load(weights, 0, row, width)
    zero = splat(0.0, weight)
    one = splat(1.0, weight)
    scale = one / total
    own = one
    if notebook_gradient:
        own = one / _of_targets(targets, row, n_classes, width, exponentials)
    for label in range(n_classes):
        above = load(exponentials, label, row, width)
        slope = above * scale - select_equal(wanted, splat(label, wanted), one, zero)
        if notebook_gradient:
            slope = slope * (above * own)
        if activation == SIGMOID:
            value = load(values, label, row, width)
            slope = slope * (value * (one - value))
        store(exponentials, label, row, slope * weight)


_slopes = by_presence(_exact_slopes, {"notebook_gradient": _either_slopes})


@kernel
def _are_most_probable(targets, row, n_classes, width, values):
    """1 for the rows whose target is the first of the most probable classes, else 0.

    By the probabilities as NumPy would round them: subtracting, taking exponentials and dividing
    may make equal what differs in the last places. A comparison with NaN is false.
    """
    wanted = load(targets, 0, row, width)
    zero = splat(0.0, wanted)
    one = splat(1.0, wanted)
    largest = _largest(row, n_classes, width, values)
    total = zero
    own = zero
    before = zero - one
    after = before
    for label in range(n_classes):
        above = exponential(load(values, label, row, width) - largest)
        total = total + above
        this = splat(label, wanted)
        before = select_less(this, wanted, maximum(before, above), before)
        own = select_equal(this, wanted, above, own)
        after = select_less(wanted, this, maximum(after, above), after)
    own = own / total
    unbeaten = select_less(own, after / total, zero, select_equal(own, own, one, zero))
    return select_less(before / total, own, unbeaten, zero)


@kernel
def _are_correct(targets, row, n_classes, lowest, highest, margin, width, values):
    """1 for the rows whose target is ahead of all other classes, and 0 for those where it is not.

    Values are cut to `lowest` and `highest` first. Where the lead is within the margin, either way,
    the result is -1.
    """
    wanted = load(targets, 0, row, width)
    zero = splat(0.0, wanted)
    one = splat(1.0, wanted)
    own = splat(-np.inf, wanted)
    other = own
    for label in range(n_classes):
        value = load(values, label, row, width)
        is_own = select_equal(splat(label, wanted), wanted, one, zero)
        own = select_equal(is_own, one, value, own)
        other = select_equal(is_own, one, other, maximum(other, value))
    limit = splat(margin, wanted)
    ahead = minimum(own, splat(highest, own)) - maximum(other, splat(lowest, own))
    behind = minimum(other, splat(highest, own)) - maximum(own, splat(lowest, own))
    unclear = select_less(limit, behind, zero, zero - one)
    infinity = splat(np.inf, wanted)
    return select_less(limit, ahead, select_less(ahead, infinity, one, unclear), unclear)


@kernel
def _is_correct_of_two(wanted, z):
    """1 where the logit has the right sign, else 0; a logit of zero predicts the first class."""
    zero = splat(0.0, z)
    one = splat(1.0, z)
    return select_less(zero, z, wanted, select_equal(z, z, one - wanted, zero))


@kernel
def count_correct(
    targets, weights, n_rows, n_classes, activation, are_logits, width, values, scratch
):
    """How many rows of a tile have their target as the first most probable class.

    Exponentials are taken only where the sigmoid saturates or classes lie close together.

    Parameters
    ----------
    targets, weights, n_rows, n_classes, activation, width
        As in `loss_and_slopes`.
    are_logits : bool
        Whether `values` are logits.
    values : (padded_classes, tile_rows)
    scratch : (padded_classes, tile_rows)
        Overwritten where rows are looked at more closely.

    Returns
    -------
    float
        The weighted number.
    """
    zero = splat(0.0, load(values, 0, 0, width))
    correct = zero
    if n_classes == 1:
        for row in range(0, n_rows, len(width)):
            found = _is_correct_of_two(load(targets, 0, row, width), load(values, 0, row, width))
            correct = correct + found * load(weights, 0, row, width)
        return np.float64(sum_lanes(correct))
    if activation == IDENTITY:
        lowest, highest = -np.inf, np.inf
    elif not are_logits:
        lowest, highest = 0.0, 1.0
    elif values.itemsize == 8:
        lowest, highest = -_CUT_DOUBLE, _CUT_DOUBLE
    else:
        lowest, highest = -_CUT_SINGLE, _CUT_SINGLE
    margin = _MARGIN_DOUBLE if values.itemsize == 8 else _MARGIN_SINGLE
    unclear = zero
    for row in range(0, n_rows, len(width)):
        found = _are_correct(targets, row, n_classes, lowest, highest, margin, width, values)
        correct = correct + maximum(found, zero) * load(weights, 0, row, width)
        unclear = minimum(unclear, found)
    if sum_lanes(unclear) == 0.0:
        return np.float64(sum_lanes(correct))
    correct = zero
    for row in range(0, n_rows, len(width)):
        found = _are_correct(targets, row, n_classes, lowest, highest, margin, width, values)
        if sum_lanes(minimum(found, zero)) < 0.0:
            if activation == SIGMOID and are_logits:
                for label in range(n_classes):
                    store(scratch, label, row, logistic(load(values, label, row, width)))
                found = _are_most_probable(targets, row, n_classes, width, scratch)
            else:
                found = _are_most_probable(targets, row, n_classes, width, values)
        correct = correct + found * load(weights, 0, row, width)
    return np.float64(sum_lanes(correct))


@kernel
def _loss_and_slopes_of_two(targets, weights, row, width, logits):
    """Loss and slopes for a model of one column."""
    wanted = load(targets, 0, row, width)
    weight = load(weights, 0, row, width)
    z = load(logits, 0, row, width)
    zero = splat(0.0, z)
    one = splat(1.0, z)
    decayed = exponential(minimum(z, zero - z))
    upper = one / (one + decayed)
    probability = select_less(z, zero, decayed * upper, upper)
    loss = logarithm(one + decayed) + (maximum(z, zero) - wanted * z)
    store(logits, 0, row, (probability - wanted) * weight)
    return loss * weight


@kernel
def _replace_weightless(weights, n_rows, n_classes, width, logits):
    """Write logits that are finite and far apart for rows that weigh nothing.

    Theirs may be infinite or NaN, which a weight of zero doesn't make zero.
    """
    least = load(weights, 0, 0, width)
    zero = splat(0.0, least)
    one = splat(1.0, least)
    for row in range(len(width), n_rows, len(width)):
        least = minimum(least, load(weights, 0, row, width))
    if sum_lanes(select_equal(least, zero, one, zero)) == 0.0:
        return
    for label in range(n_classes):
        other = splat(-label, least)
        for row in range(0, n_rows, len(width)):
            weight = load(weights, 0, row, width)
            logit = load(logits, label, row, width)
            store(logits, label, row, select_equal(weight, zero, other, logit))


def _count_nothing(targets, weights, n_rows, n_classes, activation, count, width, values):
    return np.float64(0.0)


def _count_if_wanted(targets, weights, n_rows, n_classes, activation, count, width, values):
    # Read at run time: a constant would have another version of the function compiled.
    are_logits = n_classes < 1
    if count:
        return count_correct(
            targets, weights, n_rows, n_classes, activation, are_logits, width, values, values
        )
    return np.float64(0.0)


_count = by_presence(_count_nothing, {"count": _count_if_wanted})


def _evaluate_either_of_both(
    targets, weights, n_rows, n_classes, activation, notebook_gradient, count, width, logits,
    values,
):  # fmt: skip
    loss = splat(0.0, load(logits, 0, 0, width))
    exponentials_of_values(n_rows, n_classes, activation, width, logits, values)
    n_correct_rows = _count(targets, weights, n_rows, n_classes, activation, count, width, values)
    for row in range(0, n_rows, len(width)):
        total = sum_over_classes(row, n_classes, width, logits)
        own = _of_targets(targets, row, n_classes, width, values)
        loss = loss + (logarithm(total) - own) * load(weights, 0, row, width)
        _slopes(
            targets, weights, row, n_classes, activation, notebook_gradient, width, values, logits,
            total,
        )  # fmt: skip
    return np.float64(sum_lanes(loss)), n_correct_rows


_general = kernel(_evaluate_either_of_both)


@kernel
def _softmax_loss_and_slopes(targets, weights, n_rows, n_classes, width, logits, values):
    """Loss and slopes where values are logits, and nothing is counted."""
    zero = splat(0.0, load(logits, 0, 0, width))
    one = splat(1.0, zero)
    for row in range(0, n_rows, len(width)):
        wanted = load(targets, 0, row, width)
        largest = load(logits, 0, row, width)
        own = largest
        this = zero
        for label in range(1, n_classes):
            this = this + one
            logit = load(logits, label, row, width)
            largest = maximum(largest, logit)
            own = select_equal(wanted, this, logit, own)
        store(values, 0, row, own - largest)
        store(values, 1, row, largest)
    for row in range(0, n_rows, len(width)):
        largest = load(values, 1, row, width)
        total = zero
        for label in range(n_classes):
            above = exponential(load(logits, label, row, width) - largest)
            total = total + above
            store(logits, label, row, above)
        store(values, 1, row, total)
    loss = zero
    for row in range(0, n_rows, len(width)):
        weight = load(weights, 0, row, width)
        total = load(values, 1, row, width)
        loss = loss + (logarithm(total) - load(values, 0, row, width)) * weight
        store(values, 1, row, weight / total)
    for row in range(0, n_rows, len(width)):
        wanted = load(targets, 0, row, width)
        scale = load(values, 1, row, width)
        subtracted = zero - load(weights, 0, row, width)
        this = zero
        for label in range(n_classes):
            if_own = select_equal(wanted, this, subtracted, zero)
            store(logits, label, row, multiply_add(load(logits, label, row, width), scale, if_own))
            this = this + one
    return np.float64(sum_lanes(loss))


def _evaluate_exactly(
    targets, weights, n_rows, n_classes, activation, notebook_gradient, count, width, logits,
    values,
):  # fmt: skip
    if activation == IDENTITY:
        return (
            _softmax_loss_and_slopes(targets, weights, n_rows, n_classes, width, logits, values),
            np.float64(0.0),
        )
    return _general(
        targets, weights, n_rows, n_classes, activation, notebook_gradient, count, width, logits,
        values,
    )  # fmt: skip


_evaluate = by_presence(
    _evaluate_exactly,
    {"notebook_gradient": _evaluate_either_of_both, "count": _evaluate_either_of_both},
)


@kernel
def loss_and_slopes(
    targets, weights, n_rows, n_classes, activation, notebook_gradient, count, width, logits,
    values,
):  # fmt: skip
    """Summed loss of a tile and, in place of the logits, its derivatives.

    Parameters
    ----------
    targets, weights : (1, tile_rows)
        The logits of rows of weight zero don't count, whatever they are.
    n_rows : int
        A multiple of the lanes.
    n_classes : int
        1 for a model of one column.
    activation : int
        IDENTITY or SIGMOID.
    notebook_gradient : bool or None
        Whether to multiply by ``p[j]`` where the derivative has ``p[target]``. None never does, and
        nothing is compiled for it.
    count : bool or None
        Whether to count correctly classified rows; zero otherwise. None never does, and nothing is
        compiled for it.
    width : tuple of `lanes`
    logits : (padded_classes, tile_rows)
        Overwritten with the derivatives of each row's loss with respect to its logits.
    values : (padded_classes, tile_rows)
        Overwritten.

    Returns
    -------
    loss : float
        Weighted sum of ``log(sum(exp(values))) - values[target]``.
    n_correct : float
        Weighted number of the rows whose target is the first of the most probable classes.
    """
    _replace_weightless(weights, n_rows, n_classes, width, logits)
    loss = splat(0.0, load(logits, 0, 0, width))
    if n_classes == 1:
        n_counted = _count(targets, weights, n_rows, n_classes, activation, count, width, logits)
        for row in range(0, n_rows, len(width)):
            loss = loss + _loss_and_slopes_of_two(targets, weights, row, width, logits)
        return np.float64(sum_lanes(loss)), n_counted
    return _evaluate(
        targets, weights, n_rows, n_classes, activation, notebook_gradient, count, width, logits,
        values,
    )  # fmt: skip
