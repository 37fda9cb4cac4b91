"""The regularization path: models of the same samples for many penalties."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from .._typing import FloatArray
from .._warning import warn_caller
from ..blocks.rows import RowBlocks
from ..data.blocked import BlockedProblem
from ..data.checks import check_choice, check_flag
from ..data.problem import Penalty, Problem, make_penalty
from ..inference.degrees_of_freedom import find_degrees_of_freedom
from ..inference.separation import describe, find_separation
from ..objective.feature_sums import sum_features
from ..objective.optimality import Optimality
from ..solvers.base import SolverOptions, SolverResult, size_of
from ..solvers.finish import finish
from ..solvers.path import follow, follow_blocks
from ..solvers.registry import EXACT_NAMES, check_blocks, choose
from .classifier import SoftmaxClassifier
from .grids import check_strengths
from .on_blocks import refuse_beside_blocks
from .parameters import check_parameters

_DOUBLE = np.dtype(np.float64)


@dataclass(frozen=True, eq=False)
class SoftmaxPath:
    """Models of the same samples for many penalties.

    Attributes
    ----------
    Cs : ndarray of shape (n_cs,)
        Values of `C`, in the order in which they were given.
    coefs : ndarray of shape (n_cs, n_classes or 1, n_coefficients)
        Coefficients; one row for two classes. See `SoftmaxClassifier`.
    intercepts : ndarray of shape (n_cs, n_classes or 1)
    gaps : ndarray of shape (n_cs,)
        Proven upper bounds of ``(objective - optimum) / objective``; NaN for ``C=np.inf``.
    degrees_of_freedom : ndarray of shape (n_cs,) or None
        Effective degrees of freedom, intercepts included; see `softmax_path`.
    n_iter : ndarray of shape (n_cs,), int32
        Number of iterations.
    converged : ndarray of shape (n_cs,), bool
        Whether the tolerance was reached.
    classes : ndarray of shape (n_classes,)
        Class labels.
    feature_names : ndarray of shape (n_coefficients,), object
        Names of the coefficients; "x0", "x1" and so on if features have none.
    """

    Cs: FloatArray
    coefs: FloatArray
    intercepts: FloatArray
    gaps: FloatArray
    degrees_of_freedom: FloatArray | None
    n_iter: npt.NDArray[np.int32]
    converged: npt.NDArray[np.bool_]
    classes: npt.NDArray[Any]
    feature_names: npt.NDArray[Any]


def softmax_path(
    X: Any,
    y: Any = None,
    *,
    Cs: Any = 10,
    l1_ratio: float = 0.0,
    penalty_groups: str | None = None,
    fit_intercept: bool = True,
    solver: str = "auto",
    tol: float = 1e-4,
    gap_tol: float | None = None,
    max_iter: int | None = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    categorical_features: Any = None,
    return_degrees_of_freedom: bool = True,
    n_threads: int | None = None,
) -> SoftmaxPath:
    """Regularization path of softmax (multinomial logistic) regression.

    Models are fitted from strong to weak penalties, each beginning where the path leads.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features), or RowBlocks
        Training data.
    y : array-like of shape (n_samples,), default=None
        Class labels of at least two classes. None if X is RowBlocks, which hold the labels.
    Cs : int or array-like of shape (n_cs,), default=10
        Values of `C`, above 0. An int stands for that many values from 1e-4 to 1e4 on a logarithmic
        scale. See `SoftmaxClassifier` for the objective.
    l1_ratio : float, default=0.0
        Elastic-net mixing parameter in [0, 1]. 0 is an L2 penalty, 1 is an L1 penalty.
    penalty_groups : {None, "features"}, default=None
        What an L1 penalty is of; see `SoftmaxClassifier`. None is required with RowBlocks.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    solver : {"auto", "newton", "lbfgs"}, default="auto"
        Exact algorithm. Only "newton" supports an `l1_ratio` above 0.
    tol : float, default=1e-4
        Tolerance of the stopping criterion; see `SoftmaxClassifier`.
    gap_tol : float, default=None
        Tolerance of the duality gap, instead of `tol`; see `SoftmaxClassifier`.
    max_iter : int, default=None
        Maximum number of iterations of each fit. None means 1,000.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative sample weights. None means 1.
    class_weight : dict or "balanced", default=None
        Factors of the sample weights by class.
    categorical_features : "from_dtype" or array-like, default=None
        Columns of X that are categories; see `SoftmaxClassifier`. A sparse matrix is made of them.
    return_degrees_of_freedom : bool, default=True
        Whether to calculate degrees of freedom, which takes a pass over the samples for each value
        of `C`, by second derivatives unless ``l1_ratio=1``.
    n_threads : int, default=None
        Number of threads; see `SoftmaxClassifier`.

    Returns
    -------
    SoftmaxPath
        Coefficients, intercepts, gaps, degrees of freedom, numbers of iterations, and what has
        converged.

    Raises
    ------
    TypeError, ValueError
        If an argument is not allowed.

    See Also
    --------
    SoftmaxClassifierCV : Chooses the penalty by cross-validation.

    Notes
    -----
    The effective degrees of freedom are ``trace(inv(H + P) @ H)``, where ``H`` are the second
    derivatives of the loss and ``P`` those of the penalty, by the coefficients that are not zero
    and the intercepts [1]_. Without a penalty, that is the number of free parameters. With
    ``l1_ratio=1``, it is the number of coefficients that are not zero [2]_, of which a feature
    has at most ``n_classes - 1`` that are free, and of the intercepts. With
    ``penalty_groups="features"``, the norm of a feature's coefficients is curved too [3]_. They are
    NaN where there are more than 1,000 coefficients, of all classes, that are not zero, because
    second derivatives by them would take longer than the fits; but not with ``l1_ratio=1`` alone,
    which needs none.

    References
    ----------
    .. [1] R. J. Gray, Flexible methods for analyzing survival data using splines, with applications
       to breast cancer prognosis, Journal of the American Statistical Association 87, 1992.
    .. [2] H. Zou, T. Hastie and R. Tibshirani, On the "degrees of freedom" of the lasso, The Annals
       of Statistics 35, 2007.
    .. [3] S. Vaiter, C. Deledalle, J. Fadili, G. Peyre and C. Dossal, The degrees of freedom of
       partly smooth regularizers, Annals of the Institute of Statistical Mathematics 69, 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from softreg_fast import softmax_path
    >>> X, y = load_iris(return_X_y=True)
    >>> path = softmax_path(X, y, Cs=[0.001, 0.1, 10.0], l1_ratio=1.0)
    >>> path.coefs.shape
    (3, 3, 4)
    >>> path.degrees_of_freedom.round(1).tolist()
    [2.0, 4.0, 8.0]
    """
    strengths = check_strengths(Cs)
    check_choice("solver", solver, EXACT_NAMES)
    needs_degrees = check_flag("return_degrees_of_freedom", return_degrees_of_freedom)
    single = SoftmaxClassifier(
        C=float(strengths.max()),
        l1_ratio=l1_ratio,
        penalty_groups=penalty_groups,
        solver=solver,
        fit_intercept=fit_intercept,
        tol=tol,
        gap_tol=gap_tol,
        max_iter=max_iter,
        class_weight=class_weight,
        categorical_features=categorical_features,
        n_threads=n_threads,
    )
    parameters = check_parameters(vars(single), exact=True)
    are_blocked = isinstance(X, RowBlocks)
    needs = parameters.needs(are_blocked=are_blocked)
    if are_blocked:
        refuse_beside_blocks(y=y, sample_weight=sample_weight)
        check_blocks(solver, needs)
    problem, classes = single._make_problem(X, y, sample_weight)
    problem = problem.as_matrix()
    n_columns = single._count_columns(len(classes))
    size = size_of(problem, n_columns, is_path=True)
    chosen = choose(solver, needs, size, exact=True)
    distinct, places = np.unique(strengths, return_inverse=True)
    penalties = [
        make_penalty(C, parameters.l1_ratio, is_grouped=penalty_groups is not None)
        for C in distinct.tolist()
    ]
    options = parameters.options(chosen)
    models = _Models(problem, penalties, options, n_columns, needs_degrees=needs_degrees)
    double = problem.in_double()
    if isinstance(double, BlockedProblem):
        follow_blocks(chosen, [double], penalties, options, n_columns, models.keep)
    else:
        rows = np.arange(problem.n_samples)
        follow(chosen, double, [rows], penalties, options, n_columns, models.keep)
    models.finish(n_threads)
    _warn(models, has_gap=gap_tol is not None)
    if np.isinf(distinct[-1]):
        _warn_of_separation(models, fit_intercept=parameters.fit_intercept, n_threads=n_threads)
    return SoftmaxPath(
        strengths,
        models.coefs[places],
        models.intercepts[places],
        models.gaps[places],
        models.degrees_of_freedom[places] if needs_degrees else None,
        models.n_iterations[places],
        models.converged[places],
        classes,
        single.get_coefficient_names(),
    )


class _Models:
    """What is found for each penalty.

    Parameters
    ----------
    problem : Problem
        In the dtype that users get, without a penalty.
    penalties : sequence of Penalty
    options : SolverOptions
    n_columns : int
        Of the models.
    needs_degrees : bool
        Whether degrees of freedom are calculated.
    """

    def __init__(
        self,
        problem: Problem,
        penalties: Sequence[Penalty],
        options: SolverOptions,
        n_columns: int,
        *,
        needs_degrees: bool,
    ) -> None:
        self.problem, self._penalties, self._options = problem, penalties, options
        self._needs_degrees = needs_degrees
        self._results: dict[int, SolverResult] = {}
        n_features, n_models = problem.features.shape[1], len(penalties)
        self.coefs = np.empty((n_models, n_columns, n_features), problem.dtype)
        self.intercepts = np.empty((n_models, n_columns), problem.dtype)
        self.gaps, self.degrees_of_freedom = np.full((2, n_models), np.nan)
        self.n_iterations = np.zeros(n_models, np.int32)
        self.converged = np.zeros(n_models, bool)

    def keep(self, fold: int, number: int, result: SolverResult) -> None:
        """Keep what a solver has found for a penalty."""
        self._results[number] = result

    def finish(self, n_threads: int | None) -> None:
        """Round the models, and judge them."""
        sums = sum_features(self.problem, n_threads)
        for number, found in self._results.items():
            problem = self._penalties[number].of(self.problem)
            result = finish(problem, self._options, replace(found, sums=sums))
            weights, bias = result.model
            self.coefs[number], self.intercepts[number] = weights.T, bias
            self.gaps[number] = cast(Optimality, result.optimality).gap
            self.n_iterations[number] = result.n_iterations
            self.converged[number] = result.converged
            if self._needs_degrees:
                self.degrees_of_freedom[number] = find_degrees_of_freedom(
                    problem.in_double(),
                    sums,
                    weights.astype(_DOUBLE),
                    bias.astype(_DOUBLE),
                    fit_intercept=self._options.fit_intercept,
                    n_threads=n_threads,
                )


def _warn(models: _Models, *, has_gap: bool) -> None:
    n_failed = int((~models.converged).sum())
    if n_failed:
        tolerance = "gap_tol" if has_gap else "tol"
        warn_caller(
            f"softmax_path: {n_failed} of {len(models.converged)} fits have not converged; "
            f"increase max_iter or {tolerance}",
            ConvergenceWarning,
        )


def _warn_of_separation(models: _Models, *, fit_intercept: bool, n_threads: int | None) -> None:
    """Of the last model, which has no penalty."""
    separation = find_separation(
        models.problem.in_double(),
        models.coefs[-1].T.astype(_DOUBLE),
        models.intercepts[-1].astype(_DOUBLE),
        fit_intercept=fit_intercept,
        n_threads=n_threads,
    )
    if separation is not None:
        warn_caller(
            f"{describe(separation)}, so no finite optimum exists with C=inf; the coefficients "
            "depend on where the solver stopped: give finite Cs",
            ConvergenceWarning,
        )
