"""Some of a problem's rows, over which second derivatives are taken."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from ..._typing import FloatArray
from ...data.blocked import BlockedProblem
from ...data.problem import Problem
from ...kernels import weighted_gram as kernels
from ...objective.coordinates import Coordinates
from ...runtime.blas import matrix_product
from ...runtime.workspace import aligned_zeros, round_up

# Of a sample: rows for each unknown of a class, at least so many rows, and its seed.
_ROWS_PER_UNKNOWN = 3
_FEWEST_ROWS = 3072
_SEED = 0
# Of the mean square of a feature, what the one in a sample lacks of it.
_MOST_LACKING = 0.9


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
    rows : slice or ndarray of int
        Which rows of the problem they are.
    stands_for : float or ndarray of shape (n_rows,)
        How many rows each of them stands for.
    missing : ndarray of shape (n_unknowns,), float64
        What the mean squares of features that hardly any of these rows has lack to those of all
        rows.
    is_whole : bool
        Whether it is all rows.
    """

    features: FloatArray
    n_unknowns: int
    row_weights: FloatArray
    rows: slice | npt.NDArray[np.int64]
    stands_for: float | FloatArray
    missing: FloatArray
    is_whole: bool

    def weigh(self, weights: FloatArray) -> "Sample":
        """The same rows, for other weights of the problem's rows."""
        row_weights = _share(weights[self.rows] * self.stands_for)
        return replace(self, row_weights=row_weights)


def count_rows(n_features: int) -> int:
    """Rows of a sample, if there are more."""
    return max(_FEWEST_ROWS, _ROWS_PER_UNKNOWN * (n_features + 1))


def take_sample(problem: Problem, coordinates: Coordinates, n_threads: int | None = None) -> Sample:
    """A sample in which every class has a share of the rows, its own rows allowing.

    Rows of weight zero are left out; where all rows are taken, zeros stand for theirs.
    """
    if isinstance(problem, BlockedProblem):
        return _draw_sample(problem, coordinates, n_threads)
    n_samples, n_features = problem.features.shape
    weights = problem.weights()
    n_candidates = int(np.count_nonzero(weights))
    n_wanted = count_rows(n_features)
    is_whole = n_candidates <= n_wanted
    rows: slice | npt.NDArray[np.int64] = slice(None)
    stands_for: float | FloatArray = 1.0
    if n_candidates < n_samples > n_wanted:
        rows = np.flatnonzero(weights)
    if not is_whole:
        chosen, stands_for = _choose_rows(problem.targets[rows], problem.n_classes, n_wanted)
        rows = chosen if isinstance(rows, slice) else rows[chosen]
    features = problem.features[rows]
    row_weights = _share(weights[rows] * stands_for)
    return _sample_of(features, row_weights, rows, stands_for, coordinates, is_whole=is_whole)


def _draw_sample(
    problem: BlockedProblem, coordinates: Coordinates, n_threads: int | None
) -> Sample:
    """The same of rows that are read in blocks."""
    counts = problem.class_counts
    n_taken = _share_out(counts, count_rows(problem.features.shape[1]))
    rows = problem.draw(n_taken, _SEED)
    part = problem.take(rows, n_threads)
    stands_for = (counts / np.maximum(n_taken, 1))[part.targets]
    row_weights = _share(part.weights() * stands_for)
    return _sample_of(part.features, row_weights, rows, stands_for, coordinates, is_whole=False)


def _sample_of(
    features: Any,
    row_weights: FloatArray,
    rows: slice | npt.NDArray[np.int64],
    stands_for: float | FloatArray,
    coordinates: Coordinates,
    *,
    is_whole: bool,
) -> Sample:
    n_features = features.shape[1]
    if not isinstance(features, np.ndarray):
        features = features.toarray()
    n_unknowns = n_features + coordinates.fit_intercept
    taken = aligned_zeros((len(row_weights), _pad(n_unknowns)), np.float64)
    scaled = taken[:, :n_features]
    with np.errstate(all="ignore"):  # of rows that weigh nothing
        np.subtract(features, coordinates.means, out=scaled)
        scaled /= coordinates.scales
    scaled[row_weights == 0.0] = 0.0
    taken[:, n_features:n_unknowns] = 1.0
    missing = np.zeros(n_unknowns)
    if not is_whole:
        lacking = coordinates.mean_squares - matrix_product(row_weights, np.square(scaled))
        is_rare = lacking > _MOST_LACKING * coordinates.mean_squares
        missing[:n_features][is_rare] = lacking[is_rare]
    return Sample(taken, n_unknowns, row_weights, rows, stands_for, missing, is_whole)


def _share(weights: FloatArray) -> FloatArray:
    """Of the sum of weights, if there are any."""
    shares: FloatArray = weights / (float(weights.sum()) or 1.0)
    return shares


def _pad(n_unknowns: int) -> int:
    """Columns that the kernel takes for some unknowns."""
    specialisation = kernels.choose_squares_specialisation()
    return round_up(round_up(n_unknowns, specialisation.rows), specialisation.lanes)


def _share_out(counts: npt.NDArray[np.int64], n_wanted: int) -> npt.NDArray[np.int64]:
    """How many rows of each class are taken: one half by class, one half by number."""
    shares = 0.5 / max(1, counts.sum()) + 0.5 / (len(counts) * np.maximum(counts, 1))
    n_taken: npt.NDArray[np.int64] = np.ceil(n_wanted * shares * counts).astype(np.int64)
    return np.minimum(counts, n_taken)


def _choose_rows(
    targets: npt.NDArray[np.int32], n_classes: int, n_wanted: int
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Rows, in order, and how many each stands for."""
    counts = np.bincount(targets, minlength=n_classes)
    n_taken = _share_out(counts, n_wanted)
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
    logits = matrix_product(features, point)
    if point.shape[1] == 1:
        probabilities: FloatArray = expit(logits, out=logits)
        return probabilities
    logits -= logits.max(axis=1, keepdims=True)
    probabilities = np.exp(logits, out=logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return probabilities
