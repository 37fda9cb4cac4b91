"""Softmax (multinomial logistic) regression on compiled kernels."""

from typing import TYPE_CHECKING, Any

from .reference import categorical_crossentropy, sigmoid, softmax
from .regressor import SoftmaxRegressor
from .warming import warm_up

if TYPE_CHECKING:
    from .classifier import SoftmaxClassifier

__version__ = "0.1.0"

__all__ = [
    "SoftmaxClassifier",
    "SoftmaxRegressor",
    "categorical_crossentropy",
    "sigmoid",
    "softmax",
    "warm_up",
]


def __getattr__(name: str) -> Any:
    # scikit-learn takes a second to import, which not everybody needs.
    if name == "SoftmaxClassifier":
        from .classifier import SoftmaxClassifier

        return SoftmaxClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), "SoftmaxClassifier"])
