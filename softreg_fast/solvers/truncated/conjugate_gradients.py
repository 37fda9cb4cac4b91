"""A step of Newton's method by conjugate gradients: the arrays, from iteration to iteration."""

import numpy as np

from ..._typing import FloatArray
from ...kernels import conjugate_gradients as kernels
from ...objective.objective import Objective
from ...objective.sparse import SparseAccumulator
from ...runtime import tuning
from ...runtime.blas import matrix_product
from ...runtime.workspace import aligned_zeros

# A step is worth another iteration while that lowers the quadratic model by more than this share
# of what iterations have lowered it by on average.
_FORCING = 0.5
_MOST_ITERATIONS = 500


class ConjugateGradients:
    """Steps of Newton's method from where an accumulator's last pass has been.

    Parameters
    ----------
    accumulator : SparseAccumulator
        Keeps slopes.
    objective : Objective
        Of the same problem. Its penalty may be another one later.
    means : ndarray of shape (n_features,)
        What features are taken less.
    n_classes : int
        Columns of the model.
    """

    def __init__(
        self,
        accumulator: SparseAccumulator,
        objective: Objective,
        means: FloatArray,
        n_classes: int,
    ) -> None:
        self._accumulator = accumulator
        self._means = means
        fit_intercept = objective.coordinates.fit_intercept
        shape = n_rows, n_padded = accumulator.model.shape
        n_features = n_rows - 1
        self._n_classes = n_classes
        self._settings = np.zeros(1, kernels.CONJUGATE_GRADIENT_SETTINGS)
        self._settings["n_classes"] = n_classes
        self._settings["chunk_rows"] = accumulator.chunk_rows
        self._settings["fit_intercept"] = fit_intercept
        self._settings["forcing"] = _FORCING
        self._state = np.zeros(1, kernels.CONJUGATE_GRADIENT_STATE)
        self._mask = np.zeros((1, n_padded))
        self._mask[0, :n_classes] = 1.0
        self._gradient_row, self._row_sums, self._direction_bias = np.zeros((3, 1, n_padded))
        dtype = accumulator.model.dtype
        self._bent = aligned_zeros((accumulator.panel_rows, n_padded), dtype)
        # Where panels are summed, if there are several.
        n_totals, shape_of_totals = 1, (0, n_padded)
        if accumulator.n_panels > 1:
            n_totals, shape_of_totals = min(accumulator.n_panels - 1, 2), (n_features, n_padded)
        self._totals = [aligned_zeros(shape_of_totals, dtype) for _ in range(n_totals)]
        self._inverse = aligned_zeros(shape, dtype)
        self._steps, self._residuals, self._directions = (
            [aligned_zeros(shape, dtype) for _ in range(2)] for _ in range(3)
        )
        self._sums = (
            accumulator.chunk_sums(),
            np.zeros((tuning.MOST_CHUNKS, 2)),
            np.zeros((tuning.MOST_CHUNKS, 1 + n_padded)),
        )
        self.give(objective)

    def give(self, objective: Objective) -> None:
        """Go on with an objective of the same rows and another penalty."""
        self._accumulator.wait()
        self._settings["total_weight"] = objective.sums.total_weight
        self._settings["l2_penalty"] = objective.penalty
        self._inverse_divisors = 1.0 / objective.divisors

    def begin(self, model: FloatArray, bias_gradient: FloatArray) -> float:
        """Begin a step at the model of the accumulator's last pass; gives the gradient's norm.

        Parameters
        ----------
        model : ndarray of shape (n_features + 1, n_padded)
            The biases last.
        bias_gradient : ndarray of shape (n_classes,)
            Of the loss, summed over the rows.

        Returns
        -------
        float
            The largest absolute component, per unit of weight, over the features' divisors.
        """
        self._accumulator.wait()
        self._settings["begins"] = True
        self._gradient_row[0, : self._n_classes] = bias_gradient
        self._steps[0][:] = 0.0
        self._call(model)
        self._residuals.reverse()
        self._directions.reverse()
        self._settings["begins"] = False
        return float(self._state["norm"][0])

    def solve(self, model: FloatArray) -> tuple[FloatArray, float]:
        """The step from a model that `begin` was called with, and the slope along it.

        Returns
        -------
        step : ndarray of shape (n_features + 1, n_padded)
            Of the weights and biases.
        slope : float
            The derivative of the objective along the step.
        """
        for number in range(1, _MOST_ITERATIONS + 1):
            self._settings["iteration"] = number
            self._call(model)
            self._accumulator.wait()
            if self._state["has_gone_on"][0]:
                self._steps.reverse()
                self._residuals.reverse()
            if self._state["is_over"][0]:
                break
            self._directions.reverse()
        step = self._steps[0]
        step[-1] -= matrix_product(self._means, step[:-1])
        return step, -2.0 * float(self._state["decrease"][0])

    def _call(self, model: FloatArray) -> None:
        accumulator = self._accumulator
        compiled = kernels.conjugate_gradients.specialise(accumulator.specialisation)
        last = accumulator.n_panels - 1
        totals = self._totals
        for number, (start, stop, panel) in enumerate(accumulator.panels()):
            self._settings["is_first"] = number == 0
            self._settings["is_last"] = number == last
            arguments = (
                self._means,
                self._inverse_divisors,
                self._mask,
                accumulator.slopes,
                totals[(number - 1) % len(totals)],
                model,
                accumulator.gradient,
                self._gradient_row,
                self._directions[0],
                self._steps[0],
                self._residuals[0],
            )
            results = (
                self._state,
                self._bent,
                self._row_sums,
                totals[number % len(totals)],
                self._direction_bias,
                self._inverse,
                self._steps[1],
                self._residuals[1],
                self._directions[1],
                *self._sums,
            )
            bounds = start, stop
            accumulator.call(compiled, panel, self._settings, bounds, arguments, results)
