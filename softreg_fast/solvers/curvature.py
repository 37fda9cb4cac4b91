"""What a Newton step divides by: the second derivatives of the objective, nearly.

They are taken over a sample of the rows: few suffice to make a problem well conditioned, which is
all that is wanted of them. Between classes they are either complete or left out, which makes a
block for each class.

With the identity link the loss of a row with features ``x`` and probabilities ``p`` has, for two
classes, the second derivatives ``outer(x, x)`` times their element of ``diag(p) - outer(p, p)``.
(With the sigmoid link they would be indefinite; what is left of them if the link's own curvature is
left out makes steps that are far too long.)
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg.lapack import dpotrf, dpotrs
from scipy.special import expit

from ..definitions import FloatArray
from ..feature_sums import FeatureSums
from ..kernels import squares as kernels
from ..layout import aligned_zeros, round_up
from ..problem import Problem
from ..threads import count_threads_for_pass, team_of

# Of a sample: rows for each unknown of a class, at least so many rows, and its seed.
_ROWS_PER_UNKNOWN = 3
_FEWEST_ROWS = 3072
_SEED = 0
# Of the mean square of a feature, what the one in a sample lacks of it.
_MOST_LACKING = 0.9
# BLAS takes threads for products of more numbers: of their own, which ours would have to wait for.
_MOST_PRODUCTS_OF_ONE_THREAD = 1 << 18
# Added to what may be singular, as a share of the largest.
_RIDGE = 1e-12


@dataclass(frozen=True)
class Coordinates:
    """Features as solvers see them, centred and scaled; nothing is copied for it.

    A *point* is an array of shape (n_features + 1, n_columns): the weights times the features'
    scales, and below them the bias plus what the means bring; without an intercept it has no last
    row.

    Attributes
    ----------
    means, scales : ndarrays of shape (n_features,), float64
    mean_squares : ndarray of shape (n_features,), float64
        Of the features, centred and scaled.
    fit_intercept : bool
    """

    means: FloatArray
    scales: FloatArray
    mean_squares: FloatArray
    fit_intercept: bool

    def point_of(self, weights: FloatArray, bias: FloatArray) -> FloatArray:
        """Where a model is."""
        scaled = weights * self.scales[:, None]
        if not self.fit_intercept:
            return scaled
        return np.vstack([scaled, bias + self.means @ weights])

    def model_of(self, point: FloatArray, fixed_bias: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The model at a point: weights and bias."""
        weights = point[: len(self.scales)] / self.scales[:, None]
        if not self.fit_intercept:
            return weights, fixed_bias
        return weights, point[-1] - self.means @ weights

    def gradient_of(self, weights_gradient: FloatArray, bias_gradient: FloatArray) -> FloatArray:
        """The derivatives by a point, from those by a model."""
        if not self.fit_intercept:
            return weights_gradient / self.scales[:, None]
        scaled = weights_gradient - np.outer(self.means, bias_gradient)
        scaled /= self.scales[:, None]
        return np.vstack([scaled, bias_gradient])


def choose_coordinates(problem: Problem, sums: FeatureSums, *, fit_intercept: bool) -> Coordinates:
    """Coordinates in which loss and penalty together are curved alike along all features.

    Raises
    ------
    ValueError
        A feature's square overflows.
    """
    means = sums.means if fit_intercept else np.zeros(len(sums.origin))
    with np.errstate(all="ignore"):
        spreads = sums.variances + (sums.means - means) ** 2
    if not (np.isfinite(means).all() and np.isfinite(spreads).all()):
        raise ValueError("the square of a feature overflows float64: scale the features")
    # Of the loss by a logit, where all classes are equally probable.
    curvature = (1 - 1 / problem.n_classes) / problem.n_classes
    squares = spreads + problem.l2_penalty / sums.total_weight / curvature
    squares[squares == 0.0] = 1.0
    return Coordinates(means, np.sqrt(squares), spreads / squares, fit_intercept)


@dataclass(frozen=True)
class Sample:
    """Some rows in coordinates.

    Attributes
    ----------
    features : ndarray of shape (n_rows, padded_unknowns), float64
        A column of ones follows the features, if there is an intercept; then there are zeros.
    n_unknowns : int
        Columns that aren't zeros.
    row_weights : ndarray of shape (n_rows,), float64
        Of how many rows' weights each stands for, as a share of all.
    missing : ndarray of shape (n_unknowns,), float64
        What the mean squares of features that hardly any of these rows has lack to those of all
        rows.
    is_whole : bool
        Whether it is all rows.
    """

    features: FloatArray
    n_unknowns: int
    row_weights: FloatArray
    missing: FloatArray
    is_whole: bool


def take_sample(problem: Problem, coordinates: Coordinates) -> Sample:
    """A sample in which every class has a share of the rows, its own rows allowing."""
    n_samples, n_features = problem.features.shape
    n_wanted = min(n_samples, max(_FEWEST_ROWS, _ROWS_PER_UNKNOWN * (n_features + 1)))
    weights = np.ones(n_samples) if problem.sample_weight is None else problem.sample_weight
    is_whole = n_wanted == n_samples
    features = problem.features
    if not is_whole:
        rows, stands_for = _choose_rows(problem.targets, problem.n_classes, n_wanted)
        features = features[rows]
        weights = weights[rows] * stands_for
    if problem.is_sparse:
        features = features.toarray()
    n_unknowns = n_features + coordinates.fit_intercept
    taken = aligned_zeros((len(weights), _pad(n_unknowns)), np.float64)
    scaled = taken[:, :n_features]
    np.subtract(features, coordinates.means, out=scaled)
    scaled /= coordinates.scales
    taken[:, n_features:n_unknowns] = 1.0
    row_weights = weights / (float(weights.sum()) or 1.0)
    missing = np.zeros(n_unknowns)
    if not is_whole:
        lacking = coordinates.mean_squares - row_weights @ np.square(scaled)
        is_rare = lacking > _MOST_LACKING * coordinates.mean_squares
        missing[:n_features][is_rare] = lacking[is_rare]
    return Sample(taken, n_unknowns, row_weights, missing, is_whole)


def _pad(n_unknowns: int) -> int:
    """Columns that the kernel takes for some unknowns."""
    specialisation = kernels.choose_squares_specialisation()
    return round_up(round_up(n_unknowns, specialisation.rows), specialisation.lanes)


def _choose_rows(
    targets: npt.NDArray[np.int32], n_classes: int, n_wanted: int
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Rows, in order, and how many each stands for: one half by class, one half by number."""
    counts = np.bincount(targets, minlength=n_classes)
    shares = 0.5 / len(targets) + 0.5 / (n_classes * np.maximum(counts, 1))
    n_taken = np.minimum(counts, np.ceil(n_wanted * shares * counts).astype(np.int64))
    source = np.random.default_rng(_SEED)
    order = np.argsort(targets, kind="stable")
    stops = np.cumsum(counts)
    chosen = [
        order[stop - count + source.choice(count, taken, replace=False)]
        for stop, count, taken in zip(stops, counts, n_taken, strict=True)
        if taken
    ]
    rows = np.sort(np.concatenate(chosen))
    return rows, (counts / np.maximum(n_taken, 1))[targets[rows]]


def predict_sample(sample: Sample, point: FloatArray) -> FloatArray:
    """Probabilities of a sample's rows, of the second of two classes for a single column."""
    features = sample.features[:, : sample.n_unknowns]
    logits = np.empty((len(features), point.shape[1]))
    step = max(1, _MOST_PRODUCTS_OF_ONE_THREAD // point.size)
    for start in range(0, len(logits), step):
        rows = slice(start, start + step)
        np.matmul(features[rows], point, out=logits[rows])
    if point.shape[1] == 1:
        probabilities: FloatArray = expit(logits, out=logits)
        return probabilities
    logits -= logits.max(axis=1, keepdims=True)
    probabilities = np.exp(logits, out=logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities


def _make_squares(sample: Sample, n_sets: int) -> FloatArray:
    """Where the kernel writes the squares of some sets of weights."""
    rows = round_up(sample.n_unknowns, kernels.choose_squares_specialisation().rows)
    return aligned_zeros((n_sets, rows, sample.features.shape[1]), np.float64)


def _weigh_squares(sample: Sample, all_weights: FloatArray, n_threads: int | None) -> FloatArray:
    """``features.T @ (weights * features)`` for sets of weights of the rows; upper parts.

    Parameters
    ----------
    sample : Sample
    all_weights : ndarray of shape (n_sets, n_rows), float64
    n_threads : int or None

    Returns
    -------
    ndarray of shape (n_sets, n_unknowns, n_unknowns)
    """
    specialisation = kernels.choose_squares_specialisation()
    squares = _make_squares(sample, len(all_weights))
    n_products = squares.size // 2 * len(sample.features)
    n_groups = squares.shape[1] // specialisation.rows
    n_useful = min(count_threads_for_pass(n_threads, n_products), n_groups)
    scratch = np.empty((n_useful, specialisation.rows, kernels.TILE_ROWS))
    weigh = kernels.weigh_squares.specialise(specialisation)

    def work(thread: int, n_threads: int) -> None:
        weigh(
            sample.features,
            all_weights,
            specialisation.blocks,
            thread,
            n_threads,
            scratch,
            squares,
        )

    with team_of(n_useful, lambda: None) as team:
        team.call(work)
    return squares[:, : sample.n_unknowns, : sample.n_unknowns]


def _diagonal(matrix: FloatArray) -> FloatArray:
    """A view of the diagonal of a square matrix."""
    diagonal: FloatArray = np.einsum("ii->i", matrix)
    return diagonal


def _factor(matrix: FloatArray) -> FloatArray:
    """The lower Cholesky factor of a symmetric matrix, or of one that is a little larger.

    Of the matrix, in Fortran order, the lower part is read. It is changed.
    """
    diagonal = _diagonal(matrix)
    largest = float(diagonal.max())
    ridge = _RIDGE * (largest if largest > 0.0 else 1.0)
    diagonal += ridge
    factor: FloatArray
    while True:
        factor, failure = dpotrf(matrix, lower=1, clean=0)
        if not failure:
            return factor
        diagonal += 9.0 * ridge
        ridge *= 10.0


def _divide(right: FloatArray, factor: FloatArray) -> FloatArray:
    """What gives `right` when it is multiplied by a factored matrix."""
    quotient: FloatArray = dpotrs(factor, right, lower=1)[0]
    return quotient


Solve = Callable[[FloatArray], FloatArray]


def derive_blocks(
    sample: Sample, point: FloatArray, penalties: FloatArray, n_threads: int | None = None
) -> FloatArray:
    """Second derivatives within each class.

    Parameters
    ----------
    sample : Sample
    point : ndarray of shape (n_unknowns, n_columns)
    penalties : ndarray of shape (n_unknowns,)
        Second derivatives of the penalty, per unit of weight.
    n_threads : int or None, default=None

    Returns
    -------
    ndarray of shape (n_columns, n_unknowns, n_unknowns)
        Or (1, n_unknowns, n_unknowns), if they are the same for all classes. The upper parts alone.
    """
    probabilities = predict_sample(sample, point)
    curvatures = (probabilities * (1.0 - probabilities)).T * sample.row_weights
    if not point.any():
        curvatures = curvatures[:1]
    curvatures = np.ascontiguousarray(curvatures)
    blocks = _weigh_squares(sample, curvatures, n_threads)
    diagonals = np.einsum("kff->kf", blocks)
    diagonals += penalties
    if not sample.is_whole:
        diagonals += np.outer(curvatures.sum(axis=1), sample.missing)
    return blocks


def derive_all(
    sample: Sample, point: FloatArray, penalties: FloatArray, *, makes_regular: bool
) -> FloatArray:
    """All second derivatives of a model of several columns; see `derive_blocks`.

    Parameters
    ----------
    makes_regular : bool
        What adds the same to all classes' logits changes no loss: the derivatives are singular,
        unless something is added for these directions.

    Returns
    -------
    ndarray of shape (n_columns * n_unknowns, n_columns * n_unknowns)
    """
    n_unknowns, n_columns = point.shape
    specialisation = kernels.choose_squares_specialisation()
    n_rows = len(sample.features)
    n_pairs = n_columns * (n_columns + 1) // 2
    logits, probabilities = np.zeros((2, n_columns, round_up(n_rows, specialisation.lanes)))
    size = n_columns * n_unknowns
    matrix = np.empty((size, size))
    kernels.complete_derivatives.specialise(specialisation)(
        sample.features,
        point,
        sample.row_weights,
        penalties,
        makes_regular,
        specialisation.blocks,
        logits,
        probabilities,
        np.empty((n_pairs, n_rows)),
        np.empty((specialisation.rows, kernels.TILE_ROWS)),
        _make_squares(sample, n_pairs),
        matrix,
    )
    if not sample.is_whole:
        curvatures = (probabilities * (1.0 - probabilities))[:, :n_rows] @ sample.row_weights
        diagonal = _diagonal(matrix)
        diagonal += np.outer(curvatures, sample.missing).ravel()
    return matrix


def factor_blocks(blocks: FloatArray, n_columns: int) -> Solve:
    """Division by what `derive_blocks` has given.

    Returns
    -------
    callable
        Takes and gives arrays of the shape of a point.
    """
    factors = [_factor(np.asfortranarray(block.T)) for block in blocks]
    factors *= n_columns // len(factors)

    def solve(gradient: FloatArray) -> FloatArray:
        quotients = [
            _divide(column, factor) for column, factor in zip(gradient.T, factors, strict=True)
        ]
        return np.stack(quotients, axis=1)

    return solve


def factor_all(matrix: FloatArray, n_columns: int) -> Solve:
    """Division by what `derive_all` has given; see `factor_blocks`."""
    factor = _factor(matrix.T)

    def solve(gradient: FloatArray) -> FloatArray:
        return _divide(gradient.T.ravel(), factor).reshape(n_columns, -1).T

    return solve
