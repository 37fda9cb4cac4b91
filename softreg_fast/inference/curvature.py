"""Second derivatives of the objective at a model, where theory needs that it is at the optimum."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._typing import FloatArray
from ..data.problem import Problem
from ..data.table import Table
from ..objective.coordinates import Coordinates, choose_coordinates
from ..objective.feature_sums import sum_features
from .second_derivatives import (
    MOST_BYTES,
    Moments,
    Spectrum,
    contrasts_of,
    count_bytes,
    decompose,
    name_flat,
    sum_moments,
)
from .separation import describe, find_separation

# What names dependent features in an error: of a direction's largest component; and how many.
_SMALL_SHARE = 0.1
_MOST_NAMES = 10
# Of a Newton step from the model, in standard errors.
_LONGEST_STEP = 0.01

_NO_OPTIMUM = "so that there is no optimum"


@dataclass(frozen=True)
class Curvature:
    """Derivatives of the objective at a model that is at the optimum.

    Attributes
    ----------
    moments : Moments
        Of the loss.
    spectrum : Spectrum
        Of the second derivatives, those of the penalty included.
    root, coordinates, contrasts
        The root of the covariance, and what it is by: see `standard_errors.Estimate`.
    class_weights : ndarray of shape (n_classes,)
        Sums of the rows' weights.
    n_samples : int
        Rows.
    """

    moments: Moments
    spectrum: Spectrum
    root: FloatArray
    coordinates: Coordinates
    contrasts: FloatArray
    class_weights: FloatArray
    n_samples: int


def find_curvature(
    problem: Problem,
    weights: FloatArray,
    bias: FloatArray,
    *,
    fit_intercept: bool,
    purpose: str,
    names: Sequence[str] | None = None,
    n_threads: int | None = None,
) -> Curvature:
    """Second derivatives of the objective, where theory needs an optimum.

    Parameters
    ----------
    problem : Problem
        The rows the model was fitted to, with a convex loss and no L1 penalty; the rows' weights
        count as their numbers.
    weights : ndarray of shape (n_features, n_columns)
    bias : ndarray of shape (n_columns,)
    fit_intercept : bool
    purpose : str
        What they are for, as errors say it.
    names : sequence of str, default=None
        Of the features, if features that depend on each other are refused.
    n_threads : int or None, default=None

    Raises
    ------
    ValueError
        There is no optimum; the second derivatives are singular or too large; or the model isn't
        at the optimum.
    """
    n_features, n_columns = weights.shape
    is_penalised = problem.l2_penalty > 0.0
    contrasts = contrasts_of(n_columns, is_penalised=is_penalised)
    n_unknowns = contrasts.shape[0] * (n_features + fit_intercept)
    n_bytes = count_bytes(n_unknowns)
    if n_bytes > MOST_BYTES:
        raise ValueError(
            f"X has too many features for {purpose}: the second derivatives by {n_unknowns} "
            f"coefficients would take {n_bytes:,} bytes, and may take {MOST_BYTES:,}; use fewer "
            "features"
        )
    sums = sum_features(problem, n_threads)
    coordinates = choose_coordinates(problem, sums, fit_intercept=fit_intercept)
    if fit_intercept and not sums.class_weights.all():
        raise ValueError(
            "a class has no rows, or none with a weight: its intercept separates it from the "
            f"others, {_NO_OPTIMUM} and there are no {purpose}; give the rows and weights of fit, "
            "or leave the class out"
        )
    _refuse_separated(
        problem, weights, bias, fit_intercept=fit_intercept, purpose=purpose, n_threads=n_threads
    )
    moments = sum_moments(
        problem,
        weights,
        bias,
        coordinates,
        contrasts,
        needs_squares=is_penalised,
        n_threads=n_threads,
    )
    penalties = coordinates.penalties_of(problem.l2_penalty)
    curvature = moments.information.copy()
    curvature[np.diag_indices(n_unknowns)] += np.tile(penalties, contrasts.shape[0])
    spectrum = decompose(curvature)
    if names is not None:
        _refuse_singular(
            spectrum,
            [*names, "intercept"][: n_features + fit_intercept],
            _remedy_of_dependence(problem, fit_intercept=fit_intercept),
        )
    root = spectrum.root
    point = coordinates.point_of(weights, bias)
    gradient = moments.gradient + (contrasts @ point.T * penalties).ravel()
    step = root @ (root.T @ gradient)
    if is_penalised:
        root = _root_of_sandwich(root, moments.squares)
    _refuse_elsewhere(problem, step, root, purpose)
    return Curvature(
        moments, spectrum, root, coordinates, contrasts, sums.class_weights, problem.n_samples
    )


def _refuse_elsewhere(problem: Problem, step: FloatArray, root: FloatArray, purpose: str) -> None:
    """Raise ValueError if a model is not at the optimum, to which a step would lead."""
    deviations = np.sqrt(np.maximum(np.sum(root**2, axis=1), np.finfo(np.float64).tiny))
    distance = float(np.abs(step / deviations).max())
    if distance <= _LONGEST_STEP:
        return
    remedy = "with an exact solver and a smaller tol"
    if problem.features.dtype == np.float32:
        remedy += ", or float64, since coefficients of float32 features are rounded"
    raise ValueError(
        "the model is not at the optimum of these rows, where the theory of "
        f"{purpose} holds: a coefficient would move by {distance:.2g} of its standard error; give "
        f"the rows and weights of fit, {remedy}"
    )


def _root_of_sandwich(root: FloatArray, squares: FloatArray) -> FloatArray:
    """Of ``inv(H) @ squares @ inv(H)``, from that of ``inv(H)``."""
    values, vectors = np.linalg.eigh(root.T @ squares @ root)
    of_sandwich: FloatArray = root @ (vectors * np.sqrt(np.maximum(values, 0.0)))
    return of_sandwich


def _refuse_separated(
    problem: Problem,
    weights: FloatArray,
    bias: FloatArray,
    *,
    fit_intercept: bool,
    purpose: str,
    n_threads: int | None,
) -> None:
    """Raise ValueError where no penalty keeps coefficients of separated classes finite."""
    if problem.l2_penalty > 0.0:
        return
    separation = find_separation(
        problem, weights, bias, fit_intercept=fit_intercept, n_threads=n_threads
    )
    if separation is not None:
        raise ValueError(
            f"{describe(separation)}, {_NO_OPTIMUM} and there are no {purpose}: set a finite C"
        )


def _remedy_of_dependence(problem: Problem, *, fit_intercept: bool) -> str:
    """What to do about features that depend on each other."""
    features = problem.features
    if isinstance(features, Table) and len(features.n_categories) + fit_intercept > 1:
        return (
            "all categories of a column do so, beside an intercept or another such column; give "
            "columns of zeros and ones without one category of each, as "
            "pandas.get_dummies(X, drop_first=True, dtype=float) makes them, or set a finite C"
        )
    return "drop some, or set a finite C"


def _refuse_singular(spectrum: Spectrum, names: Sequence[str], remedy: str) -> None:
    """Raise ValueError if unknowns of these names have no standard errors."""
    if not spectrum.scales.all():
        raise ValueError(
            "a coefficient has no influence on the loss, so that it has no standard error: drop "
            "features that are constant, or set a finite C"
        )
    if not spectrum.are_flat.any():
        return
    dependent = list(dict.fromkeys(name_flat(spectrum, names, _SMALL_SHARE)))
    listed = ", ".join(dependent[:_MOST_NAMES])
    if len(dependent) > _MOST_NAMES:
        listed += f" and {len(dependent) - _MOST_NAMES} more"
    raise ValueError(
        "the second derivatives are singular, so that coefficients have no standard errors: "
        f"features depend on each other ({listed}); {remedy}"
    )
