"""svmlight files, whose indices mean the same in all files that a model reads."""

from pathlib import Path

from ...blocks.rows import RowBlocks
from ...blocks.svmlight import open_svmlight


def open_svmlight_file(
    path: Path, n_features: int | None = None, first_index: int | None = None
) -> tuple[RowBlocks, int]:
    """The rows of a file, and the index of its first feature.

    Parameters
    ----------
    path : Path
    n_features : int, default=None
        None is what the file has.
    first_index : {0, 1}, default=None
        Of the file that a model has learned from; rows to predict needn't have the first feature.
        None is 0 if the file has that index, and 1 otherwise.

    Raises
    ------
    OSError, ValueError
        The file can't be read, or has other features.
    """
    (source,) = open_svmlight([path], n_features, first_index)
    return RowBlocks(source, block_rows=None, classes=None, cache=None), source.first_index
