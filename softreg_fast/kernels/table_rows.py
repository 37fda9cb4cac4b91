"""Columns of a table as rows."""

from dataclasses import dataclass

import numpy as np
from numba import types

from .compile.entry_point import array_type, entry_point

COLUMNS_AT_A_TIME = 8


@dataclass(frozen=True)
class TableSpecialisation:
    """The types that the entry point is compiled for.

    Attributes
    ----------
    dtype : numpy.dtype
        float32 or float64.
    """

    dtype: np.dtype


def _table_types(specialisation: TableSpecialisation) -> tuple[types.Type, ...]:
    column = array_type(specialisation.dtype, 1, readonly=True)
    return (*[column] * COLUMNS_AT_A_TIME, types.int64, array_type(specialisation.dtype, 2))


@entry_point(_table_types)
def place_columns(c0, c1, c2, c3, c4, c5, c6, c7, first, rows_out):
    """Put eight columns side by side, so that a row's part of a cache line is written at once.

    Parameters
    ----------
    c0, ..., c7 : (n_rows,)
    first : int
        The place of the first one in a row.
    rows_out : (n_rows, n_columns)
    """
    for row in range(len(rows_out)):
        rows_out[row, first] = c0[row]
        rows_out[row, first + 1] = c1[row]
        rows_out[row, first + 2] = c2[row]
        rows_out[row, first + 3] = c3[row]
        rows_out[row, first + 4] = c4[row]
        rows_out[row, first + 5] = c5[row]
        rows_out[row, first + 6] = c6[row]
        rows_out[row, first + 7] = c7[row]
