"""BLAS and LAPACK without threads of their own.

They start some for small products already, which then spin for a while: ours, which take turns with
them, would have to wait for a CPU. And a sum has other bits for another number of threads.
"""

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._typing import FloatArray
from .threads import find_thread_libraries

# BLAS takes more than one thread for longer vectors, for matrices of more elements by vectors, and
# for matrices by matrices or factorizations from a little more on.
_SIZE_OF_ONE_THREAD = 1 << 13


class _SharedLimit:
    """The limit of the process's BLAS: the first who is inside sets it, the last one lifts it."""

    _libraries: Any
    _limiter: Any

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin with nobody inside."""
        self._lock = threading.Lock()
        self._n_inside = 0

    def enter(self) -> None:
        """Set it, if nobody is inside."""
        with self._lock:
            if self._n_inside == 0:
                self._libraries = find_thread_libraries("blas")
                if self._libraries is not None:
                    self._limiter = self._libraries.limit(limits=1)
            self._n_inside += 1

    def leave(self) -> None:
        """Lift it, if nobody else is inside."""
        with self._lock:
            self._n_inside -= 1
            if self._libraries is None:
                return
            if self._n_inside == 0:
                self._limiter.restore_original_limits()
            # threadpoolctl (3.8 and later) lets no other thread change what this one has changed,
            # until it says that it is done: the last one must be able to.
            for library in self._libraries.lib_controllers:
                getattr(library, "clear_controlling_thread", _do_nothing)()


def _do_nothing() -> None:
    pass


_limit = _SharedLimit()
if hasattr(os, "register_at_fork"):
    # A child has none of the threads that may be inside.
    os.register_at_fork(after_in_child=_limit.forget)


@contextmanager
def one_blas_thread(size: float = math.inf) -> Iterator[None]:
    """A context, or a decorator, within which BLAS and LAPACK use the calling thread alone.

    The limit is the process's, and lasts as long as any thread is inside. Setting it takes some ten
    microseconds.

    Parameters
    ----------
    size : float, default=inf
        Elements of the largest array; it isn't set for so few that one thread is taken anyway.
    """
    if size <= _SIZE_OF_ONE_THREAD:
        yield
        return
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


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
