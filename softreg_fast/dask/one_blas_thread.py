"""BLAS with one thread for as long as tasks run, which may be several of a process."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from ..runtime.blas import is_limited
from ..runtime.threads import find_thread_libraries

# Seconds to wait for somebody else's limit to end, which takes no longer than a block does.
_PATIENCE = 5.0


class _SharedLimit:
    """A limit of the process that the first task sets, and the last one lifts.

    Where each task set its own, one that ended would leave the others without. A thread of its own
    keeps it, because threadpoolctl lets nobody lift a limit but the thread that has set it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keeper = ThreadPoolExecutor(1, "softreg-blas")
        self._n_tasks = 0
        self._limit: Any = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """A context within which the limit is set."""
        with self._lock:
            if self._n_tasks == 0:
                self._keeper.submit(self._set).result()
            self._n_tasks += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_tasks -= 1
                if self._n_tasks == 0:
                    self._keeper.submit(self._lift).result()

    def _set(self) -> None:
        libraries = find_thread_libraries("blas")
        if libraries is not None and is_limited.acquire(timeout=_PATIENCE):
            self._limit = libraries.limit(limits=1)
            self._limit.__enter__()

    def _lift(self) -> None:
        limit, self._limit = self._limit, None
        if limit is not None:
            limit.__exit__(None, None, None)
            is_limited.release()


_limit = _SharedLimit()


def one_blas_thread_for_tasks() -> Any:
    """A context within which BLAS takes one thread, whatever other tasks do."""
    return _limit.hold()
