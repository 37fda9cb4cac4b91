r"""A proof that classes overlap, so that there is an optimum without a penalty.

Where classes are separated, there is a direction in which no margin falls and some grow: margins
``m[i, j] >= 0`` of the rows ``i`` to other classes ``j``. The loss falls along it at the rate
``sum(w[i] * p[i, j] * m[i, j])``, where ``p`` are the probabilities of a model, any model. With
``Q[d] = sum(w[i] * p[i, j] * m[i, j] ** 2)``, a quadratic form of directions, over some rows, and
the direction scaled so that ``Q[d] = 1``, ::

    1 <= max(m) * sum(w * p * m) <= max(m) * -(gradient @ d) <= reach * norm(gradient)

where ``reach`` is the largest margin, of these rows, of any direction with ``Q[d] = 1``, and the
norm is the dual one. So where ``reach * norm(gradient) < 1`` there is no such direction. It needs a
model near its optimum, and columns of which none is a sum of others. It is the rule by which
Newton's method is known to be near an optimum (Bach, Self-concordant analysis for logistic
regression, 2010), with another form in place of the second derivatives, which is larger and
cheaper.
"""

from dataclasses import replace

import numpy as np
from scipy.linalg.lapack import dpotrf, dpstrf, dtrtri

from .._typing import FloatArray
from ..runtime.blas import matrix_product, one_blas_thread
from .margins import Indices, RowBlock, WeighedRows, add_squares

# Of the product that is below 1: the rest is for rounding.
_LARGEST_PRODUCT = 0.5
# Of its diagonal: less is never enough, and its inverse may overflow.
_LEAST_CURVATURE = 1e-60
# Of a pivot of the form with a diagonal of ones.
_LEAST_PIVOT = 1e-5
# What may be left of a column that others add up to: of its sum of squares, over the largest
# column's; and of each of its elements, which are 1 at most.
_LEAST_SQUARE = 1e-12
_LARGEST_DIFFERENCE = 1e-11
# Unknowns, for which a form of all classes is factored; products that are spent on it, at first and
# if that isn't enough; and rows for each unknown, at least.
_MOST_UNKNOWNS = 1024
_FEW_PRODUCTS, _MANY_PRODUCTS = 1 << 22, 1 << 26
_ROWS_PER_UNKNOWN = 8


def probabilities_of_others(block: RowBlock, direction: FloatArray) -> FloatArray:
    """Probabilities of the classes that aren't a row's target; zero for the target."""
    logits = matrix_product(block.design, direction)
    logits -= logits.max(axis=1, keepdims=True)
    others = np.exp(logits, out=logits)
    others /= others.sum(axis=1, keepdims=True)
    others[np.arange(len(others)), block.targets] = 0.0
    return others


@one_blas_thread()
def proves_overlap(rows: WeighedRows, direction: FloatArray, gradient: FloatArray) -> bool:
    """Whether a model proves that no direction separates classes.

    Parameters
    ----------
    rows : WeighedRows
    direction : ndarray of shape (n_unknowns, n_classes)
        The model.
    gradient : ndarray of shape (n_unknowns, n_classes)
        Of the loss of all rows, at the model.

    Returns
    -------
    bool
        If not, nothing is known.
    """
    n_unknowns, n_classes = direction.shape
    size = n_unknowns * (n_classes - 1)
    if not 0 < size <= _MOST_UNKNOWNS:
        return False
    products_of_row = n_unknowns**2 * (n_classes - 1)
    fewest = _ROWS_PER_UNKNOWN * size
    n_taken = [max(most // products_of_row, fewest) for most in (_FEW_PRODUCTS, _MANY_PRODUCTS)]
    strides = [-(-len(rows.rows) // n_rows) for n_rows in n_taken]
    rounding = rows.rounding_of_gradient(direction)
    for stride in dict.fromkeys(strides):
        if _proves(list(rows.blocks(stride)), direction, gradient, rounding):
            return True
    reduction = _find_dependent(rows)
    if reduction is None:
        return False
    # Without columns that others add up to, directions have the same margins.
    kept, dropped, sums = reduction
    reduced = direction[kept] + sums @ direction[dropped]
    for stride in dict.fromkeys(strides):
        blocks = [replace(each, design=each.design[:, kept]) for each in rows.blocks(stride)]
        if _proves(blocks, reduced, gradient[kept], rounding[kept]):
            return True
    return False


def _find_dependent(rows: WeighedRows) -> tuple[Indices, Indices, FloatArray] | None:
    """Columns that others add up to in every row; None where there are none, or not but nearly.

    Returns
    -------
    kept, dropped : ndarrays of int
    sums : ndarray of shape (n_kept, n_dropped)
        What the dropped ones are of the others.
    """
    squares = np.zeros((rows.n_unknowns, rows.n_unknowns))
    for block in rows.blocks():
        add_squares(block.design, np.ones(len(block.design)), squares)
    largest = float(squares.diagonal().max())
    _, pivots, rank, _ = dpstrf(squares, tol=_LEAST_SQUARE * largest, lower=1)
    if rank == len(squares):
        return None
    kept, dropped = np.sort(pivots[:rank] - 1), np.sort(pivots[rank:] - 1)
    sums = np.linalg.solve(squares[np.ix_(kept, kept)], squares[np.ix_(kept, dropped)])
    for block in rows.blocks():
        differences = matrix_product(block.design[:, kept], sums) - block.design[:, dropped]
        if not np.abs(differences).max() < _LARGEST_DIFFERENCE:
            return None
    return kept, dropped, sums


def _proves(
    blocks: list[RowBlock], direction: FloatArray, gradient: FloatArray, rounding: FloatArray
) -> bool:
    n_unknowns, n_classes = direction.shape
    size = n_unknowns * (n_classes - 1)
    form = np.zeros((n_classes, n_unknowns, n_classes, n_unknowns))
    for block in blocks:
        _add_form(block, probabilities_of_others(block, direction), form)
    # What adds the same to all classes changes no margin: the first one's logit is zero.
    inverse = _invert(form[1:, :, 1:].reshape(size, size))
    if inverse is None:
        return False
    slope = gradient.T[1:].ravel()
    norm = np.sqrt(max(float(slope @ inverse @ slope), 0.0))
    norm += float(np.tile(rounding, n_classes - 1) @ np.sqrt(inverse.diagonal()))
    full = np.zeros((n_classes, n_unknowns, n_classes, n_unknowns))
    full[1:, :, 1:] = inverse.reshape(n_classes - 1, n_unknowns, n_classes - 1, n_unknowns)
    reach = max(_reach(block, full) for block in blocks)
    return bool(reach * norm < _LARGEST_PRODUCT)


def _add_form(block: RowBlock, others: FloatArray, form_out: FloatArray) -> None:
    n_classes = others.shape[1]
    for target in range(n_classes):
        is_of = block.targets == target
        if not is_of.any():
            continue
        design = block.design[is_of]
        weights = others[is_of] * block.weights[is_of, None]
        for other in range(n_classes):
            if other == target:
                continue
            part = np.zeros((design.shape[1], design.shape[1]))
            add_squares(design, weights[:, other], part)
            form_out[target, :, target] += part
            form_out[other, :, other] += part
            form_out[target, :, other] -= part
            form_out[other, :, target] -= part


def _invert(form: FloatArray) -> FloatArray | None:
    """The inverse of a positive definite matrix; None where rounding may have made it one."""
    diagonal = form.diagonal()
    if not diagonal.min() > _LEAST_CURVATURE:
        return None
    scales = 1.0 / np.sqrt(diagonal)
    factor, failure = dpotrf(form * np.outer(scales, scales), lower=1, clean=1)
    if failure or not factor.diagonal().min() > _LEAST_PIVOT:
        return None
    half = dtrtri(factor, lower=1)[0] * scales
    return matrix_product(half.T, half)


def _reach(block: RowBlock, inverse: FloatArray) -> float:
    """The largest margin of a direction for which the form is 1."""
    n_classes = len(inverse)
    largest = 0.0
    for target in range(n_classes):
        design = block.design[block.targets == target]
        if not len(design):
            continue
        for other in range(n_classes):
            if other == target:
                continue
            part = (
                inverse[target, :, target]
                + inverse[other, :, other]
                - inverse[target, :, other]
                - inverse[other, :, target]
            )
            squares = np.einsum("ij,ij->i", matrix_product(design, part), design)
            largest = max(largest, float(squares.max()))
    return float(np.sqrt(largest))
