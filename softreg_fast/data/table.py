"""Tables of numbers and categories, whose one-hot columns are never made."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from .._typing import FloatArray


@dataclass(frozen=True)
class Table:
    """Rows of numbers and categories.

    To the mathematics it is a matrix: a column for each number, and for each categorical column one
    for each of its categories, which is 1 where a row is of the category and 0 elsewhere.

    Attributes
    ----------
    numbers : ndarray of shape (n_numbers, n_samples)
        float32 or float64, C-ordered; may be empty.
    codes : ndarray of shape (n_categorical, n_samples)
        Unsigned integers, C-ordered: of each row the number of its category, or the number of
        categories if it is of none that is known.
    n_categories : tuple of int
        Of each categorical column.
    order : ndarray of shape (n_features,), int64
        The columns of the matrix: numbers of the numeric columns, followed by those of the
        categories.
    """

    numbers: FloatArray
    codes: npt.NDArray[Any]
    n_categories: tuple[int, ...]
    order: npt.NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix."""
        return self.codes.shape[1], len(self.order)

    @property
    def dtype(self) -> np.dtype:
        """Of the numbers."""
        return self.numbers.dtype

    @property
    def size(self) -> int:
        """Numbers and categories of all rows."""
        return int(self.numbers.size + self.codes.size)

    @property
    def n_model_rows(self) -> int:
        """Numbers, categories, and for each categorical column what is known of no category."""
        return len(self.numbers) + sum(self.n_categories) + len(self.n_categories)

    @cached_property
    def offsets(self) -> npt.NDArray[np.int64]:
        """The rows of a model in which the categories of each column begin."""
        sizes = np.array(self.n_categories, np.int64) + 1
        offsets: npt.NDArray[np.int64] = len(self.numbers) + np.cumsum(sizes) - sizes
        return offsets

    @cached_property
    def model_rows(self) -> npt.NDArray[np.int64]:
        """The row of a model that each column of the matrix has."""
        categories = [
            np.arange(offset, offset + count)
            for offset, count in zip(self.offsets, self.n_categories, strict=True)
        ]
        rows: npt.NDArray[np.int64] = np.concatenate([np.arange(len(self.numbers)), *categories])
        return rows[self.order]

    def __getitem__(self, rows: Any) -> "Table":
        """Some rows; a copy."""
        numbers, codes = self.numbers[:, rows], self.codes[:, rows]
        return Table(
            np.ascontiguousarray(numbers),
            np.ascontiguousarray(codes),
            self.n_categories,
            self.order,
        )

    def tocsr(self) -> csr_array:
        """The matrix."""
        n_samples = self.shape[0]
        n_numbers, n_per_row = len(self.numbers), len(self.numbers) + len(self.codes)
        columns_of_rows = np.full(self.n_model_rows, -1, np.int32)
        columns_of_rows[self.model_rows] = np.arange(len(self.order))
        values = np.ones((n_samples, n_per_row), self.dtype)
        columns = np.empty((n_samples, n_per_row), np.int32)
        values[:, :n_numbers] = self.numbers.T
        columns[:, :n_numbers] = columns_of_rows[:n_numbers]
        for place, (codes, offset) in enumerate(zip(self.codes, self.offsets, strict=True)):
            columns[:, n_numbers + place] = columns_of_rows[offset + codes.astype(np.int64)]
        is_there = columns >= 0
        pointers = np.zeros(n_samples + 1, np.int64)
        np.cumsum(is_there.sum(axis=1), out=pointers[1:])
        if pointers[-1] < 2**31:
            pointers = pointers.astype(np.int32)
        matrix = csr_array((values[is_there], columns[is_there], pointers), shape=self.shape)
        matrix.sort_indices()
        return matrix

    def toarray(self) -> FloatArray:
        """The matrix, dense."""
        matrix: FloatArray = self.tocsr().toarray()
        return matrix
