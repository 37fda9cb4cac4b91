"""The likelihood-ratio test of two nested models."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..blocks.rows import RowBlocks
from ..data.problem import Problem
from ..inference.fit_statistics import LikelihoodRatioTest, p_value_of
from ..inference.nesting import find_feature_outside
from .analysis import AnalysedModel


def likelihood_ratio_test(
    model: Any,
    nested_model: Any,
    X: Any,
    y: Any = None,
    *,
    X_nested: Any = None,
    sample_weight: Any = None,
) -> LikelihoodRatioTest:
    """Likelihood-ratio test of a model against one that is nested in it.

    Parameters
    ----------
    model : SoftmaxClassifier
        Fitted with ``C=np.inf``.
    nested_model : SoftmaxClassifier
        Fitted with ``C=np.inf`` to the same samples and labels, and to fewer features, or without
        an intercept.
    X : array-like or sparse matrix of shape (n_samples, n_features), or RowBlocks
        Training data of `model`, as given to `fit`.
    y : array-like of shape (n_samples,), default=None
        Class labels of both. None if X is RowBlocks, which hold the labels.
    X_nested : array-like or sparse matrix of shape (n_samples, n_features_nested), or RowBlocks, \
            default=None
        Training data of `nested_model`. None takes it from `X`: all of it if `nested_model` has as
        many features, else the columns of a data frame that have the names of its features.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights of both, as given to `fit`. They count as numbers of samples.

    Returns
    -------
    softreg_fast.inference.fit_statistics.LikelihoodRatioTest
        The statistic, degrees of freedom, p value and both log-likelihoods.

    Raises
    ------
    TypeError, ValueError
        If an argument is not allowed; if a model is not at the maximum of the likelihood of its
        samples, see `SoftmaxClassifier.fit_statistics`; or if `nested_model` is not nested in
        `model`: a feature of `X_nested` is no linear combination of those of `X`, or it has as many
        free coefficients. Of RowBlocks, names of features are compared instead.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from softreg_fast import SoftmaxClassifier, likelihood_ratio_test
    >>> X, y = load_iris(return_X_y=True)
    >>> X, y = X[50:], y[50:]  # of two kinds that overlap
    >>> model = SoftmaxClassifier(C=np.inf, tol=1e-8).fit(X[:, :2], y)
    >>> nested_model = SoftmaxClassifier(C=np.inf, tol=1e-8).fit(X[:, :1], y)
    >>> test = likelihood_ratio_test(model, nested_model, X[:, :2], y, X_nested=X[:, :1])
    >>> test.df, round(test.p_value, 2)
    (1, 0.64)
    """
    for name, each in (("model", model), ("nested_model", nested_model)):
        if not isinstance(each, AnalysedModel):
            raise TypeError(
                f"{name} is a {type(each).__name__}: it must be a fitted SoftmaxClassifier"
            )
        check_is_fitted(each)
    if not np.array_equal(model.classes_, nested_model.classes_):
        raise ValueError(
            f"nested_model has the classes {nested_model.classes_.tolist()!r}, but model has "
            f"{model.classes_.tolist()!r}: they must be the same"
        )
    if nested_model.fit_intercept and not model.fit_intercept:
        raise ValueError("nested_model has an intercept and model has none: it is not nested")
    if X_nested is None:
        X_nested = _columns_of(X, nested_model)
    method = "likelihood_ratio_test"
    problem, found = model._likelihood(method, X, y, sample_weight)
    nested_problem, nested = nested_model._likelihood(method, X_nested, y, sample_weight)
    if isinstance(X, RowBlocks) or isinstance(X_nested, RowBlocks):
        _check_blocks(model, nested_model, X, X_nested)
        if not np.array_equal(found.class_weights, nested.class_weights):
            raise ValueError("X and X_nested have other labels or weights: give the same rows")
    else:
        _check_nested(model, nested_model, problem, nested_problem)
    df = found.spectrum.rank - nested.spectrum.rank
    if df <= 0:
        raise ValueError(
            f"nested_model has {nested.spectrum.rank} free coefficients and model has "
            f"{found.spectrum.rank}: it must have fewer"
        )
    # Rounding may leave less than nothing.
    statistic = max(0.0, 2.0 * (nested.moments.loss - found.moments.loss))
    return LikelihoodRatioTest(
        statistic, df, p_value_of(statistic, df), -found.moments.loss, -nested.moments.loss
    )


def _columns_of(X: Any, nested_model: Any) -> Any:
    """What `nested_model` was fitted to, of the features of another one."""
    n_features = X.n_features if isinstance(X, RowBlocks) else np.shape(X)[1:]
    if n_features in (nested_model.n_features_in_, (nested_model.n_features_in_,)):
        return X
    names = getattr(nested_model, "feature_names_in_", None)
    if isinstance(X, RowBlocks) or names is None or not hasattr(X, "columns"):
        raise ValueError(
            "X_nested=None requires that X is a data frame with the names of the features of "
            "nested_model: give X_nested, the features it was fitted to"
        )
    is_frame_of_pandas = hasattr(X, "iloc")
    known = X.columns if is_frame_of_pandas else getattr(X, "column_names", X.columns)
    missing = [name for name in names if name not in list(known)]
    if missing:
        raise ValueError(
            f"X has no column {missing[0]!r}, which nested_model was fitted to: give X_nested"
        )
    return X[list(names)] if is_frame_of_pandas else X.select(list(names))


def _check_blocks(model: Any, nested_model: Any, X: Any, X_nested: Any) -> None:
    """Raise ValueError if names don't tell that features in blocks are nested."""
    if X is X_nested:
        return
    names, nested_names = (
        getattr(each, "feature_names_in_", None) for each in (model, nested_model)
    )
    if names is None or nested_names is None:
        raise ValueError(
            "X and X_nested have no names of features, by which rows in blocks are compared: both "
            "must have some"
        )
    outside = [name for name in nested_names if name not in list(names)]
    if outside:
        raise ValueError(f"nested_model has the feature {outside[0]!r}, which model lacks")


def _check_nested(model: Any, nested_model: Any, problem: Problem, nested_problem: Problem) -> None:
    """Raise ValueError if a feature of the nested model is no combination of those of the other."""
    outside = find_feature_outside(
        problem,
        nested_problem,
        fit_intercept=bool(model.fit_intercept),
        n_threads=model.n_threads,
    )
    if outside is not None:
        name = nested_model.get_coefficient_names()[outside]
        raise ValueError(
            f"nested_model has the feature {str(name)!r}, which is no linear combination of the "
            "features of model: it is not nested"
        )
