"""Save a model, and load it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..data.checks import check_path
from . import archive
from .document import describe, read_model
from .errors import ModelFileError


def save(model: Any, path: Any, metadata: Mapping[str, Any] | None = None) -> None:
    """Save a model in a file that is safe to open.

    The file holds data alone; `load` runs no code of it. The documentation of the package
    softreg_fast.persistence describes the format. The file is written beside its place and then
    moved there, so that whatever interrupts leaves the file that was there. Equal models give equal
    files. Callbacks are not saved. A sparse `coef_` (see `sparsify`) is saved as a dense one.

    Parameters
    ----------
    model : SoftmaxClassifier, SoftmaxClassifierCV or SoftmaxRegressor
        Fitted or not. No subclass.
    path : path-like
        A file there is replaced.
    metadata : mapping, default=None
        Whatever else is to be kept, with strings as keys, and values that JSON has.

    Raises
    ------
    TypeError
        The model is of another class, or a parameter or attribute is not data, such as a function
        in `scoring`, or dates and intervals as categories; `metadata` is not JSON, or `path` is no
        path.
    ValueError
        The coefficients aren't finite.
    OSError
        The file can't be written.
    """
    target = _check_path(path)
    document, writer = describe(model, _check_metadata(metadata))
    archive.write(target, document, writer.arrays)


def load(path: Any) -> Any:
    """Load a model that `save` has saved.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    SoftmaxClassifier, SoftmaxClassifierCV or SoftmaxRegressor
        With the same parameters and attributes, and the same bits in its predictions.

    Raises
    ------
    ModelFileError
        The file is of another kind, damaged, or of a newer version. It is a ValueError.
    OSError
        The file can't be read.
    """
    return load_with_metadata(path)[0]


def load_with_metadata(path: Any) -> tuple[Any, dict[str, Any]]:
    """Load a model, and the metadata that `save` was given.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    model : SoftmaxClassifier, SoftmaxClassifierCV or SoftmaxRegressor
    metadata : dict
        Empty if there was none.

    Raises
    ------
    ModelFileError, OSError
        See `load`.
    """
    source = _check_path(path)
    with source.open("rb") as file:
        try:
            return read_model(archive.Archive(file))
        except ModelFileError as error:
            raise ModelFileError(f"{str(source)!r} is not a model file: {error}") from error
        except RecursionError as error:
            raise ModelFileError(f"{str(source)!r} is not a model file: too deep") from error


def _check_path(path: Any) -> Path:
    return check_path("path", os.fsdecode(path) if isinstance(path, bytes) else path)


def _check_metadata(metadata: Any) -> dict[str, Any]:
    if metadata is None:
        return {}
    try:
        given = dict(metadata)
        text = json.dumps(given, allow_nan=False)
        is_same = json.loads(text) == given
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"metadata can't be saved: it must be JSON; {error}") from error
    if not is_same:  # keys that are numbers, tuples
        raise TypeError(
            "metadata can't be saved: it must be JSON, with strings as keys, and lists in place of "
            "tuples"
        )
    return given
