"""The operations of `lanes_llvm.py` on NumPy arrays.

They take the place of the LLVM instructions when Numba's JIT is switched off
(`NUMBA_DISABLE_JIT=1`), so that the kernels run as ordinary Python, and they
say in NumPy what every instruction does. A vector is an array `(lanes,)`, a
block an array `(rows, columns, lanes)`; the arithmetic operators are NumPy's own.
"""

import numpy as np


def load(array, row, column, width):
    return array[row, column : column + len(width)].copy()


def store(array, row, column, value):
    array[row, column : column + len(value)] = value


def splat(scalar, vector):
    return np.full_like(vector, scalar)


def multiply_add(a, b, c):
    return a * b + c


def minimum(a, b):
    return np.where(b < a, b, a)


def maximum(a, b):
    return np.where(b > a, b, a)


def select_less(a, b, if_less, otherwise):
    return np.where(a < b, if_less, otherwise)


def select_lane(lane, there, elsewhere):
    return np.where(np.arange(len(there)) == lane, there, elsewhere)


def select_first(number, first, rest):
    return np.where(np.arange(len(first)) < number, first, rest)


def shift_to_exponent(vector):
    bits, mantissa_bits, bias = (64, 52, 1023) if vector.dtype == np.float64 else (32, 23, 127)
    pattern = vector.view(f"i{bits // 8}") << mantissa_bits
    return (pattern + (bias << mantissa_bits)).view(vector.dtype)


def sum_lanes(vector):
    return vector.sum()


def max_lanes(vector):
    return np.fmax.reduce(vector)


def prefetch(array, row, column):
    pass


def block_of(vector, rows, columns):
    return np.tile(vector, (len(rows), len(columns), 1))


def repeat_row(row, rows):
    return np.repeat(row, len(rows), axis=0)


def add_outer(block, scalars, row):
    return block + scalars * row


def splat_down(array, row, column, like, rows):
    scalars = array[row : row + len(rows), column].astype(like.dtype)
    return np.repeat(scalars[:, None, None], like.shape[2], axis=2)


def splat_along(array, row, column, like, rows):
    scalars = array[row, column : column + len(rows)].astype(like.dtype)
    return np.repeat(scalars[:, None, None], like.shape[2], axis=2)


def load_block(array, row, column, width, rows, columns):
    part = array[row : row + len(rows), column : column + len(columns) * len(width)]
    return part.reshape(len(rows), len(columns), len(width)).copy()


def store_block(array, row, column, block):
    rows, columns, lanes = block.shape
    array[row : row + rows, column : column + columns * lanes] = block.reshape(rows, -1)
