"""Whole epochs of proximal mini-batch gradient descent, averaged or accelerated, on any threads.

Three sets of parameters move: the *fast* one takes the steps, the *average* follows it, and the
losses are taken at the *working* one between the two. For a batch with the gradient ``g`` of its
mean loss at the working set, and each feature's mean ``m`` and factor ``f``, ::

    fast    = prox(fast - rate * f * (g - m * g_bias))
    average = average + share * (fast - average)
    working = fast + pull * (average - fast)

which are steps in features that are centred and scaled, taken in the features as they are. `prox`
is that of the penalty, ``prox(w) = sign(w) * max(|w| - t * l1, 0) / (1 + t * l2)`` with
``t = rate * f``: elastic net, in the users' own units. Biases are held for centred features but in
the working set. What the coefficients are is the method:

- PLAIN: heavy-ball momentum in the form of an average (Defazio, Momentum via primal averaging,
  2020): ``pull = 1``, ``share = 1 - momentum``, and a rate that much larger.
- AVERAGED: an average with weights that grow as the square of the steps, losses at a mix of both
  (Defazio et al., The road less scheduled, 2024): ``pull = momentum``.
- ACCELERATED: Nesterov's method in the form of Auslender and Teboulle, 2006, begun anew where the
  average has gone against the gradient (O'Donoghue and Candes, 2015).

With an automatic rate, `learning_rate` is the inverse of a bound of the curvature where all classes
are equally probable. A row's curvature is at most two times its loss, as against half, so the rate
grows as the loss falls. Where an epoch's objective is far above the lowest one, by a quarter if
accelerated, else by as much again, the bound was too low; the caller is told.
"""

import math

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point, kernel
from .matmul import transpose_weights
from .rows import order_of_epoch
from .shapes import (
    Specialisation,
    blocks_type,
    feature_columns_type,
    feature_tiles_type,
    feature_weights_type,
    features_type,
)
from .simd.lanes import load, load_as, maximum, minimum, multiply_add, splat, store, sum_lanes
from .threads.barrier import begin_with_team, wait_for_team
from .tile import (
    WORKING,
    add_compensated,
    are_finite,
    copy_parameters,
    fold_chunks,
    sum_chunks,
    work_on_round,
)

# Which of `models` is which, beside WORKING.
FAST, AVERAGE, BEST = 1, 2, 3
N_MODELS = 4
# Which row of `scaling` is which.
MEANS, FACTORS, METRIC = 0, 1, 2
N_SCALINGS = 3
PLAIN, AVERAGED, ACCELERATED = 0, 1, 2
RUNNING, STOPPED, DIVERGED, ROSE = 0, 1, 2, 3
# Which column of `row_results` is which.
_AGAINST, _PENALTY = 0, 1
N_ROW_RESULTS = 2

# Without noise, and with that of batches.
_MOST_RISE, _MOST_NOISY_RISE = 1.25, 2.0
_LEAST_CURVATURE = 2.0**-40
# Per unit of weight: a loss that goes on falling towards zero is no progress.
_LEAST_PROGRESS = 2.0**-52

PROXIMAL_SETTINGS = np.dtype(
    [
        ("seed", np.uint64),  # of the shuffled order
        ("batch_size", np.int64),
        ("patience", np.int64),  # epochs without progress before the stop; 0: no stop
        ("n_classes", np.int64),  # columns of the model
        ("activation", np.int64),  # see `loss`
        ("block_bits", np.int64),  # of the shuffled order; see `rows`
        ("window_rows", np.int64),
        ("chunk_rows", np.int64),  # rows of a chunk, a multiple of those of a tile
        ("method", np.int64),  # PLAIN, AVERAGED or ACCELERATED
        ("learning_rate", np.float64),
        ("momentum", np.float64),
        ("l1_penalty", np.float64),  # per unit of weight
        ("l2_penalty", np.float64),
        ("total_weight", np.float64),  # of all rows, whose mean is about 1
        ("tolerance", np.float64),  # the least progress, relative to the objective
        ("rounding", np.float64),  # of a row's loss
        ("notebook_gradient", np.bool_),
        ("shuffle", np.bool_),
        ("follows_loss", np.bool_),  # whether an automatic rate grows as the loss falls
        ("is_automatic", np.bool_),  # whether the rate follows the curvature
        ("decays", np.bool_),  # whether the rate falls with the root of the epochs
        ("fit_intercept", np.bool_),
    ],
    align=True,
)

PROXIMAL_STATE = np.dtype(
    [
        ("n_epochs", np.int64),  # done
        ("row", np.int64),  # rows done in this epoch
        ("n_steps", np.int64),  # since the method was begun
        ("n_without_progress", np.int64),  # epochs
        ("outcome", np.int64),  # RUNNING or how it has ended
        ("share_total", np.float64),  # of the average
        ("loss", np.float64),  # of the last epoch, or at the start; per unit of weight
        ("caution", np.float64),  # what the bound of the curvature is multiplied by
        ("best_objective", np.float64),  # of the epochs; at first what the start isn't above
        ("reference_objective", np.float64),  # what progress is measured from; infinite at first
        ("penalty", np.float64),  # of the working set
        ("epoch_penalty", np.float64),
        ("epoch_objective", np.float64),  # of the last epoch, of sparse features
        ("epoch_loss", np.float64),
        ("epoch_loss_remainder", np.float64),  # what rounding has cut off from the sum
    ],
    align=True,
)


@kernel
def rate_of_step(settings, state):
    """The rate of the next step, but for what the method makes of it."""
    rate = settings["learning_rate"] / state["caution"]
    if settings["is_automatic"] and settings["follows_loss"]:
        # Below the rounding of a loss, slopes are nothing but rounding too.
        least = max(_LEAST_CURVATURE, settings["rounding"])
        rate /= max(min(4.0 * state["loss"], 1.0), least)
    if settings["decays"]:
        rate /= math.sqrt(1.0 + state["n_epochs"])
    return rate


@kernel
def _coefficients(settings, state):
    """Rate and share of the next step, and the pull after it."""
    rate = rate_of_step(settings, state)
    if settings["method"] == ACCELERATED:
        share = 2.0 / (state["n_steps"] + 2.0)
        return rate / share, share, 1.0 - 2.0 / (state["n_steps"] + 3.0)
    if settings["method"] == AVERAGED:
        weight = (state["n_steps"] + 1.0) ** 2
        return rate, weight / (state["share_total"] + weight), settings["momentum"]
    share = 1.0 - settings["momentum"]
    # Momentum adds up steps: an automatic rate is that of their sum.
    return rate if settings["is_automatic"] else rate / share, share, 1.0


@kernel
def _begin_at_average(settings, scaling, width, like, state, models):
    """Begin the method anew where the average is."""
    bias_column = models.shape[2] - len(width)
    zero = splat(0.0, like)
    l1_penalty = splat(settings["l1_penalty"], like)
    half_l2_penalty = splat(0.5 * settings["l2_penalty"], like)
    penalties = zero
    for row in range(settings["n_classes"]):
        shifts = zero
        for column in range(0, bias_column, len(width)):
            weights = load_as(models[AVERAGE], row, column, like)
            shifts = multiply_add(load(scaling, MEANS, column, width), weights, shifts)
            penalties = multiply_add(weights * half_l2_penalty, weights, penalties)
            penalties = multiply_add(l1_penalty, maximum(weights, zero - weights), penalties)
            store(models[WORKING], row, column, weights)
            store(models[FAST], row, column, weights)
        bias = models[AVERAGE, row, bias_column]
        models[WORKING, row, bias_column] = bias - sum_lanes(shifts)
        models[FAST, row, bias_column] = bias
    state["penalty"] = sum_lanes(penalties)
    state["n_steps"] = 0
    state["share_total"] = 0.0


@kernel
def _prepare_step(rate, settings, scaling, width, like, step_factors_out):
    """Each feature's rate, and what the penalty of the squares multiplies it by."""
    one = splat(1.0, like)
    l2_penalty = splat(settings["l2_penalty"], like)
    for column in range(0, scaling.shape[1], len(width)):
        rates = load(scaling, FACTORS, column, width) * splat(rate, like)
        store(step_factors_out, 0, column, rates)
        store(step_factors_out, 1, column, one / multiply_add(rates, l2_penalty, one))


@kernel
def _step(
    gradients,
    n_chunks,
    is_first,
    scale,
    coefficients,
    row,
    settings,
    scaling,
    step_factors,
    blocks,
    models,
    totals,
    row_results_out,
):
    """Move the parameters of a class; sums are in float64.

    Parameters
    ----------
    gradients : (n_chunks, padded_classes, padded_features + lanes)
    n_chunks : int
        As many are summed.
    is_first : bool
        Whether there is nothing of the batch in `totals`.
    scale : float
        What makes the gradient's sum a mean.
    coefficients : tuple
        Rate, share and pull.
    row : int
        The class.
    scaling : (N_SCALINGS, padded_features) float64
    step_factors : (2, padded_features) float64
        See `_prepare_step`.
    row_results_out : (padded_classes, N_ROW_RESULTS) float64
        How far the average has gone against the gradient, if accelerated; and the penalty of the
        working set.
    """
    width = blocks[0]
    rate, share, pull = coefficients
    like = load(totals, 0, 0, width)
    zero = splat(0.0, like)
    is_accelerated = settings["method"] == ACCELERATED
    bias_column = totals.shape[1] - len(width)
    bias_slope = 0.0
    for chunk in range(n_chunks):
        bias_slope += np.float64(gradients[chunk, row, bias_column])
    if not is_first:
        bias_slope += totals[row, bias_column]
    bias_slope *= scale
    bias_rate = rate if settings["fit_intercept"] else 0.0
    fast_before = np.float64(models[FAST, row, bias_column])
    average_before = np.float64(models[AVERAGE, row, bias_column])
    fast_bias = fast_before - bias_rate * bias_slope
    average_bias = average_before + share * (fast_bias - average_before)
    working_before = average_before + share * (fast_before - average_before)
    against = (working_before - average_bias) * (average_bias - average_before)
    l1_penalty = splat(settings["l1_penalty"], like)
    half_l2_penalty = splat(0.5 * settings["l2_penalty"], like)
    shifts = zero
    penalties = zero
    products = zero
    for column in range(0, bias_column, len(width)):
        slopes = sum_chunks(gradients, n_chunks, row, column, like)
        if not is_first:
            slopes = slopes + load(totals, row, column, width)
        means = load(scaling, MEANS, column, width)
        slopes = slopes * splat(scale, like) - means * splat(bias_slope, like)
        rates = load(step_factors, 0, column, width)
        fast_before_here = load_as(models[FAST], row, column, like)
        average_before_here = load_as(models[AVERAGE], row, column, like)
        moved = fast_before_here - rates * slopes
        threshold = rates * l1_penalty
        moved = maximum(moved - threshold, zero) + minimum(moved + threshold, zero)
        moved = moved * load(step_factors, 1, column, width)
        average = multiply_add(splat(share, like), moved - average_before_here, average_before_here)
        working = multiply_add(splat(pull, like), average - moved, moved)
        if is_accelerated:
            before = multiply_add(
                splat(share, like), fast_before_here - average_before_here, average_before_here
            )
            metric = load(scaling, METRIC, column, width)
            products = multiply_add(
                (before - average) * (average - average_before_here), metric, products
            )
        shifts = multiply_add(means, working, shifts)
        penalties = multiply_add(working * half_l2_penalty, working, penalties)
        penalties = multiply_add(l1_penalty, maximum(working, zero - working), penalties)
        store(models[FAST], row, column, moved)
        store(models[AVERAGE], row, column, average)
        store(models[WORKING], row, column, working)
    models[FAST, row, bias_column] = fast_bias
    models[AVERAGE, row, bias_column] = average_bias
    models[WORKING, row, bias_column] = (
        fast_bias + pull * (average_bias - fast_bias) - sum_lanes(shifts)
    )
    row_results_out[row, _AGAINST] = against + sum_lanes(products)
    row_results_out[row, _PENALTY] = sum_lanes(penalties)


@kernel
def _finish_step(settings, scaling, width, like, state, models, row_results):
    """Count a step, and begin anew if it has gone against the gradient."""
    against = 0.0
    penalty = 0.0
    for row in range(settings["n_classes"]):
        against += row_results[row, _AGAINST]
        penalty += row_results[row, _PENALTY]
    state["epoch_penalty"] = state["penalty"]
    state["penalty"] = penalty
    state["share_total"] += (state["n_steps"] + 1.0) ** 2
    state["n_steps"] += 1
    if settings["method"] == ACCELERATED and against > 0.0:
        _begin_at_average(settings, scaling, width, like, state, models)


@kernel
def record_epoch(settings, state, is_finite, objectives_out):
    """Record an epoch, and see whether to stop, or how fast to go on.

    Parameters
    ----------
    settings : PROXIMAL_SETTINGS
    state : PROXIMAL_STATE
        Changed in place.
    is_finite : bool
        Whether all parameters are.
    objectives_out : (n,) float64

    Returns
    -------
    bool
        Whether the epoch had the lowest objective, by which an automatic rate goes.
    """
    epoch = state["n_epochs"]
    loss = state["epoch_loss"] / settings["total_weight"]
    objective = loss + state["epoch_penalty"]
    state["epoch_loss"] = 0.0
    state["epoch_loss_remainder"] = 0.0
    state["row"] = 0
    state["n_epochs"] = epoch + 1
    objectives_out[epoch % len(objectives_out)] = objective
    is_finite = is_finite and math.isfinite(objective)
    is_best = False
    if settings["is_automatic"]:
        rise = _MOST_RISE if settings["method"] == ACCELERATED else _MOST_NOISY_RISE
        most = rise * state["best_objective"] + settings["rounding"]
        if not (is_finite and objective < most):
            state["outcome"] = ROSE
            return False
        is_best = objective < state["best_objective"]
        if is_best:
            state["best_objective"] = objective
        state["loss"] = loss
    elif not is_finite:
        state["outcome"] = DIVERGED
        return False
    state["n_without_progress"] += 1
    reference = state["reference_objective"] * (1.0 - settings["tolerance"])
    if objective < reference - _LEAST_PROGRESS:
        state["reference_objective"] = objective
        state["n_without_progress"] = 0
    if 0 < settings["patience"] <= state["n_without_progress"]:
        state["outcome"] = STOPPED
    return is_best


def _descend_types(specialisation: Specialisation) -> tuple[types.Type, ...]:
    double = np.dtype(np.float64)
    count = np.dtype(np.int64)
    model = array_type(specialisation.dtype, 3)
    return (
        features_type(specialisation),
        feature_columns_type(specialisation),
        array_type(np.dtype(np.int32), 1, readonly=True),
        array_type(double, 1, readonly=True),
        array_type(PROXIMAL_SETTINGS, 1, readonly=True),
        array_type(double, 2, readonly=True),
        blocks_type(specialisation),
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        model,
        model,
        array_type(double, 2),
        array_type(specialisation.dtype, 3),
        feature_tiles_type(specialisation),
        feature_weights_type(specialisation),
        array_type(count, 3),
        array_type(double, 2),
        array_type(double, 2),
        array_type(double, 3),
        array_type(PROXIMAL_STATE, 1),
        array_type(double, 1),
        array_type(count, 1),
    )


@entry_point(_descend_types)
def descend(
    features,
    feature_columns,
    targets,
    sample_weights,
    all_settings,
    scaling,
    blocks,
    last_epoch,
    row_budget,
    thread,
    n_threads,
    models,
    gradients,
    totals,
    tiles,
    feature_tiles,
    feature_weights,
    numbers,
    chunk_results,
    row_results,
    step_factors,
    states,
    objectives_out,
    team,
):
    """Descend to an epoch, to a stop, to a divergence, or until the budget is spent.

    Called at once by all threads of a team, each with its number. It can be left after any round
    and taken up again by the next call.

    Parameters
    ----------
    features : (n_samples, n_features)
    feature_columns : (n_features, n_samples) or None
        The features transposed, if their columns are read in place.
    targets : (n_samples,) int32
        From 0 to ``n_classes - 1``.
    sample_weights : (n_samples,) or (0,) float64
        Of mean 1 about; with none, every row weighs 1.
    all_settings : (1,) PROXIMAL_SETTINGS
        The last batch of an epoch may have fewer rows.
    scaling : (N_SCALINGS, padded_features) float64
        The features' means, the factors of their rates and the inverse of these; zero for what
        fills up the last vector.
    blocks : tuple of tuples
        See `products`.
    last_epoch : int
        Return when so many epochs are done.
    row_budget : int
        Return after about so many rows.
    thread, n_threads : int
        The number of this thread, from 0.
    models : (N_MODELS, padded_classes, padded_features + lanes)
        The working set, the fast one, the average, and the average after the epoch with the lowest
        objective. Changed in place.
    gradients : (n_chunks, padded_classes, padded_features + lanes)
        Zero at first; the chunks' gradients.
    totals : (padded_classes, padded_features + lanes) float64
        The gradient of the rounds of a batch so far.
    tiles : (n_threads, 2 * tile_classes + 2, tile_rows)
        Zero at first.
    feature_tiles : (n_threads, n_features, tile_rows) or None
    feature_weights : (n_threads, 2, n_features + 1, class_lanes) or None
    numbers : (n_threads, 4, >= 2 * tile_rows) int64
        The second row of each is 0, 1, 2 ...; the others are zero at first.
    chunk_results : (n_chunks, 2) float64
        Overwritten.
    row_results : (padded_classes, N_ROW_RESULTS) float64
        Overwritten.
    step_factors : (n_threads, 2, padded_features) float64
        Overwritten.
    states : (1,) PROXIMAL_STATE
        Changed in place.
    objectives_out : (n,) float64
        That of epoch ``e``, per unit of weight, is at ``e % n``: the loss as the rows were met,
        and the penalty of about the last working set.
    team : (TEAM_SIZE,) int64
        Zero before each call; see `team.py`.

    Returns
    -------
    int
        What is left of the budget; below zero if the last round went beyond it.
    """
    n_samples = features.shape[0]
    settings = all_settings[0]
    state = states[0]
    width = blocks[0]
    like = load(totals, 0, 0, width)
    batch_size = settings["batch_size"]
    n_classes = settings["n_classes"]
    round_rows = gradients.shape[0] * settings["chunk_rows"]
    begin_with_team(team)
    is_together = True
    while (
        is_together
        and row_budget > 0
        and state["outcome"] == RUNNING
        and state["n_epochs"] < last_epoch
    ):
        start = state["row"]
        coefficients = _coefficients(settings, state)
        order = order_of_epoch(
            settings["shuffle"],
            settings["seed"],
            state["n_epochs"],
            n_samples,
            settings["block_bits"],
            settings["window_rows"],
        )
        batch_start = start - start % batch_size
        batch_stop = min(batch_start + batch_size, n_samples)
        stop = min(start + round_rows, batch_stop)
        transpose_weights(models[WORKING], width, feature_weights, thread, WORKING)
        n_chunks = work_on_round(
            features,
            feature_columns,
            targets,
            sample_weights,
            start,
            stop,
            stop if stop < n_samples else 0,
            order,
            WORKING,
            WORKING,
            False,
            settings,
            blocks,
            models,
            tiles,
            feature_tiles,
            feature_weights,
            thread,
            n_threads,
            numbers,
            gradients,
            chunk_results,
        )
        is_together = wait_for_team(team, n_threads)
        is_first = start == batch_start
        if is_together and stop < batch_stop:
            fold_chunks(
                gradients,
                n_chunks,
                is_first,
                False,
                0.0,
                thread,
                n_threads,
                blocks,
                models,
                totals,
            )
        elif is_together:
            scale = 1.0 / (stop - batch_start)
            _prepare_step(coefficients[0], settings, scaling, width, like, step_factors[thread])
            for row in range(
                n_classes * thread // n_threads, n_classes * (thread + 1) // n_threads
            ):
                _step(
                    gradients,
                    n_chunks,
                    is_first,
                    scale,
                    coefficients,
                    row,
                    settings,
                    scaling,
                    step_factors[thread],
                    blocks,
                    models,
                    totals,
                    row_results,
                )
        if thread == 0 and is_together:
            for chunk in range(n_chunks):
                state["epoch_loss"], state["epoch_loss_remainder"] = add_compensated(
                    state["epoch_loss"], state["epoch_loss_remainder"], chunk_results[chunk, 0]
                )
            state["row"] = stop
        is_together = is_together and wait_for_team(team, n_threads)
        if stop == batch_stop:
            if thread == 0 and is_together:
                _finish_step(settings, scaling, width, like, state, models, row_results)
                if stop == n_samples and record_epoch(
                    settings, state, are_finite(width, models[WORKING]), objectives_out
                ):
                    copy_parameters(width, models[AVERAGE], models[BEST])
            is_together = is_together and wait_for_team(team, n_threads)
        row_budget -= stop - start
    return row_budget
