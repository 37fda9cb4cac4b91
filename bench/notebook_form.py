"""The form that the notebook trains in: features repeated for every class, then averaged.

Written for comparison only. `softreg_fast.reference` says the same without the repetition.
"""

import numpy as np


def _probabilities(features, weights, bias):
    values = 1 / (1 + np.exp(-(features @ weights + bias)))
    exponentials = np.exp(values - values.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True), values


def batch_gradient(features, one_hot, weights, bias):
    """Loss of each row, and the gradient through an array (n_samples, n_features, n_classes).

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    one_hot : ndarray of shape (n_samples, n_classes)
    weights : ndarray of shape (n_features, n_classes)
    bias : ndarray of shape (n_classes,)

    Returns
    -------
    losses : ndarray of shape (n_samples,)
    weights_gradient : ndarray of shape (n_features, n_classes)
    bias_gradient : ndarray of shape (n_classes,)
    """
    probabilities, values = _probabilities(features, weights, bias)
    losses = (-np.log(probabilities) * one_hot).sum(axis=1)
    crossentropy_slope = (-one_hot / probabilities)[one_hot == 1, None]
    softmax_slope = (one_hot - probabilities) * probabilities
    logit_gradients = values * (1 - values) * softmax_slope * crossentropy_slope
    repeated = np.repeat(features[:, :, None], repeats=one_hot.shape[1], axis=2)
    return (
        losses,
        (repeated * logit_gradients[:, None, :]).mean(axis=0),
        logit_gradients.mean(axis=0),
    )


def train(features, targets, weights, bias, learning_rate, n_epochs, batch_size):
    """Epochs of mini-batch gradient descent, each with its accuracy on all rows.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,)
    weights : ndarray of shape (n_features, n_classes)
    bias : ndarray of shape (n_classes,)
    learning_rate : float
    n_epochs, batch_size : int

    Returns
    -------
    losses, accuracies : ndarrays of shape (n_epochs,)
    weights, bias : ndarrays
        After the last epoch.
    """
    one_hot = np.eye(weights.shape[1])[targets]
    losses, accuracies = [], []
    for _ in range(n_epochs):
        batch_losses = []
        for start in range(0, len(features) - batch_size + 1, batch_size):
            rows = slice(start, start + batch_size)
            row_losses, weights_gradient, bias_gradient = batch_gradient(
                features[rows], one_hot[rows], weights, bias
            )
            weights = weights - learning_rate * weights_gradient
            bias = bias - learning_rate * bias_gradient
            batch_losses.append(row_losses.mean())
        probabilities, _ = _probabilities(features, weights, bias)
        losses.append(np.mean(batch_losses))
        accuracies.append(np.mean(probabilities.argmax(axis=1) == targets))
    return np.array(losses), np.array(accuracies), weights, bias
