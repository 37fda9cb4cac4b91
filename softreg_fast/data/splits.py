"""Folds of the rows, as scikit-learn's `cv` gives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from reprlib import repr as shortened
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import check_cv

from .blocked import BlockedProblem, RowShare
from .checks import check_integer
from .problem import Problem

_SEED_OF_FOLDS = 0


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
            f"rows of a fold must not be empty, and must be from 0 to {n_samples - 1}, got "
            f"{shortened(rows)}"
        )
    numbers: npt.NDArray[np.int64] = rows.astype(np.int64, copy=False)
    return numbers


def count_folds_of_blocks(cv: Any) -> int:
    """How many folds `cv` means for rows in blocks.

    Parameters
    ----------
    cv : int or None
        None means 5.

    Raises
    ------
    TypeError, ValueError
        It is not allowed.
    """
    if cv is not None and not isinstance(cv, Integral):
        raise TypeError(
            f"cv={shortened(cv)} is not allowed with rows in blocks: it must be an integer, the "
            "number of folds, or None"
        )
    return 5 if cv is None else check_integer("cv", cv, minimum=2, maximum=2**16)


@dataclass(frozen=True)
class BlockedFold:
    """The problems of the rows to learn from and of those held out."""

    training: BlockedProblem
    held_out: BlockedProblem


def choose_folds_of_blocks(n_folds: int, problem: BlockedProblem) -> list[BlockedFold]:
    """Folds of all rows, in each of which those are held out whose random number says so.

    Raises
    ------
    ValueError
        A fold has no rows.
    """
    held_out = [
        RowShare(_SEED_OF_FOLDS, number / n_folds, (number + 1) / n_folds, is_inside=True)
        for number in range(n_folds)
    ]
    folds = _split_by(problem, held_out)
    if not all(_have_rows(fold) for fold in folds):
        raise ValueError(
            f"cv={n_folds} is not allowed with {problem.n_samples} samples, because a fold would "
            "have none with a weight: it must be smaller"
        )
    return folds


def _split_by(problem: BlockedProblem, held_out: Sequence[RowShare]) -> list[BlockedFold]:
    others = [replace(share, is_inside=not share.is_inside) for share in held_out]
    parts = problem.with_shares([*others, *held_out])
    pairs = zip(parts[: len(others)], parts[len(others) :], strict=True)
    return [BlockedFold(*pair) for pair in pairs]


def _have_rows(fold: BlockedFold) -> bool:
    return bool(fold.training.class_counts.any() and fold.held_out.class_counts.any())


def split_blocks(problem: BlockedProblem, fraction: float, seed: int) -> BlockedFold:
    """The problem with about a fraction of its rows held out, and that of these.

    Which rows they are follows from their numbers and the seed; classes are not balanced.

    Raises
    ------
    ValueError
        One of the two has no rows.
    """
    (fold,) = _split_by(problem, [RowShare(seed, 0.0, fraction, is_inside=True)])
    if not _have_rows(fold):
        raise ValueError(
            f"validation_fraction={fraction!r} of {problem.n_samples} samples leaves none for "
            "training or for validation: use another one, more samples, or X_val"
        )
    return fold


def split(problem: Problem, fraction: float, source: Any) -> tuple[Problem, Problem]:
    """The problem with some rows held out, and that of these.

    Parameters
    ----------
    problem : Problem
    fraction : float
        Share of the rows of each class that have a weight, but never all of them; of small classes
        rows in turn.
    source : numpy.random.RandomState

    Returns
    -------
    training : Problem
        With the same features, without a copy: the held-out rows weigh nothing.
    held_out : Problem

    Raises
    ------
    ValueError
        No row is held out.
    """
    if isinstance(problem, BlockedProblem):
        fold = split_blocks(problem, fraction, int(source.randint(1 << 31)))
        return fold.training, fold.held_out
    n_samples = problem.n_samples
    weights = problem.weights()
    order = source.permutation(n_samples)
    order = order[weights[order] > 0.0]
    targets = problem.targets[order]
    chosen = []
    n_wanted = 0.0
    n_chosen = 0
    for target in range(problem.n_classes):
        rows = order[targets == target]
        n_wanted += fraction * len(rows)
        n_here = min(max(round(n_wanted) - n_chosen, 0), max(len(rows) - 1, 0))
        chosen.append(rows[:n_here])
        n_chosen += n_here
    held_out = np.sort(np.concatenate(chosen))
    if len(held_out) == 0:
        raise ValueError(
            f"validation_fraction={fraction!r} of {n_samples} samples leaves none for validation: "
            "use a larger one, more samples, or X_val"
        )
    remaining = weights.copy()
    remaining[held_out] = 0.0
    return replace(problem, sample_weight=remaining), replace(
        problem,
        features=problem.features[held_out],
        targets=problem.targets[held_out],
        sample_weight=weights[held_out],
    )
