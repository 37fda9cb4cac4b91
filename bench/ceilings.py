"""What the machine can do at best.

The binding ceiling of a training is the largest of three times: for reading the features once, for
the multiplications (forward and backward) at the rate of a large matrix product, and for the
exponentials at the rate of a vector loop. They are measured in turns with what they are ceilings
of: a machine that others use too is at no two times equally fast.
"""

import threading

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from .internals import evaluate_exponentials

READ_BYTES = 1 << 30
MATRIX = 2000
EVALUATIONS = 5000
_METRICS = {
    "read": "bytes_per_second",
    "multiply": "flops_per_second",
    "evaluate": "exponentials_per_second",
}


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


class Ceilings:
    """What some threads do at best in one dtype.

    Parameters
    ----------
    dtype : str
    n_threads : int
    is_quick : bool, default=False
        Whether to do a tenth of the work, for a smoke run.

    Attributes
    ----------
    runs : dict of str to callable
        What is to be timed: reading memory, a large matrix product, exponentials.
    """

    def __init__(self, dtype, n_threads, is_quick=False):
        share = 10 if is_quick else 1
        n_evaluations, size = EVALUATIONS // share, MATRIX // (2 if is_quick else 1)
        random = np.random.default_rng(0)
        parts = np.array_split(np.ones(READ_BYTES // share // 8), n_threads)
        left, right = random.standard_normal((2, size, size)).astype(dtype)
        points = random.uniform(-5, 0, (n_threads, 16, 512)).astype(dtype)
        results = np.empty_like(points)

        def evaluate(thread):
            evaluate_exponentials(points[thread], n_evaluations, results[thread])

        def multiply():
            with threadpool_limits(n_threads, "blas"):
                return left @ right

        self.runs = {
            "read": lambda: _on_threads(lambda thread: _read(parts[thread]), n_threads),
            "multiply": multiply,
            "evaluate": lambda: _on_threads(evaluate, n_threads),
        }
        self._itemsize = np.dtype(dtype).itemsize
        self._units = {
            "read": sum(part.nbytes for part in parts),
            "multiply": 2 * size**3,
            "evaluate": n_evaluations * points.size,
        }

    def keep(self, record, case, side, seconds_per_row, seconds):
        """Keep the ceilings in a record, and which fraction of the binding one a side reaches.

        Parameters
        ----------
        record : Record
        case : Case
        side : str
        seconds_per_row : float
            Of the side.
        seconds : dict of str to float
            Of the `runs`.
        """
        rates = {name: units / seconds[name] for name, units in self._units.items()}
        for name, metric in _METRICS.items():
            record.add(str(case), f"ceiling of {side}", metric, rates[name])
        times = {
            "memory": case.n_features * self._itemsize / rates["read"],
            "products": 4 * case.n_features * case.n_columns / rates["multiply"],
            "exponentials": case.n_columns / rates["evaluate"],
        }
        binding = max(times, key=times.get)
        record.add(str(case), side, "fraction", times[binding] / seconds_per_row, bound_by=binding)
