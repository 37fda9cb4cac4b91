"""Gradient descent over rows that are read in blocks: some of them at a time, a window.

Each window is gone over once, in a random order, and the next one goes on from where it has led.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..._typing import FloatArray, Model
from ...data.blocked import Block, BlockedProblem
from ...data.problem import Problem, drop_weightless
from ...objective.passes import accumulator_of
from ...runtime.blas import inner_product, matrix_product, one_blas_thread
from ...runtime.checkpoint import key_of
from ..observer import Iteration, Observer
from .early_stopping import EarlyStopping
from .iteration import MOST_CAUTION, Descent, Population, Snapshot, check_rise
from .options import SgdSettings
from .scaling import (
    Scaling,
    bound_curvature,
    can_rotate,
    choose_scaling,
    choose_sparse_scaling,
    has_much_in_common,
    rotate,
)

MakeDescent = Callable[[Problem, SgdSettings, Snapshot, "int | None", Population, Scaling], Descent]

# Of the state in a checkpoint.
_KEY = key_of("state of gradient descent")
# Of the features of a window.
_BYTES_OF_A_WINDOW = 32 << 20
# Rows from which rates and rotations are found.
SAMPLED_ROWS = 20_000
_ROWS_PER_FEATURE = 10
SEED = 0
# Of the best objective so far, what an epoch may have.
_MOST_RISE = 2.0


def rows_of_window(problem: BlockedProblem) -> int:
    """Rows of a window."""
    bytes_per_row = problem.n_elements * problem.features.dtype.itemsize / problem.n_samples
    return max(1, int(_BYTES_OF_A_WINDOW / max(1.0, bytes_per_row)))


@dataclass(frozen=True)
class _Rotation:
    """Features about an origin, along other axes; see `scaling.rotate`."""

    origin: FloatArray
    axes: FloatArray

    def rotate(self, problem: Problem) -> Problem:
        """Rows of a window."""
        with one_blas_thread():
            features = (problem.features - self.origin) @ self.axes
        return replace(problem, features=features.astype(problem.dtype, copy=False))

    def to(self, weights: FloatArray, bias: FloatArray) -> Model:
        """A model of features as they are, as one of these."""
        return matrix_product(self.axes.T, weights), bias + matrix_product(self.origin, weights)

    def back(self, weights: FloatArray, bias: FloatArray) -> Model:
        """The reverse."""
        exact = matrix_product(self.axes, weights.astype(np.float64))
        moved = bias - matrix_product(self.origin, exact)
        return exact.astype(weights.dtype), moved.astype(bias.dtype)


def scaling_of_blocks(
    problem: BlockedProblem, settings: SgdSettings, batch_size: int, n_threads: int | None
) -> Scaling:
    """The scaling of features that are read in blocks, for batches of some rows."""
    center, scale = settings.fit_intercept, settings.feature_scaling != "none"
    if problem.is_sparse:
        return choose_sparse_scaling(problem, batch_size=batch_size, scale=scale, center=center)
    return choose_scaling(problem, n_threads, center=center, scale=scale)


class WindowedDescent:
    """A descent over rows that are read in blocks; see `Descent`.

    Parameters
    ----------
    problem : BlockedProblem
    settings : SgdSettings
    start : tuple of weights and bias
    n_threads : int or None
    make : callable
        Makes the descent over a window, from where the last one has led.
    """

    def __init__(
        self,
        problem: BlockedProblem,
        settings: SgdSettings,
        start: Model,
        n_threads: int | None,
        make: MakeDescent,
    ) -> None:
        self._problem = problem
        self._settings = settings
        self._n_threads = n_threads
        self._make = make
        self._window_rows = rows_of_window(problem)
        n_rows = int(problem.class_counts.sum())
        self._population = Population(problem.total_weight, problem.total_weight / n_rows)
        self._n_columns = len(start[1])
        self._scaling, self._rotation = self._settle()
        self._begins_at_zero = not (start[0].any() or start[1].any())
        self._loss = float(np.log(problem.n_classes))
        self._best_objective = self._loss
        if not self._begins_at_zero and settings.schedule == "auto":
            self._loss, self._best_objective = self._evaluate(*start)
        weights, bias = (part.astype(problem.dtype) for part in start)
        if self._rotation is not None:
            weights, bias = (
                part.astype(problem.dtype) for part in self._rotation.to(weights, bias)
            )
        self._snapshot = self._best = _snapshot_at(weights, bias, 1.0)
        self._reference = np.inf
        self._n_without_progress = 0
        self._n_passes = 0
        self._objectives: list[float] = []
        self.has_stopped = False
        self._n_windows = 0  # of this epoch
        self._totals = np.zeros(3)  # of their weights, losses and penalties
        self._checkpoint = problem.rows.checkpoint
        self._stopping: EarlyStopping | None = None
        self._kept_of_stopping: list[Any] = []
        kept = None if self._checkpoint is None else self._checkpoint.get(_KEY)
        if kept is not None:
            self._take_state(kept)

    def _state(self) -> list[Any]:
        """Where the descent is, in arrays."""
        numbers = [
            self._loss,
            self._best_objective,
            self._reference,
            self._n_without_progress,
            self._n_passes,
            self.has_stopped,
            self._n_windows,
        ]
        return [
            np.array(numbers, np.float64),
            np.array(self._objectives, np.float64),
            self._totals,
            *_arrays_of(self._snapshot),
            *_arrays_of(self._best),
            *(() if self._stopping is None else self._stopping.state()),
        ]

    def _take_state(self, arrays: list[Any]) -> None:
        """Go on from where a descent was."""
        numbers, objectives, self._totals, *rest = arrays
        self._loss, self._best_objective, self._reference = numbers[:3].tolist()
        self._n_without_progress, self._n_passes = int(numbers[3]), int(numbers[4])
        self.has_stopped, self._n_windows = bool(numbers[5]), int(numbers[6])
        self._objectives = objectives.tolist()
        self._snapshot, self._best = _snapshot_of(rest[:4]), _snapshot_of(rest[4:8])
        self._kept_of_stopping = rest[8:]

    def _keep(self) -> None:
        if self._checkpoint is not None and self._checkpoint.is_due:
            self._checkpoint.keep(_KEY, self._state())

    def _settle(self) -> tuple[Scaling, _Rotation | None]:
        """Settle the rate; the scaling of features, and of rotated ones how they are rotated."""
        problem, settings = self._problem, self._settings
        n_features = problem.features.shape[1]
        scaling = scaling_of_blocks(problem, settings, settings.batch_size, self._n_threads)
        rotation: _Rotation | None = None
        n_wanted = max(SAMPLED_ROWS, _ROWS_PER_FEATURE * n_features)
        sample = problem.take_sample(n_wanted, SEED, self._n_threads)
        if not problem.is_sparse:
            rotates = settings.feature_scaling == "whiten" or (
                settings.feature_scaling == "adapt" and has_much_in_common(sample, scaling)
            )
            if rotates and can_rotate(scaling):
                origin = scaling.means
                sample, scaling, axes = rotate(sample, scaling)
                rotation = _Rotation(origin, axes)
        rate = settings.learning_rate
        if rate is None:
            rate = 1.0 / bound_curvature(
                sample,
                scaling,
                n_columns=self._n_columns,
                batch_size=min(settings.batch_size, sample.n_samples),
                fit_intercept=settings.fit_intercept,
            )
        self._settings = replace(settings, learning_rate=rate, feature_scaling="standard")
        return scaling, rotation

    def _evaluate(self, weights: FloatArray, bias: FloatArray) -> tuple[float, float]:
        """Loss and objective of a model, per unit of weight."""
        problem = self._problem.in_double()
        total = problem.total_weight
        with accumulator_of(problem, len(bias), self._n_threads) as accumulator:
            loss = accumulator.loss(weights, bias) / total
        squares = 0.5 * problem.l2_penalty / total * inner_product(weights, weights)
        return loss, loss + squares + problem.l1_penalty / total * float(np.abs(weights).sum())

    @property
    def n_epochs(self) -> int:
        """Epochs done."""
        return len(self._objectives)

    @property
    def objectives(self) -> FloatArray:
        """Objective of each epoch done, as the rows were met, per unit of weight."""
        return np.array(self._objectives)

    @property
    def solution(self) -> Model:
        """Weights and bias after the last epoch."""
        model = self._snapshot.model
        return model if self._rotation is None else self._rotation.back(*model)

    def go_on(self) -> None:
        """Have the descent go on after a stop."""
        self.has_stopped = False
        self._n_without_progress = 0

    def run(self, observer: Observer | None = None) -> bool:
        """Descend to the last epoch or to a stop; see `Descent.run`."""
        was_interrupted = False
        if isinstance(observer, EarlyStopping):
            self._stopping = observer
            if self._kept_of_stopping:
                observer.take_state(self._kept_of_stopping)
                was_interrupted = observer.should_stop
        while not (was_interrupted or self.has_stopped or self.n_epochs >= self._settings.n_epochs):
            if observer is not None:
                observer.begin_iteration()
            while (objective := self._run_epoch()) is None:
                pass  # it has gone back
            self._objectives.append(objective)
            self._look_for_progress(objective)
            if observer is not None:
                was_interrupted = observer.end_iteration(
                    Iteration(objective, lambda: self.solution)
                )
            self._keep()
        start = float(np.log(self._problem.n_classes))
        check_rise(self.objectives, start, begins_at_zero=self._begins_at_zero)
        return was_interrupted

    def _look_for_progress(self, objective: float) -> None:
        settings = self._settings
        self._n_without_progress += 1
        if objective < self._reference * (1.0 - settings.tolerance):
            self._reference = objective
            self._n_without_progress = 0
        self.has_stopped = 0 < settings.patience <= self._n_without_progress

    def _run_epoch(self) -> float | None:
        """Go over all rows once; the objective, or None if it has risen too far."""
        settings = self._settings
        is_automatic = settings.schedule == "auto"
        is_finite = True
        for number, window in enumerate(self._windows(), self._n_windows):
            problem = self._problem_of(window)
            if problem is None:
                continue
            descent = self._make(
                problem,
                self._settings_of(number, problem.n_samples),
                self._snapshot,
                self._n_threads,
                self._population,
                self._scaling,
            )
            is_finite = descent.run_once(self._loss, self.n_epochs)
            if not is_finite:
                break
            self._snapshot = descent.snapshot()
            parts = np.array([1.0, descent.last_loss, descent.last_penalty])
            self._totals = self._totals + problem.total_weight * parts
            self._n_windows = number + 1
            self._keep()
        total, total_loss, total_penalty = self._totals.tolist()
        self._n_passes += 1
        self._n_windows, self._totals = 0, np.zeros(3)
        if not is_finite and not is_automatic:
            raise FloatingPointError(
                f"the objective or a parameter became infinite or NaN in epoch {self.n_epochs + 1}"
            )
        objective = (total_loss + total_penalty) / total if is_finite else np.inf
        if is_automatic:
            rounding = float(np.finfo(self._problem.dtype).eps)
            if not objective < _MOST_RISE * self._best_objective + rounding:
                self._go_back()
                return None
            self._loss = total_loss / total
        if objective < self._best_objective:
            self._best_objective, self._best = objective, self._snapshot
        return objective

    def _go_back(self) -> None:
        """Begin again at the best model, with smaller steps."""
        caution = 2.0 * self._snapshot.caution
        if caution > MOST_CAUTION:
            raise FloatingPointError(
                f"the objective or a parameter became infinite or NaN in epoch {self.n_epochs + 1}"
            )
        self._snapshot = self._best = _snapshot_at(*self._best.model, caution)

    def _windows(self) -> Any:
        seed = self._settings.shuffle_seed
        if seed is not None:
            seed = _mix(seed, self._n_passes, 0)
        return self._problem.rows.windows(self._window_rows, seed, self._n_windows)

    def _settings_of(self, number: int, n_rows: int) -> SgdSettings:
        """Those of the descent over a window."""
        settings = self._settings
        seed = settings.shuffle_seed
        if seed is not None:
            seed = _mix(seed, self._n_passes, 1 + number)
        return replace(
            settings,
            n_epochs=1,
            patience=0,
            batch_size=min(settings.batch_size, n_rows),
            shuffle_seed=seed,
        )

    def _problem_of(self, window: Block) -> Problem | None:
        """That of a window, unless none of its rows has a weight."""
        whole = self._problem
        problem = whole.kind.problem_of(window)
        if problem.sample_weight is not None and not problem.sample_weight.any():
            return None
        problem = replace(
            drop_weightless(problem), l2_penalty=whole.l2_penalty, l1_penalty=whole.l1_penalty
        )
        return problem if self._rotation is None else self._rotation.rotate(problem)


def _arrays_of(snapshot: Snapshot) -> list[Any]:
    steps = snapshot.feature_steps
    numbers = [snapshot.n_steps, snapshot.share_total, snapshot.caution, steps is not None]
    return [
        snapshot.weights,
        snapshot.biases,
        np.array(numbers, np.float64),
        np.zeros(0, np.int32) if steps is None else steps,
    ]


def _snapshot_of(arrays: list[Any]) -> Snapshot:
    weights, biases, (n_steps, share_total, caution, has_steps), steps = arrays
    return Snapshot(
        weights,
        biases,
        int(n_steps),
        float(share_total),
        float(caution),
        steps if has_steps else None,
    )


def _snapshot_at(weights: FloatArray, bias: FloatArray, caution: float) -> Snapshot:
    """A beginning at a model."""
    return Snapshot(np.stack([weights] * 3), np.stack([bias] * 3), 0, 0.0, caution)


def _mix(*numbers: int) -> int:
    """A seed from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
