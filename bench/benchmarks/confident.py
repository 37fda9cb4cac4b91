"""Time per row of confident models.

Exponentials of very negative numbers are subnormal, and products with subnormal numbers may take a
hundred times as long as others. The kernels flush them to zero, so that the time per row must not
depend on how far apart the logits of a row's classes are.
"""

import numpy as np

from .. import cases
from ..internals import BareDescent
from ..options import add_common, contains
from ..record import Record
from ..timing import take_turns

DISTANCES = 1, 30, 60, 90, 110, 300, 700, 1000
MODELS = [("identity", "exact"), ("sigmoid", "exact"), ("sigmoid", "notebook")]
LEARNING_RATE = 1e-6


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, sides=False)


def run(options):
    """Measure; gives the record."""
    record = Record("confident")
    for dtype in ("float64", "float32"):
        case = cases.one_hot(dtype)
        for activation, gradient in MODELS[:1] if options.quick else MODELS:
            name = f"{dtype}, {activation}, {gradient} gradient"
            if not contains(name, options.cases):
                continue
            record.add_case(case, name)
            bare = BareDescent(*case.load(), activation)

            def train(distance, bare=bare, case=case, gradient=gradient):
                coef = distance * (np.eye(case.n_features) - 0.5)
                return bare.start(
                    case.batch_size, case.n_epochs, LEARNING_RATE,
                    gradient=gradient, coef=coef, n_threads=1,
                )()  # fmt: skip

            runs = {f"logits {each} apart": lambda each=each: train(each) for each in DISTANCES}
            for side, turns in take_turns(runs, options.repeats).items():
                n_rows = case.n_epochs * case.n_samples
                record.add(name, side, "seconds_per_row", np.divide(turns.seconds, n_rows))
    return record
