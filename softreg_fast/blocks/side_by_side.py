"""Columns of a table, put side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..kernels.table_rows import COLUMNS_AT_A_TIME, TableSpecialisation, place_columns

# So many rows of a few columns stay in a cache while they are written.
_TILE_ROWS = 4096
# Fewer rows are written before a kernel has been loaded.
_FEWEST_ROWS = 1 << 14


def put_side_by_side(columns: Sequence[npt.NDArray[Any]], dtype: np.dtype) -> npt.NDArray[Any]:
    """Columns as the rows of a C-ordered matrix.

    Parameters
    ----------
    columns : sequence of ndarray of shape (n_rows,)
        At least one, of numbers.
    dtype : numpy.dtype
        Of the matrix: float32 or float64.

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
    """
    n_rows, n_columns = len(columns[0]), len(columns)
    matrix = np.empty((n_rows, n_columns), dtype)
    firsts: list[int] = []
    if n_rows >= _FEWEST_ROWS and n_columns >= COLUMNS_AT_A_TIME:
        place = place_columns.specialise(TableSpecialisation(dtype))
        last = n_columns - COLUMNS_AT_A_TIME
        firsts = [*range(0, last, COLUMNS_AT_A_TIME), last]  # the last ones may be there already
    as_they_are = [_is_ready(column, dtype) for column in columns]
    for start in range(0, n_rows, _TILE_ROWS):
        tile = matrix[start : start + _TILE_ROWS]
        parts = [column[start : start + _TILE_ROWS] for column in columns]
        if not firsts:
            for number, part in enumerate(parts):
                tile[:, number] = part
            continue
        parts = [
            part if is_ready else np.array(part, dtype)
            for part, is_ready in zip(parts, as_they_are, strict=True)
        ]
        for first in firsts:
            place(*parts[first : first + COLUMNS_AT_A_TIME], first, tile)
    return matrix


def _is_ready(column: npt.NDArray[Any], dtype: np.dtype) -> bool:
    """Whether a kernel reads it as it is."""
    return column.dtype == dtype and column.flags.c_contiguous and column.flags.aligned
