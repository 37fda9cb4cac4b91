"""Checks of single arguments; every error names the argument, its value and what is allowed."""

import math
import numbers
from collections.abc import Collection
from typing import Any


def check_integer(name: str, value: Any, *, minimum: int | None = None) -> int:
    """The value as an int, if it is a whole number (no bool) and not below the minimum.

    Raises
    ------
    TypeError
        Not an integer.
    ValueError
        Below the minimum.
    """
    allowed = "an integer" if minimum is None else f"an integer of at least {minimum}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}={value!r} is not allowed: it must be {allowed}")
    if minimum is not None and value < minimum:
        raise ValueError(f"{name}={value!r} is not allowed: it must be {allowed}")
    return int(value)


def check_positive_number(name: str, value: Any) -> float:
    """The value as a float, if it is a finite number above zero.

    Raises
    ------
    TypeError
        Not a real number.
    ValueError
        Not finite or not positive.
    """
    message = f"{name}={value!r} is not allowed: it must be a finite number above 0"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(message)
    number = float(value)
    if not (math.isfinite(number) and number > 0):
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
