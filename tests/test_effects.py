"""Marginal effects against statsmodels and against differences of probabilities."""

import numpy as np
import pandas
import pytest
from scipy.sparse import csr_array
from statsmodels.discrete.discrete_model import Logit, MNLogit

from softreg_fast import SoftmaxClassifier
from softreg_fast.blocks import open_blocks

_NEWTON = {"disp": 0, "method": "newton", "maxiter": 100, "tol": 1e-13}


def _fit(X, y, sample_weight=None, **settings):
    settings = {"C": np.inf, "tol": 1e-10} | settings
    return SoftmaxClassifier(**settings).fit(X, y, sample_weight)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3, pytest.param(5, marks=pytest.mark.full)])
def test_equal_those_of_mnlogit(make_data, n_classes, fit_intercept):
    X, y = make_data(300, 4, n_classes)
    X = X * np.array([1e-2, 1.0, 30.0, 1.0]) + np.array([0.0, 2.0, 10.0 * fit_intercept, 0.0])
    found = _fit(X, y, fit_intercept=fit_intercept).marginal_effects(X, y, confidence=0.9)
    design = np.column_stack([np.ones(300), X]) if fit_intercept else X
    expected = MNLogit(y, design).fit(**_NEWTON).get_margeff(at="overall")
    assert found.effects.shape == (n_classes, 4)
    assert found.classes == tuple(range(n_classes))
    np.testing.assert_allclose(found.effects, expected.margeff.T, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(found.std_err, expected.margeff_se.T, rtol=1e-6)
    np.testing.assert_allclose(found.z, expected.tvalues.T, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.p_value, expected.pvalues.T, rtol=1e-5, atol=1e-12)
    limits = np.array([found.lower, found.upper])
    np.testing.assert_allclose(limits.mean(axis=0), found.effects, rtol=1e-9, atol=1e-15)
    reach = 1.6448536269514722 * found.std_err
    np.testing.assert_allclose((limits[1] - limits[0]) / 2.0, reach, rtol=1e-9)
    np.testing.assert_allclose(found.effects.sum(axis=0), 0.0, atol=1e-12)


def test_equal_those_of_logit(make_data):
    X, y = make_data(200, 3, 2)
    found = _fit(X, y).marginal_effects(X, y)
    expected = Logit(y, np.column_stack([np.ones(200), X])).fit(**_NEWTON).get_margeff()
    np.testing.assert_allclose(found.effects[1], expected.margeff, rtol=1e-6)
    np.testing.assert_allclose(found.std_err, np.tile(expected.margeff_se, (2, 1)), rtol=1e-6)


def test_weights_count_as_rows(make_data):
    X, y = make_data(200, 3, 3)
    counts = np.random.default_rng(0).integers(0, 4, 200)
    weighted = _fit(X, y, counts).marginal_effects(X, y, counts)
    rows = X.repeat(counts, axis=0), y.repeat(counts)
    repeated = _fit(*rows).marginal_effects(*rows)
    np.testing.assert_allclose(weighted.effects, repeated.effects, rtol=1e-7)
    np.testing.assert_allclose(weighted.std_err, repeated.std_err, rtol=1e-7)


def test_blocks_sparse_rows_and_many_blocks_of_rows_give_the_same(make_data, monkeypatch):
    X, y = make_data(300, 3, 3)
    model = _fit(X, y)
    expected = model.marginal_effects(X, y)
    monkeypatch.setattr("softreg_fast.inference.marginal_effects.NUMBERS_PER_BLOCK", 1_000)
    rows = open_blocks([(X[:100], y[:100]), (X[100:], y[100:])])
    for given in [(rows,), (csr_array(X), y), (X, y)]:
        found = model.marginal_effects(*given)
        np.testing.assert_allclose(found.effects, expected.effects, rtol=1e-10)
        np.testing.assert_allclose(found.std_err, expected.std_err, rtol=1e-8)


def test_float32(make_data):
    X, y = make_data(200, 3, 3)
    single = X.astype(np.float32)
    expected = _fit(single.astype(np.float64), y).marginal_effects(single.astype(np.float64), y)
    found = _fit(single, y, tol=1e-6).marginal_effects(single, y)
    np.testing.assert_allclose(found.effects, expected.effects, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.std_err, expected.std_err, rtol=1e-4)


@pytest.mark.parametrize("n_classes", [pytest.param(2, marks=pytest.mark.full), 3])
def test_effects_of_categories_are_changes_of_probabilities(n_classes):
    """Their standard errors by numerical derivatives of them by the coefficients."""
    random = np.random.default_rng(0)
    frame = pandas.DataFrame(
        {
            "city": pandas.Categorical(random.choice(["a", "b", "c"], 60)),
            "age": random.standard_normal(60),
        }
    )
    y = random.integers(0, n_classes, 60)
    model = SoftmaxClassifier(C=0.5, tol=1e-11, categorical_features="from_dtype").fit(frame, y)
    found = model.marginal_effects(frame, y)
    assert list(found.names) == ["city_a", "city_b", "city_c", "age"]

    def averages(model):
        in_city = [
            model.predict_proba(frame.assign(city=pandas.Categorical([city] * 60))).mean(axis=0)
            for city in "abc"
        ]
        upper, lower = frame.assign(age=frame["age"] + 1e-5), frame.assign(age=frame["age"] - 1e-5)
        slope = (model.predict_proba(upper) - model.predict_proba(lower)).mean(axis=0) / 2e-5
        return np.column_stack([*(each - in_city[0] for each in in_city), slope])

    np.testing.assert_allclose(found.effects, averages(model), rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(found.std_err[:, 0], 0.0)
    np.testing.assert_allclose(found.p_value[:, 0], 1.0)

    # One-hot columns as features like others: their covariance is the same.
    X = np.column_stack([frame["city"] == each for each in "abc"] + [frame["age"]]).astype(float)
    same = SoftmaxClassifier(C=0.5, tol=1e-11).fit(X, y)
    covariance = _covariance(same, X, y)
    parameters = np.column_stack([model.intercept_, model.coef_])
    derivatives = []
    for place in np.ndindex(parameters.shape):
        sides = []
        for sign in (1.0, -1.0):
            moved = parameters.copy()
            moved[place] += sign * 1e-4
            model.intercept_, model.coef_ = moved[:, 0], moved[:, 1:]
            sides.append(averages(model))
        derivatives.append((sides[0] - sides[1]) / 2e-4)
    derivatives = np.array(derivatives).reshape(parameters.size, -1)
    variances = np.sum(derivatives * (covariance @ derivatives), axis=0)
    expected = np.sqrt(np.maximum(variances, 0.0)).reshape(found.std_err.shape)
    np.testing.assert_allclose(found.std_err, expected, rtol=1e-4, atol=1e-9)


def _covariance(model, X, y):
    """The sandwich, of plain sums over the rows; coefficients of all classes are penalised."""
    design = np.column_stack([np.ones(len(X)), X])
    probabilities = model.predict_proba(X)
    n_columns = len(model.coef_)
    residuals = (probabilities - np.eye(probabilities.shape[1])[y])[:, -n_columns:]
    size = n_columns * design.shape[1]
    curvature, squares = np.zeros((2, size, size))
    for row, p, residual in zip(design, probabilities[:, -n_columns:], residuals, strict=True):
        products = np.outer(row, row)
        curvature += np.kron(np.diag(p) - np.outer(p, p), products)
        slopes = np.kron(residual, row)
        squares += np.outer(slopes, slopes)
    penalties = np.tile(np.append(0.0, np.full(X.shape[1], 1.0 / model.C)), n_columns)
    inverse = np.linalg.pinv(curvature + np.diag(penalties), rcond=1e-10)
    return inverse @ squares @ inverse


def test_table_names_classes_and_features(make_data):
    X, y = make_data(100, 2, 3)
    frame = pandas.DataFrame(X, columns=["width", "<b>&"])
    labels = np.array(["red", "green", "<i>"])[y]
    found = _fit(frame, labels).marginal_effects(frame, labels)
    text, html, table = str(found), found.to_html(), found.to_pandas()
    for part in ("probability of class red", "width", "effect", "std err", "97.5 %"):
        assert part in text
        assert part in html
    assert "<b>" not in html
    assert "class &lt;i&gt;" in html
    assert table.index.names == ["class", "feature"]
    assert (
        table.loc[("red", "width"), "effect"] == found.effects[list(found.classes).index("red"), 0]
    )
    assert list(table) == ["effect", "std_err", "z", "p_value", "lower", "upper"]


def test_refusals(make_data):
    X, y = make_data(100, 2, 3)
    with pytest.raises(ValueError, match="marginal_effects requires activation='identity', got"):
        SoftmaxClassifier(activation="sigmoid").fit(X, y).marginal_effects(X, y)
    with pytest.raises(ValueError, match=r"marginal_effects requires l1_ratio=0, got l1_ratio=1"):
        SoftmaxClassifier(l1_ratio=1).fit(X, y).marginal_effects(X, y)
    model = _fit(X, y)
    with pytest.raises(ValueError, match=r"confidence=0 is not allowed"):
        model.marginal_effects(X, y, confidence=0)
    with pytest.raises(ValueError, match="not at the optimum of these rows"):
        model.marginal_effects(X[:60], y[:60])
    with pytest.raises(ValueError, match="NaN"):
        model.marginal_effects(np.where(X > 1.0, np.nan, X), y)
    with pytest.raises(ValueError, match="y is not allowed beside rows in blocks"):
        model.marginal_effects(open_blocks([(X, y)]), y)
