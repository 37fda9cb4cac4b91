r"""Average marginal effects of the features, with standard errors by the delta method.

The marginal effect of a feature on the probability of a class is the derivative of the probability
by the feature, ``p_k * (b_kf - sum_j p_j * b_jf)``, averaged over the rows (Greene, Econometric
analysis, 2012, 18.2; what statsmodels' ``get_margeff(at="overall")`` gives). The effect of a
category is the discrete change of the probability, from the column's first category to it, averaged
over the rows with all else as it is. The rows are taken as fixed: the covariance of the effects is
that of the coefficients between their derivatives by the coefficients.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from .._typing import FloatArray
from ..data.problem import Problem
from ..data.row_blocks import row_blocks
from ..data.table import Table
from ..data.tree_sums import Sums
from ..objective.coordinates import Coordinates
from ..objective.loss import of_all_classes
from .class_tables import ClassTables, columns_of_estimates
from .second_derivatives import NUMBERS_PER_BLOCK, scale_features, scaled_features, sum_over_rows
from .standard_errors import Estimate, wald_statistics


@dataclass(frozen=True, eq=False)
class MarginalEffects(ClassTables):
    """Average marginal effects on the probabilities; ``print`` shows a table.

    All arrays are of shape (n_classes, n_coefficients), float64. The effects on all classes add up
    to zero.

    Attributes
    ----------
    classes : tuple
        What the rows are of: all classes.
    names : tuple of str
        Of the columns.
    effects : ndarray
        Averages over the rows of the derivative of a class's probability by a feature; of a
        category, those of the change from the first category of its column, whose own effects are
        zero.
    std_err : ndarray
    z : ndarray
        The first over the second.
    p_value : ndarray
        Of an effect of zero, two-sided, by the normal distribution.
    lower, upper : ndarrays
        Limits of a confidence interval.
    confidence : float
    kind : {"information", "sandwich"}
        Where the covariance of the coefficients is from.
    """

    classes: tuple[Any, ...]
    names: tuple[str, ...]
    effects: FloatArray
    std_err: FloatArray
    z: FloatArray
    p_value: FloatArray
    lower: FloatArray
    upper: FloatArray
    confidence: float
    kind: str

    def _titles(self) -> list[str]:
        return [f"probability of class {label}" for label in self.classes]

    def _columns(self) -> list[tuple[str, str, FloatArray]]:
        return [("effect", "effect", self.effects), *columns_of_estimates(self)]

    def _note(self) -> str:
        return f"averages over the rows; standard errors: {self.kind}"


@dataclass(frozen=True)
class _SumEffects:
    """Sums effects over rows, and what their derivatives by the unknowns are made of.

    Attributes
    ----------
    weights, bias
        Of all classes.
    contrasts : ndarray of shape (n_contrasts, n_classes)
    coordinates : Coordinates
    groups : tuple of ndarray of int
        Columns of the categories of each categorical column.
    """

    weights: FloatArray
    bias: FloatArray
    contrasts: FloatArray
    coordinates: Coordinates
    groups: tuple[npt.NDArray[np.int64], ...]

    def __call__(self, problem: Problem) -> Sums:
        """The sums over the rows of a problem in memory."""
        n_features, n_classes = self.weights.shape
        n_contrasts, size = len(self.contrasts), self.coordinates.n_unknowns
        n_effects, n_unknowns = n_classes * n_features, n_contrasts * size
        effects = np.zeros((n_classes, n_features))
        own = np.zeros((n_effects, size))
        by_mean = np.zeros((n_effects, n_unknowns))
        by_others = np.zeros((n_classes * size, n_contrasts * n_features))
        slopes = np.zeros((n_classes, n_contrasts))
        n_categories = sum(len(group) for group in self.groups)
        changes = np.zeros((n_categories, n_classes))
        of_changes = np.zeros((n_categories, n_classes * n_contrasts, size))
        n_numbers = n_effects + n_unknowns + n_classes * size + n_contrasts * n_features
        for rows in row_blocks(problem, n_numbers, NUMBERS_PER_BLOCK):
            block, scaled = scaled_features(rows, self.coordinates)
            n_rows, row_weights = len(block), rows.weights[:, None]
            probabilities = softmax(block @ self.weights + self.bias, axis=1)
            mixed = probabilities @ self.contrasts.T
            # What a class's coefficients have beyond the mean of the classes.
            beyond = self.weights.T - (probabilities @ self.weights.T)[:, None, :]
            of_rows = probabilities[:, :, None] * beyond
            flat = of_rows.reshape(n_rows, n_effects) * row_weights
            effects += flat.sum(axis=0).reshape(n_classes, n_features)
            own += flat.T @ scaled
            by_mean += flat.T @ (mixed[:, :, None] * scaled[:, None, :]).reshape(n_rows, n_unknowns)
            of_classes = (probabilities * row_weights)[:, :, None] * scaled[:, None, :]
            of_contrasts = np.matmul(self.contrasts, of_rows).reshape(n_rows, -1)
            by_others += of_classes.reshape(n_rows, n_classes * size).T @ of_contrasts
            slopes += self._slopes(probabilities, row_weights).sum(axis=0)
            place = 0
            for group in self.groups:
                for column in group:
                    changed = block.copy()
                    changed[:, group] = 0.0
                    changed[:, column] = 1.0
                    probabilities = softmax(changed @ self.weights + self.bias, axis=1)
                    changes[place] += rows.weights @ probabilities
                    flat = self._slopes(probabilities, row_weights).reshape(n_rows, -1)
                    of_changes[place] += flat.T @ scale_features(changed, self.coordinates)
                    place += 1
        return effects, own, by_mean, by_others, slopes, changes, of_changes

    def _slopes(self, probabilities: FloatArray, row_weights: FloatArray) -> FloatArray:
        """Derivatives of probabilities by the contrasts, (n_rows, n_classes, n_contrasts)."""
        mixed = probabilities @ self.contrasts.T
        slopes: FloatArray = (probabilities * row_weights)[:, :, None] * (
            self.contrasts.T - mixed[:, None, :]
        )
        return slopes


def _category_groups(features: Any) -> tuple[npt.NDArray[np.int64], ...]:
    """Columns of the categories of each categorical column."""
    if not isinstance(features, Table):
        return ()
    places = np.argsort(features.order)
    bounds = np.cumsum([len(features.numbers), *features.n_categories])
    return tuple(places[start:stop] for start, stop in pairwise(bounds))


def find_marginal_effects(
    problem: Problem, estimate: Estimate, confidence: float, n_threads: int | None = None
) -> MarginalEffects:
    """Averages over the rows of a problem, by their weights.

    Parameters
    ----------
    problem : Problem
    estimate : Estimate
    confidence : float
        Of the intervals, above 0 and below 1.
    n_threads : int or None, default=None
    """
    weights, contrasts = of_all_classes(estimate.weights), estimate.contrasts
    if estimate.n_columns == 1:
        contrasts = np.array([[0.0, 1.0]])
    bias = of_all_classes(estimate.bias[None, :])[0]
    groups = _category_groups(problem.features)
    work = _SumEffects(weights, bias, contrasts, estimate.coordinates, groups)
    sums = sum_over_rows(problem, work, n_threads)
    effects, jacobian = _assemble(work, tuple(each / problem.total_weight for each in sums))
    errors = np.sqrt(np.sum((jacobian @ estimate.root) ** 2, axis=1)).reshape(effects.shape)
    return MarginalEffects(
        estimate.classes,
        estimate.names,
        effects,
        errors,
        *wald_statistics(effects, errors, confidence),
        confidence,
        estimate.kind,
    )


def _assemble(work: _SumEffects, means: Sums) -> tuple[FloatArray, FloatArray]:
    """Effects, and their derivatives by the unknowns."""
    effects, own, by_mean, by_others, slopes, changes, of_changes = means
    n_features, n_classes = work.weights.shape
    n_contrasts, size = len(work.contrasts), work.coordinates.n_unknowns
    shape = n_classes, n_features, n_contrasts, size
    by_others = by_others.reshape(n_classes, size, n_contrasts, n_features)
    jacobian = -by_mean.reshape(shape) - by_others.transpose(0, 3, 2, 1)
    own = own.reshape(n_classes, n_features, 1, size)
    jacobian += own * work.contrasts.T[:, None, :, None]
    features = np.arange(n_features)
    jacobian[:, features, :, features] += slopes / work.coordinates.scales[:, None, None]
    of_changes = of_changes.reshape(-1, n_classes, n_contrasts, size)
    first = 0
    for group in work.groups:
        own_rows = np.s_[first : first + len(group)]
        effects[:, group] = (changes[own_rows] - changes[first]).T
        differences = of_changes[own_rows] - of_changes[first]
        jacobian[:, group] = differences.transpose(1, 0, 2, 3)
        first += len(group)
    return effects, jacobian.reshape(n_classes * n_features, n_contrasts * size)
