"""Options of gradient descent: as users give them, and as they are for a problem."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...data.problem import Problem
from ...runtime import tuning

FeatureScaling = Literal["none", "standard", "whiten", "adapt"]
Schedule = Literal["auto", "constant", "invscaling"]
Method = Literal["plain", "averaged", "accelerated"]

_MOMENTUM = 0.95


@dataclass(frozen=True)
class SgdOptions:
    """Options as users give them; None stands for "auto".

    Attributes
    ----------
    schedule : {"auto", "constant", "invscaling"}
    learning_rate : float or None
    batch_size : int or None
    momentum : float or None
    averaging : bool
    feature_scaling : {"none", "standard", "whiten"} or None
    shuffle : bool
    n_iter_no_change : int
        Epochs without progress before the stop.
    seed : int
        Of the shuffled order.
    held_out : Problem or None
        Rows that are not trained on. The descent stops by their loss, and gives the model of the
        epoch in which it was lowest.
    """

    schedule: Schedule = "auto"
    learning_rate: float | None = None
    batch_size: int | None = None
    momentum: float | None = None
    averaging: bool = True
    feature_scaling: FeatureScaling | None = None
    shuffle: bool = True
    n_iter_no_change: int = 5
    seed: int = 0
    held_out: Problem | None = None


@dataclass(frozen=True)
class SgdSettings:
    """How to descend.

    Attributes
    ----------
    schedule : {"auto", "constant", "invscaling"}
        How the rate changes: "auto" follows a bound of the curvature down as the loss falls, and
        goes back where the objective rises; "invscaling" divides by the square root of the epoch.
    learning_rate : float or None
        For features scaled as `feature_scaling` says. None takes the inverse of the bound.
    batch_size : int
        At most the number of rows. The last batch of an epoch may be smaller.
    n_epochs : int
    patience : int
        Stop after as many epochs in which the objective has not fallen by `tolerance` relative to
        what it was before them; never if zero.
    tolerance : float
    method : {"plain", "averaged", "accelerated"}
        See `kernels.sgd_dense`; the last goes with a full batch.
    momentum : float
        In [0, 1); not used if accelerated.
    feature_scaling : {"none", "standard", "whiten", "adapt"}
        Centred (if there is an intercept) and scaled, implicitly; or rotated to their principal
        axes first, which makes a copy of them and goes with no L1 penalty; "adapt" does the latter
        where they have much in common.
    fit_intercept : bool
        The bias stays as it is at the start otherwise.
    shuffle_seed : int or None
        From 0 to 2**64 - 1: take the rows in another order in each epoch, the one that
        `reference.shuffled_rows` gives with the windows of `runtime.workspace.choose_windows`. None
        takes them as they lie.
    """

    schedule: Schedule
    learning_rate: float | None
    batch_size: int
    n_epochs: int
    patience: int
    tolerance: float
    method: Method
    momentum: float
    feature_scaling: FeatureScaling
    fit_intercept: bool = True
    shuffle_seed: int | None = None


def settle(
    options: SgdOptions, problem: Problem, *, n_epochs: int, tolerance: float, fit_intercept: bool
) -> SgdSettings:
    """Settings for rows that are all there.

    Raises
    ------
    ValueError
        Sparse features can't be rotated.
    """
    n_samples, n_features = problem.features.shape
    is_sparse = problem.is_sparse
    batch_size = options.batch_size
    if batch_size is None:
        batch_size = choose_batch_size(n_samples, is_sparse=is_sparse)
    batch_size = min(batch_size, n_samples)
    is_full = batch_size == n_samples
    momentum, method = _method(options, _MOMENTUM)
    feature_scaling = options.feature_scaling
    if feature_scaling is None:
        may_rotate = n_features <= tuning.MOST_FEATURES_ROTATED and problem.l1_penalty == 0.0
        feature_scaling = "standard"
        if may_rotate and not is_sparse and is_full:
            feature_scaling = "whiten"
        elif may_rotate and not is_sparse and options.schedule == "auto":
            feature_scaling = "adapt"
    elif feature_scaling == "whiten" and is_sparse:
        raise ValueError(
            "feature_scaling='whiten' is not allowed with sparse X: it must be 'auto', "
            "'standard' or 'none'"
        )
    if is_full and options.momentum is None and options.averaging and options.schedule == "auto":
        method = "accelerated"
    return SgdSettings(
        schedule=options.schedule,
        learning_rate=options.learning_rate,
        batch_size=batch_size,
        n_epochs=n_epochs,
        patience=options.n_iter_no_change if options.held_out is None else 0,
        tolerance=tolerance,
        method=method,
        momentum=momentum,
        feature_scaling=feature_scaling,
        fit_intercept=fit_intercept,
        shuffle_seed=options.seed if options.shuffle and not is_full else None,
    )


def settle_block(options: SgdOptions, problem: Problem, *, fit_intercept: bool) -> SgdSettings:
    """Settings for a block of a stream, in the order of its rows.

    Raises
    ------
    ValueError
        Features of a stream can't be rotated.
    """
    # Each row is met once: less lag is worth more than less noise.
    momentum, method = _method(options, 0.0)
    feature_scaling = options.feature_scaling or "standard"
    if feature_scaling == "whiten":
        raise ValueError(
            "feature_scaling='whiten' is not allowed with partial_fit: it must be 'auto', "
            "'standard' or 'none'"
        )
    n_samples = problem.n_samples
    batch_size = choose_batch_size(n_samples, is_sparse=problem.is_sparse, full=False)
    return SgdSettings(
        schedule=options.schedule,
        learning_rate=options.learning_rate,
        batch_size=min(options.batch_size or batch_size, n_samples),
        n_epochs=1,
        patience=0,
        tolerance=0.0,
        method=method,
        momentum=momentum,
        feature_scaling=feature_scaling,
        fit_intercept=fit_intercept,
    )


def _method(options: SgdOptions, momentum: float) -> tuple[float, Method]:
    """Momentum, this one if users leave it to be chosen, and method."""
    if options.averaging:
        return (momentum if options.momentum is None else options.momentum), "averaged"
    return options.momentum or 0.0, "plain"


def choose_batch_size(n_samples: int, *, is_sparse: bool, full: bool = True) -> int:
    """Rows in a batch: all of few, if that is wanted; else a power of two."""
    if full and n_samples <= tuning.MOST_ROWS_OF_A_FULL_BATCH:
        return n_samples
    power = round(np.log2(max(n_samples / tuning.BATCHES_PER_EPOCH, 1.0)))
    largest = tuning.LARGEST_SPARSE_BATCH if is_sparse else tuning.LARGEST_BATCH
    return int(np.clip(2**power, tuning.SMALLEST_BATCH, largest))
