"""Plain mini-batch descent on the cross-entropy of logits: this package and NumPy."""

import numpy as np

from ..internals import BareDescent
from ..metrics import difference, mean_loss
from .base import Check, Side

TOLERANCES = {"float64": 1e-8, "float32": 2e-3}
ROWS_OF_LOSS = 20_000


class DescentSide(Side):
    """Trains from zero, with the rows as they lie, and must reach the same parameters."""

    tolerance = None

    def prepare(self, case):
        self.case = case
        self.X, self.y = case.load_whole_batches()

    def parameters(self):
        """Coefficients of shape (n_features, n_columns) and intercepts."""
        raise NotImplementedError

    def loss(self):
        """Mean cross-entropy of the first rows."""
        coef, intercept = self.parameters()
        return mean_loss(self.X[:ROWS_OF_LOSS], self.y[:ROWS_OF_LOSS], coef.T, intercept)

    def check(self, other):
        largest = max(
            difference(own, expected)
            for own, expected in zip(self.parameters(), other.parameters(), strict=True)
        )
        tolerance = TOLERANCES[self.case.dtype] if self.tolerance is None else self.tolerance
        return Check("difference of parameters", largest, tolerance)


class Bare(DescentSide):
    """The kernels of `SoftmaxRegressor`, with logits and exact gradient.

    Parameters
    ----------
    name : str, default="softreg_fast"
    n_threads, shuffle_seed : int, default=None
    order : {"C", "F"}, default="C"
        Of the features in memory.
    tolerance : float, default=None
        Of parameters, when they are checked; None is by dtype.
    """

    def __init__(
        self, name="softreg_fast", *,
        n_threads=None, shuffle_seed=None, order="C", tolerance=None,
    ):  # fmt: skip
        self.name, self.order, self.tolerance = name, order, tolerance
        self.options = {"n_threads": n_threads, "shuffle_seed": shuffle_seed}

    def prepare(self, case):
        super().prepare(case)
        self.descent = BareDescent(np.asarray(self.X, order=self.order), self.y)

    def _start(self, *settings):
        return self.descent.start(*settings, **self.options)

    def run(self):
        case = self.case
        self.solution = self._start(case.batch_size, case.n_epochs, case.learning_rate)()

    def parameters(self):
        return self.solution

    def check(self, other):
        if self.options["shuffle_seed"] is None:
            return super().check(other)
        return compare_losses(self, other)


class Proximal(Bare):
    """The mini-batch descent of `SoftmaxClassifier` at a constant rate.

    Parameters
    ----------
    name : str
    method : {"plain", "averaged"}
    shuffle_seed : int, default=None
    """

    def __init__(self, name, method, shuffle_seed=None):
        super().__init__(name)
        self.options = {"method": method, "shuffle_seed": shuffle_seed}

    def _start(self, *settings):
        return self.descent.start_proximal(*settings, **self.options)

    def check(self, other):
        # An average of the steps is another model.
        return (
            super().check(other)
            if self.options["method"] == "plain"
            else compare_losses(self, other)
        )


class NumPy(DescentSide):
    """``X.T @ G``."""

    name = "NumPy"

    def prepare(self, case):
        super().prepare(case)
        self.targets = np.eye(case.n_classes, dtype=self.X.dtype)[self.y]

    def run(self):
        case = self.case
        self.coef = np.zeros((case.n_features, case.n_classes), self.X.dtype)
        self.intercept = np.zeros(case.n_classes, self.X.dtype)
        rate = self.X.dtype.type(case.learning_rate / case.batch_size)
        for _ in range(case.n_epochs):
            for start in range(0, len(self.X), case.batch_size):
                batch = self.X[start : start + case.batch_size]
                logits = batch @ self.coef
                logits += self.intercept
                logits -= logits.max(axis=1, keepdims=True)
                np.exp(logits, out=logits)
                logits /= logits.sum(axis=1, keepdims=True)
                logits -= self.targets[start : start + case.batch_size]
                self.coef -= rate * (batch.T @ logits)
                self.intercept -= rate * logits.sum(axis=0)

    def parameters(self):
        return self.coef, self.intercept


def compare_losses(side, other):
    """A check of sides that may not reach the same parameters, but about the same loss."""
    expected = other.loss()
    return Check("difference of losses", abs(side.loss() - expected) / expected, 0.25)
