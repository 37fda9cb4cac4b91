"""What kernels are compiled for: the shapes of their products, and the types of their arguments."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numba import types

from .compile.entry_point import array_type, numba_type
from .groups import Blocks
from .loss import PAIR
from .simd.cpu import vector_bits, vector_registers

# How features lie in memory: numbers of a row are neighbours, or numbers of a column, or neither.
Order = Literal["rows", "columns", "scattered"]


class Shape(NamedTuple):
    """What a product holds in registers.

    Attributes
    ----------
    side : int
        Vectors of rows or features side by side, a power of two.
    classes : int
    """

    side: int
    classes: int


class ClassShape(NamedTuple):
    """What products hold in registers where the lanes are classes.

    Attributes
    ----------
    lanes : int
        Classes in a vector.
    vectors : int
        For all classes.
    rows : int
        Rows at a time, a power of two.
    """

    lanes: int
    vectors: int
    rows: int


NOT_BY_CLASS = ClassShape(0, 0, 0)


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
    contracted, combined : Shape
        Of the two kinds of products; see `matmul`.
    rows_ahead : int
        Rows of the next tile that are fetched into the cache while some are contracted; vectors of
        the columns, where they are read in place.
    vectors_ahead : int
        The same while vectors are combined.
    transposes : bool
        Whether tiles of rows are transposed before they are worked on.
    in_place : bool
        Whether columns are read where they lie.
    by_class : ClassShape
        Forward; NOT_BY_CLASS if the lanes are others.
    """

    features_dtype: np.dtype
    dtype: np.dtype
    lanes: int
    contracted: Shape
    combined: Shape
    rows_ahead: int
    vectors_ahead: int
    transposes: bool
    in_place: bool = False
    by_class: ClassShape = NOT_BY_CLASS

    @property
    def classes(self) -> int:
        """What the classes of a model are padded to a multiple of."""
        return math.lcm(self.contracted.classes, self.combined.classes)

    @property
    def row_multiple(self) -> int:
        """What the rows of a tile are a multiple of."""
        return max(len(PAIR) * self.lanes, self.by_class.rows)

    @cached_property
    def blocks(self) -> Blocks:
        """The numbers as kernels take them: the lengths of tuples."""
        lengths = (
            self.lanes,
            *self.contracted,
            self.combined.side,
            min(self.combined.side // 2, 2),
            self.combined.classes,
            self.rows_ahead,
            self.vectors_ahead,
            *self.by_class,
        )
        return Blocks(*((0,) * length for length in lengths))


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
    def row_multiple(self) -> int:
        """What the rows of a tile are a multiple of."""
        return len(PAIR) * self.row_lanes

    @property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """The numbers as kernels take them: the lengths of tuples."""
        return tuple((0,) * length for length in (self.lanes, self.vectors, self.row_lanes))

    def pad(self, n_columns: int) -> int:
        """The columns of a model, up to whole groups of vectors."""
        group = self.lanes * self.vectors
        return -(-n_columns // group) * group


# Rows of fewer vectors are transposed: their sums across lanes would cost too much.
_WIDE_VECTORS = 3

# The next tile is fetched forward, as many rows as are worked on; of long rows less with each step
# forward (rows) and more backward (vectors), where memory has less to do. Measured.
_LONG_ROW_BYTES = 2048
_AHEAD_OF_LONG_ROWS = (1, 2)

# How long products take for a class, by how many classes are taken at a time; measured. In many
# registers, seven fit where vectors are combined only.
_TIME_PER_CLASS = {1: 1.5, 2: 1.2, 3: 1.1, 4: 1.03, 5: 1.03, 6: 1.0}
_TIME_PER_CLASS_COMBINED = {**_TIME_PER_CLASS, 7: 1.0}
_TIME_PER_CLASS_IN_FEW_REGISTERS = {1: 1.5, 2: 1.12, 4: 1.0, 5: 1.0}

# The shapes of products in few registers, by the classes of what is combined; measured.
_IN_FEW_REGISTERS = {
    1: (Shape(4, 1), Shape(4, 1)),
    2: (Shape(4, 2), Shape(4, 2)),
    4: (Shape(4, 2), Shape(2, 4)),
    5: (Shape(2, 5), Shape(2, 5)),
}

# Of which rows the lanes are classes: of how many features, by the lanes in many registers; and in
# few by an estimate of the times of a row, in cycles. Measured.
_FEWEST_FEATURES_BY_CLASS = 16
_MOST_FEATURES_BY_CLASS = {4: 40, 8: 64}
_MOST_FEATURES_IN_FEW_REGISTERS = 128
_MOST_CLASS_VECTORS = 3
_CYCLES_OF_A_SUM_ACROSS_LANES = 3.0


def _in_many_registers(
    n_features: int, n_columns: int, lanes: int, is_by_row: bool
) -> tuple[Shape, Shape, ClassShape]:
    by_class = NOT_BY_CLASS
    class_lanes = 4 if n_columns <= 4 else 8
    if (
        is_by_row
        and 3 <= n_columns <= class_lanes <= lanes
        and _FEWEST_FEATURES_BY_CLASS <= n_features <= _MOST_FEATURES_BY_CLASS[class_lanes]
    ):
        by_class = ClassShape(class_lanes, 1, min(lanes, 8))
    classes = _fitting_classes(
        n_columns, _TIME_PER_CLASS_COMBINED if by_class.lanes else _TIME_PER_CLASS
    )
    shape = Shape(8 if classes < 3 and lanes >= 8 else 4, classes)
    return shape, shape, by_class


def _fitting_classes(n_columns: int, times: Mapping[int, float]) -> int:
    """How many classes to take at a time, so that all take least."""
    return min(times, key=lambda each: -(-n_columns // each) * each * times[each])


def _in_few_registers(
    n_features: int, n_columns: int, lanes: int, is_by_row: bool
) -> tuple[Shape, Shape, ClassShape]:
    classes = _fitting_classes(n_columns, _TIME_PER_CLASS_IN_FEW_REGISTERS)
    contracted, combined = _IN_FEW_REGISTERS[classes]
    by_class = NOT_BY_CLASS
    if is_by_row:
        by_class = _class_shape(n_features, n_columns, lanes, contracted.classes)
    if by_class.lanes:
        return combined, combined, by_class
    if is_by_row and n_features >= _WIDE_VECTORS * lanes:
        return contracted, combined, by_class
    # Fewer kinds to compile: what columns would gain by other shapes is little.
    shape = _IN_FEW_REGISTERS[min(n_columns, 2)][0]
    return shape, shape, by_class


def _class_shape(n_features: int, n_columns: int, lanes: int, n_contracted: int) -> ClassShape:
    """Of products whose lanes are classes, in few registers, where they take less time."""
    class_lanes = 4 if n_columns <= 4 else lanes
    n_vectors = -(-n_columns // class_lanes)
    if (
        n_columns < 3
        or n_vectors > _MOST_CLASS_VECTORS
        or not _FEWEST_FEATURES_BY_CLASS <= n_features <= _MOST_FEATURES_IN_FEW_REGISTERS
    ):
        return NOT_BY_CLASS
    # Two multiplications a cycle, about; a single vector is bound by the loads of features.
    by_class = n_features * (0.56 if n_vectors == 1 else 0.525 * n_vectors)
    across = -(-n_columns // n_contracted) * n_contracted
    by_feature = n_features * 0.55 * across / lanes + _CYCLES_OF_A_SUM_ACROSS_LANES * n_columns
    if by_class > by_feature:
        return NOT_BY_CLASS
    return ClassShape(class_lanes, n_vectors, 8 if n_vectors == 1 else 4)


def _lanes_of_a_row(dtype: np.dtype) -> int:
    return max(vector_bits() // (8 * dtype.itemsize), 4)


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
    lanes = _lanes_of_a_row(dtype)
    choose_shapes = _in_many_registers if vector_registers() > 16 else _in_few_registers
    contracted, combined, by_class = choose_shapes(n_features, n_columns, lanes, order == "rows")
    in_place = order == "columns"
    is_narrow = n_features < _WIDE_VECTORS * lanes and not by_class.lanes
    transposes = order == "scattered" or (order == "rows" and is_narrow)
    is_long = n_features * features_dtype.itemsize >= _LONG_ROW_BYTES
    rows_ahead, vectors_ahead = _AHEAD_OF_LONG_ROWS if is_long else (contracted.side, 1)
    if transposes or in_place:
        rows_ahead = vectors_ahead = int(in_place)
    return Specialisation(
        features_dtype,
        dtype,
        lanes,
        contracted,
        combined,
        rows_ahead,
        vectors_ahead,
        transposes,
        in_place,
        by_class,
    )


# Of a sparse model, side by side: more don't fit the registers, of two models or of one.
_MOST_VECTORS_OF_CLASSES = 4
_MOST_VECTORS_OF_A_PASS = 6


def choose_sparse_specialisation(
    features_dtype: np.dtype,
    index_dtype: np.dtype,
    dtype: np.dtype,
    n_columns: int,
    *,
    most_vectors: int = _MOST_VECTORS_OF_CLASSES,
) -> SparseSpecialisation:
    """The shape of the products that suits a sparse model of some columns."""
    row_lanes = _lanes_of_a_row(dtype)
    lanes = 1
    while lanes < min(n_columns, row_lanes):
        lanes *= 2
    if lanes == 16 and -(-n_columns // 8) * 8 < -(-n_columns // 16) * 16:
        lanes = 8
    n_vectors = -(-n_columns // lanes)
    n_groups = -(-n_vectors // most_vectors)
    vectors = -(-n_vectors // n_groups)
    return SparseSpecialisation(features_dtype, index_dtype, dtype, lanes, vectors, row_lanes)


def choose_specialisation_of_a_pass(
    features_dtype: np.dtype, index_dtype: np.dtype, dtype: np.dtype, n_columns: int
) -> SparseSpecialisation:
    """The same for passes over rows, which hold a single model."""
    return choose_sparse_specialisation(
        features_dtype, index_dtype, dtype, n_columns, most_vectors=_MOST_VECTORS_OF_A_PASS
    )


def choose_column_specialisation(features_dtype: np.dtype, n_columns: int) -> SparseSpecialisation:
    """The shape of what goes over columns of features, for models of some columns, in float64."""
    double, index = np.dtype(np.float64), np.dtype(np.int32)
    return choose_specialisation_of_a_pass(features_dtype, index, double, n_columns)


def all_column_specialisations() -> list[SparseSpecialisation]:
    """Every one that columns of dense features may need on this CPU, which are float64."""
    double = np.dtype(np.float64)
    most = _MOST_VECTORS_OF_A_PASS * _lanes_of_a_row(double)
    found = {
        choose_column_specialisation(double, n_columns): None for n_columns in range(1, most + 1)
    }
    return list(found)


def all_specialisations(dtype: np.dtype) -> list[Specialisation]:
    """Every one that features and models of a dtype may need on this CPU."""
    narrow, short, long = 1, _LONG_ROW_BYTES // dtype.itemsize - 1, _LONG_ROW_BYTES
    orders: tuple[Order, ...] = "rows", "columns"
    found = {
        choose_specialisation(dtype, dtype, n_features, n_columns, order): None
        for order in orders
        for n_features in (narrow, _FEWEST_FEATURES_BY_CLASS, short, long)
        for n_columns in range(1, 25)
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
    kinds = [types.BaseTuple.from_types([types.intp] * len(each)) for each in specialisation.blocks]
    return types.NamedTuple(kinds, Blocks)


def feature_tile_type(specialisation: Specialisation) -> types.Type:
    """The type of a transposed tile: none where nothing is transposed."""
    return array_type(specialisation.dtype, 2) if specialisation.transposes else types.none


def feature_weights_type(specialisation: Specialisation) -> types.Type:
    """The type of transposed weights: none where the lanes aren't classes."""
    return array_type(specialisation.dtype, 3) if specialisation.by_class.lanes else types.none


def workspace_types(specialisation: Specialisation) -> tuple[types.Type, ...]:
    """The types of a thread's workspace."""
    return (
        array_type(specialisation.dtype, 2),
        feature_tile_type(specialisation),
        feature_weights_type(specialisation),
        array_type(np.dtype(np.int64), 2),
    )


def sparse_elements_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    """The types of the elements of sparse rows, their columns, and the rows' pointers."""
    index = types.Array(numba_type(specialisation.index_dtype), 1, "C", readonly=True)
    data = types.Array(numba_type(specialisation.features_dtype), 1, "C", readonly=True)
    return data, index, index


def sparse_rows_types(specialisation: SparseSpecialisation) -> tuple[types.Type, ...]:
    """The same, with those of the rows' targets and weights."""
    return (
        *sparse_elements_types(specialisation),
        array_type(np.dtype(np.int32), 1, readonly=True),
        array_type(np.dtype(np.float64), 1, readonly=True),
    )


def sparse_blocks_type(specialisation: SparseSpecialisation) -> types.Type:
    """The type of `SparseSpecialisation.blocks`."""
    return types.Tuple([types.UniTuple(types.intp, len(each)) for each in specialisation.blocks])
