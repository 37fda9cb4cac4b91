"""Fitted pipelines without this package."""

import copy
from typing import Any

from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..estimators.base import SoftmaxModel


def to_sklearn(model: Any) -> Any:
    """A fitted model or pipeline as one of scikit-learn's own classes alone.

    Parameters
    ----------
    model : SoftmaxClassifier, SoftmaxClassifierCV, Pipeline, CalibratedClassifierCV or search
        Fitted. The last step of a pipeline, the estimator that is calibrated, or the best one of a
        search such as `GridSearchCV` is one of these too.

    Returns
    -------
    LogisticRegression, Pipeline or CalibratedClassifierCV
        See `SoftmaxClassifier.to_sklearn` for what a model becomes. A pipeline is a new one; its
        other steps are the same objects. Of a search, it is the best estimator. What was given is
        unchanged.

    Raises
    ------
    TypeError
        The model is of another class.
    ValueError
        The model can't be one of scikit-learn; see `SoftmaxClassifier.to_sklearn`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from softreg_fast import SoftmaxClassifier
    >>> from softreg_fast.export import to_sklearn
    >>> X, y = load_iris(return_X_y=True)
    >>> pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier()).fit(X, y)
    >>> to_sklearn(pipeline)[-1]
    LogisticRegression(max_iter=1000)
    """
    if isinstance(model, SoftmaxModel):
        return model.to_sklearn()
    if isinstance(model, Pipeline):
        if not model.steps:
            raise TypeError("model is a pipeline without steps: its last one must be a model")
        *before, (name, last) = model.steps
        pipeline = copy.copy(model)
        pipeline.steps = [*before, (name, to_sklearn(last))]
        return pipeline
    if isinstance(model, CalibratedClassifierCV):
        return _calibrated(model)
    if hasattr(model, "best_estimator_"):
        return to_sklearn(model.best_estimator_)
    raise TypeError(
        f"model is a {type(model).__name__}: it must be a SoftmaxClassifier or "
        "SoftmaxClassifierCV, or a fitted Pipeline, CalibratedClassifierCV or search of one"
    )


def _calibrated(model: Any) -> Any:
    check_is_fitted(model)
    calibrated = copy.copy(model)
    calibrated.calibrated_classifiers_ = []
    for each in model.calibrated_classifiers_:
        own = copy.copy(each)
        own.estimator = to_sklearn(each.estimator)
        calibrated.calibrated_classifiers_.append(own)
    calibrated.estimator = clone(calibrated.calibrated_classifiers_[0].estimator)
    return calibrated
