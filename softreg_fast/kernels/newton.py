"""Newton's method for few coefficients of few rows: many steps in one call.

Coefficients are ``(n_columns, n_unknowns)``, of features centred and scaled, the intercept last.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point, kernel
from .loss import IDENTITY, loss_and_slopes
from .simd.lanes import load, multiply_add, splat, store, sum_lanes
from .weighted_gram import SquaresSpecialisation, assemble_derivatives

_SUFFICIENT_DECREASE = 1e-4
# Of the value, what differences may be nothing but rounding of.
_ROUNDING = 1e-11
_MOST_TRIALS = 30
# Added to what may be singular, as a share of the largest.
_RIDGE = 1e-12


def _newton_types(specialisation: SquaresSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    vector, matrix, cube = (array_type(double, n_dimensions) for n_dimensions in (1, 2, 3))
    fixed_vector = array_type(double, 1, readonly=True)
    fixed_matrix = array_type(double, 2, readonly=True)
    return (
        fixed_matrix,
        fixed_matrix,
        fixed_matrix,
        fixed_matrix,
        fixed_matrix,
        fixed_vector,
        fixed_vector,
        fixed_matrix,
        types.float64,
        types.Tuple([types.UniTuple(types.intp, len(each)) for each in specialisation.blocks]),
        matrix,
        matrix,
        matrix,
        matrix,
        cube,
        matrix,
        fixed_matrix,
        cube,
        cube,
        cube,
        matrix,
        vector,
        array_type(np.dtype(np.int64), 1),
    )


@kernel
def _evaluate(
    columns, targets, row_weights, penalties, width, point, logits, row_scratch, gradient_out
):
    """The objective and its gradient; in place of the logits the losses' derivatives by them."""
    n_columns, n_unknowns = point.shape
    n_padded = logits.shape[1]
    zero = splat(0.0, load(columns, 0, 0, width))
    for row in range(0, n_padded, len(width)):
        for label in range(n_columns):
            logit = zero
            for unknown in range(n_unknowns):
                coefficient = splat(point[label, unknown], zero)
                logit = multiply_add(coefficient, load(columns, unknown, row, width), logit)
            store(logits, label, row, logit)
    objective, _ = loss_and_slopes(
        targets, row_weights, row_scratch, n_padded, n_columns, IDENTITY, None, None, width, logits,
        logits,
    )  # fmt: skip
    for label in range(n_columns):
        for unknown in range(n_unknowns):
            total = zero
            for row in range(0, n_padded, len(width)):
                slope = load(logits, label, row, width)
                total = multiply_add(slope, load(columns, unknown, row, width), total)
            penalty = penalties[unknown] * point[label, unknown]
            gradient_out[label, unknown] = sum_lanes(total) + penalty
            objective += 0.5 * penalty * point[label, unknown]
    return objective


@kernel
def _largest_slope(gradient, means, scales, divisors):
    """The largest component of the gradient, of features as they are, over their divisors."""
    n_columns, n_unknowns = gradient.shape
    n_features = len(scales)
    has_intercept = n_unknowns > n_features
    largest = 0.0
    for label in range(n_columns):
        of_intercept = gradient[label, n_features] if has_intercept else 0.0
        largest = max(largest, abs(of_intercept))
        for feature in range(n_features):
            slope = gradient[label, feature] * scales[feature] + means[feature] * of_intercept
            largest = max(largest, abs(slope) / divisors[feature])
    return largest


@kernel
def _weigh_pairs(targets, row_weights, slopes, n_columns, all_weights_out):
    """The second derivatives of each row's loss by the logits of each pair of classes."""
    n_rows = all_weights_out.shape[1]
    # A single column is of the second class.
    offset = 1 if n_columns == 1 else 0
    pair = 0
    for first in range(n_columns):
        for second in range(first, n_columns):
            own = 1.0 if first == second else 0.0
            for row in range(n_rows):
                weight = row_weights[0, row]
                result = 0.0
                if weight > 0.0:
                    here = slopes[first, row] / weight
                    there = slopes[second, row] / weight
                    if targets[0, row] == first + offset:
                        here += 1.0
                    if targets[0, row] == second + offset:
                        there += 1.0
                    result = (own - there) * here * weight
                all_weights_out[pair, row] = result
            pair += 1


@kernel
def _factor(matrix):
    """Cholesky's factor in place of the upper part; False if the matrix isn't positive."""
    size = matrix.shape[0]
    for place in range(size):
        pivot = matrix[place, place]
        if not pivot > 0.0:
            return False
        root = np.sqrt(pivot)
        row = matrix[place]
        for other in range(place, size):
            row[other] /= root
        for below in range(place + 1, size):
            factor = row[below]
            changed = matrix[below]
            for other in range(below, size):
                changed[other] -= factor * row[other]
    return True


@kernel
def _divide(factor, right):
    """Solve for a right-hand side, in place, by Cholesky's factor."""
    size = len(right)
    for place in range(size):
        right[place] /= factor[place, place]
        for other in range(place + 1, size):
            right[other] -= factor[place, other] * right[place]
    for place in range(size - 1, -1, -1):
        total = right[place]
        for other in range(place + 1, size):
            total -= factor[place, other] * right[other]
        right[place] = total / factor[place, place]


@kernel
def _copy(array, array_out):
    """Element by element."""
    for row in range(array.shape[0]):
        for column in range(array.shape[1]):
            array_out[row, column] = array[row, column]


@kernel
def _add_ridge(matrix):
    """Have it positive in spite of rounding."""
    largest = 0.0
    for place in range(matrix.shape[0]):
        largest = max(largest, matrix[place, place])
    for place in range(matrix.shape[0]):
        matrix[place, place] += _RIDGE * largest


@kernel
def _move(point, direction, length, point_out):
    """Against a direction."""
    for row in range(point.shape[0]):
        for column in range(point.shape[1]):
            point_out[row, column] = point[row, column] - length * direction[row, column]


@kernel
def _slope_against(gradient, direction):
    """Of the objective, against a direction."""
    slope = 0.0
    for row in range(gradient.shape[0]):
        for column in range(gradient.shape[1]):
            slope -= gradient[row, column] * direction[row, column]
    return slope


class _Problem(NamedTuple):
    """What is minimised; see `follow_by_newton`."""

    features: Any
    columns: Any
    targets: Any
    row_weights: Any
    penalties: Any
    means: Any
    scales: Any
    divisors: Any
    tolerance: Any


class _Scratch(NamedTuple):
    """What is overwritten; see `follow_by_newton`."""

    logits: Any
    of_rows: Any
    all_weights: Any
    scaled: Any
    squares: Any
    matrix: Any
    direction: Any
    trial: Any
    trial_gradient: Any


@kernel
def _evaluate_here(problem, scratch, blocks, point, gradient_out):
    """The objective, and the largest slope; see `_evaluate`."""
    value = _evaluate(
        problem.columns, problem.targets, problem.row_weights, problem.penalties, blocks[0],
        point, scratch.logits, scratch.of_rows, gradient_out,
    )  # fmt: skip
    return value, _largest_slope(gradient_out, problem.means, problem.scales, problem.divisors)


@kernel
def _minimise(problem, scratch, blocks, point, gradient, objectives_out):
    """What `follow_by_newton` does for one penalty; steps, and the largest slope at the end."""
    n_columns = point.shape[0]
    matrix, direction = scratch.matrix, scratch.direction
    value, largest = _evaluate_here(problem, scratch, blocks, point, gradient)
    objectives_out[0] = value
    n_steps = 0
    is_lower = True
    while is_lower and n_steps < len(objectives_out) - 1 and largest > problem.tolerance:
        _weigh_pairs(
            problem.targets, problem.row_weights, scratch.logits, n_columns, scratch.all_weights
        )
        assemble_derivatives(
            problem.features, scratch.all_weights, problem.penalties, n_columns > 1, blocks,
            scratch.scaled, scratch.squares, matrix,
        )  # fmt: skip
        _add_ridge(matrix)
        if not _factor(matrix):
            break
        _copy(gradient, direction)
        _divide(matrix, direction.reshape(matrix.shape[0]))
        slope = _slope_against(gradient, direction)
        length = 1.0
        is_lower = False
        for _ in range(_MOST_TRIALS):
            _move(point, direction, length, scratch.trial)
            after, largest_after = _evaluate_here(
                problem, scratch, blocks, scratch.trial, scratch.trial_gradient
            )
            rise = after - value
            is_lower = rise <= _SUFFICIENT_DECREASE * length * slope or (
                rise <= _ROUNDING * abs(value) and largest_after < largest
            )
            if is_lower:
                break
            length *= 0.5
        if is_lower:
            _copy(scratch.trial, point)
            _copy(scratch.trial_gradient, gradient)
            value, largest = after, largest_after
            n_steps += 1
            objectives_out[n_steps] = value
    return n_steps, largest


@entry_point(_newton_types)
def follow_by_newton(
    features,
    columns,
    targets,
    row_weights,
    all_penalties,
    means,
    scales,
    all_divisors,
    tolerance,
    blocks,
    logits,
    row_scratch,
    all_weights,
    scaled,
    squares,
    matrix,
    start,
    scratch,
    points_out,
    gradients_out,
    objectives_out,
    largest_out,
    n_steps_out,
):
    """Minimise the objective for one penalty after the other, each from where the last has led.

    Steps are taken until the gradient is small, or none leads lower.

    Parameters
    ----------
    features : (n_rows, padded_features)
        Centred and scaled, with a one for the intercept; as `weigh_squares` takes them.
    columns : (n_unknowns, padded_rows)
        The same, transposed; finite where rows fill up the last `loss.PAIR` of vectors.
    targets, row_weights : (1, padded_rows)
        Numbers of classes; weights are zero where rows fill up the last `loss.PAIR` of vectors.
    all_penalties : (n_penalties, n_unknowns)
        Their second derivatives.
    means, scales : (n_features,)
        What the features were centred and scaled by.
    all_divisors : (n_penalties, n_features)
        Of the gradient's components, see `tolerance`.
    tolerance : float
        Of the largest component of the gradient, by coefficients of features as they are, divided
        by the features' divisors.
    blocks : tuple of tuples
        See `weigh_squares`.
    logits : (n_columns, padded_rows)
        Overwritten.
    row_scratch : (2, padded_rows)
        Overwritten.
    all_weights : (n_columns * (n_columns + 1) // 2, n_rows)
        Overwritten.
    scaled : (len(blocks[3]), TILE_ROWS)
        Overwritten.
    squares : (n_pairs, padded_rows, padded_features)
        Overwritten.
    matrix : (n_columns * n_unknowns, n_columns * n_unknowns)
        Overwritten.
    start : (n_columns, n_unknowns)
    scratch : (3, n_columns, n_unknowns)
        Overwritten.
    points_out, gradients_out : (n_penalties, n_columns, n_unknowns)
        Where steps have ended, and the gradient there.
    objectives_out : (n_penalties, 1 + n_steps)
        At the start and after each step; as many steps are taken at most.
    largest_out : (n_penalties,)
        What the tolerance is of.
    n_steps_out : (n_penalties,) int64
    """
    for place in range(all_penalties.shape[0]):
        point = points_out[place]
        if place == 0:
            _copy(start, point)
        else:
            _copy(points_out[place - 1], point)
        n_steps_out[place], largest_out[place] = _minimise(
            _Problem(
                features, columns, targets, row_weights, all_penalties[place], means, scales,
                all_divisors[place], tolerance,
            ),
            _Scratch(
                logits, row_scratch, all_weights, scaled, squares, matrix, scratch[0], scratch[1],
                scratch[2],
            ),
            blocks,
            point,
            gradients_out[place],
            objectives_out[place],
        )  # fmt: skip
