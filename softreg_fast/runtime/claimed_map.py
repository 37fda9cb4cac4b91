"""A map over pieces of work that threads claim one by one."""

import itertools
import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from .contention import contention
from .heartbeat import beat
from .threads import current_cpu, move_thread, start_threads

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOOKS_BEFORE_SLEEP = 100
_SECONDS_OF_SLEEP = 5e-5
# Less is not worth the CPUs that are taken from other work.
_LEAST_SHARE_SAVED = 0.1
# Threads that share a CPU take twice as long, but not more of its time. Windows counts that in
# ticks of 16 ms.
_clock = time.perf_counter if os.name == "nt" else time.thread_time


class _Claims(Generic[Item, Result]):
    """Items that threads claim, and what comes of them."""

    def __init__(
        self, function: Callable[[Item], Result], items: Sequence[Item], n_threads: int
    ) -> None:
        self._function = function
        self._items = items
        # Its `next` is one operation that no other thread comes between.
        self._places = itertools.count()
        self._are_busy = [False] * n_threads
        self._numbers_of_system = [0] * n_threads
        self._is_closed = False
        self._seconds: list[float] = []  # that items have taken the calling thread
        self._started = time.perf_counter()
        self.results: dict[int, Result] = {}
        self.failures: list[BaseException] = []

    def work(self, thread: int) -> None:
        """Work on items until there are none left."""
        self._numbers_of_system[thread] = threading.get_native_id()
        # Said before it is looked whether there is anything to do: whoever has seen that nobody is
        # busy after the last item was claimed knows that nobody will be.
        self._are_busy[thread] = True
        try:
            while not self._is_closed and (place := next(self._places)) < len(self._items):
                started = _clock()
                self.results[place] = self._function(self._items[place])
                if thread == 0:
                    self._seconds.append(_clock() - started)
        except BaseException as error:
            self.failures.append(error)
            self.close()
        finally:
            self._are_busy[thread] = False

    def _lend_cpu(self) -> None:
        """Have those who are late go on on the calling thread's CPU, which waits for them.

        Other work may have theirs for milliseconds. They end soon.
        """
        cpu = current_cpu()
        for is_busy, number in zip(self._are_busy, self._numbers_of_system, strict=True):
            if is_busy:
                move_thread(number, {cpu})

    def close(self) -> None:
        """Have nobody begin with another item."""
        self._is_closed = True

    def wait(self) -> None:
        """Wait until nobody is busy; say what threads have saved."""
        n_looks = 0
        while any(self._are_busy):
            n_looks += 1
            if n_looks == _LOOKS_BEFORE_SLEEP:
                self._lend_cpu()
            time.sleep(0.0 if n_looks < _LOOKS_BEFORE_SLEEP else _SECONDS_OF_SLEEP)
        taken = time.perf_counter() - self._started
        if self._seconds:
            # The median, because the last item may be a small one.
            taken_alone = len(self._items) * statistics.median(self._seconds)
            contention.judge((1.0 - _LEAST_SHARE_SAVED) * taken_alone - taken)


def claimed_map(
    function: Callable[[Item], Result], items: Sequence[Item], n_threads: int
) -> list[Result]:
    """The results of a function for some items, in order.

    The calling thread works on them too. It waits for none that hasn't begun, and works alone where
    other work has lately had the CPUs.

    Parameters
    ----------
    function : callable
    items : sequence
    n_threads : int

    Raises
    ------
    BaseException
        What the function has failed with. Items that nobody has begun with are dropped then.
    """
    beat()
    if n_threads > 1 and contention.is_on():
        n_threads = 1
    claims = _Claims(function, items, n_threads)
    try:
        start_threads(claims.work, n_threads - 1)
        claims.work(0)
        if n_threads > 1:
            claims.wait()
    finally:
        claims.close()
    if claims.failures:
        raise claims.failures[0]
    return [claims.results[place] for place in range(len(items))]


def cut_into_blocks(n_rows: int, block_rows: int) -> list[tuple[int, int]]:
    """Where blocks of rows start and stop; the last may have fewer."""
    return [(start, min(start + block_rows, n_rows)) for start in range(0, n_rows, block_rows)]
