"""Time of fits with a penalty of features' norms (group lasso) to the optimum.

As `l1`. adelie runs in a process of its own.
"""

import warnings

from .. import cases
from ..climb import measure_case
from ..options import add_common, add_patience, select
from ..record import Record
from ..runner import prepare_sides
from ..sides.fits import Ours, certified
from ..sides.fits_elsewhere import Adelie
from .sparse import TOLERANCES

SETTINGS = {"l1_ratio": 1.0, "penalty_groups": "features"}


def all_cases():
    """What is fitted, and with which `C`; the smallest first."""
    return [
        *((cases.CASES["digits"], C) for C in (0.1, 1.0)),
        (cases.dense(5_000, 784, 10), 1.0),
        (cases.tf_idf(20_000, 100_000, 20), 1.0),
        (cases.sparse(20_000, 50_000, 20, name="zipf", dtype="float64"), 0.1),
    ]


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser)
    add_patience(parser)


def _title(case, C):
    return f"{case.title}, C = {C:g}"


def run(options):
    """Measure; gives the record."""
    warnings.simplefilter("ignore")
    record = Record("groups")
    for case, C in select(all_cases(), options, key=lambda item: _title(*item)):
        best = certified(case, C, **SETTINGS)
        sides = [Ours(), Adelie()]
        for side in sides:
            side.C, side.l1_ratio = C, SETTINGS["l1_ratio"]
            side.penalty_groups = SETTINGS["penalty_groups"]
        sides = prepare_sides(record, case, sides, options)
        measure_case(record, _title(case, C), case, sides, best, TOLERANCES, options)
        cases.forget()
    return record
