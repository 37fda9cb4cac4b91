"""The loss of a row by its logits, for each output activation: nothing else tells them apart.

An *output activation* is applied to the logits before the softmax. Kernels have the same functions
in `kernels/loss.py`. To add one: its functions there and here, and a line in `LOSSES`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from scipy.special import softmax as _softmax

from .._typing import FloatArray, Gradient
from ..data.problem import Problem
from ..kernels.loss import IDENTITY, SIGMOID
from .functions import less_row_maximum, sigmoid, softmax

NOTEBOOK_ACTIVATION = "sigmoid"


def of_all_classes(values: FloatArray) -> FloatArray:
    """Values of all classes: a single column is that of the second, the first one's are zero."""
    if values.shape[1] > 1:
        return values
    return np.concatenate([np.zeros_like(values), values], axis=1)


@dataclass(frozen=True)
class Loss:
    """Cross-entropy after a softmax of activated logits.

    Attributes
    ----------
    activation : str
    code : int
        What kernels know the activation by.
    is_convex : bool
        Whether the loss is convex in the logits. Then adding a number to all logits changes
        nothing, and two classes need a single column.
    largest_curvature, largest_curvature_of_two : float
        Bounds of the second derivatives by the logits: the largest eigenvalue, for several columns
        and for a single one (Boehning, Multinomial logistic regression algorithm, 1992).
    curvature_follows_loss : bool
        Whether the second derivatives of a row are at most twice its loss.
    is_bounded : bool
        Whether probabilities have a lower bound above zero.
    """

    activation: str
    code: int
    is_convex: bool
    largest_curvature: float
    largest_curvature_of_two: float
    curvature_follows_loss: bool
    is_bounded: bool
    _activate: Callable[[FloatArray], FloatArray]
    _derivative: Callable[[FloatArray], FloatArray] | None

    @property
    def changes_logits(self) -> bool:
        """Whether activated logits differ from the logits."""
        return self.code != IDENTITY

    def count_columns(self, n_classes: int) -> int:
        """Columns of a model for some classes."""
        return 1 if n_classes == 2 and self.is_convex else n_classes

    def activate(self, logits: FloatArray) -> FloatArray:
        """What the softmax is taken of."""
        return self._activate(logits)

    def probabilities(self, values: FloatArray) -> FloatArray:
        """Probabilities of all classes.

        Parameters
        ----------
        values : ndarray of shape (n_samples, n_columns)
            Activated logits.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return softmax(of_all_classes(values))

    def losses_and_gradients(
        self, logits: FloatArray, targets: npt.NDArray[np.int32]
    ) -> tuple[FloatArray, FloatArray]:
        """Losses of rows, and their derivatives by the logits.

        Parameters
        ----------
        logits : ndarray of shape (n_samples, n_columns)
        targets : ndarray of shape (n_samples,)

        Returns
        -------
        losses : ndarray of shape (n_samples,)
        gradients : ndarray of shape (n_samples, n_columns)
        """
        rows = np.arange(len(targets))
        values = self.activate(logits)
        # From the values rather than from the probabilities, which may underflow to 0.
        shifted = less_row_maximum(of_all_classes(values))
        exponentials = np.exp(shifted)
        totals = exponentials.sum(axis=1)
        losses: FloatArray = np.log(totals) - shifted[rows, targets]
        gradients: FloatArray = exponentials / totals[:, None]
        gradients[rows, targets] -= 1
        gradients = gradients[:, -logits.shape[1] :]
        if self._derivative is not None:
            gradients = gradients * self._derivative(values)
        return losses, gradients


def probabilities_of_columns(logits: FloatArray) -> FloatArray:
    """Probabilities that the columns of a model with a convex loss stand for.

    Parameters
    ----------
    logits : ndarray of shape (n_samples, n_columns)
        A single column is of the second of two classes.

    Returns
    -------
    ndarray of shape (n_samples, n_columns)
    """
    probabilities: FloatArray = expit(logits) if logits.shape[1] == 1 else _softmax(logits, axis=1)
    return probabilities


def accurate_losses_and_gradients(
    logits: FloatArray, targets: npt.NDArray[np.int32]
) -> tuple[FloatArray, FloatArray]:
    """Losses of rows and their derivatives by the logits, of a convex loss, to full precision.

    See `Loss.losses_and_gradients`. Where a model is certain of a row, a probability less 1 would
    lose its digits.
    """
    rows = np.arange(len(targets))
    if logits.shape[1] == 1:
        losses, gradients = accurate_losses_and_gradients(of_all_classes(logits), targets)
        return losses, gradients[:, 1:]
    differences = logits - logits[rows, targets][:, None]
    differences[rows, targets] = -np.inf
    largest = np.maximum(differences.max(axis=1), 0.0)[:, None]
    above = np.exp(differences - largest)
    others = above.sum(axis=1)
    own = np.exp(-largest[:, 0])
    gradients = above / (others + own)[:, None]
    gradients[rows, targets] = -others / (others + own)
    # log(1 + x) of what the others have beside the target.
    losses = np.where(largest[:, 0] > 0.0, largest[:, 0] + np.log(others + own), np.log1p(others))
    return losses, gradients


def curvature_at_zero(n_classes: int) -> float:
    """Second derivative of the loss by a logit, where all classes are equally probable."""
    return (1 - 1 / n_classes) / n_classes


LOSSES = {
    loss.activation: loss
    for loss in (
        Loss(
            activation="identity",
            code=IDENTITY,
            is_convex=True,
            largest_curvature=0.5,
            largest_curvature_of_two=0.25,
            curvature_follows_loss=True,
            is_bounded=False,
            _activate=lambda logits: logits,
            _derivative=None,
        ),
        Loss(
            activation="sigmoid",
            code=SIGMOID,
            is_convex=False,
            # 1/2 of (1/4)**2, and the largest second derivative of the sigmoid.
            largest_curvature=0.1275,
            largest_curvature_of_two=0.1275,
            curvature_follows_loss=False,
            is_bounded=True,
            _activate=sigmoid,
            _derivative=lambda values: values * (1 - values),
        ),
    )
}
ACTIVATIONS = tuple(LOSSES)
CONVEX_ACTIVATIONS = tuple(name for name, loss in LOSSES.items() if loss.is_convex)


def loss_of(problem: Problem) -> Loss:
    """The loss of a problem's rows."""
    return LOSSES[problem.activation]


def check_gradient(gradient: Gradient, activation: str) -> None:
    """Raise ValueError where the gradient has no bound: the notebook's, of a loss without one."""
    if gradient == "notebook" and not LOSSES[activation].is_bounded:
        bounded = " or ".join(repr(name) for name, loss in LOSSES.items() if loss.is_bounded)
        raise ValueError(
            f"gradient='notebook' with activation={activation!r} is not allowed: it has no bound "
            f"there; it must be gradient='exact' or activation={bounded}"
        )
