"""Gradient descent over rows that come block by block."""

from dataclasses import dataclass

import numpy as np

from ..._typing import FloatArray, Model
from ...data.problem import Problem
from .iteration import Population, Snapshot
from .options import SgdSettings
from .scaling import Scaling, presence, scale_sparse, steady_variances, weighted_moments
from .solver import descent_of


@dataclass(frozen=True)
class Stream:
    """What is known of the rows seen so far, and what has been learnt of them.

    Attributes
    ----------
    n_samples : int
    total_weight : float
    means, variances : ndarrays of shape (n_features,), float64
        Of the features, by the rows' weights; without an intercept zeros and mean squares.
    presence : ndarray of shape (n_features,), float64, or None
        Of sparse features, the share of the rows that have an element of each.
    snapshot : Snapshot
    """

    n_samples: int
    total_weight: float
    means: FloatArray
    variances: FloatArray
    presence: FloatArray | None
    snapshot: Snapshot

    @property
    def model(self) -> Model:
        """Weights and bias."""
        return self.snapshot.model


def begin_stream(weights: FloatArray, bias: FloatArray) -> Stream:
    """A stream of which nothing is known, at a model of some shape."""
    zeros = np.zeros(len(weights))
    snapshot = Snapshot(np.stack([weights] * 3), np.stack([bias] * 3), 0, 0.0, 1.0)
    return Stream(0, 0.0, zeros, zeros, None, snapshot)


def advance(
    stream: Stream,
    problem: Problem,
    settings: SgdSettings,
    n_samples_total: int | None = None,
    n_threads: int | None = None,
) -> Stream:
    """The stream after a block of rows, over which gradient descent goes once.

    Parameters
    ----------
    stream : Stream
    problem : Problem
        Its penalty is that of all rows of the stream together.
    settings : SgdSettings
        Of one epoch; features are not rotated.
    n_samples_total : int or None, default=None
        Rows of the whole stream. None are those seen so far.
    n_threads : int or None, default=None

    Raises
    ------
    FloatingPointError
        See `Descent.run`.
    ValueError
        The block is sparse and those before weren't, or the reverse.
    """
    n_samples = stream.n_samples + problem.n_samples
    total_weight = stream.total_weight + problem.total_weight
    if stream.n_samples and problem.is_sparse != (stream.presence is not None):
        raise ValueError("X is sparse in some blocks and dense in others: all must be the same")
    means, variances = _merge_moments(stream, problem, n_threads, center=settings.fit_intercept)
    scales = settings.feature_scaling != "none"
    shares: FloatArray | None = None
    scaling = Scaling(np.zeros_like(means), np.ones_like(means))
    if problem.is_sparse:
        before = 0.0 if stream.presence is None else stream.presence
        shares = before + problem.n_samples / n_samples * (presence(problem) - before)
        scaling = scale_sparse(means, variances, shares, scale=scales)
    elif scales:
        scaling = Scaling(means, 1.0 / steady_variances(variances, means))
    mean_weight = total_weight / n_samples
    population = Population((n_samples_total or n_samples) * mean_weight, mean_weight)
    descent = descent_of(problem, settings, stream.snapshot, n_threads, population, scaling)
    descent.run()
    return Stream(n_samples, total_weight, means, variances, shares, descent.snapshot())


def _merge_moments(
    stream: Stream, problem: Problem, n_threads: int | None, *, center: bool
) -> tuple[FloatArray, FloatArray]:
    """Moments of both together (Chan, Golub and LeVeque, 1983)."""
    means, variances = weighted_moments(problem, n_threads, center=center)
    share = problem.total_weight / (stream.total_weight + problem.total_weight)
    apart = means - stream.means
    merged_means = stream.means + share * apart
    merged = (1.0 - share) * stream.variances + share * variances
    if center:
        merged += share * (1.0 - share) * apart**2
    return merged_means, merged
