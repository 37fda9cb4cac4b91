"""Which partitions are kept together: those of one worker, so that none has to be sent."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

# Of the blocks of a group, and of those in large clusters. If a worker dies, others must have room.
_BYTES_OF_A_GROUP, _MOST_BYTES_OF_A_GROUP = 1 << 29, 1 << 32
# As many tasks take Dask as long as such a group takes a thread.
_THREADS_OF_A_CLUSTER = 32


def bytes_of_a_group(n_threads: int) -> int:
    """Of blocks, in a cluster with so many threads: Dask is to be done before the threads are."""
    n_bytes = _BYTES_OF_A_GROUP * max(1, n_threads // _THREADS_OF_A_CLUSTER)
    return min(n_bytes, _MOST_BYTES_OF_A_GROUP)


def group(
    holders: Sequence[Sequence[str]],
    n_threads: Mapping[str, int],
    weights: npt.NDArray[np.float64],
) -> list[list[int]]:
    """Partitions in groups: for each thread of a worker as many as for another.

    Parameters
    ----------
    holders : sequence of sequences of str
        Of each partition, the workers that have it. One that none has is a group of its own.
    n_threads : mapping of str to int
        Of each worker.
    weights : ndarray
        Of each partition, above zero. A group weighs one, or up to that of a partition more.

    Returns
    -------
    list of lists of int
        Numbers of the partitions of each group, ascending; so are the groups by the first.
    """
    groups: list[list[int]] = []
    loads = dict.fromkeys(n_threads, 0.0)
    numbers_of: dict[str, list[int]] = {}
    for number, workers in enumerate(holders):
        known = [worker for worker in workers if worker in loads]
        if not known:
            groups.append([number])
            continue
        worker = min(known, key=lambda each: loads[each] / n_threads[each])
        loads[worker] += weights[number]
        numbers_of.setdefault(worker, []).append(number)
    for worker, numbers in numbers_of.items():
        n_groups = n_threads[worker] * int(np.ceil(loads[worker] / n_threads[worker]))
        middles = np.cumsum(weights[numbers]) - 0.5 * weights[numbers]
        own = (middles * (n_groups / loads[worker])).astype(int)
        groups += [np.array(numbers)[own == each].tolist() for each in np.unique(own)]
    return sorted(groups)
