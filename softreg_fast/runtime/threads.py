"""How many threads, and how they are started.

The compiled code releases the interpreter's lock, so plain threads run in parallel. They live as
long as the context that makes them, or a moment longer: a process that forks afterwards is safe.
"""

import _thread
import ctypes
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import cache
from typing import Any

from ..data.checks import check_integer
from . import tuning

# No computer has more CPUs than these digits can count.
_MOST_DIGITS = 9


def check_n_threads(name: str, n_threads: Any) -> int | None:
    """The value, if it is None or an integer of at least 1.

    Raises
    ------
    TypeError, ValueError
        It is not.
    """
    if n_threads is None:
        return None
    return check_integer(name, n_threads, minimum=1, alternative="None")


def _usable_cpus() -> int:
    """CPUs that this process may use, by its affinity and the quota of its container."""
    try:
        from joblib import cpu_count
    except RuntimeError:  # it can't be imported while the interpreter ends
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return int(cpu_count())


def _wanted_by_environment() -> int | None:
    """The number that `OMP_NUM_THREADS` begins with, which may be a list; None if there is none.

    By that variable joblib's workers share the CPUs among them.
    """
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip().lstrip("0")
    is_number = first.isascii() and first.isdecimal()
    return int(first[:_MOST_DIGITS]) if is_number else None


@cache
def find_thread_libraries(user_api: str) -> Any:
    """The loaded libraries that start threads of their own: a controller of threadpoolctl, or None.

    Parameters
    ----------
    user_api : {'blas', 'openmp'}
        Those that are loaded later aren't found. Importing scikit-learn loads one of OpenMP,
        importing SciPy those of BLAS.
    """
    with suppress(Exception):  # whatever a library that it asks may do
        from threadpoolctl import ThreadpoolController

        return ThreadpoolController().select(user_api=user_api)
    return None


def _wanted_by_openmp() -> int | None:
    """How many threads the calling thread may start with OpenMP; None without such a library.

    `threadpoolctl.threadpool_limits` limits them all. A program that limits one of several means
    that library alone.
    """
    found = []
    libraries = find_thread_libraries("openmp")
    for library in [] if libraries is None else libraries.lib_controllers:
        with suppress(Exception):
            found.append(int(library.num_threads))
    return max(found, default=None)


def count_threads(n_threads: int | None, n_useful: int) -> int:
    """The number of threads to use.

    Parameters
    ----------
    n_threads : int or None
        What the user wants; None is as many as there are CPUs, or as `OMP_NUM_THREADS` or
        threadpoolctl say. More than the CPUs that the process may use would only take them from
        each other.
    n_useful : int
        No more than this.
    """
    limits: list[Callable[[], int | None]] = [_usable_cpus]
    most = n_useful
    if n_threads is None:
        limits = [_wanted_by_environment, _usable_cpus, _wanted_by_openmp]
    else:
        most = min(most, n_threads)
    for find_limit in limits:
        if most <= 1:
            break
        limit = find_limit()
        most = most if limit is None else min(most, limit)
    return max(most, 1)


def count_threads_for_pass(n_threads: int | None, n_products: int) -> int:
    """The number of threads for a pass over rows with some multiplications."""
    return count_threads(n_threads, 1 + n_products // tuning.PRODUCTS_WORTH_A_THREAD)


def count_threads_for_prediction(n_threads: int | None, n_products: int) -> int:
    """The number of threads that predict for rows."""
    n_useful = 1 + n_products // tuning.PRODUCTS_OF_A_PREDICTION_WORTH_A_THREAD
    return count_threads(n_threads, n_useful)


def count_threads_for_steps(
    n_threads: int | None, n_products: int, n_products_per_step: int, n_chunks: int
) -> int:
    """The number of threads that train in step.

    Parameters
    ----------
    n_threads : int or None
        See `count_threads`.
    n_products, n_products_per_step : int
        Multiplications in the whole training and in each step.
    n_chunks : int
        Pieces that a step is cut into.
    """
    pays = (
        n_products >= tuning.PRODUCTS_WORTH_A_TEAM
        and n_products_per_step >= tuning.PRODUCTS_OF_A_STEP_WORTH_A_TEAM
    )
    return count_threads(n_threads, n_chunks if pays else 1)


def rows_per_block(n_rows: int, n_products_per_row: int, n_threads: int) -> int:
    """Rows of a block that a thread works on.

    Few enough that no thread is left with much when the others are done, and that an interrupt is
    answered soon: the compiled code doesn't look for any.
    """
    n_blocks = tuning.BLOCKS_PER_THREAD * n_threads
    return min(-(-n_rows // n_blocks), max(1, tuning.PRODUCTS_PER_CALL // n_products_per_row))


# Not `threading.get_ident`: where green threads stand in for threads, it tells them apart.
_thread_of_system = ctypes.PYFUNCTYPE(ctypes.c_ulong)(
    ("PyThread_get_thread_ident", ctypes.pythonapi)
)


@cache
def _cpu_finder() -> Callable[[], int] | None:
    with suppress(AttributeError, OSError, TypeError):
        find: Callable[[], int] = ctypes.CDLL(None).sched_getcpu
        return find
    return None


def current_cpu() -> int:
    """The number of the CPU that the calling thread is on; -1 if unknown."""
    find = _cpu_finder()
    return -1 if find is None else find()


def move_thread(number_of_system: int, cpus: Collection[int]) -> None:
    """Have a thread go on on one of some CPUs; nothing is done where that isn't possible.

    Parameters
    ----------
    number_of_system : int
        What `threading.get_native_id` gives in the thread.
    cpus : collection of int
        Their numbers; -1 if unknown.
    """
    if -1 not in cpus and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(number_of_system, cpus)


def _let_others_go_first() -> None:
    """Have the thread, when it wakes, take no CPU from one that runs, but get its share."""
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def start_threads(function: Callable[[int], None], n_threads: int) -> int:
    """Have threads call ``function(1)``, ``function(2)`` ..., in no time; gives how many may.

    Nobody waits for them to begin, which `threading.Thread` does and which takes several times as
    long. Green threads don't call it: one that waits for another of the same thread waits in vain.
    """
    starting_thread = _thread_of_system()

    def begin(number: int) -> None:
        if _thread_of_system() != starting_thread:
            _let_others_go_first()
            function(number)

    for number in range(1, n_threads + 1):
        try:
            _thread.start_new_thread(begin, (number,))
        # The interpreter is ending, or the system's limit is reached.
        except RuntimeError:
            return number - 1
    return n_threads
