"""The form that the notebook trains in: features repeated for every class, then averaged.

Written for comparison only. `softreg_fast.reference` says the same without the repetition.
"""

import numpy as np


def _probabilities(features, weights, bias):
    values = 1 / (1 + np.exp(-(features @ weights + bias)))
    exponentials = np.exp(values - values.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True), values


def predict(features, weights, bias):
    """Probabilities of the classes, shape (n_samples, n_classes)."""
    return _probabilities(features, weights, bias)[0]


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
            # All of this stands in the loop itself, as in the notebook: arrays live on until the
            # next batch, which spares the allocator from asking the system for memory each time.
            probabilities, values = _probabilities(features[rows], weights, bias)
            row_losses = (-np.log(probabilities) * one_hot[rows]).sum(axis=1)
            crossentropy_slope = (-one_hot[rows] / probabilities)[one_hot[rows] == 1, None]
            softmax_slope = (one_hot[rows] - probabilities) * probabilities
            repeated = np.repeat(features[rows][:, :, None], repeats=one_hot.shape[1], axis=2)
            bias_gradients = values * (1 - values) * softmax_slope * crossentropy_slope
            weights_gradients = repeated * bias_gradients[:, None, :]
            weights = weights - learning_rate * weights_gradients.mean(axis=0)
            bias = bias - learning_rate * bias_gradients.mean(axis=0)
            batch_losses.append(row_losses.mean())
        probabilities, _ = _probabilities(features, weights, bias)
        losses.append(np.mean(batch_losses))
        accuracies.append(np.mean(probabilities.argmax(axis=1) == targets))
    return np.array(losses), np.array(accuracies), weights, bias
