"""Arrays in files of NumPy as tables."""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from ...blocks.stamps import Stamp
from ...blocks.tables import TableFile
from ..errors import UserError

_MOST_ROWS = 1 << 16
# Longer floating-point numbers are those of C's long double.
_MOST_BYTES = {"b": 1, "i": 8, "u": 8, "f": 8}


class NumpyTable(TableFile):
    """The arrays of a ``.npy`` or ``.npz`` file.

    Columns of a two-dimensional array are called x0, x1 and so on; in a ``.npz`` file "x" is the
    name of the array. Fields of a structured array have their own names, and one-dimensional arrays
    of a ``.npz`` file theirs.

    Parameters
    ----------
    path : Path
    """

    kind = "a NumPy file"

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self.place = str(path)
        self.stamp = Stamp(path)
        try:
            arrays = _arrays_of(path)
        except (
            ValueError, EOFError, SyntaxError, NotImplementedError, RuntimeError, TokenError,
            zipfile.BadZipFile, zlib.error,
        ) as error:  # fmt: skip
            raise UserError(
                f"{path} can't be read as a NumPy file, because it is cut short, damaged or holds "
                "Python objects: write it again with numpy.save or numpy.savez"
            ) from error
        except MemoryError as error:
            raise UserError(
                f"{path} has arrays that don't fit in memory: save one with numpy.save, which is "
                "read in parts"
            ) from error
        self._columns: dict[str, Any] = {}
        for name, array in arrays.items():
            for column, values in _columns_of(path, name, array):
                if column in self._columns:
                    raise UserError(
                        f"{path} has 2 columns {column!r}, since the columns of a two-dimensional "
                        "array are called by its name and a number: rename the arrays"
                    )
                self._columns[column] = values
        if not arrays:
            raise UserError(f"{path} holds no arrays")
        lengths = {len(column) for column in self._columns.values()}
        if len(lengths) != 1:
            raise UserError(
                f"{path} has arrays of {', '.join(f'{each:,}' for each in sorted(lengths))} rows: "
                "all must have as many"
            )
        self.n_rows = lengths.pop()
        self.schema = pa.schema(
            [(name, pa.array(column[:0]).type) for name, column in self._columns.items()]
        )

    def batches(self, names: list[str], most_rows: int) -> Iterator[Any]:
        """See `TableFile`."""
        import pyarrow as pa

        assert self.n_rows is not None
        for start in range(0, self.n_rows, _MOST_ROWS):
            rows = slice(start, start + _MOST_ROWS)
            arrays = [pa.array(np.ascontiguousarray(self._columns[name][rows])) for name in names]
            yield pa.RecordBatch.from_arrays(arrays, names)


def _arrays_of(path: Path) -> dict[str, Any]:
    found = np.load(path, mmap_mode="r", allow_pickle=False)
    if isinstance(found, np.ndarray):
        return {"x": found}
    with found:
        return {name: array for name, array in found.items() if isinstance(array, np.ndarray)}


def _columns_of(path: Path, name: str, array: Any) -> Iterator[tuple[str, Any]]:
    if array.dtype.names and array.ndim == 1:
        for field in array.dtype.names:
            yield from _columns_of_numbers(path, field, array[field])
    else:
        yield from _columns_of_numbers(path, name, array)


def _columns_of_numbers(path: Path, name: str, array: Any) -> Iterator[tuple[str, Any]]:
    kind, n_bytes = array.dtype.kind, array.dtype.itemsize
    is_known = kind == "U" or n_bytes <= _MOST_BYTES.get(kind, 0)
    if kind == "M":
        is_known = np.datetime_data(array.dtype)[0] in ("D", "s", "ms", "us", "ns")
    if not is_known or array.ndim not in (1, 2):
        raise UserError(
            f"{path} has an array {name!r} of dtype {array.dtype} and shape {array.shape}: it must "
            "hold numbers, texts, booleans or dates, in one or two dimensions"
        )
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("="))
    if array.ndim == 1:
        yield name, array
        return
    for place in range(array.shape[1]):
        yield f"{name}{place}", array[:, place]
