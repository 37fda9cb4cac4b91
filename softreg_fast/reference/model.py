"""The mathematics in plain NumPy: slow, obvious, and the oracle of every test.

Shapes: features `(n_samples, n_features)`, targets `(n_samples,)` with the index of the true class,
weights `(n_features, n_classes)`, bias `(n_classes,)`; everything per row and class is
`(n_samples, n_classes)`. ::

    logits        = features @ weights + bias
    values        = sigmoid(logits) with the sigmoid activation, logits with the identity activation
    probabilities = softmax(values)
    loss of a row = -log(probabilities[target])

The derivative of a row's loss with respect to its logits, with ``d`` the derivative of the
activation
(``values * (1 - values)`` or 1) and ``T`` the one-hot target, is ::

    exact:     d * (probabilities - T)
    notebook:  d * (probabilities - T) * probabilities / probabilities[target]

The second multiplies by ``p[j]`` where the row of the softmax's Jacobian has ``p[target]``. It is
no derivative of the loss, but what the notebook trains with. Its last factor has no bound with the
identity activation, so it goes with the sigmoid activation alone, where it is at most e. Averaged
over a batch, the gradient of the weights is ``features.T @ derivatives / n_samples``.

With the identity activation, two classes may have a single column: it is the logit of the second
class, the first having the logit zero.
"""

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray, Gradient
from ..objective.functions import less_row_maximum, sigmoid, softmax
from ..objective.loss import check_gradient, of_all_classes

IDENTITY = "identity"


def predict(
    features: FloatArray, weights: FloatArray, bias: FloatArray, activation: str
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Probabilities, values of the activation, and logits.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    weights : ndarray of shape (n_features, n_columns)
        As many columns as classes, or one for two.
    bias : ndarray of shape (n_columns,)
    activation : {"identity", "sigmoid"}

    Returns
    -------
    probabilities : ndarray of shape (n_samples, n_classes)
    values, logits : ndarrays of shape (n_samples, n_columns)
    """
    logits = features @ weights + bias
    values = sigmoid(logits) if activation == "sigmoid" else logits
    return softmax(of_all_classes(values)), values, logits


def logit_gradients(
    probabilities: FloatArray,
    values: FloatArray,
    targets: npt.NDArray[np.integer],
    activation: str,
    gradient: Gradient,
) -> FloatArray:
    """Derivatives of each row's loss with respect to its logits (see the module's head).

    Parameters
    ----------
    probabilities, values : ndarrays of shape (n_samples, n_classes)
        As `predict` gives them.
    targets : ndarray of shape (n_samples,)
    activation : {"identity", "sigmoid"}
    gradient : {"exact", "notebook"}

    Returns
    -------
    ndarray of shape (n_samples, n_classes)

    Raises
    ------
    ValueError
        The notebook's gradient with the identity activation.
    """
    check_gradient(gradient, activation)
    rows = np.arange(len(targets))
    derivatives = probabilities.copy()
    derivatives[rows, targets] -= 1
    if gradient == "notebook":
        derivatives *= probabilities / probabilities[rows, targets][:, None]
    if activation == "sigmoid":
        derivatives *= values * (1 - values)
    return derivatives[:, -values.shape[1] :]


def accumulate(
    features: FloatArray,
    targets: npt.NDArray[np.integer],
    sample_weight: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
    activation: str,
    gradient: Gradient,
) -> tuple[float, float, FloatArray, FloatArray]:
    """Weighted sums over rows: loss, correctly classified rows, and the gradient of the loss.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,)
        What is in rows of weight zero doesn't count.
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    activation : {"identity", "sigmoid"}
    gradient : {"exact", "notebook"}

    Returns
    -------
    loss, n_correct : float
    weights_gradient : ndarray of shape (n_features, n_columns)
    bias_gradient : ndarray of shape (n_columns,)

    Raises
    ------
    ValueError
        The notebook's gradient with the identity activation.
    """
    # Of rows that weigh nothing logits may be anything, also infinite or NaN.
    counts = sample_weight > 0
    logits = np.where(counts[:, None], features @ weights + bias, 0)
    values = sigmoid(logits) if activation == "sigmoid" else logits
    probabilities = softmax(of_all_classes(values))
    # From the values rather than from the probabilities, which may underflow to 0.
    shifted = less_row_maximum(of_all_classes(values))
    own = shifted[np.arange(len(targets)), targets]
    losses = np.log(np.exp(shifted).sum(axis=1)) - own
    is_correct = probabilities.argmax(axis=1) == targets
    derivatives = logit_gradients(probabilities, values, targets, activation, gradient)
    derivatives = derivatives * sample_weight[:, None]
    return (
        float((losses * sample_weight).sum()),
        float((is_correct * sample_weight).sum()),
        features.T @ derivatives,
        derivatives.sum(axis=0),
    )


def batch(
    features: FloatArray,
    targets: npt.NDArray[np.integer],
    weights: FloatArray,
    bias: FloatArray,
    activation: str,
    gradient: Gradient,
) -> tuple[float, FloatArray, FloatArray]:
    """Mean loss of a batch and its gradient.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples,)
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    activation : {"identity", "sigmoid"}
    gradient : {"exact", "notebook"}

    Returns
    -------
    loss : float
    weights_gradient : ndarray of shape (n_features, n_columns)
    bias_gradient : ndarray of shape (n_columns,)

    Raises
    ------
    ValueError
        The notebook's gradient with the identity activation.
    """
    n_samples = len(features)
    loss, _, weights_gradient, bias_gradient = accumulate(
        features, targets, np.ones(n_samples), weights, bias, activation, gradient
    )
    return loss / n_samples, weights_gradient / n_samples, bias_gradient / n_samples
