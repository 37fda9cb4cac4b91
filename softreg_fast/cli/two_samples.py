"""The notebook's last cells: two samples, a model of ones, and the gradient in two forms.

All classes are equally probable there. Where the derivative of the loss has the probability of the
true class, the notebook's gradient has that of each class: of equal probabilities both are the
same, so that these cells can't tell the one from the other.
"""

from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray, Gradient
from ..data.problem import Problem
from ..estimators.epoch_log import EpochLog
from ..inference.prediction import predict
from ..objective.functions import categorical_crossentropy
from ..objective.loss import NOTEBOOK_ACTIVATION
from ..solvers.notebook_sgd import DescentSettings, GradientDescent

SAMPLES = np.array([[3, 7.1, 2, 5.1], [1.442, 1.2, 4, 0.11]])
TARGETS = np.array([1, 0], np.int32)
N_CLASSES = 3

# A power of two, so that dividing by it is exact; large, so that a step from one isn't lost in its
# rounding.
_LEARNING_RATE = 2.0**20


@dataclass(frozen=True)
class TwoSamples:
    """What the kernels find.

    Attributes
    ----------
    coeff_out, logits, preds : ndarrays of shape (2, 3)
    losses : ndarray of shape (2,)
    dcoeffs, dbiases : dict of str to ndarray
        Gradients of the mean loss, of shapes (4, 3) and (3,), by their form.
    """

    coeff_out: FloatArray
    logits: FloatArray
    preds: FloatArray
    losses: FloatArray
    dcoeffs: dict[str, FloatArray]
    dbiases: dict[str, FloatArray]


def run_two_samples() -> TwoSamples:
    """Predictions, losses, and the gradients that a step of training follows, by the kernels."""
    coeffs, biases = np.ones((SAMPLES.shape[1], N_CLASSES)), np.ones(N_CLASSES)
    preds, logits, coeff_out, _ = predict(
        SAMPLES, coeffs, biases, NOTEBOOK_ACTIVATION, keep_steps=True, n_threads=1
    )
    dcoeffs: dict[str, FloatArray] = {}
    dbiases: dict[str, FloatArray] = {}
    forms: tuple[Gradient, ...] = ("notebook", "exact")
    for form in forms:
        problem = Problem(SAMPLES, TARGETS, N_CLASSES, NOTEBOOK_ACTIVATION, np.dtype(np.float64))
        settings = DescentSettings(
            learning_rate=_LEARNING_RATE, batch_size=2, n_epochs=1, patience=0, gradient=form
        )
        descent = GradientDescent(problem, settings, coeffs, biases, 1)
        descent.run(EpochLog(verbose=False))
        new_coeffs, new_biases = descent.solution
        dcoeffs[form] = (coeffs - new_coeffs) / _LEARNING_RATE
        dbiases[form] = (biases - new_biases) / _LEARNING_RATE
    losses = categorical_crossentropy(preds, np.eye(N_CLASSES)[TARGETS])
    return TwoSamples(coeff_out, logits, preds, losses, dcoeffs, dbiases)
