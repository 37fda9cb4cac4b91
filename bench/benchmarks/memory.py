"""Peak memory of a fit beside the features, in a fresh process, after a fit of a few rows.

Linux alone. `SoftmaxRegressor` must need less than 8 MiB: no copy of the features.
"""

import sys

from .. import cases
from ..memory import MAKERS, can_measure, peak_bytes
from ..options import add_common, select
from ..record import Record

LIMIT = 8 * 2**20
SIDE = "softreg_fast"


def all_cases():
    """What is fitted: cases and kinds of fits."""
    regressor = [
        cases.dense(200_000, 100, 10, batch_size=1000),
        cases.dense(200_000, 100, 10, batch_size=200_000),
        cases.dense(20_000, 784, 100, batch_size=20_000),
    ]
    exact = [
        cases.dense(500_000, 54, 7), cases.dense(100_000, 784, 10), cases.dense(100_000, 200, 50)
    ]  # fmt: skip
    kinds = "lbfgs", "newton", "cross-validation"
    return [
        *((f"regressor: {case}", "regressor", case) for case in regressor),
        *((f"{kind}: {case.title}", kind, case) for case in exact for kind in kinds),
        *((f"L1: {case.title}", "L1", case) for case in [exact[1], cases.dense(10_000, 2_000, 2)]),
        *(
            (f"{kind}: {case.title}", kind, case)
            for kind, case in [
                ("sparse sgd", cases.sparse(100_000, 500_000, 20)),
                ("sparse lbfgs", cases.sparse(100_000, 96_000, 20)),
                ("sparse newton", cases.sparse(100_000, 96_000, 20)),
                ("sparse L1", cases.sparse(100_000, 96_000, 20)),
                ("tf-idf newton", cases.tf_idf(20_000, 100_000, 20)),
            ]
        ),
    ]


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, repeats=1, sides=False)
    parser.add_argument("--exact", action="store_true", help="exact solvers too, in two minutes")
    parser.add_argument("--sparse", action="store_true", help="sparse rows too, in a minute")


def _is_wanted(kind, options):
    if kind == "regressor":
        return True
    return options.sparse if kind.split()[0] in MAKERS else options.exact


def run(options):
    """Measure; gives the record."""
    if not can_measure():
        sys.exit("memory needs Linux")
    record = Record("memory")
    wanted = [each for each in all_cases() if _is_wanted(each[1], options)]
    for name, kind, case in select(wanted, options, key=lambda each: each[0]):
        record.add_case(case, name)
        peaks = [peak_bytes(kind, case) for _ in range(options.repeats)]
        coefficients = 8 * case.n_features * case.n_columns
        found = record.add(
            name, SIDE, "peak_bytes", peaks,
            times_the_coefficients=peaks[0] / coefficients,
        )  # fmt: skip
        if kind == "regressor":
            record.check(name, SIDE, "peak bytes", found, LIMIT)
    return record
