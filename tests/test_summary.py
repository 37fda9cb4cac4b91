"""What a summary gives: forms of its table, odds ratios, and intervals of probabilities."""

import pickle
import sys

import numpy as np
import pandas
import polars
import pytest
from scipy.sparse import csr_array
from scipy.special import ndtri
from statsmodels.discrete.discrete_model import MNLogit

from softreg_fast import SoftmaxClassifier
from softreg_fast.blocks import open_blocks

_NEWTON = {"disp": 0, "method": "newton", "maxiter": 100, "tol": 1e-13}


def _fit(X, y, sample_weight=None, **settings):
    settings = {"C": np.inf, "tol": 1e-10} | settings
    return SoftmaxClassifier(**settings).fit(X, y, sample_weight)


def test_forms_of_the_table(make_data):
    X, y = make_data(200, 2, 3)
    frame = pandas.DataFrame(X, columns=["width", "a<b & 'c'"])
    labels = np.array(["red", "green", "<script>"])[y]
    summary = _fit(frame, labels).summary(frame, labels, confidence=0.9)
    table = summary.to_pandas()
    assert table.index.names == ["class", "feature"]
    assert list(table) == ["coef", "std_err", "z", "p_value", "lower", "upper"]
    assert table.shape == (6, 6)
    for place, label in enumerate(summary.classes):
        for column, name in enumerate(summary.names):
            row = table.loc[(label, name)]
            assert row["coef"] == summary.coef[place, column]
            assert row["upper"] == summary.upper[place, column]
    html = summary.to_html()
    assert html == summary._repr_html_()
    assert html.count("<table>") == 2
    assert html.count("<tr>") == 2 * (1 + 3)
    assert "a&lt;b &amp; &#x27;c&#x27;" in html
    assert "<script>" not in html
    assert "class red against &lt;script&gt;" in html
    assert f"<td>{summary.coef[0, 0]:.4g}</td>" in html
    assert "95 %" in str(summary)
    assert "5 %" in str(summary)


def test_pandas_is_named_where_it_is_missing(make_data, monkeypatch):
    X, y = make_data(100, 2, 2)
    summary = _fit(X, y).summary(X, y)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'pip install "softreg-fast\[pandas\]"'):
        summary.to_pandas()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_odds_ratios_are_exponentials_of_mnlogits_coefficients(make_data, n_classes):
    X, y = make_data(300, 3, n_classes)
    summary = _fit(X, y).summary(X, y, confidence=0.9)
    found = summary.odds_ratios()
    expected = MNLogit(y, np.column_stack([np.ones(300), X])).fit(**_NEWTON)
    limits = np.asarray(expected.conf_int(alpha=0.1)).reshape(n_classes - 1, -1, 2)[:, 1:]
    np.testing.assert_allclose(found.odds_ratio, np.exp(expected.params.T[:, 1:]), rtol=1e-6)
    np.testing.assert_allclose(found.lower, np.exp(limits[:, :, 0]), rtol=1e-6)
    np.testing.assert_allclose(found.upper, np.exp(limits[:, :, 1]), rtol=1e-6)
    np.testing.assert_allclose(found.p_value, expected.pvalues.T[:, 1:], rtol=1e-5, atol=1e-12)
    assert found.names == ("x0", "x1", "x2")
    assert (found.reference, found.classes) == (0, tuple(range(1, n_classes)))
    assert found.to_pandas().shape == (3 * (n_classes - 1), 5)
    assert "odds ratio" in str(found)
    assert "class 1 against 0" in found.to_html()


@pytest.mark.parametrize("C", [np.inf, 0.3])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_odds_ratios_against_another_class(make_data, n_classes, C):
    """Those against the other one of two classes are reciprocals."""
    X, y = make_data(200, 2, n_classes)
    labels = np.array(["a", "b", "c", "d"])[y]
    model = _fit(X, labels, C=C)
    summary = model.summary(X, labels)
    against_a, against_b = summary.odds_ratios(), summary.odds_ratios("b")
    assert against_b.classes == tuple("acd"[: n_classes - 1])
    np.testing.assert_allclose(against_b.odds_ratio[0], 1.0 / against_a.odds_ratio[0])
    np.testing.assert_allclose(against_b.lower[0], 1.0 / against_a.upper[0])
    np.testing.assert_allclose(against_b.p_value[0], against_a.p_value[0], rtol=1e-6)
    if n_classes == 4:
        expected = np.exp(model.coef_[3] - model.coef_[1])
        np.testing.assert_allclose(against_b.odds_ratio[2], expected)
    with pytest.raises(ValueError, match=r"reference='e' is not allowed: it must be None or one"):
        summary.odds_ratios("e")
    with pytest.raises(ValueError, match="is not allowed: it must be None or one of the classes"):
        summary.odds_ratios(np.array(["a", "b"]))


def test_odds_ratios_that_overflow_are_infinite(make_data):
    X, y = make_data(200, 1, 2)
    X *= np.sign(_fit(X, y).coef_[0, 0]) * 1e-7
    found = _fit(X, y).summary(X, y).odds_ratios()
    assert found.odds_ratio[0, 0] == found.upper[0, 0] == np.inf


def _draw_covariance(model, X, y):
    """Of unpenalised contrasts to the first class, the inverse of the information."""
    design = np.column_stack([np.ones(len(X)), X]) if model.fit_intercept else X
    probabilities = model.predict_proba(X)[:, 1:]
    size = probabilities.shape[1] * design.shape[1]
    information = np.zeros((size, size))
    for row, p in zip(design, probabilities, strict=True):
        information += np.kron(np.diag(p) - np.outer(p, p), np.outer(row, row))
    return np.linalg.inv(information)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_intervals_of_probabilities_by_numerical_derivatives(make_data, n_classes, fit_intercept):
    X, y = make_data(300, 3, n_classes)
    model = _fit(X, y, fit_intercept=fit_intercept)
    new = X[:20]
    summary = model.summary(X, y, confidence=0.9)
    found = summary.predict_proba(new)
    np.testing.assert_allclose(found.probabilities, model.predict_proba(new), rtol=1e-10)
    covariance = _draw_covariance(model, X, y)
    point = summary.coef
    design = np.column_stack([np.ones(20), new]) if fit_intercept else new

    def log_odds(parameters):
        values = np.column_stack([np.zeros(20), design @ parameters.T])
        exponentials = np.exp(values)
        totals = exponentials.sum(axis=1, keepdims=True)
        return np.log(exponentials / (totals - exponentials))

    derivatives = []
    for place in np.ndindex(point.shape):
        step = np.zeros(point.shape)
        step[place] = 1e-5
        derivatives.append((log_odds(point + step) - log_odds(point - step)) / 2e-5)
    derivatives = np.array(derivatives)
    variances = np.einsum("pij,pq,qij->ij", derivatives, covariance, derivatives)
    logits = np.log(found.probabilities) - np.log1p(-found.probabilities)
    reach = ndtri(0.95) * np.sqrt(variances)
    for limits, sign in [(found.lower, -1.0), (found.upper, 1.0)]:
        np.testing.assert_allclose(limits, 1.0 / (1.0 + np.exp(-logits - sign * reach)), rtol=1e-6)
    p = found.probabilities
    np.testing.assert_allclose(found.std_err, p * (1.0 - p) * np.sqrt(variances), rtol=1e-6)
    assert found.classes == tuple(range(n_classes))


def test_intervals_far_from_the_rows_stay_within_zero_and_one(make_data):
    X, y = make_data(200, 2, 3)
    found = _fit(X, y).summary(X, y).predict_proba(X[:5] * 1e4)
    for each in (found.probabilities, found.std_err, found.lower, found.upper):
        assert np.isfinite(each).all()
        assert ((each >= 0.0) & (each <= 1.0)).all()
    assert (found.lower <= found.probabilities).all()
    assert (found.probabilities <= found.upper).all()


def test_intervals_take_what_the_model_takes(make_data):
    X, y = make_data(200, 2, 3)
    names = ["width", "height"]
    frame = pandas.DataFrame(X, columns=names)
    summary = _fit(frame, y).summary(frame, y)
    expected = summary.predict_proba(frame.iloc[:5])
    given = polars.DataFrame(X[:5], schema=names)
    np.testing.assert_array_equal(summary.predict_proba(given).upper, expected.upper)
    with pytest.raises(ValueError, match="feature names"):
        summary.predict_proba(frame.rename(columns={"width": "w"}))
    with pytest.raises(ValueError, match=r"is NaN in row 0|NaN"):
        summary.predict_proba(frame.where(frame < 0.0))
    with pytest.raises(TypeError, match="rows in blocks are not allowed here"):
        summary.predict_proba(open_blocks([(X, y)]))
    plain = _fit(X, y).summary(X, y)
    sparse = plain.predict_proba(csr_array(X[:5]))
    np.testing.assert_allclose(sparse.upper, expected.upper, rtol=1e-9)
    with pytest.raises(ValueError, match="row 1 of X is too large for this model"):
        plain.predict_proba(np.array([[0.0, 0.0], [1e308, -1e308]]))
    with pytest.raises(ValueError, match="is expecting 2 features"):
        plain.predict_proba(X[:, :1])


def test_a_summary_is_of_the_model_as_it_was(make_data):
    X, y = make_data(200, 2, 3)
    model = _fit(X, y)
    summary = model.summary(X, y)
    expected = summary.predict_proba(X[:3]).upper
    model.fit(X[:, :1], y)
    np.testing.assert_array_equal(summary.predict_proba(X[:3]).upper, expected)
    again = pickle.loads(pickle.dumps(summary))
    np.testing.assert_array_equal(again.predict_proba(X[:3]).upper, expected)


def test_blocks_give_the_same_intervals(make_data):
    X, y = make_data(200, 2, 3)
    model = _fit(X, y, C=0.5)
    expected = model.summary(X, y).predict_proba(X[:3])
    found = model.summary(open_blocks([(X[:80], y[:80]), (X[80:], y[80:])])).predict_proba(X[:3])
    np.testing.assert_allclose(found.lower, expected.lower, rtol=1e-9)


@pytest.mark.full
@pytest.mark.parametrize(("C", "n_classes"), [(np.inf, 3), (0.1, 3), (np.inf, 2)])
def test_intervals_of_probabilities_are_those_of_a_bootstrap(make_data, C, n_classes):
    """Of 1,000 samples with replacement; an error of 1,000 is known within 2.2 %."""
    X, y = make_data(800, 2, n_classes)
    new = X[:6]
    found = _fit(X, y, C=C, tol=1e-8).summary(X, y).predict_proba(new)
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(1_000):
        rows = random.integers(0, 800, 800)
        drawn.append(_fit(X[rows], y[rows], C=C, tol=1e-8).predict_proba(new))
    drawn = np.array(drawn)
    np.testing.assert_allclose(found.std_err, drawn.std(axis=0), rtol=0.15)
    for limits, share in [(found.lower, 0.025), (found.upper, 0.975)]:
        distance = np.abs(limits - np.quantile(drawn, share, axis=0))
        assert (distance < 0.4 * found.std_err).all()
