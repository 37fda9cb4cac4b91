"""Softmax (multinomial logistic) regression on compiled kernels."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .estimators.regressor import SoftmaxRegressor
from .objective.functions import categorical_crossentropy, sigmoid, softmax
from .runtime.warm_up import warm_up

if TYPE_CHECKING:
    from .estimators.classifier import SoftmaxClassifier
    from .estimators.classifier_cv import SoftmaxClassifierCV

__version__ = "0.1.0"

__all__ = [
    "SoftmaxClassifier",
    "SoftmaxClassifierCV",
    "SoftmaxRegressor",
    "categorical_crossentropy",
    "sigmoid",
    "softmax",
    "warm_up",
]


_LAZY = {
    "SoftmaxClassifier": "estimators.classifier",
    "SoftmaxClassifierCV": "estimators.classifier_cv",
}


def __getattr__(name: str) -> Any:
    # scikit-learn takes a second to import, which not everybody needs.
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
