"""Rows whose blocks are on the workers of a cluster."""

import pickle
from collections.abc import Hashable, Sequence
from typing import Any
from uuid import uuid4

from ..data.blocked import Block, BlockedRows, Result, RowsSummary, Sums, Work, tree_sum
from ..runtime.blas import one_blas_thread
from .cluster import Cluster

# In bytes. Up to the first, work is part of each task on a block: a task of its own takes workers
# longer to fetch. Dask warns of graphs of 10 MB.
_SMALL, _LARGE = 50_000, 5_000_000
# Of what blocks give, how much a task adds: a power of two, so that the tree of sums is the same.
_SUMS_OF_A_TASK = 8


def apply(work: Work[Result], block: Block) -> Result:
    """What is done with a block, in the worker's thread."""
    with one_blas_thread():
        return work(block, 1)


def _bytes_of(work: Work[Any]) -> int:
    """What it takes to send it."""
    buffers: list[pickle.PickleBuffer] = []
    sent = pickle.dumps(work, protocol=5, buffer_callback=buffers.append)
    return len(sent) + sum(buffer.raw().nbytes for buffer in buffers)


class DaskRows(BlockedRows):
    """Rows in blocks on a cluster; a pass is one graph of tasks.

    Work that holds a large model is one task of its own, which workers hand on to each other. Dask
    makes it again if it is lost, as it wouldn't if the model were scattered.

    Parameters
    ----------
    cluster : Cluster
    blocks : list of Future or Hashable
        Of each block the future, or its key in the graph.
    graph : dict
        By which blocks that are no futures are made.
    summary : RowsSummary
    """

    are_here = False

    def __init__(
        self,
        cluster: Cluster,
        blocks: list[Any],
        graph: dict[Hashable, Any],
        summary: RowsSummary,
    ) -> None:
        super().__init__(summary)
        self._cluster = cluster
        self._blocks = blocks
        self._graph = graph

    def map(
        self,
        work: Work[Result],
        numbers: Sequence[int] | None = None,
        n_threads: int | None = None,
        *,
        needs_features: bool = True,
    ) -> list[Result]:
        """See `BlockedRows.map`; workers take one thread for each task."""
        size = _bytes_of(work)
        numbers = range(self.n_blocks) if numbers is None else numbers
        graph, keys = self._tasks(work, numbers, size)
        return self._cluster.get(graph, keys, is_large=size > _LARGE)

    def reduce(self, work: Work[Sums], n_threads: int | None = None) -> Sums:
        """See `BlockedRows.reduce`; workers take one thread for each task."""
        size = _bytes_of(work)
        graph, keys = self._tasks(work, range(self.n_blocks), size)
        height = 0
        token = uuid4().hex
        while len(keys) > 1:
            sums: list[Hashable] = []
            for start in range(0, len(keys), _SUMS_OF_A_TASK):
                key = f"softmax-sum-{token}", height, start
                graph[key] = tree_sum, keys[start : start + _SUMS_OF_A_TASK]
                sums.append(key)
            keys = sums
            height += 1
        (total,) = self._cluster.get(graph, keys, is_large=size > _LARGE)
        sums_of_all: Sums = total
        return sums_of_all

    def _tasks(
        self, work: Work[Any], numbers: Sequence[int], size: int
    ) -> tuple[dict[Hashable, Any], list[Hashable]]:
        """A graph of work on some blocks, and the keys of what comes of it."""
        token = uuid4().hex
        graph = dict(self._graph)
        sent: Any = work
        if size > _SMALL:
            sent = f"softmax-work-{token}"
            graph[sent] = work
        keys: list[Hashable] = []
        for number in numbers:
            key = f"softmax-pass-{token}", int(number)
            graph[key] = apply, sent, self._blocks[number]
            keys.append(key)
        return graph, keys
