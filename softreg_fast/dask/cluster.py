"""A cluster as a fit uses it: whatever happens to it, waiting for it ends."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, nullcontext
from queue import Empty, SimpleQueue
from typing import Any

import dask
from distributed import Client, KilledWorker, get_client, get_worker, worker_client

from .._typing import FloatArray

SECONDS_WITHOUT_WORKERS = 30.0
"""How long there may be no worker before a fit gives up."""
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_BETWEEN_QUESTIONS, _MOST_SECONDS_BETWEEN_QUESTIONS = 0.002, 0.05
_WARNING = "distributed.admin.large-graph-warning-threshold"
# The setting is the process's.
_is_changing = threading.Lock()


class ClusterError(RuntimeError):
    """The cluster was lost.

    Attributes
    ----------
    coef_, intercept_ : ndarray or None
        Those of the last iteration, None if there was none. They can be given to `fit` as
        ``coef_init`` and ``intercept_init``.
    n_iter_ : int
        Number of iterations.
    """

    coef_: FloatArray | None = None
    intercept_: FloatArray | None = None
    n_iter_: int = 0


def check_client(client: Any) -> Any:
    """A client that a fit can use, or None.

    Raises
    ------
    TypeError
        It is no client, or an asynchronous one.
    """
    if client is None:
        return None
    if not isinstance(client, Client):
        raise TypeError(
            f"client is a {type(client).__name__}: it must be a distributed.Client or None"
        )
    if client.asynchronous:
        raise TypeError(
            "asynchronous clients are not allowed: client must be one that was made with "
            "Client(asynchronous=False), the default"
        )
    return client


def find_client(given: Any) -> Any:
    """The client that users have set, or the current one.

    Raises
    ------
    RuntimeError
        There is none.
    """
    if given is not None:
        return given
    try:
        client = get_client()
    except ValueError as error:
        raise RuntimeError(
            "there is no Dask client: make one, client = distributed.Client(), with the address of "
            "a scheduler or without for a cluster on this machine; or set the attribute client"
        ) from error
    return check_client(client)


def _is_in_task() -> bool:
    """Whether this is a task that a worker runs."""
    try:
        get_worker()
    except ValueError:
        return False
    return True


@contextmanager
def open_cluster(given: Any) -> Iterator["Cluster"]:
    """The cluster of a client that users have set, or of the current one; a context.

    A task that opens it leaves its place to the tasks that it waits for.
    """
    if given is None and _is_in_task():
        with worker_client() as client:
            yield Cluster(client)
        return
    yield Cluster(find_client(given))


@contextmanager
def _without_warning() -> Iterator[None]:
    """Have Dask not warn of large graphs: there is no other way to send what can be sent again."""
    with _is_changing, dask.config.set({_WARNING: 1 << 60}):
        yield


class Cluster:
    """Runs tasks and waits for what comes of them.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._last_seen = time.monotonic()
        self._asked: SimpleQueue[tuple[Any, Any]] | None = None

    def compute(self, collections: Sequence[Any]) -> list[Any]:
        """Futures of what delayed objects give."""
        with self._losses_named():
            futures: list[Any] = self._client.compute(list(collections))
        return futures

    def start(
        self, graph: dict[Hashable, Any], keys: Sequence[Hashable], *, is_large: bool = False
    ) -> list[Any]:
        """Futures of some keys of a graph.

        Parameters
        ----------
        graph : dict
        keys : sequence
        is_large : bool, default=False
            Whether the graph is known to be large, of which Dask is not to warn.
        """
        with self._losses_named(), _without_warning() if is_large else nullcontext():
            futures: list[Any] = self._client.get(graph, list(keys), sync=False)
        return futures

    def get(
        self, graph: dict[Hashable, Any], keys: Sequence[Hashable], *, is_large: bool = False
    ) -> list[Any]:
        """What comes of some keys of a graph; see `start`."""
        return self.results(self.start(graph, keys, is_large=is_large))

    def results(self, futures: Sequence[Any]) -> list[Any]:
        """What comes of futures, which are released; an error of a task is raised as it is."""
        futures = list(futures)
        try:
            with self._losses_named():
                results: list[Any] = self._wait(lambda: self._client.gather(futures))
        finally:
            for future in futures:  # Dask would go on with what an interrupt has left
                future.release()
        return results

    def wait(self, futures: Sequence[Any]) -> None:
        """Return when all futures have a result, or one never will."""

        async def finish() -> None:
            seconds = _SECONDS_BETWEEN_QUESTIONS
            waiting = list(futures)
            while waiting:
                if any(future.status in ("error", "cancelled") for future in waiting):
                    return
                waiting = [future for future in waiting if future.status != "finished"]
                await asyncio.sleep(seconds)
                seconds = min(1.2 * seconds, _MOST_SECONDS_BETWEEN_QUESTIONS)

        with self._losses_named():
            self._wait(finish)

    def sizes_of(self, futures: Sequence[Any]) -> list[int]:
        """Bytes of the result of each future, as Dask estimates them; -1 if it has been lost."""
        self.wait(futures)
        keys = [future.key for future in futures]

        async def ask() -> list[int]:
            try:
                found = await self._client.nbytes(keys, summary=False)
            except KeyError:  # cancelled
                found = {}
            return [int(found.get(key, -1)) for key in keys]

        with self._losses_named():
            sizes: list[int] = self._wait(ask)
        return sizes

    def find(self, futures: Sequence[Any]) -> tuple[list[Sequence[str]], dict[str, int]]:
        """Of each future the workers that have its result, and of each worker its threads."""

        async def find() -> tuple[Any, Any]:
            return await asyncio.gather(self._client.who_has(futures), self._client.nthreads())

        with self._losses_named():
            holders, n_threads = self._wait(find)
        return [tuple(holders.get(future.key, ())) for future in futures], n_threads

    def run(self, function: Callable[[], Any]) -> dict[str, Any]:
        """What a function, or the error that it raises, is on each worker, by its address."""
        with self._losses_named():
            found: dict[str, Any] = self._wait(
                lambda: self._client.run(function, on_error="return")
            )
        return found

    def _ask(self, function: Callable[[], Awaitable[Any]]) -> "SimpleQueue[tuple[Any, Any]]":
        """Have the client's loop await something; what comes of it, or an error, is put there."""
        answers: SimpleQueue[tuple[Any, Any]] = SimpleQueue()

        async def answer() -> None:
            try:
                answers.put((await function(), None))
            except BaseException as error:
                answers.put((None, error))

        self._client.loop.add_callback(answer)
        return answers

    def _wait(self, function: Callable[[], Awaitable[Any]]) -> Any:
        self._last_seen = time.monotonic()
        answers = self._ask(function)
        while True:
            try:
                result, error = answers.get(timeout=_SECONDS_BETWEEN_LOOKS)
            except Empty:
                self._look()
                continue
            if error is not None:
                raise error
            return result

    def _look(self) -> None:
        """Raise ClusterError if nothing will come any more."""
        status = self._client.status
        if status not in ("running", "connecting"):
            raise ClusterError(f"the Dask client is {status}: make another one and try again")
        self._look_for_workers()
        if time.monotonic() - self._last_seen > SECONDS_WITHOUT_WORKERS:
            raise ClusterError(
                f"the Dask cluster has had no workers for {SECONDS_WITHOUT_WORKERS:g} seconds: "
                "start some, wait for them with client.wait_for_workers(1), and try again"
            )

    def _look_for_workers(self) -> None:
        """Note whether the scheduler has said since the last look that there are workers."""
        if self._asked is not None:
            try:
                workers, error = self._asked.get_nowait()
            except Empty:
                return
            if error is None and workers:
                self._last_seen = time.monotonic()
        self._asked = self._ask(self._client.nthreads)

    @contextmanager
    def _losses_named(self) -> Iterator[None]:
        """Have what Dask raises if tasks are lost raise ClusterError."""
        try:
            yield
        except ClusterError:
            raise
        except KilledWorker as error:
            raise ClusterError(
                "several workers died at the same task, which may need more memory than they "
                f"have: use smaller chunks or larger workers; {error}"
            ) from error
        except (asyncio.CancelledError, CancelledError) as error:
            raise ClusterError(
                "tasks were cancelled, or the Dask client, its scheduler or data on the cluster "
                f"were lost: try again ({str(error) or type(error).__name__})"
            ) from error
        except Exception as error:  # a client that is being closed may raise anything
            if self._client.status in ("running", "connecting"):
                raise
            raise ClusterError(
                f"the Dask client is {self._client.status}: make another one and try again"
            ) from error
