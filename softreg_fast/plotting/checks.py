"""Checks of what is to be drawn; every error names the argument and what is allowed."""

from typing import Any

import numpy as np

from .._typing import FloatArray


def check_array(name: str, value: Any, shape: str, *, allow_infinity: bool = False) -> FloatArray:
    """The numbers in float64, if there are some, in as many dimensions as the shape has names.

    Parameters
    ----------
    name : str
        Of the argument, for errors.
    value : array-like
    shape : str
        Names of its dimensions, as in "n_rows, n_features".
    allow_infinity : bool, default=False

    Raises
    ------
    TypeError, ValueError
        Not real numbers, of another shape, empty, NaN, or infinite where that isn't allowed.
    """
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"its dtype is {array.dtype}")
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} is not allowed: it must hold real numbers; {error}") from error
    n_dimensions = shape.count(",") + 1
    if array.ndim != n_dimensions or not array.size:
        comma = "," if n_dimensions == 1 else ""
        raise ValueError(
            f"{name} has shape {array.shape}: it must have the shape ({shape}{comma}), not empty"
        )
    is_wrong = np.isnan(array) if allow_infinity else ~np.isfinite(array)
    if is_wrong.any():
        place = tuple(np.argwhere(is_wrong)[0].tolist())
        what = "NaN" if np.isnan(array[place]) else f"{array[place]}"
        index = ", ".join(map(str, place))
        allowed = "must not be NaN" if allow_infinity else "must be finite"
        raise ValueError(f"{name}[{index}] is {what}: numbers {allowed}")
    return array


def check_shape(name: str, array: FloatArray, shape: tuple[int, ...], of: str) -> FloatArray:
    """The array, if it has this shape.

    Raises
    ------
    ValueError
        It has not.
    """
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}: it must be {shape}, that of {of}")
    return array


def check_strengths(name: str, value: Any) -> FloatArray:
    """Values of `C`: above zero, infinity allowed.

    Raises
    ------
    TypeError, ValueError
        One isn't allowed.
    """
    strengths = check_array(name, value, "n_cs", allow_infinity=True)
    if (strengths <= 0.0).any():
        raise ValueError(f"{name} has {strengths.min():g}: all must be above 0")
    return strengths


def check_names(name: str, value: Any, n_expected: int, what: str) -> list[str]:
    """Names as strings, if these are as many as there should be.

    Raises
    ------
    TypeError
        No list of names.
    ValueError
        Too few or too many.
    """
    if isinstance(value, str | bytes) or not hasattr(value, "__len__"):
        raise TypeError(f"{name}={value!r} is not allowed: it must be a list of names")
    names = [str(each) for each in value]
    if len(names) != n_expected:
        raise ValueError(f"{name} has {len(names)} names: it must have {n_expected}, one {what}")
    return names


def find_class(name: str, value: Any, names: list[str]) -> int:
    """The place of a class among names.

    Raises
    ------
    ValueError
        There is no such class.
    """
    if str(value) not in names:
        raise ValueError(f"{name}={value!r} is not allowed: it must be one of {names}")
    return names.index(str(value))
