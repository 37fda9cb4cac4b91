"""A model's loss and gradient over all rows, and how far rounding may have them off.

Sums over rows are of features less an origin: of features as they are, or about their means, which
loses fewer digits where means are large beside deviations. With an intercept both are the same
problem: the origin only moves the bias.

The errors are what rounding brings as a rule (Higham, Accuracy and stability of numerical
algorithms, 2002, chapter 3): products are wrong by a unit in the last place of their parts, which
are as large as the root mean squares of features and coefficients, and the errors of rows don't
conspire.
"""

from dataclasses import dataclass, replace

import numpy as np

from .._typing import FloatArray
from ..data.blocked import Block, BlockedProblem, BlockKind
from ..data.problem import Problem
from ..data.row_blocks import row_blocks
from ..data.tree_sums import Sums
from ..runtime.blas import matrix_product, norm
from .dense import LossAndGradient
from .loss import accurate_losses_and_gradients
from .moments import FeatureSums

_EPSILON = float(np.finfo(np.float64).eps)
# Of sums over rows: units in the last place that are lost.
_LOST_IN_SUMS = 4.0
_NUMBERS_PER_BLOCK = 1 << 18


@dataclass(frozen=True)
class BoundedEvaluation:
    """A model, its loss and the gradient, per unit of weight, and bounds of their rounding errors.

    Attributes
    ----------
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
        Of features less the origin.
    origin : ndarray of shape (n_features,)
    loss : float
    weights_gradient : ndarray of shape (n_features, n_columns)
        Of the loss, by coefficients of features less the origin.
    bias_gradient : ndarray of shape (n_columns,)
    sizes : ndarray of shape (n_features,)
        Root mean squares of the features less the origin.
    loss_error, bias_error : float
        By how much the loss and a component of the bias' gradient may be wrong; one of the
        weights' gradient by `bias_error` times the feature's size.
    logit_size : float
        About how large the parts of logits are.
    """

    weights: FloatArray
    bias: FloatArray
    origin: FloatArray
    loss: float
    weights_gradient: FloatArray
    bias_gradient: FloatArray
    sizes: FloatArray
    loss_error: float
    bias_error: float
    logit_size: float

    @property
    def gradient_of_features(self) -> FloatArray:
        """The weights' gradient, of features as they are; a new array."""
        if not self.origin.any():
            return self.weights_gradient.copy()
        return self.weights_gradient + self.origin[:, None] * self.bias_gradient

    @property
    def errors_of_features(self) -> FloatArray:
        """How much its components may be wrong, shape (n_features,)."""
        return (self.sizes + np.abs(self.origin)) * self.bias_error

    def without_bias(self) -> "BoundedEvaluation":
        """The same, if the bias is none of the unknowns."""
        return replace(self, bias_gradient=np.zeros(self.bias.shape))


def _evaluation(
    sums: FeatureSums,
    totals: LossAndGradient,
    weights: FloatArray,
    bias: FloatArray,
    origin: FloatArray,
    *,
    keeps_small_residuals: bool,
) -> BoundedEvaluation:
    total = sums.total_weight
    with np.errstate(all="ignore"):  # what overflows makes the result no number
        loss = totals.loss / total
        sizes = sums.spreads_about(origin)
        parts = sizes * np.abs(weights).max(axis=1)
        logit_size = 2.0 * norm(parts) + float(np.abs(bias).max())
        # Residuals are at most 1, and at most the loss.
        residual = min(1.0, loss)
        logit_error = _EPSILON * logit_size
        root = float(np.sqrt(residual))
        # A probability near 1, less 1, is wrong by a unit in the last place of 1.
        of_residual = root if keeps_small_residuals else 1.0
        row_error = _EPSILON * of_residual + logit_error * min(0.5, root)
        return BoundedEvaluation(
            weights,
            bias,
            origin,
            loss,
            totals.weights_gradient / total,
            totals.bias_gradient / total,
            sizes,
            _EPSILON * (of_residual + _LOST_IN_SUMS * loss) + 2.0 * logit_error * residual,
            row_error + _LOST_IN_SUMS * _EPSILON * root,
            logit_size,
        )


def bounded_evaluation(
    sums: FeatureSums, totals: LossAndGradient, weights: FloatArray, bias: FloatArray
) -> BoundedEvaluation:
    """What a pass over the rows has given for a model.

    Parameters
    ----------
    sums : FeatureSums
    totals : LossAndGradient
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    """
    origin = np.zeros(len(weights))
    return _evaluation(sums, totals, weights, bias, origin, keeps_small_residuals=False)


def evaluate_carefully(
    problem: Problem,
    sums: FeatureSums,
    weights: FloatArray,
    bias: FloatArray,
    *,
    fit_intercept: bool,
) -> BoundedEvaluation:
    """The same with fewer digits lost, which takes longer than a pass of the kernels.

    Parameters
    ----------
    problem : Problem
        With a convex loss.
    sums : FeatureSums
        Of its features.
    weights : ndarray of shape (n_features, n_columns), float64
    bias : ndarray of shape (n_columns,), float64
    fit_intercept : bool
        Whether features may be taken less their means.
    """
    origin = sums.means if fit_intercept else np.zeros(len(weights))
    # The bias about the means is a small difference of large products.
    exact = bias.astype(np.longdouble) + origin.astype(np.longdouble) @ weights
    moved = exact.astype(np.float64)
    if isinstance(problem, BlockedProblem):
        work = _SumCarefully(problem.kind, weights, moved, origin)
        totals = LossAndGradient(*problem.rows.reduce(work))
    else:
        totals = _sum_carefully(problem, weights, moved, origin)
    return _evaluation(sums, totals, weights, moved, origin, keeps_small_residuals=True)


@dataclass(frozen=True)
class _SumCarefully:
    """Of a block."""

    kind: BlockKind
    weights: FloatArray
    bias: FloatArray
    origin: FloatArray

    def __call__(self, block: Block, n_threads: int | None) -> Sums:
        problem = self.kind.problem_of(block)
        totals = _sum_carefully(problem, self.weights, self.bias, self.origin)
        return totals.loss, totals.weights_gradient, totals.bias_gradient


def _sum_carefully(
    problem: Problem, weights: FloatArray, bias: FloatArray, origin: FloatArray
) -> LossAndGradient:
    """Loss and gradient of a model of features less an origin."""
    loss = 0.0
    weights_gradient, bias_gradient = np.zeros(weights.shape), np.zeros(bias.shape)
    n_features, n_columns = weights.shape
    with np.errstate(all="ignore"):
        for rows in row_blocks(problem, n_features + 2 * n_columns, _NUMBERS_PER_BLOCK):
            features = rows.dense_features() - origin
            losses, slopes = accurate_losses_and_gradients(
                matrix_product(features, weights) + bias, rows.targets
            )
            if problem.sample_weight is not None:
                counts = rows.weights > 0.0
                features[~counts] = 0.0
                losses = np.where(counts, losses * rows.weights, 0.0)
                slopes = np.where(counts[:, None], slopes * rows.weights[:, None], 0.0)
            loss += float(losses.sum())
            weights_gradient += matrix_product(features.T, slopes)
            bias_gradient += slopes.sum(axis=0)
    return LossAndGradient(loss, weights_gradient, bias_gradient)
