"""Columns of tables of users, decoded: numbers, or codes of categories."""

import numbers
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

_HINT = "; give strings as categories, with astype('category') of pandas or cast(pl.Categorical) "
_HINT += "of polars"
_NUMBERS = "biuf"
# Integers beyond it don't each have a float64 of their own.
_LARGEST_INTEGER_OF_DOUBLE = 2**53


@dataclass(frozen=True)
class Codes:
    """A categorical column.

    Attributes
    ----------
    codes : ndarray of shape (n_samples,)
        Integers, numbers of the values; -1 where a value is missing.
    values : ndarray
        Those that the column's type knows, of which each is there once, and none is missing.
    """

    codes: npt.NDArray[Any]
    values: npt.NDArray[Any]


def check_table(name: str, X: Any) -> None:
    """Raise an error if something has no rows and columns of which each may be of its own type."""
    if issparse(X):
        raise TypeError(
            f"categorical_features requires a data frame or a dense array: {name} is a sparse "
            "matrix"
        )
    shape = np.shape(X)
    if len(shape) != 2 or 0 in shape:
        raise ValueError(
            f"{name} has shape {shape}: it must be two-dimensional, with at least one row and one "
            "column"
        )


def columns_of(X: Any) -> list[Any]:
    """The columns of a data frame or of an array."""
    if hasattr(X, "iloc"):
        return [X.iloc[:, place] for place in range(X.shape[1])]
    if hasattr(X, "get_columns"):
        return list(X.get_columns())
    if hasattr(X, "columns") and hasattr(X, "schema"):
        return list(X.columns)
    return list(np.asarray(X).T)


def decode(
    name: str, columns: Sequence[Any], labels: Sequence[str], are_categorical: Sequence[bool]
) -> list[npt.NDArray[Any] | Codes]:
    """Numbers and codes of columns."""
    decoded: list[npt.NDArray[Any] | Codes] = []
    for column, label, is_chosen in zip(columns, labels, are_categorical, strict=True):
        own = f"{name}[{label!r}]"
        if is_chosen and is_categorical(column):
            decoded.append(_codes_of(own, column))
        elif is_chosen:
            decoded.append(_integer_codes(own, column))
        else:
            decoded.append(_numbers_of(own, column))
    return decoded


def is_missing(value: Any) -> bool:
    """Whether a value stands for none."""
    if value is None:
        return True
    if isinstance(value, float | np.floating | np.datetime64 | np.timedelta64):
        return bool(np.isnan(value))
    return type(value).__name__ in ("NAType", "NaTType")


def is_categorical(column: Any) -> bool:
    """Whether a column's type is one of categories."""
    kind = getattr(column, "type", None)  # Arrow's
    kind = getattr(column, "dtype", None) if kind is None else kind
    kind = getattr(kind, "pyarrow_dtype", kind)  # Arrow's in pandas
    return type(kind).__name__ in ("CategoricalDtype", "Categorical", "Enum", "DictionaryType")


def _small_codes(codes: npt.NDArray[Any], are_missing: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Codes in as few bytes as they need, -1 where a value is missing."""
    small = codes.astype(np.min_scalar_type(-1 - int(codes.max(initial=0))))
    small[are_missing] = -1
    return small


def _array_of(values: Sequence[Any]) -> npt.NDArray[Any]:
    """Objects, whatever these are."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _codes_of(name: str, column: Any) -> Codes:
    """Of a column whose type is one of categories."""
    if hasattr(column, "to_physical"):
        return _codes_of_polars(column)
    if hasattr(column, "cat") and hasattr(column.array, "codes"):
        categories = column.array.categories
        if categories.dtype.kind in "mM":  # of any resolution, which compare equal
            categories = categories.astype(object)
        return Codes(column.array.codes, categories.to_numpy())
    if hasattr(column, "array"):
        column = column.array.__arrow_array__()
    return _codes_of_arrow(name, column.chunks if hasattr(column, "chunks") else [column])


def _codes_of_polars(column: Any) -> Codes:
    codes = column.to_physical().to_numpy(writable=False)
    are_missing = column.is_null().to_numpy()
    codes = np.where(are_missing, 0, codes).astype(np.int64)
    if type(column.dtype).__name__ == "Enum":
        return Codes(_small_codes(codes, are_missing), _array_of(column.dtype.categories.to_list()))
    values = column.unique().drop_nulls()
    known = values.to_physical().to_numpy().astype(np.int64)
    order = np.argsort(known)
    codes = np.searchsorted(known[order], codes)
    return Codes(_small_codes(codes, are_missing), _array_of(values.to_list())[order])


def _codes_of_arrow(name: str, chunks: Iterable[Any]) -> Codes:
    """Of dictionaries, each of which may hold a value more than once, and missing ones."""
    places: dict[Any, int] = {}
    parts = [np.empty(0, np.int64)]
    for chunk in chunks:
        values = chunk.dictionary.to_pylist()
        try:
            numbers_of_values = [
                -1 if is_missing(value) else places.setdefault(value, len(places))
                for value in values
            ]
        except TypeError as error:
            raise TypeError(
                f"{name} has categories of type {chunk.type.value_type}: they must be hashable"
            ) from error
        mapped = np.array([*numbers_of_values, -1], np.int64)
        are_missing = chunk.indices.is_null().to_numpy(zero_copy_only=False)
        indices = chunk.indices.fill_null(0).to_numpy(zero_copy_only=False)
        parts.append(mapped[np.where(are_missing, len(values), indices.astype(np.int64))])
    codes = np.concatenate(parts)
    return Codes(_small_codes(codes, codes < 0), _array_of(list(places)))


def _zero_of(kind: str) -> Any:
    """What fills the place of a missing value that NumPy's type doesn't have."""
    if kind.startswith("bool"):
        return False
    return 0 if kind.startswith(("int", "uint")) else None


def _without_missing(column: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """A column as NumPy has it, but zero or NaN where a value is missing, and where one is."""
    if hasattr(column, "null_count") and hasattr(column, "fill_null"):  # polars or Arrow
        zero = _zero_of(str(getattr(column, "type", None) or column.dtype).lower())
        filled = column if zero is None else column.fill_null(zero)
        return np.asarray(filled), np.asarray(column.is_null())
    kind: Any = getattr(column, "dtype", None)
    if type(kind).__module__.startswith("pandas") and hasattr(kind, "numpy_dtype"):
        if kind.numpy_dtype.kind in _NUMBERS:
            are_missing = column.isna().to_numpy()
            return column.fillna(kind.numpy_dtype.type(0)).to_numpy(kind.numpy_dtype), are_missing
        array = column.to_numpy(object, na_value=np.nan)
    else:
        array = column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column)
    if array.dtype.kind == "O":  # which may all be numbers
        are_missing = np.array([is_missing(value) for value in array], bool)
        kept = array[~are_missing]
        if all(isinstance(value, numbers.Real | np.bool_) for value in kept):
            filled = np.where(are_missing, 0, array)
            return np.array(filled.tolist()), are_missing
    return array, np.zeros(len(array), bool)


def _check_numbers(name: str, column: Any, array: npt.NDArray[Any]) -> None:
    if array.dtype.kind not in _NUMBERS:
        kind = getattr(column, "type", getattr(column, "dtype", array.dtype))
        is_text = array.dtype.kind in "UST" or any(isinstance(value, str) for value in array)
        raise TypeError(
            f"{name} has dtype {kind}: columns must hold real numbers or categories"
            f"{_HINT if is_text else ''}"
        )


def _numbers_of(name: str, column: Any) -> npt.NDArray[Any]:
    """A column of numbers, NaN where they are missing."""
    array, are_missing = _without_missing(column)
    _check_numbers(name, column, array)
    if are_missing.any():
        array = array.astype(array.dtype if array.dtype.kind == "f" else np.float64)
        array[are_missing] = np.nan
    return array


def _integer_codes(name: str, column: Any) -> Codes:
    """Of a column of integers that stand for categories."""
    array, are_missing = _without_missing(column)
    _check_numbers(name, column, array)
    if array.dtype.kind == "f":
        are_missing = are_missing | np.isnan(array)
    values = np.unique(array[~are_missing])
    if array.dtype.kind == "f":
        if not np.array_equal(values, np.trunc(values)) or not np.isfinite(values).all():
            raise ValueError(
                f"{name} is in categorical_features, but has numbers that are no integers: its "
                "categories must be integers, or those of its type"
            )
        if np.abs(values).max(initial=0.0) > _LARGEST_INTEGER_OF_DOUBLE:
            raise ValueError(
                f"{name} is in categorical_features, but has floating-point numbers beyond 2**53, "
                "of which not all integers are one: give it a type of integers"
            )
        values = values.astype(np.int64)
    codes = np.searchsorted(values, np.where(are_missing, 0, array).astype(values.dtype))
    return Codes(_small_codes(codes, are_missing), values)


def sorted_values(values: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """The order of categories."""
    try:
        return np.argsort(values, kind="stable")
    except TypeError:  # of several kinds, in the order of the type
        return np.arange(len(values))


def with_missing(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Categories, and NaN after them."""
    is_integer = values.dtype.kind in "iu"
    if is_integer and any(abs(int(each)) > _LARGEST_INTEGER_OF_DOUBLE for each in values):
        return _array_of([*values.tolist(), np.nan])
    if is_integer or values.dtype.kind == "f":
        return np.append(values.astype(np.float64), np.nan)
    return _array_of([*values.tolist(), np.nan])


def with_missing_as_nan(X: Any) -> npt.NDArray[Any]:
    """A column with NaN for whatever else stands for a missing value, of shape (n_samples, 1)."""
    (column,) = columns_of(X)
    column = column.to_pylist() if hasattr(column, "to_pylist") else column
    values = [np.nan if is_missing(value) else value for value in column]
    return _array_of(values)[:, None]
