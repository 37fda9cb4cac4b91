"""Predictions of one fitted model by this package, scikit-learn and plain NumPy."""

from scipy.special import softmax

from softreg_fast import SoftmaxClassifier

from ..metrics import difference
from .base import Check, Side
from .regressor import Kernels

TOLERANCE = 1e-9
ROWS_TO_FIT = 5000


class PredictionSide(Side):
    """Predicts some rows; all sides have the same coefficients.

    Parameters
    ----------
    name : str
    call : callable
        Of the fitted model and the rows.
    n_rows : int or None
        None for all.
    n_calls : int
        Of a run.
    is_sklearn : bool, default=False
        Whether the model is handed over to scikit-learn's `LogisticRegression`.
    """

    def __init__(self, name, call, n_rows, n_calls, is_sklearn=False):
        self.name, self.call, self.is_sklearn = name, call, is_sklearn
        self.n_rows, self.n_calls = n_rows, n_calls

    def prepare(self, case):
        X, y = case.load()
        self.rows = X[: self.n_rows]
        self.model = SoftmaxClassifier().fit(X[:ROWS_TO_FIT], y[:ROWS_TO_FIT])
        if self.is_sklearn:
            self.model = self.model.to_sklearn()

    def run(self):
        for _ in range(self.n_calls):
            self.result = self.call(self.model, self.rows)

    def check(self, other):
        return Check("difference", difference(self.result, other.result), TOLERANCE)


class NotebookModelSide(Side):
    """Predicts some rows by the notebook's model.

    Parameters
    ----------
    side : RegressorSide
        Trains, and predicts.
    n_rows : int or None
        None for all.
    n_calls : int
    """

    def __init__(self, side, n_rows, n_calls):
        self.side, self.n_rows, self.n_calls = side, n_rows, n_calls
        is_ours = isinstance(side, Kernels)
        self.name = "SoftmaxRegressor" if is_ours else side.name

    def prepare(self, case):
        self.side.prepare(case)
        X, y = case.load()
        self.side.set_data(X[:ROWS_TO_FIT], y[:ROWS_TO_FIT], 1)
        self.side.run()
        self.rows = X[: self.n_rows]

    def run(self):
        for _ in range(self.n_calls):
            self.result = self.side.predict(self.rows)

    def check(self, other):
        return Check("difference", difference(self.result, other.result), TOLERANCE)


def _by_numpy(model, X):
    return softmax(X @ model.coef_.T + model.intercept_, axis=1)


def probability_sides(*rows):
    """Sides that give probabilities; `rows` are `n_rows` and `n_calls`."""
    return [
        PredictionSide("softreg_fast", lambda model, X: model.predict_proba(X), *rows),
        PredictionSide(
            "LogisticRegression", lambda model, X: model.predict_proba(X), *rows, is_sklearn=True
        ),
        PredictionSide("NumPy", _by_numpy, *rows),
    ]


def label_sides(*rows):
    """Sides that give labels."""
    return [
        PredictionSide("softreg_fast", lambda model, X: model.predict(X), *rows),
        PredictionSide(
            "LogisticRegression", lambda model, X: model.predict(X), *rows, is_sklearn=True
        ),
        PredictionSide("NumPy", lambda model, X: _by_numpy(model, X).argmax(axis=1), *rows),
    ]
