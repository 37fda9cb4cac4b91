"""Standard errors of the coefficients, by the second derivatives at the optimum.

Without a penalty, coefficients are contrasts to the first class, and their covariance is the
inverse of the information (McCullagh and Nelder, Generalized linear models, 1989, 5.2; what
statsmodels' `MNLogit` gives). With an L2 penalty, which treats all classes alike, the covariance is
the sandwich ``inv(H) @ S @ inv(H)``, where ``H`` are the second derivatives of the penalised
objective and ``S`` the rows' weighted squares of the loss' derivatives (White, Maximum likelihood
estimation of misspecified models, 1982): it is that of the estimates about the penalised optimum,
and says nothing of how far the penalty has drawn that towards zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh
from scipy.special import log_ndtr, ndtri

from .._typing import FloatArray
from ..data.blocked import Block, BlockedProblem, BlockKind
from ..data.problem import Problem
from ..data.row_blocks import row_blocks
from ..data.tree_sums import Sums
from ..objective.coordinates import Coordinates, choose_coordinates
from ..objective.feature_sums import sum_features
from ..objective.loss import probabilities_of_columns
from .separation import describe, find_separation

_NUMBERS_PER_BLOCK = 1 << 20
_MOST_BYTES = 1 << 28
# Of the information in scaled features, the smallest eigenvalue over the largest.
_LEAST_EIGENVALUE = 1e-12
# What names dependent features in an error: of a direction's largest component; and how many.
_SMALL_SHARE = 0.1
_MOST_NAMES = 10
# Of a Newton step from the model, in standard errors.
_LONGEST_STEP = 0.01


@dataclass(frozen=True)
class Summary:
    """Coefficients and how sure they are; ``print`` shows a table.

    All arrays are of shape (n_rows, n_features + 1), the intercept first, where there is one. A row
    is a class compared with the first one without a penalty, else a class; or, of two classes, the
    second.

    Attributes
    ----------
    classes : tuple
        What the rows are of.
    reference : object or None
        The class they are compared with.
    names : tuple of str
        Of the columns.
    coef, std_err : ndarrays
    z : ndarray
        The first over the second.
    p_value : ndarray
        Of a coefficient of zero, two-sided, by the normal distribution.
    lower, upper : ndarrays
        Limits of a confidence interval.
    confidence : float
    kind : {"information", "sandwich"}
        Where the standard errors are from.
    """

    classes: tuple[Any, ...]
    reference: Any
    names: tuple[str, ...]
    coef: FloatArray
    std_err: FloatArray
    z: FloatArray
    p_value: FloatArray
    lower: FloatArray
    upper: FloatArray
    confidence: float
    kind: str

    def __str__(self) -> str:
        width = max(9, *(len(name) for name in self.names)) + 2
        low, high = 50.0 * (1.0 - self.confidence), 50.0 * (1.0 + self.confidence)
        heads = ("coef", "std err", "z", "p", f"{low:.4g} %", f"{high:.4g} %")
        lines = []
        for place, label in enumerate(self.classes):
            title = f"class {label}"
            if self.reference is not None:
                title += f" against {self.reference}"
            lines += [title, " " * width + "".join(f"{head:>11}" for head in heads)]
            columns = (self.coef, self.std_err, self.z, self.p_value, self.lower, self.upper)
            for column, name in enumerate(self.names):
                values = "".join(f"{values[place, column]:>11.4g}" for values in columns)
                lines.append(f"{name:<{width}}{values}")
        lines.append(f"standard errors: {self.kind}")
        return "\n".join(lines)


_NO_OPTIMUM = "so that there is no optimum and there are no standard errors"


def summarise(
    problem: Problem,
    weights: FloatArray,
    bias: FloatArray,
    *,
    fit_intercept: bool,
    classes: Sequence[Any],
    names: Sequence[str],
    confidence: float,
    n_threads: int | None = None,
) -> Summary:
    """Standard errors of a model at its optimum.

    Parameters
    ----------
    problem : Problem
        The rows it was fitted to, with a convex loss and no L1 penalty; the rows' weights count
        as their numbers.
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    fit_intercept : bool
    classes, names : sequences
        Of the classes and of the features.
    confidence : float
        Of the intervals, above 0 and below 1.
    n_threads : int or None, default=None

    Returns
    -------
    Summary

    Raises
    ------
    ValueError
        There is no optimum; the second derivatives are singular or too large; or the model isn't
        at the optimum.
    """
    n_features, n_columns = weights.shape
    is_penalised = problem.l2_penalty > 0.0
    contrasts = _contrasts(n_columns, is_penalised=is_penalised)
    n_unknowns = contrasts.shape[0] * (n_features + fit_intercept)
    n_bytes = 8 * n_unknowns**2
    if n_bytes > _MOST_BYTES:
        raise ValueError(
            f"X has too many features for standard errors: the second derivatives by {n_unknowns} "
            f"coefficients would take {n_bytes:,} bytes, and may take {_MOST_BYTES:,}; use fewer "
            "features"
        )
    sums = sum_features(problem, n_threads)
    coordinates = choose_coordinates(problem, sums, fit_intercept=fit_intercept)
    if fit_intercept and not sums.class_weights.all():
        raise ValueError(
            "a class has no rows, or none with a weight: its intercept separates it from the "
            f"others, {_NO_OPTIMUM}; give the rows and weights of fit, or leave the class out"
        )
    _refuse_separated(problem, weights, bias, fit_intercept=fit_intercept, n_threads=n_threads)
    work = _SumMoments(weights, bias, coordinates, contrasts)
    if isinstance(problem, BlockedProblem):
        moments = _Moments(*problem.rows.reduce(_OfBlock(problem.kind, work), n_threads))
    else:
        moments = _Moments(*work(problem))
    penalties = coordinates.penalties_of(problem.l2_penalty)
    curvature = moments.information.copy()
    curvature[np.diag_indices(n_unknowns)] += np.tile(penalties, contrasts.shape[0])
    inverse = _invert(curvature, [*names, "intercept"][: n_features + fit_intercept])
    covariance = inverse
    if is_penalised:
        covariance = inverse @ moments.squares @ inverse
    point = coordinates.point_of(weights, bias)
    gradient = moments.gradient + (contrasts @ point.T * penalties).ravel()
    deviations = np.sqrt(np.maximum(covariance.diagonal(), np.finfo(np.float64).tiny))
    step = float(np.abs(inverse @ gradient / deviations).max())
    if step > _LONGEST_STEP:
        remedy = "with an exact solver and a smaller tol"
        if problem.features.dtype == np.float32:
            remedy += ", or float64, since coefficients of float32 features are rounded"
        raise ValueError(
            "the model is not at the optimum of these rows, where the theory of standard errors "
            f"holds: a coefficient would move by {step:.2g} of its standard error; give the rows "
            f"and weights of fit, {remedy}"
        )
    return _tabulate(
        weights, bias, coordinates, contrasts, covariance, classes, names, confidence, is_penalised
    )


def _refuse_separated(
    problem: Problem,
    weights: FloatArray,
    bias: FloatArray,
    *,
    fit_intercept: bool,
    n_threads: int | None,
) -> None:
    """Raise ValueError where no penalty keeps coefficients of separated classes finite."""
    if problem.l2_penalty > 0.0:
        return
    separation = find_separation(
        problem, weights, bias, fit_intercept=fit_intercept, n_threads=n_threads
    )
    if separation is not None:
        raise ValueError(f"{describe(separation)}, {_NO_OPTIMUM}: set a finite C")


def _contrasts(n_columns: int, *, is_penalised: bool) -> FloatArray:
    """Of classes, rows to which a model's columns are reduced; orthonormal with a penalty."""
    if n_columns == 1:
        return np.ones((1, 1))
    if not is_penalised:
        return np.eye(n_columns)[1:]
    differences = np.eye(n_columns) - 1.0 / n_columns
    directions: FloatArray = np.linalg.svd(differences)[0][:, : n_columns - 1].T
    return directions


@dataclass(frozen=True)
class _Moments:
    """Sums over the rows, by all coordinates of the contrasts.

    Attributes
    ----------
    information, squares : ndarrays of shape (n_unknowns, n_unknowns)
        Second derivatives of the loss, and squares of its derivatives.
    gradient : ndarray of shape (n_unknowns,)
    """

    information: FloatArray
    squares: FloatArray
    gradient: FloatArray


@dataclass(frozen=True)
class _SumMoments:
    """Sums the moments of a model over rows; see `_Moments`."""

    weights: FloatArray
    bias: FloatArray
    coordinates: Coordinates
    contrasts: FloatArray

    def __call__(self, problem: Problem) -> Sums:
        """The sums over the rows of a problem in memory."""
        return _sum_moments(problem, self.weights, self.bias, self.coordinates, self.contrasts)


@dataclass(frozen=True)
class _OfBlock:
    """The same over a block."""

    kind: BlockKind
    work: _SumMoments

    def __call__(self, block: Block, n_threads: int | None) -> Sums:
        return self.work(self.kind.problem_of(block))


def _sum_moments(
    problem: Problem,
    weights: FloatArray,
    bias: FloatArray,
    coordinates: Coordinates,
    contrasts: FloatArray,
) -> Sums:
    n_features = len(coordinates.scales)
    size = n_features + coordinates.fit_intercept
    n_unknowns = len(contrasts) * size
    information, squares = np.zeros((2, n_unknowns, n_unknowns))
    gradient = np.zeros(n_unknowns)
    for rows in row_blocks(problem, n_unknowns + size, _NUMBERS_PER_BLOCK):
        block, row_weights, targets = rows.dense_features(), rows.weights, rows.targets
        logits = block @ weights + bias
        scaled = np.ones((len(block), size))
        scaled[:, :n_features] = (block - coordinates.means) / coordinates.scales
        probabilities = probabilities_of_columns(logits)
        if logits.shape[1] == 1:
            residuals = probabilities - targets[:, None]
        else:
            residuals = probabilities.copy()
            residuals[np.arange(len(block)), targets] -= 1.0
        # Of the contrasts: diag(p) - outer(p, p) between its rows.
        mixed = probabilities @ contrasts.T
        outer = mixed[:, :, None] * scaled[:, None, :]
        outer = outer.reshape(len(block), n_unknowns)
        information -= (outer * row_weights[:, None]).T @ outer
        for first in range(len(contrasts)):
            for second in range(len(contrasts)):
                own = probabilities @ (contrasts[first] * contrasts[second]) * row_weights
                place = np.s_[
                    first * size : (first + 1) * size, second * size : (second + 1) * size
                ]
                information[place] += (scaled * own[:, None]).T @ scaled
        slopes = (residuals @ contrasts.T)[:, :, None] * scaled[:, None, :]
        slopes = slopes.reshape(len(block), n_unknowns)
        squares += (slopes * row_weights[:, None]).T @ slopes
        gradient += row_weights @ slopes
    return information, squares, gradient


def _invert(matrix: FloatArray, names: Sequence[str]) -> FloatArray:
    """The inverse of symmetric second derivatives, by unknowns of these names for each contrast.

    Raises
    ------
    ValueError
        They are singular.
    """
    scales = np.sqrt(np.maximum(matrix.diagonal(), 0.0))
    if not scales.all():
        raise ValueError(
            "a coefficient has no influence on the loss, so that it has no standard error: drop "
            "features that are constant, or set a finite C"
        )
    values, vectors = eigh(matrix / np.outer(scales, scales))
    if values[0] <= _LEAST_EIGENVALUE * values[-1]:
        flat = np.abs(vectors[:, values <= _LEAST_EIGENVALUE * values[-1]])
        places = np.nonzero((flat > _SMALL_SHARE * flat.max(axis=0)).any(axis=1))[0] % len(names)
        dependent = [names[place] for place in np.unique(places)]
        listed = ", ".join(dependent[:_MOST_NAMES])
        if len(dependent) > _MOST_NAMES:
            listed += f" and {len(dependent) - _MOST_NAMES} more"
        raise ValueError(
            "the second derivatives are singular, so that coefficients have no standard errors: "
            f"features depend on each other ({listed}); drop some, or set a finite C"
        )
    inverse: FloatArray = (vectors / values) @ vectors.T / np.outer(scales, scales)
    return inverse


def _tabulate(
    weights: FloatArray,
    bias: FloatArray,
    coordinates: Coordinates,
    contrasts: FloatArray,
    covariance: FloatArray,
    classes: Sequence[Any],
    names: Sequence[str],
    confidence: float,
    is_penalised: bool,
) -> Summary:
    n_features, n_columns = weights.shape
    fit_intercept = coordinates.fit_intercept
    size = n_features + fit_intercept
    # Rows that are shown, of the contrasts; and what is shown of a row's coordinates.
    to_classes = contrasts.T if is_penalised else np.eye(len(contrasts))
    to_columns = np.zeros((size, size))
    features = np.arange(n_features)
    to_columns[features + fit_intercept, features] = 1.0 / coordinates.scales
    if fit_intercept:
        to_columns[0, :n_features] = -coordinates.means / coordinates.scales
        to_columns[0, n_features] = 1.0
    blocks = covariance.reshape(len(contrasts), size, len(contrasts), size)
    shown = np.einsum("ka,afbg,kb->kfg", to_classes, blocks, to_classes, optimize=True)
    variances = np.einsum("cf,kfg,cg->kc", to_columns, shown, to_columns, optimize=True)
    model = weights.T
    if fit_intercept:
        model = np.column_stack([bias, model])
    reference = None
    rows = tuple(classes)
    if n_columns == 1:
        rows, reference = rows[1:], rows[0]
    elif not is_penalised:
        model = model[1:] - model[0]
        rows, reference = rows[1:], rows[0]
    errors = np.sqrt(variances)
    z = model / errors
    reach = float(ndtri(0.5 + 0.5 * confidence)) * errors
    return Summary(
        rows,
        reference,
        (("intercept",) if fit_intercept else ()) + tuple(names),
        model,
        errors,
        z,
        2.0 * np.exp(log_ndtr(-np.abs(z))),
        model - reach,
        model + reach,
        confidence,
        "sandwich" if is_penalised else "information",
    )
