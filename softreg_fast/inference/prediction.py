"""Predictions for rows, on as many threads as pay."""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .._typing import FloatArray
from ..kernels.predict import predict as predict_kernel
from ..kernels.shapes import Specialisation
from ..objective.loss import LOSSES
from ..runtime.claimed_map import claimed_map, cut_into_blocks
from ..runtime.threads import count_threads_for_prediction, rows_per_block
from ..runtime.workspace import (
    Cuts,
    Workspace,
    choose_cuts,
    columns_in_place,
    estimate_work,
    fill_parameters,
    make_workspaces,
    order_of,
    pack_parameters,
    round_up,
    specialise,
)

_NO_TARGETS = np.zeros(0, np.int32)
_KEPT_BYTES = 1 << 16
_KEPT_ROWS = 64


@dataclass(frozen=True)
class _Preparation:
    """What a prediction needs beside its input, for models and features of the same kind."""

    key: tuple[Any, ...]
    specialisation: Specialisation
    compiled: Any
    parameters: FloatArray
    cuts: Cuts
    workspace: Workspace


class _LastPreparation(threading.local):
    """The last one of each thread: predicting a single row takes less time than preparing to."""

    preparation: _Preparation | None = None


_LAST = _LastPreparation()


def _prepare(features: FloatArray, weights: FloatArray, bias: FloatArray) -> _Preparation:
    n_rows = len(features)
    key = (
        features.dtype,
        order_of(features),
        weights.dtype,
        weights.shape,
        min(n_rows, _KEPT_ROWS + 1),
    )
    # Taken, so that a signal handler that predicts meanwhile makes its own.
    last, _LAST.preparation = _LAST.preparation, None
    if last is not None and last.key == key:
        fill_parameters(weights, bias, last.specialisation, last.parameters)
        return last
    specialisation = specialise(features, weights.dtype, weights.shape[1])
    parameters = pack_parameters(weights, bias, specialisation)
    n_features = features.shape[1]
    cuts = choose_cuts(n_rows, n_features, parameters, specialisation)
    return _Preparation(
        key,
        specialisation,
        predict_kernel.specialise(specialisation),
        parameters,
        cuts,
        make_workspaces(1, cuts.tile_rows, n_features, parameters, specialisation)[0],
    )


def _keep(preparation: _Preparation, n_rows: int) -> None:
    if n_rows <= _KEPT_ROWS and preparation.parameters.nbytes <= _KEPT_BYTES:
        _LAST.preparation = preparation


def predict(
    features: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
    activation: str,
    *,
    keep_steps: bool,
    n_threads: int | None,
) -> tuple[FloatArray, FloatArray, FloatArray, bool]:
    """Probabilities and, if wanted, the steps towards them.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_features)
        float32 or float64, of any strides.
    weights : ndarray of shape (n_features, n_columns)
        Their dtype, float32 or float64, is that of the arithmetic and of the result. One column
        stands for two classes.
    bias : ndarray of shape (n_columns,)
    activation : str
    keep_steps : bool
        Whether to return activated logits and logits; empty arrays take their place otherwise.
    n_threads : int or None
        See `count_threads`. The result has the same bits for any number.

    Returns
    -------
    probabilities : ndarray of shape (n_samples, n_classes)
    values, logits : ndarrays of shape (n_samples, n_columns)
    all_finite : bool
        Whether all logits are finite. Then so are all features and parameters.
    """
    n_samples, n_columns = len(features), weights.shape[1]
    probabilities = np.empty((n_samples, max(n_columns, 2)), weights.dtype)
    steps_shape = (n_samples if keep_steps else 0, n_columns)
    values, logits = np.empty(steps_shape, weights.dtype), np.empty(steps_shape, weights.dtype)
    all_finite = _run(features, weights, bias, activation, n_threads, probabilities, values, logits)
    return probabilities, values, logits, all_finite


def decide(
    features: Any, weights: FloatArray, bias: FloatArray, activation: str, *, n_threads: int | None
) -> tuple[FloatArray, bool]:
    """What the softmax is taken of, shape (n_samples, n_columns); whether all logits are finite.

    See `predict`; features may be sparse.
    """
    if issparse(features):
        _, values, all_finite = predict_sparse(features, weights, bias, activation)
        return values, all_finite
    if LOSSES[activation].changes_logits:
        _, values, _, all_finite = predict(
            features, weights, bias, activation, keep_steps=True, n_threads=n_threads
        )
        return values, all_finite
    n_columns = weights.shape[1]
    logits = np.empty((len(features), n_columns), weights.dtype)
    no_probabilities = np.empty((0, max(n_columns, 2)), weights.dtype)
    no_values = np.empty((0, n_columns), weights.dtype)
    all_finite = _run(
        features, weights, bias, activation, n_threads, no_probabilities, no_values, logits
    )
    return logits, all_finite


def _run(
    features: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
    activation: str,
    n_threads: int | None,
    probabilities_out: FloatArray,
    values_out: FloatArray,
    logits_out: FloatArray,
) -> bool:
    """Fill those of the arrays that have rows."""
    n_samples, n_features = features.shape
    prepared = _prepare(features, weights, bias)

    spare = [prepared.workspace]

    def predict_rows(start: int, stop: int) -> bool:
        try:
            workspace = spare.pop()
        except IndexError:  # other threads have them
            (workspace,) = make_workspaces(
                1,
                prepared.cuts.tile_rows,
                n_features,
                prepared.parameters,
                prepared.specialisation,
            )
        all_finite: bool = prepared.compiled(
            features,
            columns_in_place(features, prepared.specialisation),
            _NO_TARGETS,
            start,
            stop,
            LOSSES[activation].code,
            prepared.specialisation.blocks,
            prepared.parameters,
            *workspace.arguments,
            probabilities_out,
            values_out,
            logits_out,
        )
        spare.append(workspace)
        return all_finite

    work = estimate_work(n_samples, prepared.parameters)
    n_used = count_threads_for_prediction(n_threads, work)
    if n_used == 1:
        all_finite = predict_rows(0, n_samples)
        _keep(prepared, n_samples)
        return all_finite
    block_rows = rows_per_block(n_samples, prepared.parameters.size, n_used)
    blocks = cut_into_blocks(n_samples, round_up(block_rows, prepared.cuts.tile_rows))
    return all(claimed_map(lambda block: predict_rows(*block), blocks, n_used))


def predict_sparse(
    features: Any, weights: FloatArray, bias: FloatArray, activation: str
) -> tuple[FloatArray, FloatArray, bool]:
    """Probabilities, activated logits, and whether all logits are finite, of sparse rows."""
    with np.errstate(all="ignore"):
        logits = features @ weights + bias
        loss = LOSSES[activation]
        values = loss.activate(logits)
        probabilities = loss.probabilities(values)
    return probabilities, values, bool(np.isfinite(logits).all())
