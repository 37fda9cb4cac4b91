"""Gradient descent over dense rows."""

from typing import Any

import numpy as np

from ..._typing import FloatArray, Model
from ...data.problem import Problem
from ...kernels import sgd_step as kernels
from ...kernels.sgd_dense import descend
from ...kernels.tile import WORKING
from ...runtime import tuning
from ...runtime.blas import matrix_product
from ...runtime.threads import count_threads_for_steps
from ...runtime.workspace import (
    aligned_zeros,
    are_rows_contiguous,
    choose_cuts,
    columns_in_place,
    estimate_work,
    fill_parameters,
    make_chunk_sums,
    make_workspaces,
    pack_parameters,
    specialise,
    unpack_parameters,
)
from .iteration import (
    Descent,
    Population,
    Snapshot,
    population_of,
)
from .options import SgdSettings
from .scaling import Scaling, can_rotate, choose_scaling, has_much_in_common, rotate

_SETS = (WORKING, kernels.FAST, kernels.AVERAGE)


class DenseDescent(Descent):
    """Over dense rows.

    Parameters
    ----------
    problem : Problem
    settings : SgdSettings
    start : (weights, bias) or Snapshot
        Of shapes (n_features, n_columns) and (n_columns,); see `Accumulator` for the number of
        columns. A snapshot is gone on from; features are not rotated then.
    n_threads : int or None
        See `count_threads_for_steps`. The result has the same bits for any number.
    population : Population or None, default=None
        None are the problem's own rows.
    scaling : Scaling or None, default=None
        None is one by the problem's own features.
    """

    def __init__(
        self,
        problem: Problem,
        settings: SgdSettings,
        start: Model | Snapshot,
        n_threads: int | None = 1,
        population: Population | None = None,
        scaling: Scaling | None = None,
    ) -> None:
        if scaling is None:
            scales = settings.feature_scaling != "none"
            scaling = choose_scaling(
                problem, n_threads, center=settings.fit_intercept and scales, scale=scales
            )
        self._rotation: FloatArray | None = None
        self._origin: FloatArray = np.zeros(problem.features.shape[1])
        rotates = settings.feature_scaling == "whiten" or (
            settings.feature_scaling == "adapt" and has_much_in_common(problem, scaling)
        )
        if rotates and can_rotate(scaling):
            self._origin = scaling.means
            problem, scaling, self._rotation = rotate(problem, scaling)
        weights, bias = start.model if isinstance(start, Snapshot) else start
        super().__init__(problem, settings, len(bias))
        self._scaling = scaling
        self._features = problem.features
        if settings.shuffle_seed is not None and not are_rows_contiguous(problem.features):
            self._features = np.ascontiguousarray(problem.features)
        self._specialisation = specialise(self._features, problem.dtype, self._n_columns)
        if self._rotation is not None:
            bias = bias + matrix_product(self._origin, weights)
            weights = matrix_product(self._rotation.T, weights)
        self._make_arrays(weights, bias, n_threads)
        population = population or population_of(problem)
        self._weigh_rows(population)
        self._kernel_settings = self._make_kernel_settings(
            population,
            scaling,
            self._cuts.chunk_rows,
            self._cuts.round_rows,
            self._features.shape[1] * self._features.itemsize,
        )
        self._row_budget = max(1, tuning.PRODUCTS_OF_THE_FIRST_CALL // self._models[0].size)
        if isinstance(start, Snapshot):
            self._resume(start)
        else:
            self._begin_at(weights, bias)

    def _make_arrays(self, weights: FloatArray, bias: FloatArray, n_threads: int | None) -> None:
        settings, dtype = self._settings, self._problem.dtype
        n_samples, n_features = self._features.shape
        working = pack_parameters(weights, bias, self._specialisation)
        self._models = aligned_zeros((kernels.N_MODELS, *working.shape), dtype)
        cuts = choose_cuts(settings.batch_size, n_features, working, self._specialisation)
        self._cuts = cuts
        self._n_threads = count_threads_for_steps(
            n_threads,
            settings.n_epochs * estimate_work(n_samples, working),
            estimate_work(settings.batch_size, working),
            cuts.n_chunks,
        )
        self._sums = make_chunk_sums(cuts, self._n_threads, working)
        self._shared = self._sums.shared
        self._row_results = np.zeros((len(working), kernels.N_ROW_RESULTS))
        n_padded = working.shape[1] - self._specialisation.lanes
        self._kernel_scaling = aligned_zeros((kernels.N_SCALINGS, n_padded), np.float64)
        self._kernel_scaling[kernels.MEANS, :n_features] = self._scaling.means
        self._kernel_scaling[kernels.FACTORS, :n_features] = self._scaling.factors
        self._kernel_scaling[kernels.METRIC, :n_features] = 1.0 / self._scaling.factors
        self._step_factors = aligned_zeros((2, n_padded), np.float64)
        self._workspaces = make_workspaces(
            self._n_threads, cuts.tile_rows, n_features, working, self._specialisation
        )

    def _begin_at(self, weights: FloatArray, bias: FloatArray) -> None:
        """Begin the method at a model."""
        shift = matrix_product(self._scaling.means, weights)
        working = pack_parameters(weights, bias, self._specialisation)
        self._models[:] = pack_parameters(weights, bias + shift, self._specialisation)
        self._models[WORKING] = working
        self._begin_state(weights, bias)

    def snapshot(self) -> Snapshot:
        """Where the descent is. Not where features are rotated."""
        models = [self._model(place) for place in _SETS]
        return self._snapshot_of(
            np.stack([weights for weights, _ in models]), np.stack([bias for _, bias in models])
        )

    def _resume(self, snapshot: Snapshot) -> None:
        """Go on from where another descent was."""
        for place, weights, bias in zip(_SETS, snapshot.weights, snapshot.biases, strict=True):
            shift = 0.0 if place == WORKING else matrix_product(self._scaling.means, weights)
            fill_parameters(weights, bias + shift, self._specialisation, self._models[place])
        self._models[kernels.BEST] = self._models[kernels.AVERAGE]
        self._resume_state(snapshot)

    def _known_models(self) -> list[Model]:
        return [self._model(kernels.BEST), self._model(kernels.AVERAGE)]

    def _compile(self) -> Any:
        return descend.specialise(self._specialisation)

    def _model(self, place: int) -> Model:
        """Weights and bias of one of the sets of parameters."""
        weights, bias = unpack_parameters(
            self._models[place],
            self._features.shape[1],
            self._n_columns,
            self._specialisation,
        )
        if place == WORKING:
            return weights, bias
        shift = matrix_product(self._scaling.means, weights.astype(np.float64))
        return weights, (bias - shift).astype(bias.dtype)

    @property
    def solution(self) -> Model:
        """See `Descent`."""
        weights, bias = self._model(kernels.AVERAGE)
        if self._problem.l1_penalty > 0.0:
            weights = np.where(self._model(kernels.FAST)[0] == 0.0, 0, weights)
        if self._rotation is None:
            return weights, bias
        exact_weights = matrix_product(self._rotation, weights.astype(np.float64))
        exact_bias = bias - matrix_product(self._origin, exact_weights)
        return exact_weights.astype(weights.dtype), exact_bias.astype(bias.dtype)

    def _call(self, compiled: Any, last_epoch: int, thread: int, n_threads: int, call: int) -> int:
        unspent: int = compiled(
            self._features,
            columns_in_place(self._features, self._specialisation),
            self._problem.targets,
            self._row_weights,
            self._kernel_settings,
            self._kernel_scaling,
            self._specialisation.blocks,
            last_epoch,
            self._row_budget,
            thread,
            n_threads,
            call,
            self._models,
            self._sums.gradients,
            self._sums.totals,
            *self._workspaces[thread].arguments,
            self._sums.chunk_results,
            self._row_results,
            self._step_factors,
            self._states,
            self._objectives,
            self._sums.shared,
        )
        return unspent
