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


def select_equal(a, b, if_equal, otherwise):
    return np.where(a == b, if_equal, otherwise)


def select_less(a, b, if_less, otherwise):
    return np.where(a < b, if_less, otherwise)


def exponential(x):
    # In float64, since NumPy's functions of float32 are less exact than those of the kernels.
    smallest = -600.0 if x.dtype == np.float64 else -80.0
    exact = np.exp(x.astype(np.float64)).astype(x.dtype)
    return np.where(x < smallest, x.dtype.type(0.0), exact)


def logarithm(x):
    return np.log(x.astype(np.float64)).astype(x.dtype)


def sum_lanes(vector):
    return vector.sum()


def prefetch(array, row, column):
    pass


def prefetch_element(array, index):
    pass


def prefetch_numbered(array, numbers, first, column, rows):
    pass


def prefetch_closest_along(array, row, column, width, vectors):
    pass


def block_of(vector, rows, columns):
    return np.tile(vector, (len(rows), len(columns), 1))


def load_block(array, row, column, width, rows, columns):
    part = array[row : row + len(rows), column : column + len(columns) * len(width)]
    return part.reshape(len(rows), len(columns), len(width)).copy()


def store_block(array, row, column, block):
    rows, columns, lanes = block.shape
    array[row : row + rows, column : column + columns * lanes] = block.reshape(rows, -1)


def load_as(array, row, column, like):
    return array[row, column : column + len(like)].astype(like.dtype)


def _load_first(array, row, column, count, like):
    vector = np.zeros_like(like)
    available = len(like) if count is None else max(0, min(count, len(like)))
    vector[:available] = array[row, column : column + available]
    return vector


def load_numbered(array, numbers, first, column, count, like, rows):
    chosen = numbers[first : first + len(rows)]
    return np.stack([[_load_first(array, row, column, count, like)] for row in chosen])


def splat_down(array, row, column, like, rows):
    scalars = array[row : row + len(rows), column].astype(like.dtype)
    return np.repeat(scalars[:, None, None], len(like), axis=2)


def _as_list(block):
    return block.reshape(-1, block.shape[2])


def repeat_down(vectors, rows):
    return np.stack([_as_list(vectors)] * len(rows))


def repeat_along(vectors, columns):
    return np.stack([_as_list(vectors)] * len(columns), axis=1)


def add_outer(block, down, along):
    return block + _as_list(down)[:, None] * _as_list(along)[None]


def contract(sums, vectors, numbers, first, start, n_columns, matrix, group, ahead):
    n_rows, n_classes, _ = sums.shape
    chosen = numbers[first : first + n_rows]
    down = vectors[chosen, start : start + n_columns].astype(sums.dtype)
    along = matrix[group : group + n_classes, :n_columns]
    return (sums.sum(axis=2).T + along @ down.T)[:, None]


def contract_by_class(sums, vectors, numbers, first, n_columns, weights):
    n_rows = len(sums)
    down = vectors[numbers[first : first + n_rows], :n_columns].astype(sums.dtype)
    found = sums.reshape(n_rows, -1) + down @ weights[:n_columns]
    return np.ascontiguousarray(found.T)[:, None]


def combine(sums, scalars, group, vectors, numbers, n_rows, column, count, ahead):
    n_classes, n_vectors, lanes = sums.shape
    n_there = n_vectors * lanes if count is None else max(0, min(count, n_vectors * lanes))
    along = np.zeros((n_rows, n_vectors * lanes), sums.dtype)
    along[:, :n_there] = vectors[numbers[:n_rows], column : column + n_there]
    down = scalars[group : group + n_classes, :n_rows]
    return sums + (down @ along).reshape(sums.shape)


def combine_listed(sums, factors, numbers, start, stop, vectors, column, parts):
    for place in range(start, stop):
        row = vectors[numbers[place], column : column + sums.size]
        sums = sums + sums.dtype.type(factors[place]) * row.reshape(sums.shape)
    return sums


def transpose(block):
    return np.ascontiguousarray(block[:, 0].T)[:, None]
