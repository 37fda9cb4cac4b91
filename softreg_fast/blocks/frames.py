"""Data frames and series of pandas as partitions."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from .source import Codes

_DOUBLE, _SINGLE = np.dtype(np.float64), np.dtype(np.float32)


def is_frame(value: Any) -> bool:
    """Whether it is a data frame."""
    return hasattr(value, "columns") and hasattr(value, "dtypes")


def _numpy_dtype(dtype: Any) -> Any:
    """What stands for a dtype of pandas, whose nullable and Arrow's types have one of NumPy's."""
    return getattr(dtype, "numpy_dtype", dtype)


def check_columns(columns: Iterable[Any], dtypes: Iterable[Any]) -> np.dtype:
    """The dtype of features that columns of some dtypes are.

    Raises
    ------
    TypeError
        Some of them hold no numbers.
    """
    found = [
        (name, _numpy_dtype(dtype), dtype) for name, dtype in zip(columns, dtypes, strict=True)
    ]
    wrong = [
        f"{name!r} ({dtype})"
        for name, known, dtype in found
        if getattr(known, "kind", "O") not in "biuf" or not isinstance(known, np.dtype)
    ]
    if wrong:
        raise TypeError(
            f"X has columns that don't hold numbers: {', '.join(wrong)}; encode them, for example "
            "by OneHotEncoder or get_dummies, or leave them out"
        )
    common = np.result_type(*(known for _, known, _ in found)) if found else _DOUBLE
    return _SINGLE if common == _SINGLE else _DOUBLE


def matrix_of_frame(frame: Any, place: str) -> Any:
    """The numbers of a data frame; what is missing is NaN.

    Raises
    ------
    TypeError
        Some columns hold no numbers.
    """
    try:
        dtype = check_columns(frame.columns, frame.dtypes)
    except TypeError as error:
        raise TypeError(f"{error}; found in {place}") from error
    return frame.to_numpy(dtype=dtype, na_value=np.nan)


def column_of(values: Any, name: str, place: str) -> Any:
    """Labels or weights: the only column, if they are in a data frame.

    Raises
    ------
    ValueError
        There are several columns.
    """
    if not is_frame(values):
        return values
    if len(values.columns) != 1:
        raise ValueError(f"{place} has {len(values.columns)} columns of {name}: it must have one")
    return values.iloc[:, 0]


def codes_of(values: Any) -> Any:
    """Labels of a series or an array; those of categories by their numbers."""
    categories = getattr(getattr(values, "cat", None), "categories", None)
    if categories is not None:
        return Codes(values.cat.codes.to_numpy(), categories.tolist())
    return np.asarray(values)
