"""`SoftmaxRegressor`, plain NumPy without the repeated array, and the notebook's form.

Times are of an epoch with its accuracy, input checks included. All sides train from the same start
and must reach the same losses.
"""

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
        *(cases.case(name) for name in ("wide", "medium", "many-classes", "many-rows")),
    ]


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser)
    parser.add_argument("--long", action="store_true", help="the long cases too")


def run(options):
    """Measure; gives the record."""
    record = Record("regressor")
    wanted = [case for case in all_cases() if options.long or not case.is_long]
    for case in select(wanted, options):
        sides = [Kernels(), Kernels(n_threads=1), Reference(), Notebook()]
        runner.measure_sides(record, case, sides, options, "seconds_per_epoch", case.n_epochs)
    return record
