"""What scikit-learn has no public name for. Without these names, what needs them is left out."""

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any


def metric_of(scorer: Any) -> tuple[Callable[..., Any], Mapping[str, Any]] | None:
    """The metric of what `make_scorer` has made, and the arguments that it was given.

    None for other scorers. Metrics have to be told of all labels where a part of the rows lacks
    some. What a scorer has been made of can't be asked by public names.
    """
    metric, given = getattr(scorer, "_score_func", None), getattr(scorer, "_kwargs", None)
    if not callable(metric) or not isinstance(given, Mapping):
        return None
    return metric, given


def with_arguments(scorer: Any, arguments: Mapping[str, Any]) -> Any:
    """A copy of a scorer that `metric_of` knows, with other arguments of the metric."""
    scorer = copy.copy(scorer)
    scorer._kwargs = dict(arguments)
    return scorer


def has_callbacks(estimator: Any) -> bool:
    """Whether callbacks were set, by its `set_callbacks` or on the estimator it is a clone of.

    True if that isn't known: callbacks are told then, which takes longer where there are none.
    """
    set_callbacks = getattr(type(estimator), "set_callbacks", None)
    if set_callbacks is None:
        return False
    code = getattr(inspect.unwrap(set_callbacks), "__code__", None)
    is_known = code is not None and "_skl_callbacks" in code.co_names
    return bool(getattr(estimator, "_skl_callbacks", not is_known))


@dataclass(frozen=True)
class LogisticPath:
    """What scikit-learn's logistic regression asks of the function that fits.

    Attributes
    ----------
    X, y : array or sparse matrix
    classes : ndarray of shape (n_classes,)
    positive_class : object or None
        The class that is told from all others; None where each has its own probability.
    Cs : sequence of float
    fit_intercept : bool
    max_iter : int
    tol : float
    verbose : int
    solver : str
    coef : ndarray or None
        Initial coefficients, the intercepts as the last ones.
    class_weight : dict, "balanced" or None
    penalty : {"l1", "l2", "elasticnet", None}
    l1_ratio : float or None
    sample_weight : ndarray or None
    is_checked : bool
        Whether `X` and `y` have been checked.
    callback_context, estimator : object or None
        Whom to tell of iterations.
    """

    X: Any
    y: Any
    classes: Any
    positive_class: Any
    Cs: Any
    fit_intercept: bool
    max_iter: int
    tol: float
    verbose: int
    solver: str
    coef: Any
    class_weight: Any
    penalty: str | None
    l1_ratio: Any
    sample_weight: Any
    is_checked: bool
    callback_context: Any
    estimator: Any


_SAME_NAMES = (
    "Cs", "fit_intercept", "max_iter", "tol", "verbose", "solver", "coef", "class_weight",
    "penalty", "l1_ratio", "sample_weight",
)  # fmt: skip
_PATH, _SCORING_PATH = "_logistic_regression_path", "_log_reg_scoring_path"


def _logistic() -> Any:
    from sklearn.linear_model import _logistic

    return _logistic


def fit_by_scikit_learn(X: Any, y: Any, arguments: Mapping[str, Any]) -> Any:
    """What scikit-learn's own function gives for what `LogisticPath` describes."""
    return getattr(_logistic(), _PATH)(X, y, **arguments)


def read_logistic_path(X: Any, y: Any, arguments: Mapping[str, Any]) -> LogisticPath | None:
    """The arguments of scikit-learn's function by one set of names, whatever its version.

    None for several classes in two columns, which scikit-learn 1.7 can still be asked for.
    """
    import numpy as np

    given = inspect.signature(getattr(_logistic(), _PATH)).bind(X, y, **arguments)
    given.apply_defaults()
    known = given.arguments
    classes, positive_class = known.get("classes"), None
    if classes is None:  # before scikit-learn 1.8
        classes = np.unique(y)
        has_columns = known["multi_class"] == "multinomial"
        if has_columns and len(classes) == 2:
            return None
        if not has_columns:
            positive_class = known["pos_class"]
            positive_class = classes[1] if positive_class is None else positive_class
    return LogisticPath(
        X=X,
        y=y,
        classes=classes,
        positive_class=positive_class,
        is_checked=not known["check_input"],
        callback_context=known.get("callback_ctx"),
        estimator=known.get("estimator"),
        **{name: known[name] for name in _SAME_NAMES},
    )


def _calling(function: Any, **others: Callable[..., Any]) -> Any:
    """A function that calls others where this one calls those of these names."""
    if not set(others) <= set(function.__code__.co_names):
        raise AttributeError(f"{function.__qualname__} does not call all of {sorted(others)}")
    changed = FunctionType(
        function.__code__,
        function.__globals__ | others,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    changed.__kwdefaults__ = function.__kwdefaults__
    changed.__doc__ = function.__doc__
    return changed


def scoring_path_with(follow: Callable[..., Any]) -> Callable[..., Any] | None:
    """scikit-learn's function that fits and scores a fold, which calls another one to fit."""
    try:
        changed: Callable[..., Any] = _calling(
            getattr(_logistic(), _SCORING_PATH), **{_PATH: follow}
        )
    except AttributeError:
        return None
    return changed


def fit_with(
    fit: Any, follow: Callable[..., Any], score_fold: Callable[..., Any] | None = None
) -> Callable[..., Any] | None:
    """The method `fit` of scikit-learn's logistic regression, which calls others to fit.

    Parameters
    ----------
    fit : function
        That of `LogisticRegression` or `LogisticRegressionCV`.
    follow : callable
        Takes what `read_logistic_path` reads.
    score_fold : callable, default=None
        See `scoring_path_with`. Only for cross-validation.

    Returns
    -------
    callable or None
        None if this version of scikit-learn has no such functions.
    """
    others = {_PATH: follow} | ({} if score_fold is None else {_SCORING_PATH: score_fold})
    try:
        from sklearn.base import _fit_context

        changed = _calling(inspect.unwrap(fit), **others)
    except (AttributeError, ImportError):
        return None
    decorated: Callable[..., Any] = _fit_context(prefer_skip_nested_validation=True)(changed)
    return decorated


# What is of the process that has made it, and no data.
CALLBACKS = "_skl_callbacks"
REQUESTS = "_metadata_request"


def metadata_requests_of(estimator: Any) -> dict[str, dict[str, Any]]:
    """The metadata that each method of an estimator requests, as `set_fit_request` was given."""
    given = vars(estimator).get(REQUESTS)
    return {
        method: {name: value for name, value in own.requests.items() if value is not None}
        for method, own in (vars(given) if given is not None else {}).items()
        if getattr(own, "requests", None)
    }
