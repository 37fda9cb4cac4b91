"""Whole epochs of mini-batch gradient descent in one compiled call, and predictions.

A run can be left after any tile of rows and taken up again by the next call: everything that it
needs to go on is in `RUN_STATE` and the arrays beside it. Where it was left changes no bit of
the result.
"""

import math

import numpy as np
from numba import types

from .dense import backward, forward
from .jit import (
    Specialisation,
    array_type,
    entry_point,
    features_type,
    kernel,
    numba_type,
    width_type,
)
from .lanes import load, multiply_add, splat, store, sum_lanes
from .link import (
    count_correct_rows,
    exponential_rows,
    loss_and_gradient_rows,
    shift_rows,
    sigmoid_rows,
    sum_row,
)

TRAINING, SCORING = 0, 1
RUNNING, STOPPED_EARLY, DIVERGED = 0, 1, 2

RUN_STATE = np.dtype(
    [
        ("epoch", np.int64),  # epochs finished
        ("phase", np.int64),  # TRAINING or SCORING
        ("row", np.int64),  # rows done in this phase
        ("n_correct", np.int64),  # of the rows scored
        ("best_epoch", np.int64),  # the first with the lowest loss
        ("outcome", np.int64),  # RUNNING, STOPPED_EARLY or DIVERGED
        ("best_loss", np.float64),
        ("epoch_loss", np.float64),  # sum of the mean losses of the batches; then their mean
        ("batch_loss", np.float64),  # sum over the rows of the batch
        ("epoch_loss_remainder", np.float64),  # what rounding has cut off from the sums
        ("batch_loss_remainder", np.float64),
    ]
)


@kernel
def _train_tile(
    features,
    targets,
    start,
    n_rows,
    n_classes,
    sigmoid,
    notebook_gradient,
    width,
    parameters,
    gradient,
    workspace,
):
    logits = workspace[0]
    values = workspace[1]
    forward(features, start, n_rows, parameters, width, logits)
    if sigmoid:
        sigmoid_rows(0, n_rows, width, logits, values)
    else:
        shift_rows(0, n_rows, n_classes, width, logits, values)
    exponential_rows(0, n_rows, n_classes, width, values, logits)
    loss = loss_and_gradient_rows(
        targets, start, n_rows, sigmoid, notebook_gradient, width, values, logits
    )
    backward(features, start, n_rows, logits, width, gradient)
    return loss


@kernel
def _step(scale, width, gradient, parameters):
    """Add `scale` times the gradient to the parameters and set the gradient to zero."""
    for row in range(parameters.shape[0]):
        for column in range(0, parameters.shape[1], len(width)):
            slope = load(gradient, row, column, width)
            old = load(parameters, row, column, width)
            store(parameters, row, column, multiply_add(splat(scale, slope), slope, old))
            store(gradient, row, column, splat(0.0, slope))


@kernel
def _add(total, remainder, term):
    """A sum plus a term, and what rounding has cut off: compensated summation.

    Kahan, Further remarks on reducing truncation errors, 1965. Near a plateau the losses of two
    epochs differ by less than the rounding errors of a plain sum, which early stopping would take
    for progress.
    """
    corrected = term + remainder
    new_total = total + corrected
    return new_total, corrected - (new_total - total)


@kernel
def _are_finite(width, parameters):
    zero = splat(0.0, load(parameters, 0, 0, width))
    total = zero
    for row in range(parameters.shape[0]):
        for column in range(0, parameters.shape[1], len(width)):
            total = multiply_add(load(parameters, row, column, width), zero, total)
    return sum_lanes(total) == 0.0


@kernel
def _copy(width, parameters, copy_out):
    for row in range(parameters.shape[0]):
        for column in range(0, parameters.shape[1], len(width)):
            store(copy_out, row, column, load(parameters, row, column, width))


@kernel
def _score_tile(features, targets, start, n_rows, n_classes, sigmoid, width, parameters, workspace):
    forward(features, start, n_rows, parameters, width, workspace[0])
    return count_correct_rows(targets, start, n_rows, n_classes, sigmoid, width, workspace[0])


def _run_epochs_types(specialisation: Specialisation) -> tuple[types.Type, ...]:
    parameters = array_type(specialisation.dtype, 2)
    curve = array_type(np.dtype(np.float64), 1)
    return (
        features_type(specialisation),
        array_type(np.dtype(np.int32), 1, readonly=True),
        types.int64,
        types.boolean,
        types.boolean,
        numba_type(specialisation.dtype),
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        types.boolean,
        width_type(specialisation),
        parameters,
        parameters,
        parameters,
        array_type(specialisation.dtype, 3),
        array_type(RUN_STATE, 1),
        curve,
        curve,
    )


@entry_point(_run_epochs_types)
def run_epochs(
    features,
    targets,
    n_classes,
    sigmoid,
    notebook_gradient,
    learning_rate,
    batch_size,
    last_epoch,
    patience,
    row_budget,
    score_elsewhere,
    width,
    parameters,
    finished_parameters_out,
    gradient,
    workspace,
    states,
    losses_out,
    accuracies_out,
):
    """Train until `last_epoch`, an early stop, a divergence, or the budget is spent.

    Parameters
    ----------
    features : (n_samples, n_features)
        Of any strides.
    targets : (n_samples,) int32
        From 0 to ``n_classes - 1``.
    n_classes : int
    sigmoid, notebook_gradient : bool
        See `loss_and_gradient_rows`.
    learning_rate : float
    batch_size : int
        Batches are taken in the order of the rows; what remains after the last whole batch is
        scored but not trained on.
    last_epoch : int
        Epochs to have finished at the end.
    patience : int
        Stop when the lowest loss is more than so many epochs back; never if zero or less.
    row_budget : int
        Return after about so many rows trained or scored.
    score_elsewhere : bool
        Finish epochs without scoring them, and return after each. Accuracies are zero then.
    width : tuple of `lanes`
    parameters : (n_features + 1, padded_classes)
        Changed in place.
    finished_parameters_out : (n_features + 1, padded_classes)
        The parameters as they were after the last finished epoch.
    gradient : (n_features + 1, padded_classes)
        Zero at first; changed in place.
    workspace : (2, tile_rows, padded_classes)
        Overwritten. Its second dimension decides how many rows are worked on at a time.
    states : (1,) RUN_STATE
        Zero at first; changed in place.
    losses_out, accuracies_out : (n,) float64
        One element for each epoch that finishes in this call; the call ends when they are full.

    Returns
    -------
    int
        What is left of the budget; below zero if the last tile went beyond it.
    """
    n_samples = features.shape[0]
    n_batches = n_samples // batch_size
    n_trained = n_batches * batch_size
    tile_rows = workspace.shape[1]
    scale = -learning_rate / batch_size
    state = states[0]
    last_epoch = min(last_epoch, state["epoch"] + len(losses_out))
    n_written = 0
    while row_budget > 0 and state["epoch"] < last_epoch and state["outcome"] == RUNNING:
        start = state["row"]
        if state["phase"] == TRAINING:
            batch_stop = (start // batch_size + 1) * batch_size
            stop = min(start + tile_rows, batch_stop)
            tile_loss = _train_tile(
                features,
                targets,
                start,
                stop - start,
                n_classes,
                sigmoid,
                notebook_gradient,
                width,
                parameters,
                gradient,
                workspace,
            )
            state["batch_loss"], state["batch_loss_remainder"] = _add(
                state["batch_loss"], state["batch_loss_remainder"], tile_loss
            )
            state["row"] = stop
            if stop == batch_stop:
                _step(scale, width, gradient, parameters)
                state["epoch_loss"], state["epoch_loss_remainder"] = _add(
                    state["epoch_loss"],
                    state["epoch_loss_remainder"],
                    state["batch_loss"] / batch_size,
                )
                state["batch_loss"] = 0.0
                state["batch_loss_remainder"] = 0.0
            if stop == n_trained:
                state["epoch_loss"] /= n_batches
                state["epoch_loss_remainder"] = 0.0
                state["phase"] = SCORING
                state["row"] = n_samples if score_elsewhere else 0
                if not (math.isfinite(state["epoch_loss"]) and _are_finite(width, parameters)):
                    state["outcome"] = DIVERGED
            row_budget -= stop - start
            continue
        stop = min(start + tile_rows, n_samples)
        if start < stop:
            state["n_correct"] += _score_tile(
                features,
                targets,
                start,
                stop - start,
                n_classes,
                sigmoid,
                width,
                parameters,
                workspace,
            )
            state["row"] = stop
            row_budget -= stop - start
        if stop == n_samples:
            losses_out[n_written] = state["epoch_loss"]
            accuracies_out[n_written] = state["n_correct"] / n_samples
            n_written += 1
            _copy(width, parameters, finished_parameters_out)
            if state["epoch"] == 0 or state["epoch_loss"] < state["best_loss"]:
                state["best_loss"] = state["epoch_loss"]
                state["best_epoch"] = state["epoch"]
            state["epoch"] += 1
            if 0 < patience < state["epoch"] - state["best_epoch"]:
                state["outcome"] = STOPPED_EARLY
            state["phase"] = TRAINING
            state["row"] = 0
            state["n_correct"] = 0
            state["epoch_loss"] = 0.0
            if score_elsewhere:
                break
    return row_budget


def _count_correct_types(specialisation: Specialisation) -> tuple[types.Type, ...]:
    return (
        features_type(specialisation),
        array_type(np.dtype(np.int32), 1, readonly=True),
        types.int64,
        types.int64,
        types.int64,
        types.boolean,
        width_type(specialisation),
        array_type(specialisation.dtype, 2),
        array_type(specialisation.dtype, 3),
    )


@entry_point(_count_correct_types)
def count_correct(features, targets, start, stop, n_classes, sigmoid, width, parameters, workspace):
    """How many of the rows from `start` to `stop` the parameters classify correctly.

    The parameters are as in `run_epochs`.
    """
    n_correct = 0
    for tile_start in range(start, stop, workspace.shape[1]):
        n_rows = min(workspace.shape[1], stop - tile_start)
        n_correct += _score_tile(
            features,
            targets,
            tile_start,
            n_rows,
            n_classes,
            sigmoid,
            width,
            parameters,
            workspace,
        )
    return n_correct


def _predict_types(specialisation: Specialisation) -> tuple[types.Type, ...]:
    matrix = array_type(specialisation.dtype, 2)
    return (
        features_type(specialisation),
        types.int64,
        types.int64,
        types.boolean,
        types.boolean,
        width_type(specialisation),
        matrix,
        array_type(specialisation.dtype, 3),
        matrix,
        matrix,
        matrix,
    )


@entry_point(_predict_types)
def predict(
    features,
    start,
    stop,
    sigmoid,
    keep_steps,
    width,
    parameters,
    workspace,
    probabilities_out,
    values_out,
    logits_out,
):
    """Probabilities of the rows from `start` to `stop`, and the steps towards them if wanted.

    Parameters
    ----------
    features : (n_samples, n_features)
    start, stop : int
    sigmoid : bool
        Whether the link is the sigmoid.
    keep_steps : bool
        Whether to write `values_out` and `logits_out`.
    width : tuple of `lanes`
    parameters : (n_features + 1, padded_classes)
    workspace : (2, tile_rows, padded_classes)
        Overwritten.
    probabilities_out : (n_samples, n_classes)
    values_out, logits_out : (n_samples, n_classes), or any shape without `keep_steps`
        Values of the link, and logits.
    """
    n_classes = probabilities_out.shape[1]
    logits = workspace[0]
    for tile_start in range(start, stop, workspace.shape[1]):
        n_rows = min(workspace.shape[1], stop - tile_start)
        forward(features, tile_start, n_rows, parameters, width, logits)
        values = logits
        if sigmoid:
            values = workspace[1]
            sigmoid_rows(0, n_rows, width, logits, values)
        if keep_steps:
            for row in range(n_rows):
                for column in range(n_classes):
                    values_out[tile_start + row, column] = values[row, column]
                    logits_out[tile_start + row, column] = logits[row, column]
        shift_rows(0, n_rows, n_classes, width, values, logits)
        exponential_rows(0, n_rows, n_classes, width, logits, logits)
        for row in range(n_rows):
            total = sum_row(row, width, logits)
            for column in range(n_classes):
                probabilities_out[tile_start + row, column] = logits[row, column] / total
