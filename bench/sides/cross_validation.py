"""Choosing a penalty by cross-validation: `SoftmaxClassifierCV` and `LogisticRegressionCV`."""

import numpy as np
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold

from softreg_fast import SoftmaxClassifierCV

from ..metrics import objective
from .base import Check, Side

CS = np.logspace(-4, 4, 20)
N_FOLDS = 5
MOST_ITERATIONS = 10_000
MOST_UNKNOWNS_OF_COMPLETE_HESSIANS = 300


class PathSide(Side):
    """Fits all penalties on all folds."""

    tolerance = 1e-4
    is_ours = False

    def prepare(self, case):
        self.case = case
        self.X, self.y = case.load()

    def estimator(self):
        """What is fitted."""
        raise NotImplementedError

    def run(self):
        self.paths = self.estimator().fit(self.X, self.y).coefs_paths_

    def objectives(self):
        """Those of all models, shape (n_folds, n_cs)."""
        values = np.empty((N_FOLDS, len(CS)))
        for fold, (rows, _) in enumerate(StratifiedKFold(N_FOLDS).split(self.X, self.y)):
            X, y = self.X[rows], self.y[rows]
            for place, C in enumerate(CS):
                path = self.paths[fold, 0, place]
                values[fold, place] = objective(X, y, path[:, :-1], path[:, -1], C)
        return values

    def gap(self, lowest):
        """How far the worst model's objective is above the lowest, relatively."""
        return float(((self.objectives() - lowest) / lowest).max())

    def check(self, other):
        return Check("objectives above the lowest", self.gap(other.objectives()), 0.01)


class OursCV(PathSide):
    """`SoftmaxClassifierCV`."""

    name = "SoftmaxClassifierCV"
    is_ours = True

    def estimator(self):
        return SoftmaxClassifierCV(Cs=CS, cv=N_FOLDS, tol=self.tolerance, max_iter=MOST_ITERATIONS)


class SklearnCV(PathSide):
    """`LogisticRegressionCV`.

    Parameters
    ----------
    solver : {"lbfgs", "newton-cg", "newton-cholesky"}
    """

    def __init__(self, solver):
        self.name, self.solver = f"LogisticRegressionCV {solver}", solver

    def reason_against(self, case):
        n_unknowns = (case.n_features + 1) * case.n_classes
        is_too_large = n_unknowns > MOST_UNKNOWNS_OF_COMPLETE_HESSIANS
        if self.solver == "newton-cholesky" and is_too_large:
            return f"{case.name}: more than {MOST_UNKNOWNS_OF_COMPLETE_HESSIANS:,} unknowns"
        return super().reason_against(case)

    def estimator(self):
        return LogisticRegressionCV(
            Cs=CS,
            cv=N_FOLDS,
            l1_ratios=(0.0,),
            use_legacy_attributes=False,
            scoring="accuracy",
            solver=self.solver,
            tol=self.tolerance,
            max_iter=MOST_ITERATIONS,
        )
