"""Categorical columns, without one-hot columns."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import OneHotEncoder

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV

CATEGORICAL = ["job", "city", "code"]
N_ROWS = 240


def _frame(n_rows=N_ROWS, seed=0):
    random = np.random.default_rng(seed)
    cities = random.choice(["x", "y", None, "z"], n_rows)
    return pd.DataFrame(
        {
            "age": random.normal(size=n_rows),
            "job": pd.Categorical(random.choice(list("cab"), n_rows), list("dcba")),
            "hours": random.integers(0, 9, n_rows),
            "city": pd.Categorical(cities),
            "code": random.integers(3, 7, n_rows),
        }
    )


def _labels(frame, n_classes=3, seed=1):
    random = np.random.default_rng(seed)
    noise = random.normal(size=len(frame))
    score = frame["age"] + (frame["job"] == "a") - (frame["city"] == "x") + noise
    return np.array(list("uvw"))[np.digitize(score, [0.0, 0.8][: n_classes - 1])]


def _one_hot(frame, categorical=CATEGORICAL, **settings):
    parts = [
        (name, OneHotEncoder(**settings) if name in categorical else "passthrough", [name])
        for name in frame.columns
    ]
    encoder = ColumnTransformer(parts, sparse_threshold=0.0, verbose_feature_names_out=False)
    return encoder, encoder.fit_transform(frame)


def _classifier(**settings):
    return SoftmaxClassifier(
        **{"categorical_features": CATEGORICAL, "tol": 1e-10, "random_state": 0, **settings}
    )


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("solver", ["auto", "newton", "lbfgs"])
def test_equals_one_hot_columns_and_logistic_regression(solver, n_classes, fit_intercept):
    frame = _frame()
    y = _labels(frame, n_classes)
    weights = np.random.default_rng(2).exponential(size=N_ROWS)
    encoder, X = _one_hot(frame)
    expected = LogisticRegression(
        C=2.0, fit_intercept=fit_intercept, solver="newton-cholesky", tol=1e-12, max_iter=500
    ).fit(X, y, weights)
    found = _classifier(C=2.0, fit_intercept=fit_intercept, solver=solver).fit(frame, y, weights)
    assert found.converged_
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-8)
    np.testing.assert_allclose(found.intercept_, expected.intercept_, atol=1e-8)
    np.testing.assert_allclose(found.predict_proba(frame), expected.predict_proba(X), atol=1e-8)
    np.testing.assert_array_equal(found.predict(frame), expected.predict(X))
    assert found.get_coefficient_names().tolist() == encoder.get_feature_names_out().tolist()
    assert found.n_features_in_ == frame.shape[1]
    assert found.feature_names_in_.tolist() == frame.columns.tolist()
    assert [each.tolist() for each in found.categories_][0::2] == [list("abc"), [3, 4, 5, 6]]
    assert found.categories_[1][:3].tolist() == list("xyz")
    assert np.isnan(found.categories_[1][3])  # missing ones


@pytest.mark.parametrize(
    "settings",
    [
        {"l1_ratio": 1.0, "C": 0.3},
        {"l1_ratio": 0.5, "penalty_groups": "features"},
        {"activation": "sigmoid"},
        {"solver": "sgd", "tol": 1e-4},
        {"solver": "sgd", "early_stopping": True, "tol": 1e-4},
        {"l1_ratio": 0.5, "solver": "sgd", "tol": 1e-4},
    ],
    ids=str,
)
def test_equals_the_same_fit_of_one_hot_columns(settings):
    frame = _frame()
    y = _labels(frame)
    _, X = _one_hot(frame)
    found = _classifier(**settings).fit(frame, y)
    matrix = _classifier(**settings, categorical_features=None)
    expected = matrix.fit(csr_array(X), y)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-6)
    np.testing.assert_allclose(found.predict_proba(frame), expected.predict_proba(X), atol=1e-6)


def test_columns_are_chosen_by_type_name_number_or_mask():
    frame = _frame()
    y = _labels(frame)
    _, X = _one_hot(frame, ["job", "city"])
    expected = SoftmaxClassifier(tol=1e-10).fit(X, y)
    mask = [False, True, False, True, False]
    for chosen in ("from_dtype", ["job", "city"], [3, 1], mask, np.array(mask)):
        found = _classifier(categorical_features=chosen).fit(frame, y)
        np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-8)
    array = frame.drop(columns="city").assign(job=frame["job"].cat.codes).to_numpy()
    found = _classifier(categorical_features=[1, 3]).fit(array, y)
    names = ["x0", "x1_1", "x1_2", "x1_3", "x2", "x3_3", "x3_4", "x3_5", "x3_6"]
    assert found.get_coefficient_names().tolist() == names
    array = array.astype(np.float64)
    array[::3, 3] = np.nan
    found = _classifier(categorical_features=[1, 3]).fit(array, y)
    assert found.get_coefficient_names()[-1] == "x3_nan"
    assert found.coef_.shape == (3, 10)


@pytest.mark.parametrize("kind", ["Categorical", "Enum"])
def test_polars_frames_give_the_same_model(kind):
    frame = _frame()
    y = _labels(frame)
    expected = _classifier(categorical_features="from_dtype").fit(frame, y)
    columns = {name: frame[name].to_numpy() for name in ("age", "hours", "code")}
    for name in ("job", "city"):
        values = [None if pd.isna(each) else each for each in frame[name]]
        known = pl.Enum(["z", "y", "x", "w", "d", "c", "b", "a"])
        columns[name] = pl.Series(values).cast(known if kind == "Enum" else pl.Categorical)
    other = pl.DataFrame({name: columns[name] for name in frame.columns})
    found = _classifier(categorical_features="from_dtype").fit(other, y)
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    np.testing.assert_array_equal(found.predict_proba(other), expected.predict_proba(frame))
    np.testing.assert_array_equal(found.predict_proba(frame), expected.predict_proba(frame))


def test_arrow_tables_give_the_same_model():
    frame = _frame()
    y = _labels(frame)
    expected = _classifier(categorical_features="from_dtype").fit(frame, y)
    plain = {name: frame[name].to_numpy() for name in ("age", "hours", "code")}
    chunks = []
    for rows in (slice(0, 100), slice(100, None)):  # with dictionaries of their own
        columns = {name: plain[name][rows] for name in plain}
        for name in ("job", "city"):
            values = [None if pd.isna(each) else each for each in frame[name][rows]]
            columns[name] = pa.array(values).dictionary_encode()
        chunks.append(pa.table({name: columns[name] for name in frame.columns}))
    table = pa.concat_tables(chunks)
    found = _classifier(categorical_features="from_dtype").fit(table, y)
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    np.testing.assert_array_equal(found.predict_proba(table), expected.predict_proba(frame))
    assert found.get_coefficient_names().tolist() == expected.get_coefficient_names().tolist()


def test_nullable_numbers_are_numbers():
    frame = _frame()
    y = _labels(frame)
    other = frame.astype({"age": "Float64", "hours": "Int32"})
    expected, found = (_classifier().fit(each, y) for each in (frame, other))
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    other.loc[7, "hours"] = pd.NA
    with pytest.raises(ValueError, match=r"X\['hours'\] is NaN in row 7"):
        _classifier().fit(other, y)
    with pytest.raises(TypeError, match=r"X\['age'\] has dtype str.*astype\('category'\)"):
        _classifier().fit(frame.assign(age=frame["age"].astype(str).astype("string")), y)


def test_unknown_categories_contribute_nothing_and_are_warned_of_once():
    frame = _frame()
    y = _labels(frame)
    model = _classifier().fit(frame, y)
    encoder, _ = _one_hot(frame, handle_unknown="ignore")
    other = frame[:6].assign(
        job=pd.Categorical(["q", "a", None, "b", "c", "d"]), code=[3, 4, 9, 5, 6, 3]
    )
    message = "X has categories that fit has not seen, in the columns 'job', 'code'"
    with pytest.warns(UserWarning, match=message) as caught:
        found = model.decision_function(other)
    assert len(caught) == 1
    X = encoder.transform(other)
    np.testing.assert_allclose(found, X @ model.coef_.T + model.intercept_, atol=1e-12)


def test_types_of_frames_may_order_categories_otherwise():
    frame = _frame()
    model = _classifier().fit(frame, _labels(frame))
    order = ["c", "zz", "a", "b"]
    other = frame.assign(job=pd.Categorical(frame["job"].astype(str), order))
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(frame))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_cross_validation_equals_that_of_one_hot_columns(n_classes):
    frame = _frame()
    y = _labels(frame, n_classes)
    _, X = _one_hot(frame)
    found, expected = (
        SoftmaxClassifierCV(Cs=[0.01, 1.0], cv=3, tol=1e-9, categorical_features=chosen)
        for chosen in (CATEGORICAL, None)
    )
    found.fit(frame, y)
    expected.fit(X, y)
    np.testing.assert_allclose(found.scores_, expected.scores_, atol=1e-6)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-6)
    np.testing.assert_allclose(found.predict_proba(frame), expected.predict_proba(X), atol=1e-6)
    assert found.n_features_in_ == 5
    assert len(found.get_coefficient_names()) == X.shape[1]


def test_grid_search_splits_frames():
    frame = _frame()
    y = _labels(frame)
    search = GridSearchCV(_classifier(), {"C": [0.01, 1.0]}, cv=3, error_score="raise")
    search.fit(frame, y)
    assert search.best_estimator_.coef_.shape == (3, 13)
    assert 0.4 < search.best_score_ < 1.0


def test_stream_knows_the_categories_of_the_types_from_the_first_block_on():
    frame = _frame()
    y = _labels(frame)
    is_first = (frame["job"] != "a").to_numpy()
    model = _classifier(categorical_features=["job", "city"], solver="sgd")
    model.partial_fit(frame[is_first], y[is_first], classes=list("uvw"))
    names = model.get_coefficient_names().tolist()
    assert names[1:5] == ["job_a", "job_b", "job_c", "job_d"]
    assert not model.coef_[:, 1].any()
    model.partial_fit(frame[~is_first], y[~is_first])
    assert model.coef_[:, 1].any()
    assert model.get_coefficient_names().tolist() == names


def test_held_out_rows_are_read_as_the_others_are():
    frame = _frame()
    y = _labels(frame)
    other = _frame(seed=5)
    model = _classifier(solver="sgd", tol=1e-4)
    model.fit(frame, y, X_val=other, y_val=_labels(other))
    _, X = _one_hot(pd.concat([frame, other]))
    expected = SoftmaxClassifier(solver="sgd", random_state=0)
    X = csr_array(X)
    expected.fit(X[:N_ROWS], y, X_val=X[N_ROWS:], y_val=_labels(other))
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-6)
    np.testing.assert_allclose(model.validation_curve_, expected.validation_curve_, atol=1e-9)


def test_summary_names_coefficients_and_those_that_depend_on_each_other():
    frame = _frame()
    y = _labels(frame)
    model = _classifier().fit(frame, y)
    summary = model.summary(frame, y)
    _, X = _one_hot(frame)
    expected = SoftmaxClassifier(tol=1e-10).fit(X, y).summary(X, y)
    np.testing.assert_allclose(summary.std_err, expected.std_err, rtol=1e-6)
    assert list(summary.names) == ["intercept", *model.get_coefficient_names()]
    free = _classifier(C=np.inf, categorical_features=["job"])
    free.fit(frame.drop(columns=["city"]), y)
    pattern = r"depend on each other \(job_a, job_b, job_c\); all categories .*get_dummies"
    with pytest.raises(ValueError, match=pattern):
        free.summary(frame.drop(columns=["city"]), y)


def test_categories_without_one_have_standard_errors_without_a_penalty():
    """What the refusal advises works, and its model is the same."""
    frame = _frame()[["job", "city"]].dropna()
    frame["job"] = frame["job"].cat.remove_unused_categories()
    y = _labels(_frame())[frame.index]
    columns = pd.get_dummies(frame, drop_first=True, dtype=float)
    model = SoftmaxClassifier(C=np.inf, tol=1e-8).fit(columns, y)
    assert np.isfinite(model.summary(columns, y).std_err).all()
    whole = SoftmaxClassifier(C=np.inf, tol=1e-8, categorical_features="from_dtype").fit(frame, y)
    np.testing.assert_allclose(
        whole.predict_proba(frame), model.predict_proba(columns), rtol=0, atol=1e-6
    )


def test_texts_are_refused_with_a_hint_at_categories():
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "job": ["x", "y", "x", "y"]})
    pattern = r"X has columns of texts \(.*'x'\): .*categorical_features='from_dtype'"
    for given in (frame, frame.astype({"job": "category"}), pl.from_pandas(frame)):
        with pytest.raises(ValueError, match=pattern):
            SoftmaxClassifier().fit(given, [0, 1, 1, 0])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_export_is_a_pipeline(n_classes):
    frame = _frame()
    y = _labels(frame, n_classes)
    model = _classifier().fit(frame, y)
    pipeline = model.to_sklearn()
    other = frame.assign(job=pd.Categorical(["q"] * N_ROWS))
    np.testing.assert_allclose(pipeline.predict_proba(frame), model.predict_proba(frame))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        np.testing.assert_allclose(pipeline.predict_proba(other), model.predict_proba(other))
    array = frame[["age", "hours", "code"]].to_numpy()
    model = _classifier(categorical_features=[2]).fit(array, y)
    np.testing.assert_allclose(model.to_sklearn().predict_proba(array), model.predict_proba(array))


def test_pickles_and_warm_starts():
    frame = _frame()
    y = _labels(frame)
    model = _classifier(warm_start=True).fit(frame, y)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(frame), model.predict_proba(frame))
    assert model.fit(frame, y).n_iter_ == 0
    other = frame.assign(job=pd.Categorical(frame["job"].astype(str).replace("a", "q")))
    with pytest.raises(ValueError, match=r"X\['job'\] has other categories than in the last fit"):
        model.fit(other, y)
    assert model.get_coefficient_names().tolist() == copy.get_coefficient_names().tolist()
    assert not hasattr(
        model.set_params(categorical_features=None, warm_start=False).fit(
            frame[["age", "hours"]], y
        ),
        "categories_",
    )


def test_missing_categories_that_no_row_of_fit_has_are_unknown():
    frame = _frame().assign(city=pd.Categorical(["x", "y", "z"] * (N_ROWS // 3)))
    model = _classifier().fit(frame, _labels(frame))
    assert model.coef_.shape == (3, 12)
    other = frame[:4].assign(city=pd.Categorical([None] * 4, ["x", "y", "z"]))
    with pytest.warns(UserWarning, match="in the columns 'city'"):
        model.predict(other)


def test_what_is_not_allowed_is_named():
    frame = _frame()
    y = _labels(frame)
    for chosen, error, message in [
        ("from dtype", ValueError, "categorical_features='from dtype' is not allowed"),
        (7, TypeError, "categorical_features=7 is not allowed"),
        (["jobs"], ValueError, "categorical_features has 'jobs', which is none of the columns"),
        ([5], ValueError, "has 5: it must be names of columns, or numbers from 0 to 4"),
        ([True], ValueError, "has 1 elements and X has 5 columns"),
        (["age"], ValueError, r"X\['age'\] is in categorical_features, but has numbers"),
    ]:
        with pytest.raises(error, match=message):
            _classifier(categorical_features=chosen).fit(frame, y)
    model = _classifier(categorical_features="from_dtype").fit(frame, y)
    before = vars(model).copy()
    for wrong, error, message in [
        (frame.assign(job=frame["job"].astype(str)), TypeError, r"astype\('category'\)"),
        (frame.assign(age=np.nan), ValueError, r"X\['age'\] is NaN in row 0"),
    ]:
        for method in (model.fit, model.score):
            with pytest.raises(error, match=message):
                method(wrong, y)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.drop(columns="age"))
    with pytest.raises(TypeError, match="X is a sparse matrix"):
        model.fit(csr_array(np.eye(N_ROWS)), y)
    for empty in (frame[:0], frame.iloc[:, :0], np.zeros(3)):
        with pytest.raises(ValueError, match=r"shape|array"):
            model.fit(empty, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(frame, y[:-1])
    with pytest.raises(ValueError, match="y contains NaN"):
        model.fit(frame, np.full(N_ROWS, np.nan))
    assert vars(model).keys() == before.keys()
    np.testing.assert_array_equal(model.coef_, before["coef_"])


@pytest.mark.full
def test_float32_numbers_stay_float32():
    frame = _frame()[["age", "job"]].astype({"age": np.float32})
    model = _classifier(categorical_features="from_dtype", tol=1e-4).fit(frame, _labels(_frame()))
    assert model.coef_.dtype == model.predict_proba(frame).dtype == np.float32


@pytest.mark.full
def test_many_categories_of_a_column():
    random = np.random.default_rng(0)
    values = random.permutation(np.repeat(np.arange(300), 4))
    frame = pd.DataFrame({"id": values, "size": random.normal(size=1_200)})
    y = (values % 2).astype(int)
    model = _classifier(categorical_features=["id"]).fit(frame, y)
    assert model.coef_.shape == (1, 301)
    assert model.score(frame, y) == 1.0


def test_separated_classes_are_named():
    frame = pd.DataFrame({"a": pd.Categorical(list("xxyy") * 10), "b": np.arange(40.0)})
    with pytest.warns(ConvergenceWarning, match="separate the classes completely"):
        _classifier(categorical_features="from_dtype", C=np.inf).fit(frame, frame["a"].astype(str))
