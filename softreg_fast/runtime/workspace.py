"""The arrays that kernels work on, made from and turned back into what users see."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray
from ..kernels.groups import N_ROW_VALUES
from ..kernels.matmul import SQUARE
from ..kernels.shapes import Order, Specialisation, choose_specialisation
from ..kernels.simd.cpu import CACHE_LINE
from ..kernels.threads.claims import make_shared
from . import tuning

Item = TypeVar("Item")


def round_up(number: int, multiple: int) -> int:
    """The number, or the next multiple above it."""
    return -(-number // multiple) * multiple


def aligned_zeros(shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
    """An array of zeros that begins at a cache line, so that no vector lies across two."""
    dtype = np.dtype(dtype)
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    memory = np.zeros(n_bytes + CACHE_LINE, np.uint8)
    first = -memory.ctypes.data % CACHE_LINE
    array: npt.NDArray[Any] = memory[first : first + n_bytes].view(dtype).reshape(shape)
    return array


@contextmanager
def borrowed(spare: list[Item], make: Callable[[], Item]) -> Iterator[Item]:
    """A context with an item that nobody else works in: a spare one, or another one.

    It is spare afterwards, unless something is raised.
    """
    try:
        item = spare.pop()
    except IndexError:  # other threads have them
        item = make()
    yield item
    spare.append(item)


def are_rows_contiguous(features: FloatArray) -> bool:
    """Whether the numbers of a row are neighbours in memory."""
    return features.strides[1] == features.itemsize or features.shape[1] == 1


def order_of(features: FloatArray) -> Order:
    """How features lie in memory."""
    if are_rows_contiguous(features):
        return "rows"
    return "columns" if features.strides[0] == features.itemsize else "scattered"


def columns_in_place(features: FloatArray, specialisation: Specialisation) -> FloatArray | None:
    """The features transposed as kernels take them, None if they don't."""
    return features.T if specialisation.in_place else None


def specialise(features: FloatArray, dtype: np.dtype, n_columns: int) -> Specialisation:
    """What kernels are compiled for, given features and the columns of a model."""
    return choose_specialisation(
        features.dtype,
        dtype,
        features.shape[1],
        n_columns,
        order_of(features),
    )


def pack_parameters(
    weights: FloatArray, bias: FloatArray, specialisation: Specialisation
) -> FloatArray:
    """Weights and bias in one array, padded with zeros to whole vectors.

    Parameters
    ----------
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    specialisation : Specialisation

    Returns
    -------
    ndarray of shape (padded_classes, padded_features + lanes)
        A row for each column of the model; its bias is the first number of the last vector.
    """
    n_features, n_columns = weights.shape
    lanes = specialisation.lanes
    shape = round_up(n_columns, specialisation.classes), round_up(n_features, lanes) + lanes
    parameters = aligned_zeros(shape, specialisation.dtype)
    fill_parameters(weights, bias, specialisation, parameters)
    return parameters


def fill_parameters(
    weights: FloatArray,
    bias: FloatArray,
    specialisation: Specialisation,
    parameters_out: FloatArray,
) -> None:
    """Write weights and bias to what `pack_parameters` has given for a model of their shape."""
    n_features, n_columns = weights.shape
    parameters_out[:n_columns, :n_features] = weights.T
    parameters_out[:n_columns, -specialisation.lanes] = bias


def unpack_parameters(
    parameters: FloatArray, n_features: int, n_columns: int, specialisation: Specialisation
) -> tuple[FloatArray, FloatArray]:
    """The reverse of `pack_parameters`: copies of weights and bias."""
    weights = np.array(parameters[:n_columns, :n_features].T, order="C")
    return weights, parameters[:n_columns, -specialisation.lanes].copy()


def estimate_work(n_rows: int, parameters: FloatArray) -> int:
    """About how many multiplications rows cost, exponentials and the like converted; measured."""
    return n_rows * (parameters.size + tuning.PRODUCTS_PER_CLASS * (len(parameters) + 1))


@dataclass(frozen=True)
class Cuts:
    """Where rows are cut, which decides in which order sums are taken.

    Attributes
    ----------
    tile_rows : int
        Rows that are worked on at a time.
    chunk_rows : int
        Rows whose gradient is summed by one thread, a multiple of `tile_rows`.
    n_chunks : int
        Chunks that may be worked on at once.
    """

    tile_rows: int
    chunk_rows: int
    n_chunks: int

    @property
    def round_rows(self) -> int:
        """Rows of that many chunks."""
        return self.n_chunks * self.chunk_rows


def choose_cuts(
    batch_size: int, n_features: int, parameters: FloatArray, specialisation: Specialisation
) -> Cuts:
    """Cuts for batches of some rows.

    They depend on the shapes and dtypes alone: not on the number of threads.
    """
    lanes, multiple = specialisation.lanes, specialisation.row_multiple
    itemsize = parameters.itemsize
    numbers_per_row = 2 * len(parameters) + N_ROW_VALUES
    if specialisation.transposes:
        numbers_per_row += round_up(n_features, lanes)
    features_bytes = itemsize * n_features
    most_rows = min(
        tuning.LOGITS_BYTES // (itemsize * numbers_per_row), tuning.TILE_BYTES // features_bytes
    )
    if specialisation.transposes or specialisation.in_place:
        most_rows = max(most_rows, min(tuning.COLUMN_ROWS, tuning.COLUMNS_BYTES // features_bytes))
    if estimate_work(batch_size, parameters) < tuning.PRODUCTS_WORTH_CUTTING:
        tile_rows = _share(batch_size, most_rows, multiple)
        return Cuts(tile_rows, round_up(batch_size, tile_rows), 1)
    most_chunks = min(tuning.MOST_CHUNKS, max(tuning.GRADIENTS_BYTES // parameters.nbytes, 4))
    rows = max(min(tuning.CHUNK_ROWS, -(-batch_size // 2)), -(-batch_size // most_chunks))
    tile_rows = _share(rows, most_rows, multiple)
    chunk_rows = min(round_up(rows, tile_rows), tuning.MOST_TILES_IN_A_CHUNK * tile_rows)
    return Cuts(tile_rows, chunk_rows, min(most_chunks, -(-batch_size // chunk_rows)))


@dataclass(frozen=True)
class ChunkSums:
    """What the chunks of a pass are summed in; see `kernels.groups.Sums`.

    Attributes
    ----------
    gradients : ndarray of shape (n_buffers, padded_classes, padded_features + lanes)
    totals : ndarray of shape (padded_classes, padded_features + lanes), float64
    chunk_results : ndarray of shape (n_buffers, 2), float64
    shared : ndarray of shape (n_shared,), int64
    """

    gradients: FloatArray
    totals: FloatArray
    chunk_results: FloatArray
    shared: npt.NDArray[np.int64]


def make_chunk_sums(cuts: Cuts, n_threads: int, parameters: FloatArray) -> ChunkSums:
    """Sums of as many chunks as may be worked on at once, by some threads."""
    n_buffers = cuts.n_chunks + n_threads
    return ChunkSums(
        aligned_zeros((n_buffers, *parameters.shape), parameters.dtype),
        aligned_zeros(parameters.shape, np.float64),
        np.zeros((n_buffers, 2)),
        make_shared(cuts.n_chunks, n_threads),
    )


def _share(n_rows: int, most_rows: int, multiple: int) -> int:
    """Rows of equal tiles that are a multiple of some number."""
    most_rows = max(min(most_rows, tuning.MOST_TILE_ROWS), tuning.FEWEST_TILE_ROWS)
    return round_up(-(-n_rows // -(-n_rows // most_rows)), multiple)


@dataclass(frozen=True)
class Windows:
    """How a shuffled order is made up; see `reference.shuffled_rows`.

    Attributes
    ----------
    block_bits : int
        The rows of a block are two to this power.
    window_rows : int
        A power of two.
    """

    block_bits: int
    window_rows: int


def choose_windows(row_bytes: int) -> Windows:
    """Windows for rows of features of some bytes: long blocks, and two windows in the cache."""

    def bits(n_bytes: int) -> int:
        return max(n_bytes // row_bytes, 1).bit_length() - 1

    block_bits = min(bits(tuning.BLOCK_BYTES), tuning.MOST_BLOCK_BITS)
    window_bits = min(
        max(bits(tuning.WINDOW_BYTES), tuning.FEWEST_WINDOW_BITS), tuning.MOST_WINDOW_BITS
    )
    return Windows(block_bits, 1 << window_bits)


@dataclass(frozen=True)
class Workspace:
    """What a thread works in beside the parameters; see `kernels.groups.Workspace`.

    Attributes
    ----------
    tile : ndarray of shape (2 * tile_classes + N_ROW_VALUES, tile_rows)
    feature_tile : ndarray of shape (n_features, tile_rows) or None
    feature_weights : ndarray or None, see `kernels.groups.Workspace`
    numbers : ndarray of shape (4, >= 2 * tile_rows), int64
    """

    tile: FloatArray
    feature_tile: FloatArray | None
    feature_weights: FloatArray | None
    numbers: npt.NDArray[np.int64]

    def forget_rows(self) -> None:
        """Have the rows that the tile holds read again."""
        self.numbers[3, 0] = 0

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The arrays in the order in which entry points take them."""
        return self.tile, self.feature_tile, self.feature_weights, self.numbers


def make_workspaces(
    n_threads: int,
    tile_rows: int,
    n_features: int,
    parameters: FloatArray,
    specialisation: Specialisation,
) -> list[Workspace]:
    """A workspace for each of some threads."""
    row_bytes = n_features * specialisation.features_dtype.itemsize
    by_class = specialisation.by_class
    n_values = 2 * max(len(parameters), by_class.vectors * by_class.lanes) + N_ROW_VALUES
    windows = choose_windows(row_bytes)
    n_numbers = max(2 * tile_rows, (windows.window_rows >> windows.block_bits) + 2)
    padded = round_up(n_features, specialisation.lanes)
    if specialisation.transposes or specialisation.in_place:
        n_numbers = max(n_numbers, padded)
    return [
        _make_workspace(tile_rows, n_features, n_values, n_numbers, parameters, specialisation)
        for _ in range(n_threads)
    ]


def _make_workspace(
    tile_rows: int,
    n_features: int,
    n_values: int,
    n_numbers: int,
    parameters: FloatArray,
    specialisation: Specialisation,
) -> Workspace:
    feature_tile = feature_weights = None
    dtype = parameters.dtype
    if specialisation.transposes:
        padded = round_up(n_features, specialisation.lanes)
        feature_tile = aligned_zeros((padded, tile_rows), dtype)
    by_class = specialisation.by_class
    if by_class.lanes:
        shape = 2, round_up(n_features, len(SQUARE)) + 1, by_class.vectors * by_class.lanes
        feature_weights = aligned_zeros(shape, dtype)
    numbers = np.zeros((4, n_numbers), np.int64)
    numbers[1] = np.arange(n_numbers)
    if specialisation.in_place:
        np.minimum(numbers[1], n_features - 1, out=numbers[1])
    tile = aligned_zeros((n_values, tile_rows), dtype)
    return Workspace(tile, feature_tile, feature_weights, numbers)
