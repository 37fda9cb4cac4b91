"""Put the classes in place of scikit-learn's."""

from importlib import import_module
from typing import Any

from .logistic import LogisticRegression, LogisticRegressionCV

_CLASSES = (LogisticRegression, LogisticRegressionCV)
# Where scikit-learn has them: for users, and for its own modules.
_MODULES = ("sklearn.linear_model", "sklearn.linear_model._logistic")


def _put(name: str, value: Any) -> None:
    for module in _MODULES:
        setattr(import_module(module), name, value)


def patch_sklearn() -> None:
    """Have ``from sklearn.linear_model import LogisticRegression`` give the class of this package.

    `LogisticRegressionCV` is replaced too. What has been imported or fitted before stays what it
    is. Models that are fitted afterwards can be loaded where this package is installed.

    See Also
    --------
    unpatch_sklearn : Undoes it.
    """
    for each in _CLASSES:
        _put(each.__name__, each)


def unpatch_sklearn() -> None:
    """Put scikit-learn's own classes back; see `patch_sklearn`."""
    for each in _CLASSES:
        _put(each.__name__, each.__base__)
