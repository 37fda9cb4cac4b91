"""What the machine can do at best, and what fraction of it a training reaches.

The binding ceiling is the largest of three times: for reading the features once, for the
multiplications (forward and backward) at the rate of a large matrix product, and for the
exponentials at the rate of a vector loop. All are measured in the same run.
"""

import threading
import time
from dataclasses import dataclass

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from softreg_fast.kernels.simd import cpu
from softreg_fast.kernels.simd.exponential import exponential
from softreg_fast.kernels.simd.lanes import load, store

READ_BYTES = 1 << 30
MATRIX = 2000
EVALUATIONS = 5000


@numba.njit(nogil=True, fastmath=True)
def _read(array):
    total = 0.0
    for place in range(array.size):
        total += array[place]
    return total


@numba.njit(nogil=True, error_model="numpy")
def _exponentials(array, width, n_times, out):
    for _ in range(n_times):
        for row in range(array.shape[0]):
            for column in range(0, array.shape[1], len(width)):
                store(out, row, column, exponential(load(array, row, column, width)))


def _on_threads(work, n_threads):
    """Seconds until ``work(thread)`` is done in all threads."""
    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(1, n_threads)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    work(0)
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def _median(measure, n_repeats=7):
    measure()
    return float(np.median([measure() for _ in range(n_repeats)]))


@dataclass(frozen=True)
class Ceilings:
    """Rates of some threads in one dtype.

    Attributes
    ----------
    dtype : numpy.dtype
    n_threads : int
    bytes_per_second : float
        Read from memory.
    flops_per_second : float
        Of a large matrix product.
    exponentials_per_second : float
    """

    dtype: np.dtype
    n_threads: int
    bytes_per_second: float
    flops_per_second: float
    exponentials_per_second: float

    def seconds_per_row(self, n_features, n_columns, n_exponentials):
        """The shortest time in which a row can be trained on, and what it is bound by."""
        times = {
            "memory": n_features * self.dtype.itemsize / self.bytes_per_second,
            "products": 4 * n_features * n_columns / self.flops_per_second,
            "exponentials": n_exponentials / self.exponentials_per_second,
        }
        binding = max(times, key=times.get)
        return times[binding], binding


def _seconds_to_read(n_threads):
    parts = np.array_split(np.ones(READ_BYTES // 8), n_threads)
    return _median(lambda: _on_threads(lambda thread: _read(parts[thread]), n_threads))


def measure_ceilings(dtype, n_threads):
    """Measure the rates of some threads."""
    dtype = np.dtype(dtype)
    reading = _seconds_to_read(n_threads)
    random = np.random.default_rng(0)
    left, right = random.standard_normal((2, MATRIX, MATRIX)).astype(dtype)
    with threadpool_limits(n_threads, "blas"):
        multiplying = _median(lambda: _on_threads(lambda thread: left @ right, 1), 5)

    width = (0,) * (cpu.vector_bits() // (8 * dtype.itemsize))
    points = random.uniform(-5, 0, (n_threads, 16, 512)).astype(dtype)
    results = np.empty_like(points)

    def evaluate(thread):
        _exponentials(points[thread], width, EVALUATIONS, results[thread])

    evaluating = _median(lambda: _on_threads(evaluate, n_threads))
    return Ceilings(
        dtype,
        n_threads,
        READ_BYTES / reading,
        2 * MATRIX**3 / multiplying,
        EVALUATIONS * points.size / evaluating,
    )
