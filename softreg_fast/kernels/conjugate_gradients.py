"""Conjugate gradients for a step of Newton's method on sparse rows, on any number of threads.

The equation is ``H @ step = -gradient``, ``H`` being the second derivatives of a convex loss plus
those of an L2 penalty. A product with ``H`` is a pass over the rows, as in `sparse_pass`: forward
by rows, backward by columns. Features are taken less their means, so the intercept is that of
centred features; nothing is copied for it.

The preconditioner divides by the diagonal of ``H`` and takes the classes' mean off: all that is
worked with sums to zero over the classes, as the gradient does, since adding the same number to all
logits of a row changes no probability.

A call is for a panel of the rows. With the last one the sums over the rows are complete, and the
vectors of the method go on. As in `sparse_pass`, all that threads write follows from what they only
read: vectors are written to other arrays than those that they follow from. What only the leader
reads and writes, it may change in place.
"""

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point, kernel
from .groups import Columns, SparseRows, SparseWorkspace, Team
from .shapes import SparseSpecialisation, sparse_blocks_type, sparse_rows_types
from .simd.lanes import (
    block_of,
    combine_listed,
    load,
    load_block,
    maximum,
    multiply_add,
    select_less,
    splat,
    store_block,
    sum_lanes,
)
from .sparse_pass import sparse_columns_types, take_logits_of_row
from .threads.claims import (
    begin_pace,
    hand_in,
    open_round,
    own_buffer,
    read_round,
    take_chunk,
    wait_for_round,
)

CONJUGATE_GRADIENT_SETTINGS = np.dtype(
    [
        ("n_classes", np.int64),  # columns of the model
        ("chunk_rows", np.int64),
        ("begins", np.bool_),  # whether a step begins, which takes the gradient and the diagonal
        ("is_first", np.bool_),  # whether nothing has been summed before
        ("is_last", np.bool_),  # whether this is the last panel
        ("fit_intercept", np.bool_),
        ("iteration", np.float64),  # from 1
        ("forcing", np.float64),  # see `_goes_on`
        ("total_weight", np.float64),
        ("l2_penalty", np.float64),  # per unit of weight
    ],
    align=True,
)
CONJUGATE_GRADIENT_STATE = np.dtype(
    [
        ("product", np.float64),  # of the residual and the preconditioned one
        ("norm", np.float64),  # the largest component of the gradient, over the divisors
        ("ridge", np.float64),  # squares of the direction's weights
        ("curvature", np.float64),  # of the loss along the direction, summed over rows
        ("length", np.float64),  # how far to go along the direction
        ("momentum", np.float64),  # what of the direction the next one keeps
        ("decrease", np.float64),  # of the quadratic model, so far
        ("has_gone_on", np.bool_),  # whether the iteration has changed the step
        ("is_over", np.bool_),  # whether the step is good enough, or can't become better
    ],
    align=True,
)

ROWS, FEATURES, DIRECTIONS = 0, 1, 2

_ONE = (0,)
# Of the squared mean of a feature: what the second derivative of a centred one is at least, whose
# terms may cancel.
_LEAST_SPREAD = 1e-10


@kernel
def _bend_row_of_two(rows, row, slope, logit, begins):
    """The second derivative by a single logit, times a change of it if no step begins."""
    weight = rows.weights[row] if len(rows.weights) > 0 else 1.0
    if weight == 0.0:
        return 0.0
    probability = slope / weight
    if rows.targets[row] == 1:
        probability += 1.0
    bent = weight * probability * (1.0 - probability)
    return bent if begins else bent * logit


@kernel
def _bend_row(rows, row, place, slopes, blocks, begins, lines, bent_out):
    """What the slopes of a row change by with its logits; gives the product with these.

    The changes of the logits are in the first line, the second one is overwritten. If a step
    begins, it is the second derivative by each logit.
    """
    width, vectors, _ = blocks
    step = len(width) * len(vectors)
    like = load(lines, 0, 0, width)
    n_padded = bent_out.shape[1]
    weight = rows.weights[row] if len(rows.weights) > 0 else 1.0
    scales = block_of(splat(1.0 / weight if weight > 0.0 else 0.0, like), _ONE, vectors)
    weights = block_of(splat(weight, like), _ONE, vectors)
    one = block_of(splat(1.0, like), _ONE, vectors)
    for column in range(0, n_padded, step):
        slope = load_block(slopes, row, column, width, _ONE, vectors)
        store_block(lines, 1, column, scales * slope)
    lines[1, rows.targets[row]] += 1.0
    if begins:
        for column in range(0, n_padded, step):
            own = load_block(lines, 1, column, width, _ONE, vectors)
            store_block(bent_out, place, column, weights * own * (one - own))
        return 0.0
    mean = 0.0
    for column in range(0, n_padded, step):
        own = load_block(lines, 1, column, width, _ONE, vectors)
        mean += sum_lanes(own * load_block(lines, 0, column, width, _ONE, vectors))
    means = block_of(splat(mean, like), _ONE, vectors)
    curved = block_of(splat(0.0, like), _ONE, vectors)
    for column in range(0, n_padded, step):
        own = load_block(lines, 1, column, width, _ONE, vectors)
        change = load_block(lines, 0, column, width, _ONE, vectors)
        bent = weights * own * (change - means)
        curved = multiply_add(bent, change, curved)
        store_block(bent_out, place, column, bent)
    return sum_lanes(curved)


@kernel
def _work_on_rows(
    rows, start, stop, first_row, settings, blocks, direction, slopes, work, bent_out, sums_out
):
    """Bend a chunk of the rows along the direction.

    Parameters
    ----------
    rows : SparseRows
    start, stop, first_row : int
        Which rows; and the one that comes first in the output.
    direction : (n_features + 1, padded_classes)
        A model, the biases last.
    slopes : (n_samples, padded_classes)
    work : SparseWorkspace
    bent_out : (n_rows, padded_classes)
    sums_out : (1 + padded_classes,) float64
        The curvature along the direction, then the sums of what is bent.
    """
    begins = settings["begins"]
    n_classes = settings["n_classes"]
    lines, totals = work.lines, work.totals
    curvature = 0.0
    for label in range(n_classes):
        totals[label] = 0.0
    for row in range(start, stop):
        place = row - first_row
        if not begins:
            take_logits_of_row(rows, row, direction, blocks, 0, lines)
        if n_classes == 1:
            logit = 0.0 if begins else lines[0, 0]
            bent = _bend_row_of_two(rows, row, slopes[row, 0], logit, begins)
            bent_out[place, 0] = bent
            curvature += bent * logit
        else:
            curvature += _bend_row(rows, row, place, slopes, blocks, begins, lines, bent_out)
        for label in range(n_classes):
            totals[label] += bent_out[place, label]
    sums_out[0] = curvature
    for label in range(n_classes):
        sums_out[1 + label] = totals[label]


@kernel
def _take_curvatures(columns, feature, mean, bent, before, column, blocks, is_first):
    """The second derivatives by a feature's weights, less the squared mean's part."""
    width, vectors, _ = blocks
    like = load(bent, 0, 0, width)
    total = block_of(splat(0.0, like), _ONE, vectors)
    if not is_first:
        total = load_block(before, feature, column, width, _ONE, vectors)
    for place in range(columns.pointers[feature], columns.pointers[feature + 1]):
        value = np.float64(columns.data[place])
        factor = block_of(splat(value * (value - 2.0 * mean), like), _ONE, vectors)
        row = np.int64(columns.rows[place])
        own = load_block(bent, row, column, width, _ONE, vectors)
        total = multiply_add(factor, own, total)
    return total


@kernel
def _begin_features(
    columns, chunk, settings, blocks, means, inverse_divisors, bent, before, row_sums, model,
    gradient, gradient_row, lines, totals_out, residual_out, inverse_out, sums_out,
):  # fmt: skip
    """The diagonal and the residual where a step begins, of a chunk of the features.

    See `conjugate_gradients`; `sums_out` is the chunk's.
    """
    width, vectors, _ = blocks
    step = len(width) * len(vectors)
    like = load(model, 0, 0, width)
    zeros = block_of(splat(0.0, like), _ONE, vectors)
    one = block_of(splat(1.0, like), _ONE, vectors)
    scale = block_of(splat(1.0 / settings["total_weight"], like), _ONE, vectors)
    ridge = block_of(splat(settings["l2_penalty"], like), _ONE, vectors)
    least = block_of(splat(_LEAST_SPREAD, like), _ONE, vectors)
    is_first, is_last = settings["is_first"], settings["is_last"]
    n_padded = model.shape[1]
    product = zeros
    for column in range(0, n_padded, step):
        store_block(lines, 0, column, zeros)
    for feature in range(columns.cuts[chunk], columns.cuts[chunk + 1]):
        mean = means[feature]
        minus = block_of(splat(-mean, like), _ONE, vectors)
        square = block_of(splat(mean * mean, like), _ONE, vectors)
        divisor = block_of(splat(inverse_divisors[feature], like), _ONE, vectors)
        for column in range(0, n_padded, step):
            curvature = _take_curvatures(
                columns, feature, mean, bent, before, column, blocks, is_first
            )
            if not is_last:
                store_block(totals_out, feature, column, curvature)
                continue
            all_rows = load_block(row_sums, 0, column, width, _ONE, vectors)
            squares = square * all_rows
            curvature = maximum(curvature + squares, least * squares)
            curvature = multiply_add(scale, curvature, ridge)
            inverse = select_less(zeros, curvature, one / curvature, zeros)
            weights = load_block(model, feature, column, width, _ONE, vectors)
            penalty = ridge * weights
            slope = load_block(gradient, feature, column, width, _ONE, vectors)
            own = multiply_add(scale, slope, penalty)
            sums = load_block(gradient_row, 0, column, width, _ONE, vectors)
            residual = zeros - multiply_add(scale, multiply_add(minus, sums, slope), penalty)
            largest = load_block(lines, 0, column, width, _ONE, vectors)
            own = divisor * maximum(own, zeros - own)
            store_block(lines, 0, column, maximum(own, largest))
            product = multiply_add(residual * residual, inverse, product)
            store_block(inverse_out, feature, column, inverse)
            store_block(residual_out, feature, column, residual)
    largest_of_all = 0.0
    for label in range(settings["n_classes"]):
        value = lines[0, label]
        if not value <= largest_of_all:  # NaN stays
            largest_of_all = value
    sums_out[0] = sum_lanes(product)
    sums_out[1] = largest_of_all


@kernel
def _go_on_features(
    columns, chunk, settings, state, blocks, means, bent, before, row_sums, direction, inverse,
    step_from, residual_from, totals_out, step_out, residual_out, sums_out,
):  # fmt: skip
    """Go along the direction, in a chunk of the features.

    See `conjugate_gradients`; `sums_out` is the chunk's.
    """
    width, vectors, _ = blocks
    like = load(direction, 0, 0, width)
    zeros = block_of(splat(0.0, like), _ONE, vectors)
    scale = block_of(splat(1.0 / settings["total_weight"], like), _ONE, vectors)
    ridge = block_of(splat(settings["l2_penalty"], like), _ONE, vectors)
    length = block_of(splat(state["length"], like), _ONE, vectors)
    is_first, is_last = settings["is_first"], settings["is_last"]
    n_padded = direction.shape[1]
    product = zeros
    for feature in range(columns.cuts[chunk], columns.cuts[chunk + 1]):
        start, stop = columns.pointers[feature], columns.pointers[feature + 1]
        minus = block_of(splat(-means[feature], like), _ONE, vectors)
        for column in range(0, n_padded, len(width) * len(vectors)):
            total = zeros
            if not is_first:
                total = load_block(before, feature, column, width, _ONE, vectors)
            # In order: rows that weigh nothing change no bit.
            total = combine_listed(
                total, columns.data, columns.rows, start, stop, bent, column, _ONE
            )
            if not is_last:
                store_block(totals_out, feature, column, total)
                continue
            sums = load_block(row_sums, 0, column, width, _ONE, vectors)
            along = load_block(direction, feature, column, width, _ONE, vectors)
            curved = multiply_add(scale, multiply_add(minus, sums, total), ridge * along)
            residual = load_block(residual_from, feature, column, width, _ONE, vectors)
            residual = residual - length * curved
            taken = load_block(step_from, feature, column, width, _ONE, vectors)
            own = load_block(inverse, feature, column, width, _ONE, vectors)
            product = multiply_add(residual * residual, own, product)
            store_block(residual_out, feature, column, residual)
            store_block(step_out, feature, column, multiply_add(length, along, taken))
    sums_out[0] = sum_lanes(product)
    sums_out[1] = 0.0


@kernel
def _turn_features(
    columns, chunk, settings, state, blocks, means, mask, inverse, residual, direction, lines,
    direction_out, sums_out,
):  # fmt: skip
    """The next direction, of a chunk of the features.

    See `conjugate_gradients`; `sums_out` is the chunk's: the squares of the direction, and its
    products with the means.
    """
    width, vectors, _ = blocks
    step = len(width) * len(vectors)
    n_padded = direction.shape[1]
    like = load(direction, 0, 0, width)
    zeros = block_of(splat(0.0, like), _ONE, vectors)
    momentum = block_of(splat(state["momentum"], like), _ONE, vectors)
    n_classes = settings["n_classes"]
    fit_intercept = settings["fit_intercept"]
    keeps_some = state["momentum"] != 0.0
    squares = zeros
    for column in range(0, n_padded, step):
        store_block(lines, 0, column, zeros)
    for feature in range(columns.cuts[chunk], columns.cuts[chunk + 1]):
        mean = 0.0
        if n_classes > 1:
            for column in range(0, n_padded, step):
                left = load_block(residual, feature, column, width, _ONE, vectors)
                own = load_block(inverse, feature, column, width, _ONE, vectors)
                mean += sum_lanes(left * own)
            mean /= n_classes
        minus = block_of(splat(-mean, like), _ONE, vectors)
        factor = block_of(splat(means[feature], like), _ONE, vectors)
        for column in range(0, n_padded, step):
            left = load_block(residual, feature, column, width, _ONE, vectors)
            own = load_block(inverse, feature, column, width, _ONE, vectors)
            turned = left * own
            if n_classes > 1:
                are_classes = load_block(mask, 0, column, width, _ONE, vectors)
                turned = multiply_add(minus, are_classes, turned)
            if keeps_some:
                before = load_block(direction, feature, column, width, _ONE, vectors)
                turned = multiply_add(momentum, before, turned)
            squares = multiply_add(turned, turned, squares)
            store_block(direction_out, feature, column, turned)
            if fit_intercept:
                sums = load_block(lines, 0, column, width, _ONE, vectors)
                store_block(lines, 0, column, multiply_add(factor, turned, sums))
    sums_out[0] = sum_lanes(squares)
    for label in range(n_classes):
        sums_out[1 + label] = lines[0, label]


@kernel
def _sum_rows(settings, state, n_chunks, chunk_sums, row_sums_out):
    """Sum up what chunks of the rows have given, and say how far to go; the leader's part."""
    curvature = state["curvature"]
    state["is_over"] = False
    state["has_gone_on"] = False
    if settings["is_first"]:
        curvature = 0.0
        for label in range(settings["n_classes"]):
            row_sums_out[0, label] = 0.0
    for chunk in range(n_chunks):
        curvature += chunk_sums[chunk, 0]
        for label in range(settings["n_classes"]):
            row_sums_out[0, label] += chunk_sums[chunk, 1 + label]
    state["curvature"] = curvature
    if settings["is_last"] and not settings["begins"]:
        along = curvature / settings["total_weight"] + settings["l2_penalty"] * state["ridge"]
        state["length"] = state["product"] / along
        state["is_over"] = not (along > 0.0 and np.isfinite(state["length"]))


@kernel
def _goes_on(settings, state, product):
    """Whether a step is worth another iteration, having got a residual of some product.

    It is while the quadratic model falls by more than a share, `forcing`, of what iterations have
    brought on average (Nash and Sofer, Assessing a search direction within a truncated-Newton
    method, 1990).
    """
    gained = 0.5 * state["length"] * state["product"]
    decrease = state["decrease"] + gained
    state["decrease"] = decrease
    is_worth_it = settings["iteration"] * gained > settings["forcing"] * decrease
    return is_worth_it and product > 0.0 and np.isfinite(product)


@kernel
def _sum_features(
    settings, state, n_chunks, chunk_sums, row_sums, gradient_row, direction_bias, inverse,
    step_from, residual_from, step_out, residual_out,
):  # fmt: skip
    """Sum up what chunks of the features have given, with the intercepts; the leader's part.

    The intercepts are in the last rows.
    """
    begins = settings["begins"]
    last = len(residual_out) - 1
    product = 0.0
    norm = 0.0
    for chunk in range(n_chunks):
        product += chunk_sums[chunk, 0]
        if not chunk_sums[chunk, 1] <= norm:  # NaN stays
            norm = chunk_sums[chunk, 1]
    if settings["fit_intercept"]:
        for label in range(settings["n_classes"]):
            if begins:
                curvature = row_sums[0, label] / settings["total_weight"]
                inverse[last, label] = 1.0 / curvature if curvature > 0.0 else 0.0
                residual = -gradient_row[0, label] / settings["total_weight"]
                if not abs(residual) <= norm:
                    norm = abs(residual)
            else:
                along = direction_bias[0, label]
                curved = row_sums[0, label] / settings["total_weight"]
                residual = residual_from[last, label] - state["length"] * curved
                step_out[last, label] = step_from[last, label] + state["length"] * along
            residual_out[last, label] = residual
            product += residual * residual * inverse[last, label]
    if begins:
        state["norm"] = norm
        state["decrease"] = 0.0
        state["momentum"] = 0.0
    else:
        state["has_gone_on"] = True
        state["momentum"] = product / state["product"]
        state["is_over"] = not _goes_on(settings, state, product)
    state["product"] = product


@kernel
def _sum_directions(
    settings, state, n_chunks, chunk_sums, inverse, residual, direction_bias, direction_out
):
    """Sum up what chunks of directions have given, with the intercepts; the leader's part."""
    last = len(residual) - 1
    n_classes = settings["n_classes"]
    ridge = 0.0
    for chunk in range(n_chunks):
        ridge += chunk_sums[chunk, 0]
    state["ridge"] = ridge
    if not settings["fit_intercept"]:
        return
    mean = 0.0
    if n_classes > 1:
        for label in range(n_classes):
            mean += residual[last, label] * inverse[last, label] / n_classes
    for label in range(n_classes):
        turned = residual[last, label] * inverse[last, label] - mean
        if state["momentum"] != 0.0:
            turned += state["momentum"] * direction_bias[0, label]
        direction_bias[0, label] = turned
        for chunk in range(n_chunks):
            turned -= chunk_sums[chunk, 1 + label]
        direction_out[last, label] = turned


def _gradient_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    count = np.dtype(np.int64)
    matrix = array_type(specialisation.dtype, 2)
    vector = array_type(double, 1, readonly=True)
    sums = array_type(double, 2)
    return (
        *sparse_rows_types(specialisation),
        *sparse_columns_types(specialisation),
        array_type(CONJUGATE_GRADIENT_SETTINGS, 1, readonly=True),
        sparse_blocks_type(specialisation),
        *(types.int64 for _ in range(5)),
        vector,
        vector,
        *(matrix for _ in range(9)),
        matrix,
        matrix,
        array_type(count, 1),
        array_type(double, 1),
        array_type(CONJUGATE_GRADIENT_STATE, 1),
        *(matrix for _ in range(8)),
        sums,
        sums,
        sums,
        array_type(count, 1),
    )


@entry_point(_gradient_types)
def conjugate_gradients(
    data,
    indices,
    pointers,
    targets,
    sample_weights,
    column_data,
    column_rows,
    column_pointers,
    column_cuts,
    all_settings,
    blocks,
    start,
    stop,
    thread,
    n_threads,
    call,
    means,
    inverse_divisors,
    mask,
    slopes,
    before,
    model,
    gradient,
    gradient_row,
    direction,
    step_from,
    residual_from,
    tile,
    lines,
    numbers,
    totals,
    all_states,
    bent,
    row_sums,
    totals_out,
    direction_bias,
    inverse_out,
    step_out,
    residual_out,
    direction_out,
    row_chunk_sums_out,
    feature_chunk_sums_out,
    direction_chunk_sums_out,
    shared,
):
    """Begin a step, or go on with it by an iteration: the part of the rows from `start` to `stop`.

    Called by all threads of a team, each with its number; that of thread 0 does all that the others
    don't. An iteration (Hestenes and Stiefel, Methods of conjugate gradients for solving linear
    systems, 1952) is complete with the last panel, unless the state says that the step is over:
    then there is no next direction.

    Parameters
    ----------
    data, indices, pointers, targets, sample_weights
        See `sparse_pass.accumulate_sparse`.
    column_data, column_rows, column_pointers, column_cuts
        See `groups.Columns`.
    all_settings : (1,) CONJUGATE_GRADIENT_SETTINGS
    blocks, start, stop, thread, n_threads, call
        See `sparse_pass.accumulate_sparse`.
    means : (n_features,) float64
        What features are taken less; zeros without an intercept.
    inverse_divisors : (n_features,) float64
        What components of the gradient are multiplied by in its norm.
    mask : (1, padded_classes)
        One for each class, zero in the padding.
    slopes : (n_samples, padded_classes)
        Derivatives of the loss by the rows' logits.
    before : (n_features, padded_classes)
        What has been summed of other panels.
    model : (n_features + 1, padded_classes)
        Where the step begins.
    gradient, gradient_row : (n_features, padded_classes), (1, padded_classes)
        Of the loss, by the weights and by the biases, summed over the rows.
    direction : (n_features + 1, padded_classes)
        Of the iteration, as a model.
    step_from, residual_from : (n_features + 1, padded_classes)
        Last, those of the intercepts of centred features.
    tile, lines, numbers, totals
        The thread's; see `groups.SparseWorkspace`.
    all_states : (1,) CONJUGATE_GRADIENT_STATE
    bent : (>= stop - start, padded_classes)
        Overwritten; zero at first.
    row_sums : (1, padded_classes)
        Of what is bent, over the panels.
    totals_out : (n_features, padded_classes)
        The sums of this panel and those before.
    direction_bias : (1, padded_classes)
        The intercepts of the direction, of centred features.
    inverse_out : (n_features + 1, padded_classes)
        The preconditioner; written when a step begins.
    step_out, residual_out, direction_out : (n_features + 1, padded_classes)
    row_chunk_sums_out, direction_chunk_sums_out : (n_chunks, 1 + padded_classes) float64
    feature_chunk_sums_out : (n_chunks, 2) float64
    shared : (n_shared,) int64
        See `threads.claims`.
    """
    settings = all_settings[0]
    state = all_states[0]
    rows = SparseRows(data, indices, pointers, targets, sample_weights, None)
    columns = Columns(column_data, column_rows, column_pointers, column_cuts)
    work = SparseWorkspace(tile, lines, numbers, totals)
    team = Team(thread, n_threads, call, shared)
    n_chunks_of_rows = -(-(stop - start) // settings["chunk_rows"])
    n_chunks = len(column_cuts) - 1
    number = 0
    fastest = 0
    n_rounds = 0
    while True:
        if thread > 0:
            if not wait_for_round(team, number, fastest):
                break
        elif n_rounds == ROWS:
            open_round(team, settings["chunk_rows"], start, stop, 0, ROWS)
        elif n_rounds == FEATURES:
            _sum_rows(settings, state, n_chunks_of_rows, row_chunk_sums_out, row_sums)
            if state["is_over"]:
                break
            open_round(team, 1, 0, n_chunks, 0, FEATURES)
        elif not settings["is_last"]:
            break
        elif n_rounds == DIRECTIONS:
            _sum_features(
                settings, state, n_chunks, feature_chunk_sums_out, row_sums, gradient_row,
                direction_bias, inverse_out, step_from, residual_from, step_out, residual_out,
            )  # fmt: skip
            if state["is_over"]:
                break
            open_round(team, 1, 0, n_chunks, 0, DIRECTIONS)
        else:
            _sum_directions(
                settings, state, n_chunks, direction_chunk_sums_out, inverse_out, residual_out,
                direction_bias, direction_out,
            )  # fmt: skip
            break
        n_rounds += 1
        round = read_round(team)
        number = round.number
        pace = begin_pace(team, fastest)
        while True:
            chunk, pace = take_chunk(team, round, pace)
            if chunk < 0:
                break
            if round.detail == ROWS:
                chunk_start = round.start + chunk * settings["chunk_rows"]
                chunk_stop = min(chunk_start + settings["chunk_rows"], round.stop)
                _work_on_rows(
                    rows, chunk_start, chunk_stop, start, settings, blocks, direction, slopes,
                    work, bent, row_chunk_sums_out[chunk],
                )  # fmt: skip
            elif round.detail == DIRECTIONS:
                _turn_features(
                    columns, chunk, settings, state, blocks, means, mask, inverse_out,
                    residual_out, direction, lines, direction_out, direction_chunk_sums_out[chunk],
                )  # fmt: skip
            elif settings["begins"]:
                _begin_features(
                    columns, chunk, settings, blocks, means, inverse_divisors, bent, before,
                    row_sums, model, gradient, gradient_row, lines, totals_out, residual_out,
                    inverse_out, feature_chunk_sums_out[chunk],
                )  # fmt: skip
            else:
                _go_on_features(
                    columns, chunk, settings, state, blocks, means, bent, before, row_sums,
                    direction, inverse_out, step_from, residual_from, totals_out, step_out,
                    residual_out, feature_chunk_sums_out[chunk],
                )  # fmt: skip
            pace = hand_in(team, round, chunk, own_buffer(team), pace)
        fastest = pace.fastest
