"""Products with some columns of dense features, and coordinate descent over them.

As `columns`, for models of one column whose features have an element in every row: the lanes of
SIMD vectors are rows, and four columns are taken together. What four changes do to each other
follows from the sums of the columns' products, so that each column is fetched from memory once, and
the rows' slopes are gone over twice for all four.
"""

import math
from dataclasses import dataclass

import numpy as np
from numba import types

from .columns import LEAST_CURVATURE
from .compile.entry_point import array_type, entry_point, kernel, numba_type
from .simd.cpu import vector_bits
from .simd.lanes import load, load_as, multiply_add, splat, store, sum_lanes

# What columns are kept in.
COLUMN_DTYPES = np.dtype(np.float32), np.dtype(np.float64)
_BITS = 64  # of a number
# Columns that are taken together.
N_TOGETHER = 4
# Rows whose sums stay in the first-level cache.
_ROWS_AT_A_TIME = 1024


@dataclass(frozen=True)
class DenseColumnsSpecialisation:
    """The types that an entry point for columns of dense features is compiled for.

    Attributes
    ----------
    features_dtype : numpy.dtype
        Of the columns, float32 or float64; everything else is float64.
    lanes : int
        Numbers of float64 in one SIMD vector.
    """

    features_dtype: np.dtype
    lanes: int

    @property
    def width(self) -> tuple[int, ...]:
        """The number of lanes as kernels take it: the length of a tuple."""
        return (0,) * self.lanes


def choose_specialisation(features_dtype: np.dtype) -> DenseColumnsSpecialisation:
    """That of columns of a dtype, on this CPU."""
    return DenseColumnsSpecialisation(features_dtype, vector_bits() // _BITS)


def _column_types(specialisation: DenseColumnsSpecialisation) -> tuple[types.Type, ...]:
    """The types of the numbers of some columns, of these, and of the vectors' lanes."""
    return (
        array_type(np.dtype(np.int64), 1, readonly=True),
        types.Array(numba_type(specialisation.features_dtype), 2, "C", readonly=True),
        types.BaseTuple.from_types([types.intp] * specialisation.lanes),
    )


def _combine_types(specialisation: DenseColumnsSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    return (
        *_column_types(specialisation),
        types.int64,
        types.int64,
        array_type(double, 1, readonly=True),
        array_type(double, 2),
    )


def _contract_types(specialisation: DenseColumnsSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    return (
        *_column_types(specialisation),
        array_type(double, 2, readonly=True),
        array_type(double, 1),
    )


def _descend_types(specialisation: DenseColumnsSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    vector, fixed = array_type(double, 1), array_type(double, 1, readonly=True)
    return (
        *_column_types(specialisation),
        fixed,
        fixed,
        fixed,
        fixed,
        types.float64,
        array_type(double, 2, readonly=True),
        vector,
        array_type(double, 2),
        vector,
        vector,
        vector,
    )


@kernel
def _numbers_together(numbers, place):
    """Four numbers; the last one again where there are fewer."""
    last = len(numbers) - 1
    return (
        numbers[place],
        numbers[min(place + 1, last)],
        numbers[min(place + 2, last)],
        numbers[min(place + 3, last)],
    )


@kernel
def _add_combination(columns, four, factors, width, start, stop, sums):
    """Add four columns times factors to some rows' sums."""
    whole = stop - (stop - start) % len(width)
    like = load(sums, 0, start, width)
    a, b = splat(factors[0], like), splat(factors[1], like)
    c, d = splat(factors[2], like), splat(factors[3], like)
    for row in range(start, whole, len(width)):
        total = load(sums, 0, row, width)
        total = multiply_add(a, load_as(columns, four[0], row, like), total)
        total = multiply_add(b, load_as(columns, four[1], row, like), total)
        total = multiply_add(c, load_as(columns, four[2], row, like), total)
        total = multiply_add(d, load_as(columns, four[3], row, like), total)
        store(sums, 0, row, total)
    for row in range(whole, stop):
        for each in range(N_TOGETHER):
            sums[0, row] += factors[each] * np.float64(columns[four[each], row])


@kernel
def _sum_products(columns, four, by_row, width):
    """Of four columns with a number for each row."""
    n_rows = by_row.shape[1]
    step = 2 * len(width)
    whole = n_rows - n_rows % step
    zero = splat(0.0, load(by_row, 0, 0, width))
    a, b, c, d = zero, zero, zero, zero
    e, f, g, h = zero, zero, zero, zero
    for row in range(0, whole, step):
        value, other = load(by_row, 0, row, width), load(by_row, 0, row + len(width), width)
        a = multiply_add(load_as(columns, four[0], row, zero), value, a)
        b = multiply_add(load_as(columns, four[1], row, zero), value, b)
        c = multiply_add(load_as(columns, four[2], row, zero), value, c)
        d = multiply_add(load_as(columns, four[3], row, zero), value, d)
        e = multiply_add(load_as(columns, four[0], row + len(width), zero), other, e)
        f = multiply_add(load_as(columns, four[1], row + len(width), zero), other, f)
        g = multiply_add(load_as(columns, four[2], row + len(width), zero), other, g)
        h = multiply_add(load_as(columns, four[3], row + len(width), zero), other, h)
    sums = sum_lanes(a + e), sum_lanes(b + f), sum_lanes(c + g), sum_lanes(d + h)
    for row in range(whole, n_rows):
        value = by_row[0, row]
        sums = (
            sums[0] + np.float64(columns[four[0], row]) * value,
            sums[1] + np.float64(columns[four[1], row]) * value,
            sums[2] + np.float64(columns[four[2], row]) * value,
            sums[3] + np.float64(columns[four[3], row]) * value,
        )
    return sums


@kernel
def _sum_products_and_squares(columns, four, slopes, weights, width):
    """Of four columns with the rows' slopes, and of each two of them with the rows' weights.

    Gives the four with the slopes; the squares; and the products of the first column with each that
    follows it, of the second with each that follows it, and of the last two.
    """
    n_rows = slopes.shape[1]
    whole = n_rows - n_rows % len(width)
    zero = splat(0.0, load(slopes, 0, 0, width))
    a, b, c, d = zero, zero, zero, zero
    aa, bb, cc, dd = zero, zero, zero, zero
    ab, ac, ad, bc, bd, cd = zero, zero, zero, zero, zero, zero
    for row in range(0, whole, len(width)):
        slope, weight = load(slopes, 0, row, width), load(weights, 0, row, width)
        first, second = load_as(columns, four[0], row, zero), load_as(columns, four[1], row, zero)
        third, fourth = load_as(columns, four[2], row, zero), load_as(columns, four[3], row, zero)
        a, b = multiply_add(first, slope, a), multiply_add(second, slope, b)
        c, d = multiply_add(third, slope, c), multiply_add(fourth, slope, d)
        weighted = first * weight
        aa, ab = multiply_add(weighted, first, aa), multiply_add(weighted, second, ab)
        ac, ad = multiply_add(weighted, third, ac), multiply_add(weighted, fourth, ad)
        weighted = second * weight
        bb = multiply_add(weighted, second, bb)
        bc, bd = multiply_add(weighted, third, bc), multiply_add(weighted, fourth, bd)
        weighted = third * weight
        cc, cd = multiply_add(weighted, third, cc), multiply_add(weighted, fourth, cd)
        dd = multiply_add(fourth * weight, fourth, dd)
    sums = sum_lanes(a), sum_lanes(b), sum_lanes(c), sum_lanes(d)
    squares = sum_lanes(aa), sum_lanes(bb), sum_lanes(cc), sum_lanes(dd)
    of_first = sum_lanes(ab), sum_lanes(ac), sum_lanes(ad)
    of_others = sum_lanes(bc), sum_lanes(bd), sum_lanes(cd)
    for row in range(whole, n_rows):
        slope, weight = slopes[0, row], weights[0, row]
        first, second = np.float64(columns[four[0], row]), np.float64(columns[four[1], row])
        third, fourth = np.float64(columns[four[2], row]), np.float64(columns[four[3], row])
        sums = (
            sums[0] + first * slope,
            sums[1] + second * slope,
            sums[2] + third * slope,
            sums[3] + fourth * slope,
        )
        squares = (
            squares[0] + weight * first * first,
            squares[1] + weight * second * second,
            squares[2] + weight * third * third,
            squares[3] + weight * fourth * fourth,
        )
        of_first = (
            of_first[0] + weight * first * second,
            of_first[1] + weight * first * third,
            of_first[2] + weight * first * fourth,
        )
        of_others = (
            of_others[0] + weight * second * third,
            of_others[1] + weight * second * fourth,
            of_others[2] + weight * third * fourth,
        )
    return sums, squares, of_first, of_others


@kernel
def _add_weighted_combination(columns, four, factors, weights, width, slopes):
    """Add four columns times factors, times the rows' weights, to the rows' slopes."""
    n_rows = slopes.shape[1]
    whole = n_rows - n_rows % len(width)
    like = load(slopes, 0, 0, width)
    a, b = splat(factors[0], like), splat(factors[1], like)
    c, d = splat(factors[2], like), splat(factors[3], like)
    for row in range(0, whole, len(width)):
        total = a * load_as(columns, four[0], row, like)
        other = c * load_as(columns, four[2], row, like)
        total = multiply_add(b, load_as(columns, four[1], row, like), total)
        other = multiply_add(d, load_as(columns, four[3], row, like), other)
        before = load(slopes, 0, row, width)
        store(slopes, 0, row, multiply_add(total + other, load(weights, 0, row, width), before))
    for row in range(whole, n_rows):
        total = 0.0
        for each in range(N_TOGETHER):
            total += factors[each] * np.float64(columns[four[each], row])
        slopes[0, row] += weights[0, row] * total


@entry_point(_combine_types)
def combine_dense_columns(numbers, columns, width, start, stop, factors, rows_out):
    """Add columns of these numbers, times their factors, to some rows.

    Parameters
    ----------
    numbers : (n_numbers,) int64
    columns : (>= n_columns, n_rows)
    width : tuple of `lanes`
    start, stop : int
        Which rows; `start` is a multiple of the lanes, and so is `stop` or it is `n_rows`.
    factors : (n_columns,)
    rows_out : (1, n_rows)
        Is added to.
    """
    for first in range(start, stop, _ROWS_AT_A_TIME):
        last = min(first + _ROWS_AT_A_TIME, stop)
        for place in range(0, len(numbers), N_TOGETHER):
            four = _numbers_together(numbers, place)
            n_left = len(numbers) - place
            multiples = (
                factors[four[0]],
                factors[four[1]] if n_left > 1 else 0.0,
                factors[four[2]] if n_left > 2 else 0.0,
                factors[four[3]] if n_left > 3 else 0.0,
            )
            _add_combination(columns, four, multiples, width, first, last, rows_out)


@entry_point(_contract_types)
def contract_dense_columns(numbers, columns, width, by_row, columns_out):
    """Write the products of columns of these numbers with the rows; others are left as they are.

    Parameters
    ----------
    numbers, columns, width
        See `combine_dense_columns`.
    by_row : (1, n_rows)
    columns_out : (n_columns,)
    """
    for place in range(0, len(numbers), N_TOGETHER):
        four = _numbers_together(numbers, place)
        sums = _sum_products(columns, four, by_row, width)
        for each in range(N_TOGETHER):
            columns_out[four[each]] = sums[each]


@kernel
def _clip(value, most):
    """The number of a size of at most `most` that is the nearest; NaN stays."""
    return math.copysign(most, value) if abs(value) > most else value


@kernel
def _choose_change(slope, before, curvature, l1, most):
    """How a weight changes, and how far it is from being optimal before."""
    wanted = before - slope / curvature
    wanted -= _clip(wanted, l1 / curvature)
    change = _clip(wanted - before, most)
    after = wanted if change == wanted - before else before + change
    pull = math.copysign(l1, before) if before != 0.0 else -_clip(slope, l1)
    return after, abs(slope + pull)


@entry_point(_descend_types)
def descend_dense_columns(
    numbers,
    columns,
    width,
    l1_penalties,
    l2_penalties,
    most_changes,
    tilts,
    closeness,
    row_weights,
    curvatures,
    slopes,
    weights,
    violations_out,
    missing_out,
):
    """Coordinate descent on a quadratic model of the loss plus penalties: a sweep.

    See `columns.descend_columns`, which this is for models of one column.

    Parameters
    ----------
    numbers, columns, width
        See `combine_dense_columns`. Numbers are those of all columns in the order in which they are
        taken; some may be there more than once.
    l1_penalties, l2_penalties : (n_columns,)
        Of the absolute weights, and half of those of their squares.
    most_changes : (n_columns,)
        A weight isn't changed by more.
    tilts : (n_columns,)
        Derivatives of the model by the weights that don't follow from the rows' slopes.
    closeness : float
        See `missing_out`.
    row_weights : (1, n_rows)
        The second derivatives by the rows' logits.
    curvatures : (n_columns,)
        Overwritten by the second derivatives by the weights, without those of the penalties.
    slopes : (1, n_rows)
        The derivatives of the model by the rows' logits; changed in place.
    weights : (n_columns,)
        Changed in place.
    violations_out : (n_columns,)
        The shortest subgradients, absolute, before a column's change.
    missing_out : (n_columns,)
        Zero if a column's weight was zero, and would stay so for an L1 penalty less by `closeness`.
    """
    for place in range(0, len(numbers), N_TOGETHER):
        four = _numbers_together(numbers, place)
        sums, squares, of_first, of_others = _sum_products_and_squares(
            columns, four, slopes, row_weights, width
        )
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for each in range(min(N_TOGETHER, len(numbers) - place)):
            number = four[each]
            slope = sums[each]
            if each == 1:
                slope += of_first[0] * a
            elif each == 2:
                slope += of_first[1] * a + of_others[0] * b
            elif each == 3:
                slope += of_first[2] * a + of_others[1] * b + of_others[2] * c
            before = weights[number]
            slope += tilts[number] + l2_penalties[number] * before
            curvatures[number] = squares[each]
            curvature = max(squares[each] + l2_penalties[number], LEAST_CURVATURE)
            l1 = l1_penalties[number]
            after, violation = _choose_change(slope, before, curvature, l1, most_changes[number])
            weights[number] = after
            violations_out[number] = violation
            missing = abs(slope - _clip(slope, l1 - closeness))
            missing_out[number] = max(missing, abs(before))
            if each == 0:
                a = after - before
            elif each == 1:
                b = after - before
            elif each == 2:
                c = after - before
            else:
                d = after - before
        if a != 0.0 or b != 0.0 or c != 0.0 or d != 0.0:
            _add_weighted_combination(columns, four, (a, b, c, d), row_weights, width, slopes)
