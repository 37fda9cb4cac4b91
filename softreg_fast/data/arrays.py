"""Features and targets as kernels take them.

Features that are float32 or float64 are never copied, whatever their strides and wherever their
memory is: kernels read them as they lie. Other numbers are converted, which is one copy.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, issparse

from .._typing import FloatArray
from .checks import check_choice

MAX_CLASSES = 65_536


_DTYPES = (np.dtype(np.float64), np.dtype(np.float32))


# Numbers: enough that looking at them costs more than the call, few enough that an interrupt comes
# through soon.
_CHECKED_AT_ONCE = 1 << 20


def check_dtype(name: str, dtype: Any) -> np.dtype:
    """The dtype to calculate in; float64 for None.

    Raises
    ------
    ValueError
        Neither float32 nor float64.
    """
    if dtype is None:
        return _DTYPES[0]
    try:
        dtype_name = np.dtype(dtype).name
    except TypeError:
        dtype_name = dtype
    return np.dtype(check_choice(name, dtype_name, [allowed.name for allowed in _DTYPES]))


def _as_array(name: str, value: Any) -> npt.NDArray[Any]:
    if hasattr(value, "toarray"):
        raise TypeError(
            f"{name} is a sparse {type(value).__name__}: it must be a dense array; "
            f"{name}.toarray() makes one"
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not allowed: it must be a rectangular array") from error
    if np.ma.is_masked(value):
        raise ValueError(f"{name} has masked elements: every element must have a value")
    return array


def _has_finite_sum(block: FloatArray) -> bool:
    """Whether a sum over all elements is finite: then they are. It may overflow without cause."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(block.sum()))


def _names_of_columns(value: Any) -> Any:
    """Those of a data frame, if they are strings; else None."""
    names = getattr(value, "columns", None)
    return None if names is None or not all(isinstance(name, str) for name in names) else names


def _refuse_element(
    name: str, row: int, column: int, found: Any, dtype: np.dtype, names: Any
) -> None:
    """Raise ValueError for an element that isn't finite."""
    feature = "" if names is None else f" (feature {str(names[column])!r})"
    raise ValueError(
        f"{name}[{row}, {column}]{feature} is {'NaN' if np.isnan(found) else found}: "
        f"every element must be a finite {dtype.name} number"
    )


def _refuse_unbounded(
    name: str, array: FloatArray, dtype: np.dtype, original: Any, names: Any
) -> None:
    """Raise ValueError where an element isn't finite in `dtype`, naming the original number.

    Without a copy of the array.
    """
    limit = np.finfo(dtype).max
    may_sum = limit >= np.finfo(array.dtype).max
    lies_by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
    lines = array.T if lies_by_columns else array
    step = max(1, _CHECKED_AT_ONCE // lines.shape[1])
    for start in range(0, len(lines), step):
        block = lines[start : start + step]
        if may_sum and _has_finite_sum(block):
            continue
        if block.max() <= limit and block.min() >= -limit:
            continue
        line, place = np.argwhere(~(np.abs(block) <= limit))[0]
        row, column = (place, start + line) if lies_by_columns else (start + line, place)
        found = np.asarray(original)[row, column]
        names = _names_of_columns(original) if names is None else names
        _refuse_element(name, row, column, found, dtype, names)


def shape_features(name: str, value: Any, dtype: np.dtype) -> FloatArray:
    """Features as kernels take them, but not known to be finite; see `check_features`."""
    if type(value) is np.ndarray and value.dtype in _DTYPES and value.ndim == 2 and value.size:
        array: FloatArray = value
        if array.flags.aligned:
            return array
    array = _as_array(name, value)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} has dtype {array.dtype}: it must hold real numbers, integer or floating"
        )
    if array.ndim != 2:
        raise ValueError(
            f"{name} has shape {array.shape}: it must be two-dimensional, (n_samples, n_features)"
        )
    if array.size == 0:
        raise ValueError(
            f"{name} has shape {array.shape}: it must have at least one row and one column"
        )
    if array.dtype in _DTYPES and array.flags.aligned:
        return array
    with np.errstate(all="ignore"):  # what becomes infinite is found later
        return array.astype(dtype)


def check_features(name: str, value: Any, dtype: np.dtype, names: Any = None) -> FloatArray:
    """Features as kernels take them.

    Parameters
    ----------
    name : str
        Of the argument, for errors.
    value : array-like of shape (n_samples, n_features)
        Real numbers.
    dtype : numpy.dtype
        In which they must be finite.
    names : sequence of str, default=None
        Of the features, for errors; None is those that `value` has.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        float32 or float64; a view of `value` if it is of one of these.

    Raises
    ------
    TypeError
        Not real numbers, or sparse.
    ValueError
        Not 2-D, empty, NaN or infinite.
    """
    array = shape_features(name, value, dtype)
    _refuse_unbounded(name, array, dtype, value, names)
    return array


def check_sparse_features(name: str, matrix: Any, names: Any = None) -> Any:
    """A sparse CSR matrix as kernels take it.

    Parameters
    ----------
    name : str
        Of the argument, for errors.
    matrix : sparse CSR matrix of shape (n_samples, n_features)
        float32 or float64.
    names : sequence of str, default=None
        Of the features, for errors.

    Returns
    -------
    scipy.sparse.csr_array
        Of the same memory, or of a copy in which no row has two elements of a feature.

    Raises
    ------
    ValueError
        Columns out of range or the like; NaN or infinite.
    """
    matrix = csr_array(matrix)
    # Kernels index by what it holds without a check.
    matrix.check_format(full_check=True)
    if not _has_finite_sum(matrix.data):
        is_wrong = ~np.isfinite(matrix.data)
        if is_wrong.any():
            element = is_wrong.argmax()
            row = np.searchsorted(matrix.indptr, element, side="right") - 1
            column = matrix.indices[element]
            _refuse_element(name, row, column, matrix.data[element], matrix.dtype, names)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return matrix


def check_integers(name: str, value: Any, n_samples: int) -> npt.NDArray[np.integer[Any]]:
    """Integer labels of rows, whatever their values.

    Raises
    ------
    TypeError
        Not integers.
    ValueError
        Not 1-D, or of another length.
    """
    array = _as_array(name, value)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}: it must be one-dimensional")
    if len(array) != n_samples:
        raise ValueError(
            f"{name} has {len(array)} elements and x has {n_samples} rows: "
            "they must be of the same length"
        )
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"{name} has dtype {array.dtype}: labels must be integers from 0 to n_classes - 1"
        )
    return array


def check_targets(name: str, value: Any, n_samples: int) -> tuple[npt.NDArray[np.int32], int]:
    """Targets as kernels take them, and the number of classes: the largest label plus one.

    Parameters
    ----------
    name : str
        Of the argument, for errors.
    value : array-like of shape (n_samples,)
        Integers from 0.
    n_samples : int
        Rows of the features.

    Returns
    -------
    targets : ndarray of shape (n_samples,), int32
    n_classes : int

    Raises
    ------
    TypeError
        Not integers.
    ValueError
        Not 1-D, of another length, negative, or fewer than 2 or more than 65,536 classes.
    """
    array = check_integers(name, value, n_samples)
    smallest, largest = int(array.min()), int(array.max())
    if smallest < 0:
        raise ValueError(f"{name} has the label {smallest}: labels must not be negative")
    if not 1 <= largest < MAX_CLASSES:
        raise ValueError(
            f"the largest label in {name} is {largest}, which makes {largest + 1} classes: "
            f"the number of classes must be from 2 to {MAX_CLASSES}"
        )
    # A copy always: kernels index by the targets without a check, so nobody else may change them.
    return np.array(array, dtype=np.int32), largest + 1


def is_known(array: Any) -> bool:
    """Whether it is an array of numbers that kernels know."""
    return type(array) is np.ndarray and array.dtype.char in "df" and array.dtype.isnative


def check_any_features(name: str, X: Any, dtype: np.dtype | None = None, names: Any = None) -> Any:
    """Features as kernels take them, dense or sparse; see `check_features`."""
    if issparse(X):
        return check_sparse_features(name, X, names)
    return check_features(name, X, X.dtype if dtype is None else dtype, names)
