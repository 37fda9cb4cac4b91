"""How many threads, and blocks of rows on them."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

from .validation import check_integer

Result = TypeVar("Result")

# Below so many, handing them to threads takes longer than it saves.
_PRODUCTS_WORTH_A_THREAD = 10_000_000
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


def count_threads(n_threads: int | None, n_products: int) -> int:
    """The number of threads to use for a pass over the rows.

    Parameters
    ----------
    n_threads : int or None
        What the user wants; None is the number of CPUs that this process may use.
    n_products : int
        Multiplications in the pass. No thread is used that has next to nothing to do.
    """
    n_useful = 1 + n_products // _PRODUCTS_WORTH_A_THREAD
    if n_useful == 1:
        return 1
    if n_threads is not None:
        return min(n_threads, n_useful)
    from joblib import cpu_count

    return min(int(cpu_count()), n_useful)


class Pending(Generic[Result]):
    """Results of blocks that other threads may still be working on."""

    def __init__(self, futures: list["Future[Result]"], done: list[Result]) -> None:
        self._futures = futures
        self._done = done

    def is_done(self) -> bool:
        """Whether `results` returns at once."""
        return all(future.done() for future in self._futures)

    def results(self) -> list[Result]:
        """The results in the order of the blocks; waits for them."""
        return [future.result() for future in self._futures] + self._done


class RowWorkers:
    """Threads that work on blocks of rows, beside the one that calls.

    The compiled code releases the interpreter's lock, so plain threads run in parallel. They live
    as long as the `row_workers` context: a process that forks afterwards is safe.
    """

    def __init__(self, n_helpers: int, executor: ThreadPoolExecutor | None) -> None:
        self._n_helpers = n_helpers
        self._executor = executor

    def rows_per_block(self, n_rows: int, n_products_per_row: int) -> int:
        """Rows in a block.

        Few enough that no thread is left with much when the others are done, and that an interrupt
        is answered soon: the compiled code doesn't look for any.
        """
        n_blocks = max(1, _BLOCKS_PER_THREAD * self._n_helpers)
        return min(-(-n_rows // n_blocks), max(1, _PRODUCTS_PER_BLOCK // n_products_per_row))

    def start(
        self, function: Callable[[int, int], Result], n_rows: int, block_rows: int
    ) -> Pending[Result]:
        """Have ``function(start, stop)`` called for every block of rows.

        Parameters
        ----------
        function : callable
        n_rows : int
        block_rows : int
            Rows in a block; the last may have fewer.

        Returns
        -------
        Pending
            Without helpers, everything is done already.
        """
        blocks = [
            (start, min(start + block_rows, n_rows)) for start in range(0, n_rows, block_rows)
        ]
        futures: list[Future[Result]] = []
        # RuntimeError: no thread is to be had, since the interpreter is shutting down or the
        # system's limit is reached. Blocks that have one go on; the others are worked on here.
        with suppress(RuntimeError):
            if self._executor is not None:
                for start, stop in blocks:
                    futures.append(self._executor.submit(function, start, stop))
        remaining = blocks[len(futures) :]
        return Pending(futures, [function(start, stop) for start, stop in remaining])


@contextmanager
def row_workers(n_helpers: int) -> Iterator[RowWorkers]:
    """A context with `n_helpers` threads, or none.

    When it is left by an exception, such as the user's interrupt, blocks not begun are dropped.
    """
    if n_helpers == 0:
        yield RowWorkers(0, None)
        return
    executor = ThreadPoolExecutor(n_helpers, thread_name_prefix="softreg_fast")
    try:
        yield RowWorkers(n_helpers, executor)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
