"""Fitted models as other packages' objects."""

from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from ..objective.loss import CONVEX_ACTIVATIONS, LOSSES
from .table_columns import is_missing, with_missing_as_nan


def to_logistic_regression(classifier: Any, C: float, l1_ratio: float) -> Any:
    """What `to_sklearn` gives, for a model that has been fitted with this penalty."""
    from sklearn.linear_model import LogisticRegression

    if not LOSSES[classifier.activation_].is_convex:
        raise ValueError(
            f"to_sklearn requires activation={CONVEX_ACTIVATIONS[0]!r}, got "
            f"activation={classifier.activation_!r}: LogisticRegression has no such model"
        )
    has_l1 = l1_ratio > 0.0
    settings: dict[str, Any] = {"l1_ratio": l1_ratio} if has_l1 else {}
    model = LogisticRegression(
        C=C,
        solver="saga" if has_l1 else "lbfgs",
        fit_intercept=classifier.fit_intercept,
        tol=classifier.tol,
        max_iter=1_000,
        class_weight=classifier.class_weight,
        **settings,
    )
    model.classes_ = classifier.classes_.copy()
    coef, intercept = classifier._coefficients()
    model.coef_, model.intercept_ = coef.copy(), intercept.copy()
    model.n_features_in_ = classifier._n_coefficients
    model.n_iter_ = np.array([np.max(classifier.n_iter_)], np.int32)
    if hasattr(classifier, "_reader"):
        return _after_encoding(classifier, model)
    if hasattr(classifier, "feature_names_in_"):
        model.feature_names_in_ = classifier.feature_names_in_.copy()
    return model


def _after_encoding(classifier: Any, model: Any) -> Any:
    """A fitted pipeline that encodes categories before the model."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    reader = classifier._reader
    names = getattr(classifier, "feature_names_in_", range(len(reader.names)))
    n_rows = max((len(each) for each in reader.of_categorical), default=1)
    are_numbers = all(each.dtype.kind in "iuf" for each in reader.of_categorical)
    is_array = are_numbers and not hasattr(classifier, "feature_names_in_")
    steps: list[tuple[str, Any, list[Any]]] = []
    columns: dict[Any, Any] = {}
    for name, categories in zip(names, reader.categories, strict=True):
        label = f"column{len(steps)}"  # names of users may be none that steps can have
        if categories is None:
            steps.append((label, "passthrough", [name]))
            columns[name] = np.zeros(n_rows)
            continue
        values = categories.astype(np.float64) if is_array else categories
        columns[name] = values[np.arange(n_rows) % len(values)]
        steps.append((label, _encoder_of(name, values), [name]))
    encoding = ColumnTransformer(steps, verbose_feature_names_out=False)
    encoding.fit(np.array(list(columns.values())).T if is_array else _frame_of(columns))
    return Pipeline([("encode", encoding), ("classify", model)])


def _encoder_of(name: Any, categories: npt.NDArray[Any]) -> Any:
    """What makes one-hot columns of a categorical column."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

    encoder = OneHotEncoder(categories=[categories], handle_unknown="ignore")
    has_missing = len(categories) > 0 and is_missing(categories[-1])
    try:
        encoder.fit(categories[:, None])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"to_sklearn is not possible: OneHotEncoder can't have the categories of {name!r}, "
            f"which are {categories.tolist()[:5]!r}"
        ) from error
    if has_missing and categories.dtype.kind == "O":  # which it knows as NaN alone
        as_nan = FunctionTransformer(with_missing_as_nan, feature_names_out="one-to-one")
        return make_pipeline(as_nan, encoder)
    return encoder


def _frame_of(columns: dict[Any, Any]) -> Any:
    """A data frame of whichever package there is."""
    try:
        return import_module("pandas").DataFrame(columns)
    except ImportError:
        lists = {name: list(values) for name, values in columns.items()}
        return import_module("polars").DataFrame(lists)
