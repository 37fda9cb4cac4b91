"""Time of solvers to the optimum with an L1 penalty.

As `sparse`: the loosest tolerance whose fit gets within 1e-6 of the lowest known objective,
relatively, is timed, all solvers in turns. celer has no intercept.
"""

import warnings

from .. import cases
from ..climb import measure_case
from ..options import add_common, add_patience, select
from ..record import Record
from ..runner import prepare_sides
from ..sides.fits import Ours, Sklearn, certified
from ..sides.fits_elsewhere import Adelie, Celer, Cyanure, Glum, Liblinear, Skglm
from .sparse import TOLERANCES


def all_cases():
    """What is fitted, with which `C`, and whether with an intercept; the smallest first."""
    zipf, zipf_of_20 = (
        cases.sparse(20_000, 50_000, n_classes, name="zipf", dtype="float64")
        for n_classes in (2, 20)
    )
    tf_idf, tf_idf_of_20 = (cases.tf_idf(20_000, 100_000, n_classes) for n_classes in (2, 20))
    return [
        *((cases.CASES["digits"], C, True) for C in (0.1, 1.0)),
        (cases.dense(5_000, 784, 10), 1.0, True),
        (cases.dense(10_000, 2_000, 2), 0.1, True),
        *(
            (case, C, has_intercept)
            for case in (tf_idf, zipf)
            for C in (0.1, 1.0, 10.0)
            for has_intercept in (False, True)
        ),
        (tf_idf_of_20, 1.0, True),
        (zipf_of_20, 0.1, True),
    ]


def all_sides(C, fit_intercept):
    """Solvers; the first is what the others are compared with."""
    sides = [
        Ours(), Liblinear("newGLMNET"), Celer(), Skglm(), Cyanure(), Glum(), Adelie(),
        Sklearn("saga"),
    ]  # fmt: skip
    for side in sides:
        side.C, side.fit_intercept, side.l1_ratio = C, fit_intercept, 1.0
    return sides


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser)
    add_patience(parser)


def _title(case, C, fit_intercept):
    return f"{case.title}, C = {C:g}, {'with an' if fit_intercept else 'no'} intercept"


def run(options):
    """Measure; gives the record."""
    warnings.simplefilter("ignore")
    record = Record("l1")
    for case, C, fit_intercept in select(all_cases(), options, key=lambda item: _title(*item)):
        best = certified(case, C, fit_intercept=fit_intercept, l1_ratio=1.0)
        sides = prepare_sides(record, case, all_sides(C, fit_intercept), options)
        measure_case(record, _title(case, C, fit_intercept), case, sides, best, TOLERANCES, options)
        cases.forget()
    return record
