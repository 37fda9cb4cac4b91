"""What a fit of iris does before its solver: checks and encoding, beside scikit-learn's checks."""

import numpy as np
from sklearn.utils.validation import validate_data

from softreg_fast import SoftmaxClassifier

from .. import cases
from ..internals import prepare_fit
from ..options import add_common
from ..record import Record
from ..timing import take_turns

N_CALLS = 20


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, sides=False)


def run(options):
    """Measure; gives the record."""
    record = Record("checks")
    case = cases.case("iris-raw")
    name = record.add_case(case, case.title)
    X, y = case.load()
    model = SoftmaxClassifier()

    def validate():
        return validate_data(
            model, X, y, accept_sparse="csr", dtype=(np.float64, np.float32),
            ensure_all_finite=False,
        )  # fmt: skip

    def repeat(function):
        return lambda: [function() for _ in range(N_CALLS)]

    turns = take_turns(
        {"softreg_fast": repeat(lambda: prepare_fit(X, y)), "validate_data": repeat(validate)},
        options.repeats,
    )
    for side, found in turns.items():
        record.add(name, side, "seconds_per_call", np.divide(found.seconds, N_CALLS))
    return record
