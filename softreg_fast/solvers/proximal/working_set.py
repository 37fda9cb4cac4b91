"""Proximal Newton steps over a working set of features."""

import numpy as np

from ..._typing import FloatArray, Model
from ...data.problem import Problem
from ...objective.objective import Evaluation, Objective
from ...objective.optimality import Tolerance
from ...runtime.blas import inner_product, matrix_product
from ..base import LEAST_FALL
from ..line_search import Trial, search
from ..observer import Iterations
from .columns import Columns, Numbers
from .quadratic import QuadraticModel
from .rows import Rows

# Of a working set: features for each one that has weights; and features or weights at least, that
# are counted as such.
_GROWTH_OF_SPARSE, _GROWTH_OF_DENSE = 16, 4
_FEWEST_FEATURES, _FEWEST_WEIGHTS = 200, 2_000
# Sweeps of a step, and before conjugate gradients are tried.
_MOST_SWEEPS, _SWEEPS_BEFORE_POLISH = 20, 4
# Of the weights, those whose signs may change where the rest is close to a smooth problem.
_FEW_CHANGES, _FEW_CROSSINGS = 0.01, 0.05
# Of how far the model was from optimal at first, and how the share of that of the first step falls.
_LEAST_LEFT, _SHARE_FALLS = 0.03, 0.25
# Of what the model may be from optimal after a step, as much is left by conjugate gradients.
_LEFT_BY_POLISH = 0.5
_MOST_TRIALS = 40
_ROUNDING = 1e-14
_MOST_STEPS = 50
# Steps that may bring nothing.
_PATIENCE = 3
# Of how far the problem was from optimal when the working set was chosen.
_LEFT_OF_ROUND = 0.1
_SHARE_OF_TOLERANCE = 0.3


class WorkingSet:
    """Features whose weights are changed, and where they are.

    Parameters
    ----------
    problem : Problem
        Of a convex loss, with an L1 penalty.
    objective : Objective
        Of it, by weights and biases as they are.
    columns : Columns
    tolerance : Tolerance
    n_threads : int or None

    Attributes
    ----------
    objective : float
        At the model, per unit of weight.
    """

    def __init__(
        self,
        problem: Problem,
        objective: Objective,
        columns: Columns,
        tolerance: Tolerance,
        n_threads: int | None,
    ) -> None:
        self._objective = objective
        self._columns = columns
        self._n_classes = len(objective.fixed_bias)
        self._rows = Rows(problem, columns, self._n_classes, n_threads)
        self._tolerance = tolerance
        self._share = 1.0
        self._first: float | None = None
        self._is_grouped = objective.is_grouped and self._n_classes > 1
        self._has_intercept = objective.coordinates.fit_intercept

    def choose(self, place: Evaluation) -> None:
        """Take features whose weights aren't zero, or would lower the objective the most."""
        self._active = self._columns.numbers_of(self._choose_features(place))
        features = self._columns.features
        is_feature = features >= 0
        self._divisors = np.ones(len(features))
        self._divisors[is_feature] = self._objective.divisors[features[is_feature]]
        self._goal = _LEFT_OF_ROUND * place.gradient_norm
        if self._tolerance.gap is None and place.gradient_norm > self._tolerance.gradient:
            self._goal = max(self._goal, _SHARE_OF_TOLERANCE * self._tolerance.gradient)
        self._go_to(place)

    def _choose_features(self, place: Evaluation) -> Numbers:
        objective = self._objective
        slopes = place.gradient[: len(place.weights)]
        slopes = objective.shortest_slopes(slopes, place.weights)
        violations = np.abs(slopes).max(axis=1)
        is_wanted = np.any(place.weights != 0.0, axis=1)
        fewest = max(_FEWEST_FEATURES, _FEWEST_WEIGHTS // self._n_classes)
        growth = _GROWTH_OF_SPARSE if self._columns.are_sparse else _GROWTH_OF_DENSE
        most = growth * max(int(is_wanted.sum()), fewest)
        (candidates,) = np.nonzero(violations > 0.0)
        if len(candidates) > most:
            largest = np.argpartition(-violations[candidates], most)[:most]
            candidates = candidates[largest]
        is_wanted[candidates] = True
        return np.flatnonzero(is_wanted)

    def _go_to(self, place: Evaluation) -> None:
        """Make the rows and the model those of a place."""
        columns, rows, n_classes = self._columns, self._rows, self._n_classes
        is_feature = columns.features >= 0
        weights = columns.zeros()
        weights[is_feature, :n_classes] = place.weights[columns.features[is_feature]]
        rows.logits[:] = 0.0
        if self._has_intercept:
            weights[0, :n_classes] = place.bias + matrix_product(columns.means, place.weights)
        else:
            rows.logits[:, :n_classes] = place.bias
        columns.combine(np.flatnonzero(weights.any(axis=1)), weights, rows.logits)
        rows.evaluate()
        self._model = QuadraticModel(
            columns,
            rows,
            n_classes,
            self._objective.l1_penalty,
            self._objective.penalty,
            weights,
            is_grouped=self._is_grouped,
            tilts=self._tilts_at(place) if columns.are_rounded else None,
        )
        self.objective = rows.loss + self._model.penalty

    def _tilts_at(self, place: Evaluation) -> FloatArray:
        """The derivatives at a place, less those by the columns, which are rounded.

        With these the minimum over the columns is that over the features, once it is the place.
        """
        columns, n_classes = self._columns, self._n_classes
        gradient = place.weights_gradient - self._objective.penalty * place.weights
        gradient -= columns.means[:, None] * place.bias_gradient
        tilts = columns.zeros()
        columns.contract(self._all, self._rows.slopes, tilts)
        is_feature = columns.features[self._all] >= 0
        features = self._all[is_feature]
        exact = gradient[columns.features[features]]
        tilts[features, :n_classes] = exact - tilts[features, :n_classes]
        if self._has_intercept:
            tilts[0, :n_classes] = place.bias_gradient - tilts[0, :n_classes]
        return tilts

    @property
    def is_rounded(self) -> bool:
        """Whether the columns are those of the features but for rounding."""
        return self._columns.are_rounded

    @property
    def model(self) -> Model:
        """Weights and bias of the whole problem."""
        columns, n_classes = self._columns, self._n_classes
        is_feature = columns.features >= 0
        weights = np.zeros((len(columns.means), n_classes))
        weights[columns.features[is_feature]] = self._model.weights[is_feature, :n_classes]
        if not self._has_intercept:
            return weights, self._objective.fixed_bias
        return weights, self._model.weights[0, :n_classes] - matrix_product(columns.means, weights)

    def descend(self, iterations: Iterations) -> None:
        """Take steps until the working set is optimal, or there may be no more.

        Parameters
        ----------
        iterations : Iterations
            Told of each step.
        """
        before, lowest, n_without = np.inf, np.inf, 0
        for _ in range(_MOST_STEPS):
            iterations.begin()
            value = self.objective
            has_moved, total, largest = self._step(before)
            if not has_moved:
                return
            before = total
            has_progressed = self.objective < value - LEAST_FALL * abs(value) or total < lowest
            lowest = min(lowest, total)
            n_without = 0 if has_progressed else n_without + 1
            iterations.end(self.objective, lambda: self.model)
            if largest <= self._goal or n_without == _PATIENCE or iterations.are_over:
                return

    def _step(self, before: float) -> tuple[bool, float, float]:
        """A step; whether it leads lower, and how far from optimal it has begun."""
        model, rows = self._model, self._rows
        start = model.weights.copy()
        model.begin()
        closeness = 0.5 * before / max(1, len(self._active) * self._n_classes)
        closeness = min(closeness, self._objective.l1_penalty)
        first = model.sweep(self._active, takes_curvatures=True, closeness=closeness)
        largest = float((model.violations[self._all] / self._divisors[self._all]).max(initial=0.0))
        if self._first is None:
            self._first = first
        if np.isfinite(before):
            is_needed = (model.are_missing(self._active) > 0.0) | start[self._active].any(axis=1)
            self._active = self._active[is_needed]
        n_sweeps = self._approach(first)
        if n_sweeps <= 2 or self._share * self._first > first:
            self._share *= _SHARE_FALLS
        model.shift(self._active)
        changes = model.weights - start
        along = self._columns.row_zeros()
        self._columns.combine(np.flatnonzero(changes.any(axis=1)), changes, along)
        slope = inner_product(rows.slopes, along) + model.penalty_slope(start, changes)
        if not slope < 0.0:
            model.weights[:] = start
            return False, first, largest
        value, logits = self.objective, rows.logits.copy()
        end = model.weights.copy()

        def evaluate(length: float) -> Trial[float]:
            np.multiply(along, length, out=rows.logits)
            rows.logits += logits
            rows.evaluate()
            model.weights[:] = end if length == 1.0 else start + length * changes
            there = rows.loss + model.penalty
            return Trial(there, there - value)

        found = search(
            evaluate, value, slope, max_trials=_MOST_TRIALS, rounding=_ROUNDING * abs(value)
        )
        if found is None:
            evaluate(0.0)
            model.weights[:] = start
            return False, first, largest
        self.objective = found.there
        return True, first, largest

    @property
    def _all(self) -> Numbers:
        return np.append(self._active, 0) if self._has_intercept else self._active

    def _approach(self, first: float) -> int:
        """Go to the minimum of the model, nearly; gives the number of sweeps."""
        assert self._first is not None
        model = self._model
        wanted = max(self._share * self._first, _LEAST_LEFT * first)
        may_polish, signs = True, model.signs(self._active)
        for n_sweeps in range(2, _MOST_SWEEPS + 1):
            left = model.sweep(model.find_support(self._active))
            if left <= wanted:
                break
            before, signs = signs, model.signs(self._active)
            n_weights = np.count_nonzero(signs)
            has_settled = np.count_nonzero(signs != before) <= _FEW_CHANGES * n_weights
            if has_settled and may_polish and n_sweeps >= _SWEEPS_BEFORE_POLISH:
                model.shift(self._active)
                tolerance = max(_LEAST_LEFT, _LEFT_BY_POLISH * wanted / left)
                n_crossing = model.polish(self._active, tolerance)
                if n_crossing == 0:
                    break
                may_polish = bool(n_crossing <= _FEW_CROSSINGS * n_weights)
        return n_sweeps
