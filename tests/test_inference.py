"""Standard errors against statsmodels and against what samples show."""

import numpy as np
import pandas
import pytest
from scipy.special import expit
from sklearn.datasets import load_wine
from sklearn.preprocessing import scale
from statsmodels.discrete.discrete_model import MNLogit

from softreg_fast import SoftmaxClassifier


def _fit(X, y, sample_weight=None, **settings):
    settings = {"C": np.inf, "tol": 1e-10} | settings
    return SoftmaxClassifier(**settings).fit(X, y, sample_weight)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_equals_mnlogit(make_data, n_classes, fit_intercept):
    X, y = make_data(600, 4, n_classes)
    X = X * np.array([1e-3, 1.0, 50.0, 1.0]) + np.array([0.0, 2.0, 100.0, 0.0])
    X[:, 2] -= 0.0 if fit_intercept else 100.0
    found = _fit(X, y, fit_intercept=fit_intercept).summary(X, y, confidence=0.9)
    design = np.column_stack([np.ones(600), X]) if fit_intercept else X
    expected = MNLogit(y, design).fit(disp=0, method="newton", maxiter=100, tol=1e-13)
    np.testing.assert_allclose(found.coef, expected.params.T, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.std_err, expected.bse.T, rtol=1e-6)
    np.testing.assert_allclose(found.z, expected.tvalues.T, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.p_value, expected.pvalues.T, rtol=1e-5, atol=1e-12)
    limits = np.asarray(expected.conf_int(alpha=0.1)).reshape(n_classes - 1, -1, 2)
    np.testing.assert_allclose(found.lower, limits[:, :, 0], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.upper, limits[:, :, 1], rtol=1e-6, atol=1e-8)
    assert (found.kind, found.reference) == ("information", 0)
    assert found.classes == tuple(range(1, n_classes))


def test_weights_count_as_rows(make_data):
    X, y = make_data(300, 3, 3)
    counts = np.random.default_rng(0).integers(0, 4, 300)
    weighted = _fit(X, y, counts).summary(X, y, counts)
    rows = X.repeat(counts, axis=0), y.repeat(counts)
    repeated = _fit(*rows).summary(*rows)
    np.testing.assert_allclose(weighted.std_err, repeated.std_err, rtol=1e-7)


@pytest.mark.parametrize("n_classes", [pytest.param(2, marks=pytest.mark.full), 3])
def test_penalised_errors_are_what_samples_show(n_classes):
    """Of 400 samples of the same model; a standard deviation of 400 is known within 4 %."""
    random = np.random.default_rng(0)
    coefficients = random.standard_normal((3, n_classes))
    estimates, errors = [], []
    for _ in range(400):
        X = random.standard_normal((200, 3))
        y = (X @ coefficients + random.gumbel(size=(200, n_classes))).argmax(axis=1)
        model = _fit(X, y, C=0.1)
        summary = model.summary(X, y)
        assert summary.kind == "sandwich"
        estimates.append(summary.coef)
        errors.append(summary.std_err)
    np.testing.assert_allclose(np.mean(errors, axis=0), np.std(estimates, axis=0), rtol=0.15)


def test_table_names_classes_and_features():
    X, y = load_wine(return_X_y=True)
    frame = pandas.DataFrame(scale(X[:, :2]), columns=["alcohol", "acid"])
    labels = np.array(["a", "b", "c"])[y]
    text = str(_fit(frame, labels).summary(frame, labels))
    for part in ("class b against a", "class c against a", "alcohol", "acid", "intercept",
                 "std err", "2.5 %", "97.5 %", "information"):  # fmt: skip
        assert part in text
    binary = y > 0
    assert "class True against False" in str(_fit(frame, binary).summary(frame, binary))


def test_refuses_where_there_is_no_theory(make_data):
    X, y = make_data(300, 3, 3)
    with pytest.raises(ValueError, match="link='sigmoid': it must be 'identity'"):
        SoftmaxClassifier(link="sigmoid").fit(X, y).summary(X, y)
    with pytest.raises(ValueError, match=r"l1_ratio=0\.5: it must be 0"):
        SoftmaxClassifier(l1_ratio=0.5).fit(X, y).summary(X, y)
    with pytest.raises(ValueError, match="not at the optimum of these rows"):
        _fit(X, y).summary(X[:200], y[:200])
    with pytest.raises(ValueError, match=r"confidence=1\.5 is not allowed"):
        _fit(X, y).summary(X, y, confidence=1.5)
    twice = np.column_stack([X, X[:, 0]])
    with pytest.raises(ValueError, match="features depend on each other"):
        _fit(twice, y).summary(twice, y)
    constant = np.column_stack([X, np.ones(300)])
    with pytest.raises(ValueError, match="drop features that are constant"):
        _fit(constant, y).summary(constant, y)


def test_float32_and_sparse_features(make_data):
    X, y = make_data(500, 4, 3)
    X = np.where(expit(X) > 0.4, X, 0.0).astype(np.float32)
    dense = _fit(X, y).summary(X, y)
    from scipy.sparse import csr_array

    matrix = csr_array(X)
    sparse = _fit(matrix, y).summary(matrix, y)
    np.testing.assert_allclose(sparse.std_err, dense.std_err, rtol=1e-4)
