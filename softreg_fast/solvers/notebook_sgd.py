"""Mini-batch gradient descent."""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .._typing import FloatArray, Gradient
from ..data.problem import Problem
from ..kernels import sgd_notebook as kernels
from ..kernels.tile import SCORED
from ..objective.loss import check_gradient, loss_of
from ..runtime import tuning
from ..runtime.team import Team, team_of
from ..runtime.threads import count_threads_for_steps
from ..runtime.workspace import (
    Cuts,
    aligned_zeros,
    are_rows_contiguous,
    choose_cuts,
    choose_windows,
    columns_in_place,
    estimate_work,
    make_chunk_sums,
    make_workspaces,
    pack_parameters,
    specialise,
    unpack_parameters,
)
from .observer import EpochObserver


@dataclass(frozen=True)
class DescentSettings:
    """How to descend.

    Attributes
    ----------
    learning_rate : float
    batch_size : int
        At most the number of rows. What remains after the last whole batch is not trained on.
    n_epochs : int
    patience : int
        Stop when the lowest loss is more than so many epochs back; never if zero or less.
    gradient : {"exact", "notebook"}
        The notebook's goes with a bounded loss alone.
    score : bool
        Whether to measure the accuracy after each epoch; it is NaN otherwise.
    shuffle_seed : int or None
        From 0 to 2**64 - 1: take the rows in another order in each epoch, the one that
        `reference.shuffled_rows` gives with the windows of `workspace.choose_windows`. Features
        whose rows aren't contiguous in memory are copied for it, once. None takes them as they lie.
    """

    learning_rate: float
    batch_size: int
    n_epochs: int
    patience: int
    gradient: Gradient
    score: bool = True
    shuffle_seed: int | None = None


class GradientDescent:
    """A run of gradient descent that can be left and looked at any time.

    Parameters
    ----------
    problem : Problem
    settings : DescentSettings
    weights : ndarray of shape (n_features, n_columns)
        As many columns as classes; or one for two classes with a convex loss, whose logit is
        that of the second class, the first having the logit zero.
    bias : ndarray of shape (n_columns,)
        The start.
    n_threads : int or None
        See `count_threads_for_steps`. The result has the same bits for any number.

    Raises
    ------
    ValueError
        The notebook's gradient of a loss without a bound.
    """

    def __init__(
        self,
        problem: Problem,
        settings: DescentSettings,
        weights: FloatArray,
        bias: FloatArray,
        n_threads: int | None = 1,
    ) -> None:
        check_gradient(settings.gradient, problem.activation)
        self._problem = problem
        self._settings = settings
        self._features = problem.features
        if settings.shuffle_seed is not None and not are_rows_contiguous(problem.features):
            self._features = np.ascontiguousarray(problem.features)
        n_samples, n_features = problem.features.shape
        self._specialisation = specialise(self._features, problem.dtype, weights.shape[1])
        parameters = pack_parameters(weights, bias, self._specialisation)
        cuts = choose_cuts(settings.batch_size, n_features, parameters, self._specialisation)
        self._models = aligned_zeros((3, *parameters.shape), problem.dtype)
        self._models[:] = parameters
        self._n_threads = count_threads_for_steps(
            n_threads,
            settings.n_epochs * estimate_work(n_samples, parameters),
            estimate_work(settings.batch_size, parameters),
            cuts.n_chunks,
        )
        self._sums = make_chunk_sums(cuts, self._n_threads, parameters)
        self._workspaces = make_workspaces(
            self._n_threads, cuts.tile_rows, n_features, parameters, self._specialisation
        )
        self._states = np.zeros(1, kernels.RUN_STATE)
        self._kernel_settings = self._make_kernel_settings(weights.shape[1], cuts)
        n_kept = min(tuning.EPOCHS_PER_CALL, settings.n_epochs + 1)
        self._losses = np.full(max(n_kept, 2), np.nan)
        self._accuracies = np.full(max(n_kept, 2), np.nan)

    def _make_kernel_settings(self, n_columns: int, cuts: Cuts) -> Any:
        settings = self._settings
        record = np.zeros(1, kernels.RUN_SETTINGS)
        record["seed"] = settings.shuffle_seed or 0
        record["shuffle"] = settings.shuffle_seed is not None
        windows = choose_windows(self._features.shape[1] * self._features.itemsize)
        record["block_bits"] = windows.block_bits
        record["window_rows"] = windows.window_rows
        record["batch_size"] = settings.batch_size
        record["n_epochs"] = settings.n_epochs
        # Numbers beyond this mean never, as it does.
        record["patience"] = min(max(settings.patience, 0), 2**62)
        record["n_classes"] = n_columns
        record["chunk_rows"] = cuts.chunk_rows
        record["round_rows"] = cuts.round_rows
        record["learning_rate"] = settings.learning_rate
        record["activation"] = loss_of(self._problem).code
        record["notebook_gradient"] = settings.gradient == "notebook"
        record["score"] = settings.score
        return record

    @property
    def n_finished_epochs(self) -> int:
        """Epochs trained and scored so far."""
        return int(self._states[0]["n_scored"])

    @property
    def has_diverged(self) -> bool:
        """Whether the loss or a parameter became infinite or NaN."""
        return bool(self._states[0]["outcome"] == kernels.DIVERGED)

    @property
    def solution(self) -> tuple[FloatArray, FloatArray]:
        """Weights and bias after the last finished epoch; the start if there is none."""
        n_features = self._problem.features.shape[1]
        return unpack_parameters(
            self._models[SCORED],
            n_features,
            int(self._kernel_settings[0]["n_classes"]),
            self._specialisation,
        )

    def run(self, log: EpochObserver) -> None:
        """Descend to the last epoch or to an early stop.

        Parameters
        ----------
        log : EpochObserver
            Told of the epochs as they finish.

        Raises
        ------
        FloatingPointError
            The loss or a parameter became infinite or NaN.
        """
        run_epochs = kernels.run_epochs.specialise(self._specialisation)
        try:
            with team_of(self._n_threads, self._sums.shared) as team:
                self._run_with(team, run_epochs, log)
        finally:
            # What is left to record where an interrupt has come while it was done.
            self._record(log)
        if self.has_diverged:
            raise FloatingPointError(
                "the loss or a parameter became infinite or NaN in epoch "
                f"{self.n_finished_epochs}: learning_rate={self._settings.learning_rate!r} is too "
                f"large for these features in {self._problem.dtype.name}; the last finite "
                "parameters are kept"
            )

    def _run_with(self, team: Team, run_epochs: Any, log: EpochObserver) -> None:
        state = self._states[0]
        row_budget = max(1, tuning.PRODUCTS_OF_THE_FIRST_CALL // self._models[0].size)
        while state["outcome"] == kernels.RUNNING:
            started = time.perf_counter()
            try:
                unspent = team.call(partial(self._call, run_epochs, row_budget))
            finally:
                # An interrupt is raised as soon as the kernel has returned.
                self._record(log)
            elapsed = time.perf_counter() - started
            growth = tuning.SECONDS_PER_CALL * (row_budget - unspent) / (elapsed * row_budget)
            row_budget = max(1, int(row_budget * min(growth, tuning.LARGEST_GROWTH_OF_A_CALL)))

    def _record(self, log: EpochObserver) -> None:
        """Tell the log of epochs that have been finished since the last time."""
        places = np.arange(log.n_epochs, self.n_finished_epochs) % len(self._losses)
        log.record(self._losses[places], self._accuracies[places])

    def _call(
        self, run_epochs: Any, row_budget: int, thread: int, n_threads: int, call: int
    ) -> int:
        unspent: int = run_epochs(
            self._features,
            columns_in_place(self._features, self._specialisation),
            self._problem.targets,
            self._kernel_settings,
            self._specialisation.blocks,
            row_budget,
            thread,
            n_threads,
            call,
            self._models,
            self._sums.gradients,
            self._sums.totals,
            *self._workspaces[thread].arguments,
            self._sums.chunk_results,
            self._states,
            self._losses,
            self._accuracies,
            self._sums.shared,
        )
        return unspent
