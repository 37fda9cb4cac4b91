"""Steps of Newton's method with an L1 penalty, to exact zeros.

Each minimises a quadratic model of the loss plus the penalty by coordinate descent, and searches on
the line to there (Yuan, Ho and Lin, An improved GLMNET for L1-regularized logistic regression,
2012). In between the places where second derivatives are taken, they are corrected as in the BFGS
method, by outer squares of vectors (Lee, Sun and Saunders, Proximal Newton-type methods for
minimizing composite functions, 2014).
"""

from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ..._typing import FloatArray
from ...kernels.coordinate_descent import CoordinatesSpecialisation, descend_coordinates
from ...objective.objective import Evaluation
from ...runtime import tuning
from ...runtime.blas import inner_product, matrix_product, norm, one_blas_thread
from ..line_search import Trial, search
from ..shifts import best_shifts
from .hessian import derive_all, derive_blocks
from .iteration import Steps

_MOST_CORRECTIONS = 32
_ROUNDING = 1e-13
# Of the gradient, where the objective can't fall any more.
_PROGRESS = 0.7
_MOST_TRIALS = 30
# Of the coordinate descent.
_TOLERANCE = 1e-3
_MOST_SWEEPS = 200
# Where all second derivatives are there, so many sweeps and a step of Newton's method by turns.
_SWEEPS_OF_A_ROUND = 10
_MOST_ROUNDS = 40
_NEGLIGIBLE = 1e-9
_RIDGE = 1e-10


class ProximalSteps(Steps):
    """See `Steps`. Arrays of coordinates are flat here, one class after the other."""

    _matrices: FloatArray = np.zeros((0, 1, 1))  # none yet
    _corrections: FloatArray
    _signs: FloatArray

    @property
    def _is_complete(self) -> bool:
        """Whether second derivatives between classes are taken."""
        return (
            1
            < self._n_columns
            <= tuning.MOST_UNKNOWNS_BETWEEN_CLASSES_WITH_L1 // self._sample.n_unknowns
        )

    @property
    def is_exact(self) -> bool:
        """See `Steps`."""
        return self._sample.is_whole and (self._is_complete or self._n_columns == 1)

    @property
    def is_prepared(self) -> bool:
        """See `Steps`."""
        return len(self._matrices) > 0

    def _derive(self) -> None:
        arguments = self._sample, self.place.variables, self._penalties
        if self._is_complete:
            matrix = derive_all(*arguments, makes_regular=False)
            if self._coordinates.fit_intercept:
                # What adds the same to all intercepts changes nothing: no step has it.
                last = slice(self._sample.n_unknowns - 1, None, self._sample.n_unknowns)
                matrix[last, last] += matrix.diagonal().max() / self._n_columns
            self._matrices = matrix[None]
        else:
            blocks = derive_blocks(*arguments, self._n_threads)
            is_lower = np.tri(blocks.shape[1], k=-1, dtype=bool)
            blocks = np.where(is_lower, blocks.transpose(0, 2, 1), blocks)
            self._matrices = np.repeat(blocks, self._n_columns // len(blocks), axis=0)
        diagonals = np.einsum("kff->kf", self._matrices)
        diagonals += _RIDGE * diagonals.max()
        self._corrections = np.zeros((0, self._matrices.shape[1] * len(self._matrices)))
        self._signs = np.zeros(0)

    @cached_property
    def _l1_penalties(self) -> FloatArray:
        """Of the coordinates: that of an intercept is zero."""
        n_features = len(self._coordinates.scales)
        penalties = np.zeros(self._sample.n_unknowns)
        penalties[:n_features] = self._objective.l1_penalty / self._coordinates.scales
        return np.tile(penalties, self._n_columns)

    @property
    def _is_spent(self) -> bool:
        return len(self._signs) >= _MOST_CORRECTIONS

    def _learn(self, reached: Evaluation) -> None:
        """Correct by the BFGS formula."""
        step = (reached.variables - self.place.variables).T.ravel()
        change = (reached.gradient - self.place.gradient).T.ravel()
        product = inner_product(step, change)
        if product <= 1e-12 * norm(step) * norm(change):
            return
        expected = self._multiply(step)
        curvature = inner_product(step, expected)
        if curvature <= 0.0:
            return
        change /= np.sqrt(product)
        expected /= np.sqrt(curvature)
        if len(self._matrices) == 1:
            self._matrices[0] += np.outer(change, change) - np.outer(expected, expected)
            return
        self._corrections = np.vstack([self._corrections, change, expected])
        self._signs = np.append(self._signs, [1.0, -1.0])

    def _multiply(self, step: FloatArray) -> FloatArray:
        """The second derivatives times a step."""
        blocks = step.reshape(len(self._matrices), -1)
        product: FloatArray = np.einsum("kfg,kg->kf", self._matrices, blocks).ravel()
        if len(self._signs):
            along = self._signs * matrix_product(self._corrections, step)
            product += matrix_product(along, self._corrections)
        return product

    def _propose(self) -> FloatArray:
        """The step to the minimum of the model."""
        current = self.place.variables.T.ravel()
        gradient = self.place.gradient.T.ravel()
        penalties = self._l1_penalties
        step = np.zeros(current.size)
        if len(self._matrices) > 1:
            self._descend(current, penalties, gradient.copy(), step, _MOST_SWEEPS)
        else:
            for _ in range(_MOST_ROUNDS):
                slopes = gradient + self._multiply(step)
                n_sweeps = self._descend(current, penalties, slopes, step, _SWEEPS_OF_A_ROUND)
                if self._n_columns > 1 and self._objective.penalty == 0.0:
                    self._shift_step(current, step)
                if n_sweeps < _SWEEPS_OF_A_ROUND or not self._go_on(
                    current, penalties, slopes, step
                ):
                    break
        return np.ascontiguousarray(step.reshape(self._n_columns, -1).T)

    def _shift_step(self, current: FloatArray, step: FloatArray) -> None:
        """Have the step lead to the lowest penalty of what the model doesn't tell apart."""
        shape = self._n_columns, self._sample.n_unknowns
        n_features = len(self._coordinates.scales)
        reached = (current + step).reshape(shape)[:, :n_features]
        shifts = best_shifts(reached.T, 1.0, 0.0).T
        is_zero = reached == shifts
        steps = step.reshape(shape)[:, :n_features]
        steps -= shifts
        steps[is_zero] = -current.reshape(shape)[:, :n_features][is_zero]

    def _descend(
        self,
        current: FloatArray,
        penalties: FloatArray,
        slopes: FloatArray,
        step: FloatArray,
        n_sweeps: int,
    ) -> int:
        """Coordinate descent; `slopes` and `step` go along."""
        diagonal = np.einsum("kff->kf", self._matrices).ravel()
        if len(self._signs):
            diagonal = diagonal + matrix_product(self._signs, self._corrections**2)
        n_done: int = descend_coordinates.specialise(CoordinatesSpecialisation())(
            self._matrices,
            self._corrections,
            self._signs,
            diagonal,
            current,
            penalties,
            _TOLERANCE,
            n_sweeps,
            slopes,
            np.zeros(len(self._signs)),
            step,
        )
        return n_done

    def _go_on(
        self, current: FloatArray, penalties: FloatArray, slopes: FloatArray, step: FloatArray
    ) -> bool:
        """To the minimum over what isn't zero, or to where the first of it becomes zero.

        False if it isn't needed.
        """
        reached = current + step
        (free,) = np.nonzero((reached != 0.0) | (penalties == 0.0))
        right = slopes[free] + penalties[free] * np.sign(reached[free])
        matrix = self._matrices[0][np.ix_(free, free)]
        try:
            with one_blas_thread(matrix.size):
                factor = cho_factor(matrix, check_finite=False)
        except np.linalg.LinAlgError:
            return False
        change = -cho_solve(factor, right, check_finite=False)
        crosses = (penalties[free] > 0.0) & ((reached[free] + change) * reached[free] <= 0.0)
        if not crosses.any():
            step[free] += change
            return bool(np.abs(change).max() > _NEGLIGIBLE * np.abs(step).max())
        lengths = np.where(crosses, -reached[free] / np.where(crosses, change, 1.0), np.inf)
        first = int(lengths.argmin())
        step[free] += lengths[first] * change
        step[free[first]] = -current[free[first]]
        return True

    def _slope(self, step: FloatArray) -> float:
        """How much the step lowers the objective, if its smooth part were linear."""
        current = self.place.variables
        penalties = self._l1_penalties.reshape(self._n_columns, -1).T
        change = float(np.sum(penalties * (np.abs(current + step) - np.abs(current))))
        return inner_product(self.place.gradient, step) + change

    @property
    def decrease_expected(self) -> float:
        """See `Steps`."""
        return -0.5 * self._slope(self._propose())

    def _step(self) -> Evaluation | None:
        here = self.place
        step = self._propose()
        slope = self._slope(step)
        rounding = _ROUNDING * abs(here.objective)
        if not slope < rounding:
            return None
        if slope > -rounding:  # it and differences of values are nothing but rounding
            there = self._move(step)
            is_lower = there.gradient_norm < _PROGRESS * here.gradient_norm
            return self._shift(there) if is_lower else None

        def evaluate(length: float) -> Trial[Evaluation]:
            there = self._move(length * step)
            return Trial(there, there.objective - here.objective)

        found = search(evaluate, here.objective, slope, max_trials=_MOST_TRIALS, rounding=rounding)
        return None if found is None else self._shift(found.there)

    def _move(self, step: FloatArray) -> Evaluation:
        with np.errstate(all="ignore"):
            return self._objective.evaluate(self.place.variables + step)

    def _shift(self, place: Evaluation) -> Evaluation:
        """The same probabilities with the lowest penalty."""
        if self._n_columns == 1:
            return place
        point = place
        l1_penalty, l2_penalty = self._objective.l1_penalty, self._objective.penalty
        shifts = best_shifts(point.weights, l1_penalty, l2_penalty)
        if not shifts.any():
            return place
        return self._objective.evaluation_of(point.weights - shifts, point.bias, point.totals)
