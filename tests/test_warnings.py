"""Warnings point at the line of the program that called, however deep."""

import inspect
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV

X = np.random.default_rng(0).standard_normal((40, 2))
Y = (X[:, 0] > 0.0).astype(int)
CLASSIFIERS = {
    "lbfgs": SoftmaxClassifier(solver="lbfgs", max_iter=1),
    "newton": SoftmaxClassifier(solver="newton", max_iter=1, tol=0.0),
    "sgd": SoftmaxClassifier(solver="sgd", max_iter=1),
    "separation": SoftmaxClassifier(C=np.inf),
    "cross-validation": SoftmaxClassifierCV(Cs=2, cv=2, max_iter=1, tol=0.0),
    "refit": SoftmaxClassifierCV(Cs=[1.0, np.inf], cv=2),
    "scores": SoftmaxClassifierCV(Cs=2, cv=2, scoring=lambda *_: np.nan),
}


def _assert_all_point_here(found, line, category=Warning):
    own = [each for each in found if issubclass(each.category, category)]
    assert own
    for each in own:
        assert (each.filename, each.lineno) == (__file__, line), str(each.message)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_of_a_fit(name):
    classifier = clone(CLASSIFIERS[name])
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        line = inspect.currentframe().f_lineno + 1
        classifier.fit(X, Y)
    _assert_all_point_here(found, line)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_of_a_fit_in_a_pipeline(name):
    pipeline = make_pipeline(StandardScaler(), clone(CLASSIFIERS[name]))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        line = inspect.currentframe().f_lineno + 1
        pipeline.fit(X, Y)
    _assert_all_point_here(found, line)


def test_of_a_fit_in_a_search():
    search = GridSearchCV(clone(CLASSIFIERS["lbfgs"]), {"C": [0.1, 1.0]}, cv=2)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        line = inspect.currentframe().f_lineno + 1
        search.fit(X, Y)
    _assert_all_point_here(found, line, ConvergenceWarning)


def test_of_a_fit_in_joblib():
    model = OneVsRestClassifier(clone(CLASSIFIERS["lbfgs"]))
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        line = inspect.currentframe().f_lineno + 1
        cross_validate(model, X, Y, cv=2)
    _assert_all_point_here(found, line, ConvergenceWarning)


def test_of_a_subclass():
    class Own(SoftmaxClassifier):
        def fit(self, X, y):
            return super().fit(X, y)

    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        Own(solver="lbfgs", max_iter=1).fit(X, Y)
    line = inspect.getsourcelines(Own.fit)[1] + 1
    _assert_all_point_here(found, line)
