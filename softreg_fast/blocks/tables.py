"""Sources whose rows are those of tables with named columns."""

import lzma
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .columns import (
    Columns,
    check_columns,
    choose_columns,
    features_of,
    import_pyarrow,
    labels_of,
    weights_of,
)
from .cutting import MOST_BYTES
from .read_ahead import read_ahead
from .source import Piece, Request, Source
from .stamps import Stamp

# Of a piece, whose labels and columns take memory besides its features.
_MOST_ROWS = 1 << 20


class TableFile(ABC):
    """A table whose rows can be read again and again.

    Attributes
    ----------
    place : str
        Such as the name of a file.
    kind : str
        What it is, with an article.
    schema : pyarrow.Schema
    n_rows : int or None
        None if only reading says it.
    missing_label : str or None
        A text that stands for a missing label.
    is_text : bool
        Whether numbers have to be parsed.
    may_be_empty : bool
        Whether it may be without rows beside others.
    stamp : Stamp or None
        Tells whether it is still as it was.
    """

    place: str
    kind: str
    schema: Any
    n_rows: int | None = None
    missing_label: str | None = None
    is_text: bool = False
    may_be_empty: bool = False
    stamp: Stamp | None = None

    @abstractmethod
    def batches(self, names: list[str], most_rows: int) -> Iterator[Any]:
        """All rows, in order, as record batches.

        Parameters
        ----------
        names : list of str
            Of the columns that are read.
        most_rows : int
            That a batch should have; it may have more.
        """


class TableSource(Source):
    """The rows of a table.

    Parameters
    ----------
    table : TableFile
    columns : Columns

    Attributes
    ----------
    is_text : bool
    """

    is_cheap = False

    def __init__(self, table: TableFile, columns: Columns) -> None:
        self._table = table
        self._columns = columns
        self.n_features = len(columns.features)
        self.feature_names = list(columns.features)
        self.dtype = columns.dtype
        self.n_samples = table.n_rows
        self.has_labels = columns.target is not None
        self.is_text = table.is_text
        if table.n_rows == 0 and not table.may_be_empty:
            raise has_no_rows(table.place)

    def pieces(self, request: Request) -> Iterator[Piece]:
        """See `Source`."""
        table, columns = self._table, self._columns
        if table.stamp is not None:
            table.stamp.check()
        most_rows = rows_of_pieces(len(columns.features), columns.dtype, request.block_rows)
        row = 0
        with reading(table.place, table.kind):
            names = columns.names(labels=request.labels)
            # Decoding takes about as long as putting columns side by side.
            for read in read_ahead(table.batches(names, most_rows)):
                for start in range(0, read.num_rows, most_rows):
                    batch = read.slice(start, most_rows)
                    piece = Piece(
                        features_of(batch, columns),
                        labels_of(batch, columns, table.missing_label) if request.labels else None,
                        weights_of(batch, columns),
                        table.place,
                        row,
                    )
                    row += batch.num_rows
                    del batch
                    yield piece
                    del piece  # before the next one is made
                del read
        if row == 0 and not table.may_be_empty:
            raise has_no_rows(table.place)
        if table.stamp is not None:
            table.stamp.check()


def open_tables(
    tables: Sequence[TableFile], target: Any, weight: Any, features: Any
) -> list[TableSource]:
    """The rows of tables that have the same columns, in whatever order.

    Parameters
    ----------
    tables : sequence of TableFile
        At least one.
    target, weight : str or None
        Names of columns.
    features : list of str or None
        Names of columns. None are all others.

    Raises
    ------
    TypeError, ValueError
        A table doesn't have such columns, or no rows.
    """
    first, *others = tables
    columns = choose_columns(first.place, first.schema, target, weight, features)
    for table in others:
        check_columns(table.place, table.schema, columns, first.place, first.schema)
    return [TableSource(table, columns) for table in tables]


def rows_of_pieces(n_features: int, dtype: np.dtype, block_rows: int | None) -> int:
    """How many rows pieces have, so that few of them have to be cut or joined to blocks.

    A piece is a whole block, if there is room: columns are the faster decoded, the more rows there
    are.
    """
    most = max(1, min(MOST_BYTES // (n_features * dtype.itemsize), _MOST_ROWS))
    if block_rows is None:
        return most
    if block_rows <= most:
        return most // block_rows * block_rows
    fewest = -(-block_rows // most)
    counts = (count for count in range(fewest, 2 * fewest) if block_rows % count == 0)
    return -(-block_rows // next(counts, fewest))


@contextmanager
def reading(place: str, kind: str) -> Iterator[None]:
    """Name the file that can't be read.

    Parameters
    ----------
    place : str
    kind : str
        What the file should be, with an article.

    Raises
    ------
    ValueError
        Reading has failed, though the file is there.
    """
    pa = import_pyarrow(f"reading {place}")
    try:
        yield
    except (FileNotFoundError, PermissionError, pa.ArrowMemoryError):
        raise
    except (
        pa.ArrowException, OSError, EOFError, UnicodeDecodeError, lzma.LZMAError, zlib.error,
    ) as error:  # fmt: skip
        raise ValueError(
            f"{place} can't be read as {kind}: {_one_line(error)}; if it is cut short or damaged, "
            "write it again"
        ) from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def has_no_rows(place: str) -> ValueError:
    """What is raised for a file without rows."""
    return ValueError(f"{place} has no rows: leave it out")
