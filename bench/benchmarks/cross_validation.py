"""How long choosing a penalty takes: `SoftmaxClassifierCV` and `LogisticRegressionCV`.

20 penalties from 1e-4 to 1e4 on 5 folds, at tighter and tighter tolerances until the objectives of
all 100 models, recomputed outside in float64, are within 1e-6 of the lowest known ones. The ratio
is the time of `SoftmaxClassifierCV` in fits of `SoftmaxClassifier` with the weakest penalty, on all
rows, at the same tolerance.
"""

import warnings

from .. import cases
from ..climb import measure_to_gap
from ..options import select
from ..record import Record
from ..runner import prepare_sides
from ..sides.cross_validation import CS, OursCV, SklearnCV
from ..sides.fits import Ours
from ..timing import take_turns
from . import optimum

SOLVERS = "newton-cholesky", "newton-cg", "lbfgs"
TOLERANCES = [1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10]


def add_arguments(parser):
    """Options of the command line."""
    optimum.add_arguments(parser)


def _lowest(case):
    side = OursCV()
    side.tolerance = TOLERANCES[-1]
    side.prepare(case)
    side.run()
    return side.objectives()


def _median_of_single_fit(case, tolerance, n_repeats):
    side = Ours()
    side.C, side.tolerance = CS[-1], tolerance
    side.prepare(case)
    return take_turns({"": side.run}, n_repeats)[""].median


def run(options):
    """Measure; gives the record."""
    warnings.simplefilter("ignore")
    record = Record("cross-validation")
    for case in select(optimum.all_cases(options), options, key=lambda each: each.title):
        name = record.add_case(case, case.title)
        print(f"{name} ...", flush=True)
        solvers = SOLVERS[:1] if options.quick else SOLVERS
        sides = [OursCV(), *(SklearnCV(solver) for solver in solvers)]
        sides = prepare_sides(record, case, sides, options)
        courses = measure_to_gap(record, name, case, sides, _lowest(case), TOLERANCES, options)
        own = courses[sides[0].name]
        record.check(name, sides[0].name, "gap reached", own.gaps[-1], 1e-6)
        single = _median_of_single_fit(case, own.tolerances[-1], options.repeats)
        seconds = record.value(name, sides[0].name, "seconds_to_gap")
        record.add(name, sides[0].name, "ratio", seconds / single, of="a fit")
        cases.forget()
    return record
