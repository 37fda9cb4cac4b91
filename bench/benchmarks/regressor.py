"""`SoftmaxRegressor`, plain NumPy without the repeated array, and the notebook's form.

Times are of an epoch with its accuracy, input checks included. All sides train from the same start
and must reach the same losses. With float32 features the model is of float32 too; NumPy makes
float64 of them where they meet the coefficients. The geometric mean is over all cases of a run.
"""

import numpy as np

from .. import cases, runner
from ..options import add_common, select
from ..record import Record
from ..sides.regressor import Kernels, Notebook, Reference


def all_cases():
    """What is trained on."""
    return [
        cases.case("iris-unit"),
        cases.case("iris-unit", batch_size=16),
        cases.case("digits-unit"),
        *(cases.case("wide", dtype=dtype) for dtype in ("float64", "float32")),
        *(
            cases.dense(100_000, 54, 7, batch_size=256, n_epochs=2, dtype=dtype)
            for dtype in ("float64", "float32")
        ),
        cases.dense(10_240, 200, 100, batch_size=256, n_epochs=1, dtype="float32"),
        *(cases.case(name) for name in ("medium", "many-classes", "many-rows")),
    ]


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser)
    parser.add_argument("--long", action="store_true", help="the long cases too")


def run(options):
    """Measure; gives the record."""
    record = Record("regressor")
    wanted = [case for case in all_cases() if options.long or not case.is_long]
    ratios = []
    for case in select(wanted, options):
        sides = [Kernels(), Kernels(n_threads=1), Reference(), Notebook()]
        medians = runner.measure_sides(
            record, case, sides, options, "seconds_per_epoch", case.n_epochs
        )
        if Notebook.name in medians:
            ratios.append(medians[Notebook.name] / medians[sides[0].name])
    if ratios:
        mean = float(np.exp(np.mean(np.log(ratios))))
        record.add("notebook / softreg_fast, geometric mean", "all cases", "ratio", mean)
    return record
