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
    numbers: Sequence[int],
    holders: Sequence[Sequence[str]],
    n_threads: Mapping[str, int],
    weights: npt.NDArray[np.float64],
) -> list[list[int]]:
    """Partitions in groups: for each thread of a worker as many as for another.

    Parameters
    ----------
    numbers : sequence of int
        Of the partitions, ascending.
    holders : sequence of sequences of str
        Of each of them, the workers that have it. One that none has is a group of its own.
    n_threads : mapping of str to int
        Of each worker.
    weights : ndarray
        Of each of them, above zero. A group weighs one, or up to that of a partition more.

    Returns
    -------
    list of lists of int
        Ascending by the first.
    """
    groups: list[list[int]] = []
    loads = dict.fromkeys(n_threads, 0.0)
    places_of: dict[str, list[int]] = {}
    for place, number in enumerate(numbers):
        known = [worker for worker in holders[place] if worker in loads]
        if not known:
            groups.append([number])
            continue
        worker = min(known, key=lambda each: loads[each] / n_threads[each])
        loads[worker] += weights[place]
        places_of.setdefault(worker, []).append(place)
    for worker, places in places_of.items():
        n_groups = n_threads[worker] * int(np.ceil(loads[worker] / n_threads[worker]))
        middles = np.cumsum(weights[places]) - 0.5 * weights[places]
        own = (middles * (n_groups / loads[worker])).astype(int)
        groups += [
            [numbers[place] for place in np.array(places)[own == each]] for each in np.unique(own)
        ]
    return sorted(groups)
