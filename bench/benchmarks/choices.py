"""Which exact solver is the faster, and what `solver="auto"` takes.

Cases of many shapes are fitted with "newton" and "lbfgs" to the same bound of the gap. Notes in the
record say what "auto" takes, and by what: the products of taking second derivatives once over those
of a pass over the rows.
"""

import warnings

from softreg_fast import SoftmaxClassifier

from .. import cases
from ..internals import choose_exact_solver
from ..options import add_common, select
from ..record import Record
from ..timing import take_turns

SOLVERS = "newton", "lbfgs"
SHAPES = [
    (500, 300, 20),
    (300, 1_000, 3),
    (1_000, 1_000, 3),
    (200, 2_000, 2),
    (2_000, 2_000, 2),
    (20_000, 2_000, 2),
    (2_000, 1_500, 4),
    (5_000, 1_000, 5),
    (50_000, 1_000, 5),
    (5_000, 300, 20),
    (5_000, 784, 10),
    (20_000, 784, 10),
    (20_000, 500, 10),
    (10_000, 100, 100),
    (50_000, 30, 30),
    (200_000, 54, 7),
]
SPARSE_SHAPES = [
    (5_000, 50_000, 2),
    (20_000, 50_000, 2),
    (20_000, 10_000, 5),
    (50_000, 5_000, 5),
]
TEXT_SHAPES = [
    (20_000, 100_000, 2),
    (20_000, 100_000, 20),
    (20_000, 20_000, 5),
    (20_000, 5_000, 5),
]


def all_cases():
    """What is fitted; the smallest first."""
    dense = (cases.dense(*shape, maker_options=(("correlation", 0.5),)) for shape in SHAPES)
    sparse = (cases.sparse(*shape, name="zipf", dtype="float64") for shape in SPARSE_SHAPES)
    return [*dense, *sparse, *(cases.tf_idf(*shape) for shape in TEXT_SHAPES)]


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, repeats=3, sides=False)
    parser.add_argument("--C", type=float, default=1.0)
    parser.add_argument("--gap", type=float, default=1e-4, help="bound that fits stop by")


def run(options):
    """Measure; gives the record."""
    warnings.simplefilter("ignore")
    record = Record("choices")
    for case in select(all_cases(), options, key=lambda each: each.title):
        name = record.add_case(case, case.title)
        X, y = case.load()

        def fit(solver, X=X, y=y):
            settings = {"C": options.C, "gap_tol": options.gap, "max_iter": 10_000}
            return SoftmaxClassifier(solver=solver, **settings).fit(X, y)

        turns = take_turns(
            {solver: lambda solver=solver: fit(solver) for solver in SOLVERS}, options.repeats
        )
        chosen, cost = choose_exact_solver(X, case.n_columns)
        for solver in SOLVERS:
            record.check(name, solver, "bound of the gap", turns[solver].result.gap_, options.gap)
            record.add(name, solver, "seconds", turns[solver].seconds)
        times = {solver: turns[solver].median for solver in SOLVERS}
        loss = times[chosen] / min(times.values())
        record.add(name, chosen, "ratio", loss, of="the faster", relative_cost=float(cost))
        print(f"  auto takes {chosen}, at a relative cost of {cost:.0f}", flush=True)
        cases.forget()
    return record
