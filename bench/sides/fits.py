"""Fits of the objective of `LogisticRegression`: this package and scikit-learn."""

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
    penalty_groups : {None, "features"}
        What the L1 penalty is of: coefficients, or norms of the features' coefficients.
    tolerance : float or None
        None is the default of the estimator.
    fit_intercept : bool
    """

    C = 1.0
    l1_ratio = 0.0
    penalty_groups = None
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
        return objective(
            self.X, self.y, *self.parameters(), self.C, self.l1_ratio, self.penalty_groups
        )

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
        settings |= {"l1_ratio": self.l1_ratio, "penalty_groups": self.penalty_groups}
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
            max_iter = min(max_iter, affordable_passes(self.case))
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


def affordable_passes(case):
    """Passes over the rows that a stochastic solver may take."""
    n_products = case.n_samples * case.n_features * case.n_classes
    return int(max(1, MOST_PRODUCTS_OF_STOCHASTIC_SOLVERS // n_products))


def certified(case, C=1.0, *, fit_intercept=True, l1_ratio=0.0, penalty_groups=None):
    """A side that has run to a certified optimum; `model.gap_` bounds what remains."""
    side = Ours(gap_tol=1e-10, max_iter=MOST_ITERATIONS)
    side.C, side.fit_intercept, side.l1_ratio = C, fit_intercept, l1_ratio
    side.penalty_groups = penalty_groups
    side.prepare(case)
    side.run()
    return side
