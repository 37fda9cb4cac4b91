"""Steps of gradient descent: their rate, what they do to a model, and what an epoch ends with.

See `sgd_dense` for the methods.
"""

import math

import numpy as np

from .compile.entry_point import kernel
from .simd.lanes import load, load_as, maximum, minimum, multiply_add, splat, store, sum_lanes
from .threads.claims import buffer_of
from .tile import WORKING, sum_chunks

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
        ("round_rows", np.int64),  # rows of a round, those of as many chunks as there are slots
        ("method", np.int64),  # PLAIN, AVERAGED or ACCELERATED
        ("learning_rate", np.float64),
        ("momentum", np.float64),
        ("l1_penalty", np.float64),  # per unit of weight
        ("l2_penalty", np.float64),
        ("total_weight", np.float64),  # of all rows, whose mean is about 1
        ("tolerance", np.float64),  # the least progress, relative to the objective
        ("rounding", np.float64),  # of a row's loss
        ("only_loss", np.bool_),  # never
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
def coefficients_of_step(settings, state):
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
def _step(row, sums, n_chunks, fold, settings, proximal, blocks, models):
    """Move the parameters of a class; sums are in float64.

    Parameters
    ----------
    row : int
        The class.
    sums : Sums
    n_chunks : int
        As many are summed.
    fold : Fold
        Its scale makes the gradient's sum a mean.
    proximal : Proximal
    models : (N_MODELS, padded_classes, padded_features + lanes)
    """
    totals = sums.totals
    scaling, step_factors = proximal.scaling, proximal.step_factors
    is_first, scale = fold.is_first, fold.scale
    row_results_out = proximal.row_results
    width = blocks.width
    rate, share, pull = proximal.coefficients
    like = load(totals, 0, 0, width)
    zero = splat(0.0, like)
    is_accelerated = settings["method"] == ACCELERATED
    bias_column = totals.shape[1] - len(width)
    bias_slope = 0.0
    for chunk in range(n_chunks):
        buffer = buffer_of(sums.shared, chunk)
        bias_slope += np.float64(sums.gradients[buffer, row, bias_column])
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
        slopes = sum_chunks(sums, n_chunks, row, column, like)
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
def finish_step(settings, scaling, width, like, state, models, row_results):
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


@kernel
def take_step(sums, n_chunks, fold, settings, proximal, blocks, models):
    """Take a step with a penalty, by the chunks' gradients; see `_step`."""
    width = blocks.width
    like = load(sums.totals, 0, 0, width)
    _prepare_step(
        proximal.coefficients[0], settings, proximal.scaling, width, like, proximal.step_factors
    )
    for row in range(settings["n_classes"]):
        _step(row, sums, n_chunks, fold, settings, proximal, blocks, models)
