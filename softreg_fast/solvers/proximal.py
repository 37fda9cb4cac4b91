"""Proximal mini-batch gradient descent: centred, scaled, averaged or accelerated."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from ..accumulator import Accumulator
from ..definitions import FloatArray
from ..kernels import proximal as kernels
from ..kernels.chunk import WORKING
from ..kernels.team import ABANDONED, TEAM_SIZE
from ..layout import (
    aligned_zeros,
    are_rows_contiguous,
    choose_cuts,
    choose_windows,
    columns_in_place,
    estimate_work,
    make_workspace,
    pack_parameters,
    specialise,
    unpack_parameters,
)
from ..problem import Problem
from ..scaling import bound_curvature, choose_scaling, rotate
from ..threads import count_threads_for_steps, team_of

FeatureScaling = Literal["none", "standard", "whiten"]
Schedule = Literal["auto", "constant", "invscaling"]
Method = Literal["plain", "averaged", "accelerated"]

_METHODS = {
    "plain": kernels.PLAIN,
    "averaged": kernels.AVERAGED,
    "accelerated": kernels.ACCELERATED,
}
# See `solvers.sgd`.
_SECONDS_PER_CALL = 0.1
_LARGEST_GROWTH = 8.0
_FIRST_CALL_PRODUCTS = 20_000_000
# How often the bound of the curvature is doubled.
_MOST_CAUTION = 2.0**60
_NO_WEIGHTS = np.zeros(0)


@dataclass(frozen=True)
class ProximalSettings:
    """How to descend.

    Attributes
    ----------
    schedule : {"auto", "constant", "invscaling"}
        How the rate changes: "auto" follows a bound of the curvature down as the loss falls, and
        goes back where the objective rises; "invscaling" divides by the square root of the epoch.
    learning_rate : float or None
        For features scaled as `feature_scaling` says. None takes the inverse of the bound.
    batch_size : int
        At most the number of rows. The last batch of an epoch may be smaller.
    n_epochs : int
    patience : int
        Stop after as many epochs in which the objective has not fallen by `tolerance` relative to
        what it was before them; never if zero.
    tolerance : float
    method : {"plain", "averaged", "accelerated"}
        See `kernels.proximal`; the last goes with a full batch.
    momentum : float
        From 0 to below 1; not used if accelerated.
    feature_scaling : {"none", "standard", "whiten"}
        Centred (if there is an intercept) and scaled, implicitly; or rotated to their principal
        axes first, which makes a copy of them and goes with no L1 penalty.
    fit_intercept : bool
        The bias stays as it is at the start otherwise.
    shuffle_seed : int or None
        See `solvers.sgd.DescentSettings`.
    """

    schedule: Schedule
    learning_rate: float | None
    batch_size: int
    n_epochs: int
    patience: int
    tolerance: float
    method: Method
    momentum: float
    feature_scaling: FeatureScaling
    fit_intercept: bool = True
    shuffle_seed: int | None = None


@dataclass(frozen=True)
class Descended:
    """Where a descent has ended.

    Attributes
    ----------
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    n_iterations : int
        Epochs.
    converged : bool
        Whether it stopped before the last epoch.
    objectives : ndarray of shape (n_iterations,)
        Of each epoch, divided by the sum of the rows' weights: the losses as the rows were met,
        and the penalty.
    """

    weights: FloatArray
    bias: FloatArray
    n_iterations: int
    converged: bool
    objectives: FloatArray


class ProximalDescent:
    """A descent that can be left and looked at after any epoch.

    Parameters
    ----------
    problem : Problem
    settings : ProximalSettings
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
        The start. See `Accumulator` for the number of columns.
    n_threads : int or None
        See `count_threads_for_steps`. The result has the same bits for any number.
    """

    def __init__(
        self,
        problem: Problem,
        settings: ProximalSettings,
        weights: FloatArray,
        bias: FloatArray,
        n_threads: int | None = 1,
    ) -> None:
        self._settings = settings
        scaling = choose_scaling(
            problem,
            center=settings.fit_intercept and settings.feature_scaling != "none",
            scale=settings.feature_scaling != "none",
        )
        self._rotation: FloatArray | None = None
        self._origin: FloatArray = np.zeros(problem.features.shape[1])
        if settings.feature_scaling == "whiten":
            self._origin = scaling.means
            problem, scaling, self._rotation = rotate(problem, scaling)
        self._problem = problem
        self._scaling = scaling
        self._features = problem.features
        if settings.shuffle_seed is not None and not are_rows_contiguous(problem.features):
            self._features = np.ascontiguousarray(problem.features)
        self._n_columns = len(bias)
        self._specialisation = specialise(self._features, problem.dtype, self._n_columns)
        if self._rotation is not None:
            weights, bias = self._rotation.T @ weights, bias + self._origin @ weights
        self._make_arrays(weights, bias, n_threads)
        self._kernel_settings = self._make_kernel_settings()
        self._states = np.zeros(1, kernels.PROXIMAL_STATE)
        self._states["caution"] = 1.0
        self._states["reference_objective"] = np.inf
        self._begin_at(weights, bias)
        self._objectives = np.full(settings.n_epochs, np.nan)
        self._team_array = np.zeros(TEAM_SIZE, np.int64)
        self._row_budget = max(1, _FIRST_CALL_PRODUCTS // self._models[0].size)

    def _make_arrays(self, weights: FloatArray, bias: FloatArray, n_threads: int | None) -> None:
        settings, dtype = self._settings, self._problem.dtype
        n_samples, n_features = self._features.shape
        working = pack_parameters(weights, bias, self._specialisation)
        self._models = aligned_zeros((kernels.N_MODELS, *working.shape), dtype)
        cuts = choose_cuts(settings.batch_size, n_features, working, self._specialisation)
        self._chunk_rows = cuts.chunk_rows
        self._gradients = aligned_zeros((cuts.n_chunks, *working.shape), dtype)
        self._totals = aligned_zeros(working.shape, np.float64)
        self._chunk_results = np.zeros((cuts.n_chunks, 2))
        self._row_results = np.zeros((len(working), kernels.N_ROW_RESULTS))
        n_padded = working.shape[1] - self._specialisation.lanes
        self._kernel_scaling = aligned_zeros((kernels.N_SCALINGS, n_padded), np.float64)
        self._kernel_scaling[kernels.MEANS, :n_features] = self._scaling.means
        self._kernel_scaling[kernels.FACTORS, :n_features] = self._scaling.factors
        self._kernel_scaling[kernels.METRIC, :n_features] = 1.0 / self._scaling.factors
        self._n_threads = count_threads_for_steps(
            n_threads,
            settings.n_epochs * estimate_work(n_samples, working),
            estimate_work(settings.batch_size, working),
            cuts.n_chunks,
        )
        self._workspace = make_workspace(
            self._n_threads, cuts.tile_rows, n_features, working, self._specialisation
        )

    def _make_kernel_settings(self) -> Any:
        settings, problem = self._settings, self._problem
        record = np.zeros(1, kernels.PROXIMAL_SETTINGS)
        record["seed"] = settings.shuffle_seed or 0
        record["shuffle"] = settings.shuffle_seed is not None
        windows = choose_windows(self._features.shape[1] * self._features.itemsize)
        record["block_bits"] = windows.block_bits
        record["window_rows"] = windows.window_rows
        record["batch_size"] = settings.batch_size
        record["patience"] = settings.patience
        record["tolerance"] = settings.tolerance
        record["n_classes"] = self._n_columns
        record["chunk_rows"] = self._chunk_rows
        record["method"] = _METHODS[settings.method]
        record["momentum"] = settings.momentum
        record["total_weight"] = problem.total_weight
        record["l1_penalty"] = problem.l1_penalty / problem.total_weight
        record["l2_penalty"] = problem.l2_penalty / problem.total_weight
        record["use_sigmoid"] = problem.link == "sigmoid"
        record["fit_intercept"] = settings.fit_intercept
        record["is_automatic"] = settings.schedule == "auto"
        record["decays"] = settings.schedule == "invscaling"
        rate = settings.learning_rate
        if rate is None:
            rate = 1.0 / bound_curvature(
                problem,
                self._scaling,
                n_columns=self._n_columns,
                batch_size=settings.batch_size,
                fit_intercept=settings.fit_intercept,
            )
        record["learning_rate"] = rate
        return record

    def _begin_at(self, weights: FloatArray, bias: FloatArray) -> None:
        """Begin the method at a model."""
        shift = self._scaling.means @ weights
        working = pack_parameters(weights, bias, self._specialisation)
        self._models[:] = pack_parameters(weights, bias + shift, self._specialisation)
        self._models[WORKING] = working
        state = self._states[0]
        state["n_steps"] = 0
        state["share_total"] = 0.0
        state["penalty"] = self._penalty(weights)
        state["best_objective"] = np.inf
        if self._settings.schedule != "auto":
            return
        loss = float(np.log(self._problem.n_classes))
        if weights.any() or bias.any():
            loss = self._loss(weights, bias)
        state["loss"] = loss
        state["best_objective"] = loss + state["penalty"]

    def _penalty(self, weights: FloatArray) -> float:
        """Of a model, per unit of weight."""
        settings = self._kernel_settings[0]
        penalty = 0.5 * settings["l2_penalty"] * np.vdot(weights, weights)
        return float(penalty + settings["l1_penalty"] * np.abs(weights).sum())

    def _loss(self, weights: FloatArray, bias: FloatArray) -> float:
        """Of a model over all rows, per unit of weight."""
        with Accumulator(self._problem, len(bias), self._n_threads) as accumulator:
            return accumulator.evaluate(weights, bias).loss / self._problem.total_weight

    def _go_back(self) -> None:
        """Begin again where the objective is lowest of all known models, with smaller steps."""
        state = self._states[0]
        state["caution"] *= 2.0
        if state["caution"] > _MOST_CAUTION:
            state["outcome"] = kernels.DIVERGED
            return
        models = [self._model(kernels.BEST), self._model(kernels.AVERAGE)]
        with np.errstate(all="ignore"):
            objectives = [
                self._loss(weights, bias) + self._penalty(weights) for weights, bias in models
            ]
        self._begin_at(*models[int(np.nanargmin([*objectives, np.inf])) % 2])
        state["outcome"] = kernels.RUNNING

    def _model(self, place: int) -> tuple[FloatArray, FloatArray]:
        """Weights and bias of one of the sets of parameters."""
        weights, bias = unpack_parameters(
            self._models[place],
            self._features.shape[1],
            self._n_columns,
            self._specialisation,
        )
        shift = self._scaling.means @ weights.astype(np.float64)
        return weights, (bias - shift).astype(bias.dtype)

    @property
    def n_epochs(self) -> int:
        """Epochs done."""
        return int(self._states[0]["n_epochs"])

    @property
    def has_stopped(self) -> bool:
        """Whether the objective has fallen too little for some epochs."""
        return bool(self._states[0]["outcome"] == kernels.STOPPED)

    @property
    def objectives(self) -> FloatArray:
        """Objective of each epoch done, divided by the sum of the rows' weights."""
        return self._objectives[: self.n_epochs].copy()

    @property
    def solution(self) -> tuple[FloatArray, FloatArray]:
        """Weights and bias after the last epoch."""
        weights, bias = self._model(kernels.AVERAGE)
        if self._rotation is None:
            return weights, bias
        exact_weights = self._rotation @ weights.astype(np.float64)
        exact_bias = bias - self._origin @ exact_weights
        return exact_weights.astype(weights.dtype), exact_bias.astype(bias.dtype)

    def run(self, watch: Callable[[], bool] | None = None) -> None:
        """Descend to the last epoch or to a stop.

        Parameters
        ----------
        watch : callable, default=None
            Called after each epoch; True stops the descent.

        Raises
        ------
        FloatingPointError
            The objective or a parameter became infinite or NaN.
        """
        compiled = kernels.descend.specialise(self._specialisation)
        state = self._states[0]
        with team_of(self._n_threads, self._abandon) as team:
            while state["outcome"] == kernels.RUNNING and self.n_epochs < self._settings.n_epochs:
                before = self.n_epochs
                last_epoch = before + 1 if watch else self._settings.n_epochs
                started = time.perf_counter()
                unspent = team.call(partial(self._call, compiled, last_epoch))
                elapsed = time.perf_counter() - started
                growth = (
                    _SECONDS_PER_CALL * (self._row_budget - unspent) / (elapsed * self._row_budget)
                )
                self._row_budget = max(1, int(self._row_budget * min(growth, _LARGEST_GROWTH)))
                if state["outcome"] == kernels.ROSE:
                    self._go_back()
                if watch and self.n_epochs > before and watch():
                    break
        if state["outcome"] == kernels.DIVERGED:
            raise FloatingPointError(
                f"the objective or a parameter became infinite or NaN in epoch {self.n_epochs}"
            )

    def _abandon(self) -> None:
        """Make the threads that run the kernel return."""
        self._team_array[ABANDONED] = 1

    def _call(self, compiled: Any, last_epoch: int, thread: int, n_threads: int) -> int:
        sample_weight = self._problem.sample_weight
        unspent: int = compiled(
            self._features,
            columns_in_place(self._features, self._specialisation),
            self._problem.targets,
            _NO_WEIGHTS if sample_weight is None else sample_weight,
            self._kernel_settings,
            self._kernel_scaling,
            self._specialisation.blocks,
            last_epoch,
            self._row_budget,
            thread,
            n_threads,
            self._models,
            self._gradients,
            self._totals,
            self._workspace.tiles,
            self._workspace.feature_tiles,
            self._workspace.feature_weights,
            self._workspace.numbers,
            self._chunk_results,
            self._row_results,
            self._states,
            self._objectives,
            self._team_array,
        )
        return unspent
