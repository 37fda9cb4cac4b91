"""How many threads, blocks of rows on them, and teams that work in step.

The compiled code releases the interpreter's lock, so plain threads run in parallel. They live as
long as the context that makes them: a process that forks afterwards is safe.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from .validation import check_integer

Result = TypeVar("Result")

# Below so many, handing them to threads takes longer than it saves: for a pass over rows, for a
# whole training, and for a step of it, after which threads wait for each other.
_PRODUCTS_WORTH_A_THREAD = 4_000_000
_PRODUCTS_WORTH_A_TEAM = 20_000_000
_PRODUCTS_OF_A_STEP_WORTH_A_TEAM = 150_000
_BLOCKS_PER_THREAD = 4
_PRODUCTS_PER_BLOCK = 200_000_000


def check_n_threads(name: str, n_threads: Any) -> int | None:
    """The value, if it is None or an integer of at least 1.

    Raises
    ------
    TypeError, ValueError
        It is not.
    """
    return None if n_threads is None else check_integer(name, n_threads, minimum=1)


def _available_threads() -> int:
    """CPUs that this process may use, or fewer if `OMP_NUM_THREADS` says so.

    By that variable joblib's workers share the CPUs among them.
    """
    from joblib import cpu_count

    wanted = os.environ.get("OMP_NUM_THREADS", "")
    n_cpus = int(cpu_count())
    return min(n_cpus, int(wanted)) if wanted.isdecimal() and int(wanted) else n_cpus


def count_threads(n_threads: int | None, n_useful: int) -> int:
    """The number of threads to use.

    Parameters
    ----------
    n_threads : int or None
        What the user wants; None is as many as there are CPUs, or as `OMP_NUM_THREADS` says.
    n_useful : int
        No more than this.
    """
    if n_useful <= 1:
        return 1
    return min(_available_threads() if n_threads is None else n_threads, n_useful)


def count_threads_for_pass(n_threads: int | None, n_products: int) -> int:
    """The number of threads for a pass over rows with some multiplications."""
    return count_threads(n_threads, 1 + n_products // _PRODUCTS_WORTH_A_THREAD)


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
        n_products >= _PRODUCTS_WORTH_A_TEAM
        and n_products_per_step >= _PRODUCTS_OF_A_STEP_WORTH_A_TEAM
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
        n_blocks = _BLOCKS_PER_THREAD * self._n_threads
        return min(-(-n_rows // n_blocks), max(1, _PRODUCTS_PER_BLOCK // n_products_per_row))

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


@contextmanager
def _executor_of(n_threads: int) -> Iterator[ThreadPoolExecutor]:
    """When it is left by an exception, such as an interrupt, calls not begun are dropped."""
    executor = ThreadPoolExecutor(n_threads, thread_name_prefix="softreg_fast")
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def row_workers(n_threads: int) -> Iterator[RowWorkers]:
    """A context with some threads."""
    with _executor_of(n_threads) as executor:
        yield RowWorkers(n_threads, executor)


class Team:
    """Threads that run the same function together, the calling one among them.

    Parameters
    ----------
    helpers : ThreadPoolExecutor or None
        The other threads, all of them started.
    n_helpers : int
    abandon : callable
        Makes the function return in all threads that are in it.
    """

    def __init__(
        self, helpers: ThreadPoolExecutor | None, n_helpers: int, abandon: Callable[[], None]
    ) -> None:
        self._helpers = helpers
        self._n_helpers = n_helpers
        self._abandon = abandon

    def call(self, function: Callable[[int, int], Result]) -> Result:
        """Call ``function(thread, n_threads)`` in every thread; the first one's result."""
        n_threads = 1 + self._n_helpers
        if self._helpers is None:
            return function(0, n_threads)
        try:
            futures = [
                self._helpers.submit(self._call_or_abandon, function, thread, n_threads)
                for thread in range(1, n_threads)
            ]
            result = function(0, n_threads)
            for future in futures:
                future.result()
        except BaseException:
            # Whoever is in the function waits for a thread that will not come.
            self._abandon()
            raise
        return result

    def _call_or_abandon(
        self, function: Callable[[int, int], Any], thread: int, n_threads: int
    ) -> None:
        try:
            function(thread, n_threads)
        except BaseException:
            self._abandon()
            raise


def _start_threads(executor: ThreadPoolExecutor, n_threads: int) -> int:
    """Have the threads started; gives how many are to be had."""
    all_asked = threading.Event()
    n_started = 0
    try:
        with suppress(RuntimeError):
            for _ in range(n_threads):
                executor.submit(all_asked.wait)
                n_started += 1
    finally:
        all_asked.set()
    return n_started


@contextmanager
def team_of(n_threads: int, abandon: Callable[[], None]) -> Iterator[Team]:
    """A context with a team of as many threads, or of as many as are to be had.

    Parameters
    ----------
    n_threads : int
    abandon : callable
        See `Team`.
    """
    if n_threads == 1:
        yield Team(None, 0, abandon)
        return
    with _executor_of(n_threads - 1) as executor:
        n_started = _start_threads(executor, n_threads - 1)
        yield Team(executor if n_started else None, n_started, abandon)
