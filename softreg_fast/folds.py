"""Folds of the rows, as scikit-learn's `cv` gives them."""

from collections.abc import Mapping
from dataclasses import dataclass
from reprlib import repr as shortened
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import check_cv


@dataclass(frozen=True)
class Fold:
    """Numbers of the rows to learn from and of those held out."""

    training: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.int64]


def choose_folds(
    cv: Any, features: Any, labels: npt.NDArray[Any], metadata: Mapping[str, Any]
) -> list[Fold]:
    """Folds of all rows.

    Parameters
    ----------
    cv : int, cross-validation generator, iterable or None
    features : array-like or sparse matrix of shape (n_samples, n_features)
    labels : ndarray of shape (n_samples,)
    metadata : mapping
        What else `cv` is given, such as `groups`.

    Raises
    ------
    TypeError, ValueError
        `cv` or `groups` is not allowed; the message names it.
    """
    n_samples = len(labels)
    groups = metadata.get("groups")
    if groups is not None and np.shape(groups)[:1] != (n_samples,):
        raise ValueError(
            f"groups has shape {np.shape(groups)}: it must be ({n_samples},), one for each row"
        )
    try:
        pairs = list(check_cv(cv, labels, classifier=True).split(features, labels, **metadata))
        if not pairs:
            raise ValueError("there are no folds")
        return [
            Fold(_rows_of(training, n_samples), _rows_of(held_out, n_samples))
            for training, held_out in pairs
        ]
    except (TypeError, ValueError) as error:
        raise type(error)(f"cv={shortened(cv)} is not allowed: {error}") from error


def _rows_of(rows: Any, n_samples: int) -> npt.NDArray[np.int64]:
    """Of rows that are given by their numbers, or by whether they are among them."""
    rows = np.asarray(rows)
    if rows.dtype == bool and rows.shape == (n_samples,):
        rows = np.flatnonzero(rows)
    if rows.dtype.kind not in "iu" or rows.ndim != 1:
        raise TypeError(
            f"rows of a fold have dtype {rows.dtype} and shape {rows.shape}: they must be numbers "
            f"of rows, or a mask of shape ({n_samples},)"
        )
    if len(rows) == 0 or rows.min() < 0 or rows.max() >= n_samples:
        raise ValueError(
            f"rows of a fold must be some, and from 0 to {n_samples - 1}: {shortened(rows)}"
        )
    numbers: npt.NDArray[np.int64] = rows.astype(np.int64, copy=False)
    return numbers
