"""The exponential function on SIMD vectors.

``exp(x) = 2^k * exp(r)`` with ``k`` the integer nearest to ``x / ln 2``. Adding a
large constant rounds ``x / ln 2`` to ``k`` in the lowest bits of the sum; ``ln 2``
in two parts (Cody and Waite, Software Manual for the Elementary Functions, 1980)
keeps ``r`` exact; a Taylor polynomial gives ``exp(r)`` for ``|r| <= ln(2) / 2``.
"""

import math

import numpy as np
from numba import types
from numba.extending import overload

from .jit import kernel
from .lanes import maximum, minimum, multiply_add, select_less, shift_to_exponent, splat
from .lanes_llvm import Vector

_LOG2_E = math.log2(math.e)

_DOUBLE_ROUNDER = 1.5 * 2.0**52
_DOUBLE_LN2_HIGH = 6.93147180369123816490e-01
_DOUBLE_LN2_LOW = 1.90821492927058770002e-10
_DOUBLE_LARGEST = 709.0
_DOUBLE_SMALLEST = -600.0

_SINGLE_ROUNDER = 1.5 * 2.0**23
_SINGLE_LN2_HIGH = 0.693359375
_SINGLE_LN2_LOW = -2.12194440e-4
_SINGLE_LARGEST = 88.0
_SINGLE_SMALLEST = -80.0

_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12, _C13 = (
    1.0 / math.factorial(degree) for degree in range(2, 14)
)


@kernel
def _exponential_double(x):
    smallest = splat(_DOUBLE_SMALLEST, x)
    bounded = maximum(minimum(x, splat(_DOUBLE_LARGEST, x)), smallest)
    rounder = splat(_DOUBLE_ROUNDER, x)
    shifted = multiply_add(bounded, splat(_LOG2_E, x), rounder)
    k = shifted - rounder
    r = multiply_add(k, splat(-_DOUBLE_LN2_HIGH, x), bounded)
    r = multiply_add(k, splat(-_DOUBLE_LN2_LOW, x), r)
    p = multiply_add(splat(_C13, x), r, splat(_C12, x))
    p = multiply_add(p, r, splat(_C11, x))
    p = multiply_add(p, r, splat(_C10, x))
    p = multiply_add(p, r, splat(_C9, x))
    p = multiply_add(p, r, splat(_C8, x))
    p = multiply_add(p, r, splat(_C7, x))
    p = multiply_add(p, r, splat(_C6, x))
    p = multiply_add(p, r, splat(_C5, x))
    p = multiply_add(p, r, splat(_C4, x))
    p = multiply_add(p, r, splat(_C3, x))
    p = multiply_add(p, r, splat(_C2, x))
    p = multiply_add(p, r, splat(1.0, x))
    p = multiply_add(p, r, splat(1.0, x))
    return select_less(x, smallest, splat(0.0, x), p * shift_to_exponent(shifted))


@kernel
def _exponential_single(x):
    smallest = splat(_SINGLE_SMALLEST, x)
    bounded = maximum(minimum(x, splat(_SINGLE_LARGEST, x)), smallest)
    rounder = splat(_SINGLE_ROUNDER, x)
    shifted = multiply_add(bounded, splat(_LOG2_E, x), rounder)
    k = shifted - rounder
    r = multiply_add(k, splat(-_SINGLE_LN2_HIGH, x), bounded)
    r = multiply_add(k, splat(-_SINGLE_LN2_LOW, x), r)
    p = multiply_add(splat(_C7, x), r, splat(_C6, x))
    p = multiply_add(p, r, splat(_C5, x))
    p = multiply_add(p, r, splat(_C4, x))
    p = multiply_add(p, r, splat(_C3, x))
    p = multiply_add(p, r, splat(_C2, x))
    p = multiply_add(p, r, splat(1.0, x))
    p = multiply_add(p, r, splat(1.0, x))
    return select_less(x, smallest, splat(0.0, x), p * shift_to_exponent(shifted))


def exponential(x):
    """exp of every lane, for arguments up to 709 (float32: 88).

    Larger arguments give the value at that bound. Below -600 (float32: -80) the result is an
    exact zero: products with subnormal numbers cost a hundred times the usual. NaN stays NaN.
    """
    return _exponential_double(x) if x.dtype == np.float64 else _exponential_single(x)


@overload(exponential)
def _exponential_overload(x):
    if not isinstance(x, Vector):
        return None
    if x.dtype == types.float64:
        return lambda x: _exponential_double(x)
    return lambda x: _exponential_single(x)
