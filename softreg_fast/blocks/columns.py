"""Which columns of tables are features, labels and weights, and what their values are."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt

from .._extras import missing_package
from .side_by_side import put_side_by_side
from .source import Codes

_MOST_NAMED = 10


def import_pyarrow(purpose: str) -> Any:
    """The module pyarrow.

    Parameters
    ----------
    purpose : str
        What it is needed for, for errors.

    Raises
    ------
    ImportError
        It isn't installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise missing_package(purpose, "pyarrow", "arrow") from error
    return pyarrow


@dataclass(frozen=True)
class Columns:
    """Names of the columns that are read.

    Attributes
    ----------
    features : tuple of str
    target, weight : str or None
    are_all : bool
        Whether the features are all columns but the others.
    dtype : numpy.dtype
        Of the features: float32 if all of them are float32 or float16, else float64.
    """

    features: tuple[str, ...]
    target: str | None
    weight: str | None
    are_all: bool
    dtype: np.dtype

    def names(self, *, labels: bool) -> list[str]:
        """Of all columns that are read, each once; labels are left out unless they are wanted."""
        others = [self.target if labels else None, self.weight]
        return list(dict.fromkeys([*self.features, *(name for name in others if name)]))


def choose_columns(place: str, schema: Any, target: Any, weight: Any, features: Any) -> Columns:
    """Columns that are read, of the first of several files.

    Parameters
    ----------
    place : str
        Of the file.
    schema : pyarrow.Schema
    target, weight : str or None
    features : list of str or None
        None are all columns but target, weight, and those that pandas wrote as the index.

    Raises
    ------
    TypeError, ValueError
        There is no such column, or its type is not allowed.
    """
    check_names(place, target=target, weight=weight)
    if target is not None and target == weight:
        raise ValueError(f"target and weight are both {target!r}: they must be different columns")
    if features is None:
        _check_names(place, schema.names, [target], "target")
        _check_names(place, schema.names, [weight], "weight")
        names = _all_but(schema, (target, weight))
        if not names:
            raise ValueError(
                f"{place} has no column but target and weight: there must be a feature at least"
            )
    else:
        names = _names_of(features, target)
    chosen = Columns(tuple(names), target, weight, features is None, _dtype_of(schema, names))
    _check_all(place, schema, chosen, "")
    return chosen


def check_names(place: str, **names: Any) -> None:
    """Raise TypeError if an argument is not the name of a column, or None."""
    for role, name in names.items():
        if name is not None and not isinstance(name, str):
            raise TypeError(
                f"{role} is a {type(name).__name__}, which is not allowed with {place}: it must be "
                "the name of a column"
            )


def check_columns(
    place: str, schema: Any, columns: Columns, first_place: str, first_schema: Any
) -> None:
    """Raise TypeError or ValueError if a further file doesn't have the columns of the first."""
    _check_all(place, schema, columns, f", but {first_place} has")
    if columns.are_all:
        known = (*columns.features, columns.target, columns.weight)
        others = _all_but(schema, known)
        if others:
            raise ValueError(
                f"{place} has a column {others[0]!r}, but {first_place} has none: say which "
                "columns are features by features=[...]"
            )
    dtype = _dtype_of(schema, columns.features)
    if dtype != columns.dtype:
        raise ValueError(
            f"the features of {place} are {dtype.name}, but those of {first_place} are "
            f"{columns.dtype.name}: all files must agree; convert one of them"
        )
    if columns.target is not None:
        here, there = (each.field(columns.target).type for each in (schema, first_schema))
        if _kind_of_labels(here) != _kind_of_labels(there):
            raise ValueError(
                f"the column {columns.target!r} (target) has type {here} in {place}, but {there} "
                f"in {first_place}: all files must agree; convert one of them"
            )


def _names_of(features: Any, target: str | None) -> list[str]:
    is_list = isinstance(features, Iterable) and not isinstance(features, str | bytes)
    names = list(features) if is_list else [features]
    if not is_list or not all(isinstance(name, str) for name in names):
        raise TypeError(
            f"features={features!r} is not allowed: it must be a list of names of columns"
        )
    if not names:
        raise ValueError("features is empty: there must be a feature at least")
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"features has {twice!r} twice: each must be there once")
    if target in names:
        raise ValueError(f"features has the target {target!r}: leave it out")
    return [str(name) for name in names]


def _all_but(schema: Any, left_out: Sequence[str | None]) -> list[str]:
    """All columns but some and those of the index of a pandas data frame."""
    described = schema.pandas_metadata or {}
    index = (name for name in described.get("index_columns", []) if isinstance(name, str))
    others = {*left_out, *index}
    return [name for name in schema.names if name not in others]


def _check_all(place: str, schema: Any, columns: Columns, elsewhere: str) -> None:
    """Raise TypeError or ValueError for columns that are missing or of a wrong type."""
    for role, names in (
        ("target", [columns.target]),
        ("weight", [columns.weight]),
        ("feature", columns.features),
    ):
        _check_names(place, schema.names, names, role, elsewhere)
    for name in columns.features:
        _check_number(place, schema, name, "feature", "encode it as numbers, or leave it out by ")
    if columns.weight is not None:
        _check_number(place, schema, columns.weight, "weight", "")
    if columns.target is not None:
        kind = schema.field(columns.target).type
        if _kind_of_labels(kind) is None:
            raise TypeError(
                f"{place} has a column {columns.target!r} (target) of type {kind}: labels must be "
                "strings, integers, booleans or categories; convert it"
            )


def _check_names(
    place: str,
    there: list[str],
    wanted: Sequence[str | None],
    role: str,
    elsewhere: str = "",
) -> None:
    """Raise ValueError if a column isn't there, or is there twice."""
    counts = Counter(there)
    for name in wanted:
        if name is None or counts[name] == 1:
            continue
        if name in counts:
            raise ValueError(
                f"{place} has {counts[name]} columns {name!r} ({role}): rename all but one"
            )
        close = get_close_matches(name, there)
        if close:
            hint = f"did you mean {' or '.join(map(repr, close))}?"
        else:
            some = ", ".join(map(repr, there[:_MOST_NAMED]))
            hint = f"it has {some}{', ...' if len(there) > _MOST_NAMED else ''}"
        raise ValueError(f"{place} has no column {name!r} ({role}){elsewhere}: {hint}")


def _check_number(place: str, schema: Any, name: str, role: str, remedy: str) -> None:
    kind = schema.field(name).type
    if not _is_number(kind):
        remedy = f"{remedy}features=[...]" if remedy else "convert it"
        raise TypeError(
            f"{place} has a column {name!r} ({role}) of type {kind}: it must hold numbers or "
            f"booleans; {remedy}"
        )


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_decimal(kind)
    )


def is_string_view(kind: Any) -> bool:
    """Whether a type of Arrow's is that of views of strings, which the oldest pyarrow lacks."""
    from pyarrow import types

    is_view = getattr(types, "is_string_view", None)
    return is_view is not None and bool(is_view(kind))


def is_string(kind: Any) -> bool:
    """Whether a type of Arrow's is one of those of strings."""
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or is_string_view(kind))


def _kind_of_labels(kind: Any) -> str | None:
    """What labels of a type of columns are; None if they can't be."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    if is_string(kind):
        return "strings"
    if types.is_integer(kind):
        return "integers"
    if types.is_boolean(kind):
        return "booleans"
    return "floats" if types.is_floating(kind) else None


def _dtype_of(schema: Any, names: Sequence[str]) -> np.dtype:
    from pyarrow import types

    # A column that isn't there once is refused afterwards.
    places = (schema.get_field_index(name) for name in names)
    kinds = [schema.field(place).type for place in places if place >= 0]
    is_single = all(types.is_float32(kind) or types.is_float16(kind) for kind in kinds)
    return np.dtype(np.float32 if is_single else np.float64)


def features_of(batch: Any, columns: Columns) -> npt.NDArray[Any]:
    """Features of the rows of a record batch; NaN where one is missing.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
    columns : Columns

    Returns
    -------
    ndarray of shape (n_rows, n_features), C-ordered
    """
    values = [_numbers_of(batch, name) for name in columns.features]
    return put_side_by_side(values, columns.dtype)


def weights_of(batch: Any, columns: Columns) -> npt.NDArray[np.float64] | None:
    """Weights of the rows of a record batch; NaN where one is missing."""
    if columns.weight is None:
        return None
    return np.asarray(_numbers_of(batch, columns.weight), np.float64)


def labels_of(batch: Any, columns: Columns, missing: str | None) -> Any:
    """Labels of the rows of a record batch.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
    columns : Columns
    missing : str or None
        A text that stands for a missing label.

    Returns
    -------
    ndarray of shape (n_rows,), Codes, or None
        The number of a missing label is -1.
    """
    from pyarrow import types

    if columns.target is None:
        return None
    labels = _column(batch, columns.target)
    kind = labels.type
    if types.is_dictionary(kind) and types.is_floating(kind.value_type):
        labels = labels.dictionary_decode()
        kind = labels.type
    if types.is_floating(kind):
        return labels.to_numpy(zero_copy_only=False)
    if not (types.is_dictionary(kind) or is_string(kind) or labels.null_count):
        return labels.to_numpy(zero_copy_only=False)
    labels.validate(full=True)  # files that are damaged may hold anything
    if not types.is_dictionary(kind):
        labels = labels.dictionary_encode()
    return _codes_of(labels, missing)


def _codes_of(labels: Any, missing: str | None) -> Codes:
    import pyarrow as pa

    distinct = labels.dictionary.to_pylist()
    numbers = labels.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    is_missing = np.array([label is None or label == missing for label in distinct], bool)
    if is_missing.any():
        # The last place is that of -1.
        places = np.append(np.where(is_missing, -1, np.arange(len(distinct))), -1)
        numbers = places[numbers]
    return Codes(numbers, distinct)


def _column(batch: Any, name: str) -> Any:
    return batch.column(batch.schema.get_field_index(name))


def _numbers_of(batch: Any, name: str) -> npt.NDArray[Any]:
    import pyarrow as pa
    from pyarrow import types

    column = _column(batch, name)
    if types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    elif types.is_decimal(column.type):
        column = column.cast(pa.float64())
    numbers: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return numbers
