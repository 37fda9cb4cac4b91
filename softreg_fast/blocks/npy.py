"""Rows of `.npy` files, which are memory-mapped."""

from pathlib import Path
from typing import Any

import numpy as np

from .memory import ArraySource


def open_npy(path: Path, target: Any, weight: Any) -> ArraySource:
    """The rows of a file of features, and files or arrays of labels and weights.

    Raises
    ------
    ValueError
        A file is damaged, or shapes disagree.
    """
    labels, weights = (_load_if_named(values) for values in (target, weight))
    return ArraySource(_load(path), labels, weights, str(path))


def _load_if_named(values: Any) -> Any:
    if values is None:
        return None
    return _load(Path(values)) if isinstance(values, str | Path) else np.asarray(values)


def _load(path: Path) -> Any:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"{path} can't be read as a .npy file, because it is cut short, damaged or holds "
            f"Python objects: {error}; write it again with numpy.save"
        ) from error
