"""What all languages need of a fitted model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from .._typing import FloatArray
from ..estimators.base import SoftmaxModel
from ..estimators.regressor import SoftmaxRegressor
from ..estimators.table_columns import is_missing
from ..objective.loss import LOSSES, NOTEBOOK_ACTIVATION

Scalar = str | int | float | None


@dataclass(frozen=True)
class Feature:
    """A column of X.

    Attributes
    ----------
    name : str
    categories : list or None
        None if it is a number. None in the list is the category of missing values.
    coefficients : ndarray of shape (n_columns,) or (n_categories, n_columns)
        float64.
    """

    name: str
    categories: list[Scalar] | None
    coefficients: FloatArray


@dataclass(frozen=True)
class LinearModel:
    """A fitted model.

    Attributes
    ----------
    classes : list
    features : list of Feature
    intercepts : ndarray of shape (n_columns,)
        float64. A single column is that of the second of two classes.
    activation : str
    """

    classes: list[Scalar]
    features: list[Feature]
    intercepts: FloatArray
    activation: str

    @property
    def is_logistic(self) -> bool:
        """Whether the softmax is taken of ``1 / (1 + exp(-logits))``, and not of the logits."""
        return self.activation == NOTEBOOK_ACTIVATION

    @property
    def n_columns(self) -> int:
        """Columns of the model."""
        return len(self.intercepts)

    def of_all_classes(self) -> "LinearModel":
        """The same model with a column for each class; that of the first of two may be zeros."""
        if self.n_columns > 1:
            return self

        def widen(array: FloatArray) -> FloatArray:
            return np.concatenate([np.zeros_like(array), array], axis=-1)

        features = [
            Feature(each.name, each.categories, widen(each.coefficients)) for each in self.features
        ]
        return LinearModel(self.classes, features, widen(self.intercepts), self.activation)


def read_model(model: Any) -> LinearModel:
    """What a fitted model is.

    Parameters
    ----------
    model : SoftmaxClassifier, SoftmaxClassifierCV, SoftmaxRegressor or LinearModel
        What is read already is returned as it is.

    Raises
    ------
    TypeError, ValueError
        It is none of this package, isn't fitted, has coefficients that aren't finite, or labels or
        categories that other languages don't have.
    """
    if isinstance(model, LinearModel):
        return model
    if isinstance(model, SoftmaxRegressor):
        if not hasattr(model, "coeffs"):
            raise NotFittedError(f"{model!r} is not fitted: call fit before exporting it")
        coef, intercept = model._coefficients(np.dtype(np.float64))
        coef, activation = coef.T, NOTEBOOK_ACTIVATION
        classes: Any = np.arange(len(intercept))
        names = [f"x{place}" for place in range(coef.shape[1])]
        all_categories: Any = [None] * len(names)
    elif isinstance(model, SoftmaxModel):
        check_is_fitted(model)
        coef, intercept = model._coefficients()
        activation, classes = model.activation_, model.classes_
        is_logistic = activation == NOTEBOOK_ACTIVATION
        if LOSSES[activation].changes_logits and (not is_logistic or len(coef) == 1):
            raise ValueError(f"activation={activation!r} can't be exported with these coefficients")
        reader = getattr(model, "_reader", None)
        if reader is None:
            names = [str(name) for name in model.get_coefficient_names()]
            all_categories = [None] * len(names)
        else:
            names, all_categories = list(reader.names), reader.categories
    else:
        raise TypeError(
            f"model is a {type(model).__name__}: it must be a fitted SoftmaxClassifier, "
            "SoftmaxClassifierCV or SoftmaxRegressor"
        )
    for name, array in [("coefficients", coef), ("intercepts", intercept)]:
        if not np.isfinite(array).all():
            raise ValueError(f"model has {name} that are not finite: it can't be exported")
    return LinearModel(
        [_scalar_of("label", label) for label in np.asarray(classes).tolist()],
        list(_features_of(names, all_categories, coef.T.astype(np.float64))),
        intercept.astype(np.float64),
        activation,
    )


def _features_of(
    names: list[str], all_categories: Any, coefficients: FloatArray
) -> Iterator[Feature]:
    place = 0
    for name, categories in zip(names, all_categories, strict=True):
        if categories is None:
            yield Feature(name, None, coefficients[place])
            place += 1
            continue
        values = [
            None if is_missing(each) else _scalar_of(f"category of {name!r}", each)
            for each in categories.tolist()
        ]
        yield Feature(name, values, coefficients[place : place + len(values)])
        place += len(values)


def _scalar_of(name: str, value: Any) -> Scalar:
    """The value, if all languages have it."""
    if isinstance(value, np.generic):
        value = value.item()
    is_known = value is None or isinstance(value, bool | int | float | str)
    if not is_known or (isinstance(value, float) and not np.isfinite(value)):
        raise ValueError(
            f"model has the {name} {value!r}, which can't be exported: it must be a string, a "
            "finite number, a boolean or None"
        )
    return str(value) if isinstance(value, str) else value
