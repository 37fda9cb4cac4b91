"""Predictions for rows, on as many threads as pay."""

import numpy as np

from .definitions import FloatArray, Link
from .kernels.predict import predict as predict_kernel
from .layout import choose_cuts, estimate_work, make_workspace, pack_parameters, specialise
from .threads import count_threads_for_pass, row_workers

_NO_TARGETS = np.zeros(0, np.int32)


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
    weights : ndarray of shape (n_features, n_columns)
        Their dtype, float32 or float64, is that of the arithmetic and of the result. One column
        stands for two classes.
    bias : ndarray of shape (n_columns,)
    link : {"identity", "sigmoid"}
    keep_steps : bool
        Whether to return values of the link and logits; empty arrays take their place otherwise.
    n_threads : int or None
        See `count_threads`. The result has the same bits for any number.

    Returns
    -------
    probabilities : ndarray of shape (n_samples, n_classes)
    values, logits : ndarrays of shape (n_samples, n_columns)
    """
    n_samples, n_columns = len(features), weights.shape[1]
    probabilities = np.empty((n_samples, max(n_columns, 2)), weights.dtype)
    steps_shape = (n_samples if keep_steps else 0, n_columns)
    values, logits = np.empty(steps_shape, weights.dtype), np.empty(steps_shape, weights.dtype)
    _run(features, weights, bias, link, n_threads, probabilities, values, logits)
    return probabilities, values, logits


def decide(
    features: FloatArray, weights: FloatArray, bias: FloatArray, *, n_threads: int | None
) -> FloatArray:
    """Logits alone, shape (n_samples, n_columns); the parameters are as in `predict`."""
    n_columns = weights.shape[1]
    logits = np.empty((len(features), n_columns), weights.dtype)
    no_probabilities = np.empty((0, max(n_columns, 2)), weights.dtype)
    no_values = np.empty((0, n_columns), weights.dtype)
    _run(features, weights, bias, "identity", n_threads, no_probabilities, no_values, logits)
    return logits


def _run(
    features: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
    link: Link,
    n_threads: int | None,
    probabilities_out: FloatArray,
    values_out: FloatArray,
    logits_out: FloatArray,
) -> None:
    """Fill those of the arrays that have rows."""
    n_samples, n_features = features.shape
    specialisation = specialise(features, weights.dtype, weights.shape[1])
    parameters = pack_parameters(weights, bias, specialisation)
    compiled = predict_kernel.specialise(specialisation)
    cuts = choose_cuts(n_samples, n_features, parameters, specialisation)

    def predict_rows(start: int, stop: int) -> None:
        workspace = make_workspace(1, cuts.tile_rows, n_features, parameters, specialisation)
        compiled(
            features,
            _NO_TARGETS,
            start,
            stop,
            link == "sigmoid",
            specialisation.blocks,
            parameters,
            workspace.tiles,
            workspace.feature_tiles,
            workspace.numbers,
            probabilities_out,
            values_out,
            logits_out,
        )

    n_used = count_threads_for_pass(n_threads, estimate_work(n_samples, parameters))
    if n_used == 1:
        predict_rows(0, n_samples)
        return
    with row_workers(n_used) as workers:
        block_rows = workers.rows_per_block(n_samples, parameters.size)
        block_rows += -block_rows % cuts.tile_rows
        workers.run(predict_rows, n_samples, block_rows)
