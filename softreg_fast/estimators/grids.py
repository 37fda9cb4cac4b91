"""Values of parameters that are tried one after the other."""

from typing import Any

import numpy as np

from .._typing import FloatArray
from ..data.checks import check_number

_WEAKEST, _STRONGEST = 4, -4  # decimal logarithms of C


def check_values(name: str, value: Any, **bounds: Any) -> FloatArray:
    """Several numbers, each allowed; see `check_number` for the bounds."""
    try:
        values = list(value)
    except TypeError as error:
        raise TypeError(f"{name}={value!r} is not allowed: it must be a list of numbers") from error
    if not values:
        raise ValueError(f"{name}={value!r} is not allowed: it must hold at least one number")
    return np.array(
        [check_number(f"{name}[{place}]", each, **bounds) for place, each in enumerate(values)]
    )


def check_strengths(Cs: Any) -> FloatArray:
    """Values of `C`; a number stands for as many on a logarithmic scale."""
    if isinstance(Cs, int | np.integer) and not isinstance(Cs, bool):
        if Cs < 1:
            raise ValueError(f"Cs={Cs!r} is not allowed: it must be at least 1, or a list")
        return np.logspace(_STRONGEST, _WEAKEST, int(Cs))
    return check_values("Cs", Cs, above=0.0, allow_infinity=True)
