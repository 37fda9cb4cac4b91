"""What sources of rows give: pieces, one after the other, as often as they are asked."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Codes:
    """Labels by their number in a list of them.

    Attributes
    ----------
    numbers : ndarray of shape (n_rows,), integers
    labels : sequence
        Each once.
    """

    numbers: npt.NDArray[Any]
    labels: Sequence[Any]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: slice) -> "Codes":
        return Codes(self.numbers[rows], self.labels)


@dataclass(frozen=True)
class Piece:
    """Some rows of a source.

    Attributes
    ----------
    features : ndarray or sparse matrix of shape (n_rows, n_features)
    labels : ndarray of shape (n_rows,), Codes, or None
        None if they weren't asked for.
    weights : ndarray of shape (n_rows,) or None
    place : str
        Where the rows are, such as the name of a file.
    first_row : int
        Of that place, the first that is in the piece.
    """

    features: Any
    labels: Any
    weights: Any
    place: str
    first_row: int


@dataclass(frozen=True)
class Request:
    """What pieces are to hold.

    Attributes
    ----------
    labels : bool
        Whether labels are wanted.
    block_rows : int or None
        Pieces that end at multiples of it need not be copied.
    """

    labels: bool
    block_rows: int | None


class Source(ABC):
    """Rows that can be read again and again.

    Attributes
    ----------
    n_features : int or None
        None if nothing but the first piece says it.
    feature_names : list of str or None
    dtype : numpy.dtype or None
        Of dense features; None if they are sparse, or the first piece says it.
    n_samples : int or None
        None if only the last piece says it.
    has_labels : bool
    is_cheap : bool
        Whether reading again takes no more than reading from memory or a file does: nothing is
        parsed or decompressed.
    is_text : bool
        Whether reading is parsing text, which takes many times as long.
    has_random_access : bool
        Whether any rows can be read without those before; see `read`.
    """

    n_features: int | None = None
    feature_names: list[str] | None = None
    dtype: np.dtype | None = None
    n_samples: int | None = None
    has_labels: bool = True
    is_cheap: bool = True
    is_text: bool = False
    has_random_access: bool = False

    @abstractmethod
    def pieces(self, request: Request) -> Iterator[Piece]:
        """All rows, in order, always the same ones; pieces of a few MiB if that can be."""

    def read(self, start: int, stop: int) -> list[tuple[Any, Any]]:
        """Features and weights of neighbouring rows, in one part or several.

        Only if there is random access.
        """
        raise NotImplementedError
