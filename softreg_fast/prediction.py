"""Predictions for rows, on as many threads as pay."""

import numpy as np

from .definitions import FloatArray, Link
from .kernels import epoch as kernels
from .kernels.jit import choose_specialisation
from .layout import make_workspace, pack_parameters
from .threads import count_threads, row_workers


def predict(
    features: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
    link: Link,
    *,
    keep_steps: bool,
    n_threads: int | None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Probabilities and, if wanted, the steps towards them.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        float32 or float64, of any strides.
    weights : ndarray of shape (n_features, n_classes)
        Their dtype, float32 or float64, is that of the arithmetic and of the result.
    bias : ndarray of shape (n_classes,)
    link : {"identity", "sigmoid"}
    keep_steps : bool
        Whether to return values of the link and logits; empty arrays take their place otherwise.
    n_threads : int or None
        See `count_threads`. The result has the same bits for any number.

    Returns
    -------
    probabilities, values, logits : ndarrays of shape (n_samples, n_classes)
    """
    n_samples, n_classes = len(features), weights.shape[1]
    specialisation = choose_specialisation(features.dtype, weights.dtype, n_classes)
    parameters = pack_parameters(weights, bias, specialisation)
    compiled = kernels.predict.specialise(specialisation)
    probabilities = np.empty((n_samples, n_classes), weights.dtype)
    steps_shape = probabilities.shape if keep_steps else (0, 0)
    values, logits = np.empty(steps_shape, weights.dtype), np.empty(steps_shape, weights.dtype)

    def predict_rows(start: int, stop: int) -> None:
        compiled(
            features,
            start,
            stop,
            link == "sigmoid",
            keep_steps,
            specialisation.width,
            parameters,
            make_workspace(parameters),
            probabilities,
            values,
            logits,
        )

    n_used = count_threads(n_threads, n_samples * parameters.size)
    with row_workers(n_used if n_used > 1 else 0) as workers:
        block_rows = workers.rows_per_block(n_samples, parameters.size)
        workers.start(predict_rows, n_samples, block_rows).results()
    return probabilities, values, logits
