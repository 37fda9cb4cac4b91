"""Fits of the objective of `LogisticRegression` by libraries beside scikit-learn."""

import os
import tempfile
from pathlib import Path

import numpy as np
from scipy.sparse import csc_array, csr_matrix, issparse

from ..processes import Worker
from .fits import MOST_ITERATIONS, FitSide, affordable_passes

ADELIE_PYTHON = "ADELIE_PYTHON"
CHILD = "bench.adelie_child"


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
            max_iter=min(1_000, affordable_passes(self.case)),
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


class Glum(OfTwoClasses):
    """glum's generalised linear models."""

    name = "glum"
    module = "glum"

    def reason_against(self, case):
        if case.is_sparse:
            return "glum takes second derivatives of all pairs of features"
        return super().reason_against(case)

    def fit(self):
        from glum import GeneralizedLinearRegressor

        model = GeneralizedLinearRegressor(
            family="binomial", alpha=1.0 / (self.C * len(self.y)), l1_ratio=self.l1_ratio,
            fit_intercept=self.fit_intercept, gradient_tol=self.tolerance,
            max_iter=MOST_ITERATIONS,
        )  # fmt: skip
        return model.fit(self.X, self.y)

    def parameters(self):
        return self.model.coef_[None], np.array([self.model.intercept_])


class Adelie(FitSide):
    """adelie's group lasso, in a process of its own: it needs an older NumPy.

    The variable `ADELIE_PYTHON` names the interpreter of an environment that has it.
    """

    name = "adelie"

    def reason_against(self, case):
        if ADELIE_PYTHON not in os.environ:
            return f"{ADELIE_PYTHON} names no interpreter that has adelie"
        if case.n_classes > 2 and self.penalty_groups is None:
            return "adelie's multinomial loss has a penalty of features' norms alone"
        return super().reason_against(case)

    def prepare(self, case):
        super().prepare(case)
        self._worker = Worker(python=os.environ[ADELIE_PYTHON])
        self._folder = tempfile.TemporaryDirectory()
        self._given = None

    def _give(self):
        path = Path(self._folder.name) / "rows.npz"
        given = {"y": self.y, "shape": self.X.shape}
        if issparse(self.X):
            X = csc_array(self.X)
            given |= {"values": X.data, "places": X.indices, "pointers": X.indptr}
        else:
            given["X"] = self.X
        np.savez(path, **given)
        self._worker.call(f"{CHILD}:take", path=str(path))
        self._given = self.X

    def fit(self):
        if self._given is not self.X:
            self._give()
        self._worker.call(
            f"{CHILD}:fit", C=self.C, l1_ratio=self.l1_ratio, tolerance=self.tolerance,
            fit_intercept=self.fit_intercept, n_threads=os.cpu_count(),
        )  # fmt: skip

    def parameters(self):
        path = str(Path(self._folder.name) / "model.npz")
        self._worker.call(f"{CHILD}:write", path=path)
        with np.load(path) as found:
            return found["coef"], found["intercept"]
