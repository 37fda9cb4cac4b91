"""Fits of the objective of `LogisticRegression`: this package and others."""

import os

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.linear_model import LogisticRegression

from softreg_fast import SoftmaxClassifier

from ..metrics import gap, objective
from .base import Check, Side

MOST_ITERATIONS = 10_000
MOST_PRODUCTS_OF_STOCHASTIC_SOLVERS = 2e10
MOST_UNKNOWNS_OF_COMPLETE_HESSIANS = 2_000


class FitSide(Side):
    """Fits a case with an L2 or an L1 penalty.

    Attributes
    ----------
    C : float
    l1_ratio : float
    tolerance : float or None
        None is the default of the estimator.
    fit_intercept : bool
    """

    C = 1.0
    l1_ratio = 0.0
    tolerance = None
    fit_intercept = True
    is_ours = False

    def prepare(self, case):
        self.case = case
        self.X, self.y = case.load()

    def _tolerance(self):
        return {} if self.tolerance is None else {"tol": self.tolerance}

    def run(self):
        self.model = self.fit()

    def fit(self):
        """A fitted model."""
        raise NotImplementedError

    def parameters(self):
        """Coefficients of shape (n_classes, n_features) or (1, n_features), and intercepts."""
        return self.model.coef_, self.model.intercept_

    def gap(self, lowest):
        """How far the objective is above the lowest one, relatively."""
        return gap(self.objective(), lowest)

    def objective(self):
        """The objective, divided by `C`."""
        return objective(self.X, self.y, *self.parameters(), self.C, self.l1_ratio)

    def check(self, other):
        return Check("objective above the lowest", self.gap(other.objective()), 0.01)


class Ours(FitSide):
    """`SoftmaxClassifier`.

    Parameters
    ----------
    solver : {"auto", "newton", "lbfgs", "sgd"}
    **settings
        Other parameters.
    """

    is_ours = True

    def __init__(self, solver="auto", **settings):
        self.name = "softreg_fast" + ("" if solver == "auto" else f" {solver}")
        self.settings = {"solver": solver, "random_state": 0} | settings

    def fit(self):
        settings = self.settings | self._tolerance() | {"fit_intercept": self.fit_intercept}
        settings["l1_ratio"] = self.l1_ratio
        if self.tolerance is not None:
            settings["max_iter"] = MOST_ITERATIONS
        return SoftmaxClassifier(C=self.C, **settings).fit(self.X, self.y)


class Sklearn(FitSide):
    """`sklearn.linear_model.LogisticRegression`.

    Parameters
    ----------
    solver : {"lbfgs", "newton-cg", "newton-cholesky", "saga"}
    max_iter : int, default=10_000
    """

    library = "scikit-learn"

    def __init__(self, solver, max_iter=MOST_ITERATIONS):
        self.name = f"{self.library} {solver}"
        self.solver, self.max_iter = solver, max_iter

    def classifier(self):
        """The class of the estimator."""
        return LogisticRegression

    def reason_against(self, case):
        n_unknowns = (case.n_features + 1) * case.n_columns
        is_too_large = n_unknowns > MOST_UNKNOWNS_OF_COMPLETE_HESSIANS
        if self.solver == "newton-cholesky" and is_too_large:
            return f"{case.name}: more than {MOST_UNKNOWNS_OF_COMPLETE_HESSIANS:,} unknowns"
        return super().reason_against(case)

    def fit(self):
        max_iter = self.max_iter
        if self.solver == "saga":
            max_iter = min(max_iter, _affordable_passes(self.case))
        model = self.classifier()(
            C=self.C, l1_ratio=self.l1_ratio, solver=self.solver, max_iter=max_iter,
            fit_intercept=self.fit_intercept, **self._tolerance(),
        )  # fmt: skip
        return model.fit(self.X, self.y)


class Intelex(Sklearn):
    """`LogisticRegression` of scikit-learn-intelex."""

    library = "scikit-learn-intelex"
    module = "sklearnex"

    def classifier(self):
        from sklearnex.linear_model import LogisticRegression as IntelClassifier

        return IntelClassifier


class Cyanure(FitSide):
    """Cyanure's solver, which it chooses itself."""

    name = "cyanure"
    module = "cyanure"

    def fit(self):
        from cyanure.estimators import Classifier

        model = Classifier(
            loss="logistic" if self.case.n_classes == 2 else "multiclass-logistic",
            penalty="l1" if self.l1_ratio else "l2",
            lambda_1=1.0 / (self.C * self.X.shape[0]),
            fit_intercept=self.fit_intercept,
            max_iter=min(1_000, _affordable_passes(self.case)),
            verbose=False,
            **self._tolerance(),
        )
        model.fit(self.X, self.y)
        return model

    def parameters(self):
        coef = self.model.coef_
        has_intercept = self.fit_intercept  # otherwise the model may have no such attribute
        intercept = self.model.intercept_ if has_intercept else np.zeros(self.case.n_columns)
        coef = coef if self.case.n_classes == 2 else coef.T
        return coef.reshape(-1, self.case.n_features), intercept.reshape(-1)


def _affordable_passes(case):
    n_products = case.n_samples * case.n_features * case.n_classes
    return int(max(1, MOST_PRODUCTS_OF_STOCHASTIC_SOLVERS // n_products))


class OfTwoClasses(FitSide):
    """A side that fits two classes alone, in float64."""

    def reason_against(self, case):
        if case.n_classes != 2:
            return f"{case.name}: more than two classes"
        return super().reason_against(case)


class Liblinear(OfTwoClasses):
    """LIBLINEAR, its own interface; its arrays are made before.

    Parameters
    ----------
    solver : {"TRON", "dual", "newGLMNET"}
        "dual" can't leave the intercept without a penalty. The last is for an L1 penalty.
    """

    module = "liblinear"

    def __init__(self, solver):
        self.name = f"LIBLINEAR {solver}"
        self.solver = solver

    def reason_against(self, case):
        if self.solver == "dual" and self.fit_intercept:
            return "LIBLINEAR dual penalises the intercept"
        return super().reason_against(case)

    def prepare(self, case):
        from liblinear.liblinear import problem

        super().prepare(case)
        self._bias = 1 if self.fit_intercept else -1
        self._problem = problem(2.0 * self.y - 1.0, csr_matrix(self.X), self._bias)

    def fit(self):
        from liblinear.liblinear import liblinear, parameter, toPyModel

        number = {"TRON": 0, "newGLMNET": 6, "dual": 7}[self.solver]
        options = f"-s {number} -c {self.C} -e {self.tolerance} -q"
        if self.fit_intercept:
            options += " -B 1 -R"
        return toPyModel(liblinear.train(self._problem, parameter(options)))

    def parameters(self):
        n_features = self.case.n_features
        n_weights = n_features + self.fit_intercept
        weights = np.array([self.model.w[place] for place in range(n_weights)])
        # They are those of the label that it has met first.
        if self.model.get_labels()[0] != 1:
            weights = -weights
        bias = weights[n_features:] if self.fit_intercept else np.zeros(1)
        return weights[None, :n_features], bias


class Snapml(OfTwoClasses):
    """Snap ML's dual coordinate ascent, on all CPUs; it penalises intercepts."""

    name = "snapml dual"
    module = "snapml"

    def reason_against(self, case):
        if self.fit_intercept:
            return "snapml dual penalises the intercept"
        return super().reason_against(case)

    def prepare(self, case):
        super().prepare(case)
        self._rows, self._labels = csr_matrix(self.X), self.y.astype(np.float64)

    def fit(self):
        from snapml import LogisticRegression as SnapClassifier

        model = SnapClassifier(
            regularizer=1.0 / self.C, dual=True, fit_intercept=False, tol=self.tolerance,
            max_iter=MOST_ITERATIONS, n_jobs=os.cpu_count(), random_state=0,
        )  # fmt: skip
        return model.fit(self._rows, self._labels)

    def parameters(self):
        return np.reshape(self.model.coef_, (1, -1)), np.zeros(1)


def _as_matrix(X):
    """Sparse features in the form that older libraries know; nothing is copied."""
    return csr_matrix(X) if issparse(X) else X


class Celer(OfTwoClasses):
    """celer's working sets; it has no intercept."""

    name = "celer"
    module = "celer"

    def reason_against(self, case):
        if self.fit_intercept:
            return "celer has no intercept"
        return super().reason_against(case)

    def fit(self):
        from celer import LogisticRegression as CelerClassifier

        return CelerClassifier(C=self.C, **self._tolerance()).fit(_as_matrix(self.X), self.y)


class Skglm(OfTwoClasses):
    """skglm's working sets."""

    name = "skglm"
    module = "skglm"

    def fit(self):
        from skglm import SparseLogisticRegression

        model = SparseLogisticRegression(
            alpha=1.0 / (self.C * len(self.y)), fit_intercept=self.fit_intercept,
            **self._tolerance(),
        )  # fmt: skip
        return model.fit(_as_matrix(self.X), self.y)


def certified(case, C=1.0, *, fit_intercept=True, l1_ratio=0.0):
    """A side that has run to a certified optimum; `model.gap_` bounds what remains."""
    side = Ours(gap_tol=1e-10, max_iter=MOST_ITERATIONS)
    side.C, side.fit_intercept, side.l1_ratio = C, fit_intercept, l1_ratio
    side.prepare(case)
    side.run()
    return side
