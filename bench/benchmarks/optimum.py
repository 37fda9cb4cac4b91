"""Time of exact solvers to the optimum.

Every case is fitted by every solver at tighter and tighter tolerances until the objective (C = 1,
recomputed outside in float64) is within 1e-6 of the lowest known one, relatively. That tolerance's
fit is timed, all solvers in turns. The lowest objective has a certificate of its own, `gap_`, and
no side may be below it.
"""

import warnings

from .. import cases
from ..climb import check_sides, measure_to_gap
from ..options import add_common, add_patience, select
from ..record import Record
from ..runner import prepare_sides
from ..sides.fits import Intelex, Ours, Sklearn, certified
from ..sides.fits_elsewhere import Cyanure

TOLERANCES = [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9]
NAMES = [
    "iris", "wine", "digits", "letter-shape", "satellite-shape", "shuttle-shape", "two-classes",
    "covertype-shape",
]  # fmt: skip


def all_cases(options):
    """What is fitted."""
    found = [cases.case(name) for name in NAMES]
    return found + ([cases.images(options.images)] if options.images else [])


def all_sides():
    """Solvers; the first is what the others are compared with."""
    return [
        Ours(), Ours("lbfgs"),
        *(Sklearn(solver) for solver in ("lbfgs", "newton-cg", "newton-cholesky", "saga")),
        *(Intelex(solver) for solver in ("lbfgs", "newton-cg")),
        Cyanure(),
    ]  # fmt: skip


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser)
    parser.add_argument(
        "--images", help="an npz file of X, bytes of shape (n, 784), and y: a case more"
    )
    add_patience(parser)


def run(options):
    """Measure; gives the record."""
    warnings.simplefilter("ignore")
    record = Record("optimum")
    for case in select(all_cases(options), options, key=lambda each: each.title):
        name = record.add_case(case, case.title)
        best = certified(case)
        lowest = best.objective()
        print(
            f"{name}: lowest objective {lowest:.10g}, within {best.model.gap_:.1e} of the optimum"
        )
        sides = prepare_sides(record, case, all_sides(), options)
        courses = measure_to_gap(record, name, case, sides, lowest, TOLERANCES, options)
        check_sides(record, name, sides, courses, lowest, options)
        cases.forget()
    return record
