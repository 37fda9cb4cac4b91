"""The rows that a model learns from, in memory or read again and again in blocks."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from tempfile import gettempdir
from typing import Any

import numpy as np
import numpy.typing as npt

from ..blocks.opening import open_blocks
from ..blocks.rows import RowBlocks
from ..blocks.source import Codes
from ..blocks.temporary_folder import is_disk_full
from .errors import UserError

# Of predictions, for each row of a block.
_BLOCK_NUMBERS = 1 << 22


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

    def take(self, mask: npt.NDArray[np.bool_]) -> "RowsOfBlock":
        """The rows of a mask."""
        features = self.features
        return RowsOfBlock(
            features.filter(mask) if hasattr(features, "filter") else features[mask],
            self.codes[mask],
            None if self.weights is None else self.weights[mask],
        )


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
        yield from _cut(self._take(mask), rows_of_predictions(len(self.labels.classes)))

    def _take(self, mask: npt.NDArray[np.bool_]) -> RowsOfBlock:
        rows = RowsOfBlock(self.features, self.labels.codes, self.labels.weights)
        return rows if mask.all() else rows.take(mask)


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
        try:
            with self.open(mask) as rows:
                return model.fit(rows)
        except OSError as error:
            if not is_disk_full(error):
                raise
            raise UserError(
                f"the disk of {gettempdir()!r} is full, where rows are cached: name a folder with "
                "more room by the environment variable TMPDIR"
            ) from error

    def open(self, mask: npt.NDArray[np.bool_] | None = None) -> RowBlocks:
        """The rows of a mask, or all rows, which are written to a cache when they are read."""
        if mask is None:
            mask = np.ones(len(self.labels.codes), bool)
        return open_blocks(_Stream(self, mask, self._names, self._n_features), cache=True)

    def blocks(self, mask: npt.NDArray[np.bool_]) -> Iterator[RowsOfBlock]:
        """See `LearningRows`."""
        labels, start = self.labels, 0
        for features in self._read():
            rows = slice(start, start + features.shape[0])
            start = rows.stop
            chosen = mask[rows]
            if not chosen.any():
                continue
            weights = None if labels.weights is None else labels.weights[rows]
            block = RowsOfBlock(features, labels.codes[rows], weights)
            if not chosen.all():
                block = block.take(chosen)
            yield from _cut(block, rows_of_predictions(len(labels.classes)))


def rows_of_predictions(n_classes: int) -> int:
    """How many rows are predicted at a time, so that probabilities take little memory."""
    return max(1, _BLOCK_NUMBERS // n_classes)


def _cut(block: RowsOfBlock, n_rows: int) -> Iterator[RowsOfBlock]:
    """Parts of so many rows."""
    for start in range(0, len(block.codes), n_rows):
        part = slice(start, start + n_rows)
        features, weights = block.features, block.weights
        yield RowsOfBlock(
            features.slice(start, n_rows) if hasattr(features, "slice") else features[part],
            block.codes[part],
            None if weights is None else weights[part],
        )


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
        classes = self._rows.labels.classes.tolist()
        for block in self._rows.blocks(self._mask):
            y = Codes(block.codes, classes)
            yield (block.features, y) if block.weights is None else (
                block.features, y, block.weights,
            )  # fmt: skip


def predict_quietly(model: Any, features: Any) -> npt.NDArray[np.float64]:
    """Probabilities; unknown categories are counted elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        probabilities: npt.NDArray[np.float64] = model.predict_proba(features)
    return probabilities
