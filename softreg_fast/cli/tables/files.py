"""From the path of a file to a table whose rows are read in batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...blocks.arrow import IpcTable, ParquetTable
from ...blocks.columns import import_pyarrow
from ...blocks.tables import TableFile, reading
from ..errors import UserError
from .csv_file import CsvTable
from .numpy_file import NumpyTable
from .text import describe_text

_PARQUET, _IPC, _NUMPY = (".parquet", ".pq"), (".arrow", ".arrows", ".feather", ".ipc"), (".npy",)
_SVMLIGHT = (".svmlight", ".libsvm", ".svm")
_TEXT = (".csv", ".tsv", ".txt", ".data")
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4")
# Of a batch.
_MOST_ROWS = 1 << 16
_MOST_NUMBERS = 1 << 24


@dataclass(frozen=True)
class ReadingOptions:
    """What users say of a file.

    Attributes
    ----------
    encoding, delimiter : str or None
        Of text files; None is found out.
    decimal : str
        What stands before the decimals of numbers in text.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal: str = "."


def kind_of(path: Path) -> str:
    """What a file is by its name: its suffix without that of a compression."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def is_svmlight(path: Path) -> bool:
    """Whether the name of a file says that it is one of svmlight."""
    return kind_of(path) in _SVMLIGHT


def open_table(path: Path, options: ReadingOptions) -> TableFile:
    """Open a table of a file of any kind but svmlight.

    Raises
    ------
    OSError
        There is no such file, or it can't be read.
    UserError, ValueError
        It isn't what its name says, has no rows, or has columns of the same name.
    """
    check_file(path)
    suffix = kind_of(path)
    import_pyarrow(f"reading {path}")
    table: TableFile
    if suffix in _PARQUET:
        table = ParquetTable(path)
    elif suffix in _IPC:
        table = IpcTable(path)
    elif suffix in (".npy", ".npz"):
        table = NumpyTable(path)
    elif suffix in _TEXT or not suffix:
        table = CsvTable(describe_text(path, options.encoding, options.delimiter))
    else:
        raise UserError(
            f"{path} is of no kind that is known: its name must end in one of "
            f"{', '.join((*_TEXT, *_PARQUET, *_IPC, '.npy', '.npz', *_SVMLIGHT))}; text files may "
            f"be compressed ({', '.join(_COMPRESSED)}), those of svmlight by .gz and .bz2"
        )
    names = table.schema.names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(
            f"{path} has {names.count(twice[0])} columns {twice[0]!r}: rename all but one"
        )
    return table


def check_file(path: Path) -> None:
    """Raise UserError if there is no such file, or it can't be read again and again."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: give the path of a file")
    if not path.exists():
        raise UserError(f"there is no file {str(path)!r}: check the path")
    if not path.is_file():
        raise UserError(f"{path} can't be read more than once: save the table in a file first")


def batches_of(table: TableFile, names: Sequence[str], n_others: int = 0) -> Iterator[Any]:
    """All rows of some columns of a table, as record batches that aren't empty.

    Parameters
    ----------
    table : TableFile
    names : sequence of str
    n_others : int, default=0
        Numbers that are calculated for each row, so that batches have fewer rows.
    """
    table_names = list(names)
    most_rows = max(1, min(_MOST_ROWS, _MOST_NUMBERS // max(1, len(table_names) + n_others)))
    if table.stamp is not None:
        table.stamp.check()
    with reading(table.place, table.kind):
        for read in table.batches(table_names, most_rows):
            for start in range(0, read.num_rows, most_rows):
                yield read.slice(start, most_rows)
