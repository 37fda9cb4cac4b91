"""The rows that a model learns from, in memory or read again and again in blocks."""

import errno
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import vstack

from ..blocks.opening import open_blocks
from ..blocks.tables import TableFile
from .errors import UserError
from .tables.columns import ColumnTable
from .tables.encoding import Counts, encode
from .tables.files import batches_of
from .tables.values import numbers_of

# Of predictions, for each row of a block.
_BLOCK_NUMBERS = 1 << 22
_BYTES_PER_NUMBER = 24


@dataclass(frozen=True)
class Labels:
    """Labels and weights of all rows that have a label.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
    codes : ndarray of shape (n_samples,), integers
    are_labelled : ndarray of shape (n_rows,), bool, or None
        Which rows of the file have a label; None if all have.
    weights : ndarray of shape (n_samples,) or None
    """

    classes: npt.NDArray[Any]
    codes: npt.NDArray[Any]
    are_labelled: npt.NDArray[np.bool_] | None
    weights: npt.NDArray[np.float64] | None

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Rows of each class."""
        return np.bincount(self.codes, minlength=len(self.classes))

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """Of each class, by weight if there are weights."""
        sums = np.bincount(self.codes, self.weights, minlength=len(self.classes))
        shares: npt.NDArray[np.float64] = sums / sums.sum()
        return shares


@dataclass(frozen=True)
class RowsOfBlock:
    """Some rows.

    Attributes
    ----------
    features : what estimators take
    codes : ndarray of shape (n_rows,), integers
    weights : ndarray of shape (n_rows,) or None
    """

    features: Any
    codes: npt.NDArray[Any]
    weights: npt.NDArray[np.float64] | None


class LearningRows(ABC):
    """Rows that a model learns from.

    Attributes
    ----------
    labels : Labels
    are_in_memory : bool
    """

    labels: Labels
    are_in_memory: bool

    @abstractmethod
    def fit(self, model: Any, mask: npt.NDArray[np.bool_] | None = None) -> Any:
        """Fit a model to the rows of a mask, or to all rows."""

    @abstractmethod
    def blocks(self, mask: npt.NDArray[np.bool_]) -> Iterator[RowsOfBlock]:
        """The rows of a mask, some at a time."""


class MemoryRows(LearningRows):
    """Rows in memory.

    Parameters
    ----------
    features : pyarrow.Table, ndarray or csr_array
    labels : Labels
    """

    are_in_memory = True

    def __init__(self, features: Any, labels: Labels) -> None:
        self.features = features
        self.labels = labels

    def fit(self, model: Any, mask: npt.NDArray[np.bool_] | None = None) -> Any:
        """See `LearningRows`."""
        rows = self._take(np.ones(len(self.labels.codes), bool) if mask is None else mask)
        y = self.labels.classes[rows.codes]
        return model.fit(rows.features, y, sample_weight=rows.weights)

    def blocks(self, mask: npt.NDArray[np.bool_]) -> Iterator[RowsOfBlock]:
        """See `LearningRows`."""
        rows = self._take(mask)
        step = max(1, _BLOCK_NUMBERS // len(self.labels.classes))
        for start in range(0, len(rows.codes), step):
            part = slice(start, start + step)
            features = rows.features
            is_table = hasattr(features, "slice")
            yield RowsOfBlock(
                features.slice(start, step) if is_table else features[part],
                rows.codes[part],
                None if rows.weights is None else rows.weights[part],
            )

    def _take(self, mask: npt.NDArray[np.bool_]) -> RowsOfBlock:
        labels, features = self.labels, self.features
        if mask.all():
            return RowsOfBlock(features, labels.codes, labels.weights)
        taken = features.filter(mask) if hasattr(features, "filter") else features[mask]
        weights = None if labels.weights is None else labels.weights[mask]
        return RowsOfBlock(taken, labels.codes[mask], weights)


class BlockRows(LearningRows):
    """Rows that are read in blocks.

    Parameters
    ----------
    read : callable
        Returns a new iterator of the features of all rows that have a label.
    labels : Labels
    names : list of str or None
        Of the coefficients of a class.
    n_features : int
    """

    are_in_memory = False

    def __init__(
        self,
        read: Callable[[], Iterator[Any]],
        labels: Labels,
        names: list[str] | None,
        n_features: int,
    ) -> None:
        self.labels = labels
        self._read = read
        self._names = names
        self._n_features = n_features

    def fit(self, model: Any, mask: npt.NDArray[np.bool_] | None = None) -> Any:
        """See `LearningRows`."""
        if mask is None:
            mask = np.ones(len(self.labels.codes), bool)
        stream = _Stream(self, mask, self._names, self._n_features)
        try:
            with open_blocks(stream, cache=True) as rows:
                return model.fit(rows)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise UserError(
                f"the disk of {gettempdir()!r} is full, where rows are cached: name a folder with "
                "more room by the environment variable TMPDIR"
            ) from error

    def blocks(self, mask: npt.NDArray[np.bool_]) -> Iterator[RowsOfBlock]:
        """See `LearningRows`."""
        labels, start = self.labels, 0
        for features in self._read():
            rows = slice(start, start + features.shape[0])
            start = rows.stop
            chosen = mask[rows]
            if not chosen.any():
                continue
            weights = None if labels.weights is None else labels.weights[rows][chosen]
            yield RowsOfBlock(features[chosen], labels.codes[rows][chosen], weights)


class _Stream:
    """What `open_blocks` reads."""

    def __init__(
        self, rows: BlockRows, mask: npt.NDArray[np.bool_], names: list[str] | None, n: int
    ) -> None:
        self.feature_names = names
        self.n_features = n
        self.n_samples = int(mask.sum())
        self._rows = rows
        self._mask = mask

    def __call__(self) -> Iterator[tuple[Any, ...]]:
        for block in self._rows.blocks(self._mask):
            y = self._rows.labels.classes[block.codes]
            yield (block.features, y) if block.weights is None else (
                block.features, y, block.weights,
            )  # fmt: skip


def read_rows(
    table: TableFile,
    columns: ColumnTable,
    labels: Labels,
    decimal: str,
    *,
    in_blocks: bool | None,
) -> LearningRows:
    """The rows of a file that have a label.

    Parameters
    ----------
    table : TableFile
    columns : ColumnTable
    labels : Labels
    decimal : str
    in_blocks : bool or None
        None is only if they take more than half of the memory that is free.
    """

    def encode_all(looks_up: bool) -> Iterator[Any]:
        row = 0
        for read in batches_of(table, columns.names):
            first, row = row, row + read.num_rows
            are_labelled = labels.are_labelled
            batch = read if are_labelled is None else read.filter(are_labelled[first:row])
            encoded = encode(batch, columns, decimal, Counts(), first_row=first, place=table.place)
            if encoded.n_rows:
                yield encoded.as_features(looks_up=looks_up)

    if in_blocks is None:
        in_blocks = not fits_in_memory(len(labels.codes), len(columns.columns))
    if in_blocks:
        names = columns.coefficient_names
        return BlockRows(lambda: encode_all(False), labels, names, len(names))
    import pyarrow as pa

    parts = list(encode_all(not columns.has_references))
    if columns.has_references:
        return MemoryRows(vstack(parts, format="csr"), labels)
    return MemoryRows(pa.concat_tables(parts).unify_dictionaries().combine_chunks(), labels)


def fits_in_memory(n_rows: int, n_columns: int) -> bool:
    """Whether rows take at most half of the memory that is free."""
    return n_rows * n_columns * _BYTES_PER_NUMBER <= free_bytes() // 2


def free_bytes() -> int:
    """Memory that is free: of the machine, and of the container."""
    free = 4 << 30
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found = dict(line.split(":") for line in lines)
        free = int(found["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        if hasattr(os, "sysconf"):
            free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    try:
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        used = (group / "memory.current").read_text(encoding="ascii").strip()
        return free if limit == "max" else max(0, min(free, int(limit) - int(used)))
    except (OSError, ValueError):
        return free


def read_weights(table: TableFile, name: str, missing: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """The weights of all rows.

    Raises
    ------
    UserError
        One is missing, negative, infinite or no number, or all are zero.
    """
    parts: list[npt.NDArray[np.float64]] = []
    row = 0
    for batch in batches_of(table, [name]):
        values, are_wrong = numbers_of(batch.column(0), missing, ".")
        wrong = ~(np.isfinite(values) & (values >= 0.0))
        if are_wrong is not None or wrong.any():
            place = int(wrong.argmax())
            found = batch.column(0)[place].as_py()
            raise UserError(
                f"--weight {name!r} is {found!r} in row {row + place + 1}: weights must be numbers "
                "of at least 0, none missing"
            )
        parts.append(values)
        row += len(values)
    weights = np.concatenate([*parts, np.empty(0)])
    if not weights.any():
        raise UserError(f"--weight {name!r} is 0 in all rows: some must be above 0")
    return weights


def predict_quietly(model: Any, features: Any) -> npt.NDArray[np.float64]:
    """Probabilities; unknown categories are counted elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        probabilities: npt.NDArray[np.float64] = model.predict_proba(features)
    return probabilities


def ranks_in_classes(codes: npt.NDArray[Any], seed: int) -> npt.NDArray[np.int64]:
    """A random place of each row among those of its class, from 0."""
    order = np.random.default_rng(seed).permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    counts = np.bincount(codes)
    starts = np.cumsum(counts) - counts
    ranks = np.empty(len(codes), np.int64)
    ranks[order] = np.arange(len(codes)) - np.repeat(starts, counts)
    return ranks


def hold_out(codes: npt.NDArray[Any], share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Which rows are held out: a share of each class, never all of it."""
    counts = np.bincount(codes)
    wanted = np.minimum(np.rint(share * counts).astype(np.int64), counts - 1)
    mask: npt.NDArray[np.bool_] = ranks_in_classes(codes, seed) < wanted[codes]
    return mask


def folds_of(codes: npt.NDArray[Any], n_folds: int, seed: int) -> npt.NDArray[np.int64]:
    """The fold that holds each row out; classes are spread evenly."""
    counts = np.bincount(codes)
    starts = np.cumsum(counts) - counts
    folds: npt.NDArray[np.int64] = (ranks_in_classes(codes, seed) + starts[codes]) % n_folds
    return folds
