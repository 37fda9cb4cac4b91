"""Input of an estimator, checked and encoded into what solvers take.

Features that are float32 or float64 are never copied, whatever their strides and wherever their
memory is: kernels read them as they lie. Other numbers are converted, which is one copy.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .definitions import FloatArray, Link
from .validation import check_choice

MAX_CLASSES = 65_536
_DTYPES = (np.dtype(np.float64), np.dtype(np.float32))
# Numbers: enough that looking at them costs more than the call, few enough that an interrupt comes
# through soon.
_CHECKED_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Problem:
    """What is to be learnt.

    Attributes
    ----------
    features : ndarray or scipy.sparse.csr_array, of shape (n_samples, n_features)
        float32 or float64, finite, also in `dtype`; an array of any strides.
    targets : ndarray of shape (n_samples,), int32
        From 0 to ``n_classes - 1``.
    n_classes : int
        At least 2.
    link : {"identity", "sigmoid"}
    dtype : numpy.dtype
        Of parameters and arithmetic, float32 or float64.
    sample_weight : ndarray of shape (n_samples,), float64, or None
        Not negative, finite, and not all zero; None weights every row by 1.
    l2_penalty, l1_penalty : float
        The objective is the weighted sum of the losses plus half of the first times the sum of the
        squared weights, plus the second times the sum of the absolute weights; biases are not
        penalised.
    """

    features: Any
    targets: npt.NDArray[np.int32]
    n_classes: int
    link: Link
    dtype: np.dtype
    sample_weight: npt.NDArray[np.float64] | None = None
    l2_penalty: float = 0.0
    l1_penalty: float = 0.0

    @property
    def n_samples(self) -> int:
        """Rows."""
        return int(self.features.shape[0])

    @property
    def n_elements(self) -> int:
        """Numbers that the features are made of."""
        return int(self.features.nnz if self.is_sparse else self.features.size)

    @property
    def is_sparse(self) -> bool:
        """Whether the features are a sparse matrix."""
        return not isinstance(self.features, np.ndarray)

    @property
    def total_weight(self) -> float:
        """Sum of the rows' weights."""
        if self.sample_weight is None:
            return float(self.n_samples)
        return float(self.sample_weight.sum())


def with_mean_weight_one(problem: Problem) -> Problem:
    """The problem with weights that no dtype is too narrow for; its penalties don't go along."""
    weights = problem.sample_weight
    if weights is None:
        return problem
    mean = problem.total_weight / problem.n_samples
    return replace(problem, sample_weight=weights / mean)


def drop_weightless(problem: Problem) -> Problem:
    """The problem without its rows of weight zero, whatever stands in them.

    The features are copied if there are such rows.
    """
    weights = problem.sample_weight
    if weights is None or weights.all():
        return problem
    rows = np.flatnonzero(weights)
    return replace(
        problem,
        features=problem.features[rows],
        targets=problem.targets[rows],
        sample_weight=weights[rows],
    )


@dataclass(frozen=True)
class Penalty:
    """That of a problem; see `Problem`."""

    l2_penalty: float
    l1_penalty: float

    def of(self, problem: Problem) -> Problem:
        """The problem with this penalty."""
        return replace(problem, l2_penalty=self.l2_penalty, l1_penalty=self.l1_penalty)


def make_penalty(C: float, l1_ratio: float) -> Penalty:
    """The penalty of scikit-learn's parameters."""
    return Penalty((1.0 - l1_ratio) / C, l1_ratio / C)


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
    from scipy.sparse import csr_array

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
    smallest, largest = int(array.min()), int(array.max())
    if smallest < 0:
        raise ValueError(f"{name} has the label {smallest}: labels must not be negative")
    if not 1 <= largest < MAX_CLASSES:
        raise ValueError(
            f"the largest label in {name} is {largest}, which makes {largest + 1} classes: "
            f"allowed are 2 to {MAX_CLASSES}"
        )
    # A copy always: kernels index by the targets without a check, so nobody else may change them.
    return np.array(array, dtype=np.int32), largest + 1


def make_problem(x: Any, y: Any, link: Link, dtype: np.dtype) -> Problem:
    """A problem of checked features and targets.

    Raises
    ------
    TypeError, ValueError
        See `check_features` and `check_targets`.
    """
    features = check_features("x", x, dtype)
    targets, n_classes = check_targets("y", y, len(features))
    return Problem(features, targets, n_classes, link, dtype)
