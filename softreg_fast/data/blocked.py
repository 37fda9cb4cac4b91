"""Rows that don't fit in memory, or aren't here: a problem whose features are read in blocks.

Whatever is learnt of them is a sum over blocks, which are cut at fixed rows, and whose sums are
added by a fixed binary tree in the order of the blocks. So it has the same bits wherever the blocks
are, and however many of them are worked on at a time.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, issparse, vstack

from .._typing import FloatArray
from .problem import Problem
from .tree_sums import Sums, tree_sum

Result = TypeVar("Result")


def _aligned(array: Any) -> Any:
    """The array, or a copy of one that isn't where its elements should be."""
    if issparse(array):
        parts = array.data, array.indices, array.indptr
        if all(part.flags.aligned for part in parts):
            return array
        return csr_array(tuple(_aligned(part) for part in parts), shape=array.shape)
    return array if array is None or array.flags.aligned else array.copy()


@dataclass(frozen=True)
class Block:
    """Neighbouring rows.

    Arrays are aligned, wherever they are made: those that another process has sent may lie anywhere
    in memory, and NumPy's sums of such arrays have other bits.

    Attributes
    ----------
    number : int
        Of the block.
    first_row : int
        Of all rows, the first that is in it.
    features : ndarray or csr_array of shape (n_rows, n_features)
        C-ordered, or without rows if the work doesn't need them.
    targets : ndarray of shape (n_rows,), int32
    weights : ndarray of shape (n_rows,), float64, or None
        As they were given.
    row_numbers : ndarray of shape (n_rows,), int64, or None
        Among all rows, where they aren't neighbours.
    """

    number: int
    first_row: int
    features: Any
    targets: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float64] | None
    row_numbers: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        for name in ("features", "targets", "weights", "row_numbers"):
            object.__setattr__(self, name, _aligned(getattr(self, name)))

    def __reduce__(self) -> tuple[Any, ...]:
        return Block, tuple(getattr(self, field.name) for field in fields(self))

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Numbers of its rows among all rows."""
        if self.row_numbers is not None:
            return self.row_numbers
        return np.arange(self.first_row, self.first_row + len(self.targets))


Work = Callable[[Block, "int | None"], Result]
"""What is done with a block, and with how many threads. It may be sent to another process."""


@dataclass(frozen=True)
class RowsSummary:
    """What a first pass tells of rows.

    Attributes
    ----------
    n_features : int
    dtype : numpy.dtype
        Of the features.
    is_sparse : bool
    firsts : ndarray of shape (n_blocks + 1,), int64
        The first row of each block, and the number of rows.
    n_elements : int
        Numbers that the features are made of.
    class_counts : ndarray of shape (n_classes,), int64
        Rows of each class that have a weight.
    class_weights : ndarray of shape (n_classes,), float64
        The sums of their weights.
    is_weighted : bool
        Whether rows have weights of their own.
    """

    n_features: int
    dtype: np.dtype
    is_sparse: bool
    firsts: npt.NDArray[np.int64]
    n_elements: int
    class_counts: npt.NDArray[np.int64]
    class_weights: npt.NDArray[np.float64]
    is_weighted: bool


class BlockedRows(ABC):
    """Rows that are read in blocks.

    Parameters
    ----------
    summary : RowsSummary

    Attributes
    ----------
    checkpoint : Checkpoint or None
        What solvers that don't take sums keep their state in.
    """

    checkpoint: Any = None

    def __init__(self, summary: RowsSummary) -> None:
        self.summary = summary

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features."""
        return int(self.summary.firsts[-1]), self.summary.n_features

    @property
    def dtype(self) -> np.dtype:
        """Of the features."""
        return self.summary.dtype

    @abstractmethod
    def map(
        self,
        work: Work[Result],
        numbers: Sequence[int] | None = None,
        n_threads: int | None = None,
        *,
        needs_features: bool = True,
    ) -> list[Result]:
        """What comes of some blocks, in order.

        Parameters
        ----------
        work : callable
        numbers : sequence of int, default=None
            Of the blocks, ascending; None are all.
        n_threads : int, default=None
            See `runtime.threads.count_threads`.
        needs_features : bool, default=True
            Whether the work reads the features.
        """

    @abstractmethod
    def reduce(self, work: Work[Sums], n_threads: int | None = None) -> Sums:
        """The sums over all blocks; see `map` for the arguments."""

    def windows(self, n_rows: int, seed: int | None, n_done: int = 0) -> Iterator[Block]:
        """All rows, some at a time, for gradient descent.

        Parameters
        ----------
        n_rows : int
            Of a window, about.
        seed : int or None
            Of a random order; None takes the rows in order. Rows that can only be read in order are
            taken in order anyway.
        n_done : int, default=0
            As many windows are left out.
        """
        raise NotImplementedError

    @property
    def n_blocks(self) -> int:
        """How many there are."""
        return len(self.summary.firsts) - 1

    def blocks_of(self, rows: npt.NDArray[np.int64]) -> list[int]:
        """Numbers of the blocks that some rows are in, ascending."""
        places = np.searchsorted(self.summary.firsts, rows, side="right") - 1
        return [int(place) for place in np.unique(places)]


class WrappedRows(BlockedRows):
    """Rows that other rows are asked for.

    Parameters
    ----------
    rows : BlockedRows
        The other ones.
    """

    def __init__(self, rows: BlockedRows) -> None:
        super().__init__(rows.summary)
        self._rows = rows

    def map(
        self,
        work: Work[Result],
        numbers: Sequence[int] | None = None,
        n_threads: int | None = None,
        *,
        needs_features: bool = True,
    ) -> list[Result]:
        """See `BlockedRows.map`."""
        return self._rows.map(work, numbers, n_threads, needs_features=needs_features)

    def windows(self, n_rows: int, seed: int | None, n_done: int = 0) -> Iterator[Block]:
        """See `BlockedRows.windows`."""
        return self._rows.windows(n_rows, seed, n_done)


@dataclass(frozen=True)
class RowShare:
    """Some of the rows, by a random number from 0 to 1 for each.

    Attributes
    ----------
    seed : int
    lower, upper : float
        The numbers from the first to below the second.
    is_inside : bool
        Whether the rows with these numbers are meant, or all others.
    """

    seed: int
    lower: float
    upper: float
    is_inside: bool

    def has(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether rows are among them."""
        numbers = keys_of(rows, self.seed).astype(np.float64) / 2.0**64
        is_within = (self.lower <= numbers) & (numbers < self.upper)
        return is_within if self.is_inside else ~is_within


@dataclass(frozen=True)
class BlockKind:
    """What the problem of a block has in common with that of all rows.

    Attributes
    ----------
    n_classes : int
    activation : str
    dtype : numpy.dtype
    class_factors : ndarray of shape (n_classes,), float64, or None
        What multiplies the weights of each class's rows.
    share : RowShare or None
        The rows that have a weight; None are all.
    """

    n_classes: int
    activation: str
    dtype: np.dtype
    class_factors: npt.NDArray[np.float64] | None = None
    share: RowShare | None = None

    def problem_of(self, block: Block) -> Problem:
        """That of a block, without a penalty."""
        weights = block.weights
        if self.class_factors is not None:
            own = self.class_factors[block.targets]
            weights = own if weights is None else own * weights
        if self.share is not None:
            is_there = self.share.has(block.rows)
            weights = np.where(is_there, 1.0 if weights is None else weights, 0.0)
        return Problem(
            block.features, block.targets, self.n_classes, self.activation, self.dtype, weights
        )


@dataclass(frozen=True)
class BlockedProblem(Problem):
    """A problem whose rows are read in blocks.

    Attributes
    ----------
    features : BlockedRows
        With targets and weights, which the problem itself has not.
    targets : ndarray of shape (0,), int32
    class_factors : ndarray of shape (n_classes,), float64, or None
        What multiplies the weights of each class's rows.
    share : RowShare or None
        The rows that have a weight; None are all.
    counted : tuple of ndarrays of shape (n_classes,), or None
        Of these rows, those of each class that have a weight, and the sums of their weights.
    """

    class_factors: npt.NDArray[np.float64] | None = None
    share: RowShare | None = None
    counted: tuple[npt.NDArray[np.int64], FloatArray] | None = None

    @property
    def rows(self) -> BlockedRows:
        """Features, targets and weights."""
        rows: BlockedRows = self.features
        return rows

    @property
    def kind(self) -> BlockKind:
        """What blocks have in common."""
        return BlockKind(
            self.n_classes, self.activation, self.dtype, self.class_factors, self.share
        )

    def with_shares(self, shares: Sequence[RowShare]) -> list["BlockedProblem"]:
        """The problems of some of the rows each; the others weigh nothing."""
        problems = [replace(self, share=share, counted=None) for share in shares]
        work = _CountRows(tuple(problem.kind for problem in problems))
        sums = tree_sum(self.rows.map(work, needs_features=False))
        pairs = zip(sums[::2], sums[1::2], strict=True)
        return [
            replace(problem, counted=each) for problem, each in zip(problems, pairs, strict=True)
        ]

    def with_mean_weight_one(self) -> "BlockedProblem":
        """See `Problem.with_mean_weight_one`."""
        if not self.rows.summary.is_weighted and self.class_factors is None:
            return self
        mean = self.total_weight / max(1, int(self.class_counts.sum()))
        factors = np.ones(self.n_classes) if self.class_factors is None else self.class_factors
        counted = None
        if self.counted is not None:
            counted = self.counted[0], self.counted[1] / mean
        return replace(self, class_factors=factors / mean, counted=counted)

    @property
    def n_elements(self) -> int:
        """Numbers that the features are made of."""
        return self.rows.summary.n_elements

    @property
    def is_sparse(self) -> bool:
        """Whether the features are sparse matrices."""
        return self.rows.summary.is_sparse

    @property
    def class_weights(self) -> FloatArray:
        """Sums of the weights of each class's rows."""
        if self.counted is not None:
            return self.counted[1]
        weights = self.rows.summary.class_weights
        return weights if self.class_factors is None else weights * self.class_factors

    @property
    def class_counts(self) -> npt.NDArray[np.int64]:
        """Rows of each class that have a weight."""
        if self.counted is not None:
            return self.counted[0]
        counts = self.rows.summary.class_counts
        return counts if self.class_factors is None else counts * (self.class_factors > 0.0)

    @property
    def total_weight(self) -> float:
        """Sum of the rows' weights."""
        return float(self.class_weights.sum())

    def weights(self, rows: Any = slice(None)) -> npt.NDArray[np.float64]:
        """Not known here."""
        raise TypeError("the weights of rows in blocks come with each block")

    @property
    def given_weights(self) -> npt.NDArray[np.float64]:
        """Not known here."""
        raise TypeError("the weights of rows in blocks come with each block")

    def take(self, rows: npt.NDArray[np.int64], n_threads: int | None = None) -> Problem:
        """A problem of some rows, in memory.

        Parameters
        ----------
        rows : ndarray of int
            Ascending.
        n_threads : int, default=None
        """
        work = _TakeRows(self.kind, rows)
        parts = self.rows.map(work, self.rows.blocks_of(rows), n_threads)
        first = parts[0]
        weights = None
        if first.sample_weight is not None:
            weights = np.concatenate([part.sample_weight for part in parts])
        return Problem(
            stack([part.features for part in parts]),
            np.concatenate([part.targets for part in parts]),
            self.n_classes,
            self.activation,
            self.dtype,
            weights,
            self.l2_penalty,
            self.l1_penalty,
            self.is_grouped,
        )

    def take_sample(self, n_rows: int, seed: int, n_threads: int | None = None) -> Problem:
        """A problem of random rows, in memory; of all that have a weight, if they are fewer."""
        counts = self.class_counts
        share = min(1.0, n_rows / max(1, counts.sum()))
        n_by_class = np.ceil(share * counts).astype(np.int64)
        return self.take(self.draw(n_by_class, seed), n_threads)

    def draw(self, n_by_class: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
        """Random rows that have a weight, ascending; the same ones wherever blocks are cut.

        Parameters
        ----------
        n_by_class : ndarray of shape (n_classes,)
            Rows of each class, at most as many as there are.
        seed : int
        """
        parts = self.rows.map(_SmallestKeys(self.kind, n_by_class, seed), needs_features=False)
        keys, rows, classes = (np.concatenate(each) for each in zip(*parts, strict=True))
        chosen = _smallest_of_each(keys, classes, n_by_class)
        return np.sort(rows[chosen])


def stack(parts: Sequence[Any]) -> Any:
    """Rows of matrices, all dense or all sparse, below each other."""
    if len(parts) == 1:
        return parts[0]
    if issparse(parts[0]):
        return csr_array(vstack(parts, format="csr"))
    return np.concatenate(parts)


@dataclass(frozen=True)
class _CountRows:
    """Rows of each class that have a weight, and the sums of their weights, for each kind."""

    kinds: tuple[BlockKind, ...]

    def __call__(self, block: Block, n_threads: int | None) -> Sums:
        sums = []
        for kind in self.kinds:
            problem = kind.problem_of(block)
            weights = problem.weights()
            has_weight = problem.targets[weights > 0.0]
            sums.append(np.bincount(has_weight, minlength=kind.n_classes))
            sums.append(np.bincount(problem.targets, weights, minlength=kind.n_classes))
        return tuple(sums)


@dataclass(frozen=True)
class _TakeRows:
    kind: BlockKind
    rows: npt.NDArray[np.int64]

    def __call__(self, block: Block, n_threads: int | None) -> Problem:
        bounds = block.first_row, block.first_row + len(block.targets)
        start, stop = np.searchsorted(self.rows, bounds)
        own = self.rows[start:stop] - block.first_row
        weights = None if block.weights is None else block.weights[own]
        features = block.features[own]
        if not issparse(features):
            features = np.ascontiguousarray(features)
        rows = block.rows[own]
        return self.kind.problem_of(Block(0, 0, features, block.targets[own], weights, rows))


@dataclass(frozen=True)
class _SmallestKeys:
    """Of each class the rows of a block that have the smallest keys."""

    kind: BlockKind
    n_by_class: npt.NDArray[np.int64]
    seed: int

    def __call__(self, block: Block, n_threads: int | None) -> tuple[Any, Any, Any]:
        problem = self.kind.problem_of(block)
        rows, targets = block.rows, block.targets
        if problem.sample_weight is not None:
            has_weight = problem.sample_weight > 0.0
            rows, targets = rows[has_weight], targets[has_weight]
        keys = keys_of(rows, self.seed)
        chosen = _smallest_of_each(keys, targets, self.n_by_class)
        return keys[chosen], rows[chosen], targets[chosen]


def _smallest_of_each(
    keys: npt.NDArray[np.uint64], classes: npt.NDArray[Any], n_by_class: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Places of the smallest keys of each class."""
    counts = np.bincount(classes, minlength=len(n_by_class))
    # Of random numbers, the smallest are as likely small as there are others; some to spare.
    wanted = n_by_class + 6.0 * np.sqrt(n_by_class) + 8.0
    limits = np.minimum(wanted / np.maximum(counts, 1), 1.0)
    share = keys.astype(np.float64) / 2.0**64
    candidates = np.flatnonzero(share <= limits[classes])
    n_there = np.bincount(classes[candidates], minlength=len(n_by_class))
    if (n_there < np.minimum(counts, n_by_class)).any():
        candidates = np.arange(len(keys))
    order = np.lexsort((keys[candidates], classes[candidates]))
    ordered = candidates[order]
    n_there = np.bincount(classes[ordered], minlength=len(n_by_class))
    within = np.arange(len(ordered)) - np.repeat(np.cumsum(n_there) - n_there, n_there)
    places: npt.NDArray[np.int64] = ordered[within < n_by_class[classes[ordered]]]
    return places


def keys_of(rows: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.uint64]:
    """A random number for each row, by its number and the seed.

    The mixing function is that of Steele, Lea and Flood, Fast splittable pseudorandom number
    generators, 2014.
    """
    with np.errstate(over="ignore"):
        start = np.uint64(seed) * np.uint64(0xD1342543DE82EF95)
        keys = (rows.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + start
        keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: npt.NDArray[np.uint64] = keys ^ (keys >> np.uint64(31))
    return mixed
