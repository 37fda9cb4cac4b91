"""What passes over sparse rows work with: the rows by columns, and arrays for kernels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from .._typing import FloatArray
from ..kernels.groups import N_ROW_VALUES
from ..kernels.shapes import SparseSpecialisation
from ..kernels.sparse_columns import ColumnsSpecialisation, count_elements, place_elements
from . import tuning
from .claimed_map import claimed_map
from .workspace import aligned_zeros, round_up


@dataclass(frozen=True)
class Panel:
    """Some rows of a sparse matrix by columns; see `kernels.groups.Columns`.

    Attributes
    ----------
    data : ndarray of shape (n_elements,)
    rows : ndarray of shape (n_elements,), int32
    pointers : ndarray of shape (n_features + 1,), int64
    cuts : ndarray of shape (n_chunks + 1,), int64
    """

    data: FloatArray
    rows: npt.NDArray[np.int32]
    pointers: npt.NDArray[np.int64]
    cuts: npt.NDArray[np.int64]

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The arrays in the order in which entry points take them."""
        return self.data, self.rows, self.pointers, self.cuts


def take_panel(
    features: csr_array, pointers: npt.NDArray[Any], start: int, stop: int, n_threads: int
) -> Panel:
    """The rows from `start` to `stop`, by columns: a copy of their elements.

    Parameters
    ----------
    features : csr_array
    pointers : ndarray of shape (n_samples + 1,)
        Its `indptr`, in the type of its `indices`.
    start, stop : int
    n_threads : int
    """
    n_features = features.shape[1]
    cuts = np.linspace(start, stop, n_threads + 1).astype(np.int64)
    chunks = range(n_threads)
    number = np.dtype(np.uint32 if features.nnz < 2**32 else np.uint64)
    kind = ColumnsSpecialisation(features.dtype, features.indices.dtype, number)
    count, place = count_elements.specialise(kind), place_elements.specialise(kind)
    counts = np.zeros((n_threads, n_features), number)

    def count_chunk(chunk: int) -> None:
        first, last = pointers[cuts[chunk]], pointers[cuts[chunk + 1]]
        count(features.indices, int(first), int(last), counts[chunk])

    claimed_map(count_chunk, chunks, n_threads)
    column_pointers = np.zeros(n_features + 1, np.int64)
    np.cumsum(counts.sum(axis=0), out=column_pointers[1:])
    places = np.cumsum(counts, axis=0, dtype=number) - counts
    places += column_pointers[:-1].astype(number)
    n_elements = int(column_pointers[-1])
    data, rows = np.empty(n_elements, features.dtype), np.empty(n_elements, np.int32)

    def place_chunk(chunk: int) -> None:
        bounds = int(cuts[chunk]), int(cuts[chunk + 1])
        all_rows = features.data, features.indices, pointers
        place(*all_rows, *bounds, start, places[chunk], data, rows)

    claimed_map(place_chunk, chunks, n_threads)
    # A feature without elements costs about as much as two elements.
    costs = column_pointers + 2 * np.arange(len(column_pointers))
    n_chunks = min(tuning.MOST_CHUNKS, n_features)
    feature_cuts = np.searchsorted(costs, np.linspace(0, costs[-1], n_chunks + 1))
    return Panel(data, rows, column_pointers, np.unique(feature_cuts))


def no_panel(dtype: np.dtype) -> Panel:
    """What stands for a panel where no gradient is wanted; `dtype` is that of the features."""
    none = np.zeros(1, np.int64)
    return Panel(np.zeros(0, dtype), np.zeros(0, np.int32), none, none)


def estimate_sparse_work(features: csr_array, n_padded: int) -> int:
    """About how many multiplications the rows cost; see `workspace.estimate_work`."""
    per_column = tuning.PRODUCTS_PER_SPARSE_ELEMENT * int(features.nnz)
    per_column += tuning.PRODUCTS_PER_CLASS * int(features.shape[0])
    return per_column * n_padded


def choose_panel_rows(features: csr_array, sample_weight: FloatArray | None, n_padded: int) -> int:
    """Rows of a panel, for models of as many columns, padded.

    It depends on the sizes alone: not on the number of threads, nor on rows of weight zero.
    """
    n_samples, n_features = features.shape
    n_elements = int(features.nnz)
    if sample_weight is not None:
        n_elements = int(np.diff(features.indptr)[sample_weight > 0.0].sum())
    per_row = max(1, n_elements // n_samples)
    for_cache = tuning.SLOPES_OF_A_PANEL // n_padded
    for_interrupts = tuning.ELEMENTS_PER_CALL // (per_row * n_padded)
    # Fewer would leave little but the gradients of many panels to be read and written.
    fewest = tuning.ELEMENTS_OF_A_FEATURE * n_features // per_row
    return int(min(max(1, fewest, min(for_cache, for_interrupts)), n_samples))


@dataclass(frozen=True)
class SparseWorkspace:
    """What a thread works in; see `kernels.groups.SparseWorkspace`."""

    tile: FloatArray
    lines: FloatArray
    numbers: npt.NDArray[np.int64]
    totals: FloatArray

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The arrays in the order in which entry points take them."""
        return self.tile, self.lines, self.numbers, self.totals


def make_sparse_workspaces(
    n_threads: int, n_padded: int, specialisation: SparseSpecialisation
) -> list[SparseWorkspace]:
    """A workspace for each of some threads, for models of as many columns, padded."""
    dtype = specialisation.dtype
    rows = tuning.SPARSE_TILE_BYTES // (dtype.itemsize * n_padded)
    rows = min(max(rows, 1), tuning.MOST_TILE_ROWS)
    tile_rows = round_up(rows, specialisation.row_multiple)
    return [
        SparseWorkspace(
            aligned_zeros((2 * n_padded + N_ROW_VALUES, tile_rows), dtype),
            aligned_zeros((tile_rows, n_padded), dtype),
            np.zeros(tile_rows, np.int64),
            np.zeros(n_padded),
        )
        for _ in range(n_threads)
    ]
