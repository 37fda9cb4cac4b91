"""Mini-batch gradient descent in the order of the rows."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..definitions import FloatArray, Gradient, check_gradient
from ..kernels import epoch as kernels
from ..kernels.jit import choose_specialisation
from ..layout import make_workspace, pack_parameters, unpack_parameters
from ..monitor import EpochLog
from ..problem import Problem
from ..threads import Pending, RowWorkers, count_threads, row_workers

# Long enough that returning to Python costs next to nothing, short enough that lines appear and
# interrupts are answered as if at once.
_SECONDS_PER_CALL = 0.1
_LARGEST_GROWTH = 8.0
_FIRST_CALL_PRODUCTS = 20_000_000
_EPOCHS_PER_CALL = 16_384


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
        The notebook's goes with the sigmoid link alone.
    """

    learning_rate: float
    batch_size: int
    n_epochs: int
    patience: int
    gradient: Gradient


class GradientDescent:
    """A run of gradient descent that can be left and looked at any time.

    Parameters
    ----------
    problem : Problem
    settings : DescentSettings
    weights : ndarray of shape (n_features, n_classes)
    bias : ndarray of shape (n_classes,)
        The start.
    n_threads : int or None
        See `count_threads`. With more than one, the accuracy of an epoch is measured while the
        next is trained. The result has the same bits for any number.

    Raises
    ------
    ValueError
        The notebook's gradient with the identity link.
    """

    def __init__(
        self,
        problem: Problem,
        settings: DescentSettings,
        weights: FloatArray,
        bias: FloatArray,
        n_threads: int | None = 1,
    ) -> None:
        check_gradient(settings.gradient, problem.link)
        self._problem = problem
        self._settings = settings
        self._specialisation = choose_specialisation(
            problem.features.dtype, problem.dtype, problem.n_classes
        )
        self._parameters = pack_parameters(weights, bias, self._specialisation)
        self._finished_parameters = self._parameters.copy()
        self._gradient = np.zeros_like(self._parameters)
        self._workspace = make_workspace(self._parameters)
        self._states = np.zeros(1, kernels.RUN_STATE)
        self._losses = np.empty(_EPOCHS_PER_CALL)
        self._accuracies = np.empty(_EPOCHS_PER_CALL)
        self._n_threads = count_threads(n_threads, len(problem.features) * self._parameters.size)
        self._solution = self._finished_parameters
        self._n_recorded = 0

    @property
    def n_finished_epochs(self) -> int:
        """Epochs trained, scored and logged so far."""
        return self._n_recorded

    @property
    def has_diverged(self) -> bool:
        """Whether the loss or a parameter became infinite or NaN."""
        return bool(self._states[0]["outcome"] == kernels.DIVERGED)

    @property
    def solution(self) -> tuple[FloatArray, FloatArray]:
        """Weights and bias after the last finished epoch; the start if there is none."""
        return unpack_parameters(self._solution, self._problem.n_classes)

    def run(self, log: EpochLog) -> None:
        """Descend to the last epoch or to an early stop.

        Parameters
        ----------
        log : EpochLog
            Told of the epochs as they finish.

        Raises
        ------
        FloatingPointError
            The loss or a parameter became infinite or NaN.
        """
        run_epochs = kernels.run_epochs.specialise(self._specialisation)
        if self._n_threads == 1:
            for _ in self._calls(run_epochs, log):
                pass
        else:
            with row_workers(self._n_threads - 1) as workers:
                self._run_with(workers, run_epochs, log)
        if self.has_diverged:
            raise FloatingPointError(
                f"the loss or a parameter became infinite or NaN in epoch {self._n_recorded}: "
                f"learning_rate={self._settings.learning_rate!r} is too large for these features "
                f"in {self._problem.dtype.name}; the last finite parameters are kept"
            )

    def _run_with(self, workers: RowWorkers, run_epochs: Any, log: EpochLog) -> None:
        """Have the accuracy of each epoch measured while the next is trained."""
        pending: _PendingScore | None = None
        for n_trained in self._calls(run_epochs, None):
            is_new = n_trained > self._n_recorded + (pending is not None)
            if pending is not None and (is_new or pending.n_correct.is_done()):
                self._record_score(pending, log)
                pending = None
            if is_new:
                pending = self._start_score(workers, self._losses[:1].copy())
        if pending is not None:
            self._record_score(pending, log)

    def _calls(self, run_epochs: Any, log: EpochLog | None) -> Iterator[int]:
        """Call the kernel until it has finished; gives the epochs trained after each call.

        With a log, the kernel scores epochs itself and they are recorded.
        """
        state = self._states[0]
        row_budget = max(1, _FIRST_CALL_PRODUCTS // self._parameters.size)
        while state["epoch"] < self._settings.n_epochs and state["outcome"] == kernels.RUNNING:
            started = time.perf_counter()
            try:
                unspent = self._call(run_epochs, row_budget, score_elsewhere=log is None)
            finally:
                # An interrupt is raised as soon as the kernel has returned.
                if log is not None:
                    n_new = int(state["epoch"]) - self._n_recorded
                    self._n_recorded += n_new
                    log.record(self._losses[:n_new], self._accuracies[:n_new])
            elapsed = time.perf_counter() - started
            growth = _SECONDS_PER_CALL * (row_budget - unspent) / (elapsed * row_budget)
            row_budget = max(1, int(row_budget * min(growth, _LARGEST_GROWTH)))
            yield int(state["epoch"])

    def _call(self, run_epochs: Any, row_budget: int, *, score_elsewhere: bool) -> int:
        problem, settings = self._problem, self._settings
        unspent: int = run_epochs(
            problem.features,
            problem.targets,
            problem.n_classes,
            problem.link == "sigmoid",
            settings.gradient == "notebook",
            settings.learning_rate,
            settings.batch_size,
            settings.n_epochs,
            settings.patience,
            row_budget,
            score_elsewhere,
            self._specialisation.width,
            self._parameters,
            self._finished_parameters,
            self._gradient,
            self._workspace,
            self._states,
            self._losses,
            self._accuracies,
        )
        return unspent

    def _start_score(self, workers: RowWorkers, losses: FloatArray) -> "_PendingScore":
        parameters = self._finished_parameters.copy()
        count_correct = kernels.count_correct.specialise(self._specialisation)

        def count_rows(start: int, stop: int) -> int:
            n_correct: int = count_correct(
                self._problem.features,
                self._problem.targets,
                start,
                stop,
                self._problem.n_classes,
                self._problem.link == "sigmoid",
                self._specialisation.width,
                parameters,
                np.empty_like(self._workspace),
            )
            return n_correct

        n_rows = len(self._problem.features)
        block_rows = workers.rows_per_block(n_rows, parameters.size)
        return _PendingScore(losses, parameters, workers.start(count_rows, n_rows, block_rows))

    def _record_score(self, pending: "_PendingScore", log: EpochLog) -> None:
        n_correct = sum(pending.n_correct.results())
        self._solution = pending.parameters
        self._n_recorded += 1
        log.record(pending.losses, np.array([n_correct / len(self._problem.features)]))


@dataclass(frozen=True)
class _PendingScore:
    """An epoch that is trained and whose accuracy is being measured."""

    losses: FloatArray
    parameters: FloatArray
    n_correct: Pending[int]
