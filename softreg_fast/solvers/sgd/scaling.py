"""How features are spread, so that solvers can work in variables of equal curvature."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh
from scipy.sparse import csr_array

from ..._typing import FloatArray
from ...data.blocked import Block, BlockedProblem
from ...data.problem import Problem
from ...data.row_blocks import row_blocks
from ...data.tree_sums import Sums
from ...objective.feature_sums import sum_features
from ...objective.loss import loss_of
from ...objective.moments import sum_sparse_squares
from ...runtime import tuning
from ...runtime.blas import inner_product, one_blas_thread

_NUMBERS_PER_BLOCK = 1 << 20
# Of rows from which the largest eigenvalue of their second moments is estimated.
_SAMPLED_ROWS = 2048
_POWER_STEPS = 30
# Of the variances of features that are rotated together.
_NARROWEST_SPREAD = 1e-13
_EPSILON = float(np.finfo(np.float64).eps)
# Of single sparse rows, which share few features, so that theirs aren't at their largest together:
# where all classes are equally probable it is the inverse of their number. Measured.
_LEAST_CURVATURE_OF_SPARSE = 0.1
# Of a sparse feature's mean square, what the mean's square must have: as large a share of the rows
# have an element of it at least, so that batches have about all such features.
_MEAN_WORTH_CENTRING = 0.25


def weighted_moments(
    problem: Problem, n_threads: int | None = None, *, center: bool
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of each feature, over the rows by their weights.

    Parameters
    ----------
    problem : Problem
    n_threads : int or None, default=None
    center : bool
        Otherwise the means are given as zero and the variances are mean squares.

    Returns
    -------
    means, variances : ndarrays of shape (n_features,), float64
        The variance of a feature that is constant but for rounding is zero. Not finite where
        squares overflow.
    """
    with np.errstate(all="ignore"):
        if problem.is_sparse and not isinstance(problem, BlockedProblem):
            return _sparse_moments(problem, center=center)
        sums = sum_features(problem, n_threads)
        if center:
            return sums.means, sums.variances
        return np.zeros(len(sums.means)), sums.variances + sums.means**2


def _sparse_moments(problem: Problem, *, center: bool) -> tuple[FloatArray, FloatArray]:
    features, total = problem.features, problem.total_weight
    if not center:
        return np.zeros(features.shape[1]), sum_sparse_squares(problem) / total
    means = features.T @ problem.weights() / total
    # About the mean, so that a mean far from zero costs no digits.
    variances = sum_sparse_squares(problem, means) / total
    rounding = problem.n_samples * _EPSILON * means
    variances[variances <= rounding**2] = 0.0
    return means, variances


@dataclass(frozen=True)
class Scaling:
    """How steps are made equal for features: implicitly, by what they are multiplied by.

    Attributes
    ----------
    means : ndarray of shape (n_features,), float64
        What features are centred by; zeros for not at all.
    factors : ndarray of shape (n_features,), float64
        Of the rates: the inverse of the features' variances, or ones.
    presence : ndarray of shape (n_features,), float64, or None
        Of sparse features, the share of the rows that have an element of each, as far as batches
        are concerned: ones for a full batch.
    """

    means: FloatArray
    factors: FloatArray
    presence: FloatArray | None = None


def choose_scaling(
    problem: Problem, n_threads: int | None = None, *, center: bool, scale: bool
) -> Scaling:
    """A scaling by the features' weighted moments.

    Raises
    ------
    ValueError
        A square of a feature overflows.
    """
    n_features = problem.features.shape[1]
    if not scale:
        return Scaling(np.zeros(n_features), np.ones(n_features))
    means, variances = weighted_moments(problem, n_threads, center=center)
    return Scaling(means, 1.0 / steady_variances(variances, means))


def choose_sparse_scaling(
    problem: Problem, *, batch_size: int, scale: bool, center: bool
) -> Scaling:
    """A scaling of sparse features, of which those are centred that have few zeros.

    With a full batch by their variances, or, if they aren't centred, mean squares. In smaller ones
    a feature that most rows lack moves by its few elements at once: the factor is the inverse of
    the mean square of these, divided by the root of their share of the rows.
    """
    n_features = problem.features.shape[1]
    shares = np.ones(n_features)
    if batch_size < problem.n_samples:
        shares = presence(problem)
    means, variances = np.zeros(n_features), np.ones(n_features)
    if scale:
        means, variances = weighted_moments(problem, center=center)
    return scale_sparse(means, variances, shares, scale=scale)


def scale_sparse(
    means: FloatArray, variances: FloatArray, shares: FloatArray, *, scale: bool
) -> Scaling:
    """See `choose_sparse_scaling`."""
    zeros = np.zeros_like(means)
    if not scale:
        return Scaling(zeros, np.ones_like(zeros), shares)
    with np.errstate(over="ignore"):
        squares = means**2
        is_centred = squares > _MEAN_WORTH_CENTRING * (squares + variances)
    means = np.where(is_centred, means, 0.0)
    spread = np.where(is_centred, variances, variances + squares)
    roots = np.sqrt(np.where(shares > 0.0, shares, 1.0))
    return Scaling(means, roots / steady_variances(spread, means), shares)


def presence(problem: Problem) -> FloatArray:
    """The share of the rows that have an element of each feature, float64."""
    if isinstance(problem, BlockedProblem):
        (counts,) = problem.rows.reduce(_CountElements())
    else:
        counts = _count_elements(problem.features)
    shares: FloatArray = counts / problem.n_samples
    return shares


@dataclass(frozen=True)
class _CountElements:
    """Of a block."""

    def __call__(self, block: Block, n_threads: int | None) -> Sums:
        return (_count_elements(block.features),)


def _count_elements(features: Any) -> npt.NDArray[np.int64]:
    """How many rows have an element of each feature."""
    return np.bincount(features.indices, minlength=features.shape[1])


def steady_variances(variances: FloatArray, means: FloatArray) -> FloatArray:
    """Variances, and of constant features something else to divide by."""
    with np.errstate(over="ignore"):
        variances = np.where(variances > 0.0, variances, means**2)
    variances[variances < np.finfo(np.float64).tiny] = 1.0
    if not np.isfinite(variances).all():
        raise ValueError("the square of a feature overflows float64: scale the features")
    return variances


def can_rotate(scaling: Scaling) -> bool:
    """Whether float64 has room for the variances of all features beside each other."""
    with np.errstate(all="ignore"):
        return bool(scaling.factors.min() > _NARROWEST_SPREAD * scaling.factors.max())


def has_much_in_common(problem: Problem, scaling: Scaling) -> bool:
    """Whether one direction has so much of dense features' variance that steps are short in others.

    Judged by the largest eigenvalue of their correlations in a part of many rows; not above a size
    at which a copy of the features would be in the way.
    """
    if problem.features.size > tuning.MOST_NUMBERS_COPIED:
        return False
    rows, weights = _sample_rows(problem)
    with np.errstate(all="ignore"):
        scaled = (rows - scaling.means) * np.sqrt(scaling.factors)
        largest = _largest_eigenvalue(_DenseRows(scaled), weights)
    return bool(np.isfinite(largest) and largest > tuning.MUCH_IN_COMMON)


def _sample_rows(problem: Problem) -> tuple[Any, FloatArray]:
    """A part of many rows in float64, and their weights as shares."""
    every = -(-problem.n_samples // _SAMPLED_ROWS)
    rows = problem.features[::every].astype(np.float64)
    weights = problem.weights(slice(None, None, every))
    return rows, weights / (weights.sum() or 1.0)


@one_blas_thread()
def rotate(problem: Problem, scaling: Scaling) -> tuple[Problem, Scaling, FloatArray]:
    """The problem with its features centred and rotated to their principal axes.

    There their covariances are zero, and a penalty of the squared weights is what it was.

    Parameters
    ----------
    problem : Problem
        Without an L1 penalty.
    scaling : Scaling
        Its means are the centre.

    Returns
    -------
    rotated : Problem
    scaling : Scaling
        Of its features.
    rotation : ndarray of shape (n_features, n_features), float64
        ``rotation @ weights`` are the original features' weights.
    """
    n_features = problem.features.shape[1]
    moments = np.zeros((n_features, n_features))
    for block in row_blocks(problem, n_features, _NUMBERS_PER_BLOCK):
        centred = block.dense_features() - scaling.means
        moments += (centred * block.weights[:, None]).T @ centred
    variances, rotation = eigh(moments / problem.total_weight)
    least = n_features * _EPSILON * variances[-1]
    # Where only rounding differs, rows are taken as equal.
    variances = np.where(variances > least, variances, variances[-1] or 1.0)
    features = np.empty(problem.features.shape, problem.dtype)
    for block in row_blocks(problem, n_features, _NUMBERS_PER_BLOCK):
        features[block.rows] = (block.dense_features() - scaling.means) @ rotation
    rotated = replace(problem, features=features)
    variances = np.maximum(variances, np.finfo(np.float64).tiny)
    return rotated, Scaling(np.zeros(n_features), 1.0 / variances), rotation


def bound_curvature(
    problem: Problem, scaling: Scaling, *, n_columns: int, batch_size: int, fit_intercept: bool
) -> float:
    """A bound of the curvature of a batch's mean loss in scaled features.

    It is the expected smoothness of Gower et al., SGD: general analysis and improved rates, 2019,
    with the mean of the rows' curvatures in place of the largest: between that of all rows together
    and that of single ones, by the batch's size. Estimated from a part of many rows.

    Parameters
    ----------
    problem : Problem
    scaling : Scaling
    n_columns : int
        Of the model.
    batch_size : int
    fit_intercept : bool

    Returns
    -------
    float
        Above zero.
    """
    n_samples = problem.n_samples
    rows, weights = _sample_rows(problem)
    roots = np.sqrt(scaling.factors)
    sample: _DenseRows | _SparseRows
    with np.errstate(all="ignore"):
        if problem.is_sparse:
            sample = _SparseRows(
                csr_array(rows.multiply(roots)), scaling.means * roots, fit_intercept
            )
        else:
            ones = np.ones((len(rows), int(fit_intercept)))
            sample = _DenseRows(np.hstack([(rows - scaling.means) * roots, ones]))
        dense_norm, sparse_norm = (inner_product(weights, norms) for norms in sample.norms())
        largest = _largest_eigenvalue(sample, weights)
    share = (n_samples - batch_size) / (batch_size * max(n_samples - 1, 1))
    loss = loss_of(problem)
    curvature = loss.largest_curvature_of_two if n_columns == 1 else loss.largest_curvature
    single = curvature
    if n_columns > 1 and loss.curvature_follows_loss:
        single = max(1.0 / n_columns, _LEAST_CURVATURE_OF_SPARSE)
    norm = curvature * dense_norm + single * sparse_norm
    bound = (1.0 - share) * curvature * largest + share * norm
    if not np.isfinite(bound):
        raise ValueError("the square of a feature overflows float64: scale the features")
    return bound if bound > 0.0 else 1.0


@dataclass(frozen=True)
class _DenseRows:
    """Rows that are centred and scaled."""

    rows: FloatArray

    def norms(self) -> tuple[FloatArray, FloatArray]:
        """The rows' squared lengths: of features that most rows have, and of the others."""
        norms = np.einsum("ij,ij->i", self.rows, self.rows)
        return norms, np.zeros_like(norms)

    def times(self, vector: FloatArray) -> FloatArray:
        product: FloatArray = self.rows @ vector
        return product

    def transposed_times(self, vector: FloatArray) -> FloatArray:
        product: FloatArray = vector @ self.rows
        return product


@dataclass(frozen=True)
class _SparseRows:
    """Rows that are scaled, of which the means are still to be taken."""

    rows: csr_array
    means: FloatArray
    has_ones: bool

    def norms(self) -> tuple[FloatArray, FloatArray]:
        """See `_DenseRows`."""
        squares = self.rows.multiply(self.rows)
        is_centred = (self.means != 0.0).astype(np.float64)
        of_centred = squares @ is_centred
        dense = of_centred - 2.0 * (self.rows @ self.means) + self.means @ self.means
        return np.maximum(dense, 0.0), squares @ (1.0 - is_centred) + float(self.has_ones)

    def times(self, vector: FloatArray) -> FloatArray:
        n_features = len(self.means)
        product: FloatArray = self.rows @ vector[:n_features]
        product += vector[n_features:].sum() - self.means @ vector[:n_features]
        return product

    def transposed_times(self, vector: FloatArray) -> FloatArray:
        product = self.rows.T @ vector - self.means * vector.sum()
        return np.append(product, np.full(int(self.has_ones), vector.sum()))


def _largest_eigenvalue(rows: _DenseRows | _SparseRows, weights: FloatArray) -> float:
    """Of the rows' weighted second moments, by power iteration."""
    with one_blas_thread(rows.rows.size):
        vector = rows.transposed_times(weights)
        vector = vector + 1.0 / np.sqrt(np.arange(1.0, len(vector) + 1.0))
        value = 0.0
        for _ in range(_POWER_STEPS):
            length = float(np.linalg.norm(vector))
            if not 0.0 < length < np.inf:
                return length
            vector = rows.transposed_times(weights * rows.times(vector / length))
            value = float(np.linalg.norm(vector))
        return value
