"""What solvers return."""

from dataclasses import dataclass

from ..definitions import FloatArray


@dataclass(frozen=True)
class Solution:
    """Parameters and the way there.

    Attributes
    ----------
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    objectives : ndarray of shape (n_iterations,)
        The objective after each iteration, divided by the sum of the rows' weights; of gradient
        descent with the losses as the rows were met.
    converged : bool
        Whether the solver's tolerance was reached.
    """

    weights: FloatArray
    bias: FloatArray
    objectives: FloatArray
    converged: bool

    @property
    def n_iterations(self) -> int:
        """Iterations or epochs."""
        return len(self.objectives)
