"""From what users have to rows that are read in blocks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse

from ..data.checks import check_integer
from ..data.labels import check_classes
from .cache import CacheWriter
from .datasets import is_dataset, open_dataset
from .files import open_files, paths_of, paths_of_all
from .memory import ArraySource, IterableSource, JoinedSources
from .rows import RowBlocks
from .source import Source


def open_blocks(
    data: Any,
    target: Any = None,
    *,
    features: Sequence[str] | int | None = None,
    weight: Any = None,
    classes: Any = None,
    block_rows: int | str = "auto",
    cache: Any = None,
) -> RowBlocks:
    """Open rows that are read in blocks, in place of X and y.

    Parameters
    ----------
    data : path, list of paths, array, pyarrow.dataset.Dataset, iterable or callable
        Where the rows are:

        - the path of a file, a folder, or a pattern such as ``"flights/*.parquet"``, or a list of
          these. All files must be of one kind, which their suffix says:

          - Parquet: `.parquet`, `.pq`;
          - Arrow IPC, files and streams, and Feather: `.arrow`, `.arrows`, `.feather`, `.ipc`;
          - CSV with a line of names: `.csv`, `.tsv`, also compressed: `.csv.gz`, `.csv.bz2`,
            `.csv.zst`, `.csv.lz4` or `.csv.br`. Columns are separated by tabs in `.tsv`, elsewhere
            by what the line of names has most of: commas, semicolons, tabs or vertical bars;
          - svmlight, also called libsvm: `.svmlight`, `.libsvm`, `.svm`, also with `.gz` or `.bz2`.
            The rows are sparse;
          - NumPy: `.npy` files of features, which are memory-mapped;

        - a `pyarrow.dataset.Dataset`, whose columns may also come from the names of folders;
        - an array or a sparse matrix of shape (n_samples, n_features);
        - a callable that returns a new iterator at each call, or an object that can be iterated
          over again and again, such as a list. It gives blocks (X, y), (X, y, weight), or X alone
          if there is nothing to fit. It may have attributes `n_features`, `n_samples` and
          `feature_names`.

        Parquet, Arrow, CSV and datasets need pyarrow: ``pip install "softreg-fast[arrow]"``.
    target : str, path, array-like or None, default=None
        Labels. With Parquet, Arrow, CSV and datasets, the name of their column: strings,
        categories, integers or booleans. With a `.npy` file, a path of another or an array; a list
        of these with a list of files. With an array, another one. None if svmlight files or blocks
        hold labels, or if there are none, as for predictions.
    features : list of str or int, default=None
        Names of the columns that are features, in the order of the model's. None means all but
        `target`, `weight`, and what pandas has written to Parquet or Arrow files as the index.
        Columns must hold numbers or booleans. With svmlight files, the number of features, such as
        that of the model that predicts them: files needn't have the last ones. None means the
        largest that is there.
    weight : str, path, array-like or None, default=None
        Sample weights, given as `target` is.
    classes : array-like, default=None
        All labels there may be. None means those that the first pass over the rows finds. Labels
        of CSV files are read as what `classes` are, or else as what the first rows seem to be:
        integers, floats, booleans or strings.
    block_rows : int or "auto", default="auto"
        Rows of a block but the last, wherever files and pieces of them end. The same value gives
        the same results to the last bit, whatever the rows are read from. "auto" takes a power of
        two such that the features of a block take 16 to 32 MiB; of sparse features as many rows as
        take 32 MiB.
    cache : path, bool or None, default=None
        Whether the first pass writes the rows to files, which later passes read: this takes as
        much room on the disk as the features do in memory. None means only what has to be parsed
        is written, CSV and svmlight files, to a temporary folder. True means all that isn't read
        as fast already, which are arrays and `.npy` files. A path is the same, in that folder. The
        files are removed when the rows are closed. False means that every pass reads the source.

    Returns
    -------
    RowBlocks

    Raises
    ------
    TypeError, ValueError
        An argument is not allowed, or a file can't be read.
    FileNotFoundError, NotADirectoryError
        There is no such file, or `cache` is no folder.
    ImportError
        pyarrow is needed and isn't installed.

    Notes
    -----
    Features are float32 if all columns are float32 or float16, and float64 otherwise; those of CSV
    and svmlight files are float64. Columns are found by their names, so their order may differ
    between files. Opening svmlight files reads them once, to find the number of features.

    Files must stay as they are while the rows are in use. Rows of files count from 0, and lines of
    svmlight files from 1. Indices of svmlight files begin at 1, unless one of the files that are
    opened together has the index 0. Files and blocks without rows, missing values, infinities and
    negative weights are refused. A folder for `cache` is made if there is none.

    At most three blocks are in memory at a time: a thread reads up to two ahead. Of tables, two
    more may be decoded, but not yet put together from their columns. Of all rows only the classes
    are kept, one byte for each row if there are at most 256 classes.
    """
    if block_rows != "auto":
        block_rows = check_integer(
            "block_rows", block_rows, minimum=1, maximum=2**31 - 1, alternative="'auto'"
        )
    rows = None if isinstance(block_rows, str) else block_rows
    if classes is not None:
        try:
            classes = check_classes(classes)
        except (TypeError, ValueError) as error:
            raise type(error)(f"classes={classes!r} is not allowed: {error}") from error
    sources = _sources_of(data, target, weight, features, classes)
    return RowBlocks(
        sources[0] if len(sources) == 1 else JoinedSources(sources),
        block_rows=rows,
        classes=classes,
        cache=_cache_of(sources, cache),
    )


def _sources_of(
    data: Any, target: Any, weight: Any, features: Any, classes: Any
) -> Sequence[Source]:
    """Rows that follow each other."""
    if isinstance(data, list | tuple) and not data:
        raise ValueError("data is an empty list: it must have a file or a block at least")
    paths = _paths_in(data)
    if paths:
        return open_files(paths, target, weight, features, classes)
    if is_dataset(data):
        return open_dataset(data, target, weight, features)
    _refuse_tables(data)
    if features is not None:
        raise ValueError(
            f"features={features!r} is not allowed with a {type(data).__name__}, whose columns "
            "have no names that are read"
        )
    if isinstance(data, np.ndarray) or issparse(data):
        labels = None if target is None else np.asarray(target)
        weights = None if weight is None else np.asarray(weight)
        return [ArraySource(data, labels, weights, "X")]
    return [_open_iterable(data, target, weight)]


def _paths_in(data: Any) -> list[Path]:
    """Files, if these are paths; else none."""
    if isinstance(data, str | Path):
        return paths_of(data)
    if isinstance(data, Sequence) and data and all(isinstance(each, str | Path) for each in data):
        return paths_of_all(data)
    return []


def _refuse_tables(data: Any) -> None:
    """Raise TypeError for tables in memory."""
    module = type(data).__module__.partition(".")[0]
    remedies = {
        "pandas": "give X as an array, such as data[features].to_numpy(), or write a Parquet file",
        "polars": "give X as an array, such as data[features].to_numpy(), or write a Parquet file",
        "pyarrow": "give a pyarrow.dataset.Dataset; pyarrow.dataset.dataset(table) makes one",
        "dask": "give X and y to softreg_fast.dask.DaskSoftmaxClassifier",
    }
    if module in remedies and not isinstance(data, Iterator):
        raise TypeError(f"data is a {module} {type(data).__name__}: {remedies[module]}")


def _cache_of(sources: Sequence[Source], cache: Any) -> CacheWriter | None:
    """What the first pass writes rows to that take long to read, if it is wanted."""
    if not (cache is None or isinstance(cache, bool | str | Path)):
        raise TypeError(
            f"cache={cache!r} is not allowed: it must be the path of a folder, True, False or None"
        )
    folder = None
    if isinstance(cache, str | Path):
        folder = Path(cache)
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(f"cache={str(folder)!r} is no folder, which it must be")
    is_wanted = bool(cache) or isinstance(cache, str | Path)
    if cache is None:
        is_wanted = any(source.is_text for source in sources)
    if not is_wanted or all(source.is_cheap for source in sources):
        return None
    return CacheWriter(folder)


def _open_iterable(data: Any, target: Any, weight: Any) -> Source:
    for name, value in (("target", target), ("weight", weight)):
        if value is not None:
            raise ValueError(
                f"{name} is not allowed beside blocks, which are (X, y) or (X, y, weight)"
            )
    if isinstance(data, Iterator):
        raise TypeError(
            f"data is a {type(data).__name__}, which can be read only once: give a callable that "
            "begins anew, such as open_blocks(lambda: make_blocks())"
        )
    if not (callable(data) or isinstance(data, Iterable)) or isinstance(data, Mapping):
        raise TypeError(
            f"data is a {type(data).__name__}: it must be a path, a list of paths, an array, an "
            "iterable of blocks, or a callable that returns a new iterator of blocks"
        )
    begin: Callable[[], Iterable[Any]] = data if callable(data) else lambda: data
    return IterableSource(
        _fresh(begin),
        n_features=getattr(data, "n_features", None),
        n_samples=getattr(data, "n_samples", None),
        feature_names=getattr(data, "feature_names", None),
        is_cheap=isinstance(data, Sequence),
    )


def _fresh(begin: Callable[[], Iterable[Any]]) -> Callable[[], Iterable[Any]]:
    """The callable, if it gives another iterator each time."""
    last: list[Any] = [None]

    def fresh() -> Iterable[Any]:
        blocks = begin()
        if isinstance(blocks, Iterator) and blocks is last[0]:
            raise TypeError(
                "data returned the same iterator as at the call before, which can be read only "
                "once: it must return a new one at each call"
            )
        last[0] = blocks
        return blocks

    return fresh
