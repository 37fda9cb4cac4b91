"""What a first pass tells of partitions: how many rows there are, and of which classes."""

from collections.abc import Hashable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from dask import delayed
from dask.highlevelgraph import HighLevelGraph
from scipy.sparse import csr_array

from ..blocks.checking import PieceChecks
from ..blocks.labels import LabelCodes
from ..blocks.learned import Tell, tell_nobody
from ..blocks.source import Piece
from ..data.blocked import RowsSummary
from ..data.tree_sums import tree_sum
from .cluster import Cluster
from .partitions import Partition
from .pieces import Place, Summary, check_partition, make_blocks, name_partition, summarise_all
from .placing import bytes_of_a_group, group
from .rows import DaskRows


class DaskPartitions:
    """Partitions of rows as estimators take rows in blocks.

    Parameters
    ----------
    cluster : Cluster
    partitions : sequence of Partition
    is_persistent : bool
        Whether workers keep the blocks. Otherwise each pass calculates them.

    Attributes
    ----------
    n_features : int
    feature_names : list of str or None
        They and the number are known once the rows have been learnt.
    n_samples : None
        `learn` tells.
    """

    n_features: int
    feature_names: list[str] | None
    n_samples: int | None = None

    def __init__(
        self, cluster: Cluster, partitions: Sequence[Partition], *, is_persistent: bool
    ) -> None:
        self._cluster = cluster
        self._partitions = partitions
        self._is_persistent = is_persistent
        self._futures: list[Any] = []

    def release(self) -> None:
        """Have workers drop what they keep."""
        for future in self._futures:
            future.release()
        self._futures = []

    def learn(self, tell: Tell = tell_nobody) -> tuple[DaskRows, npt.NDArray[Any]]:
        """The rows, and their classes.

        Parameters
        ----------
        tell : callable
            Called with the number of rows, once they are known.

        Raises
        ------
        TypeError, ValueError
            Something is not allowed.
        """
        checked = [
            self._check(partition, number) for number, partition in enumerate(self._partitions)
        ]
        groups = [[number] for number in range(len(checked))]
        if self._is_persistent:
            checked = self._futures = self._cluster.compute(checked)
            groups = self._group(checked)
        found = self._summarise(checked, groups)
        summaries = [each for each in found if each is not None]
        if not summaries:
            raise ValueError("X has no rows: all its partitions are empty")
        _check_same_kind(summaries)
        self.n_features = summaries[0].n_features
        self.feature_names = _names_of(summaries)
        classes, numbers = _unite_labels(summaries)
        counts, weights = _sum_classes(summaries, numbers, len(classes))
        firsts = np.concatenate([[0], np.cumsum([each.n_rows for each in summaries])])
        tell(int(firsts[-1]))
        first = summaries[0]
        summary = RowsSummary(
            first.n_features,
            first.dtype,
            first.is_sparse,
            firsts.astype(np.int64),
            sum(each.n_elements for each in summaries),
            counts,
            weights,
            first.is_weighted,
        )
        places = _places(summaries, numbers, firsts)
        made, graph = self._make_blocks(checked, places, groups)
        return DaskRows(self._cluster, made, graph, summary), classes

    def _group(self, futures: list[Any]) -> list[list[int]]:
        """Numbers of futures whose results are on the same worker."""
        sizes = np.maximum(self._cluster.sizes_of(futures), 1)
        holders, n_threads = self._cluster.find(futures)
        return group(holders, n_threads, sizes / bytes_of_a_group(sum(n_threads.values())))

    def _summarise(self, checked: list[Any], groups: list[list[int]]) -> list[Summary | None]:
        """What is to be known of partitions, by a task for each group."""
        work = delayed(summarise_all, pure=False)
        tasks = [work([checked[number] for number in each], each) for each in groups]
        found = self._cluster.results(self._cluster.compute(tasks))
        by_number = dict(zip(chain(*groups), chain(*found), strict=True))
        return [by_number[number] for number in range(len(checked))]

    def _check(self, partition: Partition, number: int, **options: bool) -> Any:
        given = partition.features, partition.labels, partition.weights
        return delayed(check_partition, pure=False)(*given, number, **options)

    def _make_blocks(
        self, checked: list[Any], places: list[Place], groups: list[list[int]]
    ) -> tuple[list[tuple[list[int], Any]], dict[Hashable, Any]]:
        """Groups of blocks: futures, or their keys and the graph that makes them."""
        place_of = {place.partition: place for place in places}
        chosen = [[number for number in each if number in place_of] for each in groups]
        chosen = [each for each in chosen if each]
        making = delayed(make_blocks, pure=False)
        made = [
            making(
                [self._checked_again(checked, number) for number in each],
                [place_of[number] for number in each],
            )
            for each in chosen
        ]
        graph: dict[Hashable, Any] = {}
        if self._is_persistent:
            blocks = self._cluster.compute(made)
            self.release()
            self._futures = blocks
        else:
            blocks = [each.key for each in made]
            graph = dict(HighLevelGraph.merge(*(each.__dask_graph__() for each in made)))
        numbers = [[place_of[number].number for number in each] for each in chosen]
        return list(zip(numbers, blocks, strict=True)), graph

    def _checked_again(self, checked: list[Any], number: int) -> Any:
        """A partition that is kept, or one that is calculated anew."""
        if self._is_persistent:
            return checked[number]
        return self._check(self._partitions[number], number, check_values=False)


def _check_same_kind(summaries: list[Summary]) -> None:
    """Raise ValueError if partitions differ in what they must have in common."""
    checks = PieceChecks(None)
    for each in summaries:
        row: Any = np.zeros((1, each.n_features), each.dtype)
        row = csr_array(row) if each.is_sparse else row
        piece = Piece(row, None, None, name_partition(each.number), 0)
        checks.take(piece, None, check_values=False)


def _names_of(summaries: list[Summary]) -> list[str] | None:
    """Names of the features, if they have some.

    Raises
    ------
    TypeError, ValueError
        Only some are strings, or partitions differ.
    """
    first = summaries[0]
    for each in summaries:
        if each.columns != first.columns:
            raise ValueError(
                f"{name_partition(each.number)} has the columns {each.columns}, but "
                f"{name_partition(first.number)} has {first.columns}: all must have the same"
            )
    columns = first.columns or []
    are_strings = [isinstance(name, str) for name in columns]
    if not any(are_strings):
        return None
    if not all(are_strings):
        raise TypeError(
            f"X has names of columns that are no strings: {columns}; all must be strings, or none"
        )
    return columns


def _unite_labels(
    summaries: list[Summary],
) -> tuple[npt.NDArray[Any], list[npt.NDArray[np.int32]]]:
    """The classes, and of each partition's labels the numbers of their classes.

    Raises
    ------
    ValueError
        Labels are of several kinds, or there are too few or too many.
    """
    codes = LabelCodes()
    met = []
    for each in summaries:
        try:
            met.append(codes.encode(each.labels))
        except ValueError as error:
            raise ValueError(
                f"the target of {name_partition(each.number)} is not allowed: {error}"
            ) from error
    classes, places = codes.finish()
    return classes, [places[each] for each in met]


def _sum_classes(
    summaries: list[Summary], numbers: list[npt.NDArray[np.int32]], n_classes: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Rows of each class that have a weight, and the sums of their weights."""
    sums = []
    for each, places in zip(summaries, numbers, strict=True):
        counts, weights = np.zeros(n_classes, np.int64), np.zeros(n_classes)
        counts[places], weights[places] = each.counts, each.weights
        sums.append((counts, weights))
    counts, weights = tree_sum(sums)
    if not 0.0 < weights.sum() < np.inf:
        raise ValueError(
            f"the sum of sample_weight is {weights.sum()}: it must be above zero and finite"
        )
    return counts, weights


def _places(
    summaries: list[Summary],
    numbers: list[npt.NDArray[np.int32]],
    firsts: npt.NDArray[np.int64],
) -> list[Place]:
    return [
        Place(
            each.number,
            number,
            int(first_row),
            (each.n_rows, each.n_features),
            each.labels,
            numbers[number],
        )
        for number, (each, first_row) in enumerate(zip(summaries, firsts, strict=False))
    ]
