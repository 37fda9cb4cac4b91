"""Compiling ahead of the first use."""

import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ..data.arrays import check_dtype
from ..kernels.columns import combine_columns, contract_columns, descend_columns
from ..kernels.compile.entry_point import EntryPoint
from ..kernels.compile.watch import compiler_watch
from ..kernels.coordinate_descent import CoordinatesSpecialisation, descend_coordinates
from ..kernels.dense_columns import (
    COLUMN_DTYPES,
    choose_specialisation,
    combine_dense_columns,
    contract_dense_columns,
    descend_dense_columns,
)
from ..kernels.gradient import accumulate
from ..kernels.moments import SumsSpecialisation, sum_rows
from ..kernels.newton import follow_by_newton
from ..kernels.predict import predict
from ..kernels.row_slopes import multiply_rows, take_slopes
from ..kernels.sgd_dense import descend
from ..kernels.sgd_notebook import run_epochs
from ..kernels.shapes import (
    SparseSpecialisation,
    Specialisation,
    all_column_specialisations,
    all_specialisations,
)
from ..kernels.weighted_gram import (
    choose_squares_specialisation,
    complete_derivatives,
    weigh_squares,
)

_ENTRY_POINTS: tuple[EntryPoint[Specialisation], ...] = (run_epochs, predict, accumulate, descend)
_OF_COLUMNS: tuple[EntryPoint[SparseSpecialisation], ...] = (
    combine_columns,
    contract_columns,
    descend_columns,
    multiply_rows,
    take_slopes,
)


def _describe(specialisation: Specialisation) -> str:
    rows = "narrow rows" if specialisation.transposes else "wide rows"
    if specialisation.in_place:
        rows = "columns"
    columns = "class" if specialisation.classes == 1 else "classes"
    return f"{specialisation.dtype.name}, {rows}, {specialisation.classes} {columns} at a time"


def warm_up(dtypes: Iterable[Any] = ("float64",), *, verbose: bool = False) -> float:
    """Compile everything for dense features, or load it, so that no later call has to.

    What is compiled is kept on disk; a later process loads it in a fraction of a second.

    Parameters
    ----------
    dtypes : iterable of {"float64", "float32"} or numpy.dtype, default=("float64",)
        For features and models of these dtypes. Features of one dtype with a model of the other
        are compiled at their first use, and so is all that sparse features need.
    verbose : bool, default=False
        Whether to show progress on standard error.

    Returns
    -------
    float
        Seconds that it took.

    Raises
    ------
    ValueError
        A dtype is not allowed.

    Notes
    -----
    A call that has to compile says so on standard error after two seconds, once in a process. The
    environment variable ``SOFTREG_FAST_QUIET=1`` silences it.
    """
    wanted = [check_dtype("dtypes", dtype) for dtype in dtypes]
    jobs: list[tuple[str, Callable[[], Any]]] = [
        (
            "coordinate descent",
            partial(descend_coordinates.specialise, CoordinatesSpecialisation()),
        ),
        *(
            ("squares of features", partial(each.specialise, choose_squares_specialisation()))
            for each in (weigh_squares, complete_derivatives, follow_by_newton)
        ),
    ]
    jobs += [
        (
            f"columns, {each.lanes * each.vectors} classes at a time",
            partial(entry_point.specialise, each),
        )
        for each in all_column_specialisations()
        for entry_point in _OF_COLUMNS
    ]
    jobs += [
        (
            f"dense columns in {dtype.name}",
            partial(entry_point.specialise, choose_specialisation(dtype)),
        )
        for dtype in COLUMN_DTYPES
        for entry_point in (combine_dense_columns, contract_dense_columns, descend_dense_columns)
    ]
    for dtype in dict.fromkeys(wanted):
        jobs.append(
            (f"{dtype.name}, sums", partial(sum_rows.specialise, SumsSpecialisation(dtype)))
        )
        jobs += [
            (_describe(specialisation), partial(entry_point.specialise, specialisation))
            for specialisation in all_specialisations(dtype)
            for entry_point in _ENTRY_POINTS
        ]
    started = time.perf_counter()
    for done, (description, compile_it) in enumerate(jobs, start=1):
        if verbose:
            sys.stderr.write(f"\r{done}/{len(jobs)}  {description:<55}")
            sys.stderr.flush()
        with compiler_watch.unheard():
            compile_it()
    if verbose:
        sys.stderr.write("\n")
    return time.perf_counter() - started
