"""scikit-learn's classes with another `fit`."""

import warnings
from typing import Any

import sklearn
from sklearn.linear_model import LogisticRegression as _LogisticRegression
from sklearn.linear_model import LogisticRegressionCV as _LogisticRegressionCV

from .._sklearn import fit_with
from ..inference.onnx_converter import register_if_loaded
from .path import can_fit, logistic_regression_path, score_fold

HERE, SCIKIT_LEARN = "softreg_fast", "scikit-learn"

_fit = fit_with(_LogisticRegression.fit, logistic_regression_path)
_fit_cv = fit_with(_LogisticRegressionCV.fit, logistic_regression_path, score_fold)
if _fit is None or _fit_cv is None:
    warnings.warn(
        f"scikit-learn {sklearn.__version__} is not known: softreg_fast.sklearn leaves all fits to "
        "it; use SoftmaxClassifier, or another version of scikit-learn",
        RuntimeWarning,
        stacklevel=2,
    )


def _fit_by(
    changed: Any, own: Any, model: Any, X: Any, y: Any, sample_weight: Any, **params: Any
) -> None:
    """Fit a model by what `fit_with` gave, or by scikit-learn's own method if that is None."""
    register_if_loaded(type(model), is_linear=True)
    (changed or own)(model, X, y, sample_weight, **params)
    # By what `logistic_regression_path` asks for itself.
    is_here = changed is not None and can_fit(
        model.solver, model.max_iter, sample_weight, model.coef_
    )
    model.fitted_by_ = HERE if is_here else SCIKIT_LEARN


class LogisticRegression(_LogisticRegression):  # type: ignore[misc]
    """`sklearn.linear_model.LogisticRegression`, fitted by this package.

    Parameters, attributes and methods are scikit-learn's, and so are the checks, warnings and
    errors of the installed version. With the solvers "lbfgs", "newton-cg", "newton-cholesky", "sag"
    and "saga", whose objective is that of `SoftmaxClassifier`, the fit is that of its
    exact solvers, whichever of these is named. scikit-learn itself fits with solver="liblinear",
    which regularizes the intercept and can solve the dual problem, with max_iter=0, with negative
    sample weights, and arrays of other libraries (``array_api_dispatch``); and, before scikit-learn
    1.8, with multi_class="multinomial" for two classes. `fitted_by_` tells.

    `tol` is an upper bound of the components of the gradient of the objective, divided by `C` and
    by the sum of the sample weights, as it is of scikit-learn's "lbfgs". With "sag" and "saga" the
    bound is at most 1e-5, with "newton-cg" and "newton-cholesky" at most 1e-6. `n_iter_` counts the
    iterations of this package, which are fewer as a rule. All CPUs are used;
    `threadpoolctl.threadpool_limits` and the environment variable ``OMP_NUM_THREADS`` limit them.

    Attributes
    ----------
    fitted_by_ : {"softreg_fast", "scikit-learn"}
        Whose solver found the coefficients.

    See Also
    --------
    SoftmaxClassifier : The estimator of this package, which can do more.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from softreg_fast.sklearn import LogisticRegression
    >>> model = LogisticRegression().fit(*load_iris(return_X_y=True))
    >>> model.fitted_by_
    'softreg_fast'
    """

    fitted_by_: str

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LogisticRegression":
        """Fit the model.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights; None means 1.

        Returns
        -------
        self : LogisticRegression
            Fitted estimator.
        """
        _fit_by(_fit, _LogisticRegression.fit, self, X, y, sample_weight)
        return self


class LogisticRegressionCV(_LogisticRegressionCV):  # type: ignore[misc]
    """`sklearn.linear_model.LogisticRegressionCV`, fitted by this package.

    See `LogisticRegression` for what that means. Folds, scores and attributes are those of the
    installed version of scikit-learn.

    Attributes
    ----------
    fitted_by_ : {"softreg_fast", "scikit-learn"}
        Whose solver found the coefficients.

    See Also
    --------
    SoftmaxClassifierCV : The estimator of this package, whose fits share second
        derivatives.
    """

    fitted_by_: str

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, **params: Any
    ) -> "LogisticRegressionCV":
        """Choose the regularization, and fit the model.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights; None means 1.
        **params : dict
            Parameters of the splitter and the scorer.

        Returns
        -------
        self : LogisticRegressionCV
            Fitted estimator.
        """
        _fit_by(_fit_cv, _LogisticRegressionCV.fit, self, X, y, sample_weight, **params)
        return self
