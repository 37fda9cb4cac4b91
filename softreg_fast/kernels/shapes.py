"""What kernels are compiled for: the shapes of their products, and the types of their arguments."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numba import types

from .compile.entry_point import array_type, numba_type
from .simd.cpu import vector_bits, vector_registers

# How features lie in memory: numbers of a row are neighbours, or numbers of a column, or neither.
Order = Literal["rows", "columns", "scattered"]


@dataclass(frozen=True)
class Specialisation:
    """The types that an entry point is compiled for.

    Attributes
    ----------
    features_dtype : numpy.dtype
        What the features are stored in, float32 or float64.
    dtype : numpy.dtype
        What parameters and all arithmetic are in, float32 or float64.
    lanes : int
        Numbers in one SIMD vector of `dtype`.
    side : int
        Vectors of rows or features that products take side by side, a power of two.
    classes : int
        Classes that products take at a time; a model's are padded to a multiple.
    rows_ahead : int
        Rows of the next tile that are fetched into the cache with every `side` rows of this one;
        vectors of the columns, where they are read in place.
    vectors_ahead : int
        The same for vectors, in the pass backward.
    transposes : bool
        Whether tiles of rows are transposed before they are worked on.
    in_place : bool
        Whether columns are read where they lie.
    class_lanes : int
        Numbers in the vectors whose lanes are classes, forward; 0 if the lanes are others.
    """

    features_dtype: np.dtype
    dtype: np.dtype
    lanes: int
    side: int
    classes: int
    rows_ahead: int
    vectors_ahead: int
    transposes: bool
    in_place: bool = False
    class_lanes: int = 0

    @cached_property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The numbers as kernels take them: the lengths of tuples."""
        lengths = (
            self.lanes,
            self.side,
            self.side // 2,
            self.classes,
            self.rows_ahead,
            self.vectors_ahead,
            self.class_lanes,
            min(self.lanes, _ROWS_BY_CLASS),
        )
        return tuple((0,) * length for length in lengths)


@dataclass(frozen=True)
class SparseSpecialisation:
    """The types that an entry point for sparse features is compiled for.

    Attributes
    ----------
    features_dtype, index_dtype, dtype : numpy.dtype
        Of the elements, of their columns, and of parameters and arithmetic.
    lanes : int
        Classes in a vector.
    vectors : int
        Vectors side by side.
    row_lanes : int
        Rows in a vector, for the loss.
    """

    features_dtype: np.dtype
    index_dtype: np.dtype
    dtype: np.dtype
    lanes: int
    vectors: int
    row_lanes: int

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The numbers as kernels take them: the lengths of tuples."""
        return tuple((0,) * length for length in (self.lanes, self.vectors, self.row_lanes))


# Where the lanes are classes, as many rows at a time hide the latency of a multiplication.
_ROWS_BY_CLASS = 8


# Rows of fewer vectors are transposed: their sums across lanes would cost too much.
_WIDE_VECTORS = 3


# Of how many features the lanes are classes, by how many of these; measured.
_FEWEST_FEATURES_BY_CLASS = 16


_MOST_FEATURES_BY_CLASS = {4: 40, 8: 64}


# The next tile is fetched forward, as many rows as are worked on; of long rows less with each step
# forward (rows) and more backward (vectors), where memory has less to do. Measured.
_LONG_ROW_BYTES = 2048


_AHEAD_OF_LONG_ROWS = (1, 2)


# How long products take for a class, by how many classes are taken at a time; measured. Forward,
# seven don't fit the registers, unless the lanes are classes.
_TIME_PER_CLASS = {1: 1.5, 2: 1.2, 3: 1.1, 4: 1.03, 5: 1.03, 6: 1.0}


_TIME_PER_CLASS_BACKWARD = {**_TIME_PER_CLASS, 7: 1.0}


_MOST_CLASSES_IN_FEW_REGISTERS = 2


def _lanes_for_classes(n_features: int, n_columns: int, lanes: int) -> int:
    """How many lanes are for classes, forward; 0 if that doesn't pay."""
    class_lanes = 4 if n_columns <= 4 else 8
    suits = (
        3 <= n_columns <= class_lanes <= lanes
        and _FEWEST_FEATURES_BY_CLASS <= n_features <= _MOST_FEATURES_BY_CLASS[class_lanes]
    )
    return class_lanes if suits else 0


def choose_specialisation(
    features_dtype: np.dtype, dtype: np.dtype, n_features: int, n_columns: int, order: Order
) -> Specialisation:
    """The shape of the products that suits a model.

    Parameters
    ----------
    features_dtype, dtype : numpy.dtype
        float32 or float64.
    n_features, n_columns : int
        Of the model.
    order : {"rows", "columns", "scattered"}
        How the features lie in memory.

    Returns
    -------
    Specialisation
    """
    lanes = max(vector_bits() // (8 * dtype.itemsize), 4)
    class_lanes = _lanes_for_classes(n_features, n_columns, lanes) if order == "rows" else 0
    has_many_registers = vector_registers() > 16
    times = _TIME_PER_CLASS_BACKWARD if class_lanes else _TIME_PER_CLASS
    classes = min(
        times if has_many_registers else range(1, _MOST_CLASSES_IN_FEW_REGISTERS + 1),
        key=lambda each: -(-n_columns // each) * each * times[each],
    )
    side = 8 if classes < 3 and lanes >= 8 and has_many_registers else 4
    in_place = order == "columns"
    is_narrow = n_features < _WIDE_VECTORS * lanes and not class_lanes
    transposes = order == "scattered" or (order == "rows" and is_narrow)
    is_long = n_features * features_dtype.itemsize >= _LONG_ROW_BYTES
    rows_ahead, vectors_ahead = _AHEAD_OF_LONG_ROWS if is_long else (side, 1)
    if transposes or in_place:
        rows_ahead = vectors_ahead = int(in_place)
    return Specialisation(
        features_dtype,
        dtype,
        lanes,
        side,
        classes,
        rows_ahead,
        vectors_ahead,
        transposes,
        in_place,
        class_lanes,
    )


# Of a sparse model: more don't fit the registers.
_MOST_VECTORS_OF_CLASSES = 4


def choose_sparse_specialisation(
    features_dtype: np.dtype, index_dtype: np.dtype, dtype: np.dtype, n_columns: int
) -> SparseSpecialisation:
    """The shape of the products that suits a sparse model of some columns."""
    row_lanes = max(vector_bits() // (8 * dtype.itemsize), 4)
    lanes = 1
    while lanes < min(n_columns, row_lanes):
        lanes *= 2
    if lanes == 16 and -(-n_columns // 8) * 8 < -(-n_columns // 16) * 16:
        lanes = 8
    vectors = min(-(-n_columns // lanes), _MOST_VECTORS_OF_CLASSES)
    return SparseSpecialisation(features_dtype, index_dtype, dtype, lanes, vectors, row_lanes)


def all_specialisations(dtype: np.dtype) -> list[Specialisation]:
    """Every one that features and models of a dtype may need on this CPU."""
    narrow, short, long = 1, _LONG_ROW_BYTES // dtype.itemsize - 1, _LONG_ROW_BYTES
    orders: tuple[Order, ...] = "rows", "columns"
    found = {
        choose_specialisation(dtype, dtype, n_features, n_columns, order): None
        for order in orders
        for n_features in (narrow, _FEWEST_FEATURES_BY_CLASS, short, long)
        for n_columns in (*_TIME_PER_CLASS, 7, 8)
    }
    return list(found)


def features_type(specialisation: Specialisation) -> types.Type:
    """The type of features: any strides, read-only."""
    return types.Array(numba_type(specialisation.features_dtype), 2, "A", readonly=True)


def feature_columns_type(specialisation: Specialisation) -> types.Type:
    """The type of the features transposed: none where columns aren't read in place."""
    return features_type(specialisation) if specialisation.in_place else types.none


def blocks_type(specialisation: Specialisation) -> types.Type:
    """The type of `Specialisation.blocks`."""
    return types.Tuple([types.UniTuple(types.intp, len(each)) for each in specialisation.blocks])


def feature_tile_type(specialisation: Specialisation) -> types.Type:
    """The type of a transposed tile: none where nothing is transposed."""
    return array_type(specialisation.dtype, 2) if specialisation.transposes else types.none


def feature_weights_type(specialisation: Specialisation) -> types.Type:
    """The type of transposed weights: none where the lanes aren't classes."""
    return array_type(specialisation.dtype, 3) if specialisation.class_lanes else types.none


def workspace_types(specialisation: Specialisation) -> tuple[types.Type, ...]:
    """The types of a thread's workspace."""
    return (
        array_type(specialisation.dtype, 2),
        feature_tile_type(specialisation),
        feature_weights_type(specialisation),
        array_type(np.dtype(np.int64), 2),
    )
