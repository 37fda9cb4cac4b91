"""What steps of Newton's method cost, and which kind of them suits a problem."""

from ...runtime import tuning
from ..base import Size
from ..room import has_room
from .subsample import count_rows


def derivatives_cost(size: Size) -> float:
    """Products of taking second derivatives, over those of a pass over the rows.

    Both are in proportion to the number of columns.
    """
    n_rows, n_features = size.n_dense_rows, size.n_features
    n_unknowns = n_features + 1
    n_taken = min(n_rows, count_rows(n_features))
    return n_unknowns * (n_taken / 2 + n_unknowns / 6) / (3 * n_rows)


def takes_conjugate_gradients(size: Size) -> bool:
    """Whether steps without an L1 penalty are found without second derivatives at hand."""
    if not size.is_sparse or size.is_blocked:
        return False
    most = tuning.MOST_PASSES_BESIDE_SPARSE_ONES
    if size.is_path:
        most = tuning.MOST_PASSES_BESIDE_SPARSE_PATHS
    return derivatives_cost(size) > most or not has_room(size.n_features, size.n_columns)


def fits(size: Size, l1_ratio: float) -> bool:
    """Whether what is kept of second derivatives, if there is anything, fits the memory."""
    is_kept = size.is_blocked or not (size.is_sparse or l1_ratio > 0.0)
    return not is_kept or has_room(size.n_features, size.n_columns)


def most_products(size: Size) -> float:
    """Of a pass over the rows, the products up to which steps end in time."""
    if takes_conjugate_gradients(size):  # which take as many passes as L-BFGS does
        return tuning.MOST_PRODUCTS_OF_LBFGS
    return tuning.MOST_PRODUCTS_OF_NEWTON


def relative_cost(size: Size) -> float:
    """What steps cost beside passes over the rows, over a pass; see `solvers.base.Solver`."""
    if not takes_conjugate_gradients(size):
        return derivatives_cost(size)
    # It takes more passes than L-BFGS as a rule, which go over fewer vectors of all unknowns.
    return 0.0 if size.n_dense_rows <= tuning.MOST_ELEMENTS_OF_A_RARE_FEATURE else float("inf")
