"""Sums over the rows of the derivatives of a convex loss, by linear combinations of the classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from .._typing import FloatArray
from ..data.blocked import Block, BlockedProblem, BlockKind
from ..data.problem import Problem
from ..data.row_blocks import RowBlock, row_blocks
from ..data.tree_sums import Sums
from ..objective.coordinates import Coordinates
from ..objective.loss import accurate_losses_and_gradients, probabilities_of_columns

NUMBERS_PER_BLOCK = 1 << 20
MOST_BYTES = 1 << 28
# Of second derivatives in scaled features, the smallest eigenvalue over the largest.
_LEAST_EIGENVALUE = 1e-12


def contrasts_of(n_columns: int, *, is_penalised: bool) -> FloatArray:
    """Of classes, rows to which a model's columns are reduced; orthonormal with a penalty.

    Without one they are all classes but the first. A model moves by ``contrasts.T @ unknowns``.
    """
    if n_columns == 1:
        return np.ones((1, 1))
    if not is_penalised:
        return np.eye(n_columns)[1:]
    differences = np.eye(n_columns) - 1.0 / n_columns
    directions: FloatArray = np.linalg.svd(differences)[0][:, : n_columns - 1].T
    return directions


def count_bytes(n_unknowns: int) -> int:
    """Of a matrix of second derivatives by so many unknowns."""
    return 8 * n_unknowns**2


def scaled_features(rows: RowBlock, coordinates: Coordinates) -> tuple[FloatArray, FloatArray]:
    """Dense features of rows, and the same in coordinates: a column of ones is the intercept's."""
    features = rows.dense_features()
    return features, scale_features(features, coordinates)


def scale_features(features: FloatArray, coordinates: Coordinates) -> FloatArray:
    """Dense features in coordinates, shape (n_rows, n_unknowns)."""
    n_features = len(coordinates.scales)
    scaled = np.ones((len(features), coordinates.n_unknowns))
    scaled[:, :n_features] = (features - coordinates.means) / coordinates.scales
    return scaled


@dataclass(frozen=True)
class Moments:
    """Sums over the rows, by all unknowns: those of a combination of the classes are neighbours.

    Attributes
    ----------
    information, squares : ndarrays of shape (n_unknowns, n_unknowns)
        Second derivatives of the loss, and squares of its derivatives, which are empty if they
        aren't needed.
    gradient : ndarray of shape (n_unknowns,)
    loss : float
    """

    information: FloatArray
    squares: FloatArray
    gradient: FloatArray
    loss: float


@dataclass(frozen=True)
class _SumMoments:
    """Sums the moments of a model over rows; see `Moments`."""

    weights: FloatArray
    bias: FloatArray
    coordinates: Coordinates
    contrasts: FloatArray
    columns: npt.NDArray[np.int64] | None
    needs_squares: bool

    def __call__(self, problem: Problem) -> Sums:
        """The sums over the rows of a problem in memory."""
        size = self.coordinates.n_unknowns if self.columns is None else len(self.columns)
        n_unknowns = len(self.contrasts) * size
        information = np.zeros((n_unknowns, n_unknowns))
        squares = np.zeros((n_unknowns, n_unknowns) if self.needs_squares else (0, 0))
        gradient, loss = np.zeros(n_unknowns), 0.0
        n_numbers = n_unknowns + len(self.coordinates.scales) + 1
        for rows in row_blocks(problem, n_numbers, NUMBERS_PER_BLOCK):
            row_weights = rows.weights
            block, scaled = scaled_features(rows, self.coordinates)
            logits = block @ self.weights + self.bias
            if self.columns is not None:
                scaled = scaled[:, self.columns]
            probabilities = probabilities_of_columns(logits)
            losses, residuals = accurate_losses_and_gradients(logits, rows.targets)
            loss += float(row_weights @ losses)
            self._add_information(probabilities, scaled, row_weights, information)
            slopes = (residuals @ self.contrasts.T)[:, :, None] * scaled[:, None, :]
            slopes = slopes.reshape(len(block), n_unknowns)
            gradient += row_weights @ slopes
            if self.needs_squares:
                squares += (slopes * row_weights[:, None]).T @ slopes
        return information, squares, gradient, np.float64(loss)

    def _add_information(
        self,
        probabilities: FloatArray,
        scaled: FloatArray,
        row_weights: FloatArray,
        information_out: FloatArray,
    ) -> None:
        """Add ``diag(p) - outer(p, p)`` between the combinations, times the features' products."""
        contrasts, size = self.contrasts, scaled.shape[1]
        mixed = probabilities @ contrasts.T
        outer = (mixed[:, :, None] * scaled[:, None, :]).reshape(len(scaled), -1)
        information_out -= (outer * row_weights[:, None]).T @ outer
        for first in range(len(contrasts)):
            for second in range(first, len(contrasts)):
                products = contrasts[first] * contrasts[second]
                if not products.any():
                    continue
                own = (probabilities @ products) * row_weights
                part = (scaled * own[:, None]).T @ scaled
                rows = np.s_[first * size : (first + 1) * size]
                columns = np.s_[second * size : (second + 1) * size]
                information_out[rows, columns] += part
                if first != second:
                    information_out[columns, rows] += part


@dataclass(frozen=True)
class _OfBlock:
    """What some work gives for a block."""

    kind: BlockKind
    work: Callable[[Problem], Sums]

    def __call__(self, block: Block, n_threads: int | None) -> Sums:
        return self.work(self.kind.problem_of(block))


def sum_over_rows(
    problem: Problem, work: Callable[[Problem], Sums], n_threads: int | None = None
) -> Sums:
    """Sums over all rows, in memory or in blocks, of what some work gives for rows in memory."""
    if isinstance(problem, BlockedProblem):
        return problem.rows.reduce(_OfBlock(problem.kind, work), n_threads)
    return work(problem)


def sum_moments(
    problem: Problem,
    weights: FloatArray,
    bias: FloatArray,
    coordinates: Coordinates,
    contrasts: FloatArray,
    *,
    columns: npt.NDArray[np.int64] | None = None,
    needs_squares: bool = False,
    n_threads: int | None = None,
) -> Moments:
    """The moments of a model over all rows.

    Parameters
    ----------
    problem : Problem
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    coordinates : Coordinates
    contrasts : ndarray of shape (n_contrasts, n_columns)
        Combinations of the model's columns, by whose unknowns derivatives are taken.
    columns : ndarray of int, default=None
        The unknowns of a combination by which they are taken; None are all.
    needs_squares : bool, default=False
    n_threads : int or None, default=None

    Raises
    ------
    ValueError
        A number overflows.
    """
    work = _SumMoments(weights, bias, coordinates, contrasts, columns, needs_squares)
    with np.errstate(over="ignore", invalid="ignore"):  # looked at
        sums = sum_over_rows(problem, work, n_threads)
    information, squares, gradient, loss = sums
    if not (np.isfinite(loss) and all(np.isfinite(each).all() for each in sums[:3])):
        raise ValueError(
            "the second derivatives overflow float64 at this model and these rows: give the rows "
            "of fit, or scale the features"
        )
    return Moments(information, squares, gradient, float(loss))


@dataclass(frozen=True)
class Spectrum:
    """A symmetric matrix without its scales: ``scales * (vectors * values) @ vectors.T * scales``.

    Attributes
    ----------
    scales : ndarray of shape (n_unknowns,)
        Of the unknowns; zero where the matrix has nothing.
    values : ndarray of shape (n_unknowns,)
        Ascending.
    vectors : ndarray of shape (n_unknowns, n_unknowns)
    """

    scales: FloatArray
    values: FloatArray
    vectors: FloatArray

    @property
    def are_flat(self) -> npt.NDArray[np.bool_]:
        """Which values are no more than what rounding leaves."""
        flat: npt.NDArray[np.bool_] = self.values <= _LEAST_EIGENVALUE * self.values[-1]
        return flat

    @property
    def rank(self) -> int:
        """How many aren't."""
        return int((~self.are_flat).sum())

    @property
    def root(self) -> FloatArray:
        """Of the pseudo-inverse, shape (n_unknowns, rank): its product with its transpose."""
        there = ~self.are_flat
        inverses = np.divide(
            1.0, self.scales, out=np.zeros_like(self.scales), where=self.scales > 0
        )
        scaled = self.vectors[:, there] / np.sqrt(self.values[there])
        root: FloatArray = scaled * inverses[:, None]
        return root


def decompose(matrix: FloatArray) -> Spectrum:
    """The spectrum of symmetric second derivatives."""
    scales = np.sqrt(np.maximum(matrix.diagonal(), 0.0))
    divisors = np.where(scales > 0.0, scales, 1.0)
    values, vectors = eigh(matrix / np.outer(divisors, divisors))
    return Spectrum(scales, values, vectors)


def name_flat(spectrum: Spectrum, names: Sequence[str], share: float) -> list[str]:
    """What flat directions are made of, by unknowns of these names for each combination."""
    flat = np.abs(spectrum.vectors[:, spectrum.are_flat])
    has_part = (flat > share * flat.max(axis=0)).any(axis=1)
    return [names[place] for place in np.unique(np.nonzero(has_part)[0] % len(names))]
