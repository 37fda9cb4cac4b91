"""Likelihoods, what is made of them, and likelihood-ratio tests, against statsmodels."""

import numpy as np
import pandas
import polars
import pytest
from scipy.sparse import csr_array
from scipy.stats import chi2
from statsmodels.discrete.discrete_model import MNLogit

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV, likelihood_ratio_test
from softreg_fast.blocks import open_blocks

_NEWTON = {"disp": 0, "method": "newton", "maxiter": 100, "tol": 1e-13}


def _fit(X, y, sample_weight=None, **settings):
    settings = {"C": np.inf, "tol": 1e-10} | settings
    return SoftmaxClassifier(**settings).fit(X, y, sample_weight)


def _expected(X, y, fit_intercept=True):
    design = np.column_stack([np.ones(len(X)), X]) if fit_intercept else X
    return MNLogit(y, design).fit(**_NEWTON)


@pytest.mark.parametrize("n_classes", [2, 3, pytest.param(6, marks=pytest.mark.full)])
def test_equal_those_of_mnlogit(make_data, n_classes):
    X, y = make_data(300, 3, n_classes)
    found = _fit(X * [1.0, 1e-3, 1e3], y).fit_statistics(X * [1.0, 1e-3, 1e3], y)
    expected = _expected(X, y)
    assert found.log_likelihood == pytest.approx(expected.llf, rel=1e-6)
    assert found.null_log_likelihood == pytest.approx(expected.llnull, rel=1e-6)
    assert found.aic == pytest.approx(expected.aic, rel=1e-6)
    assert found.bic == pytest.approx(expected.bic, rel=1e-6)
    assert found.mcfadden_r2 == pytest.approx(expected.prsquared, rel=1e-6)
    assert found.likelihood_ratio == pytest.approx(expected.llr, rel=1e-6)
    assert found.p_value == pytest.approx(expected.llr_pvalue, rel=1e-5)
    assert found.n_samples == 300
    assert found.n_parameters == 4 * (n_classes - 1)
    assert found.df_model == expected.df_model
    assert found.df_resid == expected.df_resid
    for name in vars(found):
        assert name in str(found)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_without_an_intercept_the_null_model_has_equal_probabilities(make_data, n_classes):
    X, y = make_data(200, 3, n_classes)
    found = _fit(X, y, fit_intercept=False).fit_statistics(X, y)
    expected = _expected(X, y, fit_intercept=False)
    assert found.log_likelihood == pytest.approx(expected.llf, rel=1e-6)
    assert found.aic == pytest.approx(expected.aic, rel=1e-6)
    assert found.null_log_likelihood == pytest.approx(-200 * np.log(n_classes))
    assert found.n_parameters == found.df_model == 3 * (n_classes - 1)


def test_weights_count_as_rows_and_blocks_give_the_same(make_data):
    X, y = make_data(200, 3, 3)
    counts = np.random.default_rng(0).integers(0, 4, 200)
    found = _fit(X, y, counts).fit_statistics(X, y, counts)
    rows = X.repeat(counts, axis=0), y.repeat(counts)
    expected = _fit(*rows).fit_statistics(*rows)
    assert vars(found) == pytest.approx(vars(expected), rel=1e-9)
    model = _fit(X, y)
    expected = model.fit_statistics(X, y)
    blocks = open_blocks([(X[:90], y[:90]), (X[90:], y[90:])])
    assert vars(model.fit_statistics(blocks)) == pytest.approx(vars(expected), rel=1e-9)
    sparse = csr_array(X)
    assert vars(model.fit_statistics(sparse, y)) == pytest.approx(vars(expected), rel=1e-9)


def test_float32(make_data):
    X, y = make_data(200, 3, 3)
    single = X.astype(np.float32)
    found = _fit(single, y, tol=1e-6).fit_statistics(single, y)
    expected = _expected(single.astype(np.float64), y)
    assert found.log_likelihood == pytest.approx(expected.llf, rel=1e-6)
    assert found.df_model == expected.df_model


def test_parameters_that_are_free_count():
    """All categories and the intercept depend on each other, and so does a constant."""
    random = np.random.default_rng(0)
    frame = pandas.DataFrame(
        {
            "city": pandas.Categorical(random.choice(["a", "b", "c"], 200)),
            "age": random.standard_normal(200),
        }
    )
    y = random.integers(0, 3, 200)
    model = _fit(frame, y, categorical_features="from_dtype")
    found = model.fit_statistics(frame, y)
    design = np.column_stack([frame["city"] == "b", frame["city"] == "c", frame["age"]])
    expected = _expected(design.astype(np.float64), y)
    assert found.n_parameters == 8
    assert found.log_likelihood == pytest.approx(expected.llf, rel=1e-6)
    assert found.p_value == pytest.approx(expected.llr_pvalue, rel=1e-5)
    X = np.column_stack([frame["age"], 3.0 * frame["age"] + 1.0, np.ones(200)])
    assert _fit(X, y).fit_statistics(X, y).n_parameters == 4
    # A test of the categories together.
    nested = _fit(frame[["age"]], y)
    test = likelihood_ratio_test(model, nested, frame, y)
    smaller = _expected(design[:, 2:].astype(np.float64), y)
    assert test.df == 4
    assert test.statistic == pytest.approx(2.0 * (expected.llf - smaller.llf), rel=1e-6)


def test_refusals(make_data):
    X, y = make_data(100, 2, 3)
    with pytest.raises(ValueError, match=r"fit_statistics requires C=inf, got C=1\.0: a penalized"):
        SoftmaxClassifier().fit(X, y).fit_statistics(X, y)
    with pytest.raises(ValueError, match="requires class_weight=None, got class_weight='balanced'"):
        _fit(X, y, class_weight="balanced").fit_statistics(X, y)
    with pytest.raises(ValueError, match="requires activation='identity', got"):
        _fit(X, y, activation="sigmoid", tol=1.0).fit_statistics(X, y)
    with pytest.raises(ValueError, match="likelihood ratios holds"):
        _fit(X, y).fit_statistics(X[:60], y[:60])
    model = _fit(X, y)
    with pytest.raises(ValueError, match="separate the classes completely"):
        model.fit_statistics(X, (X[:, 0] > 0.0).astype(int) + (X[:, 0] > 1.0))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_nested_models_equal_those_of_mnlogit(make_data, n_classes):
    X, y = make_data(300, 4, n_classes)
    counts = np.random.default_rng(0).integers(1, 3, 300)
    model, nested = _fit(X, y, counts), _fit(X[:, :2], y, counts)
    found = likelihood_ratio_test(model, nested, X, y, X_nested=X[:, :2], sample_weight=counts)
    rows, labels = X.repeat(counts, axis=0), y.repeat(counts)
    larger, smaller = _expected(rows, labels), _expected(rows[:, :2], labels)
    statistic = 2.0 * (larger.llf - smaller.llf)
    assert found.statistic == pytest.approx(statistic, rel=1e-6)
    assert found.df == 2 * (n_classes - 1)
    assert found.p_value == pytest.approx(chi2.sf(statistic, found.df), rel=1e-5)
    assert found.log_likelihood == pytest.approx(larger.llf, rel=1e-6)
    assert found.nested_log_likelihood == pytest.approx(smaller.llf, rel=1e-6)
    assert "statistic" in str(found)


def test_columns_of_the_nested_model_are_found_by_name(make_data, tmp_path):
    X, y = make_data(200, 3, 3)
    names = ["a", "b", "c"]
    frame = pandas.DataFrame(X, columns=names)
    model, nested = _fit(frame, y), _fit(frame[["c", "a"]], y)
    expected = likelihood_ratio_test(_fit(X, y), _fit(X[:, [2, 0]], y), X, y, X_nested=X[:, [2, 0]])
    for given in (frame, polars.DataFrame(X, schema=names)):
        found = likelihood_ratio_test(model, nested, given, y)
        assert found.statistic == pytest.approx(expected.statistic, rel=1e-9)
    path = tmp_path / "rows.csv"
    frame.assign(y=y).to_csv(path, index=False)
    blocks = open_blocks(path, target="y")
    of_nested = open_blocks(path, target="y", features=["c", "a"])
    found = likelihood_ratio_test(model, nested, blocks, X_nested=of_nested)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-9)
    with pytest.raises(ValueError, match="nested_model has the feature 'b', which model lacks"):
        likelihood_ratio_test(nested, model, of_nested, X_nested=blocks)
    with pytest.raises(ValueError, match="X has no column 'c'"):
        likelihood_ratio_test(model, nested, frame.rename(columns={"c": "d"}), y)
    with pytest.raises(ValueError, match="X_nested=None requires that X is a data frame"):
        likelihood_ratio_test(model, nested, X, y)


def test_a_model_without_an_intercept_is_nested(make_data):
    X, y = make_data(200, 2, 3)
    model, nested = _fit(X, y), _fit(X, y, fit_intercept=False)
    found = likelihood_ratio_test(model, nested, X, y)
    assert found.df == 2
    smaller = _expected(X, y, fit_intercept=False)
    assert found.nested_log_likelihood == pytest.approx(smaller.llf, rel=1e-9)
    with pytest.raises(ValueError, match="nested_model has an intercept and model has none"):
        likelihood_ratio_test(nested, model, X, y)
    # Combinations of features are nested too.
    differences = X[:, :1] - X[:, 1:] + 7.0
    found = likelihood_ratio_test(
        model, _fit(differences, y), X, y, X_nested=csr_array(differences)
    )
    assert found.df == 2


def test_refuses_models_that_are_not_nested(make_data):
    X, y = make_data(200, 3, 3)
    model, other = _fit(X[:, :2], y), _fit(X[:, 2:], y)
    with pytest.raises(ValueError, match="the feature 'x0', which is no linear combination"):
        likelihood_ratio_test(model, other, X[:, :2], y, X_nested=X[:, 2:])
    with pytest.raises(ValueError, match="has 6 free coefficients and model has 6: it must have"):
        likelihood_ratio_test(model, model, X[:, :2], y)
    cv = SoftmaxClassifierCV(Cs=2, cv=2).fit(X, y)
    with pytest.raises(TypeError, match="nested_model is a SoftmaxClassifierCV: it must be"):
        likelihood_ratio_test(model, cv, X[:, :2], y)
    two = _fit(X[:, :1], y > 0)
    with pytest.raises(ValueError, match="nested_model has the classes"):
        likelihood_ratio_test(model, two, X[:, :2], y)
    penalised = SoftmaxClassifier().fit(X[:, :1], y)
    with pytest.raises(ValueError, match="likelihood_ratio_test requires C=inf"):
        likelihood_ratio_test(model, penalised, X[:, :2], y, X_nested=X[:, :1])
