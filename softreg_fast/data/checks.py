"""Checks of single arguments; every error names the argument, its value and what is allowed."""

import math
import numbers
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

_LARGEST_INTEGER = 2**63 - 1


def check_integer(
    name: str,
    value: Any,
    *,
    minimum: int = -_LARGEST_INTEGER,
    maximum: int = _LARGEST_INTEGER,
    alternative: str = "",
) -> int:
    """The value as an int, if it is a whole number (no bool) within the bounds.

    Parameters
    ----------
    name : str
        Of the argument, for errors.
    value : object
    minimum, maximum : int
        What it must not be smaller and larger than.
    alternative : str, default=""
        What else the argument might be, for errors.

    Raises
    ------
    TypeError
        Not an integer.
    ValueError
        Out of bounds.
    """
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if maximum < _LARGEST_INTEGER or (is_integer and abs(int(value)) > _LARGEST_INTEGER):
        allowed = f"an integer from {minimum} to {maximum}"
    elif minimum > -_LARGEST_INTEGER:
        allowed = f"an integer of at least {minimum}"
    else:
        allowed = "an integer"
    allowed += f", or {alternative}" if alternative else ""
    message = f"{name}={value!r} is not allowed: it must be {allowed}"
    if not is_integer:
        raise TypeError(message)
    number = int(value)
    if not minimum <= number <= maximum:
        raise ValueError(message)
    return number


def check_number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    below: float | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    allow_infinity: bool = False,
    alternative: str = "",
) -> float:
    """The value as a float, if it is a real number within the bounds.

    Parameters
    ----------
    name : str
        Of the argument, for errors.
    value : object
    above, below : float, default=None
        What it must be larger and smaller than.
    minimum, maximum : float, default=None
        What it must not be smaller and larger than.
    allow_infinity : bool, default=False
    alternative : str, default=""
        What else the argument might be, for errors.

    Raises
    ------
    TypeError
        Not a real number.
    ValueError
        NaN, infinite where that isn't allowed, or out of bounds.
    """
    bounds = [("above", above), ("below", below), ("of at least", minimum), ("of at most", maximum)]
    allowed = "a number " if allow_infinity else "a finite number "
    allowed += " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
    allowed = allowed.strip() + (f", or {alternative}" if alternative else "")
    message = f"{name}={value!r} is not allowed: it must be {allowed}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(message)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    is_within = (
        (above is None or number > above)
        and (below is None or number < below)
        and (minimum is None or number >= minimum)
        and (maximum is None or number <= maximum)
    )
    if math.isnan(number) or (math.isinf(number) and not allow_infinity) or not is_within:
        raise ValueError(message)
    return number


def check_choice(name: str, value: Any, choices: Collection[str]) -> str:
    """The value, if it is one of the choices.

    Raises
    ------
    ValueError
        It is not.
    """
    if not isinstance(value, str) or value not in choices:
        allowed = " or ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name}={value!r} is not allowed: it must be {allowed}")
    return value


def check_flag(name: str, value: Any) -> bool:
    """The value as a bool, if it is one, or the integer 0 or 1.

    Raises
    ------
    TypeError
        It is neither.
    """
    if isinstance(value, numbers.Integral) and value in (0, 1):
        return bool(value)
    if hasattr(value, "dtype") and value.dtype == bool and value.ndim == 0:
        return bool(value)
    raise TypeError(f"{name}={value!r} is not allowed: it must be True or False")


def check_path(name: str, value: Any) -> Path:
    """The value as a path of a file, if it is one.

    Raises
    ------
    TypeError
        It isn't.
    """
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name}={value!r} is not allowed: it must be the path of a file")
    return Path(value)


def check_random_state(name: str, value: Any, *, allow_generator: bool = False) -> None:
    """Raise ValueError if the value is no seed or source of random numbers.

    Parameters
    ----------
    name : str
        Of the argument, for errors.
    value : object
        None, an integer from 0 to 2**32 - 1, or a RandomState.
    allow_generator : bool, default=False
        Whether it may be a Generator.
    """
    sources: tuple[type, ...] = (np.random.RandomState,)
    if allow_generator:
        sources += (np.random.Generator,)
    if value is None or isinstance(value, sources):
        return
    is_seed = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_seed or not 0 <= value < 2**32:
        allowed = " or a numpy.random.RandomState"
        if allow_generator:
            allowed = ", a numpy.random.RandomState or a numpy.random.Generator"
        raise ValueError(
            f"{name}={value!r} is not allowed: it must be None, an integer from 0 to "
            f"2**32 - 1{allowed}"
        )
