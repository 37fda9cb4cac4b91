"""What users give, as partitions: delayed features, labels and weights of the same rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from dask import is_dask_collection
from dask.array import Array
from dask.delayed import Delayed
from distributed import Future

from ..blocks.frames import check_columns

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


def _delayed(value: Any, *, as_written: bool) -> list[Any]:
    """Partitions; those of a data frame may be as users have written them.

    Dask may read several of a file's partitions as one: the more, the fewer columns are read.
    """
    if isinstance(value, Array):
        return list(value.to_delayed().ravel())
    if is_list(value):
        return list(value)
    if as_written and hasattr(value, "simplify"):
        return list(value.simplify().to_delayed(optimize_graph=False))
    return list(value.to_delayed())


def _with_lengths(
    name: str, value: Any, lengths: tuple[int, ...] | None, *, as_written: bool
) -> list[Any]:
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
    return _delayed(value, as_written=as_written)


def _remedy(X: Any, name: str, value: Any) -> str:
    unknown = [
        f"{each}.compute_chunk_sizes()"
        for each, given in (("X", X), (name, value))
        if isinstance(given, Array) and _known_lengths(given) is None
    ]
    if isinstance(X, Array) and isinstance(value, Array):
        return f"call {' and '.join(unknown)}"
    return (
        "take both from one data frame, persist it before, df = df.persist(), or repartition them "
        "alike"
    )


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
    if y is None:
        raise ValueError("y is None: the labels of X are required")
    for as_written in (False, True):
        found = _partition(X, {"y": y, "sample_weight": sample_weight}, as_written=as_written)
        if len({len(parts) for parts in found.values()}) == 1:
            break
    n_partitions = len(found["X"])
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if len(found.get(name, found["X"])) != n_partitions:
            raise ValueError(
                f"{name} has {len(found[name])} partitions and X has {n_partitions}, whose lengths "
                f"are not all known: {_remedy(X, name, value)}"
            )
    weights = found.get("sample_weight", [None] * n_partitions)
    return [Partition(*each) for each in zip(found["X"], found["y"], weights, strict=True)]


def _partition(X: Any, others: dict[str, Any], *, as_written: bool) -> dict[str, list[Any]]:
    """Partitions of what is there, by its name."""
    lengths = _known_lengths(X)
    found = {"X": _delayed(X, as_written=as_written)}
    for name, value in others.items():
        if value is not None:
            found[name] = _with_lengths(name, value, lengths, as_written=as_written)
    return found
