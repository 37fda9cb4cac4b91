"""Rows that several threads work on, of which each block is read once for all of them."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..data.blocked import Block, BlockedRows, Result, Work, WrappedRows
from ..data.tree_sums import Sums, add_sums


@dataclass(eq=False)
class _Request:
    """What a thread waits for.

    Attributes
    ----------
    work : callable
    numbers : set of int or None
        Of blocks; None are all.
    is_sum : bool
        Whether the results are added.
    results : list
        Filled in, in the order of blocks; the sums alone if they are added.
    failure : BaseException or None
    is_done : bool
    """

    work: Work[Any]
    numbers: set[int] | None
    is_sum: bool
    results: list[Any] = field(default_factory=list)
    failure: BaseException | None = None
    is_done: bool = False


class _SumsOfWorks(tuple[Sums, ...]):
    """The sums of several works, added each to its own."""

    def __add__(self, other: Any) -> "_SumsOfWorks":
        return _SumsOfWorks(add_sums(*pair) for pair in zip(self, other, strict=True))


@dataclass(frozen=True)
class _SumTogether:
    """The sums of several works."""

    works: tuple[Work[Sums], ...]

    def __call__(self, block: Block, n_threads: int | None) -> Sums:
        return (_SumsOfWorks(work(block, n_threads) for work in self.works),)


@dataclass(frozen=True)
class _MapTogether:
    """What several works give for the blocks that each of them wants."""

    requests: tuple[tuple[Work[Any], set[int] | None], ...]

    def __call__(self, block: Block, n_threads: int | None) -> list[Any]:
        return [
            work(block, n_threads) if numbers is None or block.number in numbers else None
            for work, numbers in self.requests
        ]


class SharedRows(WrappedRows):
    """Rows in blocks, for threads that go over them together.

    A pass begins when every thread waits for one, and serves them all. What a thread gets has the
    bits that it would have alone.

    Parameters
    ----------
    rows : BlockedRows
    n_threads_of_work : int or None
        With how many threads blocks are worked on.
    """

    def __init__(self, rows: BlockedRows, n_threads_of_work: int | None) -> None:
        super().__init__(rows)
        self._n_threads = n_threads_of_work
        self._n_running = 0
        self._pending: list[_Request] = []
        self._changed = threading.Condition()
        self._failure: BaseException | None = None

    def run(self, functions: Sequence[Callable[[], None]]) -> None:
        """Call functions, each in a thread of its own.

        Raises
        ------
        BaseException
            What the first of them to fail has failed with. The others end at their next pass.
        """
        self._n_running = len(functions)
        threads = [
            threading.Thread(target=self._run, args=(function,), daemon=True)
            for function in functions
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException as error:
            self._fail(error)
            for thread in threads:
                thread.join()
            raise
        if self._failure is not None:
            raise self._failure

    def _run(self, function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:
            self._fail(error)
        finally:
            with self._changed:
                self._n_running -= 1
                self._serve_if_all_wait()

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._failure = self._failure or error
            for request in self._pending:
                request.failure, request.is_done = error, True
            self._pending = []
            self._changed.notify_all()

    def map(
        self,
        work: Work[Result],
        numbers: Sequence[int] | None = None,
        n_threads: int | None = None,
        *,
        needs_features: bool = True,
    ) -> list[Result]:
        """See `BlockedRows.map`."""
        if not needs_features:
            return super().map(work, numbers, n_threads, needs_features=False)
        wanted = None if numbers is None else set(numbers)
        return self._wait_for(_Request(work, wanted, is_sum=False))

    def reduce(self, work: Work[Sums], n_threads: int | None = None) -> Sums:
        """See `BlockedRows.reduce`."""
        return tuple(self._wait_for(_Request(work, None, is_sum=True)))

    def _wait_for(self, request: _Request) -> list[Any]:
        with self._changed:
            if self._failure is not None:
                raise self._failure
            self._pending.append(request)
            self._serve_if_all_wait()
            while not request.is_done:
                self._changed.wait()
        if request.failure is not None:
            raise request.failure
        return request.results

    def _serve_if_all_wait(self) -> None:
        """Go over the rows, if no thread works on anything else; the lock is held."""
        if not self._pending or len(self._pending) < self._n_running:
            return
        requests, self._pending = self._pending, []
        try:
            self._serve([each for each in requests if each.is_sum])
            self._serve([each for each in requests if not each.is_sum])
        except BaseException as error:
            for request in requests:
                request.failure = error
        for request in requests:
            request.is_done = True
        self._changed.notify_all()

    def _serve(self, requests: list[_Request]) -> None:
        if not requests:
            return
        if requests[0].is_sum:
            together = _SumTogether(tuple(request.work for request in requests))
            (all_sums,) = self._rows.reduce(together, self._n_threads)
            for request, sums in zip(requests, all_sums, strict=True):
                request.results = list(sums)
            return
        wanted = [request.numbers for request in requests]
        numbers: list[int] | None = None
        known = [each for each in wanted if each is not None]
        if len(known) == len(wanted):
            numbers = sorted(set().union(*known))
        pairs = tuple((request.work, request.numbers) for request in requests)
        found = self._rows.map(_MapTogether(pairs), numbers, self._n_threads)
        blocks = range(self.n_blocks) if numbers is None else numbers
        for place, request in enumerate(requests):
            request.results = [
                results[place]
                for number, results in zip(blocks, found, strict=True)
                if request.numbers is None or number in request.numbers
            ]
