"""What solvers return."""

from dataclasses import dataclass, field

from ..accumulator import Totals
from ..definitions import FloatArray
from ..feature_sums import FeatureSums

# Of the objective, what gradient descent may leave without a warning.
CLOSE = 0.01


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
        Whether the solver's tolerance was reached. Gradient descent doesn't know.
    stopped : bool
        Whether gradient descent has ended before its last epoch, since the objective fell too
        little.
    remaining : float
        Of gradient descent, about (objective - optimum) / objective, or a bound of it; NaN if it
        isn't known.
    sums : FeatureSums or None
        Of the problem's features.
    totals : Totals or None
        Of the model, if gradient descent knows them.
    """

    weights: FloatArray
    bias: FloatArray
    objectives: FloatArray
    converged: bool
    stopped: bool = field(default=False, kw_only=True)
    remaining: float = field(default=float("nan"), kw_only=True)
    sums: FeatureSums | None = field(default=None, kw_only=True)
    totals: Totals | None = field(default=None, kw_only=True)

    @property
    def is_close(self) -> bool:
        """Whether gradient descent has ended where it should: close to the lowest objective."""
        return self.stopped and not self.remaining > CLOSE

    @property
    def n_iterations(self) -> int:
        """Iterations or epochs."""
        return len(self.objectives)
