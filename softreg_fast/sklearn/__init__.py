"""scikit-learn's `LogisticRegression` and `LogisticRegressionCV`, fitted by this package."""

from .logistic import LogisticRegression, LogisticRegressionCV
from .patching import patch_sklearn, unpatch_sklearn

__all__ = ["LogisticRegression", "LogisticRegressionCV", "patch_sklearn", "unpatch_sklearn"]
