"""The exponential function and the logarithm on SIMD vectors.

``exp(x) = 2^k * exp(r)`` with ``k`` the integer nearest to ``x / ln 2``. Adding a
large constant rounds ``x / ln 2`` to ``k`` in the lowest bits of the sum; ``ln 2``
in two parts (Cody and Waite, Software Manual for the Elementary Functions, 1980)
keeps ``r`` exact; a Taylor polynomial gives ``exp(r)`` for ``|r| <= ln(2) / 2``.

``log(x) = k * ln 2 + log(1 + f)`` with ``1 + f`` between sqrt(1/2) and sqrt(2). With
``s = f / (2 + f)``, ``log(1 + f) = f - (f^2 / 2 - s * (f^2 / 2 + R(s^2)))``, ``R`` being what the
series of the inverse hyperbolic tangent has beyond its first term (as in fdlibm's ``log``).
"""

import math

import numpy as np
from numba import types

from ..compile.entry_point import by_types, kernel
from .lanes import (
    exponent_part,
    mantissa_part,
    maximum,
    minimum,
    multiply_add,
    select_equal,
    select_less,
    shift_to_exponent,
    splat,
)
from .lanes_llvm import Vector

_LOG2_E = math.log2(math.e)

_DOUBLE_ROUNDER = 1.5 * 2.0**52
_DOUBLE_LN2_HIGH = 6.93147180369123816490e-01
_DOUBLE_LN2_LOW = 1.90821492927058770002e-10
_DOUBLE_LARGEST = 709.782712893384
_DOUBLE_SMALLEST = -600.0

_SINGLE_ROUNDER = 1.5 * 2.0**23
_SINGLE_LN2_HIGH = 0.693359375
_SINGLE_LN2_LOW = -2.12194440e-4
_SINGLE_LARGEST = 88.72283172607422
_SINGLE_SMALLEST = -80.0

_DOUBLE_SMALLEST_NORMAL = 2.0**-1022
_SINGLE_SMALLEST_NORMAL = 2.0**-126

_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12, _C13 = (
    1.0 / math.factorial(degree) for degree in range(2, 14)
)


@kernel
def _exponential_double(x):
    smallest = splat(_DOUBLE_SMALLEST, x)
    largest = splat(_DOUBLE_LARGEST, x)
    bounded = maximum(minimum(x, largest), smallest)
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
    # 2^(k - 1), since 2^k overflows before the result does.
    scale = shift_to_exponent(shifted - splat(1.0, x))
    finite = (p + p) * scale
    above = select_less(largest, x, splat(np.inf, x), finite)
    return select_less(x, smallest, splat(0.0, x), above)


@kernel
def _exponential_single(x):
    smallest = splat(_SINGLE_SMALLEST, x)
    largest = splat(_SINGLE_LARGEST, x)
    bounded = maximum(minimum(x, largest), smallest)
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
    scale = shift_to_exponent(shifted - splat(1.0, x))
    finite = (p + p) * scale
    above = select_less(largest, x, splat(np.inf, x), finite)
    return select_less(x, smallest, splat(0.0, x), above)


def exponential(x):
    """exp of every lane.

    Infinite where the result overflows; below -600 (float32: -80) an exact zero: products with
    subnormal numbers cost a hundred times the usual. NaN stays NaN.
    """
    return _exponential_double(x) if x.dtype == np.float64 else _exponential_single(x)


@by_types(exponential)
def _exponential_overload(x):
    if not isinstance(x, Vector):
        return None
    if x.dtype == types.float64:
        return lambda x: _exponential_double(x)
    return lambda x: _exponential_single(x)


@kernel
def _inverse_tangent_double(z):
    p = multiply_add(splat(2.0 / 21.0, z), z, splat(2.0 / 19.0, z))
    p = multiply_add(p, z, splat(2.0 / 17.0, z))
    p = multiply_add(p, z, splat(2.0 / 15.0, z))
    p = multiply_add(p, z, splat(2.0 / 13.0, z))
    p = multiply_add(p, z, splat(2.0 / 11.0, z))
    p = multiply_add(p, z, splat(2.0 / 9.0, z))
    p = multiply_add(p, z, splat(2.0 / 7.0, z))
    p = multiply_add(p, z, splat(2.0 / 5.0, z))
    return multiply_add(p, z, splat(2.0 / 3.0, z)) * z


@kernel
def _inverse_tangent_single(z):
    p = multiply_add(splat(2.0 / 11.0, z), z, splat(2.0 / 9.0, z))
    p = multiply_add(p, z, splat(2.0 / 7.0, z))
    p = multiply_add(p, z, splat(2.0 / 5.0, z))
    return multiply_add(p, z, splat(2.0 / 3.0, z)) * z


@kernel
def _finish_logarithm(x, f, s, rest, exponent, ln2_high, ln2_low):
    half_square = splat(0.5, x) * f * f
    correction = multiply_add(exponent, splat(ln2_low, x), s * (half_square + rest))
    finite = multiply_add(exponent, splat(ln2_high, x), f - (half_square - correction))
    zero, infinity = splat(0.0, x), splat(np.inf, x)
    bounded = select_less(x, infinity, finite, x)  # infinity and NaN stay
    positive = select_equal(x, zero, zero - infinity, bounded)
    return select_less(x, zero, splat(np.nan, x), positive)


@kernel
def _logarithm_double(x):
    normal = splat(_DOUBLE_SMALLEST_NORMAL, x)
    scaled = select_less(x, normal, x * splat(2.0**54, x), x)
    exponent = exponent_part(scaled) - select_less(x, normal, splat(54.0, x), splat(0.0, x))
    f = mantissa_part(scaled) - splat(1.0, x)
    s = f / (f + splat(2.0, x))
    rest = _inverse_tangent_double(s * s)
    return _finish_logarithm(x, f, s, rest, exponent, _DOUBLE_LN2_HIGH, _DOUBLE_LN2_LOW)


@kernel
def _logarithm_single(x):
    normal = splat(_SINGLE_SMALLEST_NORMAL, x)
    scaled = select_less(x, normal, x * splat(2.0**25, x), x)
    exponent = exponent_part(scaled) - select_less(x, normal, splat(25.0, x), splat(0.0, x))
    f = mantissa_part(scaled) - splat(1.0, x)
    s = f / (f + splat(2.0, x))
    rest = _inverse_tangent_single(s * s)
    return _finish_logarithm(x, f, s, rest, exponent, _SINGLE_LN2_HIGH, _SINGLE_LN2_LOW)


def logarithm(x):
    """Natural logarithm of every lane.

    Minus infinity of zero, NaN of negative numbers; infinity and NaN stay.
    """
    return _logarithm_double(x) if x.dtype == np.float64 else _logarithm_single(x)


@by_types(logarithm)
def _logarithm_overload(x):
    if not isinstance(x, Vector):
        return None
    if x.dtype == types.float64:
        return lambda x: _logarithm_double(x)
    return lambda x: _logarithm_single(x)
