"""Truncated Newton's method from zeros, and after epochs of dual coordinate ascent.

Sparse cases of several curvatures, the rows' squared norms over the L2 penalty, and of more and
fewer elements of a feature, are fitted with and without these epochs, to the same bound of the gap.
Notes in the record say what is taken by default. The ratio is the time of that over the faster
one's.
"""

import warnings

import numpy as np

from softreg_fast import SoftmaxClassifier

from .. import cases
from ..internals import dual_ascent, takes_dual_ascent
from ..options import add_common, select
from ..record import Record
from ..timing import take_turns

SIDES = {"from zeros": False, "dual ascent": True}
GAP = 1e-4


def all_cases():
    """What is fitted, and with which `C`; the smallest first."""
    shapes = [
        cases.tf_idf(5_000, 50_000, 2),
        cases.tf_idf(20_000, 100_000, 2),
        cases.tf_idf(20_000, 100_000, 20),
        cases.tf_idf(20_000, 20_000, 5),
        cases.sparse(20_000, 50_000, 2, name="zipf", dtype="float64"),
    ]
    return [(case, C) for case in shapes for C in (0.01, 1.0, 10.0)]


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, repeats=3, sides=False)


def run(options):
    """Measure; gives the record."""
    warnings.simplefilter("ignore")
    record = Record("dual-ascent")
    chosen = select(all_cases(), options, key=lambda item: f"{item[0].title}, C = {item[1]:g}")
    for case, C in chosen:
        name = record.add_case(case, f"{case.title}, C = {C:g}")
        print(f"{name} ...", flush=True)
        X, y = case.load()

        def fit(is_taken, X=X, y=y, C=C):
            with dual_ascent(is_taken=is_taken):
                return SoftmaxClassifier(C=C, gap_tol=GAP, max_iter=10_000, solver="newton").fit(
                    X, y
                )

        turns = take_turns(
            {side: lambda is_taken=is_taken: fit(is_taken) for side, is_taken in SIDES.items()},
            options.repeats,
        )
        for side in SIDES:
            record.add(name, side, "seconds", turns[side].seconds)
            record.check(name, side, "bound of the gap", turns[side].result.gap_, GAP)
        curvature = C * float(np.mean(X.power(2).sum(axis=1)))
        n_elements = X.size / case.n_features
        taken = "dual ascent" if takes_dual_ascent(curvature, n_elements) else "from zeros"
        times = {side: turns[side].median for side in SIDES}
        record.add(
            name, taken, "ratio", times[taken] / min(times.values()), of="the faster",
            curvature=curvature, elements_of_a_feature=n_elements,
        )  # fmt: skip
        cases.forget()
    return record
