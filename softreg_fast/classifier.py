"""The scikit-learn estimator; parameters in, attributes out."""

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

import numpy as np
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .definitions import FloatArray, Link
from .prediction import decide, predict
from .problem import MAX_CLASSES, Problem, check_features
from .solvers.lbfgs import LbfgsSettings, minimise
from .solvers.solution import Solution
from .threads import check_n_threads
from .validation import check_choice, check_flag, check_integer, check_number

_LINKS = ("identity", "sigmoid")
_DTYPES = (np.float64, np.float32)
_MAX_ITERATIONS = 1_000
# Integers, booleans and strings are labels; of others scikit-learn has to find out, which takes
# longer than all other checks.
_KINDS_OF_LABELS = "iubUS"


def _or_as_before(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that leaves the object's attributes as they were where it raises."""

    @wraps(method)
    def restoring(self: Any, *arguments: Any, **named: Any) -> Any:
        before = vars(self).copy()
        try:
            return method(self, *arguments, **named)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return restoring


class SoftmaxClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Softmax (multinomial logistic) regression.

    Minimises, over coefficients ``W`` and intercepts ``b``, ::

        C * sum_i w[i] * loss[i] + sum(W ** 2) / 2

    where ``w`` are the rows' weights and ``loss[i] = -log(p[i, y[i]])`` with
    ``p = softmax(link(X @ W.T + b))``: the objective of `sklearn.linear_model.LogisticRegression`,
    so that `C` means the same. Two classes with the identity link share one row of coefficients.

    Parameters
    ----------
    C : float, default=1.0
        Inverse of the strength of the penalty, above 0; ``np.inf`` for none.
    link : {"identity", "sigmoid"}, default="identity"
        What is taken of the linear function before the softmax. With the sigmoid no loss can fall
        below ``log(1 + (n_classes - 1) / e)``, and the objective isn't convex.
    fit_intercept : bool, default=True
    tol : float, default=1e-4
        Stop when no component of the gradient of the objective, divided by `C` and by the sum of
        the rows' weights, is larger.
    max_iter : int, default=None
        At most so many iterations; None is 1,000.
    class_weight : dict or "balanced", default=None
        Factors of the rows' weights by class; "balanced" is inversely proportional to the classes'
        weighted numbers of rows.
    warm_start : bool, default=False
        Whether `fit` begins where the last one ended; classes that were not there begin at zero.
    n_threads : int, default=None
        How many threads share the work. None is the number of CPUs, or fewer if the environment
        variable `OMP_NUM_THREADS` says so. The result has the same bits for any number.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    coef_ : ndarray of shape (n_classes, n_features), or (1, n_features)
        One row for two classes with the identity link.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        With the identity link and several classes their mean is zero.
    n_iter_ : int
    link_ : str
        The link that was fitted.
    converged_ : bool
        Whether `tol` was reached.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If the features had names.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from softreg_fast.classifier import SoftmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> round(SoftmaxClassifier().fit(X, y).score(X, y), 2)
    0.97
    """

    classes_: Any
    coef_: FloatArray
    intercept_: FloatArray
    n_iter_: int
    link_: str
    converged_: bool

    def __init__(
        self,
        *,
        C: float = 1.0,
        link: str = "identity",
        fit_intercept: bool = True,
        tol: float = 1e-4,
        max_iter: int | None = None,
        class_weight: Any = None,
        warm_start: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.C = C
        self.link = link
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.n_threads = n_threads

    def _check_parameters(self) -> tuple[LbfgsSettings, float]:
        """Settings of the solver and strength of the penalty, from parameters that are allowed."""
        C = check_number("C", self.C, above=0.0, allow_infinity=True)
        check_choice("link", self.link, _LINKS)
        check_flag("warm_start", self.warm_start)
        check_n_threads("n_threads", self.n_threads)
        max_iter = _MAX_ITERATIONS
        if self.max_iter is not None:
            max_iter = check_integer("max_iter", self.max_iter, minimum=1)
        settings = LbfgsSettings(
            tolerance=check_number("tol", self.tol, minimum=0.0),
            max_iterations=max_iter,
            fit_intercept=check_flag("fit_intercept", self.fit_intercept),
        )
        return settings, 1.0 / C

    @_or_as_before
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        coef_init: Any = None,
        intercept_init: Any = None,
    ) -> "SoftmaxClassifier":
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            float32 and float64 arrays are not copied; others are, once.
        y : array-like of shape (n_samples,)
            Labels of at least two classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative; 1 for None. A whole number counts as so many
            repetitions of the row.
        coef_init, intercept_init : array-like, default=None
            Where to begin, in the shapes of `coef_` and `intercept_`; zero for None.

        Returns
        -------
        SoftmaxClassifier
            Itself.

        Raises
        ------
        TypeError, ValueError
            An argument is not allowed; the object is as before.
        """
        settings, l2_penalty = self._check_parameters()
        problem, classes = self._make_problem(X, y, sample_weight, l2_penalty)
        weights, bias = self._start(problem, classes, coef_init, intercept_init)
        solution = minimise(problem, settings, weights, bias, self.n_threads)
        self._keep(problem, solution, classes)
        if not solution.converged:
            warnings.warn(
                f"SoftmaxClassifier has not converged: after {solution.n_iterations} iterations "
                f"the largest component of the gradient is {solution.gradient_norm:.3g}, above "
                f"tol={self.tol!r}; increase max_iter or tol",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self

    def _make_problem(
        self, X: Any, y: Any, sample_weight: Any, l2_penalty: float
    ) -> tuple[Problem, Any]:
        """The problem and the classes, from checked input; sets what `validate_data` sets."""
        X, y = validate_data(self, X, y, dtype=_DTYPES, ensure_all_finite=False)
        if y.dtype.kind not in _KINDS_OF_LABELS:
            check_classification_targets(y)
        features = check_features("X", X, X.dtype)
        classes, targets = np.unique(y, return_inverse=True)
        if not 2 <= len(classes) <= MAX_CLASSES:
            raise ValueError(
                f"y has {len(classes)} {'class' if len(classes) == 1 else 'classes'}: "
                f"allowed are 2 to {MAX_CLASSES}"
            )
        row_weights = None
        if sample_weight is not None:
            row_weights = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        if self.class_weight is not None:
            factors = self._class_factors(classes, y, row_weights)
            row_weights = factors[targets] * (1.0 if row_weights is None else row_weights)
        if row_weights is not None and not 0 < row_weights.sum() < np.inf:
            raise ValueError(
                f"sample_weight and class_weight add up to {row_weights.sum()}: "
                "the sum must be a finite number above 0"
            )
        problem = Problem(
            features,
            targets.astype(np.int32),
            len(classes),
            cast(Link, self.link),
            np.dtype(np.float64),
            row_weights,
            l2_penalty,
        )
        return problem, classes

    def _class_factors(self, classes: Any, y: Any, row_weights: Any) -> FloatArray:
        """What `class_weight` multiplies the weights of each class's rows by."""
        with np.errstate(all="ignore"):
            factors = compute_class_weight(
                self.class_weight, classes=classes, y=y, sample_weight=row_weights
            )
        if isinstance(self.class_weight, str):
            # Of classes whose rows weigh nothing.
            factors[~np.isfinite(factors)] = 0.0
        for label, factor in zip(classes, factors, strict=True):
            if not 0 <= factor < np.inf:
                raise ValueError(
                    f"class_weight has {factor} for the class {label!r}: "
                    "it must be a finite number of at least 0"
                )
        return cast(FloatArray, factors)

    def _start(
        self, problem: Problem, classes: Any, coef_init: Any, intercept_init: Any
    ) -> tuple[FloatArray, FloatArray]:
        """Weights and bias to begin with."""
        n_columns = 1 if len(classes) == 2 and self.link == "identity" else len(classes)
        n_features = problem.features.shape[1]
        coef, intercept = np.zeros((n_columns, n_features)), np.zeros(n_columns)
        if intercept_init is not None and not self.fit_intercept:
            raise ValueError("intercept_init goes with fit_intercept=True alone: it must be None")
        if self.warm_start and hasattr(self, "coef_"):
            self._take_over(classes, coef, intercept)
            intercept *= bool(self.fit_intercept)
        for name, given, part in [
            ("coef_init", coef_init, coef),
            ("intercept_init", intercept_init, intercept),
        ]:
            if given is None:
                continue
            array = check_features(name, np.atleast_2d(given), np.dtype(np.float64))
            if array.shape != np.atleast_2d(part).shape:
                raise ValueError(
                    f"{name} has shape {np.shape(given)}: it must have the shape {part.shape}"
                )
            part[...] = array.reshape(part.shape)
        return np.ascontiguousarray(coef.T), intercept

    def _take_over(self, classes: Any, coef_out: FloatArray, intercept_out: FloatArray) -> None:
        """Fill in what the last fit has found for these classes."""
        if self.coef_.shape[1] != coef_out.shape[1]:
            raise ValueError(
                f"X has {coef_out.shape[1]} features, but warm_start=True begins with the model of "
                f"the last fit, which has {self.coef_.shape[1]}"
            )
        if np.array_equal(classes, self.classes_) and self.coef_.shape == coef_out.shape:
            coef_out[...], intercept_out[...] = self.coef_, self.intercept_
            return
        if min(len(self.coef_), len(coef_out)) == 1:
            return  # what stands for both of two classes tells nothing of others
        for row, label in enumerate(classes):
            (found,) = np.nonzero(self.classes_ == label)
            if len(found):
                coef_out[row], intercept_out[row] = self.coef_[found[0]], self.intercept_[found[0]]

    def _keep(self, problem: Problem, solution: Solution, classes: Any) -> None:
        bias = solution.bias
        if len(bias) > 1 and self.link == "identity":
            bias = bias - bias.mean()
        dtype = problem.features.dtype
        with np.errstate(all="ignore"):
            coef, intercept = np.ascontiguousarray(solution.weights.T, dtype), bias.astype(dtype)
        if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
            raise ValueError(
                f"the coefficients overflow {dtype.name}, the dtype of X: scale the features"
            )
        self.classes_ = classes
        self.coef_ = coef
        self.intercept_ = intercept
        self.n_iter_ = solution.n_iterations
        self.link_ = self.link
        self.converged_ = solution.converged

    def _check_input(self, X: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Features, not known to be finite, and weights and bias in the dtype to calculate in."""
        check_is_fitted(self)
        check_n_threads("n_threads", self.n_threads)
        features = validate_data(self, X, reset=False, dtype=_DTYPES, ensure_all_finite=False)
        dtype = np.result_type(features, self.coef_)
        return features, self.coef_.T.astype(dtype), self.intercept_.astype(dtype)

    def decision_function(self, X: Any) -> FloatArray:
        """Values whose softmax are the probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,)
            For two classes one number, above 0 where the second is the more probable.
        """
        features, weights, bias = self._check_input(X)
        if self.link_ == "identity":
            values, all_finite = decide(features, weights, bias, n_threads=self.n_threads)
        else:
            _, values, _, all_finite = predict(
                features, weights, bias, "sigmoid", keep_steps=True, n_threads=self.n_threads
            )
        if not all_finite:
            self._refuse_unbounded(features, values)
        if values.shape[1] == 1:
            return values[:, 0]
        return values[:, 1] - values[:, 0] if len(self.classes_) == 2 else values

    def _refuse_unbounded(self, features: FloatArray, results: FloatArray) -> None:
        """Raise ValueError if features aren't finite, or a result is NaN because of overflows."""
        check_features("X", features, results.dtype)
        self._refuse_overflow(results)

    def _refuse_overflow(self, results: FloatArray) -> None:
        """Raise ValueError if a result is NaN though its features are finite."""
        rows = np.isnan(results).any(axis=1)
        if rows.any():
            raise ValueError(
                f"row {rows.argmax()} of X is too large for this model: its linear function "
                f"overflows {results.dtype.name}"
            )

    def predict(self, X: Any) -> Any:
        """The most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        values = self.decision_function(X)
        return self.classes_[
            values.argmax(axis=1) if values.ndim == 2 else (values > 0).astype(int)
        ]

    def predict_proba(self, X: Any) -> FloatArray:
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        features, weights, bias = self._check_input(X)
        probabilities, _, _, all_finite = predict(
            features, weights, bias, cast(Link, self.link_), keep_steps=False,
            n_threads=self.n_threads,
        )  # fmt: skip
        if not all_finite:
            self._refuse_unbounded(features, probabilities)
        return probabilities

    def predict_log_proba(self, X: Any) -> FloatArray:
        """Logarithms of the probabilities, finite where those underflow.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        values = self.decision_function(X)
        if values.ndim == 1:
            values = np.stack([np.zeros_like(values), values], axis=1)
        with np.errstate(invalid="ignore"):
            logarithms = cast(FloatArray, log_softmax(values, axis=1))
        self._refuse_overflow(logarithms)
        return logarithms
