"""Loss and gradient over all rows of a problem, whatever the rows are."""

from ..data.problem import Problem
from .dense import Accumulator
from .sparse import SparseAccumulator


def accumulator_of(
    problem: Problem, n_columns: int, n_threads: int | None = None
) -> Accumulator | SparseAccumulator:
    """The accumulator that suits the problem's features; see `Accumulator` for the arguments."""
    if problem.is_sparse:
        return SparseAccumulator(problem, n_columns, n_threads)
    return Accumulator(problem, n_columns, n_threads)
