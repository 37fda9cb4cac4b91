"""How many threads, blocks of rows on them, and teams that work in step.

The compiled code releases the interpreter's lock, so plain threads run in parallel. They live as
long as the context that makes them: a process that forks afterwards is safe.
"""

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..data.checks import check_integer
from ..kernels.threads.barrier import ABANDONED, GIVEN_UP, LATE, TEAM_SIZE
from . import tuning

Result = TypeVar("Result")

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


def count_threads(n_threads: int | None, n_useful: int) -> int:
    """The number of threads to use.

    Parameters
    ----------
    n_threads : int or None
        What the user wants; None is as many as there are CPUs, or as `OMP_NUM_THREADS` says. More
        than the CPUs that the process may use would only wait for each other.
    n_useful : int
        No more than this.
    """
    wanted = _wanted_by_environment() if n_threads is None else n_threads
    limits = [n_useful] if wanted is None else [n_useful, wanted]
    if min(limits) <= 1:
        return 1
    return min(*limits, _usable_cpus())


def count_threads_for_pass(n_threads: int | None, n_products: int) -> int:
    """The number of threads for a pass over rows with some multiplications."""
    return count_threads(n_threads, 1 + n_products // tuning.PRODUCTS_WORTH_A_THREAD)


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


class RowWorkers:
    """Threads that work on blocks of rows.

    Parameters
    ----------
    n_threads : int
    executor : ThreadPoolExecutor
    """

    def __init__(self, n_threads: int, executor: ThreadPoolExecutor) -> None:
        self._n_threads = n_threads
        self._executor = executor

    def rows_per_block(self, n_rows: int, n_products_per_row: int) -> int:
        """Rows in a block.

        Few enough that no thread is left with much when the others are done, and that an interrupt
        is answered soon: the compiled code doesn't look for any.
        """
        n_blocks = tuning.BLOCKS_PER_THREAD * self._n_threads
        return min(-(-n_rows // n_blocks), max(1, tuning.PRODUCTS_PER_CALL // n_products_per_row))

    def run(
        self, function: Callable[[int, int], Result], n_rows: int, block_rows: int
    ) -> list[Result]:
        """The results of ``function(start, stop)`` for every block of rows, in order.

        Parameters
        ----------
        function : callable
        n_rows : int
        block_rows : int
            Rows in a block; the last may have fewer.
        """
        blocks = [
            (start, min(start + block_rows, n_rows)) for start in range(0, n_rows, block_rows)
        ]
        futures: list[Future[Result]] = []
        # RuntimeError: no thread is to be had, since the interpreter is shutting down or the
        # system's limit is reached. Blocks that have one go on; the others are worked on here.
        with suppress(RuntimeError):
            for start, stop in blocks:
                futures.append(self._executor.submit(function, start, stop))
        here = [function(start, stop) for start, stop in blocks[len(futures) :]]
        return [future.result() for future in futures] + here


def _make_executor(n_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads, thread_name_prefix="softreg_fast")


@contextmanager
def row_workers(n_threads: int) -> Iterator[RowWorkers]:
    """A context with some threads.

    When it is left by an exception, such as an interrupt, calls not begun are dropped.
    """
    executor = _make_executor(n_threads)
    try:
        yield RowWorkers(n_threads, executor)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


class TeamLateError(RuntimeError):
    """A thread of a team hasn't begun with its work; the others don't wait any longer."""


class Team:
    """Threads that run the same function together, the calling one among them.

    Parameters
    ----------
    helpers : ThreadPoolExecutor or None
        The other threads, all of them started.
    n_helpers : int
    shared : ndarray of shape (TEAM_SIZE,), int64
        What the kernel takes as `team`; see `kernels/threads/barrier.py`.
    """

    def __init__(
        self,
        helpers: ThreadPoolExecutor | None,
        n_helpers: int,
        shared: npt.NDArray[np.int64],
    ) -> None:
        self._helpers = helpers
        self._n_helpers = n_helpers
        self._shared = shared

    @property
    def is_late(self) -> bool:
        """Whether a thread may be left that never began."""
        return bool(self._shared[ABANDONED] == LATE)

    def call(self, function: Callable[[int, int], Result]) -> Result:
        """Call ``function(thread, n_threads)`` in every thread; the first one's result.

        Raises
        ------
        RuntimeError
            A thread hasn't begun for too long.
        """
        if self._helpers is None:
            return function(0, 1)
        self._check_presence()
        n_threads = 1 + self._n_helpers
        futures: list[Future[None]] = []
        self._shared[:] = 0
        try:
            # RuntimeError: no work is taken any more, since the interpreter is ending.
            with suppress(RuntimeError):
                futures.extend(
                    self._helpers.submit(self._call_or_abandon, function, thread, n_threads)
                    for thread in range(1, n_threads)
                )
            if len(futures) < self._n_helpers:
                return self._call_alone(function, futures)
            result = function(0, n_threads)
            self._check_presence()
            for future in futures:
                future.result()
        except BaseException:
            # Whoever is in the function waits for a thread that will not come.
            self._abandon()
            raise
        return result

    def _call_alone(
        self, function: Callable[[int, int], Result], futures: list[Future[None]]
    ) -> Result:
        """Call it in this thread, after those that have begun have come back.

        Nothing lasting has been done: nobody gets past the first barrier without all.
        """
        self._abandon()
        for future in futures:
            if not future.cancel():
                future.result()
        self._shared[:] = 0
        return function(0, 1)

    def _check_presence(self) -> None:
        if self.is_late:
            raise TeamLateError(
                "a thread has not begun with its part of the work for 10 seconds: other code may "
                "hold Python's interpreter lock, or the thread may not run; n_threads=1 needs no "
                "other thread"
            )

    def _abandon(self) -> None:
        """Make the function return in all threads that are in it."""
        if not self.is_late:
            self._shared[ABANDONED] = GIVEN_UP

    def _call_or_abandon(
        self, function: Callable[[int, int], Any], thread: int, n_threads: int
    ) -> None:
        try:
            function(thread, n_threads)
        except BaseException:
            self._abandon()
            raise


# Not `threading.get_ident`: where green threads stand in for threads, it tells them apart.
_thread_of_system = ctypes.PYFUNCTYPE(ctypes.c_ulong)(
    ("PyThread_get_thread_ident", ctypes.pythonapi)
)


def _start_threads(executor: ThreadPoolExecutor, n_threads: int) -> int:
    """Have the threads started; gives how many are to be had.

    Green threads, of which only one runs at a time and until it gives way, are no threads.
    """
    all_asked = threading.Event()

    def show_up() -> int:
        all_asked.wait()
        return int(_thread_of_system())

    futures: list[Future[int]] = []
    try:
        with suppress(RuntimeError):
            futures.extend(executor.submit(show_up) for _ in range(n_threads))
    finally:
        all_asked.set()
    seen = {_thread_of_system(), *(future.result() for future in futures)}
    return len(futures) if len(seen) == 1 + len(futures) else 0


@contextmanager
def team_of(n_threads: int, shared: npt.NDArray[np.int64] | None = None) -> Iterator[Team]:
    """A context with a team of as many threads, or of as many as are to be had.

    Parameters
    ----------
    n_threads : int
    shared : ndarray of shape (TEAM_SIZE,), int64, or None
        What the kernel takes as `team`; None if its threads don't wait for each other.
    """
    shared = np.zeros(TEAM_SIZE, np.int64) if shared is None else shared
    if n_threads == 1:
        yield Team(None, 0, shared)
        return
    executor = _make_executor(n_threads - 1)
    team = Team(None, 0, shared)
    try:
        n_started = _start_threads(executor, n_threads - 1)
        team = Team(executor if n_started else None, n_started, shared)
        yield team
    finally:
        executor.shutdown(wait=not team.is_late, cancel_futures=True)
