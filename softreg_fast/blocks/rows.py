"""Opened rows: what users give to estimators in place of X and y."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from .labels import LabelCodes
from .learned import LearnedRows, Tell, learn, tell_nobody
from .reader import NO_ROWS, BlockReader
from .source import Request, Source


@dataclass(frozen=True)
class LabelledBlock:
    """Rows with their labels.

    Attributes
    ----------
    features : ndarray or csr_array of shape (n_rows, n_features)
    labels : ndarray of shape (n_rows,) or None
    weights : ndarray of shape (n_rows,), float64, or None
    """

    features: Any
    labels: npt.NDArray[Any] | None
    weights: npt.NDArray[np.float64] | None


class RowBlocks:
    """Rows that are read in blocks, as often as they are needed.

    `open_blocks` makes it. It is a context: leaving it removes what it has cached. Iterating over
    it gives blocks (X,), (X, y) or (X, y, weight).

    Attributes
    ----------
    n_features : int
    feature_names : list of str or None
    n_samples : int or None
        None if it is known only after all rows have been read.
    """

    def __init__(
        self, source: Source, *, block_rows: int | None, classes: Any = None, cache: Any = None
    ) -> None:
        self._reader = BlockReader(source, block_rows)
        self._classes = classes
        self._writer = cache
        self._learned: tuple[LearnedRows, npt.NDArray[Any]] | None = None
        self.feature_names = source.feature_names
        self.n_samples = source.n_samples
        self._n_features = source.n_features

    def __repr__(self) -> str:
        shape = f"n_samples={self.n_samples}, n_features={self._n_features}"
        return f"{type(self).__name__}({shape})"

    def __array__(self, *arguments: Any, **named: Any) -> Any:
        raise TypeError(
            "rows in blocks can't become an array: GridSearchCV, cross_val_score, Pipeline and the "
            "like don't take them; use SoftmaxClassifier, SoftmaxClassifierCV, or an array"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what has been cached; the rows can be read again from where they come."""
        if self._writer is not None:
            self._writer.close()
            self._writer = self._learned = None

    @property
    def has_target(self) -> bool:
        """Whether the rows have labels."""
        return self._reader.source.has_labels

    @property
    def n_features(self) -> int:
        """Columns of X."""
        if self._n_features is None:
            request = Request(labels=False, block_rows=None)
            first = next(iter(self._reader.source.pieces(request)), None)
            if first is None:
                raise ValueError(NO_ROWS)
            self._n_features = int(np.shape(first.features)[1])
        return self._n_features

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for block in self.labelled_blocks():
            parts = block.features, block.labels, block.weights
            yield tuple(part for part in parts if part is not None)

    def labelled_blocks(self) -> Iterator[LabelledBlock]:
        """All blocks, with labels if the rows have some."""
        if self._learned is not None:
            rows, classes = self._learned
            for block in rows.blocks():
                yield LabelledBlock(block.features, classes[block.targets], block.weights)
            return
        labels = LabelCodes() if self.has_target else None
        for part in self._reader.blocks(labels, check_values=True):
            of_rows = None
            if labels is not None and part.codes is not None:
                of_rows = labels.decode(part.codes)
            yield LabelledBlock(part.features, of_rows, part.weights)

    def learn(self, tell: Tell = tell_nobody) -> tuple[LearnedRows, npt.NDArray[Any]]:
        """The rows after a first pass, which is made once, and their classes; see `learn`."""
        if not self.has_target:
            raise ValueError(
                "the rows have no target, which fit requires: give target=... to open_blocks"
            )
        if self._learned is None:
            self._learned = learn(self._reader, self._classes, self._writer, tell)
            self.n_samples, self._n_features = self._learned[0].shape
        return self._learned

    def learn_as(self, classes: npt.NDArray[Any]) -> LearnedRows:
        """The rows after a pass, with these classes, of which they need not have all."""
        if self._learned is not None and np.array_equal(self._learned[1], classes):
            return self._learned[0]
        return learn(self._reader, classes, None)[0]
