"""Epochs of `SoftmaxClassifier`'s gradient descent against the bare kernels of `SoftmaxRegressor`.

Logits, the same batches, no accuracy. The same parameters are asserted of the plain method; an
average of the steps, and shuffled rows, lead to about the same loss.
"""

from dataclasses import replace

from .. import cases, runner
from ..options import add_common, select
from ..record import Record
from ..sides.descent import Bare, Proximal

ROWS_OF_A_RUN = 400_000


def all_cases():
    """What is trained on."""
    found = []
    for *shape, batch_size, dtype in [
        (150, 4, 3, 150, "float64"),
        (150, 4, 3, 16, "float64"),
        (200_000, 54, 7, 256, "float64"),
        (200_000, 54, 7, 256, "float32"),
        (200_000, 54, 2, 256, "float64"),
        (30_000, 784, 10, 256, "float32"),
    ]:
        case = cases.dense(*shape, batch_size=batch_size, dtype=dtype, learning_rate=0.01)
        found.append(replace(case, n_epochs=max(2, ROWS_OF_A_RUN // case.n_samples)))
    return found


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser)


def run(options):
    """Measure; gives the record."""
    record = Record("epochs")
    for case in select(all_cases(), options):
        sides = [
            Bare("bare kernels"),
            Proximal("classifier", "plain"),
            Proximal("with averaging", "averaged"),
            Proximal("with averaging, shuffled", "averaged", shuffle_seed=1),
        ]
        n_rows = case.n_epochs * case.n_samples
        runner.measure_sides(record, case, sides, options, "seconds_per_row", n_rows)
    return record
