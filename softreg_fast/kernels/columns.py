"""Products with some columns of the features, and coordinate descent over them.

A *column* is what a feature is in the rows: its elements, and which rows these are in. The lanes of
SIMD vectors are classes, so arrays have a row for each row of the problem, or for each column, and
the classes beside each other.

The second derivatives of a convex loss by the logits of a row of weight ``w`` with probabilities
``p`` are ``w * (diag(p) - outer(p, p))``. A single column of logits is that of the second of two
classes; there it is ``w * p * (1 - p)``, which stands for the weight ``w``.
"""

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point, kernel, numba_type
from .groups import ColumnStore
from .shapes import SparseSpecialisation, sparse_blocks_type
from .simd.lanes import (
    block_of,
    combine_listed,
    load,
    load_as,
    load_block,
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

_ONE = (0,)
_PARTS = (0, 0, 0, 0)
# Of a curvature, so that nothing is divided by zero.
LEAST_CURVATURE = 1e-30
# What the classes' curvatures are multiplied by: changes of several classes at once may need up to
# twice their own, since ``diag(p) - outer(p, p)`` is at most ``2 * diag(p * (1 - p))``. It follows
# what a column's changes have needed.
MOST_CURVED, LEAST_CURVED = 2.0, 1.0
_FORGETTING = 0.8
_CAUTION = 1.02


def _column_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    """The types of columns, and of the numbers of some of them."""
    count = array_type(np.dtype(np.int64), 1, readonly=True)
    return (
        count,
        types.Array(numba_type(specialisation.features_dtype), 1, "C", readonly=True),
        array_type(np.dtype(np.int32), 1, readonly=True),
        count,
        count,
    )


def _combine_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    matrix = array_type(specialisation.dtype, 2)
    return (*_column_types(specialisation), sparse_blocks_type(specialisation), matrix, matrix)


def _descend_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    matrix = array_type(specialisation.dtype, 2)
    vector = array_type(specialisation.dtype, 1)
    fixed = array_type(specialisation.dtype, 1, readonly=True)
    return (
        *_column_types(specialisation),
        fixed,
        fixed,
        fixed,
        fixed,
        matrix,
        types.boolean,
        types.float64,
        types.boolean,
        sparse_blocks_type(specialisation),
        matrix,
        matrix,
        vector,
        matrix,
        matrix,
        vector,
        vector,
    )


@kernel
def _column_of(columns, number):
    """The elements of a column, and which rows they are in."""
    start, stop = columns.pointers[number], columns.pointers[number + 1]
    first = columns.row_starts[number]
    return columns.data[start:stop], columns.rows[first : first + stop - start]


@kernel
def _unsigned(number):
    """A number that isn't below zero: such an index isn't looked at for that."""
    return np.uint64(np.uint32(number))


@kernel
def _sum_products(values, others, width):
    """Of two arrays of one row each; in the type of the second."""
    step = 4 * len(width)
    n_values = values.shape[1]
    whole = n_values - n_values % step
    nothing = splat(0.0, load(others, 0, 0, width))
    a, b, c, d = nothing, nothing, nothing, nothing
    for first in range(0, whole, step):
        second, third, fourth = first + len(width), first + 2 * len(width), first + 3 * len(width)
        a = multiply_add(load_as(values, 0, first, a), load(others, 0, first, width), a)
        b = multiply_add(load_as(values, 0, second, b), load(others, 0, second, width), b)
        c = multiply_add(load_as(values, 0, third, c), load(others, 0, third, width), c)
        d = multiply_add(load_as(values, 0, fourth, d), load(others, 0, fourth, width), d)
    rest = 0.0
    for place in range(whole, n_values):
        rest += np.float64(values[0, place]) * others[0, place]
    return sum_lanes((a + b) + (c + d)) + rest


@kernel
def _add_multiple(values, factor, width, sums):
    """Add an array of one row, times a factor, to another."""
    n_values = values.shape[1]
    whole = n_values - n_values % len(width)
    for place in range(0, whole, len(width)):
        before = load(sums, 0, place, width)
        factors = splat(factor, before)
        store(sums, 0, place, multiply_add(load_as(values, 0, place, before), factors, before))
    for place in range(whole, n_values):
        sums[0, place] += np.float64(values[0, place]) * factor


@kernel
def _add_product(values, factor, others, width, sums):
    """Add the products of two arrays of one row each, times a factor, to another."""
    n_values = values.shape[1]
    whole = n_values - n_values % len(width)
    for place in range(0, whole, len(width)):
        before = load(sums, 0, place, width)
        product = load_as(values, 0, place, before) * load(others, 0, place, width)
        store(sums, 0, place, multiply_add(product, splat(factor, before), before))
    for place in range(whole, n_values):
        sums[0, place] += np.float64(values[0, place]) * factor * others[0, place]


@kernel
def _contract(columns, number, rows, column, blocks):
    """The sum of the rows that a column is in, times its elements: some vectors of classes."""
    width, vectors, row_width = blocks
    values, numbers = _column_of(columns, number)
    if len(width) == 1 and len(values) == len(rows):  # which are all rows, in order
        total = _sum_products(
            values.reshape((1, values.size)), rows.reshape((1, rows.size)), row_width
        )
        return block_of(splat(total, load(rows, 0, 0, width)), _ONE, vectors)
    nothing = block_of(splat(0.0, load(rows, 0, 0, width)), _ONE, vectors)
    return combine_listed(nothing, values, numbers, 0, len(values), rows, column, _PARTS)


@entry_point(_combine_types)
def combine_columns(numbers, data, rows, pointers, row_starts, blocks, factors, rows_out):
    """Add ``X @ factors`` to rows, `X` being the columns of these numbers.

    Parameters
    ----------
    numbers : (n_numbers,) int64
    data, rows, pointers, row_starts
        See `groups.ColumnStore`.
    blocks : tuple of tuples
        See `sparse_pass.accumulate_sparse`.
    factors : (n_columns, padded_classes)
    rows_out : (n_rows, padded_classes)
        Is added to.
    """
    columns = ColumnStore(data, rows, pointers, row_starts)
    width, vectors, row_width = blocks
    like = load(factors, 0, 0, width)
    for number in numbers:
        values, its_rows = _column_of(columns, number)
        if len(width) == 1:
            alone = factors[number, 0]
            if len(values) == len(rows_out):
                _add_multiple(
                    values.reshape((1, values.size)),
                    alone,
                    row_width,
                    rows_out.reshape((1, rows_out.size)),
                )
                continue
            for place in range(np.uint64(len(values))):
                rows_out[_unsigned(its_rows[place]), 0] += np.float64(values[place]) * alone
            continue
        for column in range(0, factors.shape[1], len(width) * len(vectors)):
            factor = load_block(factors, number, column, width, _ONE, vectors)
            for place in range(np.uint64(len(values))):
                row = np.int64(its_rows[place])
                value = block_of(splat(values[place], like), _ONE, vectors)
                before = load_block(rows_out, row, column, width, _ONE, vectors)
                store_block(rows_out, row, column, multiply_add(value, factor, before))


@entry_point(_combine_types)
def contract_columns(numbers, data, rows, pointers, row_starts, blocks, factors, columns_out):
    """Write ``X.T @ factors``, `X` being the columns of these numbers; others are left as they are.

    Parameters
    ----------
    numbers, data, rows, pointers, row_starts, blocks
        As in `combine_columns`.
    factors : (n_rows, padded_classes)
    columns_out : (n_columns, padded_classes)
    """
    columns = ColumnStore(data, rows, pointers, row_starts)
    width, vectors, _ = blocks
    for number in numbers:
        for column in range(0, factors.shape[1], len(width) * len(vectors)):
            total = _contract(columns, number, factors, column, blocks)
            store_block(columns_out, number, column, total)


@kernel
def _take_curvatures(columns, number, row_weights, probabilities, blocks, curvatures_out):
    """The second derivatives by the classes' weights of a column, each by itself."""
    width, vectors, _ = blocks
    values, its_rows = _column_of(columns, number)
    if len(width) == 1:
        alone = 0.0
        for place in range(np.uint64(len(values))):
            value = np.float64(values[place])
            alone += value * value * row_weights[_unsigned(its_rows[place])]
        curvatures_out[number, 0] = alone
        return
    like = load(probabilities, 0, 0, width)
    one = block_of(splat(1.0, like), _ONE, vectors)
    for column in range(0, probabilities.shape[1], len(width) * len(vectors)):
        total = block_of(splat(0.0, like), _ONE, vectors)
        for place in range(np.uint64(len(values))):
            row = np.int64(its_rows[place])
            value = np.float64(values[place])
            factor = block_of(splat(value * value * row_weights[row], like), _ONE, vectors)
            own = load_block(probabilities, row, column, width, _ONE, vectors)
            total = multiply_add(factor, own * (one - own), total)
        store_block(curvatures_out, number, column, total)


@kernel
def _change_rows(columns, number, row_weights, probabilities, blocks, changes, slopes):
    """Take a column's changes into the slopes; gives the second derivative along them."""
    width, vectors, row_width = blocks
    step = len(width) * len(vectors)
    n_padded = probabilities.shape[1]
    values, its_rows = _column_of(columns, number)
    if len(width) == 1:
        change = changes[0, 0]
        if len(values) == len(slopes):
            _add_product(
                values.reshape((1, values.size)),
                change,
                row_weights.reshape((1, row_weights.size)),
                row_width,
                slopes.reshape((1, slopes.size)),
            )
            return 0.0
        for place in range(np.uint64(len(values))):
            its_row = _unsigned(its_rows[place])
            slopes[its_row, 0] += np.float64(values[place]) * change * row_weights[its_row]
        return 0.0
    like = load(probabilities, 0, 0, width)
    curved = block_of(splat(0.0, like), _ONE, vectors)
    for place in range(np.uint64(len(values))):
        row = np.int64(its_rows[place])
        value = np.float64(values[place])
        factor = value * row_weights[row]
        mean = 0.0
        for column in range(0, n_padded, step):
            own = load_block(probabilities, row, column, width, _ONE, vectors)
            mean += sum_lanes(own * load_block(changes, 0, column, width, _ONE, vectors))
        factors = block_of(splat(factor, like), _ONE, vectors)
        means = block_of(splat(mean, like), _ONE, vectors)
        weights = block_of(splat(value * factor, like), _ONE, vectors)
        for column in range(0, n_padded, step):
            own = load_block(probabilities, row, column, width, _ONE, vectors)
            change = load_block(changes, 0, column, width, _ONE, vectors)
            bent = own * (change - means)
            curved = multiply_add(weights, bent * change, curved)
            before = load_block(slopes, row, column, width, _ONE, vectors)
            store_block(slopes, row, column, multiply_add(factors, bent, before))
    return sum_lanes(curved)


@kernel
def _soften(values, thresholds, zeros):
    """Values nearer to zero by the thresholds; exact zeros within them."""
    return values - minimum(maximum(values, zeros - thresholds), thresholds)


@kernel
def _choose_changes(
    slopes, number, column, l1, l2, most, closeness, blocks, curvatures, factor, weights, changes
):
    """New weights of some classes of a column.

    Gives how far the column is from being optimal, what is missing to its being so for another
    penalty, and the second derivative along the changes if the classes had nothing in common.
    """
    width, vectors, _ = blocks
    like = load(weights, 0, 0, width)
    zeros = block_of(splat(0.0, like), _ONE, vectors)
    penalty = block_of(splat(l1, like), _ONE, vectors)
    ridge = block_of(splat(l2, like), _ONE, vectors)
    longest = block_of(splat(most, like), _ONE, vectors)
    near = block_of(splat(l1 - closeness, like), _ONE, vectors)
    least = block_of(splat(LEAST_CURVATURE, like), _ONE, vectors)
    before = load_block(weights, number, column, width, _ONE, vectors)
    slope = multiply_add(ridge, before, slopes)
    own = load_block(curvatures, number, column, width, _ONE, vectors)
    factors = block_of(splat(factor, like), _ONE, vectors)
    curvature = maximum(multiply_add(own, factors, ridge), least)
    wanted = _soften(before - slope / curvature, penalty / curvature, zeros)
    full = wanted - before
    cut = minimum(maximum(full, zeros - longest), longest)
    after = select_equal(cut, full, wanted, before + cut)
    change = after - before
    store_block(weights, number, column, after)
    store_block(changes, 0, column, change)
    pull = select_less(before, zeros, zeros - penalty, zeros - _clip(slope, penalty, zeros))
    pull = select_less(zeros, before, penalty, pull)
    left = slope + pull
    violation = sum_lanes(maximum(left, zeros - left))
    missing = slope - _clip(slope, near, zeros)
    missing = maximum(maximum(missing, zeros - missing), maximum(before, zeros - before))
    return violation, sum_lanes(missing), sum_lanes(own * change * change)


@kernel
def _clip(values, most, zeros):
    return minimum(maximum(values, zeros - most), most)


@kernel
def _choose_change_of_group(
    columns, number, slopes, l1, l2, most, closeness, blocks, curvatures, factor, weights, lines
):
    """New weights of all classes of a column whose norm is penalised.

    The classes' second derivatives are taken to be as large as the largest of them. The changes are
    written to the first line, the second one is overwritten. See `_choose_changes` for what it
    gives.
    """
    width, vectors, _ = blocks
    step = len(width) * len(vectors)
    n_padded = weights.shape[1]
    like = load(weights, 0, 0, width)
    zeros = block_of(splat(0.0, like), _ONE, vectors)
    ridge = block_of(splat(l2, like), _ONE, vectors)
    curvature = 0.0
    for label in range(n_padded):
        curvature = max(curvature, curvatures[number, label])
    curvature = max(factor * curvature + l2, LEAST_CURVATURE)
    squares_of_slopes, squares_before, squares = zeros, zeros, zeros
    inverse = block_of(splat(1.0 / curvature, like), _ONE, vectors)
    for column in range(0, n_padded, step):
        before = load_block(weights, number, column, width, _ONE, vectors)
        slope = multiply_add(ridge, before, _contract(columns, number, slopes, column, blocks))
        wanted = before - slope * inverse
        squares_of_slopes = multiply_add(slope, slope, squares_of_slopes)
        squares_before = multiply_add(before, before, squares_before)
        squares = multiply_add(wanted, wanted, squares)
        store_block(lines, 1, column, slope)
    norm_of_slopes = np.sqrt(sum_lanes(squares_of_slopes))
    norm_before = np.sqrt(sum_lanes(squares_before))
    norm = np.sqrt(sum_lanes(squares))
    is_kept = curvature * norm > l1
    share = block_of(splat(1.0 - l1 / (curvature * norm) if is_kept else 0.0, like), _ONE, vectors)
    largest = 0.0
    for column in range(0, n_padded, step):
        before = load_block(weights, number, column, width, _ONE, vectors)
        slope = load_block(lines, 1, column, width, _ONE, vectors)
        wanted = share * (before - slope * inverse) if is_kept else zeros
        store_block(lines, 0, column, wanted - before)
    for label in range(n_padded):
        largest = max(largest, abs(lines[0, label]))
    is_cut = largest > most
    length = block_of(splat(most / largest if is_cut else 1.0, like), _ONE, vectors)
    pull = l1 / norm_before if norm_before > 0.0 else 0.0
    pulls = block_of(splat(pull, like), _ONE, vectors)
    # Of slopes within the penalty nothing is left where all weights are zero.
    left_share = 1.0
    if norm_before == 0.0:
        left_share = 1.0 - l1 / norm_of_slopes if norm_of_slopes > l1 else 0.0
    shares = block_of(splat(left_share, like), _ONE, vectors)
    violation, alone = zeros, zeros
    for column in range(0, n_padded, step):
        before = load_block(weights, number, column, width, _ONE, vectors)
        slope = load_block(lines, 1, column, width, _ONE, vectors)
        change = load_block(lines, 0, column, width, _ONE, vectors)
        # Zeros are exact where nothing is cut.
        after = before + length * change if is_cut or is_kept else zeros
        change = after - before
        own = load_block(curvatures, number, column, width, _ONE, vectors)
        alone = multiply_add(own * change, change, alone)
        left = shares * multiply_add(pulls, before, slope)
        violation = violation + maximum(left, zeros - left)
        store_block(weights, number, column, after)
        store_block(lines, 0, column, change)
    missing = max(norm_of_slopes - (l1 - closeness), 0.0) + norm_before
    return sum_lanes(violation), missing, sum_lanes(alone)


@entry_point(_descend_types)
def descend_columns(
    numbers,
    data,
    rows,
    pointers,
    row_starts,
    l1_penalties,
    l2_penalties,
    most_changes,
    row_weights,
    probabilities,
    takes_curvatures,
    closeness,
    is_grouped,
    blocks,
    lines,
    curvatures,
    factors,
    slopes,
    weights,
    violations_out,
    missing_out,
):
    """Coordinate descent on a quadratic model of the loss plus penalties: a sweep.

    One column after the other is given the weights that minimise the model, all of its classes at
    once, but that the classes' second derivatives are taken to have nothing in common, and to be so
    many times larger. The model is never increased.

    Parameters
    ----------
    numbers : (n_numbers,) int64
        Of the columns, in the order in which they are taken; some may be there more than once.
    data, rows, pointers, row_starts
        See `groups.ColumnStore`.
    l1_penalties, l2_penalties : (n_columns,)
        Of the absolute weights, and half of those of their squares.
    most_changes : (n_columns,)
        A weight isn't changed by more.
    row_weights : (n_rows,)
        Of a single class, the second derivatives by the rows' logits.
    probabilities : (n_rows, padded_classes)
        Where the model has been made; zero in the padding.
    takes_curvatures : bool
        Whether the second derivatives of the columns are to be written, too.
    closeness : float
        See `missing_out`.
    is_grouped : bool
        Whether norms are penalised instead of absolute weights, each that of a column's weights.
    blocks : tuple of tuples
        See `sparse_pass.accumulate_sparse`.
    lines : (2, padded_classes)
        Overwritten.
    curvatures : (n_columns, padded_classes)
        The classes' second derivatives, without those of the penalties.
    factors : (n_columns,)
        What they are multiplied by; follows what the changes of a column have needed.
    slopes : (n_rows, padded_classes)
        The derivatives of the model by the rows' logits; changed in place.
    weights : (n_columns, padded_classes)
        Changed in place.
    violations_out : (n_columns,)
        The sum over the classes of the shortest subgradients, absolute, before the column's change.
    missing_out : (n_columns,)
        Zero if all of a column's weights were zero, and would stay so for an L1 penalty less by
        `closeness`.
    """
    columns = ColumnStore(data, rows, pointers, row_starts)
    width, vectors, _ = blocks
    for number in numbers:
        if takes_curvatures:
            _take_curvatures(columns, number, row_weights, probabilities, blocks, curvatures)
        violation, missing, alone = 0.0, 0.0, 0.0
        if is_grouped and l1_penalties[number] > 0.0:
            violation, missing, alone = _choose_change_of_group(
                columns, number, slopes, l1_penalties[number], l2_penalties[number],
                most_changes[number], closeness, blocks, curvatures, factors[number], weights,
                lines,
            )  # fmt: skip
        else:
            for column in range(0, weights.shape[1], len(width) * len(vectors)):
                slope = _contract(columns, number, slopes, column, blocks)
                found = _choose_changes(
                    slope, number, column, l1_penalties[number], l2_penalties[number],
                    most_changes[number], closeness, blocks, curvatures, factors[number], weights,
                    lines,
                )  # fmt: skip
                violation += found[0]
                missing += found[1]
                alone += found[2]
        violations_out[number] = violation
        missing_out[number] = missing
        changed = 0.0
        for label in range(weights.shape[1]):
            changed = max(changed, abs(lines[0, label]))
        if changed == 0.0:
            continue
        together = _change_rows(columns, number, row_weights, probabilities, blocks, lines, slopes)
        if alone > 0.0 and len(width) > 1:
            needed = max(_CAUTION * together / alone, _FORGETTING * factors[number])
            factors[number] = min(max(needed, LEAST_CURVED), MOST_CURVED)
