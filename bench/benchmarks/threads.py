"""What threads gain: 1, 2, 4 ... of them, up to the number of CPUs.

Plain descent on logits, without an accuracy pass. Any number must reach the same bits.
"""

import joblib

from .. import runner
from ..options import add_common, select
from ..record import Record
from ..sides.descent import Bare
from .variants import sweep


def all_cases():
    """What is trained on."""
    return sweep(
        [
            (20_000, 54, 7, 20_000, "float64"),
            (500_000, 54, 7, 500_000, "float64"),
            (500_000, 54, 7, 500_000, "float32"),
            (60_000, 784, 10, 1024, "float64"),
            (60_000, 784, 10, 1024, "float32"),
        ]
    )


def all_sides():
    """The numbers of threads."""
    numbers = [1]
    while 2 * numbers[-1] <= joblib.cpu_count():
        numbers.append(2 * numbers[-1])
    return [
        Bare(f"{number} thread" + ("s" if number > 1 else ""), n_threads=number, tolerance=0.0)
        for number in numbers
    ]


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser)


def run(options):
    """Measure; gives the record."""
    record = Record("threads")
    for case in select(all_cases(), options):
        n_rows = case.n_epochs * case.n_samples
        runner.measure_sides(record, case, all_sides(), options, "seconds_per_row", n_rows)
    return record
