"""Loss and gradient over all rows of a problem, whatever the rows are."""

from collections.abc import Callable, Iterator

from ..data.blocked import BlockedProblem
from ..data.problem import Problem
from . import blocks
from .blockwise import BlockwiseAccumulator
from .dense import Accumulator
from .moments import PlacedPanel
from .sparse import SparseAccumulator
from .table import TableAccumulator

AnyAccumulator = (
    Accumulator
    | SparseAccumulator
    | TableAccumulator
    | blocks.BlockAccumulator
    | BlockwiseAccumulator
)


def accumulator_of(
    problem: Problem, n_columns: int, n_threads: int | None = None
) -> AnyAccumulator:
    """The accumulator that suits the problem's features; see `Accumulator` for the arguments."""
    if isinstance(problem, BlockedProblem):
        return BlockwiseAccumulator(problem, n_columns, n_threads, accumulator_of)
    if problem.is_sparse:
        return SparseAccumulator(problem, n_columns, n_threads)
    if problem.is_table:
        return TableAccumulator(problem, n_columns, n_threads)
    if blocks.suits(problem.features.shape[1], n_columns):
        return blocks.BlockAccumulator(problem, n_columns, n_threads)
    return Accumulator(problem, n_columns, n_threads)


def panels_of(
    accumulator: AnyAccumulator,
) -> Callable[[], Iterator[PlacedPanel]] | None:
    """What gives the rows by columns that an accumulator has, if they are sparse."""
    return accumulator.panels if isinstance(accumulator, SparseAccumulator) else None
