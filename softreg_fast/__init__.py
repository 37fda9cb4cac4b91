"""Softmax (multinomial logistic) regression on compiled kernels."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .estimators.classifier import SoftmaxClassifier
    from .estimators.classifier_cv import SoftmaxClassifierCV
    from .estimators.likelihood_ratio import likelihood_ratio_test
    from .estimators.path import softmax_path
    from .estimators.regressor import SoftmaxRegressor
    from .objective.functions import categorical_crossentropy, sigmoid, softmax
    from .persistence.files import load, save
    from .runtime.warm_up import warm_up
    from .sklearn.patching import patch_sklearn, unpatch_sklearn

__version__ = "0.1.0"

__all__ = [
    "SoftmaxClassifier",
    "SoftmaxClassifierCV",
    "SoftmaxRegressor",
    "categorical_crossentropy",
    "likelihood_ratio_test",
    "load",
    "patch_sklearn",
    "save",
    "sigmoid",
    "softmax",
    "softmax_path",
    "unpatch_sklearn",
    "warm_up",
]

# Numba and scikit-learn take a second to import, which not everybody needs.
_MODULES = {
    "SoftmaxClassifier": "estimators.classifier",
    "SoftmaxClassifierCV": "estimators.classifier_cv",
    "SoftmaxRegressor": "estimators.regressor",
    "categorical_crossentropy": "objective.functions",
    "likelihood_ratio_test": "estimators.likelihood_ratio",
    "load": "persistence.files",
    "patch_sklearn": "sklearn.patching",
    "save": "persistence.files",
    "sigmoid": "objective.functions",
    "softmax": "objective.functions",
    "softmax_path": "estimators.path",
    "unpatch_sklearn": "sklearn.patching",
    "warm_up": "runtime.warm_up",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
