"""Pieces of a source, cut and joined to blocks of a fixed number of rows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from ..data.blocked import stack
from ..data.row_blocks import rows_of

MOST_BYTES = 32 << 20
"""Of the features of a block, unless users say how many rows it has."""


@dataclass(frozen=True)
class Part:
    """Rows of a checked piece; see `Piece`.

    Attributes
    ----------
    features : ndarray or csr_array of shape (n_rows, n_features)
    codes : ndarray of shape (n_rows,), int32, or None
    weights : ndarray of shape (n_rows,), float64, or None
    place : str
    first_row : int
    """

    features: Any
    codes: npt.NDArray[np.int32] | None
    weights: npt.NDArray[np.float64] | None
    place: str
    first_row: int

    def __len__(self) -> int:
        return int(self.features.shape[0])

    def cut(self, start: int, stop: int) -> "Part":
        """Some of its rows, without a copy."""
        if start == 0 and stop == len(self):
            return self
        rows = slice(start, stop)
        features = self.features
        return Part(
            rows_of(features, rows) if issparse(features) else features[rows],
            None if self.codes is None else self.codes[rows],
            None if self.weights is None else self.weights[rows],
            self.place,
            self.first_row + start,
        )


def rows_of_dense_blocks(n_features: int, dtype: np.dtype) -> int:
    """Rows of a block of dense features: a power of two, so that sources agree."""
    return 1 << max(0, (MOST_BYTES // (n_features * dtype.itemsize)).bit_length() - 1)


def cut_into_blocks(parts: Iterable[Part], block_rows: int | None) -> Iterator[list[Part]]:
    """Parts of each block.

    Parameters
    ----------
    parts : iterable of Part
        None of them empty.
    block_rows : int or None
        Of a block but the last. None takes as many rows as take `MOST_BYTES` at most, or a single
        one; of sparse rows that is.
    """
    held: list[Part] = []
    size = 0  # rows or bytes
    most = MOST_BYTES if block_rows is None else block_rows
    for part in parts:
        start = 0
        while start < len(part):
            if block_rows is not None:
                stop = min(start + most - size, len(part))
                added = stop - start
            else:
                stop, added = _fill(part, start, most - size, is_first=not held)
            if stop > start:
                held.append(part.cut(start, stop))
                size += added
            start = stop
            if start < len(part) or size == most:
                yield held
                held, size = [], 0
    if held:
        yield held


def _fill(part: Part, start: int, room: int, *, is_first: bool) -> tuple[int, int]:
    """Up to which sparse row there is room, and how many bytes these rows take."""
    pointers = part.features.indptr
    # Of 32-bit indices, whatever these are: cuts must not depend on it.
    per_element = part.features.data.itemsize + 4
    bytes_before = pointers.astype(np.int64) * per_element + np.arange(len(pointers)) * 8
    stop = int(np.searchsorted(bytes_before, bytes_before[start] + room, side="right")) - 1
    stop = max(stop, start + is_first)
    return stop, int(bytes_before[stop] - bytes_before[start])


def join(parts: list[Part]) -> Part:
    """Parts as one, whose dense features are C-ordered."""
    first = parts[0]
    features = stack([part.features for part in parts])
    if not issparse(features):
        features = np.ascontiguousarray(features)
    return Part(
        features,
        None if first.codes is None else np.concatenate([part.codes for part in parts]),
        None if first.weights is None else np.concatenate([part.weights for part in parts]),
        first.place,
        first.first_row,
    )
