"""From paths of files to their rows."""

from collections.abc import Iterable, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import Any

import numpy as np

from .arrow import open_ipc, open_parquet
from .csv_text import open_csv
from .npy import open_npy
from .source import Source
from .svmlight import open_svmlight

_NPY, _PARQUET, _IPC, _CSV, _SVMLIGHT = "NumPy", "Parquet", "Arrow IPC", "CSV", "svmlight"
_KINDS = {
    ".npy": _NPY,
    ".parquet": _PARQUET,
    ".pq": _PARQUET,
    ".arrow": _IPC,
    ".arrows": _IPC,
    ".feather": _IPC,
    ".ipc": _IPC,
    ".csv": _CSV,
    ".tsv": _CSV,
    ".svmlight": _SVMLIGHT,
    ".libsvm": _SVMLIGHT,
    ".svm": _SVMLIGHT,
}
_COMPRESSIONS = {_CSV: (".gz", ".bz2", ".zst", ".lz4", ".br"), _SVMLIGHT: (".gz", ".bz2")}


def paths_of(data: str | Path) -> list[Path]:
    """Files of a path, which may be a pattern or a folder, by name.

    Raises
    ------
    FileNotFoundError
        There is none.
    """
    if not str(data):
        raise FileNotFoundError("data is an empty string: it must be the path of a file or folder")
    path = Path(data)
    if path.is_dir():
        paths = sorted(each for each in path.rglob("*") if each.is_file() and _is_shown(each, path))
        if not paths:
            raise FileNotFoundError(f"there is no file in the folder {str(path)!r}")
        return paths
    if path.exists():
        return [path]
    if "://" in str(data):
        raise FileNotFoundError(
            f"{str(data)!r} is no file on this computer: give a pyarrow.dataset.Dataset to read "
            "what is elsewhere"
        )
    if not has_magic(str(data)):
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    # Path.glob takes no pattern that is absolute.
    found = [Path(each) for each in sorted(glob(str(data), recursive=True))]  # noqa: PTH207
    if not found:
        raise FileNotFoundError(f"no file matches {str(data)!r}")
    return [each for each in found if each.is_file()] or paths_of_all(found)


def paths_of_all(data: Iterable[str | Path]) -> list[Path]:
    """Files of paths, one path after the other; see `paths_of`."""
    return [path for each in data for path in paths_of(each)]


def _is_shown(path: Path, folder: Path) -> bool:
    """Whether no part of the path below a folder begins as hidden files and those of tools do."""
    return not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)


def open_files(
    paths: Sequence[Path], target: Any, weight: Any, features: Any, classes: Any
) -> Sequence[Source]:
    """The rows of each file.

    Parameters
    ----------
    paths : sequence of Path
        At least one.
    target, weight, features, classes
        See `open_blocks`.

    Raises
    ------
    TypeError, ValueError
        The files are of different kinds or of none that is known, or can't be opened.
    """
    kind = _kind_of(paths[0])
    for path in paths[1:]:
        if _kind_of(path) != kind:
            raise ValueError(
                f"{path} is a file of {_kind_of(path)}, but {paths[0]} is one of {kind}: all files "
                "must be of one kind; give a pattern, such as 'flights/*.parquet'"
            )
    if kind == _PARQUET:
        return open_parquet(paths, target, weight, features)
    if kind == _IPC:
        return open_ipc(paths, target, weight, features)
    if kind == _CSV:
        return open_csv(paths, target, weight, features, classes)
    if kind == _SVMLIGHT:
        for name, value in (("target", target), ("weight", weight)):
            if value is not None:
                raise ValueError(
                    f"{name} is not allowed with {paths[0]}: labels are in the file, and there are "
                    "no weights"
                )
        return open_svmlight(paths, features)
    if features is not None:
        raise ValueError(
            f"features={features!r} is not allowed with {paths[0]}, whose columns have no names"
        )
    values = (_one_for_each(*each, paths) for each in (("target", target), ("weight", weight)))
    return [open_npy(*each) for each in zip(paths, *values, strict=True)]


def _kind_of(path: Path) -> str:
    """What a file is, by its name.

    Raises
    ------
    ValueError
        The name doesn't say it.
    """
    *before, last = ["", *(suffix.lower() for suffix in path.suffixes)]
    kind = _KINDS.get(last)
    if kind is not None:
        return kind
    kind = _KINDS.get(before[-1]) if before else None
    if kind is not None and last in _COMPRESSIONS.get(kind, ()):
        return kind
    known = ", ".join(_KINDS)
    compressed = " or ".join(
        f"{', '.join(suffixes)} after that of {name}" for name, suffixes in _COMPRESSIONS.items()
    )
    raise ValueError(
        f"{path} is of no kind that is known: its name must end in one of {known}; or in one of "
        f"{compressed}"
    )


def _one_for_each(name: str, values: Any, paths: Sequence[Path]) -> list[Any]:
    """Labels or weights beside each `.npy` file of features."""
    if values is None:
        return [None] * len(paths)
    if isinstance(values, str | Path):
        values = paths_of(values)
    elif len(paths) == 1 and not _are_parts(values):
        values = [values]
    if len(values) != len(paths):
        raise ValueError(
            f"{name} has {len(values)} parts beside {len(paths)} files of features: it must have "
            "one for each"
        )
    return list(values)


def _are_parts(values: Any) -> bool:
    """Whether labels or weights of one file are given as a list of one path or array."""
    return (
        isinstance(values, list | tuple)
        and len(values) == 1
        and isinstance(values[0], str | Path | np.ndarray)
    )
