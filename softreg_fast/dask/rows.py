"""Rows whose blocks are on the workers of a cluster."""

import pickle
from collections.abc import Hashable, Sequence
from typing import Any
from uuid import uuid4

import numpy as np
from dask.sizeof import sizeof

from ..data.blocked import Block, BlockedRows, Result, RowsSummary, Work
from ..data.tree_sums import Subtree, Sums, TreeSum, add_subtrees, join_subtrees
from ..runtime.blas import one_blas_thread
from .cluster import Cluster

# In bytes. Up to the first, work is part of each task: a task of its own takes workers longer to
# fetch. Dask warns of graphs of 10 MB.
_SMALL, _LARGE = 50_000, 5_000_000
# Of what others give, how much a task adds.
_SUMS_OF_A_TASK = 8
# Bytes of sums that are sent to one process; more are added by tasks.
_BYTES_OF_SUMS = 1 << 26


def do_blocks(
    work: Work[Result], numbers: Sequence[int], blocks: Sequence[Block]
) -> list[tuple[int, Result]]:
    """What is done with those of a group's blocks that have some numbers, in this thread."""
    wanted = set(numbers)
    with one_blas_thread():
        return [(block.number, work(block, 1)) for block in blocks if block.number in wanted]


def sum_blocks(work: Work[Sums], blocks: Sequence[Block]) -> list[Subtree]:
    """What is done with a group's blocks, of which neighbours are added."""
    tree = TreeSum()
    with one_blas_thread():
        for block in blocks:
            tree.add_subtree(Subtree(block.number, 0, work(block, 1)))
    return tree.subtrees


def choose_subtrees(subtrees: Sequence[Subtree], first: int, stop: int) -> list[Subtree]:
    """Those whose blocks are within bounds."""
    return [each for each in subtrees if first <= each.first < stop]


@sizeof.register(Subtree)
def _bytes_of_subtree(subtree: Subtree) -> int:
    return sum(np.asarray(each).nbytes for each in subtree.sums)


def _bytes_of(work: Work[Any]) -> int:
    """What it takes to send it."""
    buffers: list[pickle.PickleBuffer] = []
    sent = pickle.dumps(work, protocol=5, buffer_callback=buffers.append)
    return len(sent) + sum(buffer.raw().nbytes for buffer in buffers)


class DaskRows(BlockedRows):
    """Rows in blocks on a cluster; a pass is a graph of tasks.

    A task does the blocks of a group, and adds those that the tree of sums adds first. The client
    adds the rest, unless sums are large: then tasks do.

    Work that holds a large model is one task of its own, which workers hand on to each other. Dask
    makes it again if it is lost, as it wouldn't if the model were scattered.

    Parameters
    ----------
    cluster : Cluster
    groups : list of tuples
        The numbers of some blocks, ascending, and the future of these blocks, or its key in the
        graph.
    graph : dict
        By which groups that are no futures are made.
    summary : RowsSummary
    """

    def __init__(
        self,
        cluster: Cluster,
        groups: list[tuple[list[int], Any]],
        graph: dict[Hashable, Any],
        summary: RowsSummary,
    ) -> None:
        super().__init__(summary)
        self._cluster = cluster
        self._groups = groups
        self._graph = graph
        self._bytes_of_sums: dict[type, int] = {}

    def map(
        self,
        work: Work[Result],
        numbers: Sequence[int] | None = None,
        n_threads: int | None = None,
        *,
        needs_features: bool = True,
    ) -> list[Result]:
        """See `BlockedRows.map`; workers take one thread for each task."""
        wanted = [int(each) for each in (range(self.n_blocks) if numbers is None else numbers)]
        all_wanted = set(wanted)
        size, graph, sent = self._start_graph(work)
        token = uuid4().hex
        keys: list[Hashable] = []
        for place, (own, blocks) in enumerate(self._groups):
            chosen = [number for number in own if number in all_wanted]
            if chosen:
                key = f"softmax-map-{token}", place
                graph[key] = do_blocks, sent, chosen, blocks
                keys.append(key)
        parts = self._cluster.get(graph, keys, is_large=size > _LARGE)
        found = dict(each for part in parts for each in part)
        return [found[number] for number in wanted]

    def reduce(self, work: Work[Sums], n_threads: int | None = None) -> Sums:
        """See `BlockedRows.reduce`; workers take one thread for each task."""
        size, graph, sent = self._start_graph(work)
        token = uuid4().hex
        keys: list[Hashable] = []
        for place, (_, blocks) in enumerate(self._groups):
            key = f"softmax-pass-{token}", place
            graph[key] = sum_blocks, sent, blocks
            keys.append(key)
        is_large = size > _LARGE
        n_bytes = self._bytes_of_sums.get(type(work))
        if n_bytes is not None and n_bytes > _BYTES_OF_SUMS:
            last = self._add_by_tasks(graph, keys, n_bytes, token)
            return self._total(self._cluster.start(graph, [last], is_large=is_large))
        futures = self._cluster.start(graph, keys, is_large=is_large)
        try:
            if n_bytes is None:
                sizes = self._cluster.sizes_of(futures)
                n_bytes = sum(sizes)
                if min(sizes) >= 0:
                    self._bytes_of_sums[type(work)] = n_bytes
            if n_bytes <= _BYTES_OF_SUMS:
                return add_subtrees(self._cluster.results(futures))
            graph = {}
            last = self._add_by_tasks(graph, futures, n_bytes, token)
            totals = self._cluster.start(graph, [last])
        finally:
            for future in futures:
                future.release()
        return self._total(totals)

    def _total(self, futures: list[Any]) -> Sums:
        total: Sums = self._cluster.results(futures)[0]
        return total

    def _add_by_tasks(
        self, graph: dict[Hashable, Any], groups: Sequence[Any], n_bytes: int, token: str
    ) -> Hashable:
        """Have tasks add what groups give; gives the key of the total.

        Parameters
        ----------
        graph : dict
            The tasks are added.
        groups : sequence of Future or Hashable
            What comes of each group, or its key in the graph.
        n_bytes : int
            Of all of them.
        token : str
            Of the keys.
        """
        n_sums = _BYTES_OF_SUMS * self.n_blocks // max(n_bytes, 1)
        n_blocks = max(_SUMS_OF_A_TASK, (1 << n_sums.bit_length()) >> 1)
        parts: dict[int, list[Hashable]] = {}
        for place, ((numbers, _), sums) in enumerate(zip(self._groups, groups, strict=True)):
            for first in sorted({number - number % n_blocks for number in numbers}):
                key = f"softmax-part-{token}", place, first
                graph[key] = choose_subtrees, sums, first, first + n_blocks
                parts.setdefault(first, []).append(key)
        keys: list[Hashable] = []
        for first, part in sorted(parts.items()):
            sum_key = f"softmax-sum-{token}", 0, first
            graph[sum_key] = join_subtrees, part
            keys.append(sum_key)
        height = 0
        while len(keys) > _SUMS_OF_A_TASK:
            height += 1
            joined: list[Hashable] = []
            for start in range(0, len(keys), _SUMS_OF_A_TASK):
                sum_key = f"softmax-sum-{token}", height, start
                graph[sum_key] = join_subtrees, keys[start : start + _SUMS_OF_A_TASK]
                joined.append(sum_key)
            keys = joined
        last = f"softmax-sum-{token}"
        graph[last] = add_subtrees, keys
        return last

    def _start_graph(self, work: Work[Any]) -> tuple[int, dict[Hashable, Any], Any]:
        """Bytes of work, a graph with what all tasks need, and what stands for the work in it."""
        size = _bytes_of(work)
        graph = dict(self._graph)
        if size <= _SMALL:
            return size, graph, work
        key = f"softmax-work-{uuid4().hex}"
        graph[key] = work
        return size, graph, key
