"""Gradient descent over sparse rows."""

from typing import Any

import numpy as np

from ..._typing import FloatArray, Model
from ...data.problem import Problem
from ...kernels import sparse_step as kernels
from ...kernels.groups import N_ROW_VALUES
from ...kernels.sgd_sparse import descend_sparse
from ...kernels.shapes import choose_sparse_specialisation
from ...kernels.threads.claims import make_shared
from ...runtime import tuning
from ...runtime.blas import matrix_product
from ...runtime.threads import count_threads_for_steps
from ...runtime.workspace import aligned_zeros, choose_windows, round_up
from .iteration import (
    Descent,
    Population,
    Snapshot,
    population_of,
)
from .options import SgdSettings
from .scaling import Scaling, choose_sparse_scaling


class SparseDescent(Descent):
    """Over sparse rows; see `DenseDescent` for the parameters."""

    def __init__(
        self,
        problem: Problem,
        settings: SgdSettings,
        start: Model | Snapshot,
        n_threads: int | None = 1,
        population: Population | None = None,
        scaling: Scaling | None = None,
    ) -> None:
        weights, bias = start.model if isinstance(start, Snapshot) else start
        super().__init__(problem, settings, len(bias))
        if scaling is None:
            scaling = choose_sparse_scaling(
                problem,
                batch_size=settings.batch_size,
                scale=settings.feature_scaling != "none",
                center=settings.fit_intercept,
            )
        self._means = scaling.means
        features = problem.features
        self._specialisation = choose_sparse_specialisation(
            features.dtype, features.indices.dtype, problem.dtype, self._n_columns
        )
        self._pointers = features.indptr.astype(features.indices.dtype, copy=False)
        row_bytes = max(1, features.nnz * features.dtype.itemsize // problem.n_samples)
        self._make_arrays(scaling, row_bytes, n_threads)
        population = population or population_of(problem)
        self._weigh_rows(population)
        self._kernel_settings = self._make_kernel_settings(
            population, scaling, self._tile_rows, settings.batch_size, row_bytes
        )
        if isinstance(start, Snapshot):
            self._resume(start)
        else:
            self._begin_at(weights, bias)

    def _make_arrays(self, scaling: Scaling, row_bytes: int, n_threads: int | None) -> None:
        problem, settings = self._problem, self._settings
        n_samples, n_features = problem.features.shape
        self._n_padded = self._specialisation.pad(self._n_columns)
        dtype, itemsize = problem.dtype, problem.dtype.itemsize
        multiple = self._specialisation.row_multiple
        rows = min(
            settings.batch_size,
            tuning.MOST_SPARSE_TILE_ROWS,
            tuning.SPARSE_TILE_BYTES // (itemsize * self._n_padded),
        )
        self._tile_rows = round_up(max(rows, 1), multiple)
        n_tiles = -(-settings.batch_size // self._tile_rows)
        n_elements = max(1, problem.features.nnz // n_samples) * tuning.PRODUCTS_PER_SPARSE_ELEMENT
        products = n_elements * self._n_padded
        self._n_threads = count_threads_for_steps(
            n_threads,
            settings.n_epochs * n_samples * products,
            settings.batch_size * products,
            n_tiles,
        )
        self._row_budget = max(1, tuning.PRODUCTS_OF_THE_FIRST_CALL // products)
        self._parameters = aligned_zeros((n_features, 2 * self._n_padded), dtype)
        self._biases = aligned_zeros((3, self._n_padded), dtype)
        self._best = aligned_zeros((n_features + 1, self._n_padded), dtype)
        self._features = np.zeros(n_features, kernels.FEATURE_STATE)
        self._features["factor"] = scaling.factors
        # Of batches that have an element of the feature.
        with np.errstate(divide="ignore"):
            shares = -np.expm1(settings.batch_size * np.log1p(-np.asarray(scaling.presence)))
        self._features["strength"] = 1.0 / np.where(shares > 0.0, shares, 1.0)
        self._features["mean"] = scaling.means
        self._centred = np.flatnonzero(scaling.means)
        windows = choose_windows(row_bytes)
        n_numbers = max(2 * self._tile_rows, (windows.window_rows >> windows.block_bits) + 2)
        threads, n_buffers = self._n_threads, n_tiles + self._n_threads
        self._tiles = aligned_zeros(
            (threads, 2 * self._n_padded + N_ROW_VALUES, self._tile_rows), dtype
        )
        self._numbers = np.zeros((threads, 4, n_numbers), np.int64)
        self._touched = np.zeros(n_features, np.int64)
        self._row_numbers = np.zeros((n_buffers, self._tile_rows), np.int64)
        self._slopes = aligned_zeros((n_buffers, self._tile_rows, self._n_padded), dtype)
        self._tile_losses = np.zeros(n_buffers)
        self._slope_totals = np.zeros(self._n_padded)
        self._bias_slopes = aligned_zeros((1, self._n_padded), dtype)
        self._shifts = np.zeros(self._n_padded)
        self._shared = make_shared(n_tiles, threads)

    def _begin_at(self, weights: FloatArray, bias: FloatArray) -> None:
        problem = self._problem
        if weights.any() and problem.l1_penalty + problem.l2_penalty > 0.0:
            # No batch touches features without elements, whose weights are best zero.
            is_there = np.bincount(problem.features.indices, minlength=len(weights)) > 0
            weights = np.where(is_there[:, None], weights, 0)
        if weights.any() or self._parameters.any():
            self._write(weights, weights)
            self._best[:-1] = self._parameters[:, self._n_padded :]
        self._write_biases(np.stack([bias] * 3), weights, weights)
        self._best[-1] = self._biases[2]
        self._features["n_steps"] = 0
        self._features["last_batch"] = 0
        self._begin_state(weights, bias)

    def _resume(self, snapshot: Snapshot) -> None:
        self._write(snapshot.weights[1], snapshot.weights[2])
        self._write_biases(snapshot.biases, snapshot.weights[1], snapshot.weights[2])
        if snapshot.feature_steps is not None:
            self._features["n_steps"] = snapshot.feature_steps
        self._resume_state(snapshot)

    def _write(self, fast: FloatArray, average: FloatArray) -> None:
        n_columns, n_padded = self._n_columns, self._n_padded
        self._parameters[:, :n_columns] = fast
        self._parameters[:, n_padded : n_padded + n_columns] = average

    def _write_biases(self, biases: FloatArray, fast: FloatArray, average: FloatArray) -> None:
        """Biases of features that aren't centred, of all sets."""
        self._biases[:, : self._n_columns] = biases
        self._biases[1, : self._n_columns] = biases[1] + self._shift(fast)
        self._biases[2, : self._n_columns] = biases[2] + self._shift(average)

    def _shift(self, weights: FloatArray) -> FloatArray:
        """What centring adds to the bias."""
        centred = weights[self._centred].astype(np.float64)
        return matrix_product(self._means[self._centred], centred)

    def _bias(self, centred: FloatArray, weights: FloatArray) -> FloatArray:
        """The bias of features that aren't centred."""
        bias: FloatArray = (centred[: self._n_columns] - self._shift(weights)).astype(centred.dtype)
        return bias

    def snapshot(self) -> Snapshot:
        """See `Descent`. There is no working set of weights: the fast one stands for it."""
        n_columns, n_padded = self._n_columns, self._n_padded
        fast = self._parameters[:, :n_columns]
        average = self._parameters[:, n_padded : n_padded + n_columns]
        working, fast_bias, average_bias = self._biases
        return self._snapshot_of(
            np.stack([fast, fast, average]),
            np.stack(
                [
                    working[:n_columns],
                    self._bias(fast_bias, fast),
                    self._bias(average_bias, average),
                ]
            ),
            self._features["n_steps"].copy(),
        )

    def _known_models(self) -> list[Model]:
        best = self._best[:, : self._n_columns].copy()
        average = self._parameters[:, self._n_padded : self._n_padded + self._n_columns].copy()
        return [
            (best[:-1], self._bias(best[-1], best[:-1])),
            (average, self._bias(self._biases[2], average)),
        ]

    @property
    def solution(self) -> Model:
        """See `Descent`."""
        weights = self._parameters[:, self._n_padded : self._n_padded + self._n_columns].copy()
        if self._problem.l1_penalty > 0.0:
            weights[self._parameters[:, : self._n_columns] == 0.0] = 0.0
        return weights, self._bias(self._biases[2], weights)

    def _compile(self) -> Any:
        return descend_sparse.specialise(self._specialisation)

    def _call(self, compiled: Any, last_epoch: int, thread: int, n_threads: int, call: int) -> int:
        unspent: int = compiled(
            self._problem.features.data,
            self._problem.features.indices,
            self._pointers,
            self._problem.targets,
            self._row_weights,
            self._kernel_settings,
            self._specialisation.blocks,
            last_epoch,
            self._row_budget,
            thread,
            n_threads,
            call,
            self._parameters,
            self._biases,
            self._best,
            self._features,
            self._centred,
            self._tiles,
            self._numbers,
            self._row_numbers,
            self._slopes,
            self._tile_losses,
            self._slope_totals,
            self._bias_slopes,
            self._shifts,
            self._touched,
            self._states,
            self._objectives,
            self._shared,
        )
        return unspent
