"""What a Newton step divides by: the second derivatives of the objective, nearly.

They are taken over a sample of the rows: few suffice to make a problem well conditioned, which is
all that is wanted of them. Between classes they are either complete or left out, which makes a
block for each class.

A convex loss of a row with features ``x`` and probabilities ``p`` has, for two classes, the second
derivatives ``outer(x, x)`` times their element of ``diag(p) - outer(p, p)``. (Those of other losses
are indefinite; what is left of them without the activation's own curvature makes steps that are far
too long.)
"""

import numpy as np
import numpy.typing as npt
from scipy.linalg.lapack import dpotrf, dpotrs

from ..._typing import FloatArray
from ...kernels import weighted_gram as kernels
from ...runtime import tuning
from ...runtime.blas import matrix_product, one_blas_thread
from ...runtime.claimed_map import claimed_map
from ...runtime.threads import count_threads_for_pass
from ...runtime.workspace import aligned_zeros, round_up
from ..limited_memory import Solve
from .subsample import Sample, predict_sample

_SEED = 0
# Added to what may be singular, as a share of the largest.
_RIDGE = 1e-12


def make_squares(sample: Sample, n_sets: int) -> FloatArray:
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
    squares = make_squares(sample, len(all_weights))
    if squares[0].size // 2 * len(sample.features) < tuning.PRODUCTS_WORTH_CHOOSING_ROWS:
        _fill_squares(sample.features, all_weights, n_threads, squares)
    else:
        _fill_squares_of_chosen_rows(sample.features, all_weights, n_threads, squares)
    return squares[:, : sample.n_unknowns, : sample.n_unknowns]


def _fill_squares_of_chosen_rows(
    features: FloatArray, all_weights: FloatArray, n_threads: int | None, squares_out: FloatArray
) -> None:
    uniforms = np.random.default_rng(_SEED).random((len(features),))
    n_used = _count_threads(n_threads, squares_out.size // 2 * len(features))
    if n_used > len(all_weights):
        n_used = 1
    n_threads_of_set = 1 if n_used > 1 else n_threads
    spare = [aligned_zeros(features.shape, np.float64) for _ in range(n_used)]

    def work(place: int) -> None:
        rows, weights = _choose_rows(all_weights[place], uniforms)
        chosen = spare.pop()
        np.take(features, rows, axis=0, out=chosen[: len(rows)], mode="clip")
        squares = squares_out[place : place + 1]
        _fill_squares(chosen[: len(rows)], weights[None], n_threads_of_set, squares)
        spare.append(chosen)

    claimed_map(work, range(len(all_weights)), n_used)


def _choose_rows(
    weights: FloatArray, uniforms: FloatArray
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Rows that stand for all: those of more than average weight, and a share of the others.

    Where a model is certain of most rows, the others are all that matters. On average, sums over
    these rows are those over all of them (Horvitz and Thompson, A generalization of sampling
    without replacement from a finite universe, 1952).

    Parameters
    ----------
    weights : ndarray of shape (n_rows,)
    uniforms : ndarray of shape (n_rows,)
        Random numbers from 0 to 1.

    Returns
    -------
    rows : ndarray of int
    weights : ndarray of float
        Theirs, divided by how probable it was that they are among them.
    """
    total = float(weights.sum())
    if not total > 0.0:
        return np.zeros(0, np.int64), np.zeros(0)
    probabilities = np.minimum(weights * (len(weights) / total), 1.0)
    rows = np.flatnonzero(uniforms < probabilities)
    return rows, weights[rows] / probabilities[rows]


def _count_threads(n_threads: int | None, n_products: int) -> int:
    return count_threads_for_pass(n_threads, n_products // tuning.PRODUCTS_OF_SQUARES_PER_PRODUCT)


def _fill_squares(
    features: FloatArray, all_weights: FloatArray, n_threads: int | None, squares_out: FloatArray
) -> None:
    specialisation = kernels.choose_squares_specialisation()
    n_groups = squares_out.shape[1] // specialisation.rows
    n_used = min(_count_threads(n_threads, squares_out.size // 2 * len(features)), n_groups)
    weigh = kernels.weigh_squares.specialise(specialisation)
    # A share is one of every `n_shares` groups; one thread takes all of them with a tile of rows.
    n_shares = 1 if n_used == 1 else min(tuning.BLOCKS_PER_THREAD * n_used, n_groups)

    def work(share: int) -> None:
        scratch = np.empty((specialisation.rows, kernels.TILE_ROWS))
        weigh(features, all_weights, specialisation.blocks, share, n_shares, scratch, squares_out)

    claimed_map(work, range(n_shares), n_used)


def _diagonal(matrix: FloatArray) -> FloatArray:
    """A view of the diagonal of a square matrix."""
    diagonal: FloatArray = np.einsum("ii->i", matrix)
    return diagonal


def _factor(upper: FloatArray, penalties: FloatArray) -> FloatArray:
    """The lower Cholesky factor of a symmetric matrix, or of one that is a little larger.

    Parameters
    ----------
    upper : ndarray of shape (size, size)
        Its upper part is read.
    penalties : ndarray of shape (size,)
        Added to its diagonal.

    Returns
    -------
    ndarray of shape (size, size)
        In Fortran order.
    """
    diagonal = _diagonal(upper) + penalties
    largest = float(diagonal.max())
    ridge = _RIDGE * (largest if largest > 0.0 else 1.0)
    factor: FloatArray
    while True:
        matrix = np.array(upper.T, order="F")
        _diagonal(matrix)[:] = diagonal + ridge
        factor, failure = dpotrf(matrix, lower=1, clean=0, overwrite_a=1)
        if not failure:
            return factor
        ridge *= 10.0


def _divide(right: FloatArray, factor: FloatArray) -> FloatArray:
    """What gives `right` when it is multiplied by a factored matrix."""
    quotient: FloatArray = dpotrs(factor, right, lower=1)[0]
    return quotient


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
    n_padded = round_up(n_rows, specialisation.row_multiple)
    probabilities = np.zeros((n_columns, n_padded))
    size = n_columns * n_unknowns
    matrix = np.empty((size, size))
    kernels.complete_derivatives.specialise(specialisation)(
        sample.features,
        point,
        sample.row_weights,
        penalties,
        makes_regular,
        specialisation.blocks,
        np.empty((1, n_padded)),
        probabilities,
        np.empty((n_pairs, n_rows)),
        np.empty((specialisation.rows, kernels.TILE_ROWS)),
        make_squares(sample, n_pairs),
        matrix,
    )
    if not sample.is_whole:
        of_rows = (probabilities * (1.0 - probabilities))[:, :n_rows]
        curvatures = matrix_product(of_rows, sample.row_weights)
        diagonal = _diagonal(matrix)
        diagonal += np.outer(curvatures, sample.missing).ravel()
    return matrix


def factor_blocks(
    blocks: FloatArray, penalties: FloatArray, n_columns: int, n_threads: int | None = None
) -> Solve:
    """Division by what `derive_blocks` has given and a penalty's second derivatives.

    Parameters
    ----------
    blocks : ndarray of shape (n_columns, n_unknowns, n_unknowns) or (1, n_unknowns, n_unknowns)
    penalties : ndarray of shape (n_unknowns,)
    n_columns : int
    n_threads : int or None, default=None
    """
    n_used = _count_threads(n_threads, len(blocks) * blocks.shape[1] ** 3 // 6)
    with one_blas_thread(blocks[0].size):
        factors = claimed_map(lambda block: _factor(block, penalties), list(blocks), n_used)
    factors *= n_columns // len(factors)

    def solve(flat: FloatArray) -> FloatArray:
        parts = flat.reshape(n_columns, -1)
        return np.concatenate(
            [_divide(part, factor) for part, factor in zip(parts, factors, strict=True)]
        )

    return solve


def factor_all(matrix: FloatArray, penalties: FloatArray, n_columns: int) -> Solve:
    """Division by what `derive_all` has given and a penalty's; see `factor_blocks`."""
    with one_blas_thread(matrix.size):
        factor = _factor(matrix, np.tile(penalties, n_columns))
    return lambda flat: _divide(flat, factor)
