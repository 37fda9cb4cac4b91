"""Fitted models as other packages' objects."""

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
    model.n_features_in_ = classifier.n_features_in_
    model.n_iter_ = np.array([np.max(classifier.n_iter_)], np.int32)
    if hasattr(classifier, "feature_names_in_"):
        model.feature_names_in_ = classifier.feature_names_in_.copy()
    return model
