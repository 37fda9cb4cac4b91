"""Whether the features of one model are linear combinations of those of another."""

import numpy as np

from ..data.problem import Problem
from ..data.row_blocks import row_blocks
from ..objective.coordinates import choose_coordinates
from ..objective.feature_sums import sum_features
from .second_derivatives import NUMBERS_PER_BLOCK, decompose, scaled_features

# Of a feature's variance, what may be left of it by rounding.
_LARGEST_REST = 1e-8


def find_feature_outside(
    problem: Problem, nested: Problem, *, fit_intercept: bool, n_threads: int | None = None
) -> int | None:
    """The first feature of `nested` that is no linear combination of those of `problem`.

    Parameters
    ----------
    problem, nested : Problem
        Of the same rows, in memory.
    fit_intercept : bool
        Whether a constant may be added to the combinations.
    n_threads : int or None, default=None

    Returns
    -------
    int or None
        None if there is none.
    """
    own, others = (
        choose_coordinates(each, sum_features(each, n_threads), fit_intercept=fit_intercept)
        for each in (problem, nested)
    )
    size = own.n_unknowns + others.n_unknowns
    products = np.zeros((size, size))
    # Both are cut alike.
    parts = (row_blocks(each, 2 * size, NUMBERS_PER_BLOCK) for each in (problem, nested))
    for rows, nested_rows in zip(*parts, strict=True):
        design = np.hstack([scaled_features(rows, own)[1], scaled_features(nested_rows, others)[1]])
        products += (design * rows.weights[:, None]).T @ design
    n_own = own.n_unknowns
    root = decompose(products[:n_own, :n_own]).root
    explained = np.sum((root.T @ products[:n_own, n_own:]) ** 2, axis=0)
    totals = products.diagonal()[n_own:]
    (outside,) = np.nonzero(totals - explained > _LARGEST_REST * totals)
    return int(outside[0]) if len(outside) else None
