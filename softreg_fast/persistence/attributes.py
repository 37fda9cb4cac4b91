"""Fitted attributes of each class, and what they must be."""

import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..estimators.base import SoftmaxModel
from ..estimators.classifier import SoftmaxClassifier
from ..estimators.classifier_cv import SoftmaxClassifierCV
from ..estimators.regressor import SoftmaxRegressor
from ..objective.loss import ACTIVATIONS

Check = Callable[[Any], bool]


def _is_array(kinds: str, n_dimensions: int) -> Check:
    """Whether it is an array of some kinds of dtypes."""
    return lambda value: (
        isinstance(value, np.ndarray) and value.ndim == n_dimensions and value.dtype.kind in kinds
    )


def _is_model(n_dimensions: int) -> Check:
    """Whether it is an array that kernels know, of finite numbers."""
    return lambda value: (
        isinstance(value, np.ndarray)
        and value.ndim == n_dimensions
        and value.dtype.kind == "f"
        and value.dtype.itemsize in (4, 8)
        and bool(np.isfinite(value).all())
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_integer and value >= 0


def _are_names(value: Any) -> bool:
    is_known = isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype == object
    return is_known and all(isinstance(each, str) for each in value.tolist())


def _is_curve(value: Any) -> bool:
    return _is_array("f", 1)(value)


_OF_MODEL: dict[str, Check] = {
    "classes_": _is_array("biufOUS", 1),
    "coef_": _is_model(2),
    "intercept_": _is_model(1),
    "activation_": lambda value: isinstance(value, str) and value in ACTIVATIONS,
    "n_features_in_": _is_count,
}
_OF_FIT: dict[str, Check] = {
    "feature_names_in_": _are_names,
    "converged_": lambda value: isinstance(value, bool | np.bool_),
    "gap_": _is_number,
}


@dataclass(frozen=True)
class Kind:
    """A class whose models can be saved.

    Attributes
    ----------
    estimator : type
    needed : mapping of str to callable
        Attributes of every fitted model: whether a value is one.
    further : mapping of str to callable
        Attributes that a fitted model may have besides.
    """

    estimator: type
    needed: Mapping[str, Check]
    further: Mapping[str, Check]

    @property
    def attributes(self) -> dict[str, Check]:
        """All of them."""
        return {**self.needed, **self.further}

    def parameters_of(self, model: Any) -> dict[str, Any]:
        """What the constructor was given."""
        if isinstance(model, SoftmaxModel):
            parameters: dict[str, Any] = model.get_params(deep=False)
            return parameters
        names = ("gradient", "random_state", "verbose", "dtype", "n_threads")
        return {"lr": model.learning_rate, **{name: getattr(model, name) for name in names}}


KINDS = {
    kind.estimator.__name__: kind
    for kind in (
        Kind(
            SoftmaxClassifier,
            _OF_MODEL,
            {
                **_OF_FIT,
                "n_iter_": _is_count,
                "loss_curve_": _is_curve,
                "validation_curve_": lambda value: value is None or _is_curve(value),
            },
        ),
        Kind(
            SoftmaxClassifierCV,
            _OF_MODEL,
            {
                **_OF_FIT,
                "C_": _is_number,
                "l1_ratio_": _is_number,
                "Cs_": _is_curve,
                "l1_ratios_": _is_curve,
                "scores_": _is_array("f", 3),
                "coefs_paths_": _is_array("f", 5),
                "n_iter_": _is_array("iu", 3),
            },
        ),
        Kind(
            SoftmaxRegressor,
            {
                "n_classes": _is_count,
                "n_features": _is_count,
                "coeffs": _is_model(2),
                "biases": _is_model(1),
            },
            {"losses_": _is_curve, "accuracies_": _is_curve},
        ),
    )
}
