"""Predictions of one row and of many: probabilities, labels, and the notebook's model.

All sides have the same coefficients and must give the same numbers.
"""

import numpy as np

from .. import cases
from ..options import add_common, select
from ..record import Record
from ..runner import check_sides, prepare_sides
from ..sides.prediction import NotebookModelSide, label_sides, probability_sides
from ..sides.regressor import Kernels, Notebook, Reference
from ..timing import take_turns

N_CALLS = {True: 200, False: 5}  # by whether a call is of one row


def _regressor_sides(*rows):
    return [NotebookModelSide(side, *rows) for side in (Kernels(), Reference(), Notebook())]


METHODS = {
    "predict_proba": probability_sides,
    "predict": label_sides,
    "SoftmaxRegressor.predict": _regressor_sides,
}


def all_cases():
    """What is predicted."""
    return [
        cases.dense(1000, 20, 5, batch_size=100),
        cases.case("digits"),
        cases.case("small-covertype"),
        cases.case("covertype-shape", dtype="float64"),
    ]


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, repeats=11)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))


def run(options):
    """Measure; gives the record."""
    record = Record("predict")
    for case in select(all_cases(), options, key=lambda each: each.title):
        for method in options.methods:
            for is_one_row in (True, False):
                n_rows = 1 if is_one_row else case.n_samples
                rows = "one row" if is_one_row else f"{n_rows:,} rows"
                name = record.add_case(case, f"{method}, {rows}: {case.title}")
                print(f"{name} ...", flush=True)
                n_calls = N_CALLS[is_one_row]
                sides = prepare_sides(record, case, METHODS[method](n_rows, n_calls), options)
                turns = take_turns({side.name: side.run for side in sides}, options.repeats)
                for side in sides:
                    seconds = np.divide(turns[side.name].seconds, n_calls)
                    if is_one_row:
                        record.add(name, side.name, "seconds_per_call", seconds)
                    else:
                        record.add(name, side.name, "rows_per_second", n_rows / seconds)
                check_sides(record, name, sides)
        cases.forget()
    return record
