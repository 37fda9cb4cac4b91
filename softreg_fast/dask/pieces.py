"""A partition on the worker that has it: checked, summed up, and made a block."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from dask.sizeof import sizeof
from scipy.sparse import issparse

from ..blocks.checking import PieceChecks
from ..blocks.cutting import Part, join
from ..blocks.frames import codes_of, column_of, is_frame, matrix_of_frame
from ..blocks.labels import LabelCodes
from ..blocks.source import Piece
from ..data.blocked import Block


def name_partition(number: int) -> str:
    """A partition as errors name it."""
    return f"partition {number}"


@dataclass(frozen=True)
class CheckedPartition:
    """A partition as kernels read it.

    Attributes
    ----------
    part : Part
        Its codes stand for `labels`.
    labels : ndarray
        Each that is there, once.
    columns : list or None
        Names of the columns, if it is a data frame.
    """

    part: Part
    labels: npt.NDArray[Any]
    columns: list[Any] | None


@dataclass(frozen=True)
class Summary:
    """What a client has to know of a partition.

    Attributes
    ----------
    number : int
    n_rows, n_features : int
    dtype : numpy.dtype
    is_sparse : bool
    n_elements : int
        Numbers that the features are made of.
    columns : list or None
        See `CheckedPartition`.
    labels : ndarray of shape (n_labels,)
        See `CheckedPartition`.
    counts : ndarray of shape (n_labels,), int64
        Rows of each label that have a weight.
    weights : ndarray of shape (n_labels,), float64
        The sums of their weights.
    is_weighted : bool
        Whether rows have weights of their own.
    """

    number: int
    n_rows: int
    n_features: int
    dtype: np.dtype
    is_sparse: bool
    n_elements: int
    columns: list[Any] | None
    labels: npt.NDArray[Any]
    counts: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    is_weighted: bool


def check_partition(
    features: Any, labels: Any, weights: Any, number: int, *, check_values: bool = True
) -> CheckedPartition | None:
    """A partition that fulfils what kernels demand; None if it has no rows.

    Parameters
    ----------
    features, labels, weights : array, data frame or series
        Weights may be None.
    number : int
        Of the partition, for errors.
    check_values : bool, default=True
        Whether features and weights are looked at.

    Raises
    ------
    TypeError, ValueError
        Something is not allowed.
    """
    place = name_partition(number)
    columns = None
    if is_frame(features):
        features, columns = matrix_of_frame(features, place), list(features.columns)
    if not issparse(features):
        features = np.asarray(features)
    labels = codes_of(column_of(labels, "labels", place))
    if weights is not None:
        weights = np.asarray(column_of(weights, "weights", place))
    if features.ndim == 2 and features.shape[0] == 0:
        if len(labels):
            raise ValueError(
                f"{place} has {len(labels)} labels beside no rows of features: it must have one "
                "for each row"
            )
        return None
    names = [str(name) for name in columns] if columns is not None else None
    codes = LabelCodes()
    piece = Piece(features, labels, weights, place, 0)
    part = join([PieceChecks(names).take(piece, codes, check_values=check_values)])
    assert part.codes is not None
    n_labels = int(part.codes.max()) + 1
    return CheckedPartition(part, codes.decode(np.arange(n_labels, dtype=np.int32)), columns)


def summarise(checked: CheckedPartition | None, number: int) -> Summary | None:
    """What a client has to know of a partition; None if it has no rows."""
    if checked is None:
        return None
    part = checked.part
    codes, features = part.codes, part.features
    assert codes is not None
    n_labels = len(checked.labels)
    counted = codes if part.weights is None else codes[part.weights > 0.0]
    sums = np.bincount(codes, part.weights, minlength=n_labels)
    return Summary(
        number,
        len(part),
        features.shape[1],
        features.dtype,
        issparse(features),
        features.nnz if issparse(features) else features.size,
        checked.columns,
        checked.labels,
        np.bincount(counted, minlength=n_labels).astype(np.int64),
        sums.astype(np.float64),
        part.weights is not None,
    )


def summarise_all(
    checked: Sequence[CheckedPartition | None], numbers: Sequence[int]
) -> list[Summary | None]:
    """See `summarise`."""
    return [summarise(*each) for each in zip(checked, numbers, strict=True)]


@dataclass(frozen=True)
class Place:
    """Where a partition stands among those that have rows.

    Attributes
    ----------
    partition : int
        Number that it has for users.
    number, first_row : int
        See `Block`.
    shape : tuple of int
        Rows and features.
    labels : ndarray
        Those that are there, once each, in the order in which they are met.
    classes : ndarray of int32
        Of each of them, the number of its class.
    """

    partition: int
    number: int
    first_row: int
    shape: tuple[int, int]
    labels: npt.NDArray[Any]
    classes: npt.NDArray[np.int32]


def make_block(checked: CheckedPartition | None, place: Place) -> Block:
    """The block of a partition.

    Raises
    ------
    ValueError
        The partition is not what it was in the first pass.
    """
    part = None if checked is None else checked.part
    shape = (0, place.shape[1]) if part is None else part.features.shape
    if checked is None or part is None or shape != place.shape:
        raise ValueError(
            f"{name_partition(place.partition)} has shape {shape} in this pass, and had "
            f"{place.shape} in the first one: {_CHANGED}"
        )
    if not np.array_equal(checked.labels, place.labels):
        raise ValueError(
            f"{name_partition(place.partition)} has other labels in this pass than in the first "
            f"one: {_CHANGED}"
        )
    assert part.codes is not None
    targets = place.classes[part.codes]
    return Block(place.number, place.first_row, part.features, targets, part.weights)


def make_blocks(checked: Sequence[CheckedPartition | None], places: Sequence[Place]) -> list[Block]:
    """See `make_block`."""
    return [make_block(*each) for each in zip(checked, places, strict=True)]


_CHANGED = (
    "what Dask calculates must be the same each time; persist X and y, or set persist=True and "
    "seeds of random numbers"
)


def _bytes_of(features: Any, *others: npt.NDArray[Any] | None) -> int:
    arrays = [features]
    if issparse(features):
        arrays = [features.data, features.indices, features.indptr]
    return sum(array.nbytes for array in (*arrays, *others) if array is not None)


# Dask moves what it takes for small, and would take any object of an unknown class for it.
@sizeof.register(Block)
def _bytes_of_block(block: Block) -> int:
    return _bytes_of(block.features, block.targets, block.weights)


@sizeof.register(CheckedPartition)
def _bytes_of_checked(checked: CheckedPartition) -> int:
    part = checked.part
    return _bytes_of(part.features, part.codes, part.weights)
