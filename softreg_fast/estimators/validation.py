"""Features and labels of users as scikit-learn's checks and the kernels know them.

Kernels know native float32 and float64 numbers, and compressed sparse rows with 32 or 64-bit
indices, each array of them contiguous. What is of another dtype or byte order is converted, what
stands for no real numbers is refused.
"""

import copy
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import (
    assert_all_finite,
    check_consistent_length,
    column_or_1d,
    validate_data,
)

# Kernels look for numbers that aren't finite.
CHECKS: dict[str, Any] = {
    "accept_sparse": "csr",
    "dtype": (np.float64, np.float32),
    "ensure_all_finite": False,
}
_COMPLEX = "Complex data not supported"
# Methods of what holds a query or a recipe instead of rows, as of polars, narwhals, PySpark,
# DuckDB, and datasets of Arrow.
_OF_LAZY = {"collect", "compute", "execute", "read_all", "to_df", "to_table", "toPandas"}
# What gives the rows, the best first.
_LOADING = ("toPandas", "to_pandas", "collect", "compute", "to_df", "to_table", "read_all")


def _is_lazy(value: Any) -> bool:
    """Whether NumPy can't know its rows before somebody asks for them."""
    # Of the type: PySpark's objects have attributes of any name.
    kind = type(value)
    return not hasattr(kind, "__array__") and any(
        callable(getattr(kind, name, None)) for name in _OF_LAZY
    )


def refuse_lazy(**arguments: Any) -> None:
    """Raise TypeError if an argument, by its name, is a lazy data frame."""
    for name, value in arguments.items():
        if value is None or type(value) is np.ndarray or not _is_lazy(value):
            continue
        kind = type(value)
        hint = next((f" {name}.{each}()" for each in _LOADING if hasattr(kind, each)), "")
        raise TypeError(
            f"{name} is a lazy {kind.__module__.partition('.')[0]} {kind.__name__}, whose rows "
            f"are not in memory: give{hint or ' an array'}"
        )


def _is_complex(value: Any) -> bool:
    try:
        return np.asarray(value).dtype.kind == "c"
    except (TypeError, ValueError):
        return False


def _with_known_indices(name: str, X: Any) -> Any:
    """Of the same numbers, with contiguous indices of 32 or 64 bits."""
    changed = {}
    for part in ("indices", "indptr"):
        array = getattr(X, part)
        if array.dtype.kind not in "iu":
            raise ValueError(f"{name}.{part} has dtype {array.dtype}: it must hold integers")
        is_plain = array.dtype.char in "iql" and array.dtype.isnative
        if not (is_plain and array.dtype.itemsize >= 4 and array.flags.c_contiguous):
            changed[part] = np.ascontiguousarray(array, np.int64)
    if not X.data.flags.c_contiguous:
        changed["data"] = np.ascontiguousarray(X.data)
    if changed:
        X = copy.copy(X)  # of the other arrays the same memory
        for part, array in changed.items():
            setattr(X, part, array)
    return X


def to_known(name: str, X: Any) -> Any:
    """Features in the machine's byte order, their indices of known dtypes.

    Raises
    ------
    ValueError
        Complex numbers, or indices that are no integers.
    """
    dtype = getattr(X, "dtype", None)
    if not isinstance(dtype, np.dtype):
        return X
    if dtype.kind == "c":
        raise ValueError(f"{name} has dtype {dtype}: {_COMPLEX}; it must hold real numbers")
    if issparse(X) and X.format in ("csr", "csc", "bsr"):
        X = _with_known_indices(name, X)
    if not dtype.isnative:
        X = X.astype(dtype.newbyteorder("="))
    return X


def validate(estimator: Any, X: Any, *y: Any, reset: bool = True) -> Any:
    """scikit-learn's `validate_data`, of features and labels of any numeric dtype.

    Parameters
    ----------
    estimator : estimator
    X : array-like or sparse matrix
    *y : array-like
        Labels, if there are some.
    reset : bool, default=True
        Whether numbers and names of features are those to know from now on.

    Returns
    -------
    features, or a tuple of features and labels

    Raises
    ------
    TypeError, ValueError
        They are not allowed; complex numbers are refused by name.
    """
    X = to_known("X", X)
    try:
        with np.errstate(over="ignore"):  # what becomes infinite is found later
            return validate_data(estimator, X, *y, reset=reset, **CHECKS)
    except (TypeError, ValueError) as error:
        for name, value in zip(("X", "y"), (X, *y), strict=False):
            if _is_complex(value):
                raise ValueError(
                    f"{name} is not allowed: {_COMPLEX}; it must hold real numbers"
                ) from error
        if _holds_text(X, error) and hasattr(estimator, "categorical_features"):
            raise ValueError(
                f"X has columns of texts ({error}): make them columns of categories, with "
                "astype('category') of pandas or cast(pl.Categorical) of polars, and set "
                "categorical_features='from_dtype'"
            ) from error
        raise


def _holds_text(X: Any, error: Exception) -> bool:
    """Whether texts of a data frame are what an error is about."""
    return hasattr(X, "columns") and "could not convert string to float" in str(error)


def check_labels_of_rows(y: Any, X: Any) -> Any:
    """Labels of as many rows as a table has; see `validate`."""
    y = column_or_1d(y, warn=True)
    check_consistent_length(X, y)
    if y.dtype.kind in "fc":
        assert_all_finite(y, input_name="y")
    return y
