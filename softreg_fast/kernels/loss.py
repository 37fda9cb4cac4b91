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
from .simd.lanes import (
    block_of,
    exponential,
    load,
    load_block,
    logarithm,
    maximum,
    minimum,
    multiply_add,
    select_equal,
    select_less,
    splat,
    store,
    store_block,
    sum_lanes,
)

# Vectors that functions are taken of side by side: rows are a multiple of the fewer.
PAIR = (0, 0)
_QUAD = (0, 0, 0, 0)
_ONE = (0,)
_N_FACTORS = 4

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
def activate(n_rows, n_classes, width, logits, values_out):
    """Sigmoids of the logits, which are written in their place too."""
    for label in range(n_classes):
        for row in range(0, n_rows, len(PAIR) * len(width)):
            value = logistic(load_block(logits, label, row, width, _ONE, PAIR))
            store_block(values_out, label, row, value)
            store_block(logits, label, row, value)


@kernel
def _take_exponentials_of(row, n_classes, vectors, width, values, totals):
    """Some vectors of rows; see `take_exponentials`."""
    largest = load_block(totals, 0, row, width, _ONE, vectors)
    total = splat(0.0, largest)
    for label in range(n_classes):
        value = load_block(values, label, row, width, _ONE, vectors)
        above = exponential(value - largest)
        total = total + above
        store_block(values, label, row, above)
    store_block(totals, 0, row, total)


@kernel
def take_exponentials(n_rows, n_classes, width, values, totals):
    """Exponentials in place of values, divided by that of each row's largest, and their sums.

    Parameters
    ----------
    n_rows, n_classes : int
    width : tuple of `lanes`
    values : (>= n_classes, tile_rows)
    totals : (1, tile_rows)
        The largest value of each row; overwritten with the sums.
    """
    step = len(_QUAD) * len(width)
    whole_rows = n_rows - n_rows % step
    for row in range(0, whole_rows, step):
        _take_exponentials_of(row, n_classes, _QUAD, width, values, totals)
    for row in range(whole_rows, n_rows, len(PAIR) * len(width)):
        _take_exponentials_of(row, n_classes, PAIR, width, values, totals)


@kernel
def take_probabilities(n_rows, n_classes, width, values, totals):
    """Probabilities in place of values.

    Parameters
    ----------
    n_rows, n_classes, width, values
        As in `take_exponentials`.
    totals : (1, tile_rows)
        Overwritten.
    """
    for row in range(0, n_rows, len(width)):
        store(totals, 0, row, _largest(row, n_classes, width, values))
    take_exponentials(n_rows, n_classes, width, values, totals)
    for row in range(0, n_rows, len(width)):
        total = load(totals, 0, row, width)
        for label in range(n_classes):
            store(values, label, row, load(values, label, row, width) / total)


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
def _losses_and_slopes_of_two(targets, weights, row, vectors, width, logits):
    """Losses of some vectors of rows; see `_loss_and_slopes_of_two`."""
    wanted = load_block(targets, 0, row, width, _ONE, vectors)
    weight = load_block(weights, 0, row, width, _ONE, vectors)
    z = load_block(logits, 0, row, width, _ONE, vectors)
    zero = splat(0.0, z)
    one = splat(1.0, z)
    decayed = exponential(minimum(z, zero - z))
    upper = one / (one + decayed)
    probability = select_less(z, zero, decayed * upper, upper)
    lost = logarithm(one + decayed) + (maximum(z, zero) - wanted * z)
    store_block(logits, 0, row, (probability - wanted) * weight)
    return lost * weight


@kernel
def _loss_and_slopes_of_two(targets, weights, n_rows, width, logits):
    """The loss of a model of one column, and in place of the logits their slopes."""
    loss = block_of(splat(0.0, load(logits, 0, 0, width)), _ONE, _QUAD)
    step = len(_QUAD) * len(width)
    whole_rows = n_rows - n_rows % step
    for row in range(0, whole_rows, step):
        loss = loss + _losses_and_slopes_of_two(targets, weights, row, _QUAD, width, logits)
    rest = block_of(splat(0.0, load(logits, 0, 0, width)), _ONE, PAIR)
    for row in range(whole_rows, n_rows, len(PAIR) * len(width)):
        rest = rest + _losses_and_slopes_of_two(targets, weights, row, PAIR, width, logits)
    return np.float64(sum_lanes(loss)) + np.float64(sum_lanes(rest))


@kernel
def _replace_weightless(weights, n_rows, n_classes, width, logits):
    """Write logits that are finite and far apart for rows that weigh nothing.

    Theirs may be infinite or NaN, which a weight of zero doesn't make zero.

    Returns
    -------
    bool
        Whether all other weights are 1.
    """
    least = load(weights, 0, 0, width)
    zero = splat(0.0, least)
    one = splat(1.0, least)
    beyond = zero
    for row in range(0, n_rows, len(width)):
        weight = load(weights, 0, row, width)
        least = minimum(least, weight)
        beyond = maximum(
            beyond, select_equal(weight, zero, zero, select_equal(weight, one, zero, one))
        )
    are_ones = sum_lanes(beyond) == 0.0
    if sum_lanes(select_equal(least, zero, one, zero)) == 0.0:
        return are_ones
    for label in range(n_classes):
        other = splat(-label, least)
        for row in range(0, n_rows, len(width)):
            weight = load(weights, 0, row, width)
            logit = load(logits, label, row, width)
            store(logits, label, row, select_equal(weight, zero, other, logit))
    return are_ones


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


def _leave_exact(notebook_gradient, n_rows, width, of_targets):
    pass


def _invert_own(notebook_gradient, n_rows, width, of_targets):
    """In place of the targets' values, 1 over their exponentials, if that is wanted."""
    if not notebook_gradient:
        return
    one = splat(1.0, load_block(of_targets, 0, 0, width, _ONE, PAIR))
    for row in range(0, n_rows, len(PAIR) * len(width)):
        own = load_block(of_targets, 0, row, width, _ONE, PAIR)
        store_block(of_targets, 0, row, one / exponential(own))


_prepare_notebook = by_presence(_leave_exact, {"notebook_gradient": _invert_own})


def _leave_slope(notebook_gradient, slope, above, of_targets, row, width):
    return slope


def _multiply_slope(notebook_gradient, slope, above, of_targets, row, width):
    if notebook_gradient:
        return slope * (above * load_block(of_targets, 0, row, width, _ONE, PAIR))
    return slope


_as_in_notebook = by_presence(_leave_slope, {"notebook_gradient": _multiply_slope})


@kernel
def _find_largest(targets, n_rows, n_classes, width, values, of_targets_out, largest_out):
    """The largest value of each row, and how far the target's is below it."""
    zero = splat(0.0, load_block(values, 0, 0, width, _ONE, PAIR))
    one = splat(1.0, zero)
    for row in range(0, n_rows, len(PAIR) * len(width)):
        wanted = load_block(targets, 0, row, width, _ONE, PAIR)
        largest = load_block(values, 0, row, width, _ONE, PAIR)
        own = largest
        this = zero
        for label in range(1, n_classes):
            this = this + one
            value = load_block(values, label, row, width, _ONE, PAIR)
            largest = maximum(largest, value)
            own = select_equal(wanted, this, value, own)
        store_block(of_targets_out, 0, row, own - largest)
        store_block(largest_out, 0, row, largest)


@kernel
def _sum_losses(weights, n_rows, width, of_targets, totals):
    """The weighted sum of the losses; and in place of the totals the weights over them."""
    loss = splat(0.0, load_block(totals, 0, 0, width, _ONE, PAIR))
    for row in range(0, n_rows, len(PAIR) * len(width)):
        weight = load_block(weights, 0, row, width, _ONE, PAIR)
        total = load_block(totals, 0, row, width, _ONE, PAIR)
        own = load_block(of_targets, 0, row, width, _ONE, PAIR)
        loss = loss + (logarithm(total) - own) * weight
        store_block(totals, 0, row, weight / total)
    return np.float64(sum_lanes(loss))


@kernel
def _sum_losses_of_ones(weights, n_rows, width, of_targets, totals):
    """The same where all weights are 0 or 1.

    The sum of some logarithms is that of the product, which overflows nowhere: its factors are
    few, each at most the number of classes.
    """
    zero = splat(0.0, load_block(totals, 0, 0, width, _ONE, PAIR))
    one = splat(1.0, zero)
    loss = zero
    owns = zero
    step = len(PAIR) * len(width)
    for first in range(0, n_rows, _N_FACTORS * step):
        product = one
        for row in range(first, min(first + _N_FACTORS * step, n_rows), step):
            weight = load_block(weights, 0, row, width, _ONE, PAIR)
            total = load_block(totals, 0, row, width, _ONE, PAIR)
            own = load_block(of_targets, 0, row, width, _ONE, PAIR)
            product = product * select_equal(weight, zero, one, total)
            owns = multiply_add(weight, own, owns)
            store_block(totals, 0, row, weight / total)
        loss = loss + logarithm(product)
    return np.float64(sum_lanes(loss - owns))


@kernel
def _take_slopes(
    targets, weights, n_rows, n_classes, activation, notebook_gradient, width, exponentials, values,
    of_targets, scales,
):  # fmt: skip
    """Write the derivatives of the rows' losses by their logits in place of the exponentials."""
    zero = splat(0.0, load_block(scales, 0, 0, width, _ONE, PAIR))
    one = splat(1.0, zero)
    for row in range(0, n_rows, len(PAIR) * len(width)):
        wanted = load_block(targets, 0, row, width, _ONE, PAIR)
        scale = load_block(scales, 0, row, width, _ONE, PAIR)
        subtracted = zero - load_block(weights, 0, row, width, _ONE, PAIR)
        this = zero
        for label in range(n_classes):
            above = load_block(exponentials, label, row, width, _ONE, PAIR)
            slope = multiply_add(above, scale, select_equal(wanted, this, subtracted, zero))
            slope = _as_in_notebook(notebook_gradient, slope, above, of_targets, row, width)
            if activation == SIGMOID:
                value = load_block(values, label, row, width, _ONE, PAIR)
                slope = slope * (value * (one - value))
            store_block(exponentials, label, row, slope)
            this = this + one


@kernel
def loss_and_slopes(
    targets, weights, scratch, n_rows, n_classes, activation, notebook_gradient, count, width,
    logits, values,
):  # fmt: skip
    """Summed loss of a tile and, in place of the logits, its derivatives.

    Parameters
    ----------
    targets, weights : (1, tile_rows)
        The logits of rows of weight zero don't count, whatever they are.
    scratch : (2, tile_rows)
        Overwritten.
    n_rows : int
        A multiple of the lanes of a `PAIR` of vectors.
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
    values : (>= n_classes, tile_rows)
        Overwritten with SIGMOID.

    Returns
    -------
    loss : float
        Weighted sum of ``log(sum(exp(values))) - values[target]``.
    n_correct : float
        Weighted number of the rows whose target is the first of the most probable classes.
    """
    are_ones = _replace_weightless(weights, n_rows, n_classes, width, logits)
    if n_classes == 1:
        n_correct = _count(targets, weights, n_rows, n_classes, activation, count, width, logits)
        loss = _loss_and_slopes_of_two(targets, weights, n_rows, width, logits)
        return loss, n_correct
    if activation == SIGMOID:
        activate(n_rows, n_classes, width, logits, values)
    n_correct = _count(targets, weights, n_rows, n_classes, activation, count, width, logits)
    of_targets, totals = scratch[:1], scratch[1:]
    _find_largest(targets, n_rows, n_classes, width, logits, of_targets, totals)
    take_exponentials(n_rows, n_classes, width, logits, totals)
    if are_ones:
        loss = _sum_losses_of_ones(weights, n_rows, width, of_targets, totals)
    else:
        loss = _sum_losses(weights, n_rows, width, of_targets, totals)
    _prepare_notebook(notebook_gradient, n_rows, width, of_targets)
    _take_slopes(
        targets, weights, n_rows, n_classes, activation, notebook_gradient, width, logits, values,
        of_targets, totals,
    )  # fmt: skip
    return loss, n_correct
