"""Blocks in files of a folder, from which later passes read them without parsing anything."""

import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, issparse

from ..data.row_blocks import view_rows
from .cutting import Part
from .source import Piece, Request, Source
from .temporary_folder import TemporaryFolder, is_disk_full


class CacheWriter:
    """Writes blocks to a folder of its own, which `close` removes.

    The folder is also removed when nothing refers to it any more, and when Python exits.

    Parameters
    ----------
    folder : Path or None
        In which the folder is made, when the first block is written; None for that of temporary
        files.
    """

    def __init__(self, folder: Path | None) -> None:
        self._parent = folder
        self._folder: TemporaryFolder | None = None
        self._files: _Files | None = None
        self._source: CachedSource | None = None

    def begin(self) -> None:
        """Begin anew, whatever has been written before."""
        self.close()

    def add(self, part: Part) -> None:
        """Write a block.

        Parameters
        ----------
        part : Part
            Its features must be C-ordered, or sparse.

        Raises
        ------
        OSError
            The disk is full, for example; then all that has been written is removed.
        """
        with self._writing():
            if self._folder is None:
                self._folder = TemporaryFolder(self._parent)
            if self._files is None:
                self._files = _Files(self._folder.path, part)
            self._files.add(part)

    def finish(self) -> "CachedSource":
        """The rows of all blocks.

        Raises
        ------
        OSError
            See `add`.
        """
        assert self._folder is not None
        assert self._files is not None
        with self._writing():
            self._files.finish()
        self._source = CachedSource(self._files, self._folder)
        return self._source

    def close(self) -> None:
        """Remove what has been written."""
        if self._files is not None:
            self._files.close()
        if self._source is not None:
            self._source.close()
        if self._folder is not None:
            self._folder.remove()
        self._files = self._source = self._folder = None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """If writing fails, nothing is left, and the error says what to do."""
        try:
            yield
        except OSError as error:
            self.close()
            if not is_disk_full(error):
                raise
            parent = tempfile.gettempdir() if self._parent is None else self._parent
            raise OSError(
                error.errno,
                f"the disk of {str(parent)!r} is full, where rows are cached: give cache=FOLDER on "
                "a disk with more room, or cache=False",
            ) from error


class _ArrayFile:
    """A `.npy` file that grows by rows.

    Parameters
    ----------
    path : Path
    dtype : numpy.dtype
    row_shape : tuple of int
    """

    def __init__(self, path: Path, dtype: npt.DTypeLike, row_shape: tuple[int, ...] = ()) -> None:
        self.path = path
        self.dtype = np.dtype(dtype)
        self.n_rows = 0
        self._row_shape = row_shape
        self._file = path.open("wb")
        self._finalizer = weakref.finalize(self, _close, self._file)
        self._write_header()
        self._header_bytes = self._file.tell()

    def _write_header(self) -> None:
        # NumPy leaves room in it for any number of rows.
        described = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.n_rows, *self._row_shape),
        }
        np.lib.format.write_array_header_1_0(self._file, described)

    def add(self, rows: npt.NDArray[Any]) -> None:
        values = np.ascontiguousarray(rows, self.dtype)
        self._file.write(values.reshape(-1).view(np.uint8).data)
        self.n_rows += len(values)

    def finish(self) -> None:
        self._file.seek(0)
        self._write_header()
        assert self._file.tell() == self._header_bytes
        self._file.close()

    def close(self) -> None:
        self._finalizer()

    def map(self) -> Any:
        return np.load(self.path, mmap_mode="r")


def _close(file: BufferedWriter) -> None:
    # What is left to write doesn't matter any more.
    with suppress(OSError):
        file.close()


class _Files:
    """What blocks are written to.

    Parameters
    ----------
    folder : Path
    first : Part
        Says what there is to write; it isn't written yet.
    """

    def __init__(self, folder: Path, first: Part) -> None:
        features = first.features
        self.n_features = int(features.shape[1])
        self.dtype = features.dtype
        self.is_sparse = issparse(features)
        self.is_weighted = first.weights is not None
        self.block_rows: list[int] = []
        self.arrays: dict[str, _ArrayFile] = {}

        def make(name: str, dtype: npt.DTypeLike, row_shape: tuple[int, ...] = ()) -> None:
            self.arrays[name] = _ArrayFile(folder / f"{name}.npy", dtype, row_shape)

        if self.is_sparse:
            make("data", self.dtype)
            make("indices", np.int32 if self.n_features <= np.iinfo(np.int32).max else np.int64)
            make("indptr", np.int64)
            self.arrays["indptr"].add(np.zeros(1, np.int64))
        else:
            make("X", self.dtype, (self.n_features,))
        if self.is_weighted:
            make("weights", np.float64)

    def add(self, part: Part) -> None:
        features = part.features
        if self.is_sparse:
            pointers = features.indptr
            elements = slice(pointers[0], pointers[-1])
            n_before = self.arrays["data"].n_rows
            self.arrays["data"].add(features.data[elements])
            self.arrays["indices"].add(features.indices[elements])
            self.arrays["indptr"].add(pointers[1:].astype(np.int64) - pointers[0] + n_before)
        else:
            self.arrays["X"].add(features)
        if part.weights is not None:
            self.arrays["weights"].add(part.weights)
        self.block_rows.append(len(part))

    def finish(self) -> None:
        for array in self.arrays.values():
            array.finish()

    def close(self) -> None:
        for array in self.arrays.values():
            array.close()


class CachedSource(Source):
    """The rows of cached blocks; pieces are these blocks.

    Parameters
    ----------
    files : _Files
    folder : TemporaryFolder
        Stays as long as the source does, unless it is removed.
    """

    has_labels = False
    has_random_access = True

    def __init__(self, files: _Files, folder: TemporaryFolder) -> None:
        self.n_features = self._n_columns = files.n_features
        self.dtype = None if files.is_sparse else files.dtype
        self.n_samples = sum(files.block_rows)
        self._block_rows = files.block_rows
        self._folder = folder
        self._arrays: dict[str, Any] | None = {
            name: array.map() for name, array in files.arrays.items()
        }

    def close(self) -> None:
        """Let go of the files."""
        self._arrays = None

    def pieces(self, request: Request) -> Iterator[Piece]:
        """See `Source`."""
        start = 0
        for n_rows in self._block_rows:
            ((features, weights),) = self.read(start, start + n_rows)
            yield Piece(features, None, weights, "the cache", start)
            start += n_rows

    def read(self, start: int, stop: int) -> list[tuple[Any, Any]]:
        """See `Source`."""
        arrays, rows = self._arrays, slice(start, stop)
        if arrays is None:
            raise ValueError(
                "the rows are closed, and what was cached of them is removed: open them again"
            )
        features = arrays["X"][rows] if "X" in arrays else self._sparse(arrays, rows)
        return [(features, arrays["weights"][rows] if "weights" in arrays else None)]

    def _sparse(self, arrays: dict[str, Any], rows: slice) -> csr_array:
        data, indices, pointers = (arrays[name] for name in ("data", "indices", "indptr"))
        return view_rows(data, indices, pointers, rows, self._n_columns)
