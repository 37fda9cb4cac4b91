"""Teams: threads that run the same kernel, of which one leads; see `kernels/threads/claims.py`."""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from ..kernels.threads import N_CPU_WORDS
from ..kernels.threads.claims import CALL, CONTENDED, CPUS, LEADERS_CPU, allowances_of
from .contention import contention
from .heartbeat import beat
from .threads import move_thread, start_threads

Result = TypeVar("Result")
Function = Callable[[int, int, int], Result]

_LOOKS_BEFORE_MOVING = 4
_SECONDS_BETWEEN_LOOKS = 2e-5
_BITS_OF_A_WORD = 64


class _Helper:
    """A thread that calls functions, one after the other."""

    def __init__(self) -> None:
        self._inbox: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._n_asked = 0
        self._n_done = 0
        self._number_of_system: int | None = None
        self.failures: list[BaseException] = []

    def run(self) -> None:
        """Call what there is to be called; the thread's part."""
        self._number_of_system = threading.get_native_id()
        while (function := self._inbox.get()) is not None:
            try:
                function()
            except BaseException as error:
                self.failures.append(error)
            # Whoever waits for this may free what the function holds.
            del function
            self._n_done += 1

    def ask(self, function: Callable[[], Any]) -> None:
        """Have the thread call a function when it can."""
        self._n_asked += 1
        self._inbox.put(function)

    def withdraw(self) -> None:
        """Have it begin with nothing any more that it hasn't begun with."""
        with suppress(Empty):
            while True:
                # Before, since an interrupt that comes with the function would leave it counted.
                self._n_asked -= 1
                self._inbox.get_nowait()
        self._n_asked += 1

    def is_busy(self) -> bool:
        """Whether it has begun with something and isn't done."""
        return self._n_done < self._n_asked

    def end(self) -> None:
        """Have the thread end."""
        self._inbox.put(None)

    def move(self, cpus: Collection[int]) -> None:
        """Have the thread go on on one of some CPUs."""
        if self._number_of_system is not None:
            move_thread(self._number_of_system, cpus)


class Team:
    """A thread that leads, the calling one, and others that help it when they can.

    Parameters
    ----------
    n_threads : int
        Or fewer, if no more are to be had.
    shared : ndarray of int64
        What the kernel takes as `shared`.
    """

    def __init__(self, n_threads: int, shared: npt.NDArray[np.int64]) -> None:
        self._shared = shared
        self._n_calls = 0
        self._n_wanted = n_threads - 1
        self._allowances = allowances_of(shared, n_threads)[: n_threads - 1]
        self._helpers: list[_Helper] = []
        # Which CPUs the process may use.
        self._cpus: set[int] = set()
        self._moved: list[_Helper] = []

    def _start(self) -> None:
        """Have the other threads started."""
        self._helpers = [_Helper() for _ in range(self._n_wanted)]
        if hasattr(os, "sched_getaffinity"):
            self._cpus = os.sched_getaffinity(0)
            self._shared[CPUS : CPUS + N_CPU_WORDS] = _bits_of(self._cpus)
        self._n_wanted = start_threads(
            lambda number: self._helpers[number - 1].run(), len(self._helpers)
        )
        del self._helpers[self._n_wanted :]
        self._allowances[:] = contention.allowance

    def call(self, function: Function[Result]) -> Result:
        """Call ``function(thread, n_threads, call)`` in the threads; gives thread 0's result.

        It returns when thread 0 has. Others may be in it still, see `wait`, or come later, when
        there is nothing left for them to do. Where other work has lately had their CPUs, they are
        not asked.

        Raises
        ------
        BaseException
            What another thread has failed with, in a call before.
        """
        beat()
        is_alone = contention.is_on()
        if self._n_wanted and not self._helpers and not is_alone:
            self._start()
        if not self._helpers:
            return function(0, 1, 0)
        self.check()
        self._n_calls += 1
        n_threads = 1 + len(self._helpers)
        self._shared[CALL] = self._n_calls
        try:
            if not is_alone:
                for thread, helper in enumerate(self._helpers, 1):
                    helper.ask(partial(function, thread, n_threads, self._n_calls))
            return function(0, n_threads, self._n_calls)
        finally:
            self._shared[CALL] = 0
            if self._shared[CONTENDED]:
                self._shared[CONTENDED] = 0
                contention.found()

    def check(self) -> None:
        """Raise what a thread has failed with: it must not be mistaken for one that is late."""
        for helper in self._helpers:
            if helper.failures:
                raise helper.failures[0]

    def wait(self) -> None:
        """Wait until no other thread is in a call: they read, write and hold nothing then."""
        for helper in self._helpers:
            helper.withdraw()
        n_looks = 0
        while busy := [helper for helper in self._helpers if helper.is_busy()]:
            n_looks += 1
            if n_looks == _LOOKS_BEFORE_MOVING:
                self._lend_cpu(busy)
            # Longer than nothing: a thread that is done has to get Python's lock to say so.
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        for helper in self._moved:
            helper.move(self._cpus)
        self._moved = []

    def _lend_cpu(self, late: list[_Helper]) -> None:
        """Have those who are late go on on the calling thread's CPU, which waits for them.

        Other work may have theirs for milliseconds.
        """
        cpu = int(self._shared[LEADERS_CPU])
        if cpu in self._cpus:
            for helper in late:
                helper.move({cpu})
            self._moved = late

    def close(self) -> None:
        """Have the other threads end."""
        try:
            self.wait()
            if self._helpers:
                contention.allowance = int(self._allowances.min())
        finally:
            for helper in self._helpers:
                helper.end()


class TeamContext:
    """A context that keeps a team; a base class of what uses one.

    Parameters
    ----------
    n_threads : int
    shared : ndarray of int64
        See `Team`.
    """

    _team: Team

    def __init__(self, n_threads: int, shared: npt.NDArray[np.int64]) -> None:
        self._n_threads, self._shared = n_threads, shared
        self._context = ExitStack()

    def __enter__(self) -> Self:
        self._team = self._context.enter_context(team_of(self._n_threads, self._shared))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._context.__exit__(kind, exception, traceback)


def _bits_of(cpus: set[int]) -> npt.NDArray[np.int64]:
    """A bit for each of some CPUs, as in the array that a team shares."""
    words = np.zeros(N_CPU_WORDS, np.uint64)
    for cpu in cpus:
        if cpu < N_CPU_WORDS * _BITS_OF_A_WORD:
            words[cpu // _BITS_OF_A_WORD] |= np.uint64(1 << cpu % _BITS_OF_A_WORD)
    return words.view(np.int64)


@contextmanager
def team_of(n_threads: int, shared: npt.NDArray[np.int64]) -> Iterator[Team]:
    """A context with a team of as many threads, or of as many as are to be had.

    Parameters
    ----------
    n_threads : int
    shared : ndarray of int64
        See `Team`.

    Raises
    ------
    BaseException
        See `Team.call`.
    """
    team = Team(n_threads, shared)
    try:
        yield team
    finally:
        team.close()
    team.check()
