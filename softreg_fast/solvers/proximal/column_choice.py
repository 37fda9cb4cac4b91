"""Which kind of columns a problem's are."""

from ...data.problem import Problem
from ...objective.moments import FeatureSums
from ...objective.passes import AnyAccumulator
from .columns import Columns
from .dense_columns import DenseColumns
from .listed_columns import ListedColumns


def choose_columns(
    problem: Problem,
    sums: FeatureSums,
    accumulator: AnyAccumulator,
    n_classes: int,
    *,
    fit_intercept: bool,
    n_threads: int | None,
    are_exact: bool = False,
) -> Columns:
    """Columns of a problem's features, none yet.

    Parameters
    ----------
    problem, sums, n_classes, fit_intercept, n_threads
        See `columns.Columns`.
    accumulator : Accumulator or SparseAccumulator
    are_exact : bool, default=False
        Whether they may not be rounded.
    """
    if problem.is_sparse or n_classes > 1:
        return ListedColumns(
            problem,
            sums,
            n_classes,
            fit_intercept=fit_intercept,
            n_threads=n_threads,
            accumulator=accumulator,
        )
    return DenseColumns(
        problem,
        sums,
        n_classes,
        fit_intercept=fit_intercept,
        n_threads=n_threads,
        is_exact=are_exact,
    )
