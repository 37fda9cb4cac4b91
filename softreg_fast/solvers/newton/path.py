"""Paths of penalties over folds of the rows: many fits that help each other.

From strong to weak penalties, folds by turns. A fit begins where the path of its fold leads,
extrapolated, and corrected by how far the first fold's extrapolation was off. Second derivatives,
and what steps have shown of them, are shared by all.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..._typing import FloatArray, Model
from ...data.problem import Penalty, Problem
from ...objective.coordinates import choose_coordinates
from ...objective.dense import LossAndGradient
from ...objective.feature_sums import sum_features
from ...objective.moments import FeatureSums
from ...objective.objective import Evaluation, Objective
from ...objective.passes import accumulator_of
from ..base import Report, SolverOptions, SolverResult, check_penalty, size_of
from ..path import of_fold, zero_model
from ..proximal import solver as proximal
from ..truncated import solver as truncated
from .compiled import Descent, FewUnknowns, are_few
from .costs import takes_conjugate_gradients
from .iteration import Steps, descend
from .l1 import ProximalSteps
from .quasi_newton import Curvature
from .smooth import SmoothSteps
from .subsample import take_sample

# Of a path, the last places that its extrapolation goes through.
_PLACES_OF_FIRST, _PLACES_OF_OTHERS = 3, 2
# Whose rows' weights are kept at once.
_MOST_FOLDS_TOGETHER = 8


def follow(
    problem: Problem,
    folds: Sequence[npt.NDArray[np.int64]],
    penalties: Sequence[Penalty],
    options: SolverOptions,
    n_columns: int,
    report: Report,
) -> None:
    """Minimise the objective for every fold and penalty, by Newton's method; see `path.follow`."""
    if penalties[-1].l1_penalty > 0.0 and proximal.suits(penalties[-1].of(problem), n_columns):
        proximal.follow(problem, folds, penalties, options, n_columns, report)
        return
    size = size_of(problem, n_columns, is_path=True)
    if penalties[-1].l1_penalty == 0.0 and takes_conjugate_gradients(size):
        truncated.follow(problem, folds, penalties, options, n_columns, report)
        return
    n_threads = options.n_threads
    with _Newton(problem, penalties, options, n_columns) as newton:
        for first in range(0, len(folds), _MOST_FOLDS_TOGETHER):
            paths = [
                _Path(first + place, of_fold(problem, rows), n_threads)
                for place, rows in enumerate(folds[first : first + _MOST_FOLDS_TOGETHER])
            ]
            newton.follow(paths, report)


class _Path:
    """Of a fold: where it has been, at which logarithms of the penalty.

    Parameters
    ----------
    number : int
        Of the fold.
    problem : Problem
        Of its rows.
    n_threads : int or None
    """

    def __init__(self, number: int, problem: Problem, n_threads: int | None) -> None:
        self.number = number
        self.problem = problem
        self._n_threads = n_threads
        self._known: list[tuple[float, FloatArray]] = []
        self.model: Model
        self.totals: LossAndGradient

    @cached_property
    def sums(self) -> FeatureSums:
        """Of the features."""
        return sum_features(self.problem, self._n_threads)

    @property
    def n_known(self) -> int:
        """The last places that are remembered."""
        return len(self._known)

    def add(self, logarithm: float, place: Evaluation) -> None:
        """Go on to a place."""
        self._known = [*self._known[1 - _PLACES_OF_FIRST :], (logarithm, place.variables)]
        self.model = place.model
        self.totals = place.totals

    def extrapolate(self, logarithm: float, n_places: int) -> FloatArray | None:
        """Where the polynomial through the last places leads; None if nobody knows."""
        known = self._known[-n_places:]
        if not known or not np.isfinite(logarithm):
            return None
        guess = np.zeros(known[0][1].shape)
        for place, (own, variables) in enumerate(known):
            others = [other for at, (other, _) in enumerate(known) if at != place]
            share = np.prod([(logarithm - other) / (own - other) for other in others])
            guess += float(share) * variables
        return guess


class _Newton:
    """Newton's method along some paths; a context, which keeps its threads.

    Parameters
    ----------
    problem, penalties, options, n_columns
        See `follow`.
    """

    def __init__(
        self,
        problem: Problem,
        penalties: Sequence[Penalty],
        options: SolverOptions,
        n_columns: int,
    ) -> None:
        self._penalties = penalties
        self._options = options
        self._n_threads = n_threads = options.n_threads
        weakest = penalties[-1].of(problem)
        self._sums = sum_features(weakest, n_threads)
        self._coordinates = choose_coordinates(
            weakest, self._sums, fit_intercept=options.fit_intercept
        )
        self._sample = take_sample(weakest, self._coordinates)
        self._nothing = zero_model(problem, n_columns)
        self._accumulator = accumulator_of(problem, n_columns, n_threads)
        self._few: FewUnknowns | None = None
        if are_few(weakest, self._sample, options, self._nothing[1]):
            self._few = FewUnknowns(problem, self._sums, self._coordinates, self._sample, n_columns)
        self._shared: Curvature

    def __enter__(self) -> Self:
        self._accumulator.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._accumulator.__exit__(*exception)

    def follow(self, paths: Sequence[_Path], report: Report) -> None:
        """See the function."""
        for path in paths:
            for penalty in self._penalties:
                check_penalty(penalty.of(path.problem))
        without_penalty = np.zeros(self._sample.n_unknowns)
        n_columns = len(self._nothing[1])
        self._shared = Curvature(self._sample, n_columns, without_penalty, self._n_threads)
        if self._few is not None:
            self._follow_few(self._few, paths, report)
            return
        first = paths[0]
        for number, penalty in enumerate(self._penalties):
            logarithm = _logarithm(penalty)
            per_unit = penalty.l2_penalty / first.problem.total_weight
            self._shared.change_penalties(self._coordinates.penalties_of(per_unit))
            error: FloatArray | None = None
            for path in paths:
                guess = path.extrapolate(logarithm, _PLACES_OF_OTHERS)
                if path is first:
                    expected = guess
                    guess = path.extrapolate(logarithm, _PLACES_OF_FIRST)
                    guess = guess if path.n_known > 1 else None
                elif guess is not None and error is not None:
                    guess += error
                place, result = self._fit(path, first, penalty, guess)
                if path is first and expected is not None:
                    error = place.variables - expected
                path.add(logarithm, place)
                report(path.number, number, result)

    def _fit(
        self, path: _Path, first: _Path, penalty: Penalty, guess: FloatArray | None
    ) -> tuple[Evaluation, SolverResult]:
        problem = penalty.of(path.problem)
        objective = self._objective(path, problem)
        steps = self._steps(problem, objective)
        self._accumulator.turn_to(problem)
        if not path.n_known:
            steps.begin(*(first.model if first.n_known else self._nothing))
        else:
            steps.begin_at(objective.evaluation_of(*path.model, path.totals))
            is_smooth = penalty.l1_penalty == 0.0  # extrapolated zeros are none
            if is_smooth and guess is not None and not objective.is_optimal(steps.place):
                steps.try_lower(guess)
        result = self._end(steps, objective, [])
        return steps.place, result

    def _follow_few(self, few: FewUnknowns, paths: Sequence[_Path], report: Report) -> None:
        """The same for few unknowns, for which steps cost less than going far with paths."""
        l2_penalties = [penalty.l2_penalty for penalty in self._penalties]
        for path in paths:
            descents = few.follow(path.problem, l2_penalties, self._nothing, self._options)
            for number, found in enumerate(descents):
                result = self._finish(path, self._penalties[number], found)
                report(path.number, number, result)

    def _finish(self, path: _Path, penalty: Penalty, found: Descent) -> SolverResult:
        """Go on, where compiled steps have not led to the optimum."""
        tolerance = self._options.tolerance
        if tolerance.gap is None and found.largest_slope <= tolerance.gradient:
            return SolverResult(*found.model, np.array(found.objectives), converged=True)
        problem = penalty.of(path.problem)
        objective = self._objective(path, problem)
        totals = found.totals(problem.total_weight)
        steps = self._steps(problem, objective)
        self._accumulator.turn_to(problem)
        steps.begin_at(objective.evaluation_of(*found.model, totals))
        return self._end(steps, objective, found.objectives)

    def _end(self, steps: Steps, objective: Objective, objectives: list[float]) -> SolverResult:
        descend(steps, objective, self._options, objectives)
        is_optimal = objective.is_optimal(steps.place)
        return SolverResult(*steps.model, np.array(objectives), converged=is_optimal)

    def _objective(self, path: _Path, problem: Problem) -> Objective:
        # Only the gap needs those of the fold, which take a pass over the rows.
        sums = self._sums if self._options.tolerance.gap is None else path.sums
        return Objective(
            problem,
            self._accumulator,
            sums,
            self._coordinates,
            self._options.tolerance,
            self._nothing[1],
        )

    def _steps(self, problem: Problem, objective: Objective) -> Steps:
        sample, curvature = self._sample, self._shared
        if problem.sample_weight is not None:
            # The rows held out, about which the model is the least certain, must not count.
            sample = sample.weigh(problem.sample_weight)
        curvature.sample = sample
        arguments = objective, sample, self._n_threads
        if problem.l1_penalty > 0.0:
            return ProximalSteps(*arguments)
        return SmoothSteps(*arguments, None if curvature.is_exact else curvature)


def _logarithm(penalty: Penalty) -> float:
    """Minus infinity for none."""
    strength = penalty.l2_penalty + penalty.l1_penalty
    return float(np.log(strength)) if strength > 0.0 else -np.inf
