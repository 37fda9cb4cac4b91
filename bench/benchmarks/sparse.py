"""Time of exact solvers on sparse rows to the optimum.

As `optimum`: the loosest tolerance whose fit gets within 1e-3, and within 1e-6, of the lowest known
objective (C = 1), relatively, is timed, all solvers in turns. LIBLINEAR and snapml fit two classes,
what penalises intercepts only without one. All cases are synthetic: "zipf" has columns as frequent
as words are, "tf-idf" rows of a generated corpus, of unit length.
"""

import warnings

from .. import cases
from ..climb import measure_case
from ..options import add_common, add_patience, select
from ..record import Record
from ..runner import prepare_sides
from ..sides.fits import Ours, Sklearn, certified
from ..sides.fits_elsewhere import Liblinear, Snapml

TOLERANCES = [10.0 ** (-step / 2) for step in range(2, 19)]
GAPS = {"1e-3": 1e-3, "1e-6": 1e-6}


def all_cases():
    """What is fitted, and whether with an intercept; the smallest first."""
    return [
        *((cases.tf_idf(20_000, 100_000, 2), has_intercept) for has_intercept in (False, True)),
        *(
            (cases.sparse(20_000, 50_000, 2, name="zipf", dtype="float64"), has_intercept)
            for has_intercept in (False, True)
        ),
        (cases.tf_idf(20_000, 100_000, 20), True),
        (cases.sparse(20_000, 50_000, 20, name="zipf", dtype="float64"), True),
    ]


def all_sides(fit_intercept):
    """Solvers; the first is what the others are compared with."""
    sides = [
        Ours(), Ours("lbfgs"), Liblinear("TRON"), Liblinear("dual"), Snapml(),
        *(Sklearn(solver) for solver in ("lbfgs", "newton-cg")),
    ]  # fmt: skip
    for side in sides:
        side.fit_intercept = fit_intercept
    return sides


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser)
    add_patience(parser)


def _title(case, fit_intercept):
    return f"{case.title}, {'with an' if fit_intercept else 'no'} intercept"


def run(options):
    """Measure; gives the record."""
    warnings.simplefilter("ignore")
    record = Record("sparse")
    for case, fit_intercept in select(all_cases(), options, key=lambda item: _title(*item)):
        best = certified(case, fit_intercept=fit_intercept)
        sides = prepare_sides(record, case, all_sides(fit_intercept), options)
        for words, wanted in GAPS.items():
            name = f"{_title(case, fit_intercept)}, to {words}"
            measure_case(record, name, case, sides, best, TOLERANCES, options, wanted)
        cases.forget()
    return record
