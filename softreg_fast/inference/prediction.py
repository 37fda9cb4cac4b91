"""Predictions for rows, on as many threads as pay."""

import threading
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .._typing import FloatArray
from ..kernels.predict import predict as predict_kernel
from ..kernels.shapes import Specialisation
from ..objective.loss import LOSSES
from ..runtime import tuning
from ..runtime.claimed_map import claimed_map, cut_into_blocks
from ..runtime.threads import count_threads_for_prediction, rows_per_block
from ..runtime.workspace import (
    Cuts,
    Workspace,
    borrowed,
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
from .listed_rows import list_rows

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
    features : ndarray, csr_array or Table of shape (n_samples, n_features)
        float32 or float64; an array of any strides.
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
    n_samples, n_columns = features.shape[0], weights.shape[1]
    probabilities = np.empty((n_samples, max(n_columns, 2)), weights.dtype)
    steps_shape = (n_samples if keep_steps else 0, n_columns)
    values, logits = np.empty(steps_shape, weights.dtype), np.empty(steps_shape, weights.dtype)
    all_finite = _run(features, weights, bias, activation, n_threads, probabilities, values, logits)
    return probabilities, values, logits, all_finite


def decide(
    features: Any, weights: FloatArray, bias: FloatArray, activation: str, *, n_threads: int | None
) -> tuple[FloatArray, bool]:
    """What the softmax is taken of, shape (n_samples, n_columns); whether all logits are finite.

    See `predict`.
    """
    if LOSSES[activation].changes_logits:
        _, values, _, all_finite = predict(
            features, weights, bias, activation, keep_steps=True, n_threads=n_threads
        )
        return values, all_finite
    n_columns = weights.shape[1]
    logits = np.empty((features.shape[0], n_columns), weights.dtype)
    no_probabilities = np.empty((0, max(n_columns, 2)), weights.dtype)
    no_values = np.empty((0, n_columns), weights.dtype)
    all_finite = _run(
        features, weights, bias, activation, n_threads, no_probabilities, no_values, logits
    )
    return logits, all_finite


def _run(
    features: Any,
    weights: FloatArray,
    bias: FloatArray,
    activation: str,
    n_threads: int | None,
    *outputs: FloatArray,
) -> bool:
    """Fill those of the arrays that have rows: probabilities, values and logits."""
    code = LOSSES[activation].code
    if not isinstance(features, np.ndarray):
        return _predict_blocks(list_rows(features, weights, bias, code, outputs), n_threads)
    prepared = _prepare(features, weights, bias)
    all_finite = _predict_blocks(_DenseRows(prepared, features, code, outputs), n_threads)
    _keep(prepared, len(features))
    return all_finite


class _Rows(Protocol):
    """Rows that are predicted for, block by block, by several threads."""

    n_samples: int
    n_products: int
    """Of all rows."""
    row_multiple: int
    """What the rows of a block are a multiple of, but for the last."""
    workspaces: list[Any]
    """Those that nobody works in."""

    def make_workspace(self) -> Any:
        """Another one."""

    def predict(self, workspace: Any, start: int, stop: int) -> bool:
        """Predict for some rows; whether all logits are finite."""


def _predict_blocks(rows: _Rows, n_threads: int | None) -> bool:
    """Predict for all rows; whether all logits are finite."""
    n_samples = rows.n_samples
    n_used = count_threads_for_prediction(n_threads, rows.n_products)
    if n_used == 1 and rows.n_products <= tuning.PRODUCTS_PER_CALL:
        return rows.predict(rows.workspaces[0], 0, n_samples)

    def predict_block(block: tuple[int, int]) -> bool:
        with borrowed(rows.workspaces, rows.make_workspace) as workspace:
            return rows.predict(workspace, *block)

    per_row = max(1, rows.n_products // n_samples)
    if n_used > 1:
        block_rows = rows_per_block(n_samples, per_row, n_used)
    else:  # interrupts are answered between two calls
        block_rows = max(1, tuning.PRODUCTS_PER_CALL // per_row)
    blocks = cut_into_blocks(n_samples, round_up(block_rows, rows.row_multiple))
    return all(claimed_map(predict_block, blocks, n_used))


class _DenseRows:
    """See `_Rows`."""

    def __init__(
        self,
        prepared: _Preparation,
        features: FloatArray,
        activation: int,
        outputs: tuple[FloatArray, ...],
    ) -> None:
        self._prepared = prepared
        self._features = features
        self._activation = activation
        self._outputs = outputs
        self.n_samples = len(features)
        self.n_products = estimate_work(len(features), prepared.parameters)
        self.row_multiple = prepared.cuts.tile_rows
        self.workspaces = [prepared.workspace]

    def make_workspace(self) -> Workspace:
        """See `_Rows`."""
        prepared = self._prepared
        (workspace,) = make_workspaces(
            1,
            prepared.cuts.tile_rows,
            self._features.shape[1],
            prepared.parameters,
            prepared.specialisation,
        )
        return workspace

    def predict(self, workspace: Workspace, start: int, stop: int) -> bool:
        """See `_Rows`."""
        prepared = self._prepared
        all_finite: bool = prepared.compiled(
            self._features,
            columns_in_place(self._features, prepared.specialisation),
            _NO_TARGETS,
            start,
            stop,
            self._activation,
            prepared.specialisation.blocks,
            prepared.parameters,
            *workspace.arguments,
            *self._outputs,
        )
        return all_finite
