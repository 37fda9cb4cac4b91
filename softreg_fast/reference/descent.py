"""Mini-batch gradient descent: the notebook's, and with a penalty."""

import math

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray, Gradient
from ..objective.loss import LOSSES
from .model import accumulate, batch, predict


def epoch(
    features: FloatArray,
    targets: npt.NDArray[np.integer],
    weights: FloatArray,
    bias: FloatArray,
    learning_rate: float,
    batch_size: int,
    activation: str,
    gradient: Gradient,
) -> tuple[float, float, FloatArray, FloatArray]:
    """One epoch of mini-batch gradient descent in the order of the rows.

    An incomplete last batch is left out of the training, but not of the accuracy.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,)
    weights : ndarray of shape (n_features, n_classes)
    bias : ndarray of shape (n_classes,)
    learning_rate : float
    batch_size : int
        At most `n_samples`.
    activation : str
    gradient : {"exact", "notebook"}

    Returns
    -------
    loss : float
        Mean over the batches of their mean losses, each before its step.
    accuracy : float
        Of all rows, after the last step.
    weights : ndarray of shape (n_features, n_classes)
    bias : ndarray of shape (n_classes,)

    Raises
    ------
    ValueError
        The notebook's gradient of a loss without a bound.
    """
    losses = []
    for start in range(0, len(features) - batch_size + 1, batch_size):
        rows = slice(start, start + batch_size)
        loss, weights_gradient, bias_gradient = batch(
            features[rows], targets[rows], weights, bias, activation, gradient
        )
        weights = weights - learning_rate * weights_gradient
        bias = bias - learning_rate * bias_gradient
        losses.append(loss)
    probabilities, _, _ = predict(features, weights, bias, activation)
    accuracy = float(np.mean(probabilities.argmax(axis=1) == targets))
    return float(np.mean(losses)), accuracy, weights, bias


def _penalised(weights: FloatArray, l1_penalty: float, l2_penalty: float) -> float:
    return float(l1_penalty * np.abs(weights).sum() + 0.5 * l2_penalty * (weights**2).sum())


def _shrunk(weights: FloatArray, by: FloatArray, towards_zero: FloatArray) -> FloatArray:
    """The proximal step of an elastic net: thresholded by `by`, then divided."""
    thresholded: FloatArray = np.sign(weights) * np.maximum(np.abs(weights) - by, 0)
    return thresholded / (1 + towards_zero)


def proximal_descent(
    features: FloatArray,
    targets: npt.NDArray[np.integer],
    sample_weight: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
    activation: str,
    *,
    means: FloatArray,
    factors: FloatArray,
    l1_penalty: float,
    l2_penalty: float,
    method: str,
    momentum: float,
    learning_rate: float,
    schedule: str,
    batch_size: int,
    n_epochs: int,
    fit_intercept: bool = True,
) -> tuple[FloatArray, FloatArray, list[float]]:
    """Epochs of proximal gradient descent in the order of the rows; see `kernels.proximal`.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,)
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    activation : str
    means, factors : ndarrays of shape (n_features,)
        What features are centred by, and what rates are multiplied by.
    l1_penalty, l2_penalty : float
        Per unit of weight.
    method : {"plain", "averaged", "accelerated"}
    momentum, learning_rate : float
    schedule : {"auto", "constant", "invscaling"}
    batch_size, n_epochs : int
    fit_intercept : bool, default=True

    Returns
    -------
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
        Of the average.
    objectives : list of float
        Of each epoch, per unit of weight.
    """
    total_weight = sample_weight.sum()
    mean_weight = total_weight / len(features)

    def objective_of(centred: tuple[FloatArray, FloatArray]) -> tuple[float, float]:
        loss, _, _, _ = accumulate(
            features, targets, sample_weight, centred[0], centred[1] - means @ centred[0],
            activation, "exact",
        )  # fmt: skip
        return loss / total_weight + _penalised(centred[0], l1_penalty, l2_penalty), loss

    fast = average = best = (weights, bias + means @ weights)
    working = weights, fast[1]
    n_steps, share_total, curvature, caution = 0, 0.0, 1.0, 1.0
    best_objective, epoch_loss = objective_of(best)
    if schedule == "auto" and LOSSES[activation].curvature_follows_loss:
        curvature = min(4 * epoch_loss / total_weight, 1.0)
    objectives: list[float] = []
    while len(objectives) < n_epochs:
        epoch_loss = epoch_penalty = 0.0
        for start in range(0, len(features), batch_size):
            rows = slice(start, start + batch_size)
            loss, _, slopes, bias_slopes = accumulate(
                features[rows], targets[rows], sample_weight[rows],
                working[0], working[1] - means @ working[0], activation, "exact",
            )  # fmt: skip
            epoch_loss += loss / total_weight
            epoch_penalty = _penalised(working[0], l1_penalty, l2_penalty)
            scale = len(features[rows]) * mean_weight
            slopes = (slopes - np.outer(means, bias_slopes)) / scale
            rate = learning_rate / curvature
            if schedule == "invscaling":
                rate /= math.sqrt(1 + len(objectives))
            share, pull = 1 - momentum, 1.0
            if method == "plain":
                rate /= 1.0 if schedule == "auto" else share
            elif method == "averaged":
                share_total += (n_steps + 1) ** 2
                share, pull = (n_steps + 1) ** 2 / share_total, momentum
            else:
                share, pull = 2 / (n_steps + 2), 1 - 2 / (n_steps + 3)
                rate /= share
            rates = rate * factors[:, None]
            moved = _shrunk(fast[0] - rates * slopes, rates * l1_penalty, rates * l2_penalty)
            moved_bias = fast[1] - fit_intercept * rate * bias_slopes / scale
            before = average
            fast = moved, moved_bias
            average = (
                average[0] + share * (moved - average[0]),
                average[1] + share * (moved_bias - average[1]),
            )
            n_steps += 1
            if method == "accelerated":
                products = (working[0] - average[0]) * (average[0] - before[0])
                against = (products / factors[:, None]).sum()
                against += ((working[1] - average[1]) * (average[1] - before[1])).sum()
                if against > 0:
                    fast, n_steps, pull = average, 0, 0.0
            working = (
                fast[0] + pull * (average[0] - fast[0]),
                fast[1] + pull * (average[1] - fast[1]),
            )
        objective = epoch_loss + epoch_penalty
        most_rise = 1.25 if method == "accelerated" else 2.0
        rounding = np.finfo(features.dtype).eps
        if schedule != "auto" or objective < most_rise * best_objective + rounding:
            objectives.append(objective)
            if objective < best_objective:
                best_objective, best = objective, average
        else:
            best = min(best, average, key=objective_of)
            best_objective, epoch_loss = objective_of(best)
            epoch_loss /= total_weight
            fast = average = working = best
            n_steps, share_total, caution = 0, 0.0, 2 * caution
        if schedule == "auto":
            curvature = caution * (
                min(4 * epoch_loss, 1.0) if LOSSES[activation].curvature_follows_loss else 1.0
            )
    return average[0], average[1] - means @ average[0], objectives


def sparse_descent(
    features: FloatArray,
    targets: npt.NDArray[np.integer],
    sample_weight: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
    activation: str,
    *,
    means: FloatArray,
    factors: FloatArray,
    strengths: FloatArray,
    l1_penalty: float,
    l2_penalty: float,
    method: str,
    momentum: float,
    learning_rate: float,
    schedule: str,
    batch_size: int,
    n_epochs: int,
    fit_intercept: bool = True,
) -> tuple[FloatArray, FloatArray, list[float]]:
    """Epochs of proximal gradient descent that moves touched features alone; see `kernels.sparse`.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        Dense; zeros are elements that aren't there.
    means, factors, strengths : ndarrays of shape (n_features,)
        What features are centred by, what rates are multiplied by, and what penalties and means of
        touched features are.
    schedule : {"auto", "constant", "invscaling"}
        "auto" without going back.

    The others and the result are those of `proximal_descent`.
    """
    total_weight = sample_weight.sum()
    fast, average = weights.copy(), weights.copy()
    fast_bias = average_bias = working_bias = bias + means @ weights
    feature_steps = np.zeros(len(weights))
    n_steps, last_loss, last_objective = 0, math.inf, math.inf
    objectives: list[float] = []
    for epoch in range(n_epochs):
        epoch_loss = 0.0
        for start in range(0, len(features), batch_size):
            rows = slice(start, start + batch_size)
            rate = learning_rate
            if schedule == "invscaling":
                rate /= math.sqrt(1 + epoch)
            if schedule == "auto" and LOSSES[activation].curvature_follows_loss:
                rate /= min(4 * last_loss, 1.0)
            share: FloatArray | float = 1 - momentum
            pull = next_pull = 1.0
            if method == "plain":
                rate /= 1.0 if schedule == "auto" else 1 - momentum
            elif method == "averaged":
                share, pull, next_pull = _share_of_step(n_steps), momentum, momentum
            else:
                share = 2 / (n_steps + 2)
                pull, next_pull = 1 - share, 1 - 2 / (n_steps + 3)
                rate /= share
            working = fast + pull * (average - fast)
            penalty = _penalised(working, l1_penalty, l2_penalty)
            loss, _, slopes, bias_slopes = accumulate(
                features[rows], targets[rows], sample_weight[rows], working,
                working_bias - means @ working, activation, "exact",
            )  # fmt: skip
            epoch_loss += loss / total_weight
            scale = len(features[rows]) * total_weight / len(features)
            touched = (features[rows] != 0).any(axis=0)
            rates = (rate * factors)[touched, None]
            strength = strengths[touched, None]
            slopes -= np.outer(strengths * means, bias_slopes)
            fast[touched] = _shrunk(
                fast[touched] - rates * slopes[touched] / scale,
                rates * strength * l1_penalty,
                rates * strength * l2_penalty,
            )
            shares = share
            if method == "averaged":
                shares = _share_of_step(feature_steps[touched, None])
            feature_steps[touched] += 1
            average[touched] += shares * (fast[touched] - average[touched])
            fast_bias = fast_bias - fit_intercept * rate * bias_slopes / scale
            average_bias = average_bias + share * (fast_bias - average_bias)
            working_bias = fast_bias + next_pull * (average_bias - fast_bias)
            n_steps += 1
        if batch_size < len(features):
            working = fast + next_pull * (average - fast)
            penalty = _penalised(working, l1_penalty, l2_penalty)
        objectives.append(epoch_loss + penalty)
        last_loss = epoch_loss
        if method == "accelerated" and objectives[-1] > last_objective:
            fast, fast_bias, working_bias, n_steps = average.copy(), average_bias, average_bias, 0
        last_objective = objectives[-1]
    return average, average_bias - means @ average, objectives


def _share_of_step(n_steps: FloatArray | int) -> FloatArray | float:
    """Of an average whose weights grow as the square of the steps; `n_steps` are done."""
    number = n_steps + 1
    return number**2 / (number * (number + 1) * (2 * number + 1) / 6)
