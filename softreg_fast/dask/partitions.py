"""What users give, as partitions: delayed features, labels and weights of the same rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from dask import is_dask_collection
from dask.array import Array
from dask.delayed import Delayed
from distributed import Future

from .frames import check_columns

_ALLOWED = "a Dask array, a Dask data frame, or a list of delayed partitions"


@dataclass(frozen=True)
class Partition:
    """Neighbouring rows.

    Attributes
    ----------
    features, labels : Delayed or Future
    weights : Delayed, Future or None
    """

    features: Any
    labels: Any
    weights: Any


def _is_list_of_delayed(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) > 0
        and all(isinstance(each, Delayed | Future) for each in value)
    )


def is_dask(value: Any) -> bool:
    """Whether it is a collection of Dask, or a list of delayed partitions."""
    return is_dask_collection(value) or _is_list_of_delayed(value)


def is_list(value: Any) -> bool:
    """Whether it is a list of delayed partitions."""
    return isinstance(value, list | tuple)


def check_kind(name: str, value: Any) -> None:
    """Raise TypeError if rows can't be taken from it."""
    is_delayed = isinstance(value, Delayed)  # which has any attribute
    is_collection = isinstance(value, Array) or hasattr(value, "npartitions")
    if (is_collection and not is_delayed) or _is_list_of_delayed(value):
        return
    hint = "use SoftmaxClassifier for rows in memory"
    if isinstance(value, np.ndarray):
        hint = f"make one by dask.array.from_array, or {hint}"
    elif isinstance(value, list | tuple):
        hint = "a list must have elements of dask.delayed"
    elif is_delayed:
        hint = f"put it into a list, [{name}]"
    raise TypeError(f"{name} is a {type(value).__name__}: it must be {_ALLOWED}; {hint}")


def check_features(X: Any) -> tuple[Any, np.dtype | None]:
    """Features whose partitions have all columns, and the dtype of their numbers, if it is known.

    Raises
    ------
    TypeError, ValueError
        They are something else, or columns of a data frame hold no numbers.
    """
    check_kind("X", X)
    if isinstance(X, Array):
        if X.ndim != 2:
            raise ValueError(
                f"X has {X.ndim} dimensions: it must have two, (n_samples, n_features)"
            )
        return X if X.numblocks[1] == 1 else X.rechunk({1: -1}), X.dtype
    if is_list(X):
        return X, None
    if getattr(X, "ndim", None) != 2:
        raise TypeError(f"X is a {type(X).__name__}: it must be {_ALLOWED}; use X.to_frame()")
    return X, check_columns(X.columns, X.dtypes)


def _known_lengths(value: Any) -> tuple[int, ...] | None:
    """Rows of each chunk of an array, if Dask knows them."""
    if not isinstance(value, Array) or np.isnan(value.chunks[0]).any():
        return None
    return tuple(int(length) for length in value.chunks[0])


def _delayed(value: Any) -> list[Any]:
    if isinstance(value, Array):
        return list(value.to_delayed().ravel())
    return list(value) if is_list(value) else list(value.to_delayed())


def _with_lengths(name: str, value: Any, X: Any, lengths: tuple[int, ...] | None) -> list[Any]:
    """Partitions of labels or weights that go with those of the features."""
    check_kind(name, value)
    if isinstance(value, Array):
        if value.ndim == 2 and value.shape[1] == 1:
            value = value[:, 0]
        if value.ndim != 1:
            raise ValueError(
                f"{name} has shape {value.shape}: it must be one-dimensional, (n_samples,)"
            )
    own = _known_lengths(value)
    if own is not None and lengths is not None:
        if sum(own) != sum(lengths):
            raise ValueError(
                f"{name} has {sum(own)} rows, but X has {sum(lengths)}: it must have as many"
            )
        value = value if own == lengths else value.rechunk((lengths,))
    return _delayed(value)


def _remedy(X: Any, name: str, value: Any) -> str:
    unknown = [
        f"{each}.compute_chunk_sizes()"
        for each, given in (("X", X), (name, value))
        if isinstance(given, Array) and _known_lengths(given) is None
    ]
    if isinstance(X, Array) and isinstance(value, Array):
        return f"call {' and '.join(unknown)}"
    return "repartition them alike, or convert data frames by to_dask_array(lengths=True)"


def partition(X: Any, y: Any, sample_weight: Any = None) -> list[Partition]:
    """The partitions of rows.

    Parameters
    ----------
    X, y, sample_weight : dask.array.Array, dask.dataframe.DataFrame or list of Delayed
        Weights may be None. Arrays are cut where X is.

    Raises
    ------
    TypeError, ValueError
        They are something else, or have other rows.
    """
    X, _ = check_features(X)
    lengths = _known_lengths(X)
    features = _delayed(X)
    columns: list[list[Any]] = []
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is None:
            if name == "y":
                raise ValueError("y is None: the labels of X are required")
            columns.append([None] * len(features))
            continue
        found = _with_lengths(name, value, X, lengths)
        if len(found) != len(features):
            raise ValueError(
                f"{name} has {len(found)} partitions and X has {len(features)}, whose lengths are "
                f"not all known: {_remedy(X, name, value)}"
            )
        columns.append(found)
    return [Partition(*each) for each in zip(features, *columns, strict=True)]
