"""Which penalty cross-validation chooses."""

import numpy as np

from .._typing import FloatArray

BEST, ONE_STANDARD_ERROR = SELECTIONS = ("best", "one_standard_error")


def check_selection_of_folds(selection: str, n_folds: int) -> None:
    """Raise ValueError if there are too few folds to choose by a standard error."""
    if selection == ONE_STANDARD_ERROR and n_folds < 2:
        raise ValueError(
            f"selection={selection!r} requires at least 2 folds of cv, got {n_folds}: a single "
            "score has no standard error"
        )


def choose_by_scores(scores: FloatArray, Cs: FloatArray, selection: str) -> tuple[int, int]:
    """The numbers of the `l1_ratio` and of the `C` that are chosen.

    Parameters
    ----------
    scores : ndarray of shape (n_folds, n_l1_ratios, n_cs)
        NaN counts as the lowest one.
    Cs : ndarray of shape (n_cs,)
    selection : {"best", "one_standard_error"}
        The second takes the strongest penalty, of the `l1_ratio` that has the best mean score,
        whose mean score is at most one standard error of the best one below that (Breiman,
        Friedman, Olshen and Stone, Classification and regression trees, 1984; Hastie, Tibshirani
        and Friedman, The elements of statistical learning, 2009, 7.10).
    """
    means = np.nan_to_num(scores.mean(axis=0), nan=-np.inf)
    # Of equals the first by C.
    place, ratio = (int(each) for each in np.unravel_index(means.T.argmax(), means.T.shape))
    if selection == BEST:
        return ratio, place
    of_best = scores[:, ratio, place]
    with np.errstate(invalid="ignore"):  # looked at
        error = of_best.std(ddof=1) / np.sqrt(len(of_best))
    if not np.isfinite(error):
        return ratio, place
    (near,) = np.nonzero(means[ratio] >= means[ratio, place] - error)
    return ratio, int(near[Cs[near].argmin()])
