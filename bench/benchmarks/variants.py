"""What other orders of the features in memory, and of the rows, cost.

Plain descent on logits by one thread, without an accuracy pass. Features in Fortran order must lead
to the same parameters; shuffled epochs train on as many rows.
"""

from dataclasses import replace

from .. import cases, runner
from ..options import add_common, select
from ..record import Record
from ..sides.descent import Bare

ROWS_OF_A_RUN = 2_000_000
BATCH_SIZE = 1024


def sweep(shapes):
    """Cases of some shapes and dtypes, with epochs enough to measure."""
    found = []
    for *shape, batch_size, dtype in shapes:
        case = cases.dense(*shape, batch_size=batch_size, dtype=dtype, learning_rate=1e-3)
        found.append(replace(case, n_epochs=max(2, ROWS_OF_A_RUN // case.n_samples)))
    return found


def all_cases():
    """What is trained on."""
    return sweep(
        (*shape, BATCH_SIZE, dtype)
        for *shape, dtype in [
            (10_000, 20, 5, "float32"),
            (1_000_000, 20, 5, "float32"),
            (1_000_000, 20, 5, "float64"),
            (500_000, 54, 7, "float64"),
            (500_000, 54, 7, "float32"),
            (200_000, 100, 10, "float64"),
            (60_000, 784, 10, "float64"),
            (60_000, 784, 10, "float32"),
        ]
    )


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser)


def run(options):
    """Measure; gives the record."""
    record = Record("variants")
    for case in select(all_cases(), options):
        sides = [
            Bare("C order", n_threads=1),
            Bare("Fortran order", n_threads=1, order="F"),
            Bare("shuffled", n_threads=1, shuffle_seed=0),
        ]
        n_rows = case.n_epochs * case.n_samples
        runner.measure_sides(record, case, sides, options, "seconds_per_row", n_rows)
    return record
