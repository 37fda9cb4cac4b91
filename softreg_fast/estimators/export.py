"""Fitted models as other packages' objects."""

from importlib import import_module
from typing import Any

import numpy as np

from ..objective.loss import CONVEX_ACTIVATIONS, LOSSES


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
    from sklearn.preprocessing import OneHotEncoder

    reader = classifier._reader
    has_names = hasattr(classifier, "feature_names_in_")
    steps, rows = [], {}
    n_rows = max((len(each) for each in reader.of_categorical), default=1)
    for place, (name, categories) in enumerate(zip(reader.names, reader.categories, strict=True)):
        if categories is None:
            steps.append((name, "passthrough", [name if has_names else place]))
            rows[name] = np.zeros(n_rows)
            continue
        values = categories if has_names else categories.astype(np.float64)
        encoder = OneHotEncoder(categories=[values], handle_unknown="ignore")
        steps.append((name, encoder, [name if has_names else place]))
        rows[name] = values[np.arange(n_rows) % len(values)]
    encoding = ColumnTransformer(steps)
    encoding.fit(_frame_of(rows) if has_names else np.array(list(rows.values())).T)
    return Pipeline([("encode", encoding), ("classify", model)])


def _frame_of(columns: dict[str, Any]) -> Any:
    """A data frame of whichever package there is."""
    try:
        return import_module("pandas").DataFrame(columns)
    except ImportError:
        lists = {name: list(values) for name, values in columns.items()}
        return import_module("polars").DataFrame(lists)
