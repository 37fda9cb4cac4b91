"""BLAS and LAPACK without threads of their own.

They start some for small products already, which then spin for a while: ours, which take turns with
them, would have to wait for a CPU. And a sum has other bits for another number of threads.
"""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .._typing import FloatArray
from .threads import find_thread_libraries

# BLAS takes more than one thread for longer vectors, for matrices of more elements by vectors, and
# for matrices by matrices or factorizations from a little more on.
_SIZE_OF_ONE_THREAD = 1 << 13

is_limited = threading.Lock()
"""Held by who limits the threads of BLAS, which is of the whole process."""


@contextmanager
def one_blas_thread(size: float = math.inf) -> Iterator[None]:
    """A context, or a decorator, within which BLAS and LAPACK use the calling thread alone.

    The limit is the process's. It is not set twice: by a thread that is inside already, or while
    another thread is. Setting it takes some ten microseconds.

    Parameters
    ----------
    size : float, default=inf
        Elements of the largest array; it isn't set for so few that one thread is taken anyway.
    """
    libraries = find_thread_libraries("blas") if size > _SIZE_OF_ONE_THREAD else None
    if libraries is None or not is_limited.acquire(blocking=False):
        yield
        return
    try:
        with libraries.limit(limits=1):
            yield
    finally:
        is_limited.release()


def inner_product(left: FloatArray, right: FloatArray) -> float:
    """The sum of the products of two arrays' elements."""
    if left.size <= _SIZE_OF_ONE_THREAD:
        return float(np.vdot(left, right))
    left, right = left.ravel(), right.ravel()
    parts = [
        slice(start, start + _SIZE_OF_ONE_THREAD)
        for start in range(0, left.size, _SIZE_OF_ONE_THREAD)
    ]
    return sum(float(np.vdot(left[part], right[part])) for part in parts)


def matrix_product(left: FloatArray, right: FloatArray) -> FloatArray:
    """``left @ right``, by the calling thread alone."""
    n_products = left.size * (right.size // max(len(right), 1))
    with one_blas_thread(n_products):
        product: FloatArray = left @ right
    return product


def norm(array: FloatArray) -> float:
    """The Euclidean norm of an array's elements."""
    return math.sqrt(inner_product(array, array))
