"""Who is told that callers wait for the compiler."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class CompilerWatch:
    """How long this process has compiled. Code that is read from disk doesn't count."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._started: float | None = None
        self._n_unheard = 0
        self._most = 0.0
        # One or none, which only one of several threads can take out.
        self._listeners: list[Callable[[], None]] = []

    def tell_once(self, seconds: float, listener: Callable[[], None]) -> None:
        """Have a listener called, in a thread that waits, when it has been so many seconds."""
        self._most = seconds
        self._listeners[:] = [listener]

    def begin(self) -> None:
        """Say that something is compiled from now on; under Numba's lock, as `end`."""
        if self._started is None:
            self._started = time.perf_counter()

    def end(self) -> None:
        """Say that nothing is compiled any more."""
        started, self._started = self._started, None
        if started is not None and not self._n_unheard:
            self._seconds += time.perf_counter() - started

    def look(self) -> None:
        """Tell the listener, if it is time; called now and then by who waits for the compiler."""
        started = self._started
        if started is None or self._n_unheard or not self._listeners:
            return
        if self._seconds + time.perf_counter() - started >= self._most:
            try:
                listener = self._listeners.pop()
            except IndexError:  # another thread has been faster
                return
            listener()

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """What is compiled while this context lasts isn't told, and doesn't count."""
        self._n_unheard += 1
        try:
            yield
        finally:
            self._n_unheard -= 1


compiler_watch = CompilerWatch()
