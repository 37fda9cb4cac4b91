"""SoftmaxClassifier among the tools that people use it with."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import polars
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, get_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    LeaveOneGroupOut,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from softreg_fast.estimators.classifier import SoftmaxClassifier

ACTIVATIONS = ["identity", "sigmoid"]
METHODS = ("predict", "decision_function", "predict_proba", "predict_log_proba")
COLUMNS = ["length", "width", "height"]
LIBRARIES = {"pandas": pd, "polars": polars}
# scikit-learn reads the names of this polars' columns.
NAMES_OF_POLARS_ARE_READ = hasattr(
    StandardScaler().fit(polars.DataFrame({"a": [0.0, 1.0]})), "feature_names_in_"
)
OF_POLARS = pytest.param("polars", marks=pytest.mark.runs_if(NAMES_OF_POLARS_ARE_READ))


def assert_same_bits(found, expected, X):
    np.testing.assert_array_equal(found.classes_, expected.classes_)
    for name in ("coef_", "intercept_"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for method in METHODS:
        result = getattr(found, method)(X)
        assert result.dtype == getattr(expected, method)(X).dtype
        np.testing.assert_array_equal(result, getattr(expected, method)(X))


def assert_changed_copy_leaves(original, changed):
    before = original.coef_.copy()
    changed.coef_[:] += 1.0
    changed.set_params(C=7.0)
    np.testing.assert_array_equal(original.coef_, before)
    assert original.C != 7.0


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("named", [False, True])
def test_copies_predict_the_same_bits(make_data, tmp_path, named, n_classes, activation):
    X, y = make_data(80, 3, n_classes)
    y = np.array(["ash", "birch", "cedar"])[y]
    X = pd.DataFrame(X, columns=COLUMNS) if named else X.astype(np.float32)
    model = SoftmaxClassifier(C=0.5, activation=activation, class_weight="balanced").fit(X, y)
    copies = [pickle.loads(pickle.dumps(model, protocol)) for protocol in (2, 5)]
    copies += [copy.copy(model), copy.deepcopy(model)]
    for compress in (0, 3):
        joblib.dump(model, tmp_path / "model", compress=compress)
        copies.append(joblib.load(tmp_path / "model"))
    for other in copies:
        assert other.get_params() == model.get_params()
        assert list(vars(other)) == list(vars(model))
        assert_same_bits(other, model, X)
        assert_same_bits(clone(other).fit(X, y), model, X)
    assert_changed_copy_leaves(model, copies[0])
    assert_changed_copy_leaves(model, copies[3])


def test_models_in_read_only_files_predict_and_go_on(make_data, tmp_path):
    X, y = make_data(80, 3, 3)
    model = SoftmaxClassifier(warm_start=True, tol=1e-6).fit(X, y)
    joblib.dump(model, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    assert isinstance(mapped.coef_, np.memmap)
    assert_same_bits(mapped, model, X)
    mapped.fit(X, y)
    assert mapped.n_iter_ == 0
    assert mapped.coef_.flags.writeable


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_clone_has_the_parameters_and_no_model(make_data, activation):
    X, y = make_data(80, 3, 3)
    weights = {0: 1.0, 1: 2.0, 2: 3.0}
    model = SoftmaxClassifier(
        C=0.1, activation=activation, class_weight=weights, max_iter=300, n_threads=1
    )
    other = clone(model.fit(X, y))
    assert other.get_params() == model.get_params()
    assert other.class_weight is not weights
    assert not [name for name in vars(other) if name.endswith("_")]
    assert_same_bits(other.fit(X, y), model, X)


# From Python 3.12 on, forks warn if any library has threads.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(
    "backend",
    [
        "threading",
        pytest.param("loky", marks=pytest.mark.full),
        pytest.param("multiprocessing", marks=pytest.mark.full),
    ],
)
def test_parallel_search_finds_the_same(make_data, request, backend):
    if backend != "loky":  # whose processes don't know of other cuts, which give other bits
        request.getfixturevalue("eager_threads")
    X, y = make_data(120, 3, 3)
    search = GridSearchCV(
        SoftmaxClassifier(n_threads=2),
        {"C": [0.001, 0.1, 10.0], "activation": ACTIVATIONS},
        scoring="neg_log_loss",
        cv=3,
        error_score="raise",
    )
    # This process has used threads before it forks.
    expected = clone(search).fit(X, y)
    with joblib.parallel_config(backend=backend):
        found = search.set_params(n_jobs=2).fit(X, y)
    assert found.best_params_ == expected.best_params_
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )
    assert_same_bits(found.best_estimator_, expected.best_estimator_, X)


@pytest.mark.parametrize("method", METHODS)
def test_cross_val_predict_is_made_of_folds(make_data, method):
    X, y = make_data(120, 3, 3)
    folds = StratifiedKFold(4)
    found = cross_val_predict(SoftmaxClassifier(), X, y, cv=folds, method=method)
    expected = np.empty_like(found)
    for train, test in folds.split(X, y):
        expected[test] = getattr(SoftmaxClassifier().fit(X[train], y[train]), method)(X[test])
    np.testing.assert_array_equal(found, expected)


def test_search_in_a_pipeline_sets_nested_parameters(make_data):
    X, y = make_data(120, 3, 3)
    pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier())
    search = GridSearchCV(
        pipeline,
        {"softmaxclassifier__C": [1e-5, 1.0], "standardscaler": ["passthrough"]},
        scoring="neg_log_loss",
        cv=3,
    ).fit(X, y)
    assert search.best_params_["softmaxclassifier__C"] == 1.0
    assert_same_bits(search.best_estimator_[-1], SoftmaxClassifier(C=1.0).fit(X, y), X)


def test_folds_without_a_class_give_it_no_probability():
    X = np.repeat(np.arange(3.0), 4)[:, None]
    y = np.repeat(["ash", "birch", "cedar"], 4)
    with pytest.warns(RuntimeWarning, match="Number of classes in training fold"):
        probabilities = cross_val_predict(
            SoftmaxClassifier(), X, y, groups=y, cv=LeaveOneGroupOut(), method="predict_proba"
        )
    unseen = y[:, None] == np.unique(y)
    np.testing.assert_array_equal(probabilities == 0.0, unseen)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-14)


@pytest.fixture
def trees(make_data):
    """A table with numbers, words and truths, and the labels."""
    X, y = make_data(90, 3, 3)
    table = pd.DataFrame(X, columns=COLUMNS)
    table["bark"] = np.array(["rough", "smooth"])[(X[:, 0] > 0).astype(int)]
    table["bark"] = table["bark"].astype("category")
    table["evergreen"] = X[:, 1] > 0
    return table, np.array(["ash", "birch", "cedar"])[y]


def tree_pipeline(output="default"):
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), COLUMNS),
            ("words", OneHotEncoder(sparse_output=False, drop="if_binary"), ["bark"]),
            ("truths", "passthrough", ["evergreen"]),
        ],
        verbose_feature_names_out=False,
    )
    return make_pipeline(columns, SoftmaxClassifier()).set_output(transform=output)


def test_columns_of_a_table_are_transformed(trees):
    table, y = trees
    model = tree_pipeline().fit(table, y)
    assert model.score(table, y) > 0.6
    assert not hasattr(model[-1], "feature_names_in_")
    shuffled = table[table.columns[::-1]]
    np.testing.assert_array_equal(model.predict_proba(shuffled), model.predict_proba(table))
    with pytest.raises(ValueError, match=r"columns are missing: \{'bark'\}"):
        model.predict(table.drop(columns="bark"))


@pytest.mark.parametrize("output", ["pandas", OF_POLARS])
def test_transformed_tables_bring_their_names(trees, output):
    table, y = trees
    model = tree_pipeline(output).fit(table, y)
    names = [*COLUMNS, "bark_smooth", "evergreen"]
    np.testing.assert_array_equal(model[-1].feature_names_in_, names)
    np.testing.assert_array_equal(model[:-1].get_feature_names_out(), names)
    np.testing.assert_allclose(
        model.predict_proba(table), tree_pipeline().fit(table, y).predict_proba(table), rtol=1e-12
    )


def as_frame(library, X, names):
    return LIBRARIES[library].DataFrame({name: X[:, column] for column, name in enumerate(names)})


@pytest.mark.parametrize("library", ["pandas", OF_POLARS])
def test_wrong_names_of_columns_are_refused(make_data, library):
    X, y = make_data(60, 3, 2)
    table = as_frame(library, X, COLUMNS)
    model = SoftmaxClassifier().fit(table, y)
    np.testing.assert_array_equal(model.feature_names_in_, COLUMNS)
    np.testing.assert_allclose(model.coef_, SoftmaxClassifier().fit(X, y).coef_, rtol=1e-9)
    for method in METHODS:
        predict = getattr(model, method)
        with pytest.raises(ValueError, match=r"unseen at fit time:\n- depth\n.*\n- height"):
            predict(as_frame(library, X, ["length", "width", "depth"]))
        with pytest.raises(ValueError, match="must be in the same order"):
            predict(as_frame(library, X, COLUMNS[::-1]))
        with pytest.raises(ValueError, match=r"yet now missing:\n- height"):
            predict(as_frame(library, X[:, :2], COLUMNS[:2]))
        with pytest.warns(UserWarning, match="X does not have valid feature names"):
            predict(X)
    with pytest.warns(UserWarning, match="SoftmaxClassifier was fitted without feature names"):
        SoftmaxClassifier().fit(X, y).predict(table)
    assert not hasattr(model.fit(X, y), "feature_names_in_")


@pytest.mark.parametrize(
    "dtypes",
    [
        # The kernel of float32 columns, which compiles for long.
        pytest.param(["float32", "float32", "float32"], marks=pytest.mark.full),
        ["float64", "float32", "int8"],
        ["Float64", "Int64", "boolean"],
        ["bool", "uint8", "float64"],
        ["object", "object", "object"],
    ],
)
def test_columns_of_several_dtypes_are_numbers(make_data, dtypes):
    X, y = make_data(60, 3, 2)
    X = (X > 0).astype(np.float64)
    table = pd.DataFrame(X, columns=COLUMNS).astype(dict(zip(COLUMNS, dtypes, strict=True)))
    model = SoftmaxClassifier(tol=1e-8).fit(table, y)
    assert model.coef_.dtype == ("float32" if set(dtypes) == {"float32"} else "float64")
    expected = SoftmaxClassifier(tol=1e-8).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["Float64", "Int64", "boolean", "object"])
def test_missing_values_in_a_column_are_refused(make_data, dtype):
    X, y = make_data(60, 3, 2)
    table = pd.DataFrame((X > 0).astype(int), columns=COLUMNS).astype(dtype)
    model = SoftmaxClassifier().fit(table, y)
    table.iloc[7, 1] = np.nan if dtype == "object" else pd.NA
    for call in (lambda: clone(model).fit(table, y), lambda: model.predict(table)):
        with pytest.raises(ValueError, match=r"X\[7, 1\] \(feature 'width'\) is NaN"):
            call()


@pytest.mark.runs_if(NAMES_OF_POLARS_ARE_READ)
def test_missing_values_in_a_polars_frame_are_refused(make_data):
    X, y = make_data(60, 3, 2)
    values = X[:, 1].tolist()
    values[7] = None
    table = polars.DataFrame({"length": X[:, 0], "width": values})
    with pytest.raises(ValueError, match=r"X\[7, 1\] \(feature 'width'\) is NaN"):
        SoftmaxClassifier().fit(table, y)


def test_html_shows_parameters_and_whether_it_is_fitted(make_data):
    X, y = make_data(60, 3, 2)
    model = SoftmaxClassifier(C=0.125, activation="sigmoid")
    assert repr(model) == "SoftmaxClassifier(C=0.125, activation='sigmoid')"
    before = model._repr_html_()
    after = model.fit(X, y)._repr_html_()
    for html in (before, after):
        assert "SoftmaxClassifier" in html
        for name in model.get_params():
            assert name in html
        assert "0.125" in html
    assert "<span>Not fitted</span>" in before
    assert "<span>Fitted</span>" in after
    in_pipeline = make_pipeline(StandardScaler(), model)._repr_html_()
    assert in_pipeline.index("StandardScaler") < in_pipeline.index("SoftmaxClassifier")
    assert set(model._repr_mimebundle_()) == {"text/plain", "text/html"}


@pytest.fixture
def weighted(make_data):
    """Features, labels and weights that make another model."""
    X, y = make_data(120, 3, 3)
    return X, y, np.where(y == 0, 5.0, 0.5)


def requesting(fit=True, score=True):
    return (
        SoftmaxClassifier()
        .set_fit_request(sample_weight=fit)
        .set_score_request(sample_weight=score)
    )


@pytest.mark.parametrize("is_requested", [True, False])
@config_context(enable_metadata_routing=True)
def test_pipeline_routes_weights(weighted, is_requested):
    X, y, sample_weight = weighted
    model = Pipeline([("same", FunctionTransformer()), ("softmax", requesting(fit=is_requested))])
    if is_requested:
        model.fit(X, y, sample_weight=sample_weight)
        expected = SoftmaxClassifier().fit(X, y, sample_weight)
        assert_same_bits(model[-1], expected, X)
        assert np.abs(expected.coef_ - SoftmaxClassifier().fit(X, y).coef_).max() > 0.01
    else:
        with pytest.raises(TypeError, match=r"unexpected argument.*sample_weight"):
            model.fit(X, y, sample_weight=sample_weight)


@config_context(enable_metadata_routing=True)
def test_weights_need_a_request(weighted):
    X, y, sample_weight = weighted
    model = Pipeline([("softmax", SoftmaxClassifier())])
    with pytest.raises(UnsetMetadataPassedError, match=r"sample_weight.* not explicitly set"):
        model.fit(X, y, sample_weight=sample_weight)


@config_context(enable_metadata_routing=True)
def test_pipeline_routes_first_coefficients(weighted):
    X, y, _ = weighted
    start = SoftmaxClassifier(tol=1e-8).fit(X, y)
    last = SoftmaxClassifier().set_fit_request(coef_init=True, intercept_init=True)
    model = Pipeline([("same", FunctionTransformer()), ("softmax", last)])
    model.fit(X, y, coef_init=start.coef_, intercept_init=start.intercept_)
    assert model[-1].n_iter_ == 0
    assert clone(last).fit(X, y).n_iter_ > 0


@pytest.mark.parametrize("fit", [True, False])
@pytest.mark.parametrize("score", [True, False])
@config_context(enable_metadata_routing=True)
def test_cross_validation_and_search_route_weights(weighted, score, fit):
    X, y, sample_weight = weighted
    if not fit and not score:
        with pytest.raises(TypeError, match=r"unexpected argument.*sample_weight"):
            cross_validate(requesting(fit, score), X, y, params={"sample_weight": sample_weight})
        return
    folds = StratifiedKFold(3)
    expected = []
    for train, test in folds.split(X, y):
        model = SoftmaxClassifier().fit(X[train], y[train], sample_weight[train] if fit else None)
        expected.append(
            accuracy_score(
                y[test],
                model.predict(X[test]),
                sample_weight=sample_weight[test] if score else None,
            )
        )
    validated = cross_validate(
        requesting(fit, score), X, y, cv=folds, params={"sample_weight": sample_weight}
    )
    np.testing.assert_allclose(validated["test_score"], expected, rtol=1e-14)

    search = GridSearchCV(requesting(fit, score), {"C": [1e-4, 1.0]}, cv=folds)
    search.fit(X, y, sample_weight=sample_weight)
    assert search.cv_results_["mean_test_score"][1] == pytest.approx(np.mean(expected))
    refitted = SoftmaxClassifier(**search.best_params_)
    refitted.fit(X, y, sample_weight if fit else None)
    assert_same_bits(search.best_estimator_, refitted, X)
    if score:
        expected_score = refitted.score(X, y, sample_weight)
        assert search.score(X, y, sample_weight=sample_weight) == expected_score
        assert expected_score != refitted.score(X, y)


@config_context(enable_metadata_routing=True)
def test_scorers_take_weights_of_their_own(weighted):
    X, y, sample_weight = weighted
    scorer = get_scorer("neg_log_loss").set_score_request(sample_weight=True)
    scores = [
        cross_val_score(
            SoftmaxClassifier().set_fit_request(sample_weight=fit),
            X,
            y,
            scoring=scorer,
            params={"sample_weight": sample_weight},
        ).mean()
        for fit in (True, False)
    ]
    # The model of the weights that it is scored with is the better one.
    assert scores[0] > scores[1]


AROUND = {
    "calibration": lambda model: CalibratedClassifierCV(model, cv=3),
    "voting": lambda model: VotingClassifier(
        [("softmax", model), ("bayes", GaussianNB())], voting="soft"
    ),
    "one versus rest": OneVsRestClassifier,
    "one versus one": OneVsOneClassifier,
    "stacking": lambda model: StackingClassifier(
        [("softmax", model), ("bayes", GaussianNB())], final_estimator=clone(model), cv=3
    ),
    "bagging": lambda model: BaggingClassifier(model, n_estimators=3, random_state=0),
    "boosting": lambda model: AdaBoostClassifier(model, n_estimators=3, random_state=0),
    "elimination": lambda model: RFE(model, n_features_to_select=2),
    "selection": lambda model: make_pipeline(SelectFromModel(clone(model)), model),
    "threshold": lambda model: FixedThresholdClassifier(model, threshold=0.4),
    "self-training": lambda model: SelfTrainingClassifier(model, threshold=0.8),
}


@pytest.mark.parametrize(
    ("name", "n_classes"),
    [(name, n_classes) for name in AROUND for n_classes in (2, 3)
     if (name, n_classes) != ("threshold", 3)],
)  # fmt: skip
def test_estimators_around_it_do_as_around_logistic_regression(make_data, name, n_classes):
    X, y = make_data(120, 4, n_classes)
    if name == "self-training":
        y = np.where(np.arange(len(y)) % 3, y, -1)
    found = AROUND[name](SoftmaxClassifier(C=0.5, tol=1e-9)).fit(X, y)
    expected = AROUND[name](LogisticRegression(C=0.5, tol=1e-9, max_iter=1_000)).fit(X, y)
    np.testing.assert_array_equal(found.classes_, expected.classes_)
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))
    method = "decision_function" if name == "one versus one" else "predict_proba"
    np.testing.assert_allclose(
        getattr(found, method)(X), getattr(expected, method)(X), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("around", [MultiOutputClassifier, ClassifierChain])
def test_several_outputs(make_data, around):
    X, y = make_data(120, 4, 3)
    several = np.stack([y, X[:, 0] > 0], axis=1)
    found = around(SoftmaxClassifier(tol=1e-9)).fit(X, several)
    expected = around(LogisticRegression(tol=1e-9, max_iter=1_000)).fit(X, several)
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))
    for one, other in zip(found.estimators_, expected.estimators_, strict=True):
        np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-4, atol=1e-6)


def test_importance_and_dependence_of_features(make_data):
    X, y = make_data(200, 2, 2)
    X = np.column_stack([X[:, 0], np.ones(200), X[:, 1]])
    model = SoftmaxClassifier().fit(X, y)
    importances = permutation_importance(model, X, y, n_repeats=5, random_state=0).importances_mean
    assert importances[1] == 0
    assert importances[[0, 2]].max() > 0.1
    for column in (0, 2):
        dependence = partial_dependence(model, X, [column], response_method="decision_function")
        slopes = np.diff(dependence["average"][0]) / np.diff(dependence["grid_values"][0])
        np.testing.assert_allclose(slopes, model.coef_[0, column], rtol=1e-9)


class ArrayLike:
    """Something that NumPy can make an array of."""

    def __init__(self, array):
        self._array = array

    def __len__(self):
        return len(self._array)

    @property
    def shape(self):
        return self._array.shape

    def __array__(self, dtype=None, copy=None):
        return np.array(self._array, dtype=dtype)


def as_memmap(array, path):
    mapped = np.memmap(path, array.dtype, "w+", shape=array.shape)
    mapped[...] = array
    mapped.flush()
    return np.memmap(path, array.dtype, "r", shape=array.shape)


def as_read_only(array, path):
    array = array.copy()
    array.flags.writeable = False
    return array


FORMS = {
    "lists": lambda array, path: array.tolist(),
    "tuples": lambda array, path: tuple(map(tuple, array)) if array.ndim == 2 else tuple(array),
    "list of arrays": lambda array, path: list(array),
    "read-only": as_read_only,
    "memmap": as_memmap,
    "array-like": lambda array, path: ArrayLike(array),
    "pandas": lambda array, path: (pd.DataFrame if array.ndim == 2 else pd.Series)(array),
}


@pytest.mark.parametrize("form", FORMS)
def test_array_likes_give_the_model_of_arrays(make_data, tmp_path, form):
    X, y = make_data(60, 3, 3)
    sample_weight = np.random.default_rng(0).exponential(size=60)
    expected = SoftmaxClassifier(tol=1e-8).fit(X, y, sample_weight)
    given = [
        FORMS[form](array, tmp_path / str(number))
        for number, array in enumerate([X, y, sample_weight])
    ]
    found = SoftmaxClassifier(tol=1e-8).fit(*given)
    for name in ("coef_", "intercept_"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9)
    for method in METHODS:
        np.testing.assert_allclose(
            getattr(found, method)(given[0]), getattr(expected, method)(X), rtol=1e-7
        )
    assert found.score(*given) == pytest.approx(expected.score(X, y, sample_weight))


WORDS = np.array(["birch", "ash", "cedar"])
LABELS = {
    "object": lambda y: WORDS[y].astype(object),
    "fixed length": lambda y: WORDS[y],
    "mixed lengths in a list": lambda y: WORDS[y].tolist(),
    "pandas string": lambda y: pd.Series(WORDS[y], dtype="string"),
    "pandas str": lambda y: pd.Series(WORDS[y], dtype="str"),
    "pandas object": lambda y: pd.Series(WORDS[y], dtype=object),
    "pandas category": lambda y: pd.Series(WORDS[y], dtype="category"),
    "pandas Categorical": lambda y: pd.Categorical(
        WORDS[y], categories=["yew", "cedar", "birch", "ash"], ordered=True
    ),
    "pandas index": lambda y: pd.Index(WORDS[y]),
    "category of integers": lambda y: pd.Series(y * 10, dtype="category"),
    "pandas Int64": lambda y: pd.Series(y, dtype="Int64"),
    "pandas UInt8": lambda y: pd.Series(y, dtype="UInt8"),
    "bool": lambda y: y > 0,
    "pandas bool": lambda y: pd.Series(y > 0),
    "pandas boolean": lambda y: pd.Series(y > 0, dtype="boolean"),
    "list of bools": lambda y: (y > 0).tolist(),
    "int8": lambda y: (y - 1).astype(np.int8),
    "float32": lambda y: y.astype(np.float32),
}
POLARS_LABELS = {
    "string": lambda y: polars.Series(WORDS[y]),
    "categorical": lambda y: polars.Series(WORDS[y], dtype=polars.Categorical),
    "enum": lambda y: polars.Series(WORDS[y], dtype=polars.Enum(["cedar", "birch", "ash"])),
    "integer": lambda y: polars.Series(y),
    "boolean": lambda y: polars.Series(y > 0),
}


def check_labels(X, y):
    """Classes are those of LogisticRegression, the model is that of the classes' numbers."""
    expected = LogisticRegression(tol=1e-9, max_iter=1_000).fit(X, y)
    model = SoftmaxClassifier(tol=1e-9).fit(X, y)
    np.testing.assert_array_equal(model.classes_, expected.classes_)
    assert model.classes_.dtype == expected.classes_.dtype
    predicted = model.predict(X)
    assert predicted.dtype == model.classes_.dtype
    np.testing.assert_array_equal(predicted, expected.predict(X))
    assert model.score(X, y) == expected.score(X, y) > 0.5
    values = [item.item() if isinstance(item, np.generic) else item for item in list(y)]
    numbers = np.array([list(model.classes_).index(value) for value in values])
    numbered = SoftmaxClassifier(tol=1e-9).fit(X, numbers)
    np.testing.assert_array_equal(model.coef_, numbered.coef_)
    # The same labels are keys of the weights of classes.
    by_name = SoftmaxClassifier(tol=1e-9, class_weight={values[0]: 3.0}).fit(X, y)
    by_number = SoftmaxClassifier(tol=1e-9, class_weight={numbers[0]: 3.0}).fit(X, numbers)
    np.testing.assert_array_equal(by_name.coef_, by_number.coef_)
    assert np.abs(by_name.coef_ - model.coef_).max() > 0.01


@pytest.mark.parametrize("kind", LABELS)
def test_labels(make_data, kind):
    X, y = make_data(90, 3, 3)
    check_labels(X, LABELS[kind](y))


@pytest.mark.parametrize("kind", POLARS_LABELS)
def test_labels_of_polars(make_data, kind):
    X, y = make_data(90, 3, 3)
    check_labels(X, POLARS_LABELS[kind](y))


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean", "category"])
def test_missing_labels_are_refused(make_data, dtype):
    X, y = make_data(90, 3, 2)
    labels = pd.Series(y, dtype=dtype)
    labels[7] = pd.NA
    with pytest.raises(ValueError, match="contains NaN"):
        SoftmaxClassifier().fit(X, labels)


def test_held_out_rows_are_routed(make_data):
    X, y = make_data(300, 4, 3)
    X_val, y_val = make_data(80, 4, 3, seed=1)
    weights = np.ones(80)
    with config_context(enable_metadata_routing=True):
        classifier = SoftmaxClassifier(solver="sgd", random_state=0).set_fit_request(
            X_val=True, y_val=True, sample_weight_val=True
        )
        held_out = {"X_val": X_val, "y_val": y_val, "sample_weight_val": weights}
        search = GridSearchCV(classifier, {"C": [0.1, 1.0]}, cv=2).fit(X, y, **held_out)
        pipeline = make_pipeline("passthrough", classifier).fit(X, y, **held_out)
    expected = SoftmaxClassifier(solver="sgd", random_state=0).fit(X, y, **held_out)
    assert len(search.best_estimator_.validation_curve_) == search.best_estimator_.n_iter_
    np.testing.assert_array_equal(pipeline[-1].coef_, expected.coef_)
