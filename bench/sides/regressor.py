"""The notebook's model: compiled kernels, plain NumPy, and the notebook's form."""

import numpy as np

from softreg_fast import SoftmaxRegressor

from .. import internals
from ..metrics import difference
from . import notebook_form
from .base import Check, Side

SEED = 0
TOLERANCES = {"float64": 1e-9, "float32": 1e-4}


class RegressorSide(Side):
    """Trains the notebook's model from the same start, and must reach the same losses."""

    def prepare(self, case):
        self.case = case
        self.set_data(*case.load(), case.n_epochs)

    def set_data(self, X, y, n_epochs):
        """Take other rows than the case has, or another number of epochs."""
        self.X, self.y, self.n_epochs = X, y, n_epochs

    def start(self):
        """Coefficients and intercepts to begin with, those of `SoftmaxRegressor`."""
        random = np.random.RandomState(SEED)
        coef = random.uniform(0, 1, (self.case.n_features, self.case.n_classes))
        return coef, random.uniform(0, 1, self.case.n_classes)

    def predict(self, X):
        """Probabilities after `run`."""
        raise NotImplementedError

    def check(self, other):
        largest = difference(self.losses, other.losses)
        return Check("difference of losses", largest, TOLERANCES[self.case.dtype])


class Kernels(RegressorSide):
    """`SoftmaxRegressor`.

    Parameters
    ----------
    n_threads : int, default=None
    """

    def __init__(self, n_threads=None):
        self.n_threads = n_threads
        self.name = "softreg_fast" + (f", {n_threads} thread" if n_threads else "")

    def run(self):
        self.model = SoftmaxRegressor(
            self.case.learning_rate, random_state=SEED, verbose=False, n_threads=self.n_threads,
            dtype=self.case.dtype,
        )  # fmt: skip
        self.losses = self.model.fit(self.X, self.y, self.n_epochs, self.case.batch_size).losses_

    def predict(self, X):
        return self.model.predict(X)


class Reference(RegressorSide):
    """`softreg_fast.reference`: NumPy, ``X.T @ G``."""

    name = "reference"

    def run(self):
        self.coef, self.intercept = self.start()
        losses = []
        for _ in range(self.n_epochs):
            loss, self.coef, self.intercept = internals.reference_epoch(
                self.X, self.y, self.coef, self.intercept,
                self.case.learning_rate, self.case.batch_size,
            )  # fmt: skip
            losses.append(loss)
        self.losses = np.array(losses)

    def predict(self, X):
        return internals.reference_probabilities(X, self.coef, self.intercept)


class Notebook(RegressorSide):
    """The notebook's form: NumPy, features repeated for every class."""

    name = "notebook"

    def run(self):
        self.losses, _, self.coef, self.intercept = notebook_form.train(
            self.X, self.y, *self.start(),
            self.case.learning_rate, self.n_epochs, self.case.batch_size,
        )  # fmt: skip

    def predict(self, X):
        return notebook_form.predict(X, self.coef, self.intercept)
