"""Columns of a table as rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def put_side_by_side(columns: Sequence[npt.NDArray[Any]], dtype: np.dtype) -> npt.NDArray[Any]:
    """Columns as the rows of a C-ordered matrix.

    Parameters
    ----------
    columns : sequence of ndarray of shape (n_rows,)
    dtype : numpy.dtype
        Of the matrix.

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
    """
    matrix = np.column_stack([column.astype(dtype) for column in columns])
    return np.ascontiguousarray(matrix)
