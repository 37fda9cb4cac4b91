"""Rows of a problem in blocks, for what NumPy and SciPy calculate of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from .._typing import FloatArray
from .problem import Problem


@dataclass(frozen=True)
class RowBlock:
    """Neighbouring rows.

    Attributes
    ----------
    rows : slice
        Which rows of the problem they are.
    features : ndarray, csr_array or Table of shape (n_rows, n_features)
        Of the same memory, but for a table.
    targets : ndarray of shape (n_rows,), int32
    weights : ndarray of shape (n_rows,), float64
        Ones, if the problem has none.
    """

    rows: slice
    features: Any
    targets: npt.NDArray[np.int32]
    weights: FloatArray

    def dense_features(self) -> FloatArray:
        """A float64 array that may be changed, unless the features are dense and float64."""
        features = self.features
        return np.asarray(
            features if isinstance(features, np.ndarray) else features.toarray(), np.float64
        )


def row_blocks(problem: Problem, numbers_per_row: int, most_numbers: int) -> Iterator[RowBlock]:
    """All rows, in order.

    Parameters
    ----------
    problem : Problem
    numbers_per_row : int
        That are held of each row at a time.
    most_numbers : int
        That may be held at a time, but for a single row's.
    """
    step = max(1, most_numbers // numbers_per_row)
    for start in range(0, problem.n_samples, step):
        rows = slice(start, min(start + step, problem.n_samples))
        features = problem.features
        yield RowBlock(
            rows,
            rows_of(features, rows) if problem.is_sparse else features[rows],
            problem.targets[rows],
            problem.weights(rows),
        )


def rows_of(features: csr_array, rows: slice) -> csr_array:
    """Some rows, without a copy of their elements."""
    if rows.start == 0 and rows.stop == features.shape[0]:
        return features
    return view_rows(features.data, features.indices, features.indptr, rows, features.shape[1])


def view_rows(data: Any, indices: Any, pointers: Any, rows: slice, n_features: int) -> csr_array:
    """Some rows of sparse arrays; elements and their columns are of the same memory."""
    own = np.asarray(pointers[rows.start : rows.stop + 1])
    elements = slice(own[0], own[-1])
    matrix = csr_array((rows.stop - rows.start, n_features), dtype=data.dtype)
    matrix.data, matrix.indices = _detached(data[elements]), _detached(indices[elements])
    own = own - own[0]
    if own[-1] <= np.iinfo(indices.dtype).max:
        own = own.astype(indices.dtype, copy=False)
    matrix.indptr = own
    return matrix


def _detached(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same memory; as a part of a longer array, SciPy would copy it."""
    return np.frombuffer(array.data, array.dtype) if len(array) else np.empty(0, array.dtype)
