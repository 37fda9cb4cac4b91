"""What descents over dense and over sparse rows have in common: settings, and the course."""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._typing import FloatArray, Model
from ...data.problem import Problem
from ...kernels import sgd_step as kernels
from ...objective.loss import loss_of
from ...objective.passes import accumulator_of
from ...runtime import tuning
from ...runtime.blas import inner_product
from ...runtime.team import Team, team_of
from ...runtime.workspace import choose_windows
from ..observer import Iteration, Observer
from .options import SgdSettings
from .scaling import Scaling, bound_curvature

_METHODS = {
    "plain": kernels.PLAIN,
    "averaged": kernels.AVERAGED,
    "accelerated": kernels.ACCELERATED,
}
# A model that is worse than this is of no use.
_MOST_RISE_IN_ALL = 10.0
# How often the bound of the curvature is doubled.
MOST_CAUTION = 2.0**60


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
    share_total, caution : float
        See `kernels.proximal.PROXIMAL_STATE`.
    feature_steps : ndarray of shape (n_features,) or None
        Of sparse features, how many steps each has been in.
    """

    weights: FloatArray
    biases: FloatArray
    n_steps: int
    share_total: float
    caution: float
    feature_steps: npt.NDArray[np.int32] | None = None

    @property
    def model(self) -> Model:
        """The average, with the zeros that an L1 penalty gives the last step."""
        return np.where(self.weights[1] == 0.0, 0.0, self.weights[2]), self.biases[2]


def population_of(problem: Problem) -> Population:
    """The problem's own rows."""
    return Population(problem.total_weight, problem.total_weight / problem.n_samples)


class Descent(ABC):
    """A descent that can be left and looked at after any epoch.

    Parameters
    ----------
    problem : Problem
    settings : SgdSettings
    n_columns : int
        Of the model.
    """

    _n_threads: int
    _row_budget: int
    _begins_at_zero: bool
    _row_weights: npt.NDArray[np.float64]
    _shared: npt.NDArray[np.int64]

    def __init__(self, problem: Problem, settings: SgdSettings, n_columns: int) -> None:
        self._problem = problem
        self._settings = settings
        self._n_columns = n_columns
        self._states = np.zeros(1, kernels.PROXIMAL_STATE)
        self._states["caution"] = 1.0
        self._states["reference_objective"] = np.inf
        self._states["epoch_objective"] = np.inf
        self._objectives = np.full(min(settings.n_epochs, tuning.EPOCHS_PER_CALL), np.nan)
        self._recorded: list[FloatArray] = []
        self._n_recorded = 0
        self._kernel_settings: Any

    @property
    @abstractmethod
    def solution(self) -> Model:
        """Weights and bias after the last epoch, with an L1 penalty's zeros of the last step."""

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """Where the descent is."""

    @abstractmethod
    def _known_models(self) -> list[Model]:
        """Those that may be gone back to."""

    @abstractmethod
    def _begin_at(self, weights: FloatArray, bias: FloatArray) -> None:
        """Begin the method at a model."""

    @abstractmethod
    def _compile(self) -> Any:
        """The kernel."""

    @abstractmethod
    def _call(self, compiled: Any, last_epoch: int, thread: int, n_threads: int, call: int) -> int:
        """Have one thread run the kernel; what is left of the budget."""

    @property
    def n_epochs(self) -> int:
        """Epochs done."""
        return int(self._states[0]["n_epochs"])

    @property
    def has_stopped(self) -> bool:
        """Whether the objective has fallen too little for some epochs."""
        return bool(self._states[0]["outcome"] == kernels.STOPPED)

    def go_on(self) -> None:
        """Have the descent go on after a stop."""
        state = self._states[0]
        state["outcome"] = kernels.RUNNING
        state["n_without_progress"] = 0

    @property
    def objectives(self) -> FloatArray:
        """Objective of each epoch done, divided by the sum of the rows' weights."""
        self._record()
        return np.concatenate([np.empty(0), *self._recorded])

    def _record(self) -> None:
        """Take the objectives of epochs that are done from where the kernel has left them."""
        places = np.arange(self._n_recorded, self.n_epochs) % len(self._objectives)
        self._recorded.append(self._objectives[places])
        self._n_recorded = self.n_epochs

    def _make_kernel_settings(
        self,
        population: Population,
        scaling: Scaling,
        chunk_rows: int,
        round_rows: int,
        row_bytes: int,
    ) -> Any:
        settings, problem = self._settings, self._problem
        record = np.zeros(1, kernels.PROXIMAL_SETTINGS)
        record["seed"] = settings.shuffle_seed or 0
        record["shuffle"] = settings.shuffle_seed is not None
        windows = choose_windows(row_bytes)
        record["block_bits"] = windows.block_bits
        record["window_rows"] = windows.window_rows
        record["batch_size"] = settings.batch_size
        record["patience"] = settings.patience
        record["tolerance"] = settings.tolerance
        record["rounding"] = np.finfo(problem.dtype).eps
        record["n_classes"] = self._n_columns
        record["chunk_rows"] = chunk_rows
        record["round_rows"] = round_rows
        record["method"] = _METHODS[settings.method]
        record["momentum"] = settings.momentum
        # Kernels are given weights of mean 1, which no dtype is too narrow for.
        record["total_weight"] = problem.total_weight / population.mean_weight
        record["l1_penalty"] = problem.l1_penalty / population.total_weight
        record["l2_penalty"] = problem.l2_penalty / population.total_weight
        loss = loss_of(problem)
        record["activation"] = loss.code
        record["fit_intercept"] = settings.fit_intercept
        record["is_automatic"] = settings.schedule == "auto"
        record["follows_loss"] = loss.curvature_follows_loss
        record["decays"] = settings.schedule == "invscaling"
        rate = settings.learning_rate
        if rate is None:
            rate = 1.0 / bound_curvature(
                problem,
                scaling,
                n_columns=self._n_columns,
                batch_size=settings.batch_size,
                fit_intercept=settings.fit_intercept,
            )
        record["learning_rate"] = rate
        return record

    def _weigh_rows(self, population: Population) -> None:
        weights = self._problem.sample_weight
        self._row_weights = np.zeros(0) if weights is None else weights / population.mean_weight

    def _begin_state(self, weights: FloatArray, bias: FloatArray) -> None:
        """The state at the beginning, where nothing is known but a model."""
        state = self._states[0]
        state["n_steps"] = 0
        state["share_total"] = 0.0
        state["penalty"] = self._penalty(weights)
        state["best_objective"] = np.inf
        self._begins_at_zero = not (weights.any() or bias.any())
        if self._settings.schedule != "auto":
            return
        loss = float(np.log(self._problem.n_classes))
        if not self._begins_at_zero:
            loss = self._loss(weights, bias)
        state["loss"] = loss
        state["best_objective"] = loss + state["penalty"]

    def _snapshot_of(
        self,
        weights: FloatArray,
        biases: FloatArray,
        feature_steps: npt.NDArray[np.int32] | None = None,
    ) -> Snapshot:
        """Sets of parameters with what the state says of them."""
        state = self._states[0]
        return Snapshot(
            weights,
            biases,
            int(state["n_steps"]),
            float(state["share_total"]),
            float(state["caution"]),
            feature_steps,
        )

    def _resume_state(self, snapshot: Snapshot) -> None:
        state = self._states[0]
        self._begins_at_zero = snapshot.n_steps == 0 and not snapshot.weights.any()
        state["n_steps"] = snapshot.n_steps
        state["share_total"] = snapshot.share_total
        state["caution"] = snapshot.caution
        # Of other rows: what they had tells nothing of how fast these may be gone over.
        state["loss"] = np.inf
        state["penalty"] = self._penalty(snapshot.weights[0])
        # Other rows may have any loss.
        state["best_objective"] = np.inf

    def _penalty(self, weights: FloatArray) -> float:
        """Of a model, per unit of weight."""
        settings = self._kernel_settings[0]
        penalty = 0.5 * settings["l2_penalty"] * inner_product(weights, weights)
        return float(penalty + settings["l1_penalty"] * np.abs(weights).sum())

    def _loss(self, weights: FloatArray, bias: FloatArray) -> float:
        """Of a model over all rows, per unit of weight."""
        problem = self._problem.with_mean_weight_one()
        with accumulator_of(problem, len(bias), self._n_threads) as accumulator:
            return accumulator.loss(weights, bias) / problem.total_weight

    def _go_back(self) -> None:
        """Begin again where the objective is lowest of all known models, with smaller steps."""
        state = self._states[0]
        state["n_epochs"] -= 1  # it doesn't count
        state["caution"] *= 2.0
        if state["caution"] > MOST_CAUTION:
            state["outcome"] = kernels.DIVERGED
            return
        models = self._known_models()
        with np.errstate(all="ignore"):
            objectives = [
                self._loss(weights, bias) + self._penalty(weights) for weights, bias in models
            ]
        self._begin_at(*models[int(np.nanargmin([*objectives, np.inf])) % 2])
        state["outcome"] = kernels.RUNNING

    def run(self, observer: Observer | None = None) -> bool:
        """Descend to the last epoch or to a stop.

        Parameters
        ----------
        observer : Observer or None, default=None
            Told of each epoch.

        Returns
        -------
        bool
            Whether the observer has ended the descent.

        Raises
        ------
        FloatingPointError
            The objective or a parameter became infinite or NaN, or the objective ended many times
            above that of a model of zeros.
        """
        compiled = self._compile()
        state = self._states[0]
        was_interrupted = False
        with team_of(self._n_threads, self._shared) as team:
            while state["outcome"] == kernels.RUNNING and self.n_epochs < self._settings.n_epochs:
                if observer is None:
                    self._run_to(team, compiled, self._settings.n_epochs)
                    continue
                observer.begin_iteration()
                self._run_to(team, compiled, self.n_epochs + 1)
                iteration = Iteration(self._last_objective, lambda: self.solution)
                if state["outcome"] != kernels.DIVERGED and observer.end_iteration(iteration):
                    was_interrupted = True
                    break
        if state["outcome"] == kernels.DIVERGED:
            raise FloatingPointError(
                f"the objective or a parameter became infinite or NaN in epoch {self.n_epochs}"
            )
        start = float(np.log(self._problem.n_classes))
        check_rise(self.objectives, start, begins_at_zero=self._begins_at_zero)
        return was_interrupted

    def run_once(self, loss: float, n_epochs: int) -> bool:
        """Go over the rows once.

        Parameters
        ----------
        loss : float
            Of all rows, by which an automatic rate goes.
        n_epochs : int
            Done before, by which a rate decays.

        Returns
        -------
        bool
            Whether all parameters and the objective are finite.
        """
        state = self._states[0]
        state["loss"] = loss
        state["n_epochs"] = self._n_recorded = n_epochs
        compiled = self._compile()
        with team_of(self._n_threads, self._shared) as team:
            while state["outcome"] == kernels.RUNNING and self.n_epochs == n_epochs:
                self._call_team(team, compiled, n_epochs + 1)
        return bool(state["outcome"] == kernels.RUNNING)

    @property
    def last_penalty(self) -> float:
        """Of the last epoch, per unit of weight."""
        return float(self._states[0]["epoch_penalty"])

    @property
    def last_loss(self) -> float:
        """Of the last epoch, per unit of weight."""
        place = (self.n_epochs - 1) % len(self._objectives)
        return float(self._objectives[place]) - self.last_penalty

    @property
    def _last_objective(self) -> float:
        recorded = self._recorded[-1]
        return float(recorded[-1]) if len(recorded) else float("nan")

    def _run_to(self, team: Team, compiled: Any, last_epoch: int) -> None:
        """Descend to an epoch or to a stop."""
        state = self._states[0]
        while state["outcome"] == kernels.RUNNING and self.n_epochs < last_epoch:
            stop = min(last_epoch, self._n_recorded + len(self._objectives))
            self._call_team(team, compiled, stop)
            if state["outcome"] == kernels.ROSE:
                self._go_back()
            self._record()

    def _call_team(self, team: Team, compiled: Any, last_epoch: int) -> None:
        """Have the kernel run until an epoch is done, or for as long as a call may take."""
        started = time.perf_counter()
        unspent = team.call(partial(self._call, compiled, last_epoch))
        elapsed = time.perf_counter() - started
        growth = (
            tuning.SECONDS_PER_CALL * (self._row_budget - unspent) / (elapsed * self._row_budget)
        )
        self._row_budget = max(
            1, int(self._row_budget * min(growth, tuning.LARGEST_GROWTH_OF_A_CALL))
        )


def check_rise(objectives: FloatArray, start: float, *, begins_at_zero: bool) -> None:
    """Raise FloatingPointError if the last objective is many times above the start's.

    Parameters
    ----------
    objectives : ndarray of shape (n_epochs,)
    start : float
        That of a model of zeros.
    begins_at_zero : bool
        Whether the start is one; otherwise the first objective counts too.
    """
    if not len(objectives):
        return
    if not begins_at_zero:
        start = max(start, float(objectives[0]))
    if objectives[-1] > _MOST_RISE_IN_ALL * start:
        raise FloatingPointError(f"the objective rose from {start:.3g} to {objectives[-1]:.3g}")
