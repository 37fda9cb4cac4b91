"""Sources whose rows are arrays: in memory, in memory-mapped files, or what iterables give."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse

from ..data.row_blocks import rows_of
from .checking import check_shape
from .frames import is_frame, matrix_of_frame
from .source import Piece, Request, Source

# Rows of a piece of an array, if nobody says how many.
_PIECE_ROWS = 1 << 16


class ArraySource(Source):
    """The rows of arrays.

    Parameters
    ----------
    features : ndarray or sparse matrix of shape (n_samples, n_features)
        It may be memory-mapped.
    labels : array-like of shape (n_samples,), Codes, or None
    weights : array-like of shape (n_samples,) or None
    place : str
    feature_names : list of str, default=None
    """

    def __init__(
        self,
        features: Any,
        labels: Any,
        weights: Any,
        place: str,
        feature_names: list[str] | None = None,
    ) -> None:
        self._features = csr_array(features) if issparse(features) else features
        self._labels = labels
        self._weights = weights
        self._place = place
        check_shape(self._features.shape, place)
        self.n_samples, self.n_features = self._features.shape
        self.feature_names = feature_names
        self.dtype = None if issparse(features) else self._features.dtype
        self.has_labels = labels is not None
        for name, values in (("target", labels), ("weight", weights)):
            if values is not None and len(values) != self.n_samples:
                raise ValueError(
                    f"{name} has {len(values)} rows, but {place} has {self.n_samples}: it must "
                    "have one for each row"
                )

    has_random_access = True

    def pieces(self, request: Request) -> Iterator[Piece]:
        """See `Source`."""
        step = request.block_rows or _PIECE_ROWS
        n_samples = self._features.shape[0]
        for start in range(0, n_samples, step):
            stop = min(start + step, n_samples)
            labels = None
            if request.labels and self._labels is not None:
                labels = self._labels[start:stop]
            ((features, weights),) = self.read(start, stop)
            yield Piece(features, labels, weights, self._place, start)

    def read(self, start: int, stop: int) -> list[tuple[Any, Any]]:
        """See `Source`."""
        features, rows = self._features, slice(start, stop)
        taken = rows_of(features, rows) if issparse(features) else features[rows]
        return [(taken, None if self._weights is None else self._weights[rows])]


class IterableSource(Source):
    """What a callable gives, each time it is called, or an iterable, each time it is gone over.

    Parameters
    ----------
    begin : callable
        Gives an iterator of (X, y), (X, y, weight), or of X alone.
    n_features : int, default=None
    n_samples : int, default=None
    feature_names : list of str, default=None
    is_cheap : bool, default=False
    """

    def __init__(
        self,
        begin: Callable[[], Iterable[Any]],
        *,
        n_features: int | None = None,
        n_samples: int | None = None,
        feature_names: list[str] | None = None,
        is_cheap: bool = False,
    ) -> None:
        self._begin = begin
        self.n_features = n_features
        self.n_samples = n_samples
        self.feature_names = feature_names
        self.is_cheap = is_cheap

    # A source's attribute, which takes reading a block here.
    @cached_property
    def has_labels(self) -> bool:  # type: ignore[override]
        """Whether the first block has labels."""
        for block in self._begin():
            return isinstance(block, tuple | list) and len(block) > 1
        return True

    def pieces(self, request: Request) -> Iterator[Piece]:
        """See `Source`."""
        for number, block in enumerate(self._begin()):
            place = f"block {number}"
            features, labels, weights = _parts_of(block, place)
            yield Piece(features, labels if request.labels else None, weights, place, 0)


def _parts_of(block: Any, place: str) -> tuple[Any, Any, Any]:
    """Features, labels and weights of what an iterable gives."""
    if isinstance(block, tuple | list):
        if len(block) not in (1, 2, 3):
            raise ValueError(
                f"{place} is a tuple of {len(block)}: it must be (X, y) or (X, y, weight)"
            )
        features, labels, weights = (*block, None, None)[:3]
    else:
        features, labels, weights = block, None, None
    if is_frame(features):
        of_pandas = type(features).__module__.startswith("pandas")
        features = matrix_of_frame(features, place) if of_pandas else features.to_numpy()
    check_shape(np.shape(features), place)
    return features, labels, weights


class JoinedSources(Source):
    """The rows of several sources, one after the other.

    Parameters
    ----------
    sources : sequence of Source
        At least one, of the same kind.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        first = sources[0]
        self.n_features, self.feature_names = first.n_features, first.feature_names
        self.dtype = first.dtype
        counts = [source.n_samples for source in sources]
        known = [count for count in counts if count is not None]
        self.n_samples = sum(known) if len(known) == len(counts) else None
        self.has_labels = all(source.has_labels for source in sources)
        self.is_cheap = all(source.is_cheap for source in sources)
        self.has_random_access = all(source.has_random_access for source in sources)
        self._firsts = np.concatenate([[0], np.cumsum([count or 0 for count in counts])])

    def pieces(self, request: Request) -> Iterator[Piece]:
        """See `Source`."""
        for source in self._sources:
            yield from source.pieces(request)

    def read(self, start: int, stop: int) -> list[tuple[Any, Any]]:
        """See `Source`."""
        parts = []
        for source, first in zip(self._sources, self._firsts.tolist(), strict=False):
            n_rows = source.n_samples or 0
            own = max(start - first, 0), min(stop - first, n_rows)
            if own[0] < own[1]:
                parts += source.read(*own)
        return parts
