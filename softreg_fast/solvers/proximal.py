"""Proximal mini-batch gradient descent: centred, scaled, averaged or accelerated."""

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from ..accumulator import Accumulator
from ..definitions import FloatArray, Model
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
    fill_parameters,
    make_workspace,
    pack_parameters,
    specialise,
    unpack_parameters,
)
from ..monitor import Monitor
from ..problem import Problem
from ..scaling import Scaling, bound_curvature, choose_scaling, rotate
from ..threads import Team, count_threads_for_steps, team_of
from .solution import Solution

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
_SHARPENING_STEPS = 10
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
class Population:
    """What the rows are taken from.

    Attributes
    ----------
    total_weight : float
        Of all rows there are: the penalty is a share of that size for each unit of weight.
    mean_weight : float
        Of a row: such a row moves the parameters by the rate.
    """

    total_weight: float
    mean_weight: float


@dataclass(frozen=True)
class Snapshot:
    """Where a descent is, so that another one can go on from there.

    Attributes
    ----------
    weights : ndarray of shape (3, n_features, n_columns)
        Of the working set, the fast one and the average.
    biases : ndarray of shape (3, n_columns)
    n_steps : int
    share_total, caution, loss : float
        See `kernels.proximal.PROXIMAL_STATE`.
    """

    weights: FloatArray
    biases: FloatArray
    n_steps: int
    share_total: float
    caution: float
    loss: float

    @property
    def model(self) -> Model:
        """The average, with the zeros that an L1 penalty gives the last step."""
        return np.where(self.weights[1] == 0.0, 0.0, self.weights[2]), self.biases[2]


_SETS = (WORKING, kernels.FAST, kernels.AVERAGE)


class ProximalDescent:
    """A descent that can be left and looked at after any epoch.

    Parameters
    ----------
    problem : Problem
    settings : ProximalSettings
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
        settings: ProximalSettings,
        start: Model | Snapshot,
        n_threads: int | None = 1,
        population: Population | None = None,
        scaling: Scaling | None = None,
    ) -> None:
        self._settings = settings
        if population is None:
            total_weight = problem.total_weight
            population = Population(total_weight, total_weight / len(problem.features))
        if scaling is None:
            scales = settings.feature_scaling != "none"
            scaling = choose_scaling(
                problem, center=settings.fit_intercept and scales, scale=scales
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
        weights, bias = start.model if isinstance(start, Snapshot) else start
        self._n_columns = len(bias)
        self._specialisation = specialise(self._features, problem.dtype, self._n_columns)
        if self._rotation is not None:
            weights, bias = self._rotation.T @ weights, bias + self._origin @ weights
        self._make_arrays(weights, bias, n_threads)
        self._kernel_settings = self._make_kernel_settings(population)
        self._states = np.zeros(1, kernels.PROXIMAL_STATE)
        self._states["caution"] = 1.0
        self._states["reference_objective"] = np.inf
        if isinstance(start, Snapshot):
            self._resume(start)
        else:
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

    def _make_kernel_settings(self, population: Population) -> Any:
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
        record["mean_weight"] = population.mean_weight
        record["l1_penalty"] = problem.l1_penalty / population.total_weight
        record["l2_penalty"] = problem.l2_penalty / population.total_weight
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

    def snapshot(self) -> Snapshot:
        """Where the descent is. Not where features are rotated."""
        models = [self._model(place) for place in _SETS]
        state = self._states[0]
        return Snapshot(
            np.stack([weights for weights, _ in models]),
            np.stack([bias for _, bias in models]),
            int(state["n_steps"]),
            float(state["share_total"]),
            float(state["caution"]),
            float(state["loss"]),
        )

    def _resume(self, snapshot: Snapshot) -> None:
        """Go on from where another descent was."""
        for place, weights, bias in zip(_SETS, snapshot.weights, snapshot.biases, strict=True):
            shift = 0.0 if place == WORKING else self._scaling.means @ weights
            fill_parameters(weights, bias + shift, self._specialisation, self._models[place])
        self._models[kernels.BEST] = self._models[kernels.AVERAGE]
        state = self._states[0]
        state["n_steps"] = snapshot.n_steps
        state["share_total"] = snapshot.share_total
        state["caution"] = snapshot.caution
        state["loss"] = snapshot.loss
        state["penalty"] = self._penalty(snapshot.weights[0])
        # Other rows may have any loss.
        state["best_objective"] = np.inf

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
        state["n_epochs"] -= 1  # it doesn't count
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
    def solution(self) -> Model:
        """Weights and bias after the last epoch, with an L1 penalty's zeros of the last step."""
        weights, bias = self._model(kernels.AVERAGE)
        if self._problem.l1_penalty > 0.0:
            weights = np.where(self._model(kernels.FAST)[0] == 0.0, 0, weights)
        if self._rotation is None:
            return weights, bias
        exact_weights = self._rotation @ weights.astype(np.float64)
        exact_bias = bias - self._origin @ exact_weights
        return exact_weights.astype(weights.dtype), exact_bias.astype(bias.dtype)

    def run(self, monitor: Monitor | None = None) -> None:
        """Descend to the last epoch or to a stop.

        Parameters
        ----------
        monitor : Monitor or None, default=None
            Told of each epoch.

        Raises
        ------
        FloatingPointError
            The objective or a parameter became infinite or NaN.
        """
        compiled = kernels.descend.specialise(self._specialisation)
        state = self._states[0]
        with team_of(self._n_threads, self._abandon) as team:
            while state["outcome"] == kernels.RUNNING and self.n_epochs < self._settings.n_epochs:
                if monitor is None:
                    self._run_to(team, compiled, self._settings.n_epochs)
                    continue
                monitor.begin_iteration()
                self._run_to(team, compiled, self.n_epochs + 1)
                if state["outcome"] != kernels.DIVERGED and monitor.end_iteration(
                    float(self._objectives[self.n_epochs - 1]), lambda: self.solution
                ):
                    break
        if state["outcome"] == kernels.DIVERGED:
            raise FloatingPointError(
                f"the objective or a parameter became infinite or NaN in epoch {self.n_epochs}"
            )

    def _run_to(self, team: Team, compiled: Any, last_epoch: int) -> None:
        """Descend to an epoch or to a stop."""
        state = self._states[0]
        while state["outcome"] == kernels.RUNNING and self.n_epochs < last_epoch:
            started = time.perf_counter()
            unspent = team.call(partial(self._call, compiled, last_epoch))
            elapsed = time.perf_counter() - started
            growth = _SECONDS_PER_CALL * (self._row_budget - unspent) / (elapsed * self._row_budget)
            self._row_budget = max(1, int(self._row_budget * min(growth, _LARGEST_GROWTH)))
            if state["outcome"] == kernels.ROSE:
                self._go_back()

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


def descend(
    problem: Problem,
    settings: ProximalSettings,
    weights: FloatArray,
    bias: FloatArray,
    n_threads: int | None = None,
    monitor: Monitor | None = None,
) -> Solution:
    """Minimise the objective of a problem approximately.

    Parameters
    ----------
    problem : Problem
    settings : ProximalSettings
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
        The start. See `Accumulator` for the number of columns.
    n_threads : int or None, default=None
    monitor : Monitor or None, default=None
        Told of each epoch.

    Returns
    -------
    Solution

    Raises
    ------
    FloatingPointError
        See `ProximalDescent.run`.
    """
    descent = ProximalDescent(problem, settings, (weights, bias), n_threads)
    descent.run(monitor)
    return Solution(*descent.solution, descent.objectives, descent.has_stopped)


def sharpen(
    problem: Problem,
    settings: ProximalSettings,
    weights: FloatArray,
    bias: FloatArray,
    n_threads: int | None = None,
) -> Model:
    """A model some steps on all rows later: that has the zeros of the lowest objective.

    Parameters
    ----------
    problem : Problem
        With an L1 penalty.
    settings : ProximalSettings
        Those of the descent that has found the model.
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    n_threads : int or None, default=None
    """
    full = replace(
        settings,
        schedule="auto",
        learning_rate=None,
        batch_size=len(problem.features),
        n_epochs=_SHARPENING_STEPS,
        patience=0,
        method="plain",
        momentum=0.0,
        shuffle_seed=None,
    )
    solution = descend(problem, full, weights, bias, n_threads)
    return solution.weights, solution.bias
