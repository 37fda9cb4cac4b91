"""What the machine can do at best.

The binding ceiling of a training is the largest of three times: for reading the features once, for
the multiplications (forward and backward) at the rate of a large matrix product, and for the
exponentials at the rate of a vector loop. All are measured in the run that uses them.
"""

import threading
from dataclasses import dataclass
from functools import cache

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from .internals import evaluate_exponentials
from .timing import take_turns

READ_BYTES = 1 << 30
MATRIX = 2000
EVALUATIONS = 5000


@numba.njit(nogil=True, fastmath=True)
def _read(array):
    total = 0.0
    for place in range(array.size):
        total += array[place]
    return total


def _on_threads(work, n_threads):
    """Do ``work(thread)`` in all threads."""
    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(1, n_threads)]
    for thread in threads:
        thread.start()
    work(0)
    for thread in threads:
        thread.join()


@dataclass(frozen=True)
class Ceilings:
    """Rates of some threads in one dtype.

    Attributes
    ----------
    dtype : str
    n_threads : int
    bytes_per_second : float
        Read from memory.
    flops_per_second : float
        Of a large matrix product.
    exponentials_per_second : float
    """

    dtype: str
    n_threads: int
    bytes_per_second: float
    flops_per_second: float
    exponentials_per_second: float

    def seconds_per_row(self, case):
        """The shortest time in which a row can be trained on, and what it is bound by."""
        times = {
            "memory": case.n_features * np.dtype(self.dtype).itemsize / self.bytes_per_second,
            "products": 4 * case.n_features * case.n_columns / self.flops_per_second,
            "exponentials": case.n_columns / self.exponentials_per_second,
        }
        binding = max(times, key=times.get)
        return times[binding], binding


@cache
def measure_ceilings(dtype, n_threads, is_quick=False):
    """Measure the rates of some threads, once in a process.

    Parameters
    ----------
    dtype : str
    n_threads : int
    is_quick : bool, default=False
        Whether to do a tenth of the work, for a smoke run.

    Returns
    -------
    Ceilings
    """
    share = 10 if is_quick else 1
    n_evaluations, size = EVALUATIONS // share, MATRIX // (2 if is_quick else 1)
    random = np.random.default_rng(0)
    parts = np.array_split(np.ones(READ_BYTES // share // 8), n_threads)
    left, right = random.standard_normal((2, size, size)).astype(dtype)
    points = random.uniform(-5, 0, (n_threads, 16, 512)).astype(dtype)
    results = np.empty_like(points)

    def evaluate(thread):
        evaluate_exponentials(points[thread], n_evaluations, results[thread])

    with threadpool_limits(n_threads, "blas"):
        turns = take_turns(
            {
                "read": lambda: _on_threads(lambda thread: _read(parts[thread]), n_threads),
                "multiply": lambda: left @ right,
                "evaluate": lambda: _on_threads(evaluate, n_threads),
            },
            1 if is_quick else 7,
            pause=0.1,
        )
    return Ceilings(
        dtype,
        n_threads,
        sum(part.nbytes for part in parts) / turns["read"].median,
        2 * size**3 / turns["multiply"].median,
        n_evaluations * points.size / turns["evaluate"].median,
    )


def add_ceilings(record, dtype, n_threads, is_quick=False):
    """Measure ceilings and keep them in a record."""
    found = measure_ceilings(dtype, n_threads, is_quick)
    name = f"{dtype}, {n_threads} thread" + ("s" if n_threads > 1 else "")
    for rate in ("bytes_per_second", "flops_per_second", "exponentials_per_second"):
        record.add(name, "machine", rate, getattr(found, rate))
    return found


def add_fraction(record, case, side, seconds_per_row, ceilings):
    """Keep which fraction of the binding ceiling a side reaches."""
    allowed, binding = ceilings.seconds_per_row(case)
    record.add(str(case), side, "fraction", allowed / seconds_per_row, bound_by=binding)
