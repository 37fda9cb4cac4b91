"""Fractions of the machine's ceilings.

Plain mini-batch descent on logits, without an accuracy pass. A fraction is the time that the
binding ceiling allows over the time taken; the ceilings are measured in turns with it. Features are
larger than most last-level caches.
"""

import numpy as np

from .. import cases, runner
from ..ceilings import Ceilings
from ..options import add_common, select
from ..record import Record
from ..sides.descent import Bare

# Features, classes, batch size, dtype, threads.
SHAPES = [
    (54, 7, 1024, "float64", 1),
    (54, 7, 1024, "float32", 1),
    (54, 2, 1024, "float64", 1),
    (54, 2, 1024, "float32", 1),
    (784, 2, 1024, "float64", 1),
    (784, 2, 1024, "float32", 1),
    (784, 10, 1024, "float64", 1),
    (784, 10, 1024, "float32", 1),
    (784, 10, 1024, "float64", 2),
    (784, 10, 1024, "float32", 2),
    (784, 10, 128, "float64", 2),
    (784, 10, 128, "float32", 2),
]
PRODUCTS_OF_A_RUN = 3_000_000_000


def make_case(shape, n_bytes):
    """A case with so many bytes of features, and how many threads train on it."""
    n_features, n_classes, batch_size, dtype, n_threads = shape
    n_samples = int(n_bytes // (n_features * np.dtype(dtype).itemsize))
    n_epochs = max(1, PRODUCTS_OF_A_RUN // (n_samples * n_features * n_classes))
    case = cases.dense(
        n_samples, n_features, n_classes,
        dtype=dtype, batch_size=batch_size, n_epochs=n_epochs, learning_rate=1e-3,
    )  # fmt: skip
    return case, n_threads


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, sides=False)
    parser.add_argument("--bytes", type=float, default=1e9, help="of features (default: 1e9)")


def run(options):
    """Measure; gives the record."""
    record = Record("roofline")
    n_bytes = options.bytes / (100 if options.quick else 1)
    wanted = [make_case(shape, n_bytes) for shape in SHAPES]
    for case, n_threads in select(wanted, options, key=lambda each: str(each[0])):
        ceilings = Ceilings(case.dtype, n_threads, options.quick)
        side = Bare(f"{n_threads} thread" + ("s" if n_threads > 1 else ""), n_threads=n_threads)
        n_rows = case.n_epochs * (case.n_samples // case.batch_size * case.batch_size)
        medians = runner.measure_sides(
            record, case, [side], options, "seconds_per_row", n_rows, beside=ceilings.runs
        )
        ceilings.keep(record, case, side.name, medians[side.name], medians)
    return record
