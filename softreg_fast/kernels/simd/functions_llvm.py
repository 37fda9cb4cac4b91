"""The exponential function and the logarithm as LLVM instructions, on vectors and blocks.

They are for what a softmax takes them of, and are spared what overflow and subnormal numbers would
cost: the exponential function is for numbers far below its overflow, the logarithm for positive
normal numbers.

``exp(x) = 2^k * exp(r)`` with ``k`` the integer nearest to ``x / ln 2``. Adding a large constant
rounds ``x / ln 2`` to ``k``, and leaves ``k`` and the bias of exponents in the lowest bits of the
sum; ``ln 2`` in two parts (Cody and Waite, Software Manual for the Elementary Functions, 1980)
keeps ``r`` exact. ``exp(r) = 1 + (r + r^2 * Q(r))``, ``Q`` being the polynomial that agrees at the
Chebyshev nodes of ``|r| <= ln(2) / 2``, in float64 of degree 9 and in float32 of degree 4: its
error is below a fifth of a unit in the last place. Polynomials are evaluated by Horner's scheme for
even and odd powers, which waits less than for all, and holds less than Estrin's.

``log(x) = k * ln 2 + log(1 + f)`` with ``1 + f`` between sqrt(1/2) and sqrt(2). With
``s = f / (2 + f)``, ``log(1 + f) = f - (f^2 / 2 - s * (f^2 / 2 + R(s^2)))``, ``R`` being what the
series of the inverse hyperbolic tangent has beyond its first term (as in fdlibm's ``log``), as a
polynomial that agrees with it at the Chebyshev nodes: its error is below a tenth of a unit in the
last place.

The vectors of a block are worked on side by side: a single one would wait for each of its steps.
"""

import math
from dataclasses import dataclass

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .vectors_llvm import Block, emit_multiply_add, pack, unpack


@dataclass(frozen=True)
class _Format:
    """What differs between float64 and float32."""

    bits: int
    mantissa_bits: int
    ln2_high: float
    ln2_low: float
    smallest: float  # below, the result is an exact zero
    of_exponential: tuple[float, ...]
    of_tangent: tuple[float, ...]
    bits_of_root_of_half: int

    @property
    def bias(self):
        """Of the exponent."""
        return (1 << (self.bits - self.mantissa_bits - 2)) - 1

    @property
    def rounder(self):
        """Added to a number it leaves the nearest integer in the lowest bits."""
        return 1.5 * 2.0**self.mantissa_bits


_DOUBLE = _Format(
    64, 52, 6.93147180369123816490e-01, 1.90821492927058770002e-10, -600.0,
    (
        0.5000000000000001, 0.16666666666666669, 0.041666666666624164, 0.008333333333330065,
        0.0013888888917196719, 0.00019841269863040545, 2.4801521322368692e-05,
        2.7557268480310024e-06, 2.7620075879983367e-07, 2.5100375832561234e-08,
    ),
    (
        0.666666666666667, 0.39999999999899505, 0.28571428625975487, 0.2222221113479508,
        0.18182889125261723, 0.15331721600556042, 0.14616449685043406,
    ),
    0x3FE6A09E667F3BCD,
)  # fmt: skip
_SINGLE = _Format(
    32, 23, 0.693359375, -2.12194440e-4, -80.0,
    (
        0.5, 0.1666657702559799, 0.041666554662050534, 0.008363173074513711, 0.001392617611993558,
    ),
    (0.6666666655449709, 0.40000121839806124, 0.28550820815960665, 0.23330467216303838),
    0x3F3504F3,
)  # fmt: skip


class _Arithmetic:
    """Operations on several vectors at a time, each instruction for all of them."""

    def __init__(self, builder, vector):
        self._builder, self._vector = builder, vector
        self.format = _DOUBLE if vector.dtype == types.float64 else _SINGLE
        self._integers = ir.VectorType(ir.IntType(self.format.bits), vector.lanes)

    def _constant(self, number):
        return ir.Constant(self._vector.llvm_type, [float(number)] * self._vector.lanes)

    def _integer(self, number):
        return ir.Constant(self._integers, [number] * self._vector.lanes)

    def _each(self, apply, *operands):
        """Apply to the vectors of the operands; a number stands for as many equal vectors."""
        n_vectors = max(len(each) for each in operands if isinstance(each, list))
        columns = (
            each if isinstance(each, list) else [self._constant(each)] * n_vectors
            for each in operands
        )
        return [apply(*vectors) for vectors in zip(*columns, strict=True)]

    def add(self, a, b):
        return self._each(self._builder.fadd, a, b)

    def subtract(self, a, b):
        return self._each(self._builder.fsub, a, b)

    def multiply(self, a, b):
        return self._each(self._builder.fmul, a, b)

    def divide(self, a, b):
        return self._each(self._builder.fdiv, a, b)

    def multiply_add(self, a, b, c):
        return self._each(
            lambda *vectors: emit_multiply_add(self._builder, self._vector, *vectors), a, b, c
        )

    def select(self, sign, a, b, if_so, otherwise):
        def apply(left, right, first, second):
            return self._builder.select(
                self._builder.fcmp_ordered(sign, left, right), first, second
            )

        return self._each(apply, a, b, if_so, otherwise)

    def polynomial(self, coefficients, x):
        """By Horner's scheme for the even powers and for the odd ones."""
        square = self.multiply(x, x)
        sums = []
        for first in (0, 1):
            *others, total = coefficients[first::2]
            for coefficient in reversed(others):
                total = self.multiply_add(total, square, coefficient)
            sums.append(total)
        even, odd = sums
        return self.multiply_add(odd, x, even)

    def from_exponents(self, shifted):
        """The powers of two whose biased exponents are in the lowest bits."""
        builder = self._builder
        powers = []
        for vector in shifted:
            bits = builder.bitcast(vector, self._integers)
            power = builder.shl(bits, self._integer(self.format.mantissa_bits))
            powers.append(builder.bitcast(power, self._vector.llvm_type))
        return powers

    def parts(self, x):
        """Exponents of positive normal numbers, and the rest, from sqrt(1/2) to sqrt(2)."""
        builder, mantissa_bits = self._builder, self.format.mantissa_bits
        root = self._integer(self.format.bits_of_root_of_half)
        shift = self._constant(self.format.rounder)
        exponents, mantissas = [], []
        for vector in x:
            above = builder.sub(builder.bitcast(vector, self._integers), root)
            exponent = builder.ashr(above, self._integer(mantissa_bits))
            # The integer in the lowest bits of the constant; no CPU lacks this conversion.
            shifted = builder.add(exponent, builder.bitcast(shift, self._integers))
            exponents.append(builder.fsub(builder.bitcast(shifted, self._vector.llvm_type), shift))
            fraction = builder.and_(above, self._integer((1 << mantissa_bits) - 1))
            mantissa = builder.add(fraction, root)
            mantissas.append(builder.bitcast(mantissa, self._vector.llvm_type))
        return exponents, mantissas


def _exponential(arithmetic, x):
    form = arithmetic.format
    rounder = form.rounder + form.bias
    shifted = arithmetic.multiply_add(x, math.log2(math.e), rounder)
    k = arithmetic.subtract(shifted, rounder)
    r = arithmetic.multiply_add(k, -form.ln2_high, x)
    r = arithmetic.multiply_add(k, -form.ln2_low, r)
    beyond_line = arithmetic.polynomial(form.of_exponential, r)
    p = arithmetic.multiply_add(arithmetic.multiply(r, r), beyond_line, r)
    scale = arithmetic.from_exponents(shifted)
    # Far below the range all that has been computed is meaningless.
    return arithmetic.select("<", x, form.smallest, 0.0, arithmetic.multiply_add(scale, p, scale))


def _logarithm(arithmetic, x):
    form = arithmetic.format
    exponent, mantissa = arithmetic.parts(x)
    f = arithmetic.subtract(mantissa, 1.0)
    s = arithmetic.divide(f, arithmetic.add(f, 2.0))
    square = arithmetic.multiply(s, s)
    half_square = arithmetic.multiply(arithmetic.multiply(f, f), 0.5)
    rest = arithmetic.multiply_add(
        arithmetic.polynomial(form.of_tangent, square), square, half_square
    )
    correction = arithmetic.multiply_add(s, rest, arithmetic.multiply(exponent, form.ln2_low))
    low = arithmetic.subtract(f, arithmetic.subtract(half_square, correction))
    finite = arithmetic.multiply_add(exponent, form.ln2_high, low)
    return arithmetic.select("<", x, math.inf, finite, x)  # NaN stays


def _on_vectors(emit):
    @intrinsic
    def function(typingctx, x):
        vector = x.vector if isinstance(x, Block) else x

        def codegen(context, builder, signature, arguments):
            arithmetic = _Arithmetic(builder, vector)
            if isinstance(x, Block):
                return pack(builder, x, emit(arithmetic, unpack(builder, x, arguments[0])))
            return emit(arithmetic, [arguments[0]])[0]

        return x(x), codegen

    return function


exponential = _on_vectors(_exponential)
logarithm = _on_vectors(_logarithm)
