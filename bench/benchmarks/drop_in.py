"""The same calls of scikit-learn's classes and of those of `softreg_fast.sklearn`.

`LogisticRegression` with its default solver and with "newton-cholesky", and `LogisticRegressionCV`,
each with scikit-learn's parameters. The objective that a fit ends at (C = 1, recomputed outside in
float64) must not be farther above the lowest one than scikit-learn's, or by no more than 1e-4.
"""

import warnings

from sklearn import linear_model

from softreg_fast import sklearn as drop_in

from .. import cases
from ..options import add_common, select
from ..record import Record
from ..runner import prepare_sides
from ..sides.fits import FitSide, certified
from ..timing import take_turns

NAMES = [
    "iris", "wine", "breast_cancer", "digits", "satellite-shape", "letter-shape", "shuttle-shape",
    "small-text", "two-classes",
]  # fmt: skip
SOLVERS = "lbfgs", "newton-cholesky"
MOST_UNKNOWNS = 2_000  # of newton-cholesky, whose second derivatives are those of all
MOST_ELEMENTS_OF_A_SEARCH = 1_000_000
GAP = 1e-4


class Call(FitSide):
    """A fit by one of two classes of the same name.

    Parameters
    ----------
    module : module
    solver : str
    """

    def __init__(self, module, solver):
        self.is_ours = module is drop_in
        self.name = f"{'softreg_fast' if self.is_ours else 'scikit-learn'} {solver}"
        self._make, self._solver = module.LogisticRegression, solver

    def fit(self):
        return self._make(solver=self._solver, max_iter=1_000).fit(self.X, self.y)


class Search(FitSide):
    """A search of the penalty by one of two classes of the same name."""

    def __init__(self, module):
        self.is_ours = module is drop_in
        self.name = f"{'softreg_fast' if self.is_ours else 'scikit-learn'} search"
        self._make = module.LogisticRegressionCV

    def fit(self):
        return self._make(max_iter=1_000, scoring="neg_log_loss").fit(self.X, self.y)


def _sides(case):
    for solver in SOLVERS:
        is_large = case.n_features * case.n_columns > MOST_UNKNOWNS
        if solver == SOLVERS[0] or not (is_large or case.is_sparse):
            yield Call(drop_in, solver), Call(linear_model, solver)
    if case.n_samples * case.n_features * case.n_columns <= MOST_ELEMENTS_OF_A_SEARCH:
        yield Search(drop_in), Search(linear_model)


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser)


def run(options):
    """Measure; gives the record."""
    warnings.simplefilter("ignore")
    record = Record("drop-in")
    for case in select([cases.case(name) for name in NAMES], options, key=lambda each: each.title):
        name = record.add_case(case, case.title)
        print(f"{name} ...", flush=True)
        lowest = certified(case).objective()
        for pair in _sides(case):
            own, other = pair
            if len(prepare_sides(record, case, list(pair), options)) < len(pair):
                continue
            turns = take_turns({side.name: side.run for side in pair}, options.repeats)
            for side in pair:
                record.add(name, side.name, "seconds", turns[side.name].seconds)
            if isinstance(own, Call):
                found = [record.add(name, side.name, "gap", side.gap(lowest)) for side in pair]
                record.check(name, own.name, "objective above the lowest", found[0],
                             max(found[1], GAP))  # fmt: skip
            ratio = turns[other.name].median / turns[own.name].median
            record.add(name, own.name, "ratio", ratio, of="scikit-learn's time")
        cases.forget()
    return record
