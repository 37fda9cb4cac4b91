"""Rows of which a first pass has told how many there are, and of which classes."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from ..data.blocked import Block, BlockedRows, Result, RowsSummary, Work, stack
from ..data.tree_sums import Sums, TreeSum
from .labels import LabelCodes
from .read_ahead import read_ahead
from .reader import BlockReader

# Of neighbouring rows, which are shuffled together: few enough that a window has many of them,
# enough that reading them takes no longer than reading in order.
_BYTES_OF_A_CHUNK = 1 << 18
_CHANGED = (
    "all passes must give the same rows; a callable must begin anew each time that it is called, "
    "and files must not change meanwhile"
)

Tell = Callable[[int], None]
"""Told of some rows, by their number, when a first pass is done with them."""


def tell_nobody(n_rows: int) -> None:
    """Nothing."""


class LearnedRows(BlockedRows):
    """Rows whose classes are known; their numbers stay in memory.

    Parameters
    ----------
    reader : BlockReader
    codes : ndarray of shape (n_samples,), unsigned integers
        The classes of the rows.
    summary : RowsSummary
    """

    def __init__(self, reader: BlockReader, codes: npt.NDArray[Any], summary: RowsSummary) -> None:
        super().__init__(summary)
        self._reader = reader
        self._codes = codes

    def map(
        self,
        work: Work[Result],
        numbers: Sequence[int] | None = None,
        n_threads: int | None = None,
        *,
        needs_features: bool = True,
    ) -> list[Result]:
        """See `BlockedRows.map`."""
        if not (needs_features or self.summary.is_weighted):
            blocks = self._without_features()
        else:
            blocks = self.blocks()
        if numbers is None:
            return [work(block, n_threads) for block in blocks]
        wanted, last = set(numbers), max(numbers)
        results = []
        for block in blocks:
            if block.number in wanted:
                results.append(work(block, n_threads))
            if block.number == last:
                break
        return results

    def reduce(self, work: Work[Sums], n_threads: int | None = None) -> Sums:
        """See `BlockedRows.reduce`."""
        tree = TreeSum()
        for block in self.blocks():
            tree.add(work(block, n_threads))
        return tree.total

    def _without_features(self) -> Iterator[Block]:
        nothing = np.zeros((0, self.shape[1]), self.dtype)
        for number in range(self.n_blocks):
            first_row, targets = self._targets_of(number)
            yield Block(number, first_row, nothing, targets, None)

    def _targets_of(self, number: int) -> tuple[int, npt.NDArray[np.int32]]:
        """The first row of a block, and its targets."""
        start, stop = self.summary.firsts[number : number + 2].tolist()
        return start, self._codes[start:stop].astype(np.int32)

    def windows(self, n_rows: int, seed: int | None, n_done: int = 0) -> Iterator[Block]:
        """See `BlockedRows.windows`."""
        source = self._reader.source
        if seed is None or not source.has_random_access:
            return islice(self.blocks(), n_done, None)
        n_samples = self.shape[0]
        bytes_per_row = max(1, self.summary.n_elements * self.dtype.itemsize // n_samples)
        chunk_rows = min(max(1, _BYTES_OF_A_CHUNK // bytes_per_row), n_rows)
        starts = np.arange(0, n_samples, chunk_rows)
        order = np.random.default_rng(seed).permutation(len(starts))
        n_chunks = max(1, n_rows // chunk_rows)
        groups = (
            starts[order[each : each + n_chunks]]
            for each in range(n_chunks * n_done, len(order), n_chunks)
        )
        return read_ahead(self._gather(group, chunk_rows) for group in groups)

    def _gather(self, starts: npt.NDArray[np.int64], chunk_rows: int) -> Block:
        """Chunks of rows as a block."""
        parts, codes, numbers = [], [], []
        for start in np.sort(starts).tolist():
            stop = min(start + chunk_rows, self.shape[0])
            parts += self._reader.source.read(start, stop)
            codes.append(self._codes[start:stop])
            numbers.append(np.arange(start, stop))
        features = stack([features for features, _ in parts]).astype(self.dtype, copy=False)
        weights = None
        if self.summary.is_weighted:
            weights = np.concatenate([weights for _, weights in parts], dtype=np.float64)
        targets = np.concatenate(codes, dtype=np.int32)
        return Block(0, 0, features, targets, weights, np.concatenate(numbers))

    def blocks(self) -> Iterator[Block]:
        """All blocks, in order."""
        n_rows = 0
        for number, part in enumerate(self._reader.blocks(None, check_values=False)):
            first_row, targets = n_rows, np.zeros(0, np.int32)
            if number < self.n_blocks:
                first_row, targets = self._targets_of(number)
            shape = len(targets), self.shape[1]
            if part.features.shape != shape:
                raise ValueError(
                    f"block {number} of the rows has shape {part.features.shape} in this pass, and "
                    f"had {shape} in the first one: {_CHANGED}"
                )
            n_rows = first_row + len(targets)
            yield Block(number, first_row, part.features, targets, part.weights)
        if n_rows < self.shape[0]:
            raise ValueError(
                f"there are {n_rows} rows in this pass, and were {self.shape[0]} in the first one: "
                f"{_CHANGED}"
            )


def learn(
    reader: BlockReader, classes: Any, cache: Any = None, tell: Tell = tell_nobody
) -> tuple[LearnedRows, npt.NDArray[Any]]:
    """Read all rows once.

    Parameters
    ----------
    reader : BlockReader
    classes : array-like or None
        All labels, if they are known.
    cache : CacheWriter or None, default=None
        Is given the blocks; later passes read what it has kept.
    tell : callable
        Called after each block with the number of its rows.

    Returns
    -------
    rows : LearnedRows
    classes : ndarray of shape (n_classes,)

    Raises
    ------
    TypeError, ValueError
        Something is not allowed.
    """
    labels = LabelCodes(classes)
    codes: list[npt.NDArray[Any]] = []
    sums: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]] = []
    n_elements = 0
    is_weighted = False
    first = None
    if cache is not None:
        cache.begin()
    for part in reader.blocks(labels, check_values=True):
        assert part.codes is not None
        first = part.features[:0] if first is None else first
        codes.append(part.codes.astype(np.min_scalar_type(int(part.codes.max()))))
        is_weighted = part.weights is not None
        counted = part.codes if part.weights is None else part.codes[part.weights > 0.0]
        sums.append((np.bincount(counted), np.bincount(part.codes, part.weights)))
        n_elements += part.features.nnz if issparse(part.features) else part.features.size
        if cache is not None:
            cache.add(part)
        tell(len(part.codes))
    assert first is not None
    found, places = labels.finish()
    firsts = np.concatenate([[0], np.cumsum([len(each) for each in codes])])
    all_codes = np.empty(firsts[-1], np.min_scalar_type(len(found)))
    for number, first_row in enumerate(firsts[:-1].tolist()):
        own, codes[number] = codes[number], np.zeros(0, np.uint8)  # freed as it is copied
        all_codes[first_row : first_row + len(own)] = places[own]
    tree = TreeSum()
    for counts, weights in sums:
        padded = [np.zeros(len(found), each.dtype) for each in (counts, weights)]
        for values, out in zip((counts, weights), padded, strict=True):
            out[places[: len(values)]] = values
        tree.add(tuple(padded))
    class_counts, class_weights = tree.total
    if not 0.0 < class_weights.sum() < np.inf:
        raise ValueError(
            f"the sum of the weights is {class_weights.sum()}: it must be above zero and finite"
        )
    if cache is not None:
        reader = BlockReader(cache.finish(), reader.block_rows)
    summary = RowsSummary(
        first.shape[1],
        first.dtype,
        issparse(first),
        firsts.astype(np.int64),
        n_elements,
        class_counts.astype(np.int64),
        class_weights.astype(np.float64),
        is_weighted,
    )
    return LearnedRows(reader, all_codes, summary), found
