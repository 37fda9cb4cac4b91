"""Data without an optimum, and other hard cases: an answer and a warning each time, no NaN."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning

from softreg_fast import SoftmaxClassifier

SOLVERS = ["newton", "lbfgs"]


def _fit(X, y, **settings):
    """A model, and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = SoftmaxClassifier(**settings).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    assert all(each.category is ConvergenceWarning for each in caught)
    return model, " ".join(str(each.message) for each in caught)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_complete_separation_is_said(n_classes, solver):
    X, y = make_blobs(200, centers=8 * np.eye(3)[:n_classes], random_state=0)
    model, message = _fit(X, y, C=np.inf, solver=solver)
    assert "separate the classes completely" in message
    assert "set a finite C" in message
    assert model.score(X, y) == 1.0
    penalised, message = _fit(X, y, C=1e3, solver=solver, gap_tol=1e-6)
    assert message == ""
    assert penalised.gap_ <= 1e-6


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_quasi_separation_is_said(make_data, n_classes, solver):
    X, y = make_data(300, 3, n_classes)
    flag = (y == 0) & (np.arange(300) % 3 == 0)
    assert flag.sum() > 10
    _, message = _fit(np.column_stack([X, flag]), y, C=np.inf, solver=solver)
    assert "quasi-complete separation" in message
    _, message = _fit(X, y, C=np.inf, solver=solver)
    assert message == ""


def test_rows_without_weight_do_not_keep_classes_together(make_data):
    X, y = make_data(200, 2, 2)
    weights = ((X[:, 0] > 0) == y).astype(float)
    with pytest.warns(ConvergenceWarning, match="completely"):
        SoftmaxClassifier(C=np.inf).fit(X, y, weights)


def _hard_cases():
    random = np.random.default_rng(0)
    X = random.standard_normal((120, 5))
    y = (X @ random.standard_normal((5, 3)) + random.gumbel(size=(120, 3))).argmax(axis=1)
    one_row = y.copy()
    one_row[0] = 3
    return {
        "duplicated columns": (np.hstack([X, X]), y),
        "constant column": (np.column_stack([X, np.full(120, 7.0)]), y),
        "a class with one row": (X, one_row),
        "scales far apart": (X * np.array([1e-8, 1.0, 1e8, 1.0, 1e-4]), y),
        "all rows equal": (np.ones((120, 5)), y),
        "more features than rows": (random.standard_normal((20, 60)), np.arange(20) % 3),
        "separable": make_blobs(60, centers=8 * np.eye(3), random_state=0),
        "many classes": (random.standard_normal((1500, 4)), np.arange(1500) % 500),
    }


@pytest.mark.parametrize("settings", [{}, {"C": np.inf}, {"l1_ratio": 1.0}], ids=str)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", list(_hard_cases()))
def test_hard_cases_end_with_a_certificate_or_a_warning(name, solver, settings):
    if solver == "lbfgs" and settings.get("l1_ratio"):
        settings = {"l1_ratio": 0.0, "C": 100.0}
    X, y = _hard_cases()[name]
    model, message = _fit(X, y, solver=solver, max_iter=200, **settings)
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    if settings.get("C") == np.inf:
        assert np.isnan(model.gap_)
        assert model.converged_ or message
    else:
        assert 0.0 <= model.gap_ <= 1.0
        assert model.converged_ or "has not converged" in message
