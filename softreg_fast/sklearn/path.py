"""What scikit-learn's logistic regression calls to fit, by the solvers of this package.

scikit-learn's `fit` checks parameters and data, and hands them to a function that minimizes the
objective for each of some values of `C`. The function here takes the same arguments and gives the
same results.
"""

from collections.abc import Iterator
from numbers import Integral
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_class_weight

from .._sklearn import (
    LogisticPath,
    fit_by_scikit_learn,
    read_logistic_path,
    scoring_path_with,
)
from .._typing import FloatArray, Model
from .._warning import warn_caller
from ..data.labels import encode_known
from ..data.problem import Problem, make_penalty
from ..estimators.callbacks import FitObserver, FitTasks
from ..estimators.validation import to_known
from ..objective.loss import CONVEX_ACTIVATIONS
from ..objective.optimality import Optimality, Tolerance
from ..solvers.base import SolverOptions, SolverResult, size_of
from ..solvers.finish import solve
from ..solvers.registry import AUTO, Needs, choose

ACTIVATION = CONVEX_ACTIVATIONS[0]
# Those whose objective is the one of this package. LIBLINEAR's has a penalty of the intercept.
SOLVERS = ("lbfgs", "newton-cg", "newton-cholesky", "sag", "saga")
# How scikit-learn's warnings begin, since users filter by that.
_LEADS = {
    "lbfgs": "lbfgs failed to converge",
    "newton-cg": "newton-cg failed to converge",
    "newton-cholesky": "Newton solver did not converge",
    "sag": "The max_iter was reached which means the coef_ did not converge",
    "saga": "The max_iter was reached which means the coef_ did not converge",
}
# Of the gradient, what is allowed whatever `tol` is. Where "sag" and "saga" stop, coefficients
# hardly change, and where Newton's methods stop, the gradient is far below `tol`, as a rule.
_LARGEST_GRADIENT = {"sag": 1e-5, "saga": 1e-5, "newton-cg": 1e-6, "newton-cholesky": 1e-6}
_L1_RATIOS = {"l1": 1.0, "l2": 0.0, None: 0.0}


def can_fit(solver: str, max_iter: int, sample_weight: Any, X: Any) -> bool:
    """Whether the objective is that of this package, and the data are what its kernels know.

    Parameters
    ----------
    solver : str
        scikit-learn's name of it.
    max_iter : int
        0 asks for the initial coefficients.
    sample_weight : array-like or None
        Weights below zero, or none above it, are left to scikit-learn.
    X : array or sparse matrix
        As scikit-learn has checked it: an array of another library, such as PyTorch, is left to
        scikit-learn.
    """
    if solver not in SOLVERS or max_iter < 1:
        return False
    if sample_weight is not None:
        weights = np.asarray(sample_weight, np.float64)
        if not (weights.min(initial=np.inf) >= 0.0 and weights.any()):
            return False
    return isinstance(X, np.ndarray) or issparse(X)


def _encode(
    path: LogisticPath,
) -> tuple[npt.NDArray[np.int32], int, npt.NDArray[np.float64] | None]:
    """Targets, the number of classes, and weights of the samples."""
    y, classes = np.asarray(path.y), np.asarray(path.classes)
    weights: npt.NDArray[np.float64] | None = None
    if path.sample_weight is not None:
        # A number is the weight of every sample.
        given = np.asarray(path.sample_weight, np.float64)
        weights = np.array(np.broadcast_to(given, y.shape))
    class_weight, n_classes = path.class_weight, len(classes)
    if path.positive_class is None:
        targets = encode_known("y", y, classes)
    else:
        targets, n_classes = (y == path.positive_class).astype(np.int32), 2
        if isinstance(class_weight, str):  # of the two that remain
            classes, y = np.array([0, 1], np.int32), targets
    if class_weight is not None:
        factors = compute_class_weight(class_weight, classes=classes, y=y, sample_weight=weights)
        factors = factors[np.searchsorted(classes, y)]
        weights = factors if weights is None else weights * factors
    return targets, n_classes, weights


def _strengths_of(path: LogisticPath) -> FloatArray:
    """The values of `C`."""
    if isinstance(path.Cs, Integral):
        return np.logspace(-4, 4, int(path.Cs))
    return np.array(path.Cs)


def _l1_ratio_of(path: LogisticPath) -> float:
    return float(_L1_RATIOS.get(path.penalty, path.l1_ratio))


def _tolerance_of(path: LogisticPath) -> Tolerance:
    """Of the gradient."""
    return Tolerance(min(float(path.tol), _LARGEST_GRADIENT.get(path.solver, np.inf)), None)


def _start_of(path: LogisticPath, n_features: int, n_columns: int) -> Model:
    """Weights and bias to begin with."""
    weights, bias = np.zeros((n_features, n_columns)), np.zeros(n_columns)
    if path.coef is None:
        return weights, bias
    given = np.atleast_2d(np.asarray(path.coef, np.float64))
    expected = (n_columns, n_features + path.fit_intercept)
    if given.shape != expected:
        raise ValueError(
            f"Initialization coef is of shape {np.shape(path.coef)}, expected shape {expected}"
        )
    weights[...] = given[:, :n_features].T
    if path.fit_intercept:
        bias[...] = given[:, n_features]
    return weights, bias


def _attributes_of(model: Model, dtype: np.dtype) -> dict[str, Any]:
    weights, bias = model
    return {"coef_": weights.T.astype(dtype), "intercept_": bias.astype(dtype)}


def _observer_of(path: LogisticPath, dtype: np.dtype) -> FitObserver:
    metadata = {} if path.sample_weight is None else {"sample_weight": path.sample_weight}
    tasks = FitTasks(path.callback_context, path.estimator, path.X, path.y, metadata)
    return FitObserver(
        int(path.verbose),
        tasks,
        lambda model: _attributes_of(model, dtype),
        "LogisticRegression",
    )


def _warn(path: LogisticPath, result: SolverResult) -> None:
    """Say that a fit has not converged."""
    lead = _LEADS[path.solver]
    remedy = "Increase the number of iterations (max_iter) or tol, or scale the data"
    if result.n_iterations < path.max_iter:
        remedy = "Rounding allows no further progress: scale the data, or increase tol"
    norm = cast(Optimality, result.optimality).gradient_norm
    warn_caller(
        f"{lead} after {result.n_iterations} iterations: the largest component of the gradient "
        f"is {norm:.3g}, and tol={path.tol!r}. {remedy}.",
        ConvergenceWarning,
    )


def _follow(path: LogisticPath) -> Iterator[tuple[SolverResult, FloatArray]]:
    """The fit of each `C`, and its coefficients with the intercepts as the last ones."""
    features = to_known("X", path.X)
    features = features.tocsr() if issparse(features) else features
    targets, n_classes, weights = _encode(path)
    dtype = features.dtype
    problem = Problem(features, targets, n_classes, ACTIVATION, dtype, weights)
    l1_ratio = _l1_ratio_of(path)
    n_columns = 1 if n_classes == 2 else n_classes
    options = SolverOptions(_tolerance_of(path), int(path.max_iter), bool(path.fit_intercept))
    solver = choose(AUTO, Needs(ACTIVATION, l1_ratio), size_of(problem, n_columns), exact=True)
    model = _start_of(path, features.shape[1], n_columns)
    for C in _strengths_of(path):
        penalised = make_penalty(float(C), l1_ratio).of(problem)
        with _observer_of(path, dtype) as told:
            observer = told if told.is_needed else None
            result = solve(solver, penalised, options, model, observer)
            told.finish(cast(Optimality, result.optimality).gap)
        if not (result.converged or result.was_interrupted):
            _warn(path, result)
        if result.n_iterations:  # otherwise the same bits
            model = result.model
        weights_found, bias = model
        found = [weights_found.T, bias[:, None]] if path.fit_intercept else [weights_found.T]
        yield result, np.hstack(found).astype(dtype, copy=False)


def logistic_regression_path(X: Any, y: Any, **arguments: Any) -> Any:
    """Minimize the objective for some values of `C`, each from the solution of the one before.

    Parameters
    ----------
    X, y : array or sparse matrix
    **arguments : dict
        Those of scikit-learn's function.

    Returns
    -------
    coefs : ndarray of shape (n_cs, n_classes, n_features + fit_intercept), or \
            (n_cs, n_features + fit_intercept) for two classes
    Cs : ndarray of shape (n_cs,)
    n_iter : ndarray of shape (n_cs,)
    """
    path = read_logistic_path(X, y, arguments)
    if path is None or not (
        path.is_checked and can_fit(path.solver, path.max_iter, path.sample_weight, path.X)
    ):
        return fit_by_scikit_learn(X, y, arguments)
    coefs, n_iter = [], []
    for result, found in _follow(path):
        coefs.append(found[0] if len(found) == 1 else found)
        n_iter.append(result.n_iterations)
    return np.array(coefs), _strengths_of(path), np.array(n_iter, np.int32)


_score_fold = scoring_path_with(logistic_regression_path)


def score_fold(*arguments: Any, **named: Any) -> Any:
    """Fit and score a fold; a function of a module, so that other processes can import it."""
    assert _score_fold is not None
    return _score_fold(*arguments, **named)
