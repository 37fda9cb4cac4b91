"""The functions of the model: softmax, sigmoid and cross-entropy of arrays."""

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray


def _as_floats(x: npt.ArrayLike) -> FloatArray:
    array = np.asarray(x)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def less_row_maximum(values: FloatArray) -> FloatArray:
    """Values minus the largest of each row."""
    with np.errstate(over="ignore"):  # a difference below the lowest number counts as -inf
        shifted: FloatArray = values - values.max(axis=1, keepdims=True)
    return shifted


def softmax(x: npt.ArrayLike) -> FloatArray:
    """Softmax of every row.

    Parameters
    ----------
    x : array-like of shape (n_samples, n_classes)
        Any finite numbers.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Positive or zero; every row sums to 1.
    """
    exponentials = np.exp(less_row_maximum(_as_floats(x)))
    result: FloatArray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return result


def sigmoid(x: npt.ArrayLike) -> FloatArray:
    """``1 / (1 + exp(-x))`` of every element, without overflow.

    Parameters
    ----------
    x : array-like
        Any numbers.

    Returns
    -------
    ndarray of the shape of `x`
        From 0 to 1.
    """
    values = _as_floats(x)
    decayed = np.exp(-np.abs(values))
    result: FloatArray = np.where(values < 0, decayed / (1 + decayed), 1 / (1 + decayed))
    return result


def categorical_crossentropy(y_pred: npt.ArrayLike, y_true: npt.ArrayLike) -> FloatArray:
    """Cross-entropy of every row.

    The predictions are the first argument, unlike in `sklearn.metrics`.

    Parameters
    ----------
    y_pred : array-like of shape (n_samples, n_classes)
        Predicted probabilities.
    y_true : array-like of shape (n_samples, n_classes)
        True probabilities, usually one-hot. Classes whose true probability is 0 are ignored, even
        if `y_pred` is 0 too.

    Returns
    -------
    ndarray of shape (n_samples,)
        ``-sum(y_true * log(y_pred))``, in nats.
    """
    predicted = np.asarray(y_pred)
    true = np.asarray(y_true)
    with np.errstate(divide="ignore"):  # impossible and yet true: an infinite loss
        logarithms = np.where(true == 0, 0.0, np.log(predicted))
    result: FloatArray = np.sum(-logarithms * true, axis=1)
    return result
