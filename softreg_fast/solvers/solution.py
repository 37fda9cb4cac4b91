"""What exact solvers return."""

from dataclasses import dataclass

from ..definitions import FloatArray


@dataclass(frozen=True)
class Solution:
    """Parameters and how good they are.

    Attributes
    ----------
    weights : ndarray of shape (n_features, n_columns), float64
    bias : ndarray of shape (n_columns,), float64
    objective : float
        The objective of the problem, divided by the sum of the rows' weights.
    gradient_norm : float
        The largest absolute component of its gradient with respect to weights and, if it was
        fitted, bias.
    n_iterations : int
    converged : bool
        Whether the gradient's norm is within the tolerance.
    """

    weights: FloatArray
    bias: FloatArray
    objective: float
    gradient_norm: float
    n_iterations: int
    converged: bool
