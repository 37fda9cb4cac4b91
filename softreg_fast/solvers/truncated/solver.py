"""Truncated Newton: steps of Newton's method that conjugate gradients find nearly.

No second derivatives are kept, so sparse rows may have any number of features. A step is found as
nearly as it is worth (Nash, A survey of truncated-Newton methods, 2000), and taken as far as the
objective falls.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ..._typing import FloatArray, Model
from ...data.problem import Penalty, Problem
from ...objective.coordinates import means_and_spreads, plain_coordinates
from ...objective.dense import LossAndGradient
from ...objective.feature_sums import sum_features
from ...objective.moments import FeatureSums
from ...objective.objective import Evaluation, Objective
from ...objective.sparse import SparseAccumulator
from ...runtime.blas import inner_product
from ..base import (
    Progress,
    Report,
    SolverOptions,
    SolverResult,
    check_penalty,
    check_start,
    result_at,
)
from ..line_search import Trial, search
from ..observer import Iterations, Observer
from ..path import follow_in_turn
from ..shifts import centre
from . import dual_ascent
from .conjugate_gradients import ConjugateGradients

_MOST_TRIALS = 40
# Steps that may bring nothing.
_PATIENCE = 5


def solve(
    problem: Problem, options: SolverOptions, start: Model, observer: Observer | None = None
) -> SolverResult:
    """Minimise the objective of a problem with sparse rows and a convex loss; see `lbfgs.solve`."""
    iterations = Iterations(options.max_iterations, observer)
    with TruncatedNewton(problem, options, start[1]) as newton:
        objective, place = newton.fit(problem, start, iterations)
        return result_at(
            objective,
            place,
            iterations.objectives,
            was_interrupted=iterations.was_interrupted,
        )


class TruncatedNewton:
    """Truncated Newton on the same rows; a context, which keeps its threads.

    Parameters
    ----------
    problem : Problem
        With sparse rows, and of a convex loss. Its weights and its penalty may be others later.
    options : SolverOptions
    bias : ndarray of shape (n_classes,)
        That of all models, if there is no intercept.
    """

    def __init__(self, problem: Problem, options: SolverOptions, bias: FloatArray) -> None:
        self._options = options
        self._bias = bias
        self._n_classes = len(bias)
        n_features = problem.features.shape[1]
        self._coordinates = plain_coordinates(n_features, fit_intercept=options.fit_intercept)
        self._accumulator = SparseAccumulator(
            problem, self._n_classes, options.n_threads, keeps_slopes=True
        )
        self._model = np.zeros_like(self._accumulator.model)
        self._weighed: tuple[FloatArray | None, FeatureSums, FloatArray] | None = None
        self._gradients: ConjugateGradients | None = None

    def __enter__(self) -> Self:
        self._accumulator.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._accumulator.__exit__(*exception)

    def fit(
        self, problem: Problem, start: Model | None, iterations: Iterations
    ) -> tuple[Objective, Evaluation]:
        """Minimise an objective, from a model or from where the last one has ended."""
        objective = self.begin(problem, start)
        with np.errstate(all="ignore"):  # looked at
            place = None
            if start is not None and not (start[0].any() or start[1].any()):
                place = self._ascend(problem, objective, iterations)
            if place is None:
                place = self._place_at(objective, self._model)
            check_start(place.value, place.norm)
            return objective, self._descend(objective, place, iterations)

    def begin(self, problem: Problem, start: Model | None) -> Objective:
        """Begin with an objective, at a model or where the last one has ended."""
        check_penalty(problem)
        weights = problem.sample_weight
        if self._weighed is None or self._weighed[0] is not weights:
            self._accumulator.turn_to(problem)
            sums = sum_features(problem, self._options.n_threads, self._accumulator.panels)
            means, _ = means_and_spreads(sums, fit_intercept=self._options.fit_intercept)
            self._weighed = weights, sums, means
            self._gradients = None
        _, sums, means = self._weighed
        objective = Objective(
            problem,
            self._accumulator,
            sums,
            self._coordinates,
            self._options.tolerance,
            self._bias,
        )
        if start is not None:
            if self._n_classes > 1:
                start = centre(*start, fit_intercept=self._options.fit_intercept)
            self._model[:-1, : self._n_classes], self._model[-1, : self._n_classes] = start
        if self._gradients is None:
            self._gradients = ConjugateGradients(
                self._accumulator, objective, means, self._n_classes
            )
        else:
            self._gradients.give(objective)
        return objective

    def _descend(self, objective: Objective, place: "_Place", iterations: Iterations) -> Evaluation:
        """Where steps lead from a place, that of the model."""
        assert self._gradients is not None
        tolerance = self._options.tolerance
        accumulator = self._accumulator
        progress = Progress(None, place.norm, _PATIENCE)
        best: FloatArray | None = None  # where it has not been stuck
        while not iterations.are_over:
            if tolerance.gap is not None or place.norm <= tolerance.gradient:
                evaluation = self._evaluation(objective, place)
                if objective.is_optimal(evaluation) or objective.is_rounding(evaluation):
                    return evaluation
            iterations.begin()
            step, slope = self._gradients.solve(self._model)
            found = self._search(objective, place.value, step, slope)
            if found is None:
                place = self._place_at(objective, self._model)
                break
            value, loss, bias_gradient = found
            self._model, accumulator.model = accumulator.model, self._model
            norm = self._gradients.begin(self._model, bias_gradient)
            place = _Place(value, loss, bias_gradient, norm)
            iterations.end(value, self._model_here)
            goes_on = progress.goes_on(None, norm, value)
            if not progress.is_stuck:
                best = None
            elif best is None:
                best = accumulator.model.copy()
            if not goes_on:
                break
        if best is not None:
            self._model[:] = best
            place = self._place_at(objective, best)
        return self._evaluation(objective, place)

    def _ascend(
        self, problem: Problem, objective: Objective, iterations: Iterations
    ) -> "_Place | None":
        """Go near the optimum by dual coordinate ascent, from zeros, where that is a good way."""
        sums, tolerance = objective.sums, self._options.tolerance
        if not dual_ascent.suits(problem, sums):
            return None
        ascent = dual_ascent.DualAscent(
            problem,
            self._accumulator,
            sums,
            self._n_classes,
            fit_intercept=self._options.fit_intercept,
        )
        place: _Place | None = None
        ratio = 0.0
        while not iterations.are_over and ratio < 1.0:
            n_epochs = ascent.epochs_for(ratio)
            if n_epochs == 0:
                break
            iterations.begin()
            ascent.advance(n_epochs, self._model)
            place = self._place_at(objective, self._model)
            if not place.value <= math.log(problem.n_classes):  # that of zeros
                self._model[:] = 0.0
                return None
            iterations.end(place.value, self._model_here)
            if tolerance.gap is None:
                ratio = (tolerance.gradient / place.norm) ** 2 if place.norm > 0.0 else 1.0
            else:
                ratio = tolerance.gap * place.value / ascent.divergence
        return place

    def _model_here(self) -> Model:
        n_classes = self._n_classes
        return self._model[:-1, :n_classes].copy(), self._model[-1, :n_classes].copy()

    def _place_at(self, objective: Objective, model: FloatArray) -> "_Place":
        """Where a model is; steps may begin there."""
        assert self._gradients is not None
        loss, bias_gradient = self._pass_over(model)
        norm = self._gradients.begin(model, bias_gradient)
        return _Place(self._value(objective, model, loss), loss, bias_gradient, norm)

    def _pass_over(self, model: FloatArray) -> tuple[float, FloatArray]:
        """The loss of a model, and its gradient by the biases; that by the weights is kept."""
        self._accumulator.wait()
        self._accumulator.model[:] = model
        return self._accumulator.run()

    def _value(self, objective: Objective, model: FloatArray, loss: float) -> float:
        """The objective, per unit of weight."""
        weights = model[:-1]
        penalty = 0.5 * objective.penalty * inner_product(weights, weights)
        return loss / objective.sums.total_weight + penalty

    def _evaluation(self, objective: Objective, place: "_Place") -> Evaluation:
        gradient = self._accumulator.gradient[:, : self._n_classes].copy()
        totals = LossAndGradient(place.loss, gradient, place.bias_gradient)
        return objective.evaluation_of(*self._model_here(), totals)

    def _search(
        self, objective: Objective, value: float, step: FloatArray, slope: float
    ) -> tuple[float, float, FloatArray] | None:
        """Value, loss and gradient by the biases where the objective is lower along a step.

        The model there is the accumulator's.
        """
        if not slope < 0.0:
            return None
        accumulator = self._accumulator
        total_weight = objective.sums.total_weight

        def evaluate(length: float) -> Trial[tuple[float, float, FloatArray]]:
            accumulator.wait()
            model = accumulator.model
            np.multiply(step, length, out=model)
            model += self._model
            loss, bias_gradient = accumulator.run()
            there = self._value(objective, model, loss)
            slope_there = inner_product(accumulator.gradient, step[:-1])
            slope_there += inner_product(bias_gradient, step[-1, : self._n_classes])
            slope_there /= total_weight
            slope_there += objective.penalty * inner_product(model[:-1], step[:-1])
            return Trial((there, loss, bias_gradient), there - value, slope_there)

        found = search(evaluate, value, slope, max_trials=_MOST_TRIALS)
        return None if found is None else found.there


class _Place(NamedTuple):
    """Where a model is, after a pass over the rows.

    Attributes
    ----------
    value : float
        The objective, per unit of weight.
    loss : float
        Summed over the rows.
    bias_gradient : ndarray of shape (n_classes,)
        Of the loss.
    norm : float
        The gradient's; see `ConjugateGradients.begin`.
    """

    value: float
    loss: float
    bias_gradient: FloatArray
    norm: float


def follow(
    problem: Problem,
    folds: Sequence[npt.NDArray[np.int64]],
    penalties: Sequence[Penalty],
    options: SolverOptions,
    n_classes: int,
    report: Report,
) -> None:
    """Minimise the objective for every fold and penalty; see `path.follow`."""
    with TruncatedNewton(problem, options, np.zeros(n_classes)) as newton:
        follow_in_turn(newton.fit, problem, folds, penalties, options, n_classes, report)
