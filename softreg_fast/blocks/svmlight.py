"""Rows of svmlight (libsvm) files, which are parsed in blocks of some MiB."""

import bz2
import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from ..data.checks import check_integer
from .source import Piece, Request, Source
from .stamps import Stamp
from .tables import has_no_rows

_CHUNK_BYTES = 4 << 20
_LARGEST_INDEX = 2**31 - 2
# Up to here float64 tells integers apart.
_LARGEST_INTEGER = 2**53


@dataclass(frozen=True)
class _Layout:
    """What all files together say.

    Attributes
    ----------
    n_features : int
    is_zero_based : bool
        Whether the first feature has the index 0, not 1.
    are_whole : bool
        Whether all labels are integers.
    """

    n_features: int
    is_zero_based: bool
    are_whole: bool


def open_svmlight(
    paths: Sequence[Path], features: Any, first_index: int | None = None
) -> list["SvmlightSource"]:
    """The rows of svmlight files, whose labels are in them.

    All files are read once to find the number of features, whether indices begin at 0 or at 1, and
    whether labels are integers. As scikit-learn does, indices begin at 1 if none is 0.

    Parameters
    ----------
    paths : sequence of Path
        At least one.
    features : int or None
        Number of features, if the files needn't have the last ones.
    first_index : {0, 1}, default=None
        The index of the first feature, if the files needn't have it. None finds it out.

    Raises
    ------
    TypeError, ValueError
        A file can't be read, has no rows or too many features, or there are no features.
    """
    if features is not None:
        if isinstance(features, list | tuple | str):
            raise ValueError(
                f"features={features!r} is not allowed with {paths[0]}, whose columns have no "
                "names: it must be the number of features, or None"
            )
        features = check_integer(
            "features", features, minimum=1, maximum=_LARGEST_INDEX + 1, alternative="None"
        )
    stamps = [Stamp(path) for path in paths]
    scans = [_scan(path) for path in paths]
    lowest = min(scan.lowest for scan in scans)
    first = first_index
    if first is None:
        first = 0 if lowest == 0 else 1
    if lowest < first:
        raise ValueError(
            f"{paths[0]} has a feature of index {lowest}, but indices must begin at {first}: add "
            f"{first} to all of them"
        )
    highest = max(scan.highest for scan in scans)
    n_features = highest + 1 - first if features is None else features
    if n_features < 1:
        raise ValueError(f"{paths[0]} has no features: there must be one at least")
    for path, scan in zip(paths, scans, strict=True):
        if scan.highest + 1 - first > n_features:
            raise ValueError(
                f"{path} has a feature of index {scan.highest}, and indices begin at {first}: "
                f"features={features} is too few"
            )
    layout = _Layout(n_features, first == 0, all(scan.are_whole for scan in scans))
    return [
        SvmlightSource(path, stamp, layout, scan.n_rows)
        for path, stamp, scan in zip(paths, stamps, scans, strict=True)
    ]


class SvmlightSource(Source):
    """The rows of a svmlight file.

    Parameters
    ----------
    path : Path
    stamp : Stamp
        From before it was scanned.
    layout : _Layout
    n_rows : int

    Attributes
    ----------
    is_text : bool
    first_index : {0, 1}
        That of the first feature.
    """

    is_cheap = False
    is_text = True

    def __init__(self, path: Path, stamp: Stamp, layout: _Layout, n_rows: int) -> None:
        self._path = path
        self._stamp = stamp
        self._layout = layout
        self.n_features = layout.n_features
        self.first_index = 0 if layout.is_zero_based else 1
        self.n_samples = n_rows

    def pieces(self, request: Request) -> Iterator[Piece]:
        """See `Source`."""
        layout = self._layout
        self._stamp.check()
        row = 0
        for features, labels in _parsed(self._path, layout.n_features, layout.is_zero_based):
            kind = np.int64 if layout.are_whole else np.float64
            wanted = labels.astype(kind) if request.labels else None
            yield Piece(features, wanted, None, str(self._path), row)
            row += len(labels)
        self._stamp.check()


@dataclass(frozen=True)
class _Scan:
    n_rows: int
    lowest: int
    highest: int
    are_whole: bool


def _scan(path: Path) -> _Scan:
    n_rows, lowest, highest, are_whole = 0, _LARGEST_INDEX, 0, True
    for features, labels in _parsed(path, _LARGEST_INDEX + 1, is_zero_based=True):
        n_rows += len(labels)
        if features.nnz:
            lowest = min(lowest, int(features.indices.min()))
            highest = max(highest, int(features.indices.max()))
        is_whole = (labels == np.rint(labels)) & (np.abs(labels) <= _LARGEST_INTEGER)
        are_whole = are_whole and bool(is_whole.all())
    if not n_rows:
        raise has_no_rows(str(path))
    return _Scan(n_rows, lowest, highest, are_whole)


def _parsed(
    path: Path, n_features: int, is_zero_based: bool
) -> Iterator[tuple[Any, npt.NDArray[np.float64]]]:
    """Features and labels of the rows of each piece."""
    line = 1
    for chunk in _chunks(path):
        try:
            features, labels = _parse(chunk, n_features, is_zero_based)
        except (ValueError, OverflowError) as error:
            raise _wrong_line(path, chunk, line, n_features, is_zero_based, error) from error
        if len(labels):
            yield features, labels
        line += chunk.count(b"\n")


def _parse(text: bytes, n_features: int, is_zero_based: bool) -> tuple[Any, Any]:
    from sklearn.datasets import load_svmlight_file  # slow to import

    features, labels = load_svmlight_file(
        BytesIO(text), n_features=n_features, dtype=np.float64, zero_based=is_zero_based
    )
    # The narrowest, so that blocks are cut alike whatever they are read from.
    indices, pointers = (each.astype(np.int32) for each in (features.indices, features.indptr))
    return csr_array((features.data, indices, pointers), shape=features.shape), labels


def _wrong_line(
    path: Path, chunk: bytes, first: int, n_features: int, is_zero_based: bool, error: Exception
) -> ValueError:
    where = str(path)
    for number, text in enumerate(chunk.split(b"\n"), first):
        try:
            _parse(text, n_features, is_zero_based)
        except (ValueError, OverflowError) as found:
            where, error = f"line {number} of {path}", found
            break
    return ValueError(
        f"{where} can't be read: {error}; a line must be a label and pairs index:value, whose "
        "indices ascend"
    )


def _chunks(path: Path) -> Iterator[bytes]:
    """The text of a file in pieces of whole lines."""
    rest = b""
    try:
        with _open(path) as file:
            while read := file.read(_CHUNK_BYTES):
                end = read.rfind(b"\n") + 1
                if end:
                    yield rest + read[:end]
                    rest = read[end:]
                else:
                    rest += read
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _damaged(path, error) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(path, error) from error
    if rest:
        yield rest


def _open(path: Path) -> gzip.GzipFile | bz2.BZ2File | BufferedReader:
    compression = path.suffix.lower()
    if compression == ".gz":
        return gzip.open(path)
    return bz2.open(path) if compression == ".bz2" else path.open("rb")


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path} can't be read: {error}; if it is cut short or damaged, write it again"
    )
