"""Fits with default parameters: `SoftmaxClassifier` and `LogisticRegression`.

Time, and how far the objective (C = 1) is above a certified optimum. `SoftmaxClassifier` must be
within a percent of it on sets that scikit-learn ships, standardised or not.
"""

import warnings

from .. import cases
from ..options import add_common, select
from ..record import Record
from ..runner import prepare_sides
from ..sides.fits import Ours, Sklearn, certified
from ..timing import take_turns

ALLOWED_GAP = 0.01


def all_cases():
    """What is fitted."""
    names = "iris", "wine", "breast_cancer", "digits"
    found = [cases.case(f"{name}{suffix}") for name in names for suffix in ("", "-raw")]
    return [*found, cases.dense(200_000, 54, 7)]


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser)


def run(options):
    """Measure; gives the record."""
    warnings.simplefilter("ignore")
    record = Record("classifier")
    for case in select(all_cases(), options, key=lambda each: each.title):
        name = record.add_case(case, case.title)
        print(f"{name} ...", flush=True)
        best = certified(case)
        lowest = best.objective()
        sides = [Ours(), Ours("sgd"), Sklearn("lbfgs", max_iter=1000)]
        sides = prepare_sides(record, case, sides, options)
        turns = take_turns({side.name: side.run for side in sides}, options.repeats)
        for side in sides:
            record.add(name, side.name, "seconds", turns[side.name].seconds)
            found = record.add(name, side.name, "gap", side.gap(lowest))
            if side.is_ours and not case.is_synthetic:
                record.check(name, side.name, "objective above the lowest", found, ALLOWED_GAP)
        cases.forget()
    return record
